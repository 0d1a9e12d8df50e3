"""Gradients of the team's losses by hand: clipped surrogate of choices or Gaussians, value or quantile critics.

Networks g = 0..G-1 are (seed) or (seed, agent); a sample holds `rows` rows of one network's inputs, one after another.
The samples to learn from are given per seed; network g belongs to seed g // nets_per_seed.
"""

import numpy as np
from numba import njit

from replication.algos.fast_mlp import BLOCK, blocks, layers
from replication.algos.team_mlp import backward_rows, forward_rows

NUMBERS = ("loss", "clipped_share", "entropy")


@njit(cache=True, error_model="numpy")
def take(inputs, chosen, rows, room):
    """Rows of the chosen samples, one sample after another, into the block; `inputs` (n * rows, features)."""
    for k in range(len(chosen)):
        for r in range(rows):
            room.inputs[k * rows + r] = inputs[chosen[k] * rows + r]


@njit(cache=True, error_model="numpy")
def softmax(logits, allowed, probability):
    """Probabilities (U,) of the allowed choices, 0 elsewhere; returns log(sum exp(logits))."""
    top, total = -np.inf, 0.0
    for u in range(len(logits)):
        if allowed[u] and logits[u] > top:
            top = logits[u]
    for u in range(len(logits)):
        probability[u] = np.exp(logits[u] - top) if allowed[u] else np.float32(0.0)
        total += probability[u]
    for u in range(len(logits)):
        probability[u] /= total
    return top + np.log(total)


@njit(cache=True, error_model="numpy")
def draw(logits, allowed, uniform, action, log_probability):
    """Draw choices and keep their log-probabilities.

    Args:
        logits: (n, U). allowed: (n, U) bool. uniform: (n,) in [0, 1).
        action, log_probability: (n,), out.
    """
    probability = np.empty(logits.shape[1], np.float32)
    for i in range(len(logits)):
        whole = softmax(logits[i], allowed[i], probability)
        choice, total, last = -1, 0.0, 0
        for u in range(len(probability)):
            total += probability[u]
            if probability[u] > 0:
                last = u
                if choice < 0 and uniform[i] < total:
                    choice = u
        action[i] = choice if choice >= 0 else last  # rounding may leave the total a little below 1
        log_probability[i] = logits[i, action[i]] - whole


@njit(cache=True, error_model="numpy")
def surrogate(ratio, gain, clip):
    """(loss, slope of the loss in the log-ratio, whether the ratio is outside the clip) of one sample."""
    clipped = min(max(ratio, 1.0 - clip), 1.0 + clip)
    slope = 0.0 if clipped * gain < ratio * gain else -ratio * gain
    return -min(ratio * gain, clipped * gain), slope, clipped != ratio


@njit(cache=True, error_model="numpy")
def choice_gradient(flat, gradient, size, relu, rows, inputs, allowed, action, old, gain, part, clip, entropy, out):
    """Clipped surrogate with entropy bonus of categorical policies.

    Source: 1707.06347, equation 7, with the entropy bonus of equation 9.

    Args:
        flat, gradient: (G, P) weights, and their slopes (overwritten).
        inputs: (G, n * rows, features). allowed: (G, n * rows, U). action, old, gain: (G, n * rows).
        part: (S, m) samples to learn from. out: (G, 3) overwritten with `NUMBERS`.
    """
    per_block, nets = max(1, BLOCK // rows), len(flat) // len(part)
    room = blocks(per_block * rows, size)
    probability = np.empty(size[4], np.float32)
    share = 1.0 / (part.shape[1] * rows)
    gradient[:], out[:] = 0.0, 0.0
    for g in range(len(flat)):
        w, slopes = layers(flat[g], size), layers(gradient[g], size)
        for start in range(0, part.shape[1], per_block):
            chosen = part[g // nets, start : start + per_block]
            take(inputs[g], chosen, rows, room)
            count = len(chosen) * rows
            forward_rows(w, room, count, relu)
            for r in range(count):
                row = chosen[r // rows] * rows + r % rows
                logits, slope_out, did = room.out[r], room.slope_out[r], action[g, row]
                whole = softmax(logits, allowed[g, row], probability)
                disorder = 0.0
                for u in range(len(probability)):
                    if probability[u] > 0:
                        disorder -= probability[u] * (logits[u] - whole)
                loss, slope, outside = surrogate(np.exp(logits[did] - whole - old[g, row]), gain[g, row], clip)
                out[g, 0] += share * (loss - entropy * disorder)
                out[g, 1] += share * outside
                out[g, 2] += share * disorder
                for u in range(len(probability)):
                    p = probability[u]
                    spread = p * (logits[u] - whole + disorder) if p > 0 else 0.0
                    slope_out[u] = share * (slope * ((u == did) - p) + entropy * spread)
            backward_rows(w, room, slopes, count, relu)


@njit(cache=True, error_model="numpy")
def gaussian_gradient(flat, gradient, size, relu, rows, inputs, point, old, gain, part, clip, entropy, out):
    """As `choice_gradient` for Gaussians with a learned deviation per row and output, evaluated before tanh.

    Args:
        point: (G, n * rows, U) the draws.
    """
    per_block, nets = max(1, BLOCK // rows), len(flat) // len(part)
    room = blocks(per_block * rows, size)
    kinds, outputs = size[1], size[4]
    share = 1.0 / (part.shape[1] * rows)
    gradient[:], out[:] = 0.0, 0.0
    for g in range(len(flat)):
        w, slopes = layers(flat[g], size), layers(gradient[g], size)
        log_std, slope_std = w.rest.reshape(kinds, outputs), slopes.rest.reshape(kinds, outputs)
        inverse = np.exp(-log_std)
        for start in range(0, part.shape[1], per_block):
            chosen = part[g // nets, start : start + per_block]
            take(inputs[g], chosen, rows, room)
            count = len(chosen) * rows
            forward_rows(w, room, count, relu)
            for r in range(count):
                row, kind = chosen[r // rows] * rows + r % rows, r % kinds
                density = log_density(point[g, row], room.out[r], log_std[kind])
                loss, slope, outside = surrogate(np.exp(density - old[g, row]), gain[g, row], clip)
                out[g, 0] += share * loss
                out[g, 1] += share * outside
                for u in range(outputs):
                    score = (point[g, row, u] - room.out[r, u]) * inverse[kind, u]
                    room.slope_out[r, u] = share * slope * score * inverse[kind, u]
                    slope_std[kind, u] += share * slope * (score * score - 1.0)
            backward_rows(w, room, slopes, count, relu)
        disorder = (log_std.sum() + log_std.size * (0.5 * np.log(2 * np.pi) + 0.5)) / kinds
        slope_std -= np.float32(entropy / kinds)
        out[g, 0] -= entropy * disorder
        out[g, 2] = disorder


@njit(cache=True, error_model="numpy")
def log_density(point, mean, log_std):
    """Logarithm of the density of a diagonal Gaussian; all (U,)."""
    total = 0.0
    for u in range(len(point)):
        score = (point[u] - mean[u]) * np.exp(-log_std[u])
        total -= 0.5 * score * score + log_std[u] + 0.5 * np.log(2 * np.pi)
    return total


@njit(cache=True, error_model="numpy")
def draw_gaussian(mean, log_std, noise, point, log_probability):
    """Points mean + std * noise and their log-densities.

    Args:
        mean, noise, point: (n, U), `point` out. log_std: (kinds, U), row i is of kind i mod kinds.
        log_probability: (n,), out.
    """
    for i in range(len(mean)):
        deviation = log_std[i % len(log_std)]
        for u in range(mean.shape[1]):
            point[i, u] = mean[i, u] + np.exp(deviation[u]) * noise[i, u]
        log_probability[i] = log_density(point[i], mean[i], deviation)


@njit(cache=True, error_model="numpy")
def critic_gradient(flat, gradient, size, relu, rows, inputs, target, part, delta, loss):
    """Huber loss of value critics, or quantile Huber loss of quantile critics.

    Source: Huber (1964); quantiles 1710.10044, equation 10, with targets that are sampled returns (A-320).

    Args:
        inputs: (G, n * rows, features). target: (G, n * rows).
        part: (S, m). delta: error at which the loss turns linear. loss: (G,) overwritten.
    """
    per_block, nets = max(1, BLOCK // rows), len(flat) // len(part)
    room = blocks(per_block * rows, size)
    quantiles = size[4]
    share = 1.0 / (part.shape[1] * rows * size[4])
    gradient[:], loss[:] = 0.0, 0.0
    for g in range(len(flat)):
        w, slopes = layers(flat[g], size), layers(gradient[g], size)
        for start in range(0, part.shape[1], per_block):
            chosen = part[g // nets, start : start + per_block]
            take(inputs[g], chosen, rows, room)
            count = len(chosen) * rows
            forward_rows(w, room, count, relu)
            for r in range(count):
                row = chosen[r // rows] * rows + r % rows
                for o in range(size[4]):
                    error = target[g, row] - room.out[r, o]
                    level = (o + 0.5) / quantiles
                    weight = 1.0
                    if quantiles > 1:
                        weight = abs(level - (error < 0)) / delta
                    far = abs(error) > delta
                    penalty = delta * (abs(error) - 0.5 * delta) if far else 0.5 * error * error
                    loss[g] += share * weight * penalty
                    room.slope_out[r, o] = -share * weight * (delta * np.sign(error) if far else error)
            backward_rows(w, room, slopes, count, relu)
