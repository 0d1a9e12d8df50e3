"""PPO's formulas as printed: one number at a time, slow and obvious."""

import math


def gae(reward, value, next_value, ended, cut, gamma, decay):
    """1506.02438, equation 16, as a double sum: A_t = sum_l (gamma lambda)^l delta_{t+l}, up to the first cut."""
    steps = len(reward)
    advantage = [0.0] * steps
    for t in range(steps):
        for k in range(t, steps):
            after = 0.0 if ended[k] else next_value[k]
            advantage[t] += (gamma * decay) ** (k - t) * (reward[k] + gamma * after - value[k])
            if cut[k]:
                break
    return advantage


def gaussian_log_density(point, mean, std):
    """Logarithm of the normal density of one number."""
    return math.log(math.exp(-((point - mean) ** 2) / (2 * std**2)) / (std * math.sqrt(2 * math.pi)))


def surrogate(new_log, old_log, advantage, clip):
    """1707.06347, equation 7, averaged over the samples."""
    total = 0.0
    for new, old, gain in zip(new_log, old_log, advantage, strict=True):
        ratio = math.exp(new - old)
        clipped = min(max(ratio, 1 - clip), 1 + clip)
        total += min(ratio * gain, clipped * gain)
    return total / len(advantage)


def huber(error, delta):
    """Quadratic near zero, linear beyond delta."""
    if abs(error) <= delta:
        return 0.5 * error**2
    return delta * (abs(error) - 0.5 * delta)


def value_loss(values, targets, olds, penalty, clip):
    """Mean penalty; with a clip, the worse of the plain and the clipped value."""
    total = 0.0
    for value, target, old in zip(values, targets, olds, strict=True):
        worst = penalty(value - target)
        if clip is not None:
            near = old + min(max(value - old, -clip), clip)
            worst = max(worst, penalty(near - target))
        total += worst
    return total / len(values)


def batch_norm(column):
    """One channel of BatchNorm1d in training mode: biased variance, 1e-5 under the root."""
    mean = sum(column) / len(column)
    variance = sum((x - mean) ** 2 for x in column) / len(column)
    return [(x - mean) / math.sqrt(variance + 1e-5) for x in column]


def adam(weights, gradients, rate):
    """1412.6980, algorithm 1, for one number; `gradients` in the order of the steps."""
    first = second = 0.0
    for t, gradient in enumerate(gradients, start=1):
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        weights -= rate * (first / (1 - 0.9**t)) / (math.sqrt(second / (1 - 0.999**t)) + 1e-5)
    return weights


def rmsprop(weights, gradients, rate):
    """RMSprop without momentum for one number."""
    second = 0.0
    for gradient in gradients:
        second = 0.99 * second + 0.01 * gradient**2
        weights -= rate * gradient / (math.sqrt(second) + 1e-5)
    return weights
