"""The training loop: collect, update, judge on validation days, keep each seed's best, checkpoint, resume bitwise."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from replication.algos.nets import Arrays, views
from replication.algos.policy import Policy
from replication.algos.ppo import Face, Learner
from replication.algos.ppo_settings import PPOSettings
from replication.algos.rollout import Collector
from replication.settings import BadInput

Judge = Callable[[Policy], dict[str, np.ndarray]]


@dataclass
class Trained:
    """What training leaves.

    curves: per update (S, updates); "evaluated_<name>" (S, evaluations); "_evaluated_at" the updates done before each
    evaluation; "_steps" the environment steps of one seed after each update. best_update: (S,), the update count of
    each seed's best policy (all equal to `updates` without an `evaluate` function).
    """

    curves: Arrays
    best: Policy
    last: Policy
    best_update: np.ndarray


def train(
    settings: PPOSettings,
    world,
    seeds: tuple[int, ...],
    run,
    *,
    updates: int,
    evaluate: Judge | None = None,
    evaluate_every: int = 10,
) -> Trained:
    """Train all `seeds` side by side in `world` (num_envs = seeds x settings.envs).

    Args:
        run: offers `log(step, **numbers)`, `checkpoint(step, make_state)`, `progress(fraction)` and `restore()`.
        updates: number of segments to learn from; the learning rate falls over exactly these.
        evaluate: judges a policy on validation data; returns numbers (S,) per name, among them "score", of which
            higher is better. It is called before training, every `evaluate_every` updates and at the end. The
            untrained policy is judged but never kept as best.

    Raises:
        BadInput: lanes do not match seeds x envs, discrete actions, or a device that is not there.
    """
    if settings.device == "cuda" and not torch.cuda.is_available():
        raise BadInput("device 'cuda' was asked for, but torch sees no CUDA device here; use device='cpu'")
    torch.set_num_threads(1)
    loop = _Loop(settings, world, seeds, updates)
    saved = run.restore()
    if saved is not None:
        loop.restore(saved)
    while loop.done < updates:
        if loop.done == 0 and evaluate is not None:
            loop.judge(evaluate, candidate=False)
        loop.advance()
        if evaluate is not None and (loop.done % evaluate_every == 0 or loop.done == updates):
            loop.judge(evaluate)
        if loop.done % evaluate_every == 0 or loop.done == updates:
            run.log(loop.done, **loop.latest())
        run.progress(loop.done / updates)
        run.checkpoint(loop.done, loop.state)
    return loop.result()


class _Loop:
    """The state of one training run between updates."""

    def __init__(self, settings: PPOSettings, world, seeds: tuple[int, ...], updates: int) -> None:
        self.settings, self.updates, self.done = settings, updates, 0
        self.collector = Collector(settings, world, seeds)
        self.learner = Learner(settings, Face.of(world), seeds)
        self.rows: dict[str, list[np.ndarray]] = {}
        self.evaluated_at: list[int] = []
        self.best_score = np.full(len(seeds), -np.inf)
        self.best_update = np.zeros(len(seeds), dtype=np.int64)
        self.best_flat = self.learner.actor.flat.cpu().numpy().copy()

    @property
    def policy(self) -> Policy:
        return self.learner.policy(self.collector.inputs)

    def learning_rate(self) -> float:
        first, last = self.settings.learning_rate, self.settings.learning_rate_end
        return first + (last - first) * self.done / max(1, self.updates - 1)

    def advance(self) -> None:
        segment = self.collector.collect(self.policy, self.done)
        numbers = self.learner.update(segment, self.done, self.learning_rate())
        self._append(segment.numbers | numbers)
        self.done += 1

    def judge(self, evaluate: Judge, candidate: bool = True) -> None:
        numbers = evaluate(self.policy.copy())
        self.evaluated_at.append(self.done)
        self._append({f"evaluated_{name}": np.asarray(value, dtype=np.float64) for name, value in numbers.items()})
        better = candidate & (np.asarray(numbers["score"]) > self.best_score)
        self.best_score = np.where(better, numbers["score"], self.best_score)
        self.best_update = np.where(better, self.done, self.best_update)
        self.best_flat[better] = self.learner.actor.flat.cpu().numpy()[better]

    def _append(self, numbers: dict[str, np.ndarray]) -> None:
        for name, value in numbers.items():
            self.rows.setdefault(name, []).append(np.array(value, dtype=np.float64))

    def latest(self) -> dict[str, float]:
        """Mean over seeds of each curve's last number."""
        return {name: float(np.mean(row[-1])) for name, row in self.rows.items()}

    def curves(self) -> Arrays:
        stacked = {name: np.stack(row, axis=1) for name, row in self.rows.items()}
        per_update = self.settings.envs * self.settings.segment
        steps = per_update * np.arange(1, self.done + 1)
        return stacked | {"_steps": steps, "_evaluated_at": np.array(self.evaluated_at, dtype=np.int64)}

    def result(self) -> Trained:
        last = self.policy.copy()
        if not np.isfinite(self.best_score).any():
            return Trained(self.curves(), last, last, np.full(len(self.best_update), self.done))
        named = {name: view.copy() for name, view in views(last.network, self.best_flat).items()}
        best = self.policy.copy()
        best.weights = named
        return Trained(self.curves(), best, last, self.best_update)

    def state(self) -> dict:
        return {
            "done": self.done,
            "learner": self.learner.state(),
            "collector": self.collector.snapshot(),
            "rows": {name: np.stack(row) for name, row in self.rows.items()},
            "evaluated_at": list(self.evaluated_at),
            "best": {"score": self.best_score, "update": self.best_update, "flat": self.best_flat},
        }

    def restore(self, saved: dict) -> None:
        self.done = int(saved["done"])
        self.learner.restore(saved["learner"])
        self.collector.restore(saved["collector"])
        self.rows = {name: [np.asarray(row) for row in rows] for name, rows in saved["rows"].items()}
        self.evaluated_at = [int(update) for update in saved["evaluated_at"]]
        self.best_score, self.best_update, self.best_flat = (
            np.array(saved["best"][name]) for name in ("score", "update", "flat")
        )
