"""Slow twins of the adaptation experiment: the rate's formula, windows and their unit, what a drop costs."""

import math


def rate(first, response, distance, gain, most, update, fading):
    """2401.10949, non-stationarity: eta_0 (1 + b d) or eta_0 / (1 + b d), here never beyond `most` times eta_0."""
    grown = first + first * gain * distance
    if grown > most * first:
        grown = most * first
    return {
        "rate up": grown,
        "rate down": first * first / grown,
        "higher rate": first * most,
        "known time": first * (most - (most - 1) * min(update, fading) / fading),
    }.get(response, first)


def window_distances(updates, recent, reference, moving, of_two):
    """Distance of every run of `recent` updates from the first `reference` ones, or from those just before it."""
    found = []
    for end in range(recent + reference, len(updates) + 1):
        later = [point for update in updates[end - recent : end] for point in update]
        known = updates[: end - recent][-reference:] if moving else updates[:reference]
        earlier = [point for update in known for point in update]
        found.append(of_two(earlier, later))
    return found


def unit(quiet, share):
    """The smallest value that at most a share of the quiet ones exceeds."""
    for value in sorted(quiet):
        if sum(other > value for other in quiet) <= share * len(quiet) + 1e-9:
            return value
    return None


def gaussian_divergence(earlier, later):
    """Root of the symmetric Kullback-Leibler divergence of Gaussians fitted per feature, in the earlier deviations."""
    total = 0.0
    for feature in range(len(earlier[0])):
        fits = []
        for sample in (earlier, later):
            values = [point[feature] for point in sample]
            mean = sum(values) / len(values)
            fits.append((mean, sum((value - mean) ** 2 for value in values) / len(values)))
        (m, v), (n, w) = fits
        total += 0.5 * ((v + (m - n) ** 2) / w + (w + (m - n) ** 2) / v) - 1.0
    return math.sqrt(max(total, 0.0))


def page_hinkley(earlier, later, slack=0.5):
    """Sum of how much lower than before each later number is, in deviations, never below zero."""
    mean = sum(earlier) / len(earlier)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in earlier) / (len(earlier) - 1))
    total = 0.0
    for value in later:
        total = max(0.0, total + (mean - value) / deviation - slack)
    return total


def area(values, at):
    """Mean over time of a broken line."""
    parts = [(values[k] + values[k + 1]) / 2 * (at[k + 1] - at[k]) for k in range(len(at) - 1)]
    return sum(parts) / (at[-1] - at[0])
