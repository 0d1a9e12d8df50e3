"""Comparisons of two arms, each named for its direction: the result speaks of A relative to B.

"No difference" is an equivalence test with a margin, never a large p-value.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from replication.settings import BadInput, choose
from replication.stats.intervals import LEVEL, STATISTICS, Array, Estimate, finite, interval, resample

CROSSED_RESAMPLES = 4_000


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests: is the difference of means inside (-margin, margin)?"""

    difference: float
    low: float  # 90 % interval: inside the margin exactly when p_value < 0.05
    high: float
    margin: float
    p_value: float
    equivalent: bool
    n: int


def probability_a_exceeds_b(a: Array, b: Array, *, rng: np.random.Generator, level: float = LEVEL) -> Estimate:
    """P(A > B) + P(A = B) / 2 for one run of each arm, with its stratified bootstrap interval.

    Args:
        a: (n,) scores, or (n, tasks) to average the probability over tasks.
        b: (m,) or (m, tasks).
        rng: generator of the resamples.

    Source: 2108.13264 (Agarwal et al. 2021), section 4.3 (Mann-Whitney U over n m).
    """
    a, b = (column[:, None] if column.ndim == 1 else column for column in (np.asarray(a, float), np.asarray(b, float)))
    if a.shape[1] != b.shape[1]:
        raise BadInput(f"arms have {a.shape[1]} and {b.shape[1]} tasks; compare the same tasks")
    tasks = a.shape[1]
    samples = tuple(finite(column) for column in (*a.T, *b.T))

    def probability(*drawn: Array, axis: int = -1) -> Array:
        parts = [_exceeds(drawn[k], drawn[tasks + k]) for k in range(tasks)]
        return np.mean(parts, axis=0)

    low, high = resample(samples, probability, rng=rng, level=level, method="percentile", resamples=2_000)
    n = min(len(a), len(b))
    return Estimate(float(probability(*samples)), low, high, n, f"n = {len(a)} against {len(b)}")


def _exceeds(a: Array, b: Array) -> Array:
    difference = a[..., :, None] - b[..., None, :]
    return ((difference > 0) + 0.5 * (difference == 0)).mean(axis=(-2, -1))


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


def equivalence(a: Array, b: Array, *, margin: float, paired: bool = False) -> Equivalence:
    """TOST: the means of A and B differ by less than `margin`, at 5 % (Welch, or paired t).

    Raises:
        BadInput: margin not positive, fewer than two values, or unequal lengths when paired.
    """
    a, b = finite(a), finite(b)
    if not margin > 0:
        raise BadInput(f"an equivalence margin must be > 0, got {margin}")
    if min(len(a), len(b)) < 2 or (paired and len(a) != len(b)):
        raise BadInput(f"equivalence needs two values per arm (equal numbers if paired), got {len(a)} and {len(b)}")
    difference = float(a.mean() - b.mean())
    error, freedom = _standard_error(a - b) if paired else _standard_error(a, b)
    if error == 0.0:
        equivalent = abs(difference) < margin
        return Equivalence(difference, difference, difference, margin, 0.0 if equivalent else 1.0, equivalent, len(a))
    p_value = float(
        max(stats.t.sf((difference + margin) / error, freedom), stats.t.cdf((difference - margin) / error, freedom))
    )
    reach = float(stats.t.ppf(0.95, freedom) * error)
    n = min(len(a), len(b))
    return Equivalence(difference, difference - reach, difference + reach, margin, p_value, p_value < 0.05, n)


def _standard_error(*samples: Array) -> tuple[float, float]:
    """Standard error of a mean or of a difference of means, and its (Welch) degrees of freedom."""
    parts = [sample.var(ddof=1) / len(sample) for sample in samples]
    total = sum(parts)
    weight = sum(part**2 / (len(sample) - 1) for part, sample in zip(parts, samples, strict=True))
    return float(np.sqrt(total)), float(total**2 / weight) if weight else 1.0
