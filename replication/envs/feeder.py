"""Radial feeders: the network as arrays, checked once, then used by every solver and world."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from replication.data.feeders import read_feeder
from replication.envs.branch_units import branch_arrays
from replication.envs.feeder_tree import order_tree
from replication.envs.synthetic_feeder import synthetic_tables
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
            raise BadInput(f"feeder {feeder.name}: {name} has {len(values)} entries for {n} buses; give one each")
        if not np.all(np.isfinite(values)):
            bus = int(np.argmin(np.isfinite(values)))
            raise BadInput(f"feeder {feeder.name}: {name} holds NaN or infinity at bus {bus}; give a number")
    if n == 0 or feeder.parent[0] != -1:
        raise BadInput(f"feeder {feeder.name}: bus 0 must be the slack (parent -1)")
    late = np.flatnonzero((feeder.parent[1:] < 0) | (feeder.parent[1:] >= np.arange(1, n))) + 1
    if len(late):
        bus, parent = int(late[0]), int(feeder.parent[late[0]])
        raise BadInput(
            f"feeder {feeder.name}: bus {bus} must come after its parent, got parent {parent}; reorder the buses"
        )
    if np.any((feeder.pv_bus < 0) | (feeder.pv_bus >= n)):
        raise BadInput(f"feeder {feeder.name}: PV buses must lie in 0..{n - 1}, got {feeder.pv_bus.tolist()}")
    if len(feeder.pv_mva) != len(feeder.pv_bus) or np.any(feeder.pv_mva <= 0):
        given = f"{len(feeder.pv_mva)} for {len(feeder.pv_bus)}"
        raise BadInput(f"feeder {feeder.name}: one positive rating per PV bus is needed, got {given}")


@cache
def case33() -> Feeder:
    """IEEE 33-bus feeder without tie lines; 6 agents in 4 zones.

    Rated 3.715 MW + j2.300 MVAr, lowest voltage 0.91309 p.u. at bus 17, losses 0.2027 MW; inverters 10.81 MVA.

    Source: Baran and Wu 1989 (network); zones, PV buses and ratings of MAPDN, 2110.14300.
    """
    return from_table(read_feeder("case33"))


@cache
def case141() -> Feeder:
    """141-bus feeder of Caracas; 22 agents in 9 zones. Buses are numbered from 0.

    Rated 11.945 MW + j7.403 MVAr, lowest voltage 0.92786 p.u.; inverters 101.5 MVA. 2110.14300 used an older version
    of the case file (12.5 kV, 11.903 MW).

    Source: Khodr et al. 2008 in MATPOWER's version of 2020; zones, PV buses and ratings of MAPDN, 2110.14300.
    """
    return from_table(read_feeder("case141"))


@cache
def case322() -> Feeder:
    """322-bus network from SimBench parts, 110/20/0.4 kV with four transformers; 38 agents in 22 zones.

    Rated 4.249 MW + j1.679 MVAr on 293 load buses, 66.7 km of lines, inverters 4.72 MVA. At the rated load all at
    once the lowest voltage is 0.717 p.u.; the profiles' coincident peak is far below it.

    Source: 2110.14300 with SimBench's grids (replication/data/build_case322.py).
    """
    return from_table(read_feeder("case322"))


def synthetic(n_agents: int, seed: int = 0) -> Feeder:
    """Radial feeder with any number of agents, 3 to 5 buses per agent, zones of 1 to 4 inverters.

    Total rated load and inverter rating and the linearised voltage drop are those of `case33`, however many
    agents share them. Equal arguments give equal feeders.

    Raises:
        BadInput: n_agents below 1 or a negative seed.
    """
    buses, branches, inverters = synthetic_tables(n_agents, seed, case33())
    return from_branches(
        buses,
        branches,
        inverters,
        name=f"synthetic-{n_agents}" + (f" (seed {seed})" if seed else ""),
        slack=0,
        base_mva=case33().base_mva,
        action_bound=case33().action_bound,
        source="drawn from the branches and loads of case33 (replication/envs/synthetic_feeder.py)",
    )


def from_table(table: Mapping) -> Feeder:
    """Feeder from a table as read by `replication.data.feeders.read_feeder`."""
    keys = ("name", "slack", "base_mva", "action_bound", "source")
    return from_branches(table["buses"], table["branches"], table["inverters"], **{key: table[key] for key in keys})


def from_branches(
    buses: Mapping[str, Sequence],
    branches: Mapping[str, Sequence],
    inverters: Mapping[str, Sequence],
    *,
    name: str,
    slack: int,
    base_mva: float,
    action_bound: float,
    source: str,
) -> Feeder:
    """Feeder from lists with any bus numbering and any branch direction.

    Args:
        buses: columns `bus` (number), `vn_kv`, `load_mw`, `load_mvar`, `zone` (0 = trunk).
        branches: columns `from`, `to`, `r_ohm`, `x_ohm`; optional, 0 when absent: `g_from_us`, `b_from_us`,
            `g_to_us`, `b_to_us` [microsiemens]; for transformers `ratio` (off-nominal, 1 when absent) and
            `shift_degree` at the `from` end, and `is_line` false. Ohm and siemens are those of the `to` bus's voltage.
        inverters: columns `bus`, `mva`.
        name, base_mva, action_bound, source: see `Feeder`.
        slack: bus number of the root.

    Raises:
        BadInput: a loop, an island, an unknown bus, a branch without impedance, or columns that are missing or of
            unequal length, named in one line.
    """
    for part, columns in (("buses", buses), ("branches", branches), ("inverters", inverters)):
        _check_columns(name, part, columns)
    ends = [(int(start), int(end)) for start, end in zip(branches["from"], branches["to"], strict=True)]
    order = order_tree(name, [int(bus) for bus in buses["bus"]], ends, slack)
    label = np.array([bus for bus, _ in order])
    place = {int(bus): k for k, bus in enumerate(label)}
    listed = {int(bus): k for k, bus in enumerate(buses["bus"])}
    rows = [listed[int(bus)] for bus in label]
    column = {key: np.array(buses[key])[rows] for key in ("vn_kv", "load_mw", "load_mvar", "zone")}
    volts = dict(zip(label.tolist(), column["vn_kv"].tolist(), strict=True))
    ohm = np.array([volts[end] ** 2 / base_mva for _, end in ends])  # base impedance at each branch's `to` bus
    parts = branch_arrays(name, branches, ends, order[1:], ohm)
    parent = [-1] + [place[sum(ends[branch]) - int(bus)] for bus, branch in order[1:]]
    pv_bus = [place.get(int(bus), -1) for bus in inverters["bus"]]
    return Feeder(
        name=name,
        base_mva=float(base_mva),
        vn_kv=column["vn_kv"].astype(float),
        parent=np.array(parent, dtype=np.int64),
        load_mw=column["load_mw"].astype(float),
        load_mvar=column["load_mvar"].astype(float),
        zone=column["zone"].astype(np.int64),
        pv_bus=np.array(pv_bus, dtype=np.int64),
        pv_mva=np.array(inverters["mva"], dtype=float),
        action_bound=float(action_bound),
        source=source,
        bus_label=label.astype(np.int64),
        **parts,
    )


_COLUMNS = {
    "buses": ("bus", "vn_kv", "load_mw", "load_mvar", "zone"),
    "branches": ("from", "to", "r_ohm", "x_ohm"),
    "inverters": ("bus", "mva"),
}


def _check_columns(name: str, part: str, columns: Mapping[str, Sequence]) -> None:
    missing = [column for column in _COLUMNS[part] if column not in columns]
    if missing:
        raise BadInput(f"feeder {name}: {part} lack the column {missing[0]}; needed: {', '.join(_COLUMNS[part])}")
    lengths = {column: len(values) for column, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise BadInput(f"feeder {name}: the columns of {part} must be equally long, got {lengths}")
