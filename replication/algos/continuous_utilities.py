"""General utilities of a linear-Gaussian network: of the second moments S_ii, or of the whole law of s_i.

Each has an exact value and an exact gradient by the gains k of F = (1/n) Σ_i f_i. Linear parts, as in the
reward-plus-divergence utilities of general-utility policy gradients, are a cost -c_i S_ii of spread where it makes
sense, and the price w_i of effort, -w_i E a_i² = -w_i (k_i² S_ii + σ²), with shadow reward -w_i a_i² (A-162).
Effort is what makes agents trade their own good against their neighbours': a target that can be reached is reached with
all slopes 0, whichever neighbours a gradient leaves out.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from replication.envs import linear_gaussian_exact as exact
from replication.envs.linear_gaussian import LinearGaussianNetwork
from replication.envs.linear_gaussian_marginals import Marginals, Reward, marginals, reward_gradient


class ContinuousUtility(ABC):
    """Utility of the normalised occupancy of every agent's state."""

    name: ClassVar[str] = ""
    effort: ArrayLike

    @abstractmethod
    def values(self, network: LinearGaussianNetwork, gains: np.ndarray, discount: float) -> np.ndarray:
        """(n,) exact f_i."""

    @abstractmethod
    def gradient(
        self, network: LinearGaussianNetwork, gains: np.ndarray, discount: float, kappa: int | None = None
    ) -> np.ndarray:
        """(n,) exact ∂F/∂k, truncated to radius `kappa` if given."""

    def paid(self, network: LinearGaussianNetwork, gains: np.ndarray, second: np.ndarray) -> np.ndarray:
        """(n,) price of effort w_i E a_i² at second moments (n,)."""
        return np.asarray(self.effort) * (gains**2 * second + network.exploration_std**2)

    def objective(self, network: LinearGaussianNetwork, gains: np.ndarray, discount: float) -> float:
        """Exact F = (1/n) Σ_i f_i."""
        return float(self.values(network, gains, discount).mean())


class MomentUtility(ContinuousUtility):
    """Utility f_i(S_ii) of the second moment S_ii = E s_i² under the occupancy, less the price of effort."""

    @abstractmethod
    def of_moments(self, second: np.ndarray) -> np.ndarray:
        """(n,) f_i at second moments (n,), effort left out."""

    @abstractmethod
    def slope(self, second: np.ndarray) -> np.ndarray:
        """(n,) f_i'(S_ii); the shadow reward is f_i'(S_ii) s_i²."""

    def values(self, network, gains, discount):
        """(n,) exact f_i."""
        second = np.diagonal(exact.moments(network, gains, discount))
        return self.of_moments(second) - self.paid(network, gains, second)

    def gradient(self, network, gains, discount, kappa=None):
        """(n,) exact ∂F/∂k, truncated to radius `kappa` if given."""
        slope = self.slope(np.diagonal(exact.moments(network, gains, discount)))
        return exact.gradient(network, gains, slope, discount, kappa, self.effort)


@dataclass(frozen=True)
class QuadraticTarget(MomentUtility):
    """f_i = -m_i (S_ii - t_i)², with shadow reward -2 m_i (S_ii - t_i) s_i²; concave, 0 at the target.

    Agents of weight m_i = 0 have no interest of their own.
    """

    target: ArrayLike
    effort: ArrayLike = 0.0
    weight: ArrayLike = 1.0
    name: ClassVar[str] = "quadratic_target"

    def of_moments(self, second):
        """(n,) f_i at second moments (n,), effort left out."""
        return -np.asarray(self.weight) * (second - np.asarray(self.target)) ** 2

    def slope(self, second):
        """(n,) f_i'(S_ii)."""
        return -2.0 * np.asarray(self.weight) * (second - np.asarray(self.target))


@dataclass(frozen=True)
class StateEntropy(ContinuousUtility):
    """f_i = -∫ d_i log d_i - c_i S_ii with d_i the density of s_i; shadow reward -log d_i(s_i) - 1 - c_i s_i²; concave.

    With c_i = 1 / (2 v_i) it is minus the Kullback-Leibler divergence from the centred normal law of variance v_i, up
    to a constant: best where the occupancy is that law.
    """

    cost: ArrayLike = 0.0
    effort: ArrayLike = 0.0
    name: ClassVar[str] = "state_entropy"

    def values(self, network, gains, discount):
        """(n,) exact f_i, by quadrature."""
        laws = marginals(network, gains, discount)
        second = np.einsum("h,hi->i", laws.weights, laws.variances)
        return laws.entropy() - np.asarray(self.cost) * second - self.paid(network, gains, second)

    def gradient(self, network, gains, discount, kappa=None):
        """(n,) exact ∂F/∂k, truncated to radius `kappa` if given; by quadrature."""
        laws = marginals(network, gains, discount)
        return reward_gradient(network, gains, laws, self.exact_reward(laws), kappa, self.effort)

    def exact_reward(self, laws: Marginals) -> Reward:
        """Shadow reward at the exact density, as a function of states (..., n)."""

        def reward(states: np.ndarray) -> np.ndarray:
            if states is laws.grid:
                return self.reward(np.log(np.maximum(laws.density, 1e-300)), states)
            logs = laws.log_density(np.reshape(states, (-1, states.shape[-1])))
            return self.reward(logs.reshape(states.shape), states)

        return reward

    def reward(self, log_density: np.ndarray, states: np.ndarray) -> np.ndarray:
        """Shadow reward (..., n) at states (..., n) of that log-density."""
        return -log_density - 1.0 - np.asarray(self.cost) * states**2
