"""Kantorovich potentials of agents' visits as functions: fitted on samples, evaluated anywhere, also updates later.

Source: 2506.12497 for the barycenter as target; lines as in Bonneel et al. (2015), "Sliced and Radon Wasserstein
barycenters of measures": on a line the barycenter's quantiles are the means of the agents' quantiles.
"""

import numpy as np
from numba import njit

from replication.algos.alignment_settings import AlignmentSettings
from replication.algos.nets import Arrays
from replication.algos.transport_barycenters import barycenter
from replication.algos.transport_closed_forms import sorted_signals
from replication.algos.transport_plans import cost_scale, entropic, ground_cost, self_potential
from replication.algos.transport_settings import NotConverged


def line_potentials(samples: np.ndarray, lines: np.ndarray, settings: AlignmentSettings) -> Arrays:
    """Potentials of every agent on every line.

    Args:
        samples: (A, m, d). lines: (d, L) unit vectors.

    Returns:
        knots, values: (A, L, m) places in order and potentials (or costs) there; lines: (d, L); costs: (A,) W_p^p.
    """
    placed = np.ascontiguousarray(np.moveaxis(samples @ lines, 1, 2))  # (A, L, m)
    knots = np.sort(placed, axis=-1)
    goal = {
        "barycenter": lambda: knots.mean(axis=0),
        "pool": lambda: np.sort(np.moveaxis(placed, 0, 1).reshape(placed.shape[1], -1), axis=-1),
        "leader": lambda: knots[0],
    }[settings.target]()
    signals = [sorted_signals(own.T, goal.T, settings.transport.power) for own in knots]
    values = np.stack([signal[0 if settings.signal == "dual" else 1].T for signal in signals])
    costs = np.array([spent.mean() for _, spent in signals])
    return {"knots": knots, "values": np.ascontiguousarray(values), "lines": lines, "costs": costs}


def entropic_potentials(samples: np.ndarray, settings: AlignmentSettings) -> Arrays:
    """Potentials of the Sinkhorn divergence of every agent's samples (A, m, d) to the target.

    Source: Feydy et al. (2019): the potential to the target minus the one to oneself. The barycenter itself is that
    of exact plans, which settles in a few rounds where entropic plans need hundreds.

    Returns:
        own: (A, m, d) samples and own_potential (A, m); goal: (k, d) and goal_potential (A, k); entropy: (A,) absolute
        weights; costs: (A,) divergences, NaN where the solver did not converge.
    """
    transport, agents = settings.transport, len(samples)
    goal = samples.reshape(-1, samples.shape[-1]) if settings.target == "pool" else samples[0]
    kept = {"own": samples, "entropy": np.ones(agents), "costs": np.full(agents, np.nan)}
    try:
        goal = barycenter(samples, transport.but(method="exact")).points if settings.target == "barycenter" else goal
    except NotConverged:
        return kept | {"goal": goal, "own_potential": np.zeros(samples.shape[:2]),
                       "goal_potential": np.zeros((agents, len(goal)))}  # fmt: skip
    own_potential, goal_potential = np.zeros(samples.shape[:2]), np.zeros((agents, len(goal)))
    for agent, rows in enumerate(samples):
        cost = ground_cost(rows, goal, transport.power)
        eps = transport.regularisation * cost_scale(cost)
        a, b = (np.full(count, 1.0 / count) for count in cost.shape)
        try:
            solved = entropic(cost, a, b, transport, eps)
            own, theirs = (self_potential(ground_cost(z, z, transport.power), transport, eps) for z in (rows, goal))
        except NotConverged:
            continue
        own_potential[agent], goal_potential[agent], kept["entropy"][agent] = own, solved.target, eps
        kept["costs"][agent] = solved.value - own.mean() - theirs.mean()
    return kept | {"goal": goal, "own_potential": own_potential, "goal_potential": goal_potential}


def stretched(kept: Arrays, agent: int, points: np.ndarray, settings: AlignmentSettings) -> np.ndarray:
    """Potentials (n,) of an agent at any points (n, d), centred; 0 where its solver did not converge."""
    if np.isnan(kept["costs"][agent]):
        return np.zeros(len(points))
    if "knots" in kept:
        knots, places, found = kept["knots"][agent], (points @ kept["lines"]).T, np.zeros(len(points))
        if settings.signal == "primal":  # costs have no slope to go on with
            places = np.clip(places, knots[:, :1], knots[:, -1:])
        interpolate(knots, kept["values"][agent], np.ascontiguousarray(places), found)
    else:
        power, eps = settings.transport.power, kept["entropy"][agent]
        cost = ground_cost(points, kept["goal"], power)
        if settings.signal == "primal":
            found = _matched_cost(cost, kept["goal_potential"][agent], eps)
        else:
            found = _soft_minimum(cost, kept["goal_potential"][agent], eps)
            found -= _soft_minimum(ground_cost(points, kept["own"][agent], power), kept["own_potential"][agent], eps)
    return found - found.mean()


@njit(cache=True)
def interpolate(knots, values, places, found):
    """found (n,) <- mean over lines of the values between knots, straight on beyond the outermost.

    Args:
        knots, values: (L, m), knots in order. places: (L, n).
    """
    lines, count = knots.shape
    found[:] = 0.0
    below = np.empty(count + 1, dtype=np.int64)  # of every of `count` equal bins: knots before its left edge
    for line in range(lines):
        x, y = knots[line], values[line]
        bins = count / (x[-1] - x[0]) if x[-1] > x[0] else 0.0
        k = 0
        for b in range(count + 1):
            while k < count and (x[k] - x[0]) * bins < b:
                k += 1
            below[b] = k
        for i in range(places.shape[1]):
            place = places[line, i]
            k = below[int(min(max((place - x[0]) * bins, 0.0), count))]
            while k < count and x[k] < place:  # the knot that a bisection would find
                k += 1
            k = min(max(k, 1), count - 1)
            width = x[k] - x[k - 1]
            rise = (y[k] - y[k - 1]) / width if width > 0 else 0.0
            found[i] += (y[k - 1] + rise * (place - x[k - 1])) / lines


def _soft_minimum(cost: np.ndarray, potential: np.ndarray, eps: float) -> np.ndarray:
    """-eps log mean exp((potential - cost) / eps) along the rows of `cost` (n, k)."""
    powers = (potential - cost) / eps
    top = powers.max(axis=1)
    return -eps * (top + np.log(np.exp(powers - top[:, None]).mean(axis=1)))


def _matched_cost(cost: np.ndarray, potential: np.ndarray, eps: float) -> np.ndarray:
    """Mean cost of every row (n,) under its share of the entropic plan."""
    powers = (potential - cost) / eps
    weights = np.exp(powers - powers.max(axis=1, keepdims=True))
    return (weights * cost).sum(axis=1) / weights.sum(axis=1)
