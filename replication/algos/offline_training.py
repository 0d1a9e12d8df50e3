"""Learning from logged episodes: draw, update, judge, keep each seed's best, checkpoint, resume bitwise.

Data of your own (see `replication.data.offline`) need no experiment around them:

    data = replication.data.offline.load("my-data")
    trained = train_offline(CQLSettings(backbone="sac"), data, (0,), NoRun(), updates=20_000)
    save_discrete_policy("my-policy", trained.last)

`CQLSettings` is in `replication.algos.cql_settings`, `save_discrete_policy` in `replication.algos.discrete_policy`;
`replication.data.offline.load("my-data", environment)` refuses data of another world.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from replication.algos.cql import CQL
from replication.algos.cql_kernels import Batch
from replication.algos.cql_settings import CQLSettings
from replication.algos.discrete_policy import DiscretePolicy
from replication.algos.nets import Arrays
from replication.algos.scaling import Scaling, fit_scaling
from replication.data.offline import OfflineData, check
from replication.seeding import stream
from replication.settings import BadInput

Judge = Callable[[DiscretePolicy], dict[str, np.ndarray]]
DRAWN_TOGETHER = 64  # updates whose minibatches are drawn at once


class NoRun:
    """A training that nobody follows and that starts anew when interrupted."""

    def log(self, step: int, **numbers: float) -> None: ...

    def checkpoint(self, step: int, make_state: Any) -> None: ...

    def restore(self) -> None: ...

    def progress(self, fraction: float) -> None: ...


@dataclass
class TrainedOffline:
    """What offline training leaves.

    curves: name -> (S, chunks), means over the updates since the point before; "_updates" (chunks,), the updates done
    at each point; "evaluated_<name>" (S, evaluations), "_evaluated_at" the updates done before each evaluation.
    best_update: (S,), the update count of each seed's best policy (all equal to `updates` without an `evaluate`).
    """

    curves: Arrays
    best: DiscretePolicy
    last: DiscretePolicy
    best_update: np.ndarray


def train_offline(
    settings: CQLSettings,
    data: OfflineData,
    seeds: tuple[int, ...],
    run: Any,
    *,
    updates: int,
    episodes: np.ndarray | None = None,
    evaluate: Judge | None = None,
    evaluate_every: int = 1000,
) -> TrainedOffline:
    """Train all `seeds` side by side on logged episodes.

    Args:
        run: offers `log(step, **numbers)`, `checkpoint(step, make_state)`, `progress(fraction)` and `restore()`.
        episodes: (S, K_s) numbers of the episodes that each seed learns from; absent: all.
        evaluate: judges a policy; returns numbers (S,) per name, among them "score", of which higher is better. It is
            called before training, every `evaluate_every` updates and at the end. The untrained policy is judged but
            never kept as best.
        evaluate_every: updates between two points of the curves, too.

    Raises:
        BadInput: unsound data, episodes that do not exist or are not one row per seed, too many agents.
    """
    loop = _Loop(settings, data, _episodes(data, seeds, episodes), tuple(seeds))
    saved = run.restore()
    if saved is not None:
        loop.restore(saved)
    while loop.done < updates:
        if loop.done == 0 and evaluate is not None:
            loop.judge(evaluate, candidate=False)
        loop.advance()
        if loop.done % evaluate_every == 0 or loop.done == updates:
            if evaluate is not None:
                loop.judge(evaluate)
            loop.end_chunk()
            run.log(loop.done, **loop.latest())
        run.progress(loop.done / updates)
        run.checkpoint(loop.done, loop.state)
    return loop.result()


def fit_to_data(data: OfflineData, episodes: np.ndarray, shared: bool) -> Scaling:
    """Scaling of every seed's observations, fitted on its own episodes (S, K_s)."""
    shapes = (-1, data.num_agents, data.features), (-1, data.num_agents, data.action_size)
    scalings = []
    for chosen in episodes:
        observation, mask = (array[chosen, :-1].reshape(shape) for array, shape in
                             zip((data.observation, data.mask), shapes, strict=True))  # fmt: skip
        scalings.append(fit_scaling([(observation, mask)], shared))
    return Scaling(*(np.concatenate([getattr(one, name) for one in scalings]) for name in ("mean", "factor")))


class Logged(NamedTuple):
    """The arrays of `OfflineData`, by the same names."""

    observation: np.ndarray
    mask: np.ndarray
    action: np.ndarray
    reward: np.ndarray
    terminated: np.ndarray


class Minibatches:
    """Transitions drawn with replacement; what a seed draws is a function of its number, the update and its data."""

    def __init__(self, data: OfflineData, episodes: np.ndarray, seeds: tuple[int, ...], size: int) -> None:
        self.episodes, self.seeds, self.size = np.ascontiguousarray(episodes, np.int64), seeds, size
        self.logged = Logged(
            np.ascontiguousarray(data.observation, np.float32),
            np.ascontiguousarray(data.mask, bool),
            np.ascontiguousarray(data.action, np.int8),
            np.ascontiguousarray(data.reward, np.float32),
            np.ascontiguousarray(data.terminated, bool),
        )
        lead, agents = (len(seeds), size), data.num_agents
        seen, valid = (*lead, agents, data.features), (*lead, agents, data.action_size)
        self.batch = Batch(
            observation=np.zeros(seen, np.float32),
            mask=np.zeros(valid, bool),
            action=np.zeros((*lead, agents), np.int64),
            reward=np.zeros(lead, np.float32),
            next_observation=np.zeros(seen, np.float32),
            next_mask=np.zeros(valid, bool),
            terminated=np.zeros(lead, np.float32),
        )
        self.transitions = episodes.shape[1] * data.horizon
        self._chunk, self._drawn = -1, np.zeros((len(seeds), 0, size), np.int64)

    def take(self, update: int) -> Batch:
        """The minibatch of this update; it is overwritten by the next."""
        chunk, place = divmod(update, DRAWN_TOGETHER)
        if chunk != self._chunk:
            shape = (DRAWN_TOGETHER, self.size)
            draws = [stream("offline minibatches", seed, chunk) for seed in self.seeds]
            self._drawn = np.stack([drawn.integers(0, self.transitions, shape) for drawn in draws])
            self._chunk = chunk
        _gather(self._drawn[:, place], self.episodes, self.logged, self.batch)
        return self.batch


@njit(cache=True, error_model="numpy")
def _gather(drawn, episodes, logged, batch):
    """Transition j of a seed is step j mod T of its episode j div T; what follows is the next row of that episode."""
    horizon = logged.reward.shape[1]
    for s in range(drawn.shape[0]):
        for b in range(drawn.shape[1]):
            k, t = episodes[s, drawn[s, b] // horizon], drawn[s, b] % horizon
            batch.observation[s, b] = logged.observation[k, t]
            batch.next_observation[s, b] = logged.observation[k, t + 1]
            batch.mask[s, b] = logged.mask[k, t]
            batch.next_mask[s, b] = logged.mask[k, t + 1]
            for a in range(logged.action.shape[2]):
                batch.action[s, b, a] = logged.action[k, t, a]
            batch.reward[s, b] = logged.reward[k, t]
            batch.terminated[s, b] = logged.terminated[k, t]


class _Loop:
    """The state of one training run between updates."""

    def __init__(self, settings: CQLSettings, data: OfflineData, episodes: np.ndarray, seeds: tuple[int, ...]) -> None:
        self.done = 0
        scaling = fit_to_data(data, episodes, settings.share_weights and settings.paradigm != "centralised")
        self.minibatches = Minibatches(data, episodes, seeds, settings.batch_size)
        self.learner = CQL(settings, data.num_agents, data.features, data.action_size, seeds, scaling)
        self.sums: Arrays = {}
        self.rows: dict[str, list[np.ndarray]] = {}
        self.ends: list[int] = []
        self.evaluated_at: list[int] = []
        self.best_score = np.full(len(seeds), -np.inf)
        self.best_update = np.zeros(len(seeds), dtype=np.int64)
        self.best_weights = self.learner.actor.flat.copy()

    def advance(self) -> None:
        numbers = self.learner.update(self.minibatches.take(self.done))
        for name, value in numbers.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.done += 1

    def end_chunk(self) -> None:
        since = self.ends[-1] if self.ends else 0
        self._append({name: total / (self.done - since) for name, total in self.sums.items()})
        self.ends.append(self.done)
        self.sums = {}

    def judge(self, evaluate: Judge, candidate: bool = True) -> None:
        numbers = evaluate(self.learner.policy().copy())
        self.evaluated_at.append(self.done)
        self._append({f"evaluated_{name}": value for name, value in numbers.items()})
        better = candidate & (np.asarray(numbers["score"]) > self.best_score)
        self.best_score = np.where(better, numbers["score"], self.best_score)
        self.best_update = np.where(better, self.done, self.best_update)
        self.best_weights[better] = self.learner.actor.flat[better]

    def _append(self, numbers: dict[str, np.ndarray]) -> None:
        for name, value in numbers.items():
            self.rows.setdefault(name, []).append(np.array(value, dtype=np.float64))

    def latest(self) -> dict[str, float]:
        """Mean over seeds of each curve's last number."""
        return {name: float(np.mean(row[-1])) for name, row in self.rows.items()}

    def result(self) -> TrainedOffline:
        curves = {name: np.stack(row, axis=1) for name, row in self.rows.items()}
        curves["_updates"] = np.array(self.ends, dtype=np.int64)
        curves["_evaluated_at"] = np.array(self.evaluated_at, dtype=np.int64)
        last = self.learner.policy().copy()
        if not np.isfinite(self.best_score).any():
            return TrainedOffline(curves, last, last, np.full(len(self.best_update), self.done))
        return TrainedOffline(curves, replace(last, weights=self.best_weights.copy()), last, self.best_update)

    def state(self) -> dict:
        return {
            "done": self.done,
            "learner": self.learner.state(),
            "sums": dict(self.sums),
            "rows": {name: np.stack(row) for name, row in self.rows.items()},
            "ends": list(self.ends),
            "evaluated_at": list(self.evaluated_at),
            "best": {"score": self.best_score, "update": self.best_update, "weights": self.best_weights},
        }

    def restore(self, saved: dict) -> None:
        self.done = int(saved["done"])
        self.learner.restore(saved["learner"])
        self.sums = {name: np.array(total) for name, total in saved["sums"].items()}
        self.rows = {name: [np.asarray(row) for row in rows] for name, rows in saved["rows"].items()}
        self.ends, self.evaluated_at = ([int(n) for n in saved[name]] for name in ("ends", "evaluated_at"))
        self.best_score, self.best_update, self.best_weights = (
            np.array(saved["best"][name]) for name in ("score", "update", "weights")
        )


def _episodes(data: OfflineData, seeds: tuple[int, ...], episodes: np.ndarray | None) -> np.ndarray:
    """(S, K_s) checked episode numbers; the data are checked, too."""
    check(data)
    if episodes is None:
        return np.tile(np.arange(data.episodes), (len(seeds), 1))
    chosen = np.asarray(episodes)
    if chosen.ndim != 2 or len(chosen) != len(seeds) or not chosen.size or chosen.dtype.kind not in "iu":
        raise BadInput(f"episodes must be whole numbers ({len(seeds)}, K), a row per seed, got shape {chosen.shape}")
    if chosen.min() < 0 or chosen.max() >= data.episodes:
        raise BadInput(f"episodes must be from 0 to {data.episodes - 1}, got {chosen.min()} to {chosen.max()}")
    return chosen
