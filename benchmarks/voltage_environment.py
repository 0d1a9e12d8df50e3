"""Steps of the voltage-control world (noise, power flow, reward, observation, state) against power flow alone."""

from functools import partial

import numpy as np

import replication
from benchmarks.contest import Benchmark, Contestant, Run, Target
from benchmarks.power_flow import pandapower_one_by_one
from replication.seeding import keys, stream


def world_steps(num_envs: int, steps: int) -> Run:
    """Random actions in `num_envs` lanes; episodes that end are started anew."""
    world = replication.make("voltage/case33", num_envs=num_envs)
    shape = (num_envs, world.num_agents, world.action_size)
    actions = stream("benchmark actions").uniform(world.action_low, world.action_high, shape)
    starts = keys("benchmark episodes", count=num_envs)
    world.reset(starts)

    def run() -> int:
        for _ in range(steps):
            _, _, terminated, truncated, _ = world.step(actions)
            over = terminated | truncated
            if np.any(over):
                world.reset(starts, where=over)
        return steps * num_envs

    return run


BENCHMARK = Benchmark(
    name="Voltage-control world, 33 buses, 6 agents",
    question="How many steps of one feeder are simulated per second?",
    unit="step",
    contestants=(
        Contestant("ours, 512 lanes", partial(world_steps, 512, 24)),
        Contestant("ours, 4096 lanes", partial(world_steps, 4096, 4)),
        Contestant("ours, one lane", partial(world_steps, 1, 240)),
        Contestant("pandapower", pandapower_one_by_one, note="runpp alone: no noise, reward or observation"),
    ),
    targets=(Target("ours, 512 lanes", ("pandapower",), 2000),),
    notes=(
        "The usual environment calls runpp once per step and spends about a third of its time on other things, which "
        "the comparison leaves out.",
        "One core for both sides.",
    ),
)
