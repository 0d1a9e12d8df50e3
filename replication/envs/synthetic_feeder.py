"""Radial feeders of any number of agents with the rated load, PV ratio and electrical length of a reference.

A trunk carries zones of one to four inverters. The total rated load and the PV rating per load are those of the
reference, however many agents share them; conductors are sized to the load behind them, and all impedances are
scaled so that the linearised voltage drop at rated load is the reference's. So the voltage problem stays as hard
while each agent's part of it shrinks.
"""

from typing import Any

import numpy as np

from replication.seeding import stream
from replication.settings import BadInput

MOST_INVERTERS = 4  # per zone, as in 2110.14300
BUSES_PER_INVERTER = (3, 5)
CHAIN_SHARE = 0.7  # chance that a bus of a zone continues the chain instead of starting a branch


def synthetic_tables(n_agents: int, seed: int, reference: Any) -> tuple[dict, dict, dict]:
    """Bus, branch and inverter columns for `replication.envs.feeder.from_branches`.

    Args:
        n_agents: inverters, at least 1.
        seed: which of the feeders with that many agents; equal numbers give equal feeders.
        reference: the `Feeder` whose loads, branches, PV ratio and voltage drop are taken over.

    Raises:
        BadInput: n_agents below 1.
    """
    if n_agents < 1:
        raise BadInput(f"a synthetic feeder needs n_agents >= 1, got {n_agents}")
    rng = stream("synthetic feeder", n_agents, seed)
    inverters_of_zone = _deal_inverters(rng, n_agents)
    parent, zone = _grow(rng, inverters_of_zone)
    load = _draw_loads(rng, len(parent), reference)
    behind = _load_behind(parent, load)
    impedance = _draw_impedances(rng, behind, reference)
    impedance *= linear_drop(_of_reference(reference)) / linear_drop((parent, load, impedance))
    buses = {
        "bus": np.arange(len(parent)),
        "vn_kv": np.full(len(parent), reference.vn_kv[0]),
        "load_mw": load.real,
        "load_mvar": load.imag,
        "zone": zone,
    }
    ohm = impedance[1:] * reference.vn_kv[0] ** 2 / reference.base_mva
    branches = {"from": parent[1:], "to": np.arange(1, len(parent)), "r_ohm": ohm.real, "x_ohm": ohm.imag}
    return buses, branches, _place_inverters(parent, zone, load, inverters_of_zone, reference)


def linear_drop(tree: tuple[np.ndarray, np.ndarray, np.ndarray]) -> float:
    """Largest sum of r P + x Q along a path from the root [p.u. MVA]: LinDistFlow's voltage drop.

    Args:
        tree: parent (n,), complex load (n,) [MVA] and complex impedance (n,) of the branch feeding each bus.
    """
    parent, load, impedance = tree
    flow = _load_behind(parent, load)
    drop = np.zeros(len(parent))
    for bus in range(1, len(parent)):
        drop[bus] = drop[parent[bus]] + (impedance[bus] * np.conj(flow[bus])).real
    return float(drop.max())


def _of_reference(reference: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return reference.parent, reference.load_mw + 1j * reference.load_mvar, reference.r + 1j * reference.x


def _deal_inverters(rng: np.random.Generator, n_agents: int) -> list[int]:
    """Inverters of each zone: one to four, in all `n_agents`."""
    zones: list[int] = []
    while (left := n_agents - sum(zones)) > 0:
        zones.append(min(left, int(rng.integers(1, MOST_INVERTERS + 1))))
    return zones


def _grow(rng: np.random.Generator, inverters_of_zone: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Parent and zone of every bus: slack, trunk, then zone after zone hanging from trunk buses."""
    trunk = max(3, round(2 * np.sqrt(len(inverters_of_zone))))
    parent, zone = list(range(-1, trunk)), [0] * (trunk + 1)
    for number, inverters in enumerate(inverters_of_zone, start=1):
        size = int(rng.integers(BUSES_PER_INVERTER[0] * inverters, BUSES_PER_INVERTER[1] * inverters + 1))
        first = len(parent)
        parent.append(int(rng.integers(1, trunk + 1)))
        for bus in range(first + 1, first + size):
            parent.append(bus - 1 if rng.random() < CHAIN_SHARE else int(rng.integers(first, bus)))
        zone += [number] * size
    return np.array(parent), np.array(zone)


def _draw_loads(rng: np.random.Generator, count: int, reference: Any) -> np.ndarray:
    """(n,) complex load [MVA]: the reference's loads drawn anew for every bus but the slack, its totals kept."""
    loaded = np.flatnonzero(reference.load_mw > 0)
    drawn = rng.choice(loaded, count - 1)
    active, reactive = reference.load_mw[drawn], reference.load_mvar[drawn]
    active = active * (reference.load_mw.sum() / active.sum())
    reactive = reactive * (reference.load_mvar.sum() / reactive.sum())
    return np.concatenate([[0], active + 1j * reactive])


def _load_behind(parent: np.ndarray, load: np.ndarray) -> np.ndarray:
    """(n,) complex load of each bus and of everything it feeds."""
    behind = load.astype(complex)
    for bus in range(len(parent) - 1, 0, -1):
        behind[parent[bus]] += behind[bus]
    return behind


def _draw_impedances(rng: np.random.Generator, behind: np.ndarray, reference: Any) -> np.ndarray:
    """(n,) complex impedance: the reference's branches drawn anew, over each branch's share of the load."""
    drawn = rng.integers(1, reference.num_buses, len(behind))
    impedance = (reference.r + 1j * reference.x)[drawn] * np.abs(behind[0]) / np.abs(behind)
    impedance[0] = 0
    return impedance


def _place_inverters(
    parent: np.ndarray, zone: np.ndarray, load: np.ndarray, inverters_of_zone: list[int], reference: Any
) -> dict[str, np.ndarray]:
    """Inverters at the ends of each zone's branches; ratings follow the zone's share of all zones' load."""
    ends = ~np.isin(np.arange(len(parent)), parent)
    in_zones = load.real[zone > 0].sum()
    buses: list[int] = []
    ratings: list[float] = []
    for number, inverters in enumerate(inverters_of_zone, start=1):
        members = np.flatnonzero(zone == number)
        preferred = sorted(members, key=lambda bus: (not ends[bus], -bus))[:inverters]
        share = load.real[members].sum() / in_zones / inverters
        buses += sorted(int(bus) for bus in preferred)
        ratings += [reference.pv_mva.sum() * share] * inverters
    return {"bus": np.array(buses), "mva": np.array(ratings)}
