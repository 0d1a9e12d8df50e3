"""Alignment as a general utility: a team's utilities less a price on how far apart the agents' occupancies are.

F = (1/n) Σ f_i(λ̄_i) - β mean over pairs of D(μ̄_i, μ̄_j) with μ̄ the state marginals: 2401.10949, policy alignment, with
equal weights on the pairs, on the occupancies of 2302.07938. For convex D it is concave in all occupancies together, so
its optimum over all joint policies can be computed and proven.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from replication.algos.utilities import Shape, Traits, Utility
from replication.settings import BadInput, choose

Divergence = Literal["transport", "jeffreys"]
DIVERGENCES = ("transport", "jeffreys")


@dataclass(frozen=True)
class Aligned(Utility):
    """The objective's utilities less β times how far each agent is from the others.

    The value of agent i is f_i - β mean over j of D(μ̄_i, μ̄_j), whose mean over agents is F. Unlike the other
    utilities an agent's value depends on all occupancies; its shadow reward is n ∂F/∂λ̄_i, which is what the policy
    gradient needs, and not the derivative of its own value.

    Attributes:
        objective: f_i.
        beta: β >= 0.
        divergence: "transport" is W_1 on the line of states, smoothed as in the transport utility; "jeffreys" the
            symmetric Kullback-Leibler divergence with the smoothing added to every mass.
        smoothing: ε > 0.
    """

    objective: Utility
    beta: float
    divergence: Divergence = "transport"
    smoothing: float = 1e-6
    name: ClassVar[str] = "aligned"

    def __post_init__(self) -> None:
        choose("divergence", self.divergence, DIVERGENCES)
        if not self.beta >= 0:
            raise BadInput(f"aligned: beta must be >= 0, got {self.beta}; below 0 agents are driven apart")
        if not self.smoothing > 0:
            raise BadInput(f"aligned: smoothing must be > 0, got {self.smoothing}")

    @property
    def traits(self) -> Traits:
        bounded = self.objective.bounded and self.divergence == "transport"
        return Traits(self.objective.concave, bounded, f"{self.objective.note}; beta times the length of the line")

    @property
    def shape(self) -> Shape | None:
        return self.objective.shape

    def value(self, values: np.ndarray) -> np.ndarray:
        apart = self.apart(values)
        return self.objective.value(values) - self.beta * apart.sum(axis=1) / (len(values) - 1)

    def shadow_reward(self, values: np.ndarray) -> np.ndarray:
        """(n, S, A) n ∂F/∂λ̄_i.

        Source: derivative of the objective in the module's first line; pairs count once for each of their agents.
        """
        pull = 2.0 * self.beta / (len(values) - 1) * self._slopes(values.sum(axis=2))
        return self.objective.shadow_reward(values) - pull[:, :, None]

    def apart(self, values: np.ndarray) -> np.ndarray:
        """(n, n) divergences between the state marginals of all pairs."""
        masses = values.sum(axis=2)
        if self.divergence == "transport":
            ahead = _ahead(masses)
            return (np.sqrt(ahead**2 + self.smoothing**2) - self.smoothing).sum(axis=2)
        x = masses + self.smoothing
        return ((x[:, None] - x) * (np.log(x)[:, None] - np.log(x))).sum(axis=2)

    def _slopes(self, masses: np.ndarray) -> np.ndarray:
        """(n, S) Σ_j ∂D(μ̄_i, μ̄_j)/∂μ̄_i, for the line with zero at the last state."""
        if self.divergence == "transport":
            ahead = _ahead(masses)
            rising = (ahead / np.sqrt(ahead**2 + self.smoothing**2)).sum(axis=1)
            slopes = np.zeros(masses.shape)
            slopes[:, :-1] = np.cumsum(rising[:, ::-1], axis=1)[:, ::-1]
            return slopes
        x = masses + self.smoothing
        return (np.log(x)[:, None] - np.log(x) + 1.0 - x / x[:, None]).sum(axis=1)


def _ahead(masses: np.ndarray) -> np.ndarray:
    """(n, n, S - 1) mass of agent i less mass of agent j up to each state."""
    cumulated = np.cumsum(masses, axis=1)[:, :-1]
    return cumulated[:, None] - cumulated
