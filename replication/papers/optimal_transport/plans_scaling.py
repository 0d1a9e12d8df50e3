"""Time, memory and error over the number of agents: distances of all pairs, assignments."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from replication.algos import gossip
from replication.algos.transport import (
    TransportSettings,
    assignment,
    distance,
    ground_cost,
    pairwise_distances,
    plan,
)
from replication.algos.transport_barycenters import barycenter
from replication.algos.transport_closed_forms import diagonal_gaussian_squared, line_cost
from replication.algos.transport_groups import grouped_barycenter, nearby_groups, spread
from replication.envs.navigation_assignment import assign
from replication.orchestration.plan import Result, Run
from replication.papers.optimal_transport.plans import (
    last_and_slopes,
    over_sizes,
    time_and_memory,
    visits,
)
from replication.papers.optimal_transport.study_plans import AssignmentScalingStudy, DistanceScalingStudy
from replication.seeding import stream

NEAREST = 4  # pairs per agent of "neighbours"
GROUP = 8  # most agents in a group of "groups"
MOST_COMPARED = 32  # agents up to which errors against the exact distances are computed
SMALLEST_ASSIGNMENT = 32  # of the exponents of assignments, which take microseconds below
EXACT = TransportSettings(method="exact")
Table = np.ndarray  # (A, A) distances of pairs


# ---- distances ---------------------------------------------------------------------------------------------------


def measure_distances(study: DistanceScalingStudy, seeds: tuple[int, ...], run: Run) -> Result:
    """Seconds, megabytes and error of the root mean squared distance between agents, for every size."""
    rows = over_sizes(study.sizes, seeds, run, lambda size, seed: _measure_one(study, size, seed))
    return Result(scores=last_and_slopes(study.sizes, rows), curves=rows | {"_sizes": np.array(study.sizes)})


def _measure_one(study: DistanceScalingStudy, size: int, seed: int) -> dict[str, float]:
    agents, samples = (size, study.samples) if study.vary == "agents" else (study.agents, size)
    clouds = visits(agents, samples, seed)
    found = time_and_memory(lambda: spread_by(study.method, clouds)) | {"error": np.nan, "ranks": np.nan}
    if agents <= MOST_COMPARED:
        value, table = spread_by(study.method, clouds)
        best, exact = spread_by("exact", clouds)
        found["error"] = abs(value / best - 1.0)
        if table is not None and exact is not None and agents > 2:
            pairs = np.triu_indices(agents, 1)
            found["ranks"] = float(spearmanr(table[pairs], exact[pairs]).statistic)
    return found


def spread_by(method: str, clouds: np.ndarray) -> tuple[float, Table | None]:
    """Root mean squared distance between agents, and the distances of pairs where the method has them all.

    From a barycenter it is the root of 2 A / (A - 1) times the mean W_2^2 to it, which is right for points in a flat
    space and an approximation here.
    """
    agents = len(clouds)
    if method in ("barycenter", "groups"):
        parts = nearby_groups(clouds.mean(axis=1), group_size(agents)) if method == "groups" else None
        inside = spread(clouds, barycenter(clouds).points) if parts is None else _two_levels(clouds, parts)
        return float(np.sqrt(2.0 * agents / (agents - 1) * inside)), None
    if method == "neighbours":
        graph = gossip.nearest_graph(clouds.mean(axis=1), min(NEAREST, agents - 1))
        near = [distance(clouds[i], clouds[j], EXACT) ** 2 for i, j in np.argwhere(np.triu(graph))]
        return float(np.sqrt(np.mean(near))), None
    table = _TABLES[method](clouds) if method in _TABLES else _library(method, clouds)
    return float(np.sqrt(np.square(table[np.triu_indices(agents, 1)]).mean())), table


def group_size(agents: int) -> int:
    """Largest divisor of the agents that is at most 8 and leaves two groups or more."""
    return max(size for size in range(1, max(1, min(GROUP, agents // 2)) + 1) if agents % size == 0)


def _two_levels(clouds: np.ndarray, parts: np.ndarray) -> float:
    if parts.shape[1] < 2:
        return spread(clouds, barycenter(clouds).points)
    found = grouped_barycenter(clouds, parts)
    return found.inside + found.between


def _library(method: str, clouds: np.ndarray) -> Table:
    return pairwise_distances(clouds, TransportSettings(method=method)).values  # type: ignore[arg-type]


def _pairs(clouds: np.ndarray, cost: Callable[[np.ndarray, np.ndarray], float]) -> Table:
    table = np.zeros((len(clouds), len(clouds)))
    for i, j in zip(*np.triu_indices(len(clouds), 1), strict=True):
        table[i, j] = table[j, i] = np.sqrt(cost(clouds[i], clouds[j]))
    return table


def _programme(clouds: np.ndarray) -> Table:
    return _pairs(clouds, lambda x, y: plan(ground_cost(x, y, 2), settings=EXACT).cost)


def _unbalanced(clouds: np.ndarray) -> Table:
    settings = TransportSettings(method="unbalanced")

    def per_mass(x: np.ndarray, y: np.ndarray) -> float:
        found = plan(ground_cost(x, y, 2), settings=settings)
        return found.cost / found.matrix.sum()

    return _pairs(clouds, per_mass)


def _diagonal(clouds: np.ndarray) -> Table:
    mean, std = clouds.mean(axis=1), clouds.std(axis=1)
    return np.sqrt(diagonal_gaussian_squared(mean[:, None], std[:, None], mean, std))


def _line(clouds: np.ndarray) -> Table:
    """Along the widest direction of all samples together."""
    pooled = clouds.reshape(-1, clouds.shape[2])
    axis = np.linalg.eigh(np.cov(pooled.T))[1][:, -1:]
    return _pairs(clouds @ axis, lambda x, y: float(line_cost(x, y, 2)[0]))


_TABLES: dict[str, Callable[[np.ndarray], Table]] = {
    "programme": _programme, "unbalanced": _unbalanced, "diagonal": _diagonal, "line": _line,
}  # fmt: skip


# ---- assignments -------------------------------------------------------------------------------------------------


def measure_assignments(study: AssignmentScalingStudy, seeds: tuple[int, ...], run: Run) -> Result:
    """Seconds, megabytes and excess cost of agents on targets, for every size that the targets divide."""
    rows = over_sizes(study.sizes, seeds, run, lambda size, seed: _assign_one(study, size, seed))
    scores = last_and_slopes(study.sizes, rows, SMALLEST_ASSIGNMENT)
    return Result(scores=scores, curves=rows | {"_sizes": np.array(study.sizes)})


def _assign_one(study: AssignmentScalingStudy, size: int, seed: int) -> dict[str, float]:
    rng = stream("transport assignments", seed, size)
    each = study.agents_per_target
    cost = ground_cost(rng.uniform(-1, 1, (size, 2)), rng.uniform(-1, 1, (-(-size // each), 2)), 1)
    copies = np.repeat(cost, each, axis=1)[:, :size]
    best = copies[np.arange(size), assignment(copies)].sum()

    def work() -> float:
        return assigned_cost(study.method, cost, copies, each)

    return time_and_memory(work) | {"error": work() / best - 1.0}


def assigned_cost(method: str, cost: np.ndarray, copies: np.ndarray, each: int) -> float:
    """Cost (per unit of mass moved, times agents) of agents (n, k) on k targets that take `each`, or on its copies."""
    agents = len(cost)
    if method in ("hungarian", "compiled", "greedy"):
        return float(copies[np.arange(agents), _SINGLE[method](copies)].sum())
    names: dict[str, Any] = {"programme": "exact", "sinkhorn": "sinkhorn", "unbalanced": "unbalanced"}
    supply, demand = np.ones(agents), np.full(cost.shape[1], float(each))
    demand[-1] -= demand.sum() - agents
    found = plan(cost, supply, demand, TransportSettings(method=names[method]))
    return float(found.cost / found.matrix.sum() * agents)


def _compiled(cost: np.ndarray) -> np.ndarray:
    column_of = np.empty(len(cost), dtype=np.int64)
    assign(cost, column_of)
    return column_of


def _greedy(cost: np.ndarray) -> np.ndarray:
    """Agent after agent takes the nearest free target."""
    column_of, free = np.empty(len(cost), dtype=np.int64), np.zeros(cost.shape[1])
    for agent, row in enumerate(cost):
        column_of[agent] = np.argmin(row + free)
        free[column_of[agent]] = np.inf
    return column_of


_SINGLE = {"hungarian": assignment, "compiled": _compiled, "greedy": _greedy}
