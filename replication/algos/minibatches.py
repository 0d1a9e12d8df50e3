"""Which samples learn together: random splits of a segment, or windows of consecutive steps."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

import numpy as np

from replication import seeding
from replication.algos.advantages import ReturnScale
from replication.algos.batches import Batch, Steps, batch_normalised, learnable, steps_of
from replication.algos.ppo_settings import PPOSettings
from replication.algos.rollout import Segment


@dataclass
class Prepared:
    """Minibatches of one update, for critic and actor (with random splits both see the same samples)."""

    critic: Iterator[Batch]
    actor: Iterator[Batch]


def prepare(
    settings: PPOSettings,
    segment: Segment,
    value: Callable[[np.ndarray], np.ndarray],
    returns: ReturnScale,
    seeds: tuple[int, ...],
    update: int,
) -> Prepared:
    """Minibatches of one update.

    Args:
        value: critic as a function of scaled inputs, in the critic's units.
        returns: scale of returns; takes this segment's returns in.
        seeds, update: name the random streams.
    """
    steps = steps_of(segment, value)
    samples = learnable(settings, steps, segment.std, returns, new=True)
    if settings.minibatch_rule == "random":
        orders = _orders(settings, seeds, update)
        return Prepared(_split(settings, samples, orders), _split(settings, samples, orders))

    def windows(purpose: str) -> Iterator[Batch]:
        return _windows(settings, steps, segment.std, returns, [seeding.stream(purpose, s, update) for s in seeds])

    return Prepared(windows("critic windows"), windows("actor windows"))


def _orders(settings: PPOSettings, seeds: tuple[int, ...], update: int) -> np.ndarray:
    """(epochs, S, chunks, length) random orders of samples; chunks of one step unless the actor is recurrent."""
    length = settings.backpropagation_steps if settings.recurrent else 1
    chunks = settings.envs * settings.segment // length
    orders = np.empty((settings.epochs, len(seeds), chunks), dtype=np.int64)
    for row, seed in enumerate(seeds):
        generator = seeding.stream("minibatches", seed, update)
        for epoch in range(settings.epochs):
            orders[epoch, row] = generator.permutation(chunks)
    return orders[..., None] * length + np.arange(length)


def _split(settings: PPOSettings, samples: Batch, orders: np.ndarray) -> Iterator[Batch]:
    for order in orders:
        for part in np.array_split(order, settings.minibatches, axis=1):
            batch = gather(samples, part.reshape(len(part), -1))
            yield batch_normalised(batch) if settings.advantage == "batch_norm" else batch


def gather(samples: Batch, part: np.ndarray) -> Batch:
    """The samples `part` (S, n) of every seed."""
    row = np.arange(len(part))[:, None]
    arrays = {f.name: getattr(samples, f.name) for f in fields(samples)}
    taken = {name: a if a is None or name == "std" else a[row, part] for name, a in arrays.items()}
    return Batch(**taken)


def _windows(settings: PPOSettings, steps: Steps, std, returns: ReturnScale, generators) -> Iterator[Batch]:
    """`epochs` windows of `batch_size` steps, each seed with its own place; advantages end with the window.

    Source: MAPDN code, utilities/replay_buffer.py and learning_algorithms/ppo.py.
    """
    for _ in range(settings.epochs):
        env = np.array([generator.integers(settings.envs) for generator in generators])
        last = settings.segment - settings.batch_size
        start = np.array([generator.integers(last + 1) for generator in generators])
        batch = learnable(settings, _cut_out(steps, env, start, settings.batch_size), std, returns, new=False)
        yield batch_normalised(batch) if settings.advantage == "batch_norm" else batch


def _cut_out(steps: Steps, env: np.ndarray, start: np.ndarray, length: int) -> Steps:
    """Window (S, 1, length, ...) of every seed, from its own `env` (S,) and `start` (S,)."""
    row = np.arange(len(env))[:, None, None]
    time = start[:, None, None] + np.arange(length)
    arrays = {f.name: getattr(steps, f.name) for f in fields(steps)}
    return Steps(**{name: None if a is None else a[row, env[:, None, None], time] for name, a in arrays.items()})
