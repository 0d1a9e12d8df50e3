"""What theory says about the sensitivity of shadow Q-functions, to be held against what `exact.sensitivity` measures.

Two sufficient conditions, each a bound on sup |Q_i(z) - Q_i(z')| over pairs that agree on N_i^κ:

- the front: with strictly local moves, news travels a hop per step (Qu, Wierman and Li 2020, Lemma 3);
- weighted Dobrushin: if max_i Σ_j e^(ω d(i,j)) C_ij = ρ and γ ρ < 1, influence declines by e^-ω per hop.

Neither is necessary: strictly local networks decay at every strength of the coupling while γ < 1.
"""

import numpy as np

from replication.envs.exact_factors import check_rewards, factors, parents
from replication.envs.networked_mdp import UNREACHABLE, LinearRule, LocalPolicy, NetworkModel
from replication.envs.occupancy import check_discount

_RATES = np.linspace(0.0, 1.0, 400, endpoint=False)


def front_bound(model: NetworkModel, policy: LocalPolicy, rewards: np.ndarray, discount: float) -> np.ndarray:
    """(D + 1,) largest over agents of osc(r_i) γ^t / (1 - γ), t the first step whose reward news from outside reaches.

    Source: Qu, Wierman and Li (2020), Lemma 3, where policies see the own state only and t = κ + 1. A policy of radius
    κ_π carries news max(1, κ_π) hops a step, and κ_π more into the action that the reward may depend on:
    t = max(1, 1 + ⌈(κ - κ_π) / max(1, κ_π)⌉).

    Returns:
        Infinities where an agent is moved by agents that are no neighbours.
    """
    rewards, distance = check_rewards(model, rewards), model.distance
    kappa = np.arange(model.diameter + 1)
    if any(distance[agent, other] > 1 for agent, near in enumerate(parents(model)) for other in near):
        return np.full(len(kappa), np.inf)
    seen = [distance[agent, other] for agent, row in enumerate(policy.seen) for other in row if other >= 0]
    radius = int(max(seen))
    steps = np.maximum(1, 1 + np.ceil((kappa - radius) / max(1, radius)))
    return np.ptp(rewards, axis=(1, 2)).max() * check_discount(discount) ** steps / (1.0 - discount)


def dobrushin_bound(model: NetworkModel, policy: LocalPolicy, rewards: np.ndarray, discount: float) -> np.ndarray:
    """(D + 1,) e^(-ω (κ+1)) γ ρ_z Σ_k e^(ω d(i,k)) osc_k(r_i) / (1 - γ ρ), least over ω, largest over agents.

    ρ is the weighted row sum of the closed-loop influence, ρ_z that of the first step, whose actions are given.

    Source: weighted Dobrushin condition [reconstructed]: changing agent j moves E r_i at step t by at most
    Σ_k osc_k(r_i) (C^(t-1) C_z)_kj, which is summed over t and j, e^(-ω (κ+1)) pulled out.

    Returns:
        Infinities where γ ρ >= 1 for every ω >= 0.
    """
    given, followed = influence(model, policy)
    reach = reward_reach(model, policy, check_rewards(model, rewards))
    distance, discount = model.distance, check_discount(discount)
    kappa = np.arange(model.diameter + 1)
    best = np.full(len(kappa), np.inf)
    for rate in 1.0 - _RATES:  # e^-ω from 1 downwards: any of them is a valid bound
        rho = _weighted(followed, distance, rate).max()
        if discount * rho >= 1.0:
            break
        constant = discount * _weighted(given, distance, rate).max() * _weighted(reach, distance, rate).max()
        best = np.minimum(best, constant / (1.0 - discount * rho) * rate ** (kappa + 1))
    return best


def dobrushin_rate(followed: np.ndarray, distance: np.ndarray, discount: float) -> float:
    """Smallest φ = e^-ω with γ max_i Σ_j φ^-d(i,j) C_ij <= 1, to rounding; 1 if there is none below.

    Args:
        followed: (n, n) closed-loop influence C.
        distance: (n, n) hops.
    """
    below, above = 0.0, 1.0
    for _ in range(60):
        middle = (below + above) / 2.0
        if discount * _weighted(followed, distance, middle).max() <= 1.0:
            above = middle
        else:
            below = middle
    return above


def influence(model: NetworkModel, policy: LocalPolicy) -> tuple[np.ndarray, np.ndarray]:
    """Largest total variation of agent i's next state, (n, n) each: when state and action of agent j are changed and
    all actions given, and when its state is changed and all follow the policy."""
    if isinstance(model.rule, LinearRule) and policy.seen.shape[1] == 1:
        return _voter_influence(model.rule, policy)
    tables = factors(model, policy)
    given, followed = np.zeros((model.agents, model.agents)), np.zeros((model.agents, model.agents))
    for agent, (scope, closed) in enumerate(zip(tables.scopes, tables.closed(policy), strict=True)):
        for position, other in enumerate(scope):
            shape = model.states**position, model.states, model.states ** (len(scope) - 1 - position)
            followed[agent, other] = _variation(np.moveaxis(closed.reshape(*shape, -1), 1, 0))
            moves = np.moveaxis(tables.moves[agent].reshape(*shape, model.actions, -1), 1, 0)
            if other == agent:
                moves = np.moveaxis(moves, 3, 1).reshape(model.states * model.actions, *shape[::2], -1)
            given[agent, other] = _variation(moves)
    return given, followed


def reward_reach(model: NetworkModel, policy: LocalPolicy, rewards: np.ndarray) -> np.ndarray:
    """(n, n) oscillation of agent i's reward, its action averaged, when the state of agent j is changed."""
    reach = np.zeros((model.agents, model.agents))
    for agent, row in enumerate(policy.seen):
        members = [int(other) for other in row if other >= 0]
        law = policy.probabilities[agent, : model.states ** len(members)].reshape(model.states, -1, model.actions)
        expected = np.einsum("xka,xa->xk", law, rewards[agent]).reshape((model.states,) * len(members))
        for position, other in enumerate(members):
            reach[agent, other] = np.ptp(expected, axis=position).max()
    return reach


def _voter_influence(rule: LinearRule, policy: LocalPolicy) -> tuple[np.ndarray, np.ndarray]:
    given, followed = rule.mixing.copy(), rule.mixing.copy()
    driven = np.einsum("ixa,ia->ix", policy.probabilities, rule.drive)
    np.fill_diagonal(given, rule.mixing.diagonal() + np.ptp(rule.drive, axis=1))
    np.fill_diagonal(followed, np.abs(rule.mixing.diagonal() + driven[:, 1] - driven[:, 0]))
    return given, followed


def _variation(laws: np.ndarray) -> float:
    """Largest total variation between laws (X, ..., S) that differ in the first axis only."""
    return float(max(np.abs(laws - law).sum(axis=-1).max() for law in laws) / 2.0)


def _weighted(matrix: np.ndarray, distance: np.ndarray, rate: float) -> np.ndarray:
    """(n,) row sums of the matrix times rate^-distance; agents that do not matter count nothing at any distance."""
    with np.errstate(over="ignore", divide="ignore"):
        weights = np.where(
            distance == UNREACHABLE, np.inf, np.float64(rate) ** -np.minimum(distance, 10**6).astype(float)
        )
        return np.where(matrix > 0.0, matrix * np.where(matrix > 0.0, weights, 0.0), 0.0).sum(axis=1)
