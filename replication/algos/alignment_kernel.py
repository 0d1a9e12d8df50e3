"""Distances between an agent's policy and its partners' at shared observations, with their slopes, compiled.

Source: 2401.10949, area 1; the distances are those of `transport_actions`, which the tests hold these to. The mean is
over ordered pairs of different agents; partners are held fixed, so a slope is that of one agent's own policy.
"""

import numpy as np
from numba import njit

TRANSPORT, JEFFREYS, VARIATION = range(3)
_LEAST = 1e-12  # as in `transport_actions`


@njit(cache=True, error_model="numpy")
def compare_choices(kind, own, partner, potentials, slope, distance):
    """Distances between choices.

    Args:
        kind: TRANSPORT (W_1 by `potentials` (V, U)), JEFFREYS or VARIATION.
        own, partner: (S, B, A, U) probabilities.
        slope: (S, B, A, U) out, of each seed's mean distance in the logits of `own`.
        distance: (S,) out, mean over observations and ordered pairs.
    """
    seeds, count, agents, choices = own.shape
    share = 1.0 / (count * agents * (agents - 1))
    gain = np.empty(choices)
    distance[:] = 0.0
    for s in range(seeds):
        for b in range(count):
            for i in range(agents):
                p = own[s, b, i]
                gain[:] = 0.0
                for j in range(agents):
                    if j == i:
                        continue
                    q = partner[s, b, j]
                    if kind == TRANSPORT:
                        distance[s] += share * transport(p, q, potentials, gain)
                    elif kind == JEFFREYS:
                        distance[s] += share * jeffreys(p, q, gain)
                    else:
                        distance[s] += share * variation(p, q, gain)
                mean = 0.0
                for u in range(choices):
                    mean += p[u] * gain[u]
                for u in range(choices):
                    slope[s, b, i, u] = share * p[u] * (gain[u] - mean)


@njit(inline="always", error_model="numpy")
def transport(p, q, potentials, gain):
    """W_1 of choices; its slope in p, the best potential, is added to `gain`. Source: Kantorovich-Rubinstein."""
    best, value = 0, -np.inf
    for v in range(potentials.shape[0]):
        total = 0.0
        for u in range(p.shape[0]):
            total += potentials[v, u] * (p[u] - q[u])
        if total > value:
            best, value = v, total
    for u in range(p.shape[0]):
        gain[u] += potentials[best, u]
    return value


@njit(inline="always", error_model="numpy")
def jeffreys(p, q, gain):
    """Sum of (p - q)(log p - log q); its slope in p is added to `gain`."""
    value = 0.0
    for u in range(p.shape[0]):
        here, there = max(p[u], _LEAST), max(q[u], _LEAST)
        logs = np.log(here) - np.log(there)
        value += (p[u] - q[u]) * logs
        gain[u] += logs
        if p[u] > _LEAST:
            gain[u] += (p[u] - q[u]) / here
    return value


@njit(inline="always", error_model="numpy")
def variation(p, q, gain):
    """Half the sum of |p - q|; its slope in p is added to `gain`."""
    value = 0.0
    for u in range(p.shape[0]):
        value += 0.5 * abs(p[u] - q[u])
        gain[u] += 0.5 * np.sign(p[u] - q[u])
    return value


@njit(cache=True, error_model="numpy")
def compare_gaussians(kind, mean, log_std, other_mean, other_log_std, slope, slope_std, distance):
    """Distances between diagonal Gaussians before tanh: W_2 squared (TRANSPORT) or JEFFREYS.

    Args:
        mean, other_mean: (S, B, A, U). log_std, other_log_std: (S, A, U).
        slope, slope_std: shaped like `mean` and `log_std`, out. distance: (S,) out.
    """
    seeds, count, agents, outputs = mean.shape
    share = 1.0 / (count * agents * (agents - 1))
    slope[:], slope_std[:], distance[:] = 0.0, 0.0, 0.0
    for s in range(seeds):
        for i in range(agents):
            for j in range(agents):
                if j == i:
                    continue
                for u in range(outputs):
                    std, other = np.exp(log_std[s, i, u]), np.exp(other_log_std[s, j, u])
                    for b in range(count):
                        gap = mean[s, b, i, u] - other_mean[s, b, j, u]
                        if kind == TRANSPORT:
                            distance[s] += share * (gap * gap + (std - other) ** 2)
                            slope[s, b, i, u] += share * 2.0 * gap
                            slope_std[s, i, u] += share * 2.0 * (std - other) * std
                        else:
                            v, w, square = std * std, other * other, gap * gap
                            distance[s] += share * (0.5 * ((v + square) / w + (w + square) / v) - 1.0)
                            slope[s, b, i, u] += share * gap * (1.0 / w + 1.0 / v)
                            slope_std[s, i, u] += share * (v / w - (w + square) / v)
