"""Who serves whom: supplies to demands at a cost, by transport, by unit copies, by greed, at random, by rationing.

Source: 2401.10949, distributed resource management; supplies and demands are whole numbers of units. An allocation is
a plan (n, m) of units from supplier i to consumer j that exceeds no supply and no demand.
"""

import numpy as np

from replication.algos.transport_plans import assignment, plan
from replication.algos.transport_settings import TransportSettings, check_cost
from replication.settings import BadInput


def by_transport(cost: np.ndarray, supply: np.ndarray, demand: np.ndarray) -> np.ndarray:
    """The cheapest allocation of as many units as there are on the scarcer side, by exact transport.

    A free source (or sink) takes what one side has too much of; whole numbers stay whole numbers.

    Source: 2401.10949, area 2, with Kantorovich (1942)'s integrality of transport between whole numbers.
    """
    cost, supply, demand = check_units(cost, supply, demand)
    spare = int(supply.sum() - demand.sum())
    padded = np.pad(cost, ((0, spare < 0), (0, spare > 0)))
    a, b = np.append(supply, -spare) if spare < 0 else supply, np.append(demand, spare) if spare > 0 else demand
    keep, want = np.flatnonzero(a), np.flatnonzero(b)
    moved = np.zeros(padded.shape)
    moved[np.ix_(keep, want)] = plan(padded[np.ix_(keep, want)], a[keep].astype(float), b[want].astype(float)).matrix
    return moved[: len(supply), : len(demand)]


def by_unit_copies(cost: np.ndarray, supply: np.ndarray, demand: np.ndarray) -> np.ndarray:
    """The same optimum by the Hungarian method: every unit of supply and demand becomes an agent and a task."""
    cost, supply, demand = check_units(cost, supply, demand)
    rows, columns = np.repeat(np.arange(len(supply)), supply), np.repeat(np.arange(len(demand)), demand)
    table, moved = cost[np.ix_(rows, columns)], np.zeros(cost.shape)
    if len(rows) <= len(columns):
        pairs = rows, columns[assignment(table)]
    else:
        pairs = rows[assignment(table.T)], columns
    np.add.at(moved, pairs, 1.0)
    return moved


def by_greed(cost: np.ndarray, supply: np.ndarray, demand: np.ndarray) -> np.ndarray:
    """The cheapest pair with units left on both sides first, then the next, and so on."""
    cost, supply, demand = check_units(cost, supply, demand)
    return _in_order(np.argsort(cost, axis=None, kind="stable"), supply, demand)


def by_turns(cost: np.ndarray, supply: np.ndarray, demand: np.ndarray) -> np.ndarray:
    """Supplier after supplier serves the nearest consumers that still want something: no coordination but the queue."""
    cost, supply, demand = check_units(cost, supply, demand)
    order = np.argsort(cost, axis=1, kind="stable") + len(demand) * np.arange(len(supply))[:, None]
    return _in_order(order.ravel(), supply, demand)


def at_random(cost: np.ndarray, supply: np.ndarray, demand: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Units of supply meet units of demand in random order."""
    cost, supply, demand = check_units(cost, supply, demand)
    rows, columns = np.repeat(np.arange(len(supply)), supply), np.repeat(np.arange(len(demand)), demand)
    many = min(len(rows), len(columns))
    moved = np.zeros(cost.shape)
    np.add.at(moved, (rng.permutation(rows)[:many], rng.permutation(columns)[:many]), 1.0)
    return moved


def by_priced_marginals(
    cost: np.ndarray, supply: np.ndarray, demand: np.ndarray, settings: TransportSettings
) -> np.ndarray:
    """Unbalanced transport, cut back to what supplies and demands allow; units are divisible.

    Its marginals are only priced, so both sides may be exceeded or missed; what is too much is scaled away, first
    per supplier, then per consumer.

    Source: Chizat et al. (2018) for the priced marginals.
    """
    cost, supply, demand = check_units(cost, supply, demand)
    keep, want = np.flatnonzero(supply), np.flatnonzero(demand)
    part = plan(cost[np.ix_(keep, want)], supply[keep].astype(float), demand[want].astype(float), settings).matrix
    moved = np.zeros(cost.shape)
    moved[np.ix_(keep, want)] = part
    return _cut(moved, supply, demand)


def by_rationing(cost: np.ndarray, supply: np.ndarray, demand: np.ndarray) -> np.ndarray:
    """The cheapest allocation in which every consumer gets the same share of its demand; units are divisible."""
    cost, supply, demand = check_units(cost, supply, demand)
    total = min(supply.sum(), demand.sum())
    keep, want = np.flatnonzero(supply), np.flatnonzero(demand)
    a, b = supply[keep] * total / supply.sum(), demand[want] * total / demand.sum()
    moved = np.zeros(cost.shape)
    moved[np.ix_(keep, want)] = plan(cost[np.ix_(keep, want)], a, b).matrix
    return moved


def served(moved: np.ndarray, demand: np.ndarray) -> np.ndarray:
    """(k,) share of its demand that every consumer with a demand gets."""
    wanted = np.asarray(demand) > 0
    return moved.sum(axis=0)[wanted] / np.asarray(demand)[wanted]


def jain_index(shares: np.ndarray) -> float:
    """(sum x)^2 / (k sum x^2): 1 if all shares are equal, 1 / k if one takes all; 1 if nobody gets anything.

    Source: Jain, Chiu and Hawe (1984), "A quantitative measure of fairness".
    """
    shares = np.asarray(shares, dtype=np.float64)
    squares = float(np.square(shares).sum())
    return float(shares.sum() ** 2 / (len(shares) * squares)) if squares > 0 else 1.0


def check_units(cost: np.ndarray, supply: np.ndarray, demand: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cost (n, m), whole units supply (n,) and demand (m,) with at least one unit each, else a one-line `BadInput`."""
    cost = check_cost(cost)
    found = []
    for side, units, count in (("supply", supply, cost.shape[0]), ("demand", demand, cost.shape[1])):
        units = np.asarray(units)
        if units.shape != (count,) or units.dtype.kind not in "iu" or units.min() < 0 or units.sum() < 1:
            raise BadInput(f"{side} must be {count} whole numbers >= 0 with a positive sum, got {units.tolist()[:8]}")
        found.append(units.astype(np.int64))
    return cost, found[0], found[1]


def _in_order(order: np.ndarray, supply: np.ndarray, demand: np.ndarray) -> np.ndarray:
    """Pairs in this order get as many units as both sides still have."""
    left, wanted = supply.copy(), demand.copy()
    moved = np.zeros((len(supply), len(demand)))
    for i, j in zip(*np.unravel_index(order, moved.shape), strict=True):
        units = min(left[i], wanted[j])
        moved[i, j] += units
        left[i] -= units
        wanted[j] -= units
    return moved


def _cut(moved: np.ndarray, supply: np.ndarray, demand: np.ndarray) -> np.ndarray:
    for axis, limit in ((1, supply), (0, demand)):
        used = moved.sum(axis=axis)
        share = np.minimum(1.0, np.divide(limit, used, out=np.ones(len(used)), where=used > 0))
        moved = moved * np.expand_dims(share, axis)
    return moved
