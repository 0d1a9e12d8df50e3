"""Slow twins of allocation: a linear programme with every limit written out, fairness as printed."""

import numpy as np
from scipy.optimize import linprog


def cheapest(cost, supply, demand):
    """Least cost of moving as many units as the scarcer side has."""
    n, m = cost.shape
    rows = [np.outer(np.eye(n)[i], np.ones(m)).ravel() for i in range(n)]
    columns = [np.outer(np.ones(n), np.eye(m)[j]).ravel() for j in range(m)]
    solved = linprog(
        cost.ravel(), A_ub=np.array(rows + columns), b_ub=np.concatenate([supply, demand]),
        A_eq=np.ones((1, n * m)), b_eq=[min(sum(supply), sum(demand))], method="highs",
    )  # fmt: skip
    return solved.fun


def jain(shares):
    return sum(shares) ** 2 / (len(shares) * sum(x**2 for x in shares))


def aligned(objective, values, beta, smoothing):
    """Team utility less beta times the mean over pairs of W_1 between state marginals, for one F."""
    n = len(values)
    marginals = [occupancy.sum(axis=1) for occupancy in values]
    total = 0.0
    for i in range(n):
        for j in range(i):
            ahead = np.cumsum(marginals[i] - marginals[j])[:-1]
            total += np.sum(np.sqrt(ahead**2 + smoothing**2) - smoothing)
    return np.mean(objective.value(values)) - beta * total / (n * (n - 1) / 2)


def jeffreys(objective, values, beta, smoothing):
    """The same with KL(p|q) + KL(q|p) of the smoothed marginals."""
    n = len(values)
    marginals = [occupancy.sum(axis=1) + smoothing for occupancy in values]
    total = 0.0
    for i in range(n):
        for j in range(i):
            p, q = marginals[i], marginals[j]
            total += np.sum(p * np.log(p / q)) + np.sum(q * np.log(q / p))
    return np.mean(objective.value(values)) - beta * total / (n * (n - 1) / 2)
