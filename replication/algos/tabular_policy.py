"""Softmax policies on tables: an agent's action depends on the states of the agents within the policy radius."""

import numpy as np
from scipy.special import softmax

from replication.envs.networked_mdp import LocalPolicy, NetworkModel, check_radius, neighbourhoods
from replication.settings import BadInput


def seen_agents(model: NetworkModel, radius: int) -> np.ndarray:
    """(n, m) agents that each agent's policy sees, itself first, padded with -1."""
    distance = model.distance
    return neighbourhoods(distance, check_radius(distance, radius, "policy_radius"))


def logits_shape(model: NetworkModel, seen: np.ndarray) -> tuple[int, int, int]:
    """(n, K, A) with K = S**m codes of the seen states."""
    return model.agents, model.states ** seen.shape[1], model.actions


def softmax_policy(logits: np.ndarray, seen: np.ndarray, exploration: float = 0.0) -> LocalPolicy:
    """π_i(a | code) = (1 - e) softmax(logits_i(code))_a + e / A.

    Args:
        logits: (n, K, A).
        seen: (n, m) agents each agent sees, padded with -1; K = S**m.
        exploration: e in [0, 1), share of the uniform action.
    """
    logits = np.asarray(logits, float)
    if logits.ndim != 3 or len(logits) != len(seen) or not np.all(np.isfinite(logits)):
        raise BadInput(f"logits must be finite numbers of shape ({len(seen)}, codes, actions), got {logits.shape}")
    return LocalPolicy(seen, (1.0 - exploration) * softmax(logits, axis=2) + exploration / logits.shape[2])


def through_softmax(slopes: np.ndarray, probabilities: np.ndarray, exploration: float = 0.0) -> np.ndarray:
    """Slopes with respect to log π (..., A) -> slopes with respect to the logits of a `softmax_policy`."""
    if exploration == 0.0:
        return slopes - probabilities * slopes.sum(axis=-1, keepdims=True)
    soft = (probabilities - exploration / probabilities.shape[-1]) / (1.0 - exploration)
    weighted = slopes * (1.0 - exploration) * soft / probabilities
    return weighted - soft * weighted.sum(axis=-1, keepdims=True)


def project(logits: np.ndarray, bound: float | None) -> np.ndarray:
    """Nearest logits within ±bound; None leaves them as they are."""
    return logits if bound is None else np.clip(logits, -bound, bound)
