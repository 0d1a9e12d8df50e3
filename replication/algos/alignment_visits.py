"""Alignment of visits: a reward for bringing where an agent goes to where the team goes, or to each episode's middle.

Source: 2401.10949, area 1, on occupancies; in the form of 2506.12497 (each agent pays its distance to the barycenter)
with minus the Kantorovich potential as reward, which is the slope of the distance in the occupancy.
"""

from typing import Any

import numpy as np

from replication import seeding
from replication.algos.alignment import Alignment
from replication.algos.alignment_potentials import entropic_potentials, line_potentials, stretched
from replication.algos.alignment_settings import AlignmentSettings
from replication.algos.nets import Arrays
from replication.algos.team_nets import Layout
from replication.algos.transport_closed_forms import directions, line_signals
from replication.settings import BadInput

COMPARED = 8  # lanes at whose visits old and new potentials are compared, for the curves only


class VisitAlignment(Alignment):
    """Kinds ot_barycenter and ot_episode, with their placebos."""

    def __init__(self, settings: AlignmentSettings, layout: Layout, seeds: tuple[int, ...], world: Any) -> None:
        super().__init__(settings, layout, seeds)
        if max(settings.features) >= world.observation_size:
            raise BadInput(
                f"features must be columns 0 to {world.observation_size - 1} of the observation, got "
                f"{settings.features}"
            )
        self.horizon = world.horizon
        self.lines = directions(
            len(settings.features), settings.transport.projections, settings.transport.projection_seed
        )
        self.kept: list[Arrays] = []

    def rewards(self, segment: Any, update: int) -> np.ndarray:
        visits = segment.seen[..., self.settings.features].astype(np.float64)
        generators = [seeding.stream("alignment", seed, update) for seed in self.seeds]
        labels = None
        if self.settings.placebo == "shuffled":
            labels = np.stack([_labels(visits.shape[1:4], self.horizon, generator) for generator in generators])
            visits = np.take_along_axis(visits, labels[..., None], axis=3)
        paid = (
            self._episodes(visits) if self.settings.kind == "ot_episode" else self._pooled(visits, generators, update)
        )
        if labels is not None:
            paid = np.take_along_axis(paid, np.argsort(labels, axis=3), axis=3)
        if self.settings.placebo == "random":
            paid = np.stack([_moved(one, generator) for one, generator in zip(paid, generators, strict=True)])
        return paid.astype(np.float32)

    def _pooled(self, visits: np.ndarray, generators: list, update: int) -> np.ndarray:
        """Rewards (S, E, T, A) under the potentials of this or an earlier update."""
        before = self.kept
        if not self.kept or self.fresh(update):
            self.kept = [self._fit(one, generator) for one, generator in zip(visits, generators, strict=True)]
        self.numbers = {
            "visits_apart": np.array([np.nanmean(one["costs"]) if self._any(one) else np.nan for one in self.kept]),
            "transport_failures": np.array([np.isnan(one["costs"]).sum() for one in self.kept], dtype=np.float64),
            "potentials_changed": self._changed(before, visits[:, :COMPARED]),
        }
        return np.stack([self._evaluate(kept, one) for kept, one in zip(self.kept, visits, strict=True)])

    def _changed(self, before: list[Arrays], visits: np.ndarray) -> np.ndarray:
        """(S,) relative difference of new potentials to those before at some visits; NaN where none are new."""
        if not before or before is self.kept:
            return np.full(len(visits), np.nan)
        pairs = zip(before, self.kept, visits, strict=True)
        values = [(self._evaluate(old, one), self._evaluate(new, one)) for old, new, one in pairs]
        sizes = np.array([[np.square(new - old).sum(), np.square(new).sum()] for old, new in values])
        return np.sqrt(sizes[:, 0] / np.maximum(sizes[:, 1], 1e-20))

    @staticmethod
    def _any(kept: Arrays) -> bool:
        return not np.isnan(kept["costs"]).all()

    def _fit(self, visits: np.ndarray, generator: np.random.Generator) -> Arrays:
        """Potentials of every agent from some of the visits (E, T, A, d) of one seed."""
        flat = visits.reshape(-1, *visits.shape[2:])
        places = generator.choice(len(flat), min(self.settings.visits, len(flat)), False)
        scale = _scale(flat) if self.settings.standardise else {}
        samples = np.ascontiguousarray(np.moveaxis(_standardised(flat[places], scale), 1, 0))
        if self.settings.transport.method == "sliced":
            return scale | line_potentials(samples, self.lines, self.settings)
        return scale | entropic_potentials(samples, self.settings)

    def _evaluate(self, kept: Arrays, visits: np.ndarray) -> np.ndarray:
        """Minus the potentials at all visits (E, T, A, d)."""
        points = _standardised(visits.reshape(-1, *visits.shape[2:]), kept)
        found = [stretched(kept, agent, points[:, agent], self.settings) for agent in range(points.shape[1])]
        return -np.stack(found, axis=-1).reshape(visits.shape[:3])

    def _episodes(self, visits: np.ndarray) -> np.ndarray:
        """Rewards (S, E, T, A) against the barycenter of each episode, line by line."""
        seeds, envs, time, agents, features = visits.shape
        if time % self.horizon:
            raise BadInput(f"ot_episode needs whole episodes: segment must be a multiple of {self.horizon}, got {time}")
        if self.settings.standardise:
            flat = visits.reshape(seeds, -1, agents, features)
            visits = np.stack([_standardised(one, _scale(one)) for one in flat]).reshape(visits.shape)
        parts = visits.reshape(-1, self.horizon, agents, features)  # (episodes, T, A, d)
        placed = (parts @ self.lines).transpose(2, 1, 0, 3)  # (A, T, episodes, L)
        wide = np.ascontiguousarray(placed).reshape(agents, self.horizon, -1)
        middle = np.sort(wide, axis=1).mean(axis=0)
        which = 0 if self.settings.signal == "dual" else 1
        signals = [line_signals(one, middle, 2) for one in wide]
        costs = np.stack([spent.mean(axis=0) for _, spent in signals]).reshape(agents, seeds, -1)
        self.numbers = {"visits_apart": costs.mean(axis=(0, 2))}
        paid = np.stack([one[which] for one in signals]).reshape(agents, self.horizon, len(parts), -1).mean(axis=-1)
        return -paid.transpose(2, 1, 0).reshape(seeds, envs, time, agents)

    def state(self) -> dict[str, Any]:
        return super().state() | {"kept": {str(place): one for place, one in enumerate(self.kept)}}

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        kept = state.get("kept", {})
        self.kept = [{name: np.array(a) for name, a in kept[str(place)].items()} for place in range(len(kept))]


def _scale(flat: np.ndarray) -> Arrays:
    """Mean and deviation (d,) per feature of the visits (n, A, d) of all agents."""
    deviation = flat.std(axis=(0, 1))
    return {"shift": flat.mean(axis=(0, 1)), "factor": 1.0 / np.where(deviation > 0, deviation, 1.0)}


def _standardised(points: np.ndarray, scale: Arrays) -> np.ndarray:
    return (points - scale["shift"]) * scale["factor"] if "shift" in scale else points


def _labels(shape: tuple[int, ...], horizon: int, generator: np.random.Generator) -> np.ndarray:
    """(E, T, A) a random order of the agents for every `horizon` steps of every lane: rewards stay smooth in time."""
    envs, time, agents = shape
    orders = generator.random((envs, -(-time // horizon), agents)).argsort(axis=-1)
    return np.repeat(orders, horizon, axis=1)[:, :time]


def _moved(paid: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The rewards (E, T, A) of every agent at other visits of its own."""
    flat = paid.reshape(-1, paid.shape[-1])
    return np.stack([generator.permutation(column) for column in flat.T], axis=-1).reshape(paid.shape)
