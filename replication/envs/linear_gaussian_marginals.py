"""Exact laws of single states in the discounted occupancy of a linear-Gaussian network, and gradients through them.

In the occupancy, s_i is a mixture of the centred normal laws of the steps, with weights (1 - γ) γ^h: a scale mixture,
normal only if the start is stationary. So entropies, and the gradient of Σ_j E r_j(s_j) for any frozen rewards r_j,
are one-dimensional integrals, taken by the trapezoidal rule (which converges geometrically for such integrands).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from replication.envs.linear_gaussian import LinearGaussianNetwork, check_stable
from replication.envs.networked_mdp import check_radius
from replication.settings import BadInput

Reward = Callable[[np.ndarray], np.ndarray]
_MASS_LEFT_OUT = 1e-14
_POINTS_PER_STD = 6  # of the narrowest component
_REACH = 9.0  # standard deviations of the widest component
_MOST_POINTS = 20_000
_MOST_STEPS = 20_000


@dataclass(frozen=True)
class Marginals:
    """Laws of all single states: agent i has density Σ_h weights_h N(0, variances_hi).

    Attributes:
        variances: (H, n) variance of s_i^h.
        weights: (H,) (1 - γ) γ^h, scaled to sum to 1 over the steps kept.
        covariances: (H, n, n) of the joint state at each step.
        grid: (G, n) points that carry each agent's law, from 0 upwards (laws are even).
        components: (H, G, n) density of each step at the grid.
    """

    variances: np.ndarray
    weights: np.ndarray
    covariances: np.ndarray
    grid: np.ndarray
    components: np.ndarray

    @property
    def density(self) -> np.ndarray:
        """(G, n) density at the grid."""
        return np.tensordot(self.weights, self.components, axes=1)

    def integral(self, values: np.ndarray) -> np.ndarray:
        """(..., n) integral over the whole line of an even function given at the grid (..., G, n)."""
        step = self.grid[1] - self.grid[0]
        return step * (2.0 * values.sum(axis=-2) - values[..., 0, :])

    def entropy(self) -> np.ndarray:
        """(n,) differential entropies -∫ d log d of the laws of the single states [nat]."""
        density = self.density
        return -self.integral(density * np.log(np.maximum(density, 1e-300)))

    def log_density(self, states: np.ndarray) -> np.ndarray:
        """(X, n) log-density of each agent's law at states (X, n)."""
        squares = states[None] ** 2 / self.variances[:, None]
        terms = self.weights[:, None, None] * np.exp(-0.5 * squares) / np.sqrt(2 * np.pi * self.variances[:, None])
        return np.log(np.maximum(terms.sum(axis=0), 1e-300))


def marginals(network: LinearGaussianNetwork, gains: np.ndarray, discount: float) -> Marginals:
    """Laws of the single states in the discounted occupancy.

    Source: Σ_{h+1} = A_c Σ_h A_c^T + Ŵ from Σ_0 = S_0; density Σ_h (1 - γ) γ^h N(0, Σ_h,ii); derived here (A-153).

    Raises:
        BadInput: an unstable network, a start without spread (its law has no density), or scales or discounts beyond
            what the grid can hold.
    """
    gains = check_stable(network, gains, discount)
    if network.start_std.min() <= 0.0:
        raise BadInput("the law of a first state without spread has no density; raise start_std above 0")
    steps = 1 if discount == 0.0 else int(np.ceil(np.log(_MASS_LEFT_OUT) / np.log(discount)))
    if steps > _MOST_STEPS:
        raise BadInput(f"exact laws take a discount up to 0.998, got {discount}")
    closed, covariances = network.closed_loop(gains), np.empty((steps, network.agents, network.agents))
    covariances[0] = network.start_covariance
    for h in range(1, steps):
        covariances[h] = closed @ covariances[h - 1] @ closed.T + network.noise_covariance
    variances = np.diagonal(covariances, axis1=1, axis2=2).copy()
    weights = discount ** np.arange(steps)
    grid = _grid(variances)
    components = np.exp(-0.5 * grid[None] ** 2 / variances[:, None]) / np.sqrt(2 * np.pi * variances[:, None])
    return Marginals(variances, weights / weights.sum(), covariances, grid, components)


def _grid(variances: np.ndarray) -> np.ndarray:
    narrowest, widest = np.sqrt(variances.min(axis=0)), np.sqrt(variances.max(axis=0))
    points = int(np.ceil((_REACH * _POINTS_PER_STD * widest / narrowest).max())) + 1
    if points > _MOST_POINTS:
        raise BadInput(
            "exact laws take standard deviations within a factor 300 of each other, got "
            f"{(widest / narrowest).max():.0f}; raise start_std"
        )
    return np.linspace(0.0, 1.0, points)[:, None] * _REACH * widest


def reward_contributions(
    network: LinearGaussianNetwork, gains: np.ndarray, laws: Marginals, reward: Reward, effort: ArrayLike = 0.0
) -> np.ndarray:
    """(n, n) entry (i, j): derivative by k_i of E[r_j(s_j) - w_j a_j²] / n at frozen rewards; rows sum to ∂F/∂k.

    `reward` maps states (G, n) to the (G, n) rewards of the agents, and is taken as even: r(-s) = r(s).

    Source: ∂N(s; 0, v)/∂v = N (s²/v - 1) / (2 v), and the adjoint of Σ_{h+1} = A_c Σ_h A_c^T + Ŵ; derived here (A-153).
    """
    n, closed = network.agents, network.closed_loop(gains)
    scaled = laws.grid[None] ** 2 / laws.variances[:, None] - 1.0
    price = np.broadcast_to(effort, n)
    by_variance = laws.integral(laws.components * scaled * reward(laws.grid)) / (2.0 * laws.variances)
    by_variance = by_variance - price * gains**2
    pull = laws.weights[:, None] * by_variance  # (H, n): derivative of E r_j by the variance of s_j at step h
    adjoint, found, agents = np.zeros((n, n, n)), np.zeros((n, n)), np.arange(n)
    for h in range(len(laws.weights) - 1, -1, -1):
        found += np.einsum("il,jli->ij", laws.covariances[h] @ closed.T, adjoint)
        adjoint = closed.T @ adjoint @ closed
        adjoint[agents, agents, agents] += pull[h]
    own = np.diag(price * gains * (laws.weights @ laws.variances))
    return -2.0 / n * (network.drive[:, None] * found + own)


def reward_gradient(
    network: LinearGaussianNetwork,
    gains: np.ndarray,
    laws: Marginals,
    reward: Reward,
    kappa: int | None = None,
    effort: ArrayLike = 0.0,
) -> np.ndarray:
    """(n,) gradient of (1/n) Σ_j E[r_j(s_j) - w_j a_j²] by the gains at frozen rewards, truncated to `kappa` if given.

    With r_j = -log d_j - 1 at the exact density it is the gradient of the mean entropy; with a fitted density in its
    place, what a policy gradient with that density tends to with ever more trajectories.

    Raises:
        BadInput: for a radius outside of 0 to the diameter.
    """
    found = reward_contributions(network, gains, laws, reward, effort)
    if kappa is not None:
        found = found * (network.distance <= check_radius(network.distance, kappa))
    return found.sum(axis=1)
