"""What the experiments without learning share: visits of scripted agents, timing, memory, exponents.

The experiment functions are in the siblings `plans_scaling`, `plans_barycenters`, `plans_allocation`, `plans_fleet`,
`plans_detection`, `plans_comparison` and `plans_voter`.
"""

import contextlib
import time
import tracemalloc
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import replication
from replication.algos.transport_settings import NotConverged
from replication.orchestration.plan import Result, Run
from replication.seeding import keys

STEPS_KEPT = 16  # last steps of an episode whose visits are kept
SMALLEST_FITTED = 8  # sizes below it are left out of exponents: fixed costs rule there
ENOUGH_SECONDS, MOST_REPEATS = 0.2, 9
SLOWEST_TRACED = 1.0  # seconds of a call that is not done once more for its memory
NOTHING = np.full((1, 1), np.nan)


def visits(agents: int, samples: int, seed: int) -> np.ndarray:
    """(A, m, 4) positions and velocities of agents with fixed roles in m / 16 episodes, the arena grown with A.

    A few episodes only: agents that go to different landmarks have different visits (A-340).
    """
    world = replication.make(
        f"navigation/spread{agents}", num_envs=samples // STEPS_KEPT, scaling="arena", agent_neighbours=0,
        landmark_neighbours=1,
    )  # fmt: skip
    controller = replication.controller(world, "fixed_role")
    world.reset(keys("transport visits", seed, agents, count=world.num_envs))
    seen = []
    for _ in range(world.horizon):
        world.step(controller.act(world))
        seen.append(np.concatenate([world.positions, world.velocities], axis=2))
    kept = np.stack(seen[-STEPS_KEPT:])  # (step, env, agent, feature)
    return np.ascontiguousarray(kept.transpose(2, 0, 1, 3).reshape(agents, samples, 4))


def median_seconds(work: Callable[[], Any]) -> float:
    """Median processor time of a call: after one to warm up, as often as fits into 0.2 s, 1 to 9 times (A-342)."""
    start = time.thread_time()
    work()
    first = time.thread_time() - start
    if first > ENOUGH_SECONDS:  # compiled code is warm by the smaller sizes
        return first
    spent: list[float] = []
    while not spent or (len(spent) < MOST_REPEATS and sum(spent) < ENOUGH_SECONDS):
        start = time.thread_time()
        work()
        spent.append(time.thread_time() - start)
    return float(np.median(spent))


def time_and_memory(work: Callable[[], Any]) -> dict[str, float]:
    """ "seconds" of a call, and "megabytes" it holds at most in arrays, not a number for slow calls.

    What compiled libraries take for themselves is not seen.
    """
    seconds = median_seconds(work)
    if seconds > SLOWEST_TRACED:
        return {"seconds": seconds, "megabytes": np.nan}
    tracemalloc.start()
    try:
        work()
        return {"seconds": seconds, "megabytes": tracemalloc.get_traced_memory()[1] / 1e6}
    finally:
        tracemalloc.stop()


def exponent(sizes: np.ndarray, values: np.ndarray, smallest: int = SMALLEST_FITTED) -> np.ndarray:
    """(S,) slope of log value over log size from `smallest` on; values (S, sizes) > 0, not a number where lost."""
    slopes = []
    for row in np.asarray(values, float):
        used = (sizes >= smallest) & np.isfinite(row)
        enough = np.count_nonzero(used) >= 2
        slopes.append(np.polyfit(np.log(sizes[used]), np.log(row[used]), 1)[0] if enough else np.nan)
    return np.array(slopes)


def same_for_all(scores: Mapping[str, Any], seeds: tuple[int, ...]) -> Result:
    """What draws nothing has the same scores for every seed."""
    return Result(scores={name: np.full(len(seeds), float(value)) for name, value in scores.items()})


def over_sizes(
    sizes: tuple[int, ...], seeds: tuple[int, ...], run: Run, measure: Callable[[int, int], dict[str, float]]
) -> dict[str, np.ndarray]:
    """name -> (seeds, sizes), not a number where a solver did not converge: "failed" is 1 there."""
    rows: dict[str, np.ndarray] = {"failed": np.zeros((len(seeds), len(sizes)))}
    with contextlib.suppress(NotConverged):
        measure(sizes[0], seeds[0])  # compiles
    for column, size in enumerate(sizes):
        for row, seed in enumerate(seeds):
            try:
                found = measure(size, seed)
            except NotConverged:
                found = {"failed": 1.0}
            for name, value in found.items():
                rows.setdefault(name, np.full((len(seeds), len(sizes)), np.nan))[row, column] = value
        run.progress((column + 1) / len(sizes))
    return rows


def last_and_slopes(sizes: tuple[int, ...], rows: dict[str, np.ndarray], smallest: int = 8) -> dict[str, np.ndarray]:
    """Values at the largest size that has them for all seeds, exponents of time and memory, the share that failed."""
    measured = [name for name in ("seconds", "megabytes") if name in rows]  # neither if no size was ever solved
    scores = {f"{name}_exponent": exponent(np.array(sizes), rows[name], smallest) for name in measured}
    for name in ("seconds", "megabytes", "error", "ranks"):
        known = np.flatnonzero(np.isfinite(rows.get(name, NOTHING)).all(axis=0))
        if len(known):
            scores[name] = rows[name][:, known[-1]]
    scores["failed"] = rows["failed"].mean(axis=1)
    return {name: values for name, values in scores.items() if np.isfinite(values).all()}
