"""Small feeders and scenarios shared by the tests of grid oracles."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from replication.envs.feeder import Feeder, case33, from_branches
from replication.envs.grid_scenarios import Scenarios
from replication.seeding import stream


def two_agents() -> Feeder:
    """Six buses in two arms behind one trunk bus, with an inverter at the end of each arm."""
    buses: dict[str, Sequence] = {
        "bus": [0, 1, 2, 3, 4, 5],
        "vn_kv": [12.66] * 6,
        "load_mw": [0.0, 0.4, 0.3, 0.5, 0.3, 0.6],
        "load_mvar": [0.0, 0.2, 0.2, 0.2, 0.1, 0.3],
        "zone": [0, 0, 1, 1, 2, 2],
    }
    branches: dict[str, Sequence] = {
        "from": [0, 1, 2, 1, 4],
        "to": [1, 2, 3, 4, 5],
        "r_ohm": [1.6, 3.2, 2.8, 2.4, 3.0],
        "x_ohm": [1.4, 2.4, 3.0, 2.0, 2.6],
    }
    inverters: dict[str, Sequence] = {"bus": [3, 5], "mva": [2.4, 2.0]}
    return from_branches(
        buses, branches, inverters, name="two agents", slack=0, base_mva=10.0, action_bound=0.8, source="made for tests"
    )


def scenarios_on(feeder: Feeder, count: int, *, load: float = 1.4, sun: float = 1.0, seed: int = 0) -> Scenarios:
    """Random loads up to `load` times rated and PV up to `sun` times S / 1.2."""
    rng = stream("test scenarios", seed)
    level = load * rng.uniform(0.1, 1.0, (count, 1)) * rng.uniform(0.8, 1.0, (count, feeder.num_buses))
    power = sun * rng.uniform(0.0, 1.0, (count, 1)) * rng.uniform(0.9, 1.0, (count, feeder.num_agents))
    return Scenarios(feeder, feeder.load_mw * level, feeder.load_mvar * level, power * feeder.pv_mva / 1.2)


def on_case33(count: int, **kinds: Any) -> Scenarios:
    """`scenarios_on` the 33-bus feeder."""
    return scenarios_on(case33(), count, **kinds)


def largest_excess(scenarios: Scenarios, q_mvar: np.ndarray) -> np.ndarray:
    """(B,) largest distance of a voltage from 1 p.u. beyond 0.05."""
    return np.abs(scenarios.flow(q_mvar).voltage - 1.0).max(axis=1) - 0.05
