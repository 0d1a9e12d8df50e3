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


class Alignment:
    """A kind that does nothing; each real one overrides the hooks it needs.

    Attributes:
        beta: strength now, with fading.
        numbers: (S,) per name, of the last update, for the curves.
    """

    def __init__(self, settings: AlignmentSettings, layout: Layout, seeds: tuple[int, ...]) -> None:
        self.settings, self.layout, self.seeds = settings, layout, seeds
        self.beta, self.numbers = settings.beta, dict[str, np.ndarray]()

    def begin(self, progress: float) -> None:
        """Start of an update; `progress` from 0 to 1 is the share of training done."""
        self.beta = self.settings.beta * (1.0 - progress if self.settings.fade else 1.0)

    def fresh(self, update: int) -> bool:
        """Whether what is aligned to is computed anew in this update."""
        return update % self.settings.every == 0

    def shaping(self, segment: Any, ended: np.ndarray, gamma: float) -> np.ndarray | None:
        """(S, E, T) added to every agent's reward, or None."""
        return None

    def rewards(self, segment: Any, update: int) -> np.ndarray | None:
        """(S, E, T, A) rewards with values of their own, or None."""
        return None

    def prepare(self, segment: Any, actor: Trainable, update: int) -> None:
        """Look at the segment before its minibatches."""

    def add_gradient(self, actor: Trainable) -> None:
        """Add a penalty's slope to the gradient of the task, which is there."""

    def finish(self, actor: Trainable, update: int) -> None:
        """End of an update."""

    def state(self) -> Arrays:
        """Everything a checkpoint needs."""
        return {}

    def restore(self, state: Arrays) -> None:
        """Continue from `state()`."""


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

    Its deviation is beta times that of the task's reward in the first segment; the factor then stays, because only a
    constant one leaves the ranking of policies alone (Ng, Harada and Russell 1999).
    """

    factor: np.ndarray | None = None

    def shaping(self, segment: Any, ended: np.ndarray, gamma: float) -> np.ndarray:
        paid = shaping_rewards(segment.before, segment.after, ended, gamma)
        if self.factor is None:
            spread = paid.reshape(len(paid), -1).std(axis=1)
            self.factor = segment.reward.reshape(len(paid), -1).std(axis=1) / np.maximum(spread, 1e-12)
        self.numbers = {"potential": segment.after.reshape(len(paid), -1).mean(axis=1)}
        return self.beta * self.factor[:, None, None] * paid

    def state(self) -> Arrays:
        return {} if self.factor is None else {"factor": self.factor}

    def restore(self, state: Arrays) -> None:
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
