"""A partner changes its behaviour: area under the ROC curve, and delay at a fixed rate of false alarms, per detector.

Nobody learns here: partner and team are scripted, so the time of the change and both behaviours are known.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

import replication
from replication.algos import detection
from replication.algos.detection_statistics import CHOICE_STATISTICS, CHOICES, FEATURE_STATISTICS, mean_shift
from replication.envs.navigators import distances
from replication.orchestration.plan import Result, Run
from replication.papers.optimal_transport.study_plans import DetectionStudy
from replication.seeding import keys, stream

MIRRORED = np.array([0, 2, 1, 4, 3])  # left for right, down for up
PARTNER = 0
SECTORS, NEAR, SLOW = 8, 0.2, 0.3  # cells of the partner model: directions, arena units, speed
CELLS = (SECTORS + 1) * 5
RATES = np.linspace(0.0, 1.0, 101)  # false-alarm rates at which the ROC curve is kept


class Streams(NamedTuple):
    """What was seen of the partner, (K, T, 25, ...), and the team's return (K, T)."""

    features: np.ndarray
    choices: np.ndarray
    cells: np.ndarray
    returns: np.ndarray


def measure_detection(study: DetectionStudy, seeds: tuple[int, ...], run: Run) -> Result:
    """Area under the ROC curve, delay, misses, and the false alarms there really were.

    "area": chance that the first window wholly behind the change looks less usual than one before it. The threshold
    comes from other streams without change; "delay": episodes to the first alarm, the length of the watch if there is
    none; "missed": share of streams without alarm.
    """
    names = ("area", "delay", "missed", "false_alarms")
    scores, curves = {name: np.empty(len(seeds)) for name in names}, np.empty((len(seeds), len(RATES)))
    for row, seed in enumerate(seeds):
        quiet, after = _test_streams(study, seed)
        statistics = detect(study, _append(quiet, after), seed)
        before, changed = np.split(statistics, [study.quiet - study.window + 1], axis=1)
        false, true, scores["area"][row] = detection.roc(before, changed[:, study.window - 1])
        curves[row] = [true[false <= rate + 1e-12].max() for rate in RATES]
        limit = _threshold(study, seed)
        late = detection.delays(changed, limit)
        scores["delay"][row] = np.minimum(late, study.watched).mean()
        scores["missed"][row] = np.isinf(late).mean()
        scores["false_alarms"][row] = (before > limit).mean()
        run.progress((row + 1) / len(seeds))
    return Result(scores=scores, curves={"detections": curves, "_false_alarms": RATES})


def detect(study: DetectionStudy, streams: Streams, seed: int) -> np.ndarray:
    """(K, T - reference - window + 1) the detector's statistic after every episode that ends a whole window."""
    name, reference, window = study.detector, study.reference, study.window
    if name in FEATURE_STATISTICS:
        features = standardised(streams.features, reference)
        return detection.window_statistics(features, reference, window, FEATURE_STATISTICS[name])
    if name in CHOICE_STATISTICS:
        return detection.window_statistics(streams.choices, reference, window, CHOICE_STATISTICS[name])
    if name == "permutation":
        embedded = np.concatenate([streams.features.mean(axis=2), streams.features.std(axis=2)], axis=2)
        rng = stream("detection permutations", seed)
        return detection.permutation_test(embedded, reference, window, study.permutations, rng)
    told = streams.returns
    if name == "reward_shift":
        return detection.window_statistics(
            standardised(told[:, :, None, None], reference), reference, window, mean_shift
        )
    if name == "model_sum":
        told = detection.log_likelihoods(streams.cells, streams.choices, reference, (CELLS, CHOICES))
    sums = detection.cumulative_sums(told, reference, both=name == "reward_sum")
    return sums[:, window - 1 :]


def standardised(features: np.ndarray, reference: int) -> np.ndarray:
    """Features (K, T, L, d) with mean 0 and deviation 1 in each stream's reference; constant ones become 0."""
    start = features[:, :reference]
    mean, deviation = (function(start, axis=(1, 2), keepdims=True) for function in (np.mean, np.std))
    return (features - mean) / np.where(deviation > 0, deviation, np.inf)


def _threshold(study: DetectionStudy, seed: int) -> float:
    """From streams without change; the permutation test needs none, its level is the rate itself."""
    if study.detector == "permutation":
        return 1.0 - study.false_alarms - 1e-9
    return detection.alarm_threshold(detect(study, _quiet_streams(study, seed), seed), study.false_alarms)


def _quiet_streams(study: DetectionStudy, seed: int) -> Streams:
    return _play(_world_of(study), study.before, "calibration", seed, study.streams, study.reference + study.quiet)


def _test_streams(study: DetectionStudy, seed: int) -> tuple[Streams, Streams]:
    """The same episodes before the change for every partner that comes after it."""
    world = _world_of(study)
    quiet = _play(world, study.before, "before", seed, study.streams, study.reference + study.quiet)
    return quiet, _play(world, _after(study), "after", seed, study.streams, study.watched)


def _after(study: DetectionStudy) -> str:
    return f"mirrored {study.before}" if study.after == "mirrored" else study.after


def _append(first: Streams, second: Streams) -> Streams:
    return Streams(*(np.concatenate(parts, axis=1) for parts in zip(first, second, strict=True)))


def _world_of(study: DetectionStudy) -> tuple[int, str, str]:
    return study.agents, study.team, study.features


@lru_cache(maxsize=16)  # the detectors of one change watch the same streams
def _play(world_of: tuple[int, str, str], partner: str, part: str, seed: int, streams: int, episodes: int) -> Streams:
    """Streams of independent episodes of one partner in one team."""
    agents, team, kind = world_of
    world = replication.make(f"navigation/spread{agents}", num_envs=streams * episodes)
    others = replication.controller(world, team)
    mirrored = partner.startswith("mirrored ")
    alone = replication.controller(world, partner.removeprefix("mirrored "))
    world.reset(keys(f"detection streams {part}", seed, count=world.num_envs))
    features, choices, cells, returns = [], [], [], np.zeros(world.num_envs)
    for _ in range(world.horizon):
        actions = others.act(world).copy()
        own = alone.act(world)[:, PARTNER]
        actions[:, PARTNER] = MIRRORED[own] if mirrored else own
        choices.append(actions[:, PARTNER, 0])
        features.append(_features(world, kind, choices[-1]))
        cells.append(cell_of(world))
        _, reward, _, _, _ = world.step(actions)
        returns += reward.mean(axis=1)
    shape = (streams, episodes, world.horizon)
    arrays = [np.stack(rows, axis=1).reshape(*shape, *rows[0].shape[1:]) for rows in (features, choices, cells)]
    return Streams(arrays[0], arrays[1], arrays[2], returns.reshape(streams, episodes))


def _features(world, kind: str, choice: np.ndarray) -> np.ndarray:
    """(E, d) what the detectors see of the partner now."""
    velocity = world.velocities[:, PARTNER]
    if kind == "visits":
        return np.concatenate([world.positions[:, PARTNER], velocity], axis=1)
    if kind == "observation":
        return world.observation()[:, PARTNER].astype(np.float64)
    pushes = np.array([[0.0, 0.0], [-1.0, 0.0], [1.0, 0.0], [0.0, -1.0], [0.0, 1.0]])
    return np.concatenate([_to_nearest(world), velocity, pushes[choice]], axis=1)


def _to_nearest(world) -> np.ndarray:
    """(E, 2) offset from the partner to the landmark nearest to it."""
    nearest = distances(world)[:, PARTNER].argmin(axis=1)
    return world.landmarks[np.arange(world.num_envs), nearest] - world.positions[:, PARTNER]


def cell_of(world) -> np.ndarray:
    """(E,) cell of the partner model: direction of the nearest landmark (or near), direction of motion (or slow)."""
    offset, velocity = _to_nearest(world), world.velocities[:, PARTNER]
    sector = np.floor((np.arctan2(offset[:, 1], offset[:, 0]) / (2 * np.pi) + 1.0) * SECTORS).astype(int) % SECTORS
    sector = np.where(np.linalg.norm(offset, axis=1) < NEAR, SECTORS, sector)
    quarter = np.floor((np.arctan2(velocity[:, 1], velocity[:, 0]) / (2 * np.pi) + 1.125) * 4).astype(int) % 4
    moving = np.where(np.linalg.norm(velocity, axis=1) < SLOW, 4, quarter)
    return sector * 5 + moving
