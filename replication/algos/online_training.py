"""Learning while playing: explore, remember, update from the replay, judge, keep each seed's best, resume bitwise."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from replication.algos.cql import CQL
from replication.algos.discrete_policy import DiscretePolicy, build_discrete_policy
from replication.algos.nets import Arrays
from replication.algos.online_settings import OnlineSettings
from replication.algos.replay import Player, ReplayBuffer, StepRecord
from replication.algos.scaling import Scaling, fit_scaling, no_scaling
from replication.settings import BadInput

Judge = Callable[[DiscretePolicy], dict[str, np.ndarray]]


Record = Callable[[StepRecord], None]


@dataclass
class TrainedOnline:
    """What online training leaves.

    curves: name -> (S, windows), means over the steps and updates since the point before; "_steps" (windows,), the
    vector steps done at each point; "evaluated_<name>" (S, evaluations), "_evaluated_at" the vector steps done before
    each evaluation. best_step: (S,), the vector steps done when each seed's best policy was judged (the last step
    without an `evaluate` function).
    """

    curves: Arrays
    best: DiscretePolicy
    last: DiscretePolicy
    best_step: np.ndarray


def train_online(
    settings: OnlineSettings,
    world: Any,
    seeds: tuple[int, ...],
    run: Any,
    *,
    steps: int,
    evaluate: Judge | None = None,
    evaluate_every: int = 1000,
    record: Record | None = None,
) -> TrainedOnline:
    """Train all `seeds` side by side in `world` (num_envs = seeds x settings.envs).

    Args:
        run: offers `log(step, **numbers)`, `checkpoint(step, make_state)`, `progress(fraction)` and `restore()`.
        steps: vector steps, the random ones of the warm-up included.
        evaluate: judges a policy; returns numbers (S,) per name, among them "score", of which higher is better. It
            is called after the warm-up, whenever `evaluate_every` divides the steps done, and at the end. The
            untrained policy is judged but never kept as best.
        record: called after every vector step. What it keeps is its own affair, so such a run saves no checkpoints
            and starts anew when interrupted.

    Raises:
        BadInput: lanes do not match seeds x envs, continuous actions, or no steps left after the warm-up.
    """
    if steps <= settings.warm_up:
        raise BadInput(f"{steps} steps leave none after the warm-up of {settings.warm_up}; give more steps")
    loop = _Loop(settings, world, seeds)
    saved = run.restore() if record is None else None
    if saved is not None:
        loop.restore(saved)
    while loop.done < steps:
        loop.advance(record)
        point = loop.done % evaluate_every == 0 or loop.done == steps
        if evaluate is not None and loop.learner and (point or loop.done == settings.warm_up):
            loop.judge(evaluate, candidate=loop.done > settings.warm_up)
        if point and loop.done > settings.warm_up:
            loop.end_window()
            run.log(loop.done, **loop.latest())
        run.progress(loop.done / steps)
        if record is None:
            run.checkpoint(loop.done, loop.state)
    return loop.result()


class _Means:
    """Running means of numbers (S,) by name."""

    def __init__(self) -> None:
        self.sums: Arrays = {}
        self.counts: dict[str, int] = {}

    def add(self, numbers: dict[str, np.ndarray]) -> None:
        for name, value in numbers.items():
            self.sums[name] = self.sums.get(name, 0.0) + np.asarray(value, dtype=np.float64)
            self.counts[name] = self.counts.get(name, 0) + 1

    def take(self) -> Arrays:
        """The means, and start anew."""
        means = {name: total / self.counts[name] for name, total in self.sums.items()}
        self.sums, self.counts = {}, {}
        return means


class _Loop:
    """The state of one training run between vector steps."""

    def __init__(self, settings: OnlineSettings, world: Any, seeds: tuple[int, ...]) -> None:
        self.settings, self.seeds = settings, seeds
        self.sizes = world.num_agents, world.observation_size, world.action_size
        self.player = Player(settings, world, seeds)
        self.replay = ReplayBuffer(seeds, settings.envs, settings.capacity, *self.sizes)
        self.learner: CQL | None = None  # built when the warm-up has shown how to scale its inputs
        self.means = _Means()
        self.rows: dict[str, list[np.ndarray]] = {}
        self.ends: list[int] = []
        self.evaluated_at: list[int] = []
        self.best: Arrays = {}
        self.best_score = np.full(len(seeds), -np.inf)
        self.best_step = np.zeros(len(seeds), dtype=np.int64)

    @property
    def done(self) -> int:
        return self.player.step

    @property
    def updates(self) -> int:
        return (self.done - self.settings.warm_up) * self.settings.updates_per_step

    def advance(self, record: Record | None) -> None:
        step = self.player.advance(self.learner.policy() if self.learner else None)
        self.replay.add(step.transitions())
        if self.learner:
            self.means.add(_numbers(step, len(self.seeds)))
            for update in range(self.updates - self.settings.updates_per_step, self.updates):
                self.means.add(self.learner.update(self.replay.sample(update, self.settings.learner.batch_size)))
        elif self.done == self.settings.warm_up:
            self.learner = self._learner(self._scaling())
        if record is not None:
            record(step)

    def _learner(self, scaling: Scaling) -> CQL:
        return CQL(self.settings.learner, *self.sizes, self.seeds, scaling)

    def _scaling(self) -> Scaling:
        if self.settings.input_scaling == "none":
            return no_scaling(len(self.seeds), *self.sizes[:2])
        seen = self.replay.observation[:, : self.replay.filled], self.replay.mask[:, : self.replay.filled]
        return fit_scaling(list(zip(*seen, strict=True)), shared=self.settings.learner.share_weights)

    def judge(self, evaluate: Judge, candidate: bool) -> None:
        assert self.learner is not None
        policy = self.learner.policy().copy()
        numbers = evaluate(policy)
        self.evaluated_at.append(self.done)
        self._append({f"evaluated_{name}": value for name, value in numbers.items()})
        better = candidate & (np.asarray(numbers["score"]) > self.best_score)
        self.best_score = np.where(better, numbers["score"], self.best_score)
        self.best_step = np.where(better, self.done, self.best_step)
        for name, array in policy.arrays().items():
            self.best.setdefault(name, array.copy())[better] = array[better]

    def end_window(self) -> None:
        self.ends.append(self.done)
        self._append(self.means.take())

    def _append(self, numbers: dict[str, np.ndarray]) -> None:
        for name, value in numbers.items():
            self.rows.setdefault(name, []).append(np.array(value, dtype=np.float64))

    def latest(self) -> dict[str, float]:
        """Mean over seeds of each curve's last number."""
        return {name: float(np.mean(row[-1])) for name, row in self.rows.items()}

    def result(self) -> TrainedOnline:
        assert self.learner is not None
        curves = {name: np.stack(row, axis=1) for name, row in self.rows.items()}
        curves["_steps"] = np.array(self.ends, dtype=np.int64)
        curves["_evaluated_at"] = np.array(self.evaluated_at, dtype=np.int64)
        last = self.learner.policy().copy()
        if not np.isfinite(self.best_score).any():
            return TrainedOnline(curves, last, last, np.full(len(self.seeds), self.done))
        return TrainedOnline(curves, build_discrete_policy(self.best, last.card()), last, self.best_step)

    def state(self) -> dict:
        learned = {} if self.learner is None else self.learner.state()
        scaling = {} if self.learner is None else self.learner.policy().scaling.arrays()
        return {
            "player": self.player.snapshot(),
            "replay": self.replay.snapshot(),
            "learner": learned,
            "scaling": scaling,
            "means": {"sums": self.means.sums, "counts": self.means.counts},
            "rows": {name: np.stack(row) for name, row in self.rows.items()},
            "ends": self.ends,
            "evaluated_at": self.evaluated_at,
            "best": {"arrays": self.best, "score": self.best_score, "step": self.best_step},
        }

    def restore(self, saved: dict) -> None:
        self.player.restore(saved["player"])
        self.replay.restore(saved["replay"])
        if saved["learner"]:
            self.learner = self._learner(Scaling(**{name: np.array(a) for name, a in saved["scaling"].items()}))
            self.learner.restore(saved["learner"])
        self.means.sums = {name: np.array(total) for name, total in saved["means"]["sums"].items()}
        self.means.counts = {name: int(count) for name, count in saved["means"]["counts"].items()}
        self.rows = {name: [np.asarray(row) for row in rows] for name, rows in saved["rows"].items()}
        self.ends, self.evaluated_at = list(saved["ends"]), list(saved["evaluated_at"])
        self.best = {name: np.array(array) for name, array in saved["best"]["arrays"].items()}
        self.best_score, self.best_step = np.array(saved["best"]["score"]), np.array(saved["best"]["step"])


def _numbers(step: StepRecord, seeds: int) -> dict[str, np.ndarray]:
    """Means (S,) over lanes of the team's reward and of the world's scalars, those of a whole episode left out."""
    scalars = {n: v for n, v in step.info.items() if np.ndim(v) == 1 and not n.startswith("final_")}
    named = {"reward": step.reward.mean(axis=1)} | scalars
    return {name: np.reshape(value, (seeds, -1)).mean(axis=1) for name, value in named.items()}
