"""From steps to learnable samples: old values, advantages, critic targets and old log-probabilities."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch

from replication.algos.advantages import ReturnScale, gae, normalise
from replication.algos.ppo_settings import PPOSettings
from replication.algos.rollout import Segment

Critic = Callable[[np.ndarray], np.ndarray]  # scaled inputs (S, ..., rows, features) -> (S, ..., heads), critic's units
Numbers = Any  # a numpy array when made, a tensor after `Batch.to`


@dataclass
class Batch:
    """n samples of every seed."""

    actor_input: Numbers  # (S, n, rows, features)
    critic_input: Numbers  # (S, n, rows, features)
    point: Numbers  # (S, n, rows, outputs) where the density is evaluated
    old_log_probability: Numbers  # (S, n, rows)
    advantage: Numbers  # (S, n, rows)
    target: Numbers  # (S, n, heads) in the critic's units; one-step: without the value of the next step
    old_value: Numbers  # (S, n, heads) in the critic's units
    std: Numbers  # (S, rows, outputs) deviation of the behaviour
    next_critic_input: Numbers = None  # one-step targets: what the critic sees after the step
    goes_on: Numbers = None  # one-step targets: (S, n, 1), 0 where the episode ended
    memory: Numbers = None  # recurrent actors: (S, n, rows, memory) before the step
    keeps_memory: Numbers = None  # recurrent actors: (S, n, 1, 1), 0 where an episode starts

    def to(self, device: torch.device) -> "Batch":
        """The same batch as tensors on `device`."""
        arrays = {f.name: getattr(self, f.name) for f in fields(self)}
        return Batch(**{name: None if a is None else torch.from_numpy(a).to(device) for name, a in arrays.items()})


@dataclass
class Steps:
    """Consecutive steps (S, E, T, ...) of a segment, or a window of them, with the critic's view of both ends."""

    actor_input: np.ndarray  # (S, E, T, rows, features)
    critic_input: np.ndarray  # (S, E, T, rows, features)
    pre_tanh: np.ndarray  # (S, E, T, A, action_size)
    mean: np.ndarray  # (S, E, T, A, action_size)
    reward: np.ndarray  # (S, E, T, A)
    terminated: np.ndarray  # (S, E, T)
    cut: np.ndarray  # (S, E, T) the next step belongs to another episode
    value: np.ndarray  # (S, E, T, heads) in the critic's units
    next_value: np.ndarray  # (S, E, T, heads) in the critic's units, of what each step reached before any reset
    next_critic_input: np.ndarray | None  # (S, E, T, rows, features) there, for one-step targets
    memory: np.ndarray | None  # (S, E, T, rows, memory)
    keeps_memory: np.ndarray | None  # (S, E, T, 1, 1)


def steps_of(settings: PPOSettings, segment: Segment, value: Critic) -> Steps:
    """The steps of a segment, as the critic sees them."""
    cut = segment.terminated | segment.truncated
    now, last = value(segment.critic_input), value(segment.last_critic_input)
    finals = {t: value(seen) for t, seen in segment.final_critic_input.items()}
    keeps = None
    if segment.memory is not None:
        keeps = np.ones((*cut.shape, 1, 1), dtype=segment.memory.dtype)
        keeps[:, :, 1:, 0, 0] = ~cut[:, :, :-1]
    return Steps(
        actor_input=segment.actor_input,
        critic_input=segment.critic_input,
        pre_tanh=segment.pre_tanh,
        mean=segment.mean,
        reward=segment.reward,
        terminated=segment.terminated,
        cut=cut,
        value=now,
        next_value=after_step(now, last, finals, cut),
        next_critic_input=_next_inputs(segment, cut) if settings.value_target == "one_step" else None,
        memory=segment.memory,
        keeps_memory=keeps,
    )


def after_step(now: np.ndarray, last: np.ndarray, finals: dict[int, np.ndarray], cut: np.ndarray) -> np.ndarray:
    """What each step reached, before any reset.

    Args:
        now: (S, E, T, ...) before each step. last: (S, E, ...) after the last step and its resets.
        finals: step -> (S, E, ...) before the resets of that step. cut: (S, E, T) where a lane was reset.
    """
    after = np.concatenate([now[:, :, 1:], last[:, :, None]], axis=2)
    for t, final in finals.items():
        lanes = cut[:, :, t]
        after[:, :, t][lanes] = final[lanes]
    return after


def _next_inputs(segment: Segment, cut: np.ndarray) -> np.ndarray:
    return after_step(segment.critic_input, segment.last_critic_input, segment.final_critic_input, cut)


def learnable(settings: PPOSettings, steps: Steps, std: np.ndarray, returns: ReturnScale, new: bool) -> Batch:
    """Advantages and targets of `steps` as one batch of E * T samples; `new` returns also move the running scale.

    Advantages are normalised here over the whole batch ("gae_normalised") or left raw for `batch_normalised`.
    """
    old, after = returns.to_returns(steps.value), returns.to_returns(steps.next_value)
    reward = heads(settings, steps.reward, old.shape[-1])
    ended = steps.cut if settings.time_limit == "terminal" else steps.terminated
    advantage = gae(reward, old, after, ended, steps.cut, settings.gamma, settings.gae_lambda)
    target = advantage + old
    if new:
        returns.update(target)
    rows = steps.actor_input.shape[3]
    advantage = per_row(advantage, rows)
    if settings.advantage == "gae_normalised":
        advantage = normalise(advantage)
    point, old_log_probability = behaviour(settings, steps, std, rows)
    batch = Batch(
        actor_input=flat(steps.actor_input),
        critic_input=flat(steps.critic_input),
        point=flat(point),
        old_log_probability=flat(old_log_probability),
        advantage=flat(advantage),
        target=flat(returns.to_scaled(target)),
        old_value=flat(steps.value),
        std=std.reshape(len(std), rows, -1),
        memory=None if steps.memory is None else flat(steps.memory),
        keeps_memory=None if steps.keeps_memory is None else flat(steps.keeps_memory),
    )
    return batch if settings.value_target == "gae_return" else _one_step(settings, batch, steps, reward, ended, returns)


def _one_step(settings, batch: Batch, steps: Steps, reward, ended, returns: ReturnScale) -> Batch:
    """Targets r + gamma V(s'), with V(s') left to the critic of the moment: target = r + gamma * mean of returns."""
    goes_on = (~ended[..., None]).astype(reward.dtype)
    mean, _ = returns.mean_and_deviation
    batch.target = flat(returns.to_scaled(reward + settings.gamma * goes_on * mean.astype(reward.dtype)))
    batch.goes_on = flat(goes_on)
    batch.next_critic_input = None if steps.next_critic_input is None else flat(steps.next_critic_input)
    return batch


def heads(settings: PPOSettings, reward: np.ndarray, count: int) -> np.ndarray:
    """Reward (S, E, T, count) of each value head from rewards (S, E, T, A)."""
    if settings.shared_reward:
        reward = np.repeat(reward.mean(axis=-1, keepdims=True), count, axis=-1)
    if settings.reward_normalisation == "batch":
        return normalise(reward, per_head=True, epsilon=1e-5)
    return reward


def per_row(advantage: np.ndarray, rows: int) -> np.ndarray:
    """Advantage (S, E, T, rows) of each actor row from the heads' (S, E, T, heads)."""
    if rows == 1:
        return advantage.mean(axis=-1, keepdims=True)
    return np.ascontiguousarray(np.broadcast_to(advantage, (*advantage.shape[:-1], rows)))


def batch_normalised(batch: Batch) -> Batch:
    """Advantages as after BatchNorm1d over the samples of this batch, one channel per actor row."""
    batch.advantage = normalise(batch.advantage, per_head=True, epsilon=1e-5)
    return batch


def behaviour(settings: PPOSettings, steps: Steps, std: np.ndarray, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the density is evaluated (S, E, T, rows, outputs), and what counts as its old logarithm (S, E, T, rows)."""
    shape = (*steps.mean.shape[:3], rows, -1)
    squashed = np.tanh(steps.pre_tanh).reshape(shape)
    point = squashed if settings.log_probability_at == "squashed" else steps.pre_tanh.reshape(shape)
    if settings.ratio == "stored_action":
        return point, squashed.sum(axis=-1)
    deviation = std.reshape(len(std), 1, 1, rows, -1)
    score = (point - steps.mean.reshape(shape)) / deviation
    density = -0.5 * np.square(score) - np.log(deviation) - 0.5 * np.log(2 * np.pi)
    return point, density.sum(axis=-1).astype(point.dtype)


def flat(array: np.ndarray) -> np.ndarray:
    """(S, E, T, ...) -> (S, E * T, ...)."""
    return array.reshape(len(array), -1, *array.shape[3:])
