"""Gradient steps of conservative Q-learning on logged data, many models side by side, against d3rlpy's one by one."""

from functools import partial

import numpy as np

import replication  # noqa: F401  (one thread per library)
from benchmarks.contest import Benchmark, Contestant, Run, Target
from benchmarks.peers.process import work_elsewhere
from replication.algos.cql import CQL
from replication.algos.cql_settings import CQLSettings
from replication.algos.offline_training import Minibatches, fit_to_data
from replication.data.offline import OfflineData

BATCH, FEATURES, ACTIONS, EPISODES, HORIZON = 256, 6, 4, 20, 1000  # as in peers/d3rlpy_speed.py


def logged(agents: int) -> OfflineData:
    """Random numbers in the shapes of the radio world; every action is valid."""
    generator = np.random.default_rng(0)
    seen = (EPISODES, HORIZON + 1, agents)
    return OfflineData(
        observation=generator.random((*seen, FEATURES), dtype=np.float32),
        mask=np.ones((*seen, ACTIONS), bool),
        action=generator.integers(0, ACTIONS, (EPISODES, HORIZON, agents), dtype=np.int8),
        reward=generator.random((EPISODES, HORIZON), dtype=np.float32),
        terminated=np.zeros((EPISODES, HORIZON), bool),
    )


def updates(settings: CQLSettings, agents: int, num_seeds: int, count: int) -> Run:
    """Draw minibatches and learn from them, every agent of every seed a model."""
    seeds, data = tuple(range(num_seeds)), logged(agents)
    episodes = np.tile(np.arange(data.episodes), (num_seeds, 1))
    minibatches = Minibatches(data, episodes, seeds, settings.batch_size)
    learner = CQL(settings, agents, FEATURES, ACTIONS, seeds, fit_to_data(data, episodes, shared=False))
    done = 0

    def run() -> int:
        nonlocal done
        for _ in range(count):
            learner.update(minibatches.take(done))
            done += 1
        return count * agents * num_seeds

    return run


def contestants(width: int, count: int) -> tuple[Contestant, ...]:
    """Ours and theirs with two hidden layers of `width` units."""
    nets = f"{width}-{width}"
    dqn = CQLSettings(backbone="dqn", paradigm="independent", hidden=(width, width), batch_size=BATCH)
    sac = CQLSettings(backbone="sac", paradigm="ctde", hidden=(width, width), batch_size=BATCH)
    theirs = partial(work_elsewhere, "d3rlpy_speed.py", count=4)
    return (
        Contestant(f"ours, {nets}", partial(updates, dqn, 4, 5, count), note="double DQN, 4 agents x 5 seeds"),
        Contestant(
            f"ours, {nets}, one model", partial(updates, dqn, 1, 1, 10 * count), note="the same, nothing beside"
        ),
        Contestant(f"ours, {nets}, SAC", partial(updates, sac, 4, 5, count), note="actor and twin critics per model"),
        Contestant(f"d3rlpy, {nets}", partial(theirs, "sample", str(width), str(width)), note="one model"),
        Contestant(f"d3rlpy, {nets}, update", partial(theirs, "update", str(width), str(width)), note="draws no batch"),
    )


BENCHMARK = Benchmark(
    name="Offline learning, conservative Q-learning",
    question="How many gradient steps of one model (minibatches of 256) are made per second?",
    unit="step",
    contestants=(*contestants(64, 5), *contestants(256, 1)),
    targets=(
        Target("ours, 64-64", ("d3rlpy, 64-64",), 10),
        Target("ours, 256-256", ("d3rlpy, 256-256",), 4),
    ),
    notes=(
        "Both sides draw the minibatch and update, a double DQN with the conservative term; a test holds losses and "
        "gradients equal. d3rlpy without its log and progress bar, in a process of its own environment.",
        "Ours moves the target network in every step, d3rlpy copies it every 8,000 steps. Agents are independent.",
    ),
)
