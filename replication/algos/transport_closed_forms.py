"""Optimal transport where a formula or a sort is exact: on lines, between Gaussians, between choices.

Sources are named per function. All samples are equally weighted here.
"""

import numpy as np

from replication.seeding import stream


def staircase(n: int, m: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Monotone coupling of n and m equally weighted points in sorted order: (source, target, mass) of its pieces.

    Source: Villani, "Topics in Optimal Transportation", theorem 2.18: on a line it is optimal for every convex cost.
    Boundaries are compared as whole numbers (k m and l n), so equal ones are found exactly.
    """
    ends = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)
    mass = np.diff(ends, prepend=0) / (n * m)
    return (ends - 1) // m, (ends - 1) // n, mass


def line_cost(x: np.ndarray, y: np.ndarray, power: int) -> np.ndarray:
    """W_p^p on every line.

    Args:
        x, y: (n, P), (m, P) positions along P lines, in any order.

    Returns:
        (P,) costs of moving one onto the other.
    """
    i, j, mass = staircase(len(x), len(y))
    gaps = np.abs(np.sort(x, axis=0)[i] - np.sort(y, axis=0)[j])
    return mass @ gaps**power


def line_signals(x: np.ndarray, y: np.ndarray, power: int) -> tuple[np.ndarray, np.ndarray]:
    """Kantorovich potential and transport cost of every source point, on every line.

    Between two neighbours x_k, x_{k+1} the potential may rise by c(x_{k+1}, y) - c(x_k, y) for any y between the last
    point x_k sends to and the first one x_{k+1} does; the mean of the two ends is taken (A-313).

    Args:
        x, y: (n, P), (m, P) positions along P lines, in any order.

    Returns:
        (n, P) potentials f with mean 0, and (n, P) costs per unit of mass, in the order of `x`.
    """
    order = np.argsort(x, axis=0, kind="stable")
    found = sorted_signals(np.take_along_axis(x, order, axis=0), np.sort(y, axis=0), power)
    signals = np.empty_like(found[0]), np.empty_like(found[1])
    for signal, values in zip(signals, found, strict=True):
        np.put_along_axis(signal, order, values, axis=0)
    return signals


def sorted_signals(left: np.ndarray, right: np.ndarray, power: int) -> tuple[np.ndarray, np.ndarray]:
    """`line_signals` of points that are in order along the first axis."""
    i, j, mass = staircase(len(left), len(right))
    pieces = mass[:, None] * np.abs(left[i] - right[j]) ** power
    spent = np.add.reduceat(pieces, np.searchsorted(i, np.arange(len(left))), axis=0) * len(left)
    turn = np.flatnonzero(np.diff(i))  # the last piece of every point but the last one
    rise = sum(
        np.abs(left[1:] - right[end]) ** power - np.abs(left[:-1] - right[end]) ** power
        for end in (j[turn], j[turn + 1])
    )
    potential = np.zeros_like(left)
    potential[1:] = np.cumsum(0.5 * rise, axis=0)
    return potential - potential.mean(axis=0), spent


def directions(features: int, count: int, seed: int) -> np.ndarray:
    """(features, count) unit vectors, uniform on the sphere."""
    draws = stream("transport projections", seed, features).standard_normal((features, count))
    return draws / np.linalg.norm(draws, axis=0)


def diagonal_gaussian_squared(mean: np.ndarray, std: np.ndarray, other_mean: np.ndarray, other_std: np.ndarray):
    """W_2^2 = |m - m'|^2 + |s - s'|^2 of Gaussians with independent features, along the last axis.

    Source: Dowson and Landau (1982) for commuting covariances.
    """
    return np.square(mean - other_mean).sum(axis=-1) + np.square(std - other_std).sum(axis=-1)


def total_variation(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """W_1 for the cost 0 on equal and 1 on different points: half the sum of |p - q| along the last axis."""
    return 0.5 * np.abs(p - q).sum(axis=-1)


def star_distance(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """W_1 on a star whose centre is point 0 and whose edges have length 1: sum of |p - q| over the other points."""
    return np.abs(p - q)[..., 1:].sum(axis=-1)
