"""One rule of a claim against the score table: an estimate with its interval, and on which side it lies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pandas

from replication.seeding import stream
from replication.settings import digest
from replication.stats.claims import AnyRule, Claim, Order, Slope, decisive
from replication.stats.comparisons import a_minus_b, a_minus_b_by_day, by_day, paired_a_minus_b
from replication.stats.intervals import Array, Estimate, interval, slope_interval
from replication.stats.scores import find

PREVIEW_SEEDS = 2  # a preview needs something to resample; a verdict needs the claim's min_seeds
Curves = Mapping[tuple[str, str], Mapping[str, Array]]


@dataclass(frozen=True)
class Outcome:
    """What one rule came to: holds, contradicted, undecided, too few or no data."""

    state: str
    estimate: Estimate | None = None
    note: str = ""
    keys: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Arm:
    """Scores of one arm, (S,) by ascending seed; (S, D) with a per-day curve."""

    name: str
    seeds: tuple[int, ...]
    values: Array
    fixed: bool  # deterministic: nothing to resample over seeds

    def only(self, seeds: Sequence[int]) -> "Arm":
        rows = [self.seeds.index(seed) for seed in seeds]
        return replace(self, seeds=tuple(seeds), values=self.values[rows])


class _Undecidable(Exception):
    """Raised with an outcome when the data do not allow an estimate."""

    def __init__(self, state: str, note: str) -> None:
        super().__init__(note)
        self.outcome = Outcome(state, None, note)


def judge(
    rule: AnyRule, claim: Claim, table: pandas.DataFrame, *, preview: bool = False, curves: Curves | None = None
) -> Outcome:
    """Judge one rule of a claim; the resampling stream depends on the claim and the rule only."""
    rng = stream(f"verdict {claim.id} {digest(decisive(rule))}")
    keys: set[str] = set()
    try:
        if isinstance(rule, Slope):
            estimate = _slope(rule, claim, table, preview, rng, keys)
        else:
            arms = [_arm(name, rule, claim, table, curves or {}, keys) for name in rule.arms()]
            estimate = _estimate(rule, claim, arms, preview, rng)
    except _Undecidable as reason:
        return replace(reason.outcome, keys=frozenset(keys))
    return Outcome(_side(rule, estimate), estimate, keys=frozenset(keys))


def _arm(name: str, rule: Any, claim: Claim, table: pandas.DataFrame, curves: Curves, keys: set[str]) -> Arm:
    experiment, _, label = name.partition("/")
    rows = find(table, experiment, label, rule.metric)
    if rows.empty:
        raise _Undecidable("no data", f"no {rule.metric} of {name}")
    keys.update(map(str, rows["key"]))
    seeds, values = tuple(int(seed) for seed in rows["seed"]), rows["value"].to_numpy(float)
    if rule.curve:
        stored = curves.get((experiment, label), {}).get(rule.curve)
        if stored is None:
            raise _Undecidable("no data", f"no curve {rule.curve} of {name}")
        values = np.atleast_2d(np.asarray(stored, dtype=float))
        if len(values) != len(seeds):
            raise _Undecidable("undecided", f"{name}: curve {rule.curve} has {len(values)} seeds, scores {len(seeds)}")
    if not np.isfinite(values).all():
        raise _Undecidable("undecided", f"{name} has values that are not finite")
    fixed = any(fnmatchcase(name, pattern) for pattern in claim.deterministic) and bool((values == values[0]).all())
    return Arm(name, seeds[:1], values[:1], True) if fixed else Arm(name, seeds, values, False)


def _estimate(rule: Any, claim: Claim, arms: list[Arm], preview: bool, rng: np.random.Generator) -> Estimate:
    if getattr(rule, "paired", False) and not any(arm.fixed for arm in arms):
        common = sorted(set(arms[0].seeds) & set(arms[1].seeds))
        arms = [arm.only(common) for arm in arms]
    for arm in arms:
        _enough(arm.name, 0 if arm.fixed else len(arm.seeds), claim, preview, arm.fixed)
    if len(arms) == 1:
        return _of_one(rule, arms[0], rng)
    first, second = arms
    if isinstance(rule, Order):
        first, second = second, replace(first, values=rule.factor * first.values)
    return _of_two(rule, first, second, rng)


def _enough(name: str, seeds: int, claim: Claim, preview: bool, fixed: bool) -> None:
    needed = min(claim.min_seeds, PREVIEW_SEEDS) if preview else claim.min_seeds
    if not fixed and seeds < needed:
        hint = "; if it is scripted, list it under deterministic" if seeds == 1 else ""
        raise _Undecidable("too few", f"{name} has {seeds} of {needed} seeds{hint}")


def _of_one(rule: Any, arm: Arm, rng: np.random.Generator) -> Estimate:
    if rule.curve:
        return by_day(arm.values, rng=rng, statistic=rule.aggregator)
    if arm.fixed:
        return _deterministic(float(arm.values[0]))
    return _closed(interval(arm.values, rng=rng, statistic=rule.aggregator))


def _of_two(rule: Any, first: Arm, second: Arm, rng: np.random.Generator) -> Estimate:
    """first - second."""
    paired = rule.paired and not (first.fixed or second.fixed)
    if rule.curve:
        if first.values.shape[1] != second.values.shape[1]:
            days = f"{first.values.shape[1]} and {second.values.shape[1]}"
            raise _Undecidable("undecided", f"{first.name} and {second.name} have {days} days in {rule.curve}")
        return a_minus_b_by_day(first.values, second.values, rng=rng, paired_seeds=paired, statistic=rule.aggregator)
    if first.fixed and second.fixed:
        return _deterministic(float(first.values[0] - second.values[0]))
    compare = paired_a_minus_b if paired else a_minus_b
    estimate = compare(first.values, second.values, rng=rng, statistic=rule.aggregator)
    if first.fixed or second.fixed:
        seeds = max(len(first.values), len(second.values))
        estimate = replace(estimate, n=seeds, sample=f"n = {seeds} against a deterministic run")
    return _closed(estimate)


def _slope(
    rule: Slope, claim: Claim, table: pandas.DataFrame, preview: bool, rng: np.random.Generator, keys: set[str]
) -> Estimate:
    experiment, _, pattern = rule.of.partition("/")
    rows = table[(table["experiment"] == experiment) & (table["metric"] == rule.metric)]
    rows = rows[[fnmatchcase(str(arm), pattern or "*") for arm in rows["arm"]]]
    if rows.empty:
        raise _Undecidable("no data", f"no {rule.metric} of {rule.of}")
    keys.update(map(str, rows["key"]))
    if rule.x not in rows.columns:
        raise _Undecidable("undecided", f"the score table has no column {rule.x}")
    x_of_arm = rows.groupby("arm")[rule.x].first()
    x = pandas.to_numeric(x_of_arm, errors="coerce").to_numpy(float)
    if not (x > 0).all() or not 2 <= len(x) == len(set(x)):
        raise _Undecidable("undecided", f"{rule.x} must be a different number > 0 in each of >= 2 arms; narrow `of`")
    if not (np.isfinite(rows["value"]).all() and (rows["value"] > 0).all()):
        raise _Undecidable("undecided", f"{rule.metric} is not positive everywhere; a log-log slope needs that")
    wide = rows.pivot(index="seed", columns="arm", values="value")[list(x_of_arm.index)].dropna()
    fixed = len(wide) == 1 and all(
        any(fnmatchcase(f"{experiment}/{arm}", given) for given in claim.deterministic) for arm in wide.columns
    )
    _enough(rule.of, len(wide), claim, preview, fixed)
    estimate = slope_interval(x, wide.to_numpy(float), rng=rng, statistic=rule.aggregator)
    return _deterministic(estimate.value) if fixed else _closed(estimate)


def _deterministic(value: float) -> Estimate:
    return Estimate(value, value, value, 1, "deterministic")


def _closed(estimate: Estimate) -> Estimate:
    """An estimate without interval (one seed) spans everything: it can decide nothing."""
    if np.isfinite(estimate.low) and np.isfinite(estimate.high):
        return estimate
    return replace(estimate, low=float("-inf"), high=float("inf"))


def _side(rule: Any, estimate: Estimate) -> str:
    """Where the interval lies relative to the claimed region (open for an order: a tie is no order)."""
    low, high = rule.region()
    strict = isinstance(rule, Order)
    if (estimate.low > low if strict else estimate.low >= low) and estimate.high <= high:
        return "holds"
    slack = getattr(rule, "slack", 0.0)
    if estimate.high < low - slack or estimate.low > high + slack:
        return "contradicted"
    return "undecided"
