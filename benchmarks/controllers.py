"""Decision time of the scripted controllers of the voltage world, at midday on 33 buses."""

from functools import partial

import numpy as np

import replication
from benchmarks.contest import Benchmark, Contestant, Run
from replication.envs.grid_controllers import CONTROLLERS
from replication.seeding import keys

LANES = 64


def decide(name: str, lanes: int) -> Run:
    """Decisions for `lanes` feeders, each at noon of another test day."""
    world = replication.make("voltage/case33", num_envs=lanes, split="test", noise_level=0.0)
    afternoons = np.arange(1, 2 * lanes, 2) % len(world.windows)  # windows are half-days, odd ones start at noon
    world.reset(keys("benchmark controllers", count=lanes), windows=afternoons)
    controller = replication.controller(world, name)
    controller.reset(world)

    def run() -> int:
        controller.act(world)
        return lanes

    return run


BENCHMARK = Benchmark(
    name="Scripted controllers, 33 buses, midday",
    question=f"How many decisions (one control step of one feeder) per second, one feeder and {LANES} at a time?",
    unit="decision",
    contestants=tuple(
        Contestant(f"{name}, {lanes} at a time", partial(decide, name, lanes))
        for name in CONTROLLERS
        for lanes in (1, LANES)
    ),
    notes=("The oracles (opf, reward_search) and the converged droops solve power flows of the coming sample.",),
)
