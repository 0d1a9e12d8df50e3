"""Barycenters over the number of agents: flat, in groups, approximate; and the messages it takes to agree on one."""

import numpy as np

from replication.algos import gossip
from replication.algos.transport import TransportSettings
from replication.algos.transport_barycenters import barycenter
from replication.algos.transport_closed_forms import directions
from replication.algos.transport_groups import grouped_barycenter, nearby_groups, spread
from replication.orchestration.plan import Result, Run
from replication.papers.optimal_transport.plans import (
    exponent,
    last_and_slopes,
    over_sizes,
    time_and_memory,
    visits,
)
from replication.papers.optimal_transport.study_plans import BarycenterStudy, DistributedStudy
from replication.seeding import stream

QUANTILE_LINES = 8

# ---- barycenters -------------------------------------------------------------------------------------------------


def measure_barycenters(study: BarycenterStudy, seeds: tuple[int, ...], run: Run) -> Result:
    """Seconds, megabytes, and mean W_2^2 to the points found, as an excess over the flat barycenter's."""
    rows = over_sizes(study.sizes, seeds, run, lambda size, seed: _barycenter_one(study, size, seed))
    return Result(scores=last_and_slopes(study.sizes, rows), curves=rows | {"_sizes": np.array(study.sizes)})


def _barycenter_one(study: BarycenterStudy, size: int, seed: int) -> dict[str, float]:
    clouds = visits(size, study.samples, seed)

    def work() -> np.ndarray:
        return barycenter_by(study.method, clouds, study.group, seed)

    flat = spread(clouds, barycenter(clouds).points)
    return time_and_memory(work) | {"error": spread(clouds, work()) / flat - 1.0}


def barycenter_by(method: str, clouds: np.ndarray, group: int, seed: int) -> np.ndarray:
    """(m, d) points of the barycenter of (A, m, d) by one method; "pool" takes samples of all agents in turn."""
    agents, samples, _ = clouds.shape
    if method == "flat":
        return barycenter(clouds).points
    if method == "entropic":
        return barycenter(clouds, TransportSettings(method="sinkhorn")).points
    if method == "pool":
        return clouds[np.arange(samples) % agents, np.arange(samples)]
    if method == "gaussian":
        mean, std = clouds.mean(axis=1), clouds.std(axis=1)
        unit = (clouds[0] - mean[0]) / np.where(std[0] > 0, std[0], 1.0)
        return mean.mean(axis=0) + unit * std.mean(axis=0)
    near = nearby_groups(clouds.mean(axis=1), group)
    if method == "random groups":
        near = stream("transport groups", seed, agents).permutation(agents).reshape(near.shape)
    return grouped_barycenter(clouds, near).top.points


# ---- messages ----------------------------------------------------------------------------------------------------


def measure_messages(study: DistributedStudy, seeds: tuple[int, ...], run: Run) -> Result:
    """Rounds, messages and megabytes sent until all agents agree, and how far they are from the central answer."""
    rows = over_sizes(study.sizes, seeds, run, lambda size, seed: _messages_one(study, size, seed))
    sizes = np.array(study.sizes)
    scores = {f"{name}_last": rows[name][:, -1] for name in rows}
    scores |= {f"{name}_exponent": exponent(sizes, rows[name]) for name in ("messages", "rounds", "busiest")}
    known = {name: values for name, values in scores.items() if np.isfinite(values).all()}  # few sizes: no exponents
    return Result(scores=known, curves=rows | {"_sizes": sizes})


def _messages_one(study: DistributedStudy, size: int, seed: int) -> dict[str, float]:
    clouds = visits(size, study.samples, seed)
    held = held_by_agents(study.what, clouds)
    numbers = held[0].size * 8 / 1e6
    if study.what == "centre":
        posted = 2 * (size - 1)  # to one of the agents and back
        return {"rounds": 2, "messages": posted, "busiest": posted, "megabytes": posted * numbers, "error": 0.0}
    graph = _graph(study, clouds)
    found = gossip.consensus(held, graph, tolerance=study.tolerance) if study.what == "points" else gossip.average(
        held, graph, tolerance=study.tolerance
    )  # fmt: skip
    error = _away(clouds, found.values) if study.what == "points" else _relative(found.values, held)
    sent = {"rounds": found.rounds, "messages": found.messages, "busiest": found.busiest}
    return sent | {"megabytes": found.messages * numbers, "error": error, "left": found.apart[-1]}


def held_by_agents(what: str, clouds: np.ndarray) -> np.ndarray:
    """What every agent brings: samples, means and deviations, or the quantiles of its samples along lines."""
    if what == "gaussian":
        return np.concatenate([clouds.mean(axis=1), clouds.std(axis=1)], axis=1)
    if what == "quantiles":
        return np.sort(clouds @ directions(clouds.shape[2], QUANTILE_LINES, 0), axis=1)
    return clouds


def _graph(study: DistributedStudy, clouds: np.ndarray) -> np.ndarray:
    agents = len(clouds)
    if study.graph == "ring":
        return gossip.ring_graph(agents)
    if study.graph == "complete":
        return ~np.eye(agents, dtype=bool)
    return gossip.nearest_graph(clouds[:, :, :2].mean(axis=1), min(study.neighbours, agents - 1))


def _relative(values: np.ndarray, held: np.ndarray) -> float:
    """Largest distance of an agent from the central mean, as a share of the largest at the start."""
    centre = held.mean(axis=0)
    far = [np.linalg.norm((array - centre).reshape(len(held), -1), axis=1).max() for array in (values, held)]
    return float(far[0] / far[1])


def _away(clouds: np.ndarray, values: np.ndarray) -> float:
    """Excess mean W_2^2 of what the first agent holds over the central barycenter's."""
    return spread(clouds, values[0]) / spread(clouds, barycenter(clouds).points) - 1.0
