"""Exact numbers of linear-Gaussian networks that tests hold estimates against."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from replication.algos.continuous_utilities import MomentUtility
from replication.envs import linear_gaussian_exact as exact


@dataclass(frozen=True)
class LogVariance(MomentUtility):
    """f_i = log S_ii - c_i S_ii, with shadow reward (1 / S_ii - c_i) s_i²; concave, best at S_ii = 1 / c_i.

    Twice the entropy of the centred normal law of that variance, up to a constant.
    """

    cost: ArrayLike = 0.0
    effort: ArrayLike = 0.0
    name: ClassVar[str] = "log_variance"

    def of_moments(self, second):
        """(n,) f_i at second moments (n,), effort left out."""
        return np.log(second) - np.asarray(self.cost) * second

    def slope(self, second):
        """(n,) f_i'(S_ii)."""
        return 1.0 / second - np.asarray(self.cost)


def action_values(network, gains, slopes, discount, states, actions, effort=0.0):
    """(X, n) shadow Q_j(s, a) at X joint states and actions (X, n).

    Source: Q_j(s, a) = c_j s_j² - w_j a_j² + γ E V_j(A s + B a + w); derived here (A-150).
    """
    values = exact.shadow_values(network, gains, slopes, discount, effort)
    after = states @ network.dynamics.T + network.drive * actions
    spread = np.einsum("jll,l->j", values.quadratic, network.noise_std**2)
    expected = np.einsum("xl,jlm,xm->xj", after, values.quadratic, after, optimize=True) + spread + values.constant
    return slopes * states**2 - np.asarray(effort) * actions**2 + discount * expected


def expected_rewards(laws, reward):
    """(n,) expectation of each agent's even reward under its law; `reward` maps states (G, n) to (G, n)."""
    return laws.integral(laws.density * reward(laws.grid))
