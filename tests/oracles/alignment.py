"""Slow twins of the alignment terms: plain loops and exact solvers on a handful of points."""

import itertools
import math

from scipy.optimize import linprog


def transport_cost(p, q, metric):
    """W_1 between choices by its linear programme. Source: Kantorovich (1942)."""
    n = len(p)
    cost = [metric[i][j] for i in range(n) for j in range(n)]
    rows = [[1.0 if k // n == i else 0.0 for k in range(n * n)] for i in range(n)]
    columns = [[1.0 if k % n == j else 0.0 for k in range(n * n)] for j in range(n - 1)]
    return linprog(cost, A_eq=rows + columns, b_eq=[*p, *q[:-1]], method="highs").fun


def jeffreys(p, q):
    """KL(p|q) + KL(q|p)."""
    return sum(a * math.log(a / b) + b * math.log(b / a) for a, b in zip(p, q, strict=True))


def total_variation(p, q):
    """Half the L1 distance."""
    return sum(abs(a - b) for a, b in zip(p, q, strict=True)) / 2


def mean_over_ordered_pairs(own, partner, distance):
    """Mean over observations and ordered pairs of different agents; own, partner: (B, A, U)."""
    total, count = 0.0, 0
    for mine, theirs in zip(own, partner, strict=True):
        for i, j in itertools.permutations(range(len(mine)), 2):
            total += distance(mine[i], theirs[j])
            count += 1
    return total / count


def gaussian_w2(mean, log_std, other, other_log_std):
    """W_2 squared of diagonal Gaussians. Source: Dowson and Landau (1982)."""
    spread = sum((math.exp(a) - math.exp(b)) ** 2 for a, b in zip(log_std, other_log_std, strict=True))
    return spread + sum((a - b) ** 2 for a, b in zip(mean, other, strict=True))


def gaussian_jeffreys(mean, log_std, other, other_log_std):
    """KL both ways of diagonal Gaussians."""
    total = 0.0
    for a, s, b, t in zip(mean, log_std, other, other_log_std, strict=True):
        v, w = math.exp(2 * s), math.exp(2 * t)
        total += (v + (a - b) ** 2) / (2 * w) + (w + (a - b) ** 2) / (2 * v) - 1
    return total


def radon_cost(samples, lines):
    """Mean over lines of the sum over agents of W_2^2 to the line's barycenter; samples (A, m, d), lines (d, L).

    Source: Bonneel et al. (2015); on a line quantiles are matched in order.
    """
    total = 0.0
    for line in range(len(lines[0])):
        placed = [
            sorted(sum(x * lines[k][line] for k, x in enumerate(point)) for point in points) for points in samples
        ]
        for rank in range(len(placed[0])):
            places = [one[rank] for one in placed]
            middle = sum(places) / len(places)
            total += sum((x - middle) ** 2 for x in places) / len(placed[0])
    return total / len(lines[0])
