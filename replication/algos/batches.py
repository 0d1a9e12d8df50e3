"""From steps to learnable samples: old values, advantages, critic targets and old log-probabilities."""

from dataclasses import dataclass, fields

import numpy as np
import torch

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
    advantage: np.ndarray  # (S, n, rows)
    target: np.ndarray  # (S, n, heads) in the critic's units; one-step: without the value of the next step
    old_value: np.ndarray  # (S, n, heads) in the critic's units
    std: np.ndarray  # (S, rows, outputs) deviation of the behaviour
    next_critic_input: np.ndarray | None = None  # one-step targets: what the critic sees after the step
    goes_on: np.ndarray | None = None  # one-step targets: (S, n, 1), 0 where the episode ended
    memory: np.ndarray | None = None  # recurrent actors: (S, n, rows, memory) before the step
    keeps_memory: np.ndarray | None = None  # recurrent actors: (S, n, 1, 1), 0 where an episode starts

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
    next_critic_input: np.ndarray  # (S, E, T, rows, features) after each step, before resets
    next_value: np.ndarray  # (S, E, T, heads) in the critic's units
    memory: np.ndarray | None  # (S, E, T, rows, memory)
    keeps_memory: np.ndarray | None  # (S, E, T, 1, 1)


def steps_of(segment: Segment, value) -> Steps:
    """The steps of a segment, seen by the critic `value` (scaled inputs -> critic outputs)."""
    cut = segment.terminated | segment.truncated
    after = after_step(segment, cut)
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
        value=value(segment.critic_input),
        next_critic_input=after,
        next_value=value(after),
        memory=segment.memory,
        keeps_memory=keeps,
    )


def after_step(segment: Segment, cut: np.ndarray) -> np.ndarray:
    """What the critic sees after each step, before any reset: (S, E, T, rows, features)."""
    after = np.empty_like(segment.critic_input)
    after[:, :, :-1] = segment.critic_input[:, :, 1:]
    after[:, :, -1] = segment.last_critic_input
    for t, final in segment.final_critic_input.items():
        after[:, :, t] = np.where(cut[:, :, t, None, None], final, after[:, :, t])
    return after


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
    batch.goes_on, batch.next_critic_input = flat(goes_on), flat(steps.next_critic_input)
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
