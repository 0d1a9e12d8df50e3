"""Exact moments, shadow values and gradients of a linear-Gaussian network under gains k.

All on the normalised occupancy: S = (1 - γ) Σ_h γ^h E s^h s^hT, F = (1/n) Σ_i f_i. A utility of second moments with
slope f_i'(S_ii) has the shadow reward f_i'(S_ii) s_i² (chain rule), and the gradient ∂F/∂k has no factor 1 / (1 - γ).
Every agent may pay for its effort: w_i E a_i² = w_i (k_i² S_ii + σ²) off its utility, w_i a_i² off its shadow reward.
First states have zero mean, so all first moments vanish. Nothing here needs the noise to be Gaussian.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from replication.envs.linear_gaussian import LinearGaussianNetwork, check_stable
from replication.envs.networked_mdp import check_radius
from replication.settings import BadInput

_MOST_DOUBLINGS = 60
_ROUNDING = 1e-18


def lyapunov(transition: np.ndarray, load: np.ndarray) -> np.ndarray:
    """Solution X = load + T X T^T by doubling: X = Σ_t T^t load (T^t)^T; `load` (..., n, n) may have leading axes.

    The transition T (n, n) must have a spectral radius below 1.
    """
    solution, power = load, transition
    for _ in range(_MOST_DOUBLINGS):
        solution = solution + power @ solution @ power.T
        power = power @ power
        if np.abs(power).max() ** 2 < _ROUNDING:
            return solution
    raise BadInput("the network is too close to instability for exact moments; lower coupling or discount")


def moments(network: LinearGaussianNetwork, gains: np.ndarray, discount: float) -> np.ndarray:
    """(n, n) normalised discounted second moments S of the joint state.

    Source: S = (1 - γ) S_0 + γ (A_c S A_c^T + Ŵ), with Ŵ including the policies' noise; derived here (A-150).

    Raises:
        BadInput: if they are infinite, √γ · spectral radius of A_c >= 1.
    """
    gains = check_stable(network, gains, discount)
    load = (1.0 - discount) * network.start_covariance + discount * network.noise_covariance
    return lyapunov(np.sqrt(discount) * network.closed_loop(gains), load)


@dataclass(frozen=True)
class ShadowValues:
    """V_j(s) = s^T P_j s + v_j of every agent's frozen shadow reward c_j s_j².

    Attributes:
        quadratic: (n, n, n) symmetric P_j.
        constant: (n,) v_j.
    """

    quadratic: np.ndarray
    constant: np.ndarray


def shadow_values(
    network: LinearGaussianNetwork, gains: np.ndarray, slopes: np.ndarray, discount: float, effort: ArrayLike = 0.0
) -> ShadowValues:
    """Values of the shadow rewards c_j s_j² - w_j a_j² under the gains, with slopes c (n,) and effort prices w.

    Source: P_j = (c_j - w_j k_j²) e_j e_j^T + γ A_c^T P_j A_c and v_j = (γ tr(P_j Ŵ) - w_j σ²) / (1 - γ); derived here
    (A-150).
    """
    gains = check_stable(network, gains, discount)
    n, price = network.agents, np.broadcast_to(effort, network.agents)
    load = np.zeros((n, n, n))
    load[np.arange(n), np.arange(n), np.arange(n)] = slopes - price * gains**2
    quadratic = lyapunov(np.sqrt(discount) * network.closed_loop(gains).T, load)
    entering = np.einsum("jll,ll->j", quadratic, network.noise_covariance)
    constant = (discount * entering - price * network.exploration_std**2) / (1.0 - discount)
    return ShadowValues(quadratic, constant)


def contributions(
    network: LinearGaussianNetwork, gains: np.ndarray, slopes: np.ndarray, discount: float, effort: ArrayLike = 0.0
) -> np.ndarray:
    """(n, n) entry (i, j): what the utility of agent j contributes to ∂F/∂k_i; rows sum to the gradient.

    Source: E[ψ_i Q_j] / n = -(2 / n) (γ B_ii (S A_c^T P_j)_ii + 1{i = j} w_i k_i S_ii) by the policy gradient theorem;
    derived here (A-150).
    """
    second = moments(network, gains, discount)
    quadratic = shadow_values(network, gains, slopes, discount, effort).quadratic
    paired = np.einsum("il,jli->ij", second @ network.closed_loop(gains).T, quadratic)
    own = np.diag(np.asarray(effort) * gains * np.diagonal(second))
    return -2.0 / network.agents * (discount * network.drive[:, None] * paired + own)


def gradient(
    network: LinearGaussianNetwork,
    gains: np.ndarray,
    slopes: np.ndarray,
    discount: float,
    kappa: int | None = None,
    effort: ArrayLike = 0.0,
) -> np.ndarray:
    """(n,) ∂F/∂k, or its truncation to radius `kappa`: agent i counts the shadow Q_j of j in N_i^κ only.

    Source: truncated gradient ĥ_i = E[ψ_i (1/n) Σ_{j in N_i^κ} Q̂_j], Qu, Wierman and Li (2020), Lemma 4. With Q̂_j the
    conditional mean of Q_j given what N_j^κ sees, E[ψ_i Q̂_j] = E[ψ_i Q_j] since i is in N_j^κ (tower property): on
    that choice of weights, only the dropped agents are an error.

    Raises:
        BadInput: as `moments`, or for a radius outside of 0 to the diameter.
    """
    if kappa is not None:
        near = network.distance <= check_radius(network.distance, kappa)
        return (contributions(network, gains, slopes, discount, effort) * near).sum(axis=1)
    gains = check_stable(network, gains, discount)
    closed = network.closed_loop(gains)
    price = np.broadcast_to(effort, network.agents)
    value = lyapunov(np.sqrt(discount) * closed.T, np.diag(slopes - price * gains**2))
    second = moments(network, gains, discount)
    paired = np.einsum("il,li->i", second @ closed.T, value)
    return -2.0 / network.agents * (discount * network.drive * paired + price * gains * np.diagonal(second))
