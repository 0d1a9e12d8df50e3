"""The training loop of teams: collect, update, judge, keep each seed's best, checkpoint, resume bitwise."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import torch

from replication.algos.nets import Arrays
from replication.algos.team_policy import TeamPolicy
from replication.algos.team_ppo import TeamLearner
from replication.algos.team_rollout import TeamCollector
from replication.algos.team_settings import TeamSettings

Judge = Callable[[TeamPolicy], dict[str, np.ndarray]]


@dataclass
class TrainedTeam:
    """What training leaves.

    curves: per update (S, updates); "evaluated_<name>" (S, evaluations); "_evaluated_at" the updates done before each
    evaluation; "_steps" the environment steps of one seed after each update (times the agents: agent-steps).
    best_update: (S,), the update count of each seed's best policy (all equal to `updates` without `evaluate`).
    seconds: wall-clock time in "alignment", "update" (which contains it) and "training" (which contains both).
    """

    curves: Arrays
    best: TeamPolicy
    last: TeamPolicy
    best_update: np.ndarray
    seconds: dict[str, float]


def train_team(
    settings: TeamSettings,
    world,
    seeds: tuple[int, ...],
    run,
    *,
    updates: int,
    evaluate: Judge | None = None,
    evaluate_every: int = 20,
) -> TrainedTeam:
    """Train the teams of all `seeds` side by side in `world` (num_envs = seeds x settings.envs).

    Args:
        run: offers `log(step, **numbers)`, `checkpoint(step, make_state)`, `progress(fraction)` and `restore()`.
        updates: number of segments to learn from; the learning rate falls over exactly these.
        evaluate: judges a policy; returns numbers (S,) per name, among them "score", of which higher is better. It is
            called before training, every `evaluate_every` updates and at the end. The untrained policy is judged but
            never kept as best.

    Raises:
        BadInput: lanes do not match seeds x envs, or the settings do not fit the world.
    """
    torch.set_num_threads(1)
    loop = TeamLoop(settings, world, seeds, updates)
    saved = run.restore()
    if saved is not None:
        loop.restore(saved)
    while loop.done < updates:
        if loop.done == 0 and evaluate is not None:
            loop.judge(evaluate, candidate=False)
        loop.advance()
        due = loop.done % evaluate_every == 0 or loop.done == updates
        if due and evaluate is not None:
            loop.judge(evaluate)
        if due:
            run.log(loop.done, **loop.latest())
        run.progress(loop.done / updates)
        run.checkpoint(loop.done, loop.state)
    return loop.result()


class TeamLoop:
    """The state of one training run between updates; `advance` it by hand to interfere with it in between."""

    def __init__(self, settings: TeamSettings, world, seeds: tuple[int, ...], updates: int) -> None:
        self.settings, self.updates, self.done = settings, updates, 0
        self.collector = TeamCollector(settings, world, seeds)
        self.learner = TeamLearner(settings, world, seeds)
        self.spent = 0.0
        self.rows: dict[str, list[np.ndarray]] = {}
        self.evaluated_at: list[int] = []
        self.best_score = np.full(len(seeds), -np.inf)
        self.best_update = np.zeros(len(seeds), dtype=np.int64)
        self.best_flat = self._weights().copy()

    def _weights(self) -> np.ndarray:
        """(S, nets, P) view of the actors' weights."""
        return self.learner.policy().flat.reshape(len(self.learner.seeds), self.learner.layout.nets, -1)

    def learning_rate(self) -> float:
        """Of the next update."""
        first, last = self.settings.learning_rate, self.settings.learning_rate_end
        return first + (last - first) * min(1.0, self.done / max(1, self.updates - 1))

    def advance(self, learning_rate: float | None = None) -> None:
        """One segment and one update, at the planned learning rate unless another is given."""
        start = perf_counter()
        segment = self.collector.collect(self.learner.policy(), self.done)
        rate = self.learning_rate() if learning_rate is None else learning_rate
        numbers = self.learner.update(segment, self.done, rate, min(1.0, self.done / self.updates))
        self._append(segment.numbers | numbers)
        self.done += 1
        self.spent += perf_counter() - start

    def judge(self, evaluate: Judge, candidate: bool = True) -> None:
        """Evaluate the policy now, and keep it where it is a seed's best so far."""
        numbers = evaluate(self.learner.policy().copy())
        self.evaluated_at.append(self.done)
        self._append({f"evaluated_{name}": np.asarray(value, dtype=np.float64) for name, value in numbers.items()})
        better = candidate & (np.asarray(numbers["score"]) > self.best_score)
        self.best_score = np.where(better, numbers["score"], self.best_score)
        self.best_update = np.where(better, self.done, self.best_update)
        self.best_flat[better] = self._weights()[better]

    def _append(self, numbers: Arrays) -> None:
        for name, value in numbers.items():
            self.rows.setdefault(name, []).append(np.array(value, dtype=np.float64))

    def latest(self) -> dict[str, float]:
        """Mean over seeds of each curve's last number."""
        return {name: float(np.mean(row[-1])) for name, row in self.rows.items()}

    def curves(self) -> Arrays:
        """Everything appended so far, see `TrainedTeam`."""
        stacked = {name: np.stack(row, axis=1) for name, row in self.rows.items()}
        steps = self.settings.envs * self.settings.segment * np.arange(1, self.done + 1)
        return stacked | {"_steps": steps, "_evaluated_at": np.array(self.evaluated_at, dtype=np.int64)}

    def seconds(self) -> dict[str, float]:
        """Wall-clock time so far, see `TrainedTeam`."""
        return self.learner.seconds | {"training": self.spent}

    def result(self) -> TrainedTeam:
        """What training leaves."""
        last = self.learner.policy().copy()
        if not np.isfinite(self.best_score).any():
            return TrainedTeam(self.curves(), last, last, np.full(len(self.best_update), self.done), self.seconds())
        best = last.copy()
        best.flat = self.best_flat.reshape(last.flat.shape).copy()
        return TrainedTeam(self.curves(), best, last, self.best_update, self.seconds())

    def state(self) -> dict:
        """Everything a checkpoint needs."""
        return {
            "done": self.done,
            "spent": self.spent,
            "learner": self.learner.state(),
            "collector": self.collector.snapshot(),
            "rows": {name: np.stack(row) for name, row in self.rows.items()},
            "evaluated_at": list(self.evaluated_at),
            "best": {"score": self.best_score, "update": self.best_update, "flat": self.best_flat},
        }

    def restore(self, saved: dict) -> None:
        """Continue from `state()`."""
        self.done, self.spent = int(saved["done"]), float(saved["spent"])
        self.learner.restore(saved["learner"])
        self.collector.restore(saved["collector"])
        self.rows = {name: [np.asarray(row) for row in rows] for name, rows in saved["rows"].items()}
        self.evaluated_at = [int(update) for update in saved["evaluated_at"]]
        self.best_score, self.best_update, self.best_flat = (
            np.array(saved["best"][name]) for name in ("score", "update", "flat")
        )
