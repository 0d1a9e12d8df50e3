"""Slow twins of change detection: one window, one pair, one exchange at a time."""

import itertools

import numpy as np


def window_statistics(streams, reference, window, of_two):
    """of_two takes the reference's steps and a window's steps."""
    rows = []
    for one in streams:
        row = []
        for last in range(reference + window - 1, len(one)):
            first = [step for episode in one[:reference] for step in episode]
            later = [step for episode in one[last - window + 1 : last + 1] for step in episode]
            row.append(of_two(np.array(first), np.array(later)))
        rows.append(row)
    return np.array(rows)


def cumulative_sum(scores, reference, slack, both):
    start = scores[:reference]
    mean, deviation = np.mean(start), np.std(start, ddof=1)
    down = up = 0.0
    found = []
    for score in scores[reference:]:
        z = (mean - score) / deviation
        down, up = max(0.0, down + z - slack), max(0.0, up - z - slack)
        found.append(max(down, up) if both else down)
    return found


def area(quiet, changed):
    wins = [1.0 if c > q else 0.5 if c == q else 0.0 for c, q in itertools.product(changed, quiet)]
    return sum(wins) / len(wins)


def rates(quiet, changed, threshold):
    """Share of quiet and of changed values above the threshold."""
    return np.mean(np.array(quiet) > threshold), np.mean(np.array(changed) > threshold)


def line_distance(x, y):
    """W_1 of two samples on a line, by equal units."""
    left, right = np.sort(np.repeat(x, len(y))), np.sort(np.repeat(y, len(x)))
    return np.mean(np.abs(left - right))


def sliced(x, y, lines):
    squares = []
    for line in lines.T:
        left, right = np.sort(np.repeat(x @ line, len(y))), np.sort(np.repeat(y @ line, len(x)))
        squares.append(np.mean((left - right) ** 2))
    return np.sqrt(np.mean(squares))


def permutation_value(reference, window, orders):
    """1 - p for given exchanges of the episodes' embeddings."""
    both = np.concatenate([reference, window])

    def apart(order):
        x, y = both[order][: len(reference)], both[order][len(reference) :]
        return np.mean([line_distance(x[:, k], y[:, k]) for k in range(both.shape[1])])

    given = apart(np.arange(len(both)))
    values = [given] + [apart(order) for order in orders]
    return 1.0 - np.mean([value >= given * (1 - 1e-12) for value in values])


def mean_discrepancy(x, y, scale):
    """Unbiased squared discrepancy with the kernel exp(-d^2 / scale), pair by pair."""

    def kernel(a, b):
        return np.exp(-np.sum((a - b) ** 2) / scale)

    def within(z):
        return np.mean([kernel(z[i], z[j]) for i in range(len(z)) for j in range(len(z)) if i != j])

    return within(x) + within(y) - 2 * np.mean([kernel(a, b) for a in x for b in y])


def log_likelihood(cells, choices, episode, reference, sizes):
    """Mean log-likelihood of one episode under counts of the other reference episodes."""
    counts = np.ones(sizes)
    for taught in range(reference):
        if taught != episode:
            for cell, choice in zip(cells[taught], choices[taught], strict=True):
                counts[cell, choice] += 1
    chances = [
        counts[cell, choice] / counts[cell].sum() for cell, choice in zip(cells[episode], choices[episode], strict=True)
    ]
    return np.mean(np.log(chances))
