"""What a paradigm costs: parameters, outputs, bytes exchanged, time of an update and of a decision."""

from time import perf_counter

import numpy as np

from replication.algos.cql import CQL, MOST_JOINT_AGENTS, Batch
from replication.algos.cql_settings import CQLSettings
from replication.algos.discrete_policy import DiscretePolicy
from replication.algos.relu_mlp import initial_weights, weight_count
from replication.algos.scaling import no_scaling
from replication.orchestration.plan import Result, Run
from replication.papers.radio_resource.study import ComplexityStudy
from replication.seeding import stream

FEATURES, ACTIONS, NUMBER_BYTES = 6, 4, 4  # three users with two numbers each, off or one of three; float32


def measure_complexity(study: ComplexityStudy, seeds: tuple[int, ...], run: Run) -> Result:
    """Sizes of one critic's networks, and times where they can be had: a joint learner beyond five APs only decides."""
    aps, settings = study.access_points, study.learner
    joint = settings.paradigm == "centralised"
    sizes, nets = network_sizes(settings, aps)
    scores = {
        "parameters": nets * weight_count(sizes),
        "outputs": sizes[3] * (1 if joint else aps),
        "bytes_per_tti": aps * (FEATURES * NUMBER_BYTES + 1) if joint else 0,  # numbers to the hub, an action back
        "decision_us": 1e6 * _seconds(_decision(settings, aps, sizes, nets, joint), study.timed),
    }
    if not joint or aps <= MOST_JOINT_AGENTS:
        scores["update_ms"] = 1e3 * _seconds(_update(settings, aps), study.timed)
    return Result({name: np.full(len(seeds), float(value)) for name, value in scores.items()})


def network_sizes(settings: CQLSettings, aps: int) -> tuple[tuple[int, ...], int]:
    """(inputs, hidden, hidden, outputs) of one network, and how many networks there are."""
    if settings.paradigm == "centralised":
        return (aps * FEATURES, *settings.hidden, ACTIONS**aps), 1
    return (FEATURES, *settings.hidden, ACTIONS), 1 if settings.share_weights else aps


def _decision(settings: CQLSettings, aps: int, sizes: tuple[int, ...], nets: int, joint: bool):
    """One TTI of one network: all agents' greedy actions."""
    policy = DiscretePolicy(initial_weights(sizes, nets, (0,), "untrained"), no_scaling(1, aps, FEATURES),
                            settings.hidden, aps, ACTIONS, "values", joint)  # fmt: skip
    observation, mask = np.zeros((1, aps, FEATURES), np.float32), np.ones((1, aps, ACTIONS), bool)
    return lambda: policy.act(observation, mask)


def _update(settings: CQLSettings, aps: int):
    """One gradient step of one seed on random numbers."""
    rng, samples = stream("random numbers to time an update on"), settings.batch_size
    seen = rng.random((2, 1, samples, aps, FEATURES), dtype=np.float32)
    mask, zeros = np.ones((1, samples, aps, ACTIONS), bool), np.zeros((1, samples), np.float32)
    action = rng.integers(ACTIONS, size=(1, samples, aps))
    batch = Batch(seen[0], mask, action, rng.random((1, samples), dtype=np.float32), seen[1], mask, zeros)
    learner = CQL(settings, aps, FEATURES, ACTIONS, (0,), no_scaling(1, aps, FEATURES))
    return lambda: learner.update(batch)


def _seconds(work, times: int) -> float:
    """Median over `times` calls, after one that does not count."""
    work()
    spent = []
    for _ in range(max(times, 1)):
        begin = perf_counter()
        work()
        spent.append(perf_counter() - begin)
    return float(np.median(spent))
