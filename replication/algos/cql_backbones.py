"""One update's slopes for each backbone: forward passes, targets, losses and backward passes, seed after seed."""

import numpy as np
from numba import njit

from replication.algos.cql_kernels import (
    MEAN_Q,
    actor_slopes,
    arrange,
    critic_slopes,
    expectile_slopes,
    greedy_values,
    likelihood_slopes,
    smaller,
    soft_values,
)
from replication.algos.relu_mlp import backward, forward, glance


@njit(cache=True, error_model="numpy")
def dqn(batch, scales, seen, rules, critic, numbers):
    """Double Q-learning; `critic` = (weights, slopes, target, sizes, room, room for outputs)."""
    flat, slopes, target, sizes, room, other = critic
    shape = seen.mask.shape
    out, valued, slope = room.out.reshape(shape), other.reshape(shape), room.slope_out.reshape(shape)
    for s in range(len(flat)):
        arrange(s, batch, scales[0], scales[1], seen)
        glance(target[s], sizes, seen.later_rows, room, other)
        if rules.double:
            glance(flat[s], sizes, seen.later_rows, room, room.out)
            greedy_values(out, valued, seen.later_mask, seen.after)
        else:
            greedy_values(valued, valued, seen.later_mask, seen.after)
        forward(flat[s], sizes, seen.now_rows, room)
        critic_slopes(out, seen, rules, slope, numbers[s])
        backward(flat[s], slopes[s], sizes, seen.now_rows, room)
        greedy_values(out, out, seen.mask, seen.after)
        numbers[s, MEAN_Q] = seen.after.mean() * (len(out) if rules.mixed else 1)


@njit(cache=True, error_model="numpy")
def sac(batch, scales, seen, rules, critic, actor, beta, surplus, numbers):
    """Soft actor-critic with twin critics; the actor learns from the critics as they are before this update."""
    flat, slopes, target, sizes, room, other = critic
    actor_flat, actor_slope, _, actor_sizes, actor_room, _ = actor
    heads, count, actions = seen.mask.shape
    twins = room.out.reshape(2, heads, count, actions)
    slope = room.slope_out.reshape(2, heads, count, actions)
    logits, logit_slope = actor_room.out.reshape(seen.mask.shape), actor_room.slope_out.reshape(seen.mask.shape)
    for s in range(len(flat)):
        arrange(s, batch, scales[0], scales[1], seen)
        glance(target[s], sizes, seen.later_rows, room, other)
        glance(actor_flat[s], actor_sizes, seen.later_rows, actor_room, actor_room.out)
        soft_values(logits, other.reshape(2, heads, count, actions), seen, beta[s], rules.entropy_backup)
        forward(flat[s], sizes, seen.now_rows, room)
        for k in range(2):
            critic_slopes(twins[k], seen, rules, slope[k], numbers[s])
        smaller(twins, seen.least)
        backward(flat[s], slopes[s], sizes, seen.now_rows, room)
        forward(actor_flat[s], actor_sizes, seen.now_rows, actor_room)
        actor_slopes(logits, seen, rules, beta[s], logit_slope, numbers[s], surplus[s])
        backward(actor_flat[s], actor_slope[s], actor_sizes, seen.now_rows, actor_room)


@njit(cache=True, error_model="numpy")
def iql(batch, scales, seen, rules, critic, value, actor, weight, numbers):
    """Implicit Q-learning: expectile values, twin critics, advantage-weighted regression, each agent on its own."""
    flat, slopes, target, sizes, room, other = critic
    value_flat, value_slopes, _, value_sizes, value_room, _ = value
    actor_flat, actor_slope, _, actor_sizes, actor_room, _ = actor
    heads, count, actions = seen.mask.shape
    twins, valued = room.out.reshape(2, heads, count, actions), other.reshape(2, heads, count, actions)
    slope = room.slope_out.reshape(2, heads, count, actions)
    values, value_slope = value_room.out.reshape(heads, count, 1), value_room.slope_out.reshape(heads, count, 1)
    logits, logit_slope = actor_room.out.reshape(seen.mask.shape), actor_room.slope_out.reshape(seen.mask.shape)
    for s in range(len(flat)):
        arrange(s, batch, scales[0], scales[1], seen)
        glance(value_flat[s], value_sizes, seen.later_rows, value_room, value_room.out)
        seen.after[:] = values[:, :, 0]
        forward(flat[s], sizes, seen.now_rows, room)
        for k in range(2):
            critic_slopes(twins[k], seen, rules, slope[k], numbers[s])
        backward(flat[s], slopes[s], sizes, seen.now_rows, room)
        glance(target[s], sizes, seen.now_rows, room, other)
        forward(value_flat[s], value_sizes, seen.now_rows, value_room)
        expectile_slopes(values, valued, seen, rules, value_slope, numbers[s], weight)
        backward(value_flat[s], value_slopes[s], value_sizes, seen.now_rows, value_room)
        forward(actor_flat[s], actor_sizes, seen.now_rows, actor_room)
        likelihood_slopes(logits, seen, weight, logit_slope, numbers[s])
        backward(actor_flat[s], actor_slope[s], actor_sizes, seen.now_rows, actor_room)


@njit(cache=True, error_model="numpy")
def bc(batch, scales, seen, actor, numbers):
    """Behaviour cloning: cross-entropy of the logged actions."""
    flat, slopes, _, sizes, room, _ = actor
    logits, slope = room.out.reshape(seen.mask.shape), room.slope_out.reshape(seen.mask.shape)
    seen.after[:] = np.float32(1.0)
    for s in range(len(flat)):
        arrange(s, batch, scales[0], scales[1], seen)
        forward(flat[s], sizes, seen.now_rows, room)
        likelihood_slopes(logits, seen, seen.after, slope, numbers[s])
        backward(flat[s], slopes[s], sizes, seen.now_rows, room)
