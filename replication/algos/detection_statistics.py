"""Statistics of samples for change detection: transport and its competitors.

Each compares one reference with many windows. On features: sliced and exact Wasserstein, Gaussian fits under W_2 and
under Kullback-Leibler, maximum mean discrepancy. On choices of the five moves: total variation, Kullback-Leibler, W_1
with a metric of the moves.
"""

from functools import lru_cache

import numpy as np
from scipy.optimize import linear_sum_assignment

from replication.algos.detection import Statistic
from replication.algos.transport_closed_forms import diagonal_gaussian_squared, directions, staircase, total_variation
from replication.algos.transport_plans import ground_cost
from replication.algos.transport_points import discrete_distance, extreme_potentials, move_metric
from replication.seeding import stream

CHOICES = 5
_POINTS = 48  # of the exact distance and of the kernel, whose time grows with the cube or the square
_LINES = 16
_LEAST_VARIANCE = 1e-6  # of a Gaussian fit whose feature does not vary
_PSEUDO_COUNT = 0.5  # per choice: the ratio of an unseen choice stays finite


def sliced(reference: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """(W,) SW_2 from the reference (n, d) to the windows (W, m, d)."""
    lines = directions(reference.shape[1], _LINES, 0)
    i, j, mass = staircase(len(reference), windows.shape[1])
    gaps = np.sort(reference @ lines, axis=0)[i] - np.sort(windows @ lines, axis=1)[:, j]
    return np.sqrt(np.einsum("k,wkp,wkp->w", mass, gaps, gaps, optimize=True) / _LINES)


def exact(reference: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """(W,) W_2 between at most 48 points of the reference and of each window (A-351)."""
    x, others = thinned(reference, windows)
    costs = [ground_cost(x, y, 2) for y in others]
    return np.sqrt([cost[linear_sum_assignment(cost)].mean() for cost in costs])


def gaussian(reference: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """(W,) W_2 of Gaussians with independent features fitted to the samples."""
    own = reference.mean(axis=0), reference.std(axis=0)
    return np.sqrt(diagonal_gaussian_squared(*own, windows.mean(axis=1), windows.std(axis=1)))


def gaussian_divergence(reference: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """(W,) symmetric Kullback-Leibler divergences of Gaussians with independent features fitted to the samples."""
    first = np.maximum(reference.var(axis=0), _LEAST_VARIANCE)
    second = np.maximum(windows.var(axis=1), _LEAST_VARIANCE)
    gap = np.square(reference.mean(axis=0) - windows.mean(axis=1))
    return (0.5 * ((first + gap) / second + (second + gap) / first) - 1.0).sum(axis=1)


def mean_discrepancy(reference: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """(W,) squared maximum mean discrepancies of at most 48 points of each, Gaussian kernel, unbiased.

    The kernel is exp(-d^2 / median d^2) with the median over the reference's points (A-351).

    Source: Gretton et al. (2012), "A kernel two-sample test", equation 3.
    """
    x, others = thinned(reference, windows)
    n = len(x)
    within = ground_cost(x, x, 2)
    apart = within[np.triu_indices(n, 1)]
    scale = float(np.median(apart)) or 1.0
    own = _mean_of_pairs(np.exp(-within / scale))
    theirs = np.array([_mean_of_pairs(np.exp(-ground_cost(y, y, 2) / scale)) for y in others])
    cross = np.array([np.exp(-ground_cost(x, y, 2) / scale).mean() for y in others])
    return own + theirs - 2.0 * cross


def _mean_of_pairs(kernel: np.ndarray) -> float:
    n = len(kernel)
    return float((kernel.sum() - np.trace(kernel)) / (n * (n - 1)))


def mean_shift(reference: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """(W,) distance between the means of (n, d) and (W, m, d), for instance of returns: what a plain average sees."""
    return np.linalg.norm(windows.mean(axis=1) - reference.mean(axis=0), axis=1)


def choice_variation(reference: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """(W,) total variation between the shares of the moves in (n,) and (W, m) choices."""
    return total_variation(shares(reference), shares(windows))


def choice_divergence(reference: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """(W,) symmetric Kullback-Leibler divergences of the shares of the moves, half a count added to each (A-351)."""
    p, q = (
        (shares(z) * z.shape[-1] + _PSEUDO_COUNT) / (z.shape[-1] + CHOICES * _PSEUDO_COUNT)
        for z in (reference, windows)
    )
    return ((p - q) * np.log(p / q)).sum(axis=-1)


def choice_distance(reference: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """(W,) W_1 between the shares of the moves, moves as far apart as their forces."""
    return discrete_distance(shares(reference), shares(windows), _move_potentials())


def shares(choices: np.ndarray) -> np.ndarray:
    """(..., 5) share of every move among choices (..., m)."""
    return (choices[..., None] == np.arange(CHOICES)).mean(axis=-2)


def thinned(reference: np.ndarray, windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Equally many points of both, at most 48, at random places that are the same in every call of equal sizes."""
    count = min(len(reference), windows.shape[1], _POINTS)
    return reference[_places(len(reference), count)], windows[:, _places(windows.shape[1], count)]


@lru_cache(maxsize=64)
def _places(size: int, count: int) -> np.ndarray:
    return np.sort(stream("thinned samples", size).choice(size, count, replace=False))


@lru_cache(maxsize=1)
def _move_potentials() -> np.ndarray:
    return extreme_potentials(move_metric("euclidean"))


FEATURE_STATISTICS: dict[str, Statistic] = {
    "sliced": sliced,
    "exact": exact,
    "gaussian": gaussian,
    "gaussian_divergence": gaussian_divergence,
    "mean_discrepancy": mean_discrepancy,
}
CHOICE_STATISTICS: dict[str, Statistic] = {
    "choice_variation": choice_variation,
    "choice_divergence": choice_divergence,
    "choice_distance": choice_distance,
}
