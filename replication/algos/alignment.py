"""What may draw the members of a team together while they learn, behind one face of five hooks.

Source: 2401.10949, area 1. `make_alignment` picks the kind; all kinds are keyed by (seed, update), so a seed's result
does not depend on its company.
"""

from typing import Any

import numpy as np

from replication.algos.alignment_settings import ACTION_KINDS, VISIT_KINDS, AlignmentSettings
from replication.algos.nets import Arrays
from replication.algos.optimisers import Trainable
from replication.algos.team_nets import Layout
from replication.algos.transport_rewards import shaping_rewards


class Scale:
    """What brings a term to the size of the task: measured in the first updates, kept from then on (A-322).

    Until it is known the term is left out, so that every kind is measured on a team that learns by itself. A scale
    measured for ever would pull as hard on agents that agree as on agents that do not.
    """

    def __init__(self, seeds: int, updates: int) -> None:
        self.updates, self.begun, self.sums = updates, 0, np.zeros((2, seeds))

    def factor(self, task: np.ndarray, own: np.ndarray) -> np.ndarray:
        """(S,) factor for a term of size `own` (S,) beside a task of size `task` (S,); 0 while it is measured."""
        if self.updates and self.begun <= self.updates:
            self.sums += np.stack([task, own])
            return np.zeros(len(own))
        above, below = self.sums if self.updates else (task, own)
        return np.where(below > 0, above / np.where(below > 0, below, 1.0), 0.0)

    def state(self) -> Arrays:
        return {"begun": np.array(self.begun), "sums": self.sums.copy()}

    def restore(self, state: Arrays) -> None:
        self.begun, self.sums = int(state["begun"]), np.array(state["sums"])


class Alignment:
    """A kind that does nothing; each real one overrides the hooks it needs.

    Attributes:
        beta: strength now, with fading.
        scale: what brings it to the size of the task.
        numbers: (S,) per name, of the last update, for the curves.
    """

    def __init__(self, settings: AlignmentSettings, layout: Layout, seeds: tuple[int, ...]) -> None:
        self.settings, self.layout, self.seeds = settings, layout, seeds
        self.beta, self.numbers = settings.beta, dict[str, np.ndarray]()
        self.scale = Scale(len(seeds), settings.settling)

    def begin(self, progress: float) -> None:
        """Start of an update; `progress` from 0 to 1 is the share of training done."""
        self.beta = self.settings.beta * (1.0 - progress if self.settings.fade else 1.0)
        self.scale.begun += 1

    def fresh(self, update: int) -> bool:
        """Whether what is aligned to is computed anew in this update."""
        return update % self.settings.every == 0

    def shaping(self, segment: Any, ended: np.ndarray, gamma: float) -> np.ndarray | None:
        """(S, E, T) added to every agent's reward, or None."""
        return None

    def rewards(self, segment: Any, update: int) -> np.ndarray | None:
        """(S, E, T, A) rewards with values of their own, or None."""
        return None

    def weigh(self, advantage: np.ndarray) -> np.ndarray:
        """Advantages (S, E, T, A) of its own rewards as they are added to the task's, whose deviation is 1."""
        own = advantage - advantage.mean(axis=(1, 2, 3), keepdims=True)
        factor = self.scale.factor(np.ones(len(own)), own.std(axis=(1, 2, 3), dtype=np.float64))
        return own * np.float32(self.beta) * factor[:, None, None, None].astype(np.float32)

    def prepare(self, segment: Any, actor: Trainable, update: int) -> None:
        """Look at the segment before its minibatches."""

    def add_gradient(self, actor: Trainable) -> None:
        """Add a penalty's slope to the gradient of the task, which is there."""

    def finish(self, actor: Trainable, update: int) -> None:
        """End of an update."""

    def state(self) -> dict[str, Any]:
        """Everything a checkpoint needs."""
        return {"scale": self.scale.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from `state()`."""
        self.scale.restore(state["scale"])


class ParameterAveraging(Alignment):
    """Every `every` updates the weights of a team's actors go the share beta of the way to their mean.

    Source: consensus as in Xiao and Boyd (2004) on the complete graph; all agents' weights count equally.
    """

    def finish(self, actor: Trainable, update: int) -> None:
        weights = actor.flat.numpy().reshape(len(self.seeds), self.layout.agents, -1)
        mean = weights.mean(axis=1, keepdims=True)
        self.numbers = {"weights_apart": np.square(weights - mean).sum(axis=-1).mean(axis=-1) ** 0.5}
        if (update + 1) % self.settings.every == 0:
            weights += np.float32(self.beta) * (mean - weights)


class PotentialShaping(Alignment):
    """Shaping by the cost of the cheapest assignment, gamma * potential(next) - potential(now).

    Within episodes its deviation is beta times that of the task's reward in the first segment (the last step of an
    episode, which pays the whole potential back, would hide the others); the factor then stays, because only a
    constant one leaves the ranking of policies alone (Ng, Harada and Russell 1999).
    """

    factor: np.ndarray | None = None

    def shaping(self, segment: Any, ended: np.ndarray, gamma: float) -> np.ndarray:
        paid = shaping_rewards(segment.before, segment.after, ended, gamma)
        if self.factor is None:
            going_on = ~np.broadcast_to(ended, paid.shape)
            spread = np.array([one[on].std() for one, on in zip(paid, going_on, strict=True)])
            self.factor = segment.reward.reshape(len(paid), -1).std(axis=1) / np.maximum(spread, 1e-12)
        self.numbers = {"potential": segment.after.reshape(len(paid), -1).mean(axis=1)}
        return self.beta * self.factor[:, None, None] * paid

    def state(self) -> dict[str, Any]:
        return super().state() | ({} if self.factor is None else {"factor": self.factor})

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self.factor = np.array(state["factor"]) if "factor" in state else None


def make_alignment(settings: AlignmentSettings, layout: Layout, seeds: tuple[int, ...], world: Any) -> Alignment:
    """The alignment that the settings name, for this world.

    Raises:
        BadInput: a kind that does not fit the world's actions or observations.
    """
    from replication.algos.alignment_policies import PolicyAlignment
    from replication.algos.alignment_visits import VisitAlignment

    if settings.kind in ACTION_KINDS:
        return PolicyAlignment(settings, layout, seeds, world)
    if settings.kind in VISIT_KINDS:
        return VisitAlignment(settings, layout, seeds, world)
    others = {"none": Alignment, "parameter_average": ParameterAveraging, "ot_potential": PotentialShaping}
    return others[settings.kind](settings, layout, seeds)
