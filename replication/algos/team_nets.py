"""How the networks of a team are laid out: one per agent, or one for all agents, for many seeds at once."""

from dataclasses import dataclass

import numpy as np
import torch

from replication.algos.nets import Network, initial_weights
from replication.algos.optimisers import Trainable


@dataclass(frozen=True)
class Layout:
    """Which network serves which agent: G = seeds * nets networks, each with `rows` rows per sample."""

    nets_kind: str  # "independent", "shared" or "shared_id"
    agents: int

    @property
    def nets(self) -> int:
        """Networks per seed."""
        return self.agents if self.nets_kind == "independent" else 1

    @property
    def rows(self) -> int:
        """Agents that one network serves."""
        return self.agents // self.nets

    @property
    def kinds(self) -> int:
        """Rows of the first layer's bias: one per agent number that the network is told, else one."""
        return self.agents if self.nets_kind == "shared_id" else 1

    def network(self, inputs: int, outputs: int, hidden: tuple[int, int], activation: str, std: bool) -> Network:
        """One network of the team."""
        return Network(self.kinds, inputs, outputs, hidden, activation, learned_std=std)

    def group(self, values: np.ndarray) -> np.ndarray:
        """(S, ..., A, f) by agent -> (G, n * rows, f) by network, contiguous."""
        if self.nets > 1:
            values = np.moveaxis(values, -2, 1)
        groups = len(values) * self.nets
        return np.ascontiguousarray(values).reshape(groups, -1, values.shape[-1])

    def ungroup(self, values: np.ndarray, *between: int) -> np.ndarray:
        """(G, n * rows, f) by network -> (S, *between, A, f) by agent."""
        if self.nets == 1:
            return values.reshape(len(values), *between, self.agents, values.shape[-1])
        parted = values.reshape(len(values) // self.nets, self.agents, *between, values.shape[-1])
        return np.ascontiguousarray(np.moveaxis(parted, 1, -2))


def first_weights(
    network: Network, layout: Layout, seeds: tuple[int, ...], purpose: str, gain: float, std: float, common: bool
) -> np.ndarray:
    """(G, P) orthogonal first weights; those of a network depend on (purpose, seed, agent) only."""
    flat = np.empty((len(seeds), layout.nets, network.size))
    for agent in range(layout.nets):
        name = purpose if common or layout.nets == 1 else f"{purpose} of agent {agent}"
        flat[:, agent] = initial_weights(network, seeds, name, rule="orthogonal", last_gain=gain, std=std)
    return flat.reshape(-1, network.size)


def trainable(network: Network, flat: np.ndarray) -> Trainable:
    """Adam on float32 weights (G, P)."""
    return Trainable(network, torch.as_tensor(flat).to(torch.float32), "adam")
