"""Slow and obvious statistics: loops and textbook formulas, nothing shared with `replication.stats`."""

import math

import numpy as np


def interquartile_mean(values):
    """Sort, cut floor(n/4) values at either end, average what is left."""
    ordered = sorted(float(v) for v in values)
    cut = len(ordered) // 4
    middle = ordered[cut : len(ordered) - cut]
    return sum(middle) / len(middle)


def percentile_interval(values, statistic, generator, resamples=4000):
    """Percentile bootstrap, one resample at a time."""
    values = list(values)
    found = []
    for _ in range(resamples):
        found.append(statistic([values[i] for i in generator.integers(0, len(values), len(values))]))
    return float(np.quantile(found, 0.025)), float(np.quantile(found, 0.975))


def stratified_percentile_interval(tasks, statistic, generator, resamples=2000):
    """Every task resampled on its own, then the statistic of everything pooled."""
    found = []
    for _ in range(resamples):
        pooled = []
        for runs in tasks:
            pooled += [runs[i] for i in generator.integers(0, len(runs), len(runs))]
        found.append(statistic(pooled))
    return float(np.quantile(found, 0.025)), float(np.quantile(found, 0.975))


def crossed_difference_interval(a, b, generator, resamples=2000):
    """Difference of mean scores (seed, day): seeds of A, seeds of B and the common days all redrawn."""
    found = []
    for _ in range(resamples):
        days = generator.integers(0, a.shape[1], a.shape[1])
        first = [a[i, j] for i in generator.integers(0, len(a), len(a)) for j in days]
        second = [b[i, j] for i in generator.integers(0, len(b), len(b)) for j in days]
        found.append(sum(first) / len(first) - sum(second) / len(second))
    return float(np.quantile(found, 0.025)), float(np.quantile(found, 0.975))


def log_log_slope(x, y):
    """Least-squares slope of log y on log x for one seed."""
    return float(np.polyfit([math.log(v) for v in x], [math.log(v) for v in y], 1)[0])
