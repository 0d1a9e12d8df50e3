"""Slow twins of gossip: loops over agents and neighbours, matchings over all permutations."""

import itertools

import numpy as np


def weights(graph):
    n = len(graph)
    degree = [sum(bool(x) for x in row) for row in graph]
    table = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            if graph[i][j]:
                table[i, j] = 1.0 / (1.0 + max(degree[i], degree[j]))
        table[i, i] = 1.0 - table[i].sum()
    return table


def averaging_round(values, graph):
    table = weights(graph)
    return np.array([sum(table[i, j] * values[j] for j in range(len(values))) for i in range(len(values))])


def match(rows, others):
    """Order of `others` with the least sum of squared distances to `rows`."""
    n = len(rows)
    return min(
        itertools.permutations(range(n)),
        key=lambda order: sum(np.sum((rows[k] - others[order[k]]) ** 2) for k in range(n)),
    )


def consensus_round(samples, graph):
    """Every point moves to the weighted mean of its partners."""
    table, moved = weights(graph), np.zeros_like(samples)
    for i in range(len(samples)):
        for j in range(len(samples)):
            if table[i, j] == 0.0:
                continue
            order = range(len(samples[j])) if i == j else match(samples[i], samples[j])
            for k, partner in enumerate(order):
                moved[i, k] += table[i, j] * samples[j][partner]
    return moved
