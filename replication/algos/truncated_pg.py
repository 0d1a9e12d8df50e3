"""Scalable multi-agent policy gradient with general utilities: Algorithm 1 of 2302.07938, trained for many seeds.

An iteration estimates the occupancy, takes the shadow reward there, estimates truncated shadow-Q values and the
truncated gradient (`estimate_gradient`), and steps along it. Random numbers are a function of seed and iteration only,
so an interrupted run resumes with equal results.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from replication.algos.gradient_sources import Source, source
from replication.algos.tabular_policy import logits_shape, seen_agents, softmax_policy
from replication.algos.truncated_gradient import GradientEstimate, check_fit, estimate_gradient, radius, reach
from replication.algos.truncated_pg_settings import TruncatedPGSettings
from replication.algos.truncated_steps import Steps
from replication.algos.utilities import Utility
from replication.envs.networked_mdp import LocalPolicy, NetworkModel
from replication.envs.occupancy import NormalisedOccupancy
from replication.seeding import keys, stream
from replication.settings import BadInput

Judge = Callable[[LocalPolicy], dict[str, float]]


@dataclass(frozen=True)
class Trained:
    """What training leaves.

    Attributes:
        logits: (seeds, n, K, A) after the last iteration.
        seen: (n, m) agents each policy sees.
        exploration: share of the uniform action in the policies.
        curves: per iteration (seeds, iterations): "objective" F at the occupancy used, "gradient_norm2" squared norm
            of the gradient used, "largest_reward" magnitude of the shadow reward; "evaluated_<name>" (seeds,
            evaluations); "_evaluated_at" iterations done before each evaluation; "_samples" transitions simulated by
            one seed up to each iteration, "_bytes" exchanged likewise; "_table_entries" (n,) of a dense critic.
    """

    logits: np.ndarray
    seen: np.ndarray
    exploration: float
    curves: dict[str, np.ndarray]

    def policy(self, seed: int) -> LocalPolicy:
        """Policy of the seed at that place in the row of seeds."""
        return softmax_policy(self.logits[seed], self.seen, self.exploration)


def train(
    model: NetworkModel,
    utility: Utility,
    settings: TruncatedPGSettings,
    seeds: tuple[int, ...],
    iterations: int,
    *,
    gradient_source: str | Source = "sampled",
    evaluate: Judge | None = None,
    evaluate_every: int = 10,
    start: np.ndarray | None = None,
    run: Any = None,
) -> Trained:
    """Run Algorithm 1 for every seed.

    Args:
        model: the networked MDP.
        utility: f_i per agent.
        settings: the algorithm's settings; kappa at the diameter is full information.
        seeds: whole numbers >= 0; a seed's result does not depend on the others.
        iterations: number T >= 1 of gradient steps.
        gradient_source: "sampled" (Algorithm 1), "exact", "exact_truncated", or a function (model, policy, utility,
            settings) -> `GradientEstimate`.
        evaluate: called with a policy, returns numbers by name; before training, every `evaluate_every` iterations
            and at the end, for every seed.
        start: (n, K, A) or (seeds, n, K, A) first logits; by default from `settings.initial_scale`.
        run: offers `log(step, **numbers)`, `checkpoint(step, make_state)`, `progress(fraction)` and `restore()`.

    Raises:
        BadInput: sizes that disagree, kappa beyond the diameter, a utility without a gradient, no seeds or iterations.
    """
    for name, count in (("iterations", iterations), ("evaluate_every", evaluate_every)):
        if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
            raise BadInput(f"{name} must be a whole number >= 1, got {count!r}")
    loop = _Loop(model, utility, settings, seeds, int(iterations), source(gradient_source), start)
    saved = run.restore() if run is not None else None
    if saved is not None:
        loop.restore(saved)
    while loop.done < iterations:
        if loop.done == 0 and evaluate is not None:
            loop.judge(evaluate)
        loop.advance()
        told = loop.done % evaluate_every == 0 or loop.done == iterations
        if told and evaluate is not None:
            loop.judge(evaluate)
        if run is not None:
            if told:
                run.log(loop.done, **loop.latest())
            run.progress(loop.done / iterations)
            run.checkpoint(loop.done, loop.state)
    return loop.result()


class _Loop:
    """The state of one training run between iterations."""

    def __init__(self, model, utility, settings, seeds, iterations, exact: Source | None, start) -> None:
        if len(seeds) == 0:
            raise BadInput("train needs at least one seed, got none")
        self.model, self.utility, self.settings, self.seeds, self.exact = model, utility, settings, seeds, exact
        self.seen = seen_agents(model, settings.policy_radius)
        self.logits = _first_logits(settings, seeds, logits_shape(model, self.seen), start)
        check_fit(model, self._policy(self.logits[0]), utility)
        radius(model, settings)
        self.within = reach(model, settings) if exact is None else None
        self.steps = [Steps.first(settings, self.logits[0].shape) for _ in seeds]
        self.memory = np.zeros((len(seeds), model.agents, model.states, model.actions))
        self.rows = {name: np.full((len(seeds), iterations), np.nan) for name in ROWS}
        self.costs = np.zeros((2, iterations), np.int64)  # samples and bytes of one seed
        self.entries = np.zeros(model.agents)
        self.evaluated_at: list[int] = []
        self.evaluated: dict[str, list[list[float]]] = {}
        self.done = 0

    def _policy(self, logits: np.ndarray) -> LocalPolicy:
        return softmax_policy(logits, self.seen, self.settings.exploration)

    def advance(self) -> None:
        """One iteration of every seed."""
        for place, seed in enumerate(self.seeds):
            self._advance_seed(place, seed)
        self.done += 1

    def _advance_seed(self, place: int, seed: int) -> None:
        logits, steps = self.logits[place], self.steps[place]
        lanes = keys("Algorithm 1 trajectories", seed, self.done, count=self.settings.batch)
        found = self._estimate(logits, lanes, place)
        estimates = [found]
        if steps.needs_old(self.done):
            estimates.append(self._estimate(steps.logits, lanes, place, self._remembered(place)))
        gradients = [estimate.gradient for estimate in estimates]
        self.logits[place] = steps.advance(self.settings, self.done, logits, *gradients)
        self.memory[place] = found.occupancy.values
        self.rows["objective"][place, self.done] = self.utility.value(found.occupancy.values).mean()
        self.rows["gradient_norm2"][place, self.done] = (found.gradient**2).sum()
        self.rows["largest_reward"][place, self.done] = np.abs(found.shadow_reward).max()
        self.costs[0, self.done] = sum(estimate.samples for estimate in estimates)
        self.costs[1, self.done] = sum(estimate.bytes_exchanged for estimate in estimates)
        self.entries = found.table_entries

    def _estimate(self, logits, lanes, place: int, occupancy=None) -> GradientEstimate:
        policy = self._policy(logits)
        if self.exact is not None:
            return self.exact(self.model, policy, self.utility, self.settings)
        remembered = self._remembered(place)
        if occupancy is None and self.done % self.settings.occupancy_every:
            occupancy = remembered
        sizes = (self.model, policy, self.utility, self.settings, lanes)
        return estimate_gradient(*sizes, occupancy=occupancy, earlier=remembered, within=self.within)

    def _remembered(self, place: int) -> NormalisedOccupancy | None:
        """Occupancy that the previous iteration took its shadow reward at."""
        return NormalisedOccupancy(self.memory[place], self.settings.discount) if self.done else None

    def judge(self, evaluate: Judge) -> None:
        """Evaluate every seed's policy."""
        found = [evaluate(self._policy(logits)) for logits in self.logits]
        for name in found[0]:
            self.evaluated.setdefault(f"evaluated_{name}", []).append([float(numbers[name]) for numbers in found])
        self.evaluated_at.append(self.done)

    def latest(self) -> dict[str, float]:
        """Mean over seeds of each curve's last number."""
        last = {name: float(row[:, self.done - 1].mean()) for name, row in self.rows.items()}
        return last | {name: float(np.mean(row[-1])) for name, row in self.evaluated.items()}

    def result(self) -> Trained:
        samples, exchanged = np.cumsum(self.costs, axis=1)
        curves = dict(self.rows) | {name: np.array(row).T for name, row in self.evaluated.items()}
        curves |= {"_samples": samples, "_bytes": exchanged, "_table_entries": self.entries}
        curves["_evaluated_at"] = np.array(self.evaluated_at, dtype=np.int64)
        return Trained(self.logits.copy(), self.seen, self.settings.exploration, curves)

    def state(self) -> dict:
        return {
            "done": self.done,
            "logits": self.logits,
            "steps": [steps.state() for steps in self.steps],
            "memory": self.memory,
            "rows": self.rows,
            "costs": self.costs,
            "entries": self.entries,
            "evaluated_at": list(self.evaluated_at),
            "evaluated": {name: np.array(row) for name, row in self.evaluated.items()},
        }

    def restore(self, saved: dict) -> None:
        self.done = int(saved["done"])
        self.logits, self.memory, self.entries = (np.array(saved[name]) for name in ("logits", "memory", "entries"))
        self.costs, self.rows = np.array(saved["costs"]), {name: np.array(row) for name, row in saved["rows"].items()}
        self.steps = [Steps(**{name: np.array(part) for name, part in steps.items()}) for steps in saved["steps"]]
        self.evaluated_at = [int(at) for at in saved["evaluated_at"]]
        self.evaluated = {name: [list(row) for row in rows] for name, rows in saved["evaluated"].items()}


ROWS = ("objective", "gradient_norm2", "largest_reward")


def _first_logits(settings, seeds, shape, start) -> np.ndarray:
    if start is not None:
        start = np.asarray(start, float)
        if start.shape not in (shape, (len(seeds), *shape)):
            raise BadInput(f"start must have shape {shape} or {(len(seeds), *shape)}, got {start.shape}")
        return np.array(np.broadcast_to(start, (len(seeds), *shape)))
    draws = [stream("first logits", seed).normal(size=shape) for seed in seeds]
    return settings.initial_scale * np.array(draws)
