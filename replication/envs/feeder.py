"""Radial feeders: the network as arrays, checked once, then used by every solver and world."""

from dataclasses import dataclass, field

import numpy as np

from replication.settings import BadInput


@dataclass(frozen=True)
class Feeder:
    """A radial feeder in per unit on `base_mva`. Bus 0 is the slack (1.0 p.u., angle 0).

    Bus k > 0 is fed by exactly one branch, from `parent[k]`, seen as an ideal transformer of complex
    ratio `ratio[k] * exp(1j * shift[k])` at the parent's side, then a pi-section: series impedance
    r + jx with a shunt admittance at either end (line charging, magnetising current). For a plain
    line, ratio = 1, shift = 0. This is the branch model of MATPOWER (manual, section 3.2).

    Shapes are (n,) over buses, (a,) over agents (PV inverters); index 0 of branch arrays is unused (0).
    Buses are ordered so that parent[k] < k.
    """

    name: str
    base_mva: float
    vn_kv: np.ndarray  # (n,) nominal voltage [kV]
    parent: np.ndarray  # (n,) int64, parent[0] = -1
    r: np.ndarray  # (n,) series resistance of the branch feeding bus k [p.u.]
    x: np.ndarray  # (n,) series reactance [p.u.]
    g_from: np.ndarray  # (n,) shunt conductance at the parent's end (behind the ideal transformer) [p.u.]
    b_from: np.ndarray  # (n,) shunt susceptance there [p.u.]
    g_to: np.ndarray  # (n,) shunt conductance at the bus's own end [p.u.]
    b_to: np.ndarray  # (n,) shunt susceptance there [p.u.]
    ratio: np.ndarray  # (n,) off-nominal ratio, 1 for lines
    shift: np.ndarray  # (n,) phase shift [rad], 0 for lines
    is_line: np.ndarray  # (n,) bool: line (True) or transformer; losses of MAPDN count lines only
    load_mw: np.ndarray  # (n,) rated active load [MW]
    load_mvar: np.ndarray  # (n,) rated reactive load [MVAr]
    zone: np.ndarray  # (n,) int64: 0 = trunk, 1.. = control zones
    pv_bus: np.ndarray  # (a,) int64 bus of each PV inverter (agent)
    pv_mva: np.ndarray  # (a,) inverter rating S [MVA]
    action_bound: float  # c: largest share of the momentary reactive capability an agent may use
    source: str  # where the numbers come from
    bus_label: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))  # (n,) original numbers

    def __post_init__(self) -> None:
        check(self)

    @property
    def num_buses(self) -> int:
        return len(self.parent)

    @property
    def num_agents(self) -> int:
        return len(self.pv_bus)


def check(feeder: Feeder) -> None:
    """Raise a one-line `BadInput` unless the feeder is a tree rooted at bus 0 with consistent arrays."""
    n = len(feeder.parent)
    for name in ("vn_kv", "r", "x", "g_from", "b_from", "g_to", "b_to", "ratio", "shift", "is_line",
                 "load_mw", "load_mvar", "zone"):  # fmt: skip
        values = getattr(feeder, name)
        if len(values) != n:
            raise BadInput(f"feeder {feeder.name}: {name} has {len(values)} entries for {n} buses")
        if not np.all(np.isfinite(values)):
            raise BadInput(f"feeder {feeder.name}: {name} holds NaN or infinity at bus {int(np.argmin(np.isfinite(values)))}")
    if n == 0 or feeder.parent[0] != -1:
        raise BadInput(f"feeder {feeder.name}: bus 0 must be the slack (parent -1)")
    late = np.flatnonzero((feeder.parent[1:] < 0) | (feeder.parent[1:] >= np.arange(1, n))) + 1
    if len(late):
        raise BadInput(f"feeder {feeder.name}: bus {int(late[0])} must follow its parent in the order of buses, got parent {int(feeder.parent[late[0]])}")
    if np.any((feeder.pv_bus < 0) | (feeder.pv_bus >= n)):
        raise BadInput(f"feeder {feeder.name}: PV buses must lie in 0..{n - 1}, got {feeder.pv_bus.tolist()}")
    if len(feeder.pv_mva) != len(feeder.pv_bus) or np.any(feeder.pv_mva <= 0):
        raise BadInput(f"feeder {feeder.name}: one positive rating per PV bus is needed, got {len(feeder.pv_mva)} for {len(feeder.pv_bus)}")
