"""Exact occupancies, shadow values, gradients and sensitivities of small networked MDPs: ground truth for everything
that is estimated from samples.

Two engines give the same answers to rounding: `exact_sites` applies the kernel agent by agent and never builds the
joint matrix (rings and lines to n = 16 and beyond), `exact_dense` enumerates (any coupling, to about n = 12). The one
that is sooner done is taken; more than 4 GiB is refused.

Rewards are shadow rewards r_i = ∂f_i/∂λ̄_i on the normalised occupancy, so the gradient has no factor 1 / (1 - γ).
"""

import numpy as np

from replication.envs.exact_evaluation import Evaluation, Weights
from replication.envs.exact_sensitivity import Sensitivity
from replication.envs.networked_mdp import LocalPolicy, NetworkModel
from replication.envs.occupancy import NormalisedOccupancy


def occupancy(model: NetworkModel, policy: LocalPolicy, discount: float) -> NormalisedOccupancy:
    """Normalised discounted occupancy λ̄_i(s_i, a_i) of every agent.

    Source: 2302.07938 section 2 [second hand], times 1 - γ.

    Raises:
        BadInput: if the discount is not in [0, 1), the policy does not fit the model, or 4 GiB do not suffice.
    """
    return Evaluation(model, policy, discount).occupancy()


def gradient(
    model: NetworkModel,
    policy: LocalPolicy,
    shadow_rewards: np.ndarray,
    discount: float,
    kappa: int | None = None,
    *,
    weights: Weights = "occupancy",
) -> np.ndarray:
    """Gradient of F = (1/n) Σ_i f_i with respect to the softmax logits of the policy.

    Source: gradient identity of 2302.07938 [second hand]; truncation as Qu, Wierman and Li (2020), equation 5 and
    Lemma 4: ĥ_i = E_{s~d, a~π}[ψ_i (1/n) Σ_{j in N_i^κ} Q̂_j(s, a of N_j^κ)]. The sum is over the neighbourhood, the
    mean over all n agents.

    Args:
        shadow_rewards: (n, S, A) ∂f_i/∂λ̄_i at the occupancy of this policy, frozen.
        discount: γ in [0, 1).
        kappa: None for the exact gradient, or the radius of the truncation, 0 to the graph's diameter.
        weights: how Q̂_j averages Q_j over states and actions outside of N_j^κ: "occupancy", conditioned on what is
            inside, or "uniform".

    Returns:
        (n, K, A) for the K codes of the states each agent sees.

    Raises:
        BadInput: as `occupancy`, or for rewards, a radius or weights not as above.
    """
    return Evaluation(model, policy, discount).gradient(shadow_rewards, kappa, weights=weights)


def truncated_action_values(
    model: NetworkModel,
    policy: LocalPolicy,
    rewards: np.ndarray,
    discount: float,
    kappa: int,
    *,
    weights: Weights = "occupancy",
) -> list[np.ndarray]:
    """Tables Q̂_i(s, a of N_i^κ): n arrays (S**m, A**m), the m agents in the order of `neighbourhoods`.

    Source: Qu, Wierman and Li (2020), equation 5. Entries of neighbourhood states that are never visited are 0 under
    "occupancy" weights.

    Raises:
        BadInput: as `gradient`.
    """
    return Evaluation(model, policy, discount).truncated_action_values(rewards, kappa, weights=weights)


def sensitivity(model: NetworkModel, policy: LocalPolicy, rewards: np.ndarray, discount: float) -> Sensitivity:
    """How much Q_i moves when states and actions far from agent i move, by radius, by distance and by pair of agents.

    Source: exponential decay property, Qu, Wierman and Li (2020), Definition 2, measured instead of bounded.

    Raises:
        BadInput: as `occupancy`, or for rewards not as above; all (S A)**n pairs of joint states and actions must fit
            (n = 14 for two by two).
    """
    return Evaluation(model, policy, discount).sensitivity(rewards)
