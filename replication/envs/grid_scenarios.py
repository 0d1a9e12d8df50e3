"""Scenarios of a feeder: loads and PV of single control steps, for oracles that see everything.

Actions do not move the loads, so a whole set of test days is one batch of independent scenarios.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from replication.data.profiles import Profiles, sample
from replication.envs.feeder import Feeder
from replication.envs.power_flow import solve
from replication.settings import BadInput


@dataclass(frozen=True, eq=False)
class Scenarios:
    """B independent control steps on one feeder."""

    feeder: Feeder
    load_mw: np.ndarray  # (B, n) [MW]
    load_mvar: np.ndarray  # (B, n) [MVAr]
    pv_mw: np.ndarray  # (B, a) [MW]

    def __post_init__(self) -> None:
        batch = len(self.pv_mw)
        buses, agents = (batch, self.feeder.num_buses), (batch, self.feeder.num_agents)
        for name, shape in (("load_mw", buses), ("load_mvar", buses), ("pv_mw", agents)):
            given = np.shape(getattr(self, name))
            if given != shape:
                raise BadInput(f"scenarios on {self.feeder.name}: {name} must have shape {shape}, got {given}")

    def __len__(self) -> int:
        return len(self.pv_mw)

    @property
    def capability(self) -> np.ndarray:
        """(B, a) largest reactive power sqrt(S^2 - p^2) of each inverter [MVAr]."""
        return np.sqrt(np.maximum(self.feeder.pv_mva**2 - self.pv_mw**2, 0.0))

    def take(self, rows: Any) -> "Scenarios":
        """The scenarios at `rows` (indices, slice or mask)."""
        return Scenarios(self.feeder, self.load_mw[rows], self.load_mvar[rows], self.pv_mw[rows])

    def repeat(self, count: int) -> "Scenarios":
        """Every scenario `count` times in a row."""
        return self.take(np.repeat(np.arange(len(self)), count))

    def flow(self, q_mvar: np.ndarray, *, tol: float = 1e-8, max_iterations: int = 100):
        """Power flow with reactive powers `q_mvar` (B, a) injected; see `replication.envs.power_flow.solve`."""
        p_net, q_net = self.load_mw.copy(), self.load_mvar.copy()
        for agent, bus in enumerate(self.feeder.pv_bus):
            p_net[:, bus] -= self.pv_mw[:, agent]
            q_net[:, bus] -= q_mvar[:, agent]
        return solve(self.feeder, p_net, q_net, tol=tol, max_iterations=max_iterations)


def of_world(world: Any) -> Scenarios:
    """What the next action of each lane of a voltage-control world will meet."""
    return Scenarios(world.feeder, world.next_load_mw, world.next_load_mvar, world.next_pv_mw)


def of_steps(feeder: Feeder, profiles: Profiles, steps: np.ndarray) -> Scenarios:
    """Scenarios at control steps (B,) of a feeder's profiles, without noise."""
    return Scenarios(feeder, *sample(profiles, steps))
