"""Which samples learn together: random splits of a segment, or windows of consecutive steps."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import numpy as np

from replication import seeding
from replication.algos.advantages import ReturnScale
from replication.algos.batches import Batch, Steps, batch_normalised, learnable
from replication.algos.ppo_settings import PPOSettings


def parts(settings: PPOSettings, seeds: tuple[int, ...], update: int) -> Iterator[np.ndarray]:
    """Random splits: sample numbers (S, n) of each minibatch; a recurrent actor's chunks stay together."""
    length = settings.backpropagation_steps if settings.recurrent else 1
    chunks = settings.envs * settings.segment // length
    generators = [seeding.stream("minibatches", seed, update) for seed in seeds]
    for _ in range(settings.epochs):
        order = np.stack([generator.permutation(chunks) for generator in generators])
        for part in np.array_split(order, settings.minibatches, axis=1):
            yield (part[..., None] * length + np.arange(length)).reshape(len(seeds), -1)


def random_batches(
    settings: PPOSettings, samples: Batch, seeds: tuple[int, ...], update: int
) -> Iterator[tuple[Batch, Batch]]:
    """The same random minibatch for critic and actor, again and again."""
    for part in parts(settings, seeds, update):
        batch = gather(samples, part)
        batch = batch_normalised(batch) if settings.advantage == "batch_norm" else batch
        yield batch, batch


def gather(samples: Batch, part: np.ndarray) -> Batch:
    """The samples `part` (S, n) of every seed."""
    row = np.arange(len(part))[:, None]
    arrays = {f.name: getattr(samples, f.name) for f in fields(samples)}
    taken = {name: a if a is None or name == "std" else a[row, part] for name, a in arrays.items()}
    return Batch(**taken)


def window_batches(
    settings: PPOSettings, steps: Steps, std: np.ndarray, returns: ReturnScale, seeds: tuple[int, ...], update: int
) -> Iterator[tuple[Batch, Batch]]:
    """Pairs of windows of `batch_size` consecutive steps, one for the critic and one for the actor.

    Each seed has its own places; advantages end with the window.
    Source: MAPDN code, utilities/replay_buffer.py and learning_algorithms/ppo.py.
    """
    generators = [seeding.stream("windows", seed, update) for seed in seeds]
    for _ in range(settings.epochs):
        yield _window(settings, steps, std, returns, generators), _window(settings, steps, std, returns, generators)


def _window(settings: PPOSettings, steps: Steps, std, returns: ReturnScale, generators) -> Batch:
    env = np.array([generator.integers(settings.envs) for generator in generators])
    last = settings.segment - settings.batch_size
    start = np.array([generator.integers(last + 1) for generator in generators])
    batch = learnable(settings, _cut_out(steps, env, start, settings.batch_size), std, returns, new=False)
    return batch_normalised(batch) if settings.advantage == "batch_norm" else batch


def _cut_out(steps: Steps, env: np.ndarray, start: np.ndarray, length: int) -> Steps:
    """Window (S, 1, length, ...) of every seed, from its own `env` (S,) and `start` (S,)."""
    row = np.arange(len(env))[:, None, None]
    time = start[:, None, None] + np.arange(length)
    arrays: dict[str, Any] = {f.name: getattr(steps, f.name) for f in fields(steps)}
    cut: dict[str, Any] = {n: None if a is None else a[row, env[:, None, None], time] for n, a in arrays.items()}
    return Steps(**cut)
