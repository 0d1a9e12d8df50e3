"""The losses of proximal policy optimisation, one number per seed."""

from math import log, pi

import torch

from replication.algos.ppo_settings import PPOSettings


def log_density(point: torch.Tensor, mean: torch.Tensor, log_std: torch.Tensor) -> torch.Tensor:
    """Log-density of a diagonal Gaussian, summed over the last axis."""
    return (-0.5 * torch.square((point - mean) * torch.exp(-log_std)) - log_std - 0.5 * log(2 * pi)).sum(-1)


def surrogate_loss(log_ratio: torch.Tensor, advantage: torch.Tensor, clip: float) -> torch.Tensor:
    """Clipped surrogate loss per seed (S,), to be minimised. Source: 1707.06347, equation 7.

    Args:
        log_ratio, advantage: (S, n, rows).
    """
    ratio = torch.exp(log_ratio)
    clipped = ratio.clamp(1 - clip, 1 + clip)
    return -torch.minimum(ratio * advantage, clipped * advantage).mean(dim=(1, 2))


def value_loss(value: torch.Tensor, target: torch.Tensor, old: torch.Tensor, settings: PPOSettings) -> torch.Tensor:
    """Critic loss per seed (S,); value, target, old: (S, n, heads) in the critic's units."""

    def penalty(error: torch.Tensor) -> torch.Tensor:
        if settings.value_loss == "squared":
            return torch.square(error)
        return torch.nn.functional.huber_loss(error, torch.zeros_like(error), "none", settings.huber_delta)

    loss = penalty(value - target)
    if settings.value_clip is not None:
        clipped = old + (value - old).clamp(-settings.value_clip, settings.value_clip)
        loss = torch.maximum(loss, penalty(clipped - target))
    return settings.value_coefficient * loss.mean(dim=(1, 2))
