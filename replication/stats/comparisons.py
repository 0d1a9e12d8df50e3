"""Comparisons of two arms, each named for its direction: the result speaks of A relative to B.

"No difference" is an interval inside a margin (see `replication.stats.judging`), never a large p-value.
"""

from collections.abc import Callable

import numpy as np

from replication.settings import BadInput, choose
from replication.stats.intervals import STATISTICS, Array, Estimate, finite, interval, resample

CROSSED_RESAMPLES = 4_000


def paired_a_minus_b(a: Array, b: Array, *, rng: np.random.Generator, statistic: str = "mean") -> Estimate:
    """Statistic of a_i - b_i over pairs (same seed or same day) with its interval over pairs."""
    a, b = finite(a), finite(b)
    if a.shape != b.shape:
        raise BadInput(f"paired arms need equal lengths, got {len(a)} and {len(b)}; match them by seed or day first")
    return interval(a - b, rng=rng, statistic=statistic)


def a_minus_b(a: Array, b: Array, *, rng: np.random.Generator, statistic: str = "mean") -> Estimate:
    """statistic(a) - statistic(b) of two independent samples; a sample of one value is held fixed."""
    a, b = finite(a), finite(b)
    function = STATISTICS[choose("statistic", statistic, STATISTICS)]

    def difference(first: Array, second: Array, axis: int = -1) -> Array:
        return function(first, axis=axis) - function(second, axis=axis)

    low, high = resample((a, b), difference, rng=rng)
    sample = f"n = {len(a)}" if len(a) == len(b) else f"n = {len(a)} against {len(b)}"
    return Estimate(float(difference(a, b)), low, high, min(len(a), len(b)), sample)


def by_day(values: Array, *, rng: np.random.Generator, statistic: str = "mean") -> Estimate:
    """Statistic over seeds of each seed's mean over days, (S, D); seeds and days are both resampled."""
    values = _seeds_by_days(values)
    function = STATISTICS[choose("statistic", statistic, STATISTICS)]
    seeds, days = values.shape
    return _crossed(lambda i, j: function(values[np.ix_(i, j)].mean(axis=1)), (seeds, days), seeds, days, rng)


def a_minus_b_by_day(
    a: Array, b: Array, *, rng: np.random.Generator, paired_seeds: bool = False, statistic: str = "mean"
) -> Estimate:
    """A - B from per-day scores (S, D) of the same D days: days are paired, seeds only if asked.

    Seeds and days are resampled independently of each other (crossed, so the interval speaks of new seeds
    and new days); an arm with one row (a scripted controller) is held fixed over seeds.
    """
    a, b = _seeds_by_days(a), _seeds_by_days(b)
    if a.shape[1] != b.shape[1]:
        raise BadInput(f"arms have {a.shape[1]} and {b.shape[1]} days; compare the same days")
    function = STATISTICS[choose("statistic", statistic, STATISTICS)]
    days, seeds = a.shape[1], max(len(a), len(b))
    if paired_seeds and len(a) == len(b):
        d = a - b
        return _crossed(lambda i, j: function(d[np.ix_(i, j)].mean(axis=1)), (len(d), days), seeds, days, rng)

    def difference(i: Array, k: Array, j: Array) -> float:
        return float(function(a[np.ix_(i, j)].mean(axis=1)) - function(b[np.ix_(k, j)].mean(axis=1)))

    return _crossed(difference, (len(a), len(b), days), seeds, days, rng)


def _crossed(score: Callable, sizes: tuple[int, ...], seeds: int, days: int, rng: np.random.Generator) -> Estimate:
    """Bootstrap over several index axes at once, each drawn on its own."""
    axes = tuple(np.arange(size) for size in sizes)

    def statistic(*drawn: Array, axis: int = -1) -> Array:
        lead = drawn[0].shape[:-1]
        rows = [part.reshape(-1, part.shape[-1]) for part in drawn]
        return np.array([score(*index) for index in zip(*rows, strict=True)]).reshape(lead)

    low, high = resample(axes, statistic, rng=rng, method="percentile", resamples=CROSSED_RESAMPLES)
    sample = f"n = {days} days" if seeds == 1 else f"n = {seeds} seeds x {days} days"
    return Estimate(float(score(*axes)), low, high, seeds if seeds > 1 else days, sample)


def _seeds_by_days(values: Array) -> Array:
    values = np.atleast_2d(np.asarray(values, dtype=float))
    finite(values)
    return values
