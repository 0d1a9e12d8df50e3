"""Agents that meet demands under scripted dispatch: distance, energy and coverage over the price of energy.

The cost of a move is simulated: alone in the arena, how far from the target does the agent stay, and what does its
thrust add up to? Both are exact for the worlds' dynamics as long as nobody is in the way (A-346).
"""

from typing import Any

import numpy as np

import replication
from replication.envs.navigation_assignment import assign_lanes
from replication.envs.navigators import SteeringSettings, as_actions, coasting_time, distances
from replication.orchestration.plan import Result, Run
from replication.papers.optimal_transport.study_plans import FleetStudy
from replication.seeding import keys, stream
from replication.settings import BadInput

METRICS = ("distance", "energy", "coverage", "travelled", "shortfall")
STEERING = SteeringSettings()


def measure_fleet(study: FleetStudy, seeds: tuple[int, ...], run: Run) -> Result:
    """Mean over episodes of what the fleet achieves and spends; the same episodes for every way of dispatch.

    "distance": summed over steps, of every unit of demand to its nearest agents (the task's cost); "energy": summed
    squared force; "coverage": share of demands met at the end; "travelled": length of all paths; "shortfall": summed
    distance of every agent from its own target, what a dispatch by simulated distance makes least.
    """
    scores = {name: np.empty(len(seeds)) for name in METRICS}
    for row, seed in enumerate(seeds):
        starts = keys("fleet episodes", seed, count=study.episodes)
        lots = stream("fleet lots", seed)
        for name, values in play(study, starts, lots).items():
            scores[name][row] = values.mean()
        run.progress((row + 1) / len(seeds))
    return Result(scores=scores)


def play(study: FleetStudy, starts: np.ndarray, lots: np.random.Generator) -> dict[str, np.ndarray]:
    """One episode per start: metric -> (E,)."""
    world = _world(study, len(starts))
    world.reset(starts)
    targets = world.targets()
    if targets.shape[1] != world.num_agents:
        raise BadInput(f"a fleet needs as many targets as agents, got {targets.shape[1]} and {world.num_agents}")
    chosen = _choose(study, world, starts, lots)
    goals = np.take_along_axis(targets, chosen[:, :, None], axis=1)
    sums = drive(world, goals, study.effort)
    return {name: values if values.ndim == 1 else values.sum(axis=1) for name, values in sums.items()}


def drive(world: Any, goals: np.ndarray, effort: float) -> dict[str, np.ndarray]:
    """A whole episode towards goals (E, A, 2), with pushes that the error needs but at most `effort`.

    Returns "distance" and "coverage" (E,), "energy", "travelled" and "shortfall" (E, A), see `measure_fleet`.
    """
    sums: dict[str, Any] = dict.fromkeys(METRICS, 0.0)
    ahead = coasting_time(world)
    reach = (world.sensitivity * world.settings.time_step * ahead)[:, None]
    for _ in range(world.horizon):
        before = world.positions
        error = goals - before - STEERING.brake * ahead * world.velocities
        push = np.clip(error / reach, -effort, effort)
        _, _, _, _, info = world.step(as_actions(world, push))
        sums["distance"] += info["distance"]
        sums["coverage"] = info["coverage"]
        sums["energy"] += np.square(push * world.sensitivity[:, None]).sum(axis=2)
        sums["travelled"] += np.linalg.norm(world.positions - before, axis=2)
        sums["shortfall"] += np.linalg.norm(world.positions - goals, axis=2)
    return sums


def move_costs(study: FleetStudy, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(E, A, T) summed distance from the target, and energy, of every agent for every target, without contacts.

    The agents of a contact-free arena move alone, so one episode per target gives a column for all agents at once.
    """
    alone = _world(study, len(starts), contact=False)
    shortfall, energy = (np.empty((len(starts), alone.num_agents, alone.num_agents)) for _ in range(2))
    for target in range(alone.num_agents):
        alone.reset(starts)
        goals = np.repeat(alone.targets()[:, target : target + 1], alone.num_agents, axis=1)
        sums = drive(alone, goals, study.effort)
        shortfall[:, :, target], energy[:, :, target] = sums["shortfall"], sums["energy"]
    return shortfall, energy


def dispatch_cost(study: FleetStudy, world: Any, starts: np.ndarray) -> np.ndarray:
    """(E, A, T) what the study's dispatch makes least; distance and energy as shares of their means."""
    if study.dispatch != "dynamics":
        far = distances(world)
        return far**2 if study.dispatch == "squared" else far
    shortfall, energy = move_costs(study, starts)
    weight = study.energy_weight
    return (1.0 - weight) * shortfall / shortfall.mean() + weight * energy / energy.mean()


def _choose(study: FleetStudy, world: Any, starts: np.ndarray, lots: np.random.Generator) -> np.ndarray:
    shape = (world.num_envs, world.num_agents)
    if study.dispatch == "fixed_role":
        return np.broadcast_to(np.arange(world.num_agents), shape)
    if study.dispatch == "random_role":
        return lots.permuted(np.tile(np.arange(world.num_agents), (world.num_envs, 1)), axis=1)
    if study.dispatch == "greedy":
        return distances(world).argmin(axis=2)
    chosen = np.empty(shape, dtype=np.int64)
    assign_lanes(dispatch_cost(study, world, starts), chosen)
    return chosen


def _world(study: FleetStudy, lanes: int, **changes: Any) -> Any:
    return replication.make(study.world, num_envs=lanes, **({"actions": "force"} | study.options | changes))
