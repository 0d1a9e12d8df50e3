"""From a segment to minibatches: old values, advantages, targets, and which steps go together."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

import numpy as np
import torch

from replication import seeding
from replication.algos.advantages import ReturnScale, gae, normalise
from replication.algos.ppo_settings import PPOSettings
from replication.algos.rollout import Segment


@dataclass
class Batch:
    """n samples of every seed; numpy arrays when made, tensors after `to`."""

    actor_input: np.ndarray  # (S, n, rows, features)
    critic_input: np.ndarray  # (S, n, rows, features)
    point: np.ndarray  # (S, n, rows, outputs) where the density is evaluated
    old_log_probability: np.ndarray  # (S, n, rows)
    std: np.ndarray  # (S, rows, outputs)
    advantage: np.ndarray  # (S, n, rows)
    target: np.ndarray  # (S, n, heads); one-step: the reward part only
    old_value: np.ndarray  # (S, n, heads)
    next_critic_input: np.ndarray | None = None  # one-step targets: what the critic sees after the step
    goes_on: np.ndarray | None = None  # one-step targets: (S, n, 1), 0 where the episode ended

    def to(self, device: torch.device) -> "Batch":
        """The same batch as tensors on `device`."""
        arrays = {f.name: getattr(self, f.name) for f in fields(self)}
        return Batch(**{name: None if a is None else torch.from_numpy(a).to(device) for name, a in arrays.items()})


@dataclass
class Prepared:
    """Minibatches of one update, critic and actor apart (with random splits they are the same samples)."""

    critic: Iterator[Batch]
    actor: Iterator[Batch]


@dataclass
class Steps:
    """Consecutive steps (S, E, T, ...) of a segment, or a window of them, with the critic's view of both ends."""

    segment: Segment
    value: np.ndarray  # (S, E, T, heads) in the critic's units
    after: np.ndarray  # (S, E, T, rows, features) what the critic sees after each step, before resets
    value_after: np.ndarray  # (S, E, T, heads)


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
    after = after_step(segment)
    steps = Steps(segment, value(segment.critic_input), after, value(after))
    samples = learnable(settings, steps, returns, new=True)
    streams = [seeding.stream("minibatches", seed, update) for seed in seeds]
    orders = np.stack([_orders(settings, generator) for generator in streams], axis=1)
    return Prepared(_split(settings, samples, orders), _split(settings, samples, orders))


def learnable(settings: PPOSettings, steps: Steps, returns: ReturnScale, new: bool = False) -> Batch:
    """Advantages and targets of `steps` as one batch of E * T samples; `new` returns also move the scale."""
    segment = steps.segment
    old, after = returns.to_returns(steps.value), returns.to_returns(steps.value_after)
    reward = heads(settings, segment.reward, old.shape[-1])
    cut = segment.terminated | segment.truncated
    ended = cut if settings.time_limit == "terminal" else segment.terminated
    advantage = gae(reward, old, after, ended, cut, settings.gamma, settings.gae_lambda)
    target = advantage + old
    if new:
        returns.update(target)
    rows = segment.actor_input.shape[3]
    point, old_log_probability = behaviour(settings, segment, rows)
    return Batch(
        actor_input=_flat(segment.actor_input),
        critic_input=_flat(segment.critic_input),
        point=_flat(point),
        old_log_probability=_flat(old_log_probability),
        std=segment.std.reshape(len(segment.std), rows, -1),
        advantage=_flat(per_row(normalise(advantage), rows)),
        target=_flat(returns.to_scaled(target)),
        old_value=_flat(steps.value),
    )


def heads(settings: PPOSettings, reward: np.ndarray, count: int) -> np.ndarray:
    """Reward (S, E, T, count) of each value head from rewards (S, E, T, A)."""
    if settings.shared_reward:
        return np.repeat(reward.mean(axis=-1, keepdims=True), count, axis=-1)
    return reward


def per_row(advantage: np.ndarray, rows: int) -> np.ndarray:
    """Advantage (S, E, T, rows) of each actor row from the heads' (S, E, T, heads)."""
    if rows == 1:
        return advantage.mean(axis=-1, keepdims=True)
    return np.ascontiguousarray(np.broadcast_to(advantage, (*advantage.shape[:-1], rows)))


def behaviour(settings: PPOSettings, segment: Segment, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the density is evaluated (S, E, T, rows, outputs), and what counts as its old logarithm (S, E, T, rows)."""
    shape = (*segment.mean.shape[:3], rows, -1)
    squashed = np.tanh(segment.pre_tanh).reshape(shape)
    point = squashed if settings.log_probability_at == "squashed" else segment.pre_tanh.reshape(shape)
    if settings.ratio == "stored_action":
        return point, squashed.sum(axis=-1)
    std = segment.std.reshape(len(segment.std), 1, 1, rows, -1)
    score = (point - segment.mean.reshape(shape)) / std
    density = -0.5 * np.square(score) - np.log(std) - 0.5 * np.log(2 * np.pi)
    return point, density.sum(axis=-1).astype(point.dtype)


def after_step(segment: Segment) -> np.ndarray:
    """What the critic sees after each step, before any reset: (S, E, T, rows, features)."""
    after = np.empty_like(segment.critic_input)
    after[:, :, :-1] = segment.critic_input[:, :, 1:]
    after[:, :, -1] = segment.last_critic_input
    cut = segment.terminated | segment.truncated
    for t, final in segment.final_critic_input.items():
        after[:, :, t] = np.where(cut[:, :, t, None, None], final, after[:, :, t])
    return after


def _flat(array: np.ndarray) -> np.ndarray:
    return array.reshape(len(array), -1, *array.shape[3:])


def _orders(settings: PPOSettings, generator: np.random.Generator) -> np.ndarray:
    """(epochs, E * T) random orders of one seed's samples."""
    return np.stack([generator.permutation(settings.envs * settings.segment) for _ in range(settings.epochs)])


def _split(settings: PPOSettings, samples: Batch, orders: np.ndarray) -> Iterator[Batch]:
    for order in orders:  # (epochs, S, E * T)
        for part in np.array_split(order, settings.minibatches, axis=1):
            yield gather(samples, part)


def gather(samples: Batch, part: np.ndarray) -> Batch:
    """The samples `part` (S, n) of every seed."""
    row = np.arange(len(part))[:, None]
    arrays = {f.name: getattr(samples, f.name) for f in fields(samples)}
    taken = {name: a if a is None or name == "std" else a[row, part] for name, a in arrays.items()}
    return Batch(**taken)
