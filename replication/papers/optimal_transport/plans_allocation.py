"""Supplies to demands in one shot: what transport saves over greed and chance, and what it does if supply is short."""

import time
from collections.abc import Callable

import numpy as np

import replication
from replication.algos import allocation
from replication.algos.transport import NotConverged, TransportSettings, ground_cost, plan
from replication.orchestration.plan import Result, Run
from replication.papers.optimal_transport.study_plans import AllocationStudy
from replication.seeding import keys, stream


def measure_allocation(study: AllocationStudy, seeds: tuple[int, ...], run: Run) -> Result:
    """Means over random instances: cost per unit against the optimum, unmet demand, fairness, distance to Hungarian.

    "gap_to_hungarian" is the largest difference of total cost to the Hungarian method on unit copies; "failed" the
    share of instances whose solver did not converge, which are in no mean.
    """
    names = ("cost_ratio", "unit_cost", "unmet", "fairness", "overload", "gap_to_hungarian", "seconds", "failed")
    scores = {name: np.empty(len(seeds)) for name in names}
    for row, seed in enumerate(seeds):
        found, failed = [], 0
        for number in range(study.instances):
            try:
                found.append(_judge(study, seed, number))
            except NotConverged:
                failed += 1
        for name in names[:-1]:
            values = np.array([one[name] for one in found]) if found else np.array([np.nan])
            scores[name][row] = {"gap_to_hungarian": values.max(), "seconds": np.median(values)}.get(
                name, values.mean()
            )
        scores["failed"][row] = failed / study.instances
        run.progress((row + 1) / len(seeds))
    return Result(scores={name: values for name, values in scores.items() if np.isfinite(values).all()})


def instance(study: AllocationStudy, seed: int, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cost (n, m), supply (n,) and demand (m,) in whole units: places and demands of a supply world.

    With more units than one per supplier, and with scarcity, demands are drawn again, unit by unit.
    """
    world = replication.make(f"navigation/supply{study.suppliers}", landmarks=study.consumers)
    world.reset(keys("allocation instances", seed, number, count=1))
    cost = ground_cost(world.positions[0], world.landmarks[0], 1)
    supply, demand = np.ones(study.suppliers, dtype=np.int64), world.demands[0]
    if study.most_units > 1 or study.scarcity > 0:
        rng = stream("allocation units", seed, number)
        supply = rng.integers(1, study.most_units, study.suppliers, endpoint=True)
        wanted = round(supply.sum() / (1.0 - study.scarcity))
        demand = rng.multinomial(wanted, np.full(study.consumers, 1.0 / study.consumers))
    return cost, supply, demand


def allocate(
    study: AllocationStudy, cost: np.ndarray, supply: np.ndarray, demand: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """(n, m) units moved by the study's method."""
    if study.method == "random":
        return allocation.at_random(cost, supply, demand, rng)
    if study.method == "sinkhorn":
        settings = TransportSettings(method="sinkhorn", regularisation=study.regularisation)
        return _whole_suppliers(cost, supply, demand, settings)
    if study.method == "unbalanced":
        settings = TransportSettings(
            method="unbalanced", regularisation=study.regularisation, marginal_price=study.price
        )  # fmt: skip
        return allocation.by_priced_marginals(cost, supply, demand, settings)
    return METHODS[study.method](cost, supply, demand)


METHODS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]] = {
    "transport": allocation.by_transport,
    "unit copies": allocation.by_unit_copies,
    "greed": allocation.by_greed,
    "turns": allocation.by_turns,
    "rationing": allocation.by_rationing,
}


def _whole_suppliers(
    cost: np.ndarray, supply: np.ndarray, demand: np.ndarray, settings: TransportSettings
) -> np.ndarray:
    """Entropic plan made whole: all units of a supplier go where most of them would; demands may be exceeded."""
    want = np.flatnonzero(demand)
    share = demand[want] * supply.sum() / demand.sum()
    soft = plan(cost[:, want], supply.astype(float), share, settings).matrix
    moved = np.zeros(cost.shape)
    moved[np.arange(len(supply)), want[soft.argmax(axis=1)]] = supply
    return moved


def _judge(study: AllocationStudy, seed: int, number: int) -> dict[str, float]:
    cost, supply, demand = instance(study, seed, number)
    rng = stream("random allocations", seed, number)
    start = time.thread_time()
    moved = allocate(study, cost, supply, demand, rng)
    seconds = time.thread_time() - start
    best = allocation.by_unit_copies(cost, supply, demand)
    useful = np.minimum(moved.sum(axis=0), demand)
    units, most = moved.sum(), best.sum()
    return {
        "cost_ratio": float((moved * cost).sum() / units / ((best * cost).sum() / most)),
        "unit_cost": float((moved * cost).sum() / units),
        "unmet": float(1.0 - useful.sum() / demand.sum()),
        "fairness": allocation.jain_index(np.minimum(allocation.served(moved, demand), 1.0)),
        "overload": float((moved.sum(axis=0) - useful).sum() / units),
        "gap_to_hungarian": float(abs((moved * cost).sum() - (best * cost).sum())),
        "seconds": seconds,
    }
