"""Slow twins of the team learner's losses: plain loops over one network's samples."""

import math


def softmax(logits, allowed):
    """Chances of the allowed choices."""
    weights = [math.exp(x) if ok else 0.0 for x, ok in zip(logits, allowed, strict=True)]
    return [w / sum(weights) for w in weights]


def choice_loss(logits, allowed, actions, old, gains, clip, entropy):
    """1707.06347, equations 7 and 9, averaged over samples: (loss, share outside the clip, entropy)."""
    loss, outside, disorder = 0.0, 0, 0.0
    for row, ok, action, before, gain in zip(logits, allowed, actions, old, gains, strict=True):
        chances = softmax(row, ok)
        ratio = math.exp(math.log(chances[action]) - before)
        own = -sum(p * math.log(p) for p in chances if p > 0)
        loss += -min(ratio * gain, min(max(ratio, 1 - clip), 1 + clip) * gain) - entropy * own
        outside += not 1 - clip <= ratio <= 1 + clip
        disorder += own
    return loss / len(gains), outside / len(gains), disorder / len(gains)


def gaussian_loss(means, log_stds, points, old, gains, clip, entropy):
    """The same for Gaussians; `log_stds` has one row per sample."""
    loss, outside, disorder = 0.0, 0, 0.0
    for mean, spread, point, before, gain in zip(means, log_stds, points, old, gains, strict=True):
        density = own = 0.0
        for m, s, x in zip(mean, spread, point, strict=True):
            density += -((x - m) ** 2) / (2 * math.exp(2 * s)) - s - 0.5 * math.log(2 * math.pi)
            own += s + 0.5 * math.log(2 * math.pi * math.e)
        ratio = math.exp(density - before)
        loss += -min(ratio * gain, min(max(ratio, 1 - clip), 1 + clip) * gain) - entropy * own
        outside += not 1 - clip <= ratio <= 1 + clip
        disorder += own
    return loss / len(gains), outside / len(gains), disorder / len(gains)


def quantile_loss(outputs, targets, delta):
    """1710.10044, equation 10, with one sampled return as target; mean over samples and quantiles."""
    total = 0.0
    for row, target in zip(outputs, targets, strict=True):
        for place, guess in enumerate(row):
            level, error = (place + 0.5) / len(row), target - guess
            huber = 0.5 * error**2 if abs(error) <= delta else delta * (abs(error) - 0.5 * delta)
            total += abs(level - (1 if error < 0 else 0)) * huber / delta / len(row)
    return total / len(targets)


def cheapest_assignment(positions, targets):
    """Target of every agent in the cheapest one-to-one assignment, by trying all of them."""
    import itertools

    orders = itertools.permutations(range(len(targets)), len(positions))
    return min(orders, key=lambda order: sum(math.dist(p, targets[t]) for p, t in zip(positions, order, strict=True)))
