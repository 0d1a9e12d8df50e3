"""Teams that learn cooperative navigation against mpe2's environment stepped alone, and what alignment adds."""

from functools import partial

import replication
from benchmarks.contest import Benchmark, Contestant, Run, Target
from benchmarks.navigation import mpe2_episodes
from replication.algos.team_settings import arm
from replication.algos.team_training import TeamLoop

ARMS = {
    "independent": "A0",
    "OT actions": "A1",
    "OT barycenter": "A2",
    "KL": "A4",
    "sharing with numbers": "A8",
    "OT potential": "A10",
}
ALIGNED = ("OT actions", "OT barycenter")
SIDE_BY_SIDE = ("independent", *ALIGNED)
UPDATES = 1000  # over which the learning rate falls


def loop_of(name: str, num_seeds: int) -> TeamLoop:
    """Training of one arm with its default settings, three agents."""
    import torch

    torch.set_num_threads(1)
    settings = arm(ARMS[name])
    world = replication.make("navigation/spread3", num_envs=num_seeds * settings.envs)
    return TeamLoop(settings, world, tuple(range(num_seeds)), UPDATES)


def training(name: str, num_seeds: int) -> Run:
    """Collect one segment and learn from it, for all seeds side by side; nobody is evaluated."""
    loop = loop_of(name, num_seeds)
    steps = num_seeds * loop.settings.envs * loop.settings.segment

    def run() -> int:
        loop.advance()
        return steps

    return run


def update_alone(name: str) -> Run:
    """Learn from one segment again and again, with steps of length zero, so that it stays the policy's own."""
    loop = loop_of(name, 1)
    segment = loop.collector.collect(loop.learner.policy(), 0)
    done = 0

    def run() -> int:
        nonlocal done
        loop.learner.update(segment, done, learning_rate=0.0)
        done += 1
        return loop.settings.envs * loop.settings.segment

    return run


MPE2 = "mpe2, random actions"
USUAL, SHARED = arm("A0"), arm("A7")
BENCHMARK = Benchmark(
    name="Training teams, cooperative navigation, 3 agents",
    question="How many environment steps (of all agents) are collected and learnt from per second?",
    unit="step",
    contestants=(
        *(Contestant(f"{name}, 1 seed", partial(training, name, 1)) for name in ARMS),
        *(Contestant(f"{name}, 5 seeds", partial(training, name, 5), note="side by side") for name in SIDE_BY_SIDE),
        *(Contestant(f"update alone, {name}", partial(update_alone, name)) for name in SIDE_BY_SIDE),
        Contestant(MPE2, partial(mpe2_episodes, 3), note="neither policy nor learning"),
    ),
    targets=(
        *(Target(f"{name}, 1 seed", (MPE2,), 20) for name in ARMS),
        *(Target(f"{name}, 5 seeds", (MPE2,), 20) for name in SIDE_BY_SIDE),
        *(Target(f"update alone, {name}", ("update alone, independent",), 0.5) for name in ALIGNED),
    ),
    notes=(
        f"Default settings: {USUAL.envs} lanes x {USUAL.segment} steps per seed and update, {USUAL.epochs} passes in "
        f"{USUAL.minibatches} minibatches (sharing: {SHARED.minibatches}), networks of 64-64 for every agent (sharing: "
        "for all). Nobody is evaluated. Steps count over seeds.",
        "One minus the last ratios is the share of an update that alignment takes, all that comes with it included: "
        "the barycenter's rewards have a value of their own. Half of the update is the most it may take.",
        "mpe2's simple_spread_v3 is the same task; its random actions are drawn beforehand. One core for both sides.",
    ),
)
