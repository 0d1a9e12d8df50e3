"""MAPPO on the 33-bus world: environment steps trained per second, against the rate of one power flow per step."""

from functools import partial

import replication
from benchmarks.contest import Benchmark, Contestant, Run, Target
from benchmarks.power_flow import pandapower_one_by_one
from replication.algos.ppo import Face, Learner
from replication.algos.ppo_settings import PPOSettings, mappo
from replication.algos.rollout import Collector


def updates(settings: PPOSettings, num_seeds: int) -> Run:
    """Collect one segment and learn from it, for all seeds side by side."""
    import torch

    torch.set_num_threads(1)
    seeds = tuple(range(num_seeds))
    world = replication.make("voltage/case33", num_envs=num_seeds * settings.envs)
    collector, learner = Collector(settings, world, seeds), Learner(settings, Face.of(world), seeds)
    done = 0

    def run() -> int:
        nonlocal done
        segment = collector.collect(learner.policy(collector.inputs), done)
        learner.update(segment, done, settings.learning_rate)
        done += 1
        return num_seeds * settings.envs * settings.segment

    return run


ONE_ENV = mappo(envs=1, segment=240, epochs=10, minibatches=1)

BENCHMARK = Benchmark(
    name="Training MAPPO, 33 buses, 6 agents",
    question="How many environment steps are collected and learnt from per second?",
    unit="step",
    contestants=(
        Contestant("ours, 1 seed x 1 env", partial(updates, ONE_ENV, 1), note="10 epochs over all 240 steps"),
        Contestant("ours, 10 seeds x 1 env", partial(updates, ONE_ENV, 10), note="the same, one process"),
        Contestant(
            "ours, 5 seeds x 16 envs", partial(updates, mappo(), 5), note="the default: 5 epochs, 16 x 60 steps"
        ),
        Contestant("pandapower", pandapower_one_by_one, note="runpp alone: neither world nor learning"),
    ),
    targets=(
        Target("ours, 1 seed x 1 env", ("pandapower",), 60),
        Target("ours, 10 seeds x 1 env", ("pandapower",), 120),
    ),
    notes=(
        "Steps count over all seeds. Networks 64-64, critic on the global state, as in the default settings.",
        "MAPDN itself takes 20 updates on 32 sampled transitions per 240 steps, less arithmetic per step than here.",
    ),
)
