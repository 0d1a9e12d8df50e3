"""Alignment of policies: a penalty on their distance at shared observations, at the scale of the task's gradient.

Source: 2401.10949, area 1, with probabilities of actions as the measures. Partners answer with the policies they had at
the last refresh, as agents that exchange policies now and then would; the observations are drawn from all agents'.
"""

from typing import Any

import numpy as np

from replication import seeding
from replication.algos.alignment import Alignment
from replication.algos.alignment_kernel import JEFFREYS, TRANSPORT, VARIATION, compare_choices, compare_gaussians
from replication.algos.alignment_settings import AlignmentSettings
from replication.algos.fast_mlp import sizes
from replication.algos.optimisers import Trainable
from replication.algos.team_mlp import outputs_of, weight_slopes
from replication.algos.team_nets import Layout
from replication.algos.transport_points import MOVES, extreme_potentials, move_metric
from replication.settings import BadInput

KINDS = {"ot_action": TRANSPORT, "diversity": TRANSPORT, "kl": JEFFREYS, "tv": VARIATION}


class PolicyAlignment(Alignment):
    """Kinds ot_action, kl, tv and diversity, with their placebos."""

    def __init__(self, settings: AlignmentSettings, layout: Layout, seeds: tuple[int, ...], world: Any) -> None:
        super().__init__(settings, layout, seeds)
        self.kind, self.discrete = KINDS[settings.kind], world.action_kind == "discrete"
        if not self.discrete and self.kind == VARIATION:
            raise BadInput("kind 'tv' has no closed form for continuous actions; use 'ot_action' or 'kl'")
        moves = self.discrete and self.kind == TRANSPORT
        self.potentials = _potentials(settings.metric, world.action_size) if moves else np.zeros((1, 1))
        self.partners: np.ndarray | None = None
        self.mask: Any = None

    def prepare(self, segment: Any, actor: Trainable, update: int) -> None:
        if self.partners is None or self.fresh(update):
            self.partners = actor.flat.numpy().copy()
        self.generators = [seeding.stream("alignment", seed, update) for seed in self.seeds]
        seen, mask = self._probes(segment)
        wide = np.repeat(seen[:, :, None], self.layout.agents, axis=2)
        self.inputs, self.mask = self.layout.group(wide), mask
        theirs = self._answers(actor, self.partners)
        if self.settings.placebo == "shuffled":
            order = [generator.permutation(seen.shape[1]) for generator in self.generators]
            theirs = np.stack([rows[places] for rows, places in zip(theirs, order, strict=True)])
        self.theirs = theirs
        self.numbers = {}

    def _probes(self, segment: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """Observations (S, B, F) of any agent, and what is allowed there (S, B, U) for choices."""
        agents_seen = segment.seen.reshape(len(self.seeds), -1, segment.seen.shape[-1])
        count = min(self.settings.probes, agents_seen.shape[1])
        places = np.stack([generator.choice(agents_seen.shape[1], count, False) for generator in self.generators])
        row = np.arange(len(places))[:, None]
        if not self.discrete:
            return agents_seen[row, places], None
        return agents_seen[row, places], segment.mask.reshape(*agents_seen.shape[:2], -1)[row, places]

    def _answers(self, actor: Trainable, flat: np.ndarray) -> np.ndarray:
        """(S, B, A, U) probabilities, or means, of all agents at the probes."""
        relu = actor.network.activation == "relu"
        out = self.layout.ungroup(outputs_of(flat, sizes(actor.network), relu, self.inputs), -1)
        if not self.discrete:
            return out
        logits = np.where(self.mask[:, :, None], out, -np.inf)
        weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return weights / weights.sum(axis=-1, keepdims=True)

    def add_gradient(self, actor: Trainable) -> None:
        task = actor.gradient.numpy().reshape(len(self.seeds), -1)
        penalty, distance = self.penalty(actor)
        self.numbers.setdefault("policies_apart", distance)
        penalty = penalty.reshape(task.shape)
        size = np.linalg.norm(penalty, axis=1)
        if self.settings.placebo == "random":
            penalty = np.stack([generator.standard_normal(task.shape[1], np.float32) for generator in self.generators])
            penalty *= (size / np.linalg.norm(penalty, axis=1))[:, None]
        share = self.beta * self._wish(distance) * self.scale.factor(np.linalg.norm(task, axis=1), size)
        task += share[:, None].astype(np.float32) * penalty

    def _wish(self, distance: np.ndarray) -> np.ndarray:
        """(S,) 1, or where a certain diversity is wanted, how far it is exceeded, within -1 to 1.

        Source: the aim is that of DiCo (2405.15054), reached here by a penalty instead of a rescaled policy (A-326).
        """
        wanted = self.settings.wanted
        return np.ones_like(distance) if wanted is None else np.clip((distance - wanted) / wanted, -1.0, 1.0)

    def penalty(self, actor: Trainable) -> tuple[np.ndarray, np.ndarray]:
        """Slope (G, P) of the mean distance to the partners, and the distance (S,)."""
        flat, size, relu = actor.flat.numpy(), sizes(actor.network), actor.network.activation == "relu"
        own = self._answers(actor, flat)
        slope, distance, found = np.empty_like(own), np.empty(len(own)), np.zeros_like(flat)
        if self.discrete:
            compare_choices(self.kind, own, self.theirs, self.potentials, slope, distance)
        else:
            mine, their = self._log_std(flat), self._log_std(np.asarray(self.partners))
            slope_std = np.empty_like(mine)
            compare_gaussians(self.kind, own, mine, self.theirs, their, slope, slope_std, distance)
            found[:, -self._rest :] += slope_std.reshape(len(found), -1)
        weight_slopes(flat, found, size, relu, self.inputs, self.layout.group(slope))
        return found, distance

    @property
    def _rest(self) -> int:
        return self.layout.kinds * self.theirs.shape[-1]

    def _log_std(self, flat: np.ndarray) -> np.ndarray:
        """(S, A, U) of every agent."""
        return np.ascontiguousarray(flat[:, -self._rest :]).reshape(len(self.seeds), self.layout.agents, -1)

    def state(self) -> dict[str, Any]:
        return super().state() | ({} if self.partners is None else {"partners": self.partners})

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self.partners = np.array(state["partners"]) if "partners" in state else None


def _potentials(metric: str, choices: int) -> np.ndarray:
    """Extreme potentials of W_1 between choices."""
    if metric == "equal":
        return extreme_potentials(1.0 - np.eye(choices))
    if choices != len(MOVES):
        raise BadInput(f"metric {metric!r} is between the {len(MOVES)} moves, got {choices} choices; use 'equal'")
    return extreme_potentials(move_metric(metric))
