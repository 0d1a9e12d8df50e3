"""Radial feeders of any number of agents that are electrically like a reference feeder.

A trunk carries zones of one to four inverters. Total rated load, PV rating and linearised voltage drop at rated
load are the reference's, however many agents share them: the drop along the trunk is the reference's, and each
zone copies from one of the reference's zones its own drop, its PV rating per load and its place on the trunk.
So the voltage problem stays alike while each agent's part of it shrinks.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from replication.seeding import stream
from replication.settings import BadInput

MOST_INVERTERS = 4  # per zone, as in 2110.14300
BUSES_PER_INVERTER = (3, 5)
CHAIN_SHARE = 0.7  # chance that a bus of a zone continues the chain instead of starting a branch
NEARER = 0.7  # a zone hangs at 0.7 to 1 times its model's electrical place on the trunk


@dataclass(frozen=True)
class ZoneModels:
    """What a zone may copy from a reference feeder, one entry per reference zone, longest path first."""

    trunk_drop: float  # linearised drop along the trunk at rated load [p.u. MVA]
    place: np.ndarray  # share of that drop where the zone hangs
    drop: np.ndarray  # the zone's own drop
    rating: np.ndarray  # inverter MVA per MW of the zone's load


def synthetic_tables(n_agents: int, seed: int, reference: Any) -> tuple[dict, dict, dict]:
    """Bus, branch and inverter columns for `replication.envs.feeder.from_branches`.

    Args:
        n_agents: inverters, at least 1.
        seed: which of the feeders with that many agents; equal numbers give equal feeders.
        reference: the `Feeder` to be like.

    Raises:
        BadInput: n_agents below 1.
    """
    if n_agents < 1:
        raise BadInput(f"a synthetic feeder needs n_agents >= 1, got {n_agents}")
    rng = stream("synthetic feeder", n_agents, seed)
    models = _zone_models(reference)
    inverters = _deal_inverters(rng, n_agents)
    model = rng.integers(len(models.drop), size=len(inverters))
    model[0] = 0  # one zone copies the longest path, so that the lowest voltage is the reference's
    parent, zone = _grow(rng, inverters, models.place[model])
    load = _draw_loads(rng, len(parent), reference)
    impedance = _scale_drops(parent, zone, load, _draw_impedances(rng, len(parent), reference), models, model)
    buses = {
        "bus": np.arange(len(parent)),
        "vn_kv": np.full(len(parent), reference.vn_kv[0]),
        "load_mw": load.real,
        "load_mvar": load.imag,
        "zone": zone,
    }
    ohm = impedance[1:] * reference.vn_kv[0] ** 2 / reference.base_mva
    branches = {"from": parent[1:], "to": np.arange(1, len(parent)), "r_ohm": ohm.real, "x_ohm": ohm.imag}
    zone_load = np.bincount(zone, weights=load.real)[1:]
    rating = models.rating[model] * zone_load
    return buses, branches, _place_inverters(parent, zone, inverters, rating * reference.pv_mva.sum() / rating.sum())


def linear_drops(parent: np.ndarray, load: np.ndarray, impedance: np.ndarray) -> np.ndarray:
    """(n,) sum of r P + x Q from the root to each bus [p.u. MVA]: LinDistFlow's voltage drop.

    Args:
        parent: (n,) with parent[k] < k.
        load: (n,) complex load [MVA].
        impedance: (n,) complex impedance of the branch feeding each bus [p.u.].
    """
    flow = _load_behind(parent, load)
    drop = np.zeros(len(parent))
    for bus in range(1, len(parent)):
        drop[bus] = drop[parent[bus]] + (impedance[bus] * np.conj(flow[bus])).real
    return drop


def _zone_models(reference: Any) -> ZoneModels:
    load = reference.load_mw + 1j * reference.load_mvar
    drop = linear_drops(reference.parent, load, reference.r + 1j * reference.x)
    trunk_drop = drop[reference.zone == 0].max()
    rows = []
    for number in range(1, reference.zone.max() + 1):
        members = np.flatnonzero(reference.zone == number)
        start = drop[reference.parent[members[0]]]
        rating = reference.pv_mva[reference.zone[reference.pv_bus] == number].sum()
        rows.append((drop[members].max(), start / trunk_drop, rating / reference.load_mw[members].sum(), start))
    end, place, rating, start = np.array(sorted(rows, reverse=True)).T
    return ZoneModels(trunk_drop=float(trunk_drop), place=place, drop=end - start, rating=rating)


def _deal_inverters(rng: np.random.Generator, n_agents: int) -> list[int]:
    """Inverters of each zone: one to four, in all `n_agents`."""
    zones: list[int] = []
    while (left := n_agents - sum(zones)) > 0:
        zones.append(min(left, int(rng.integers(1, MOST_INVERTERS + 1))))
    return zones


def _grow(rng: np.random.Generator, inverters: list[int], place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Parent and zone of every bus: slack, trunk, then zone after zone hanging from trunk buses."""
    trunk = max(5, round(2 * np.sqrt(len(inverters))))
    parent, zone = list(range(-1, trunk)), [0] * (trunk + 1)
    nearer = rng.uniform(NEARER, 1.0, len(inverters))
    nearer[0] = 1.0
    for number, count in enumerate(inverters, start=1):
        size = int(rng.integers(BUSES_PER_INVERTER[0] * count, BUSES_PER_INVERTER[1] * count + 1))
        first = len(parent)
        parent.append(max(1, round(trunk * place[number - 1] * nearer[number - 1])))
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


def _draw_impedances(rng: np.random.Generator, count: int, reference: Any) -> np.ndarray:
    """(n,) complex impedance up to a factor per zone: the reference's branches drawn anew."""
    impedance = (reference.r + 1j * reference.x)[rng.integers(1, reference.num_buses, count)]
    impedance[0] = 0
    return impedance


def _scale_drops(
    parent: np.ndarray, zone: np.ndarray, load: np.ndarray, impedance: np.ndarray, models: ZoneModels, model: np.ndarray
) -> np.ndarray:
    """Impedances with the models' drops: trunk first bus to last, then every zone on its own."""
    drop = linear_drops(parent, load, impedance)
    factor = np.full(len(model) + 1, models.trunk_drop / drop[zone == 0].max())
    for number in range(1, len(model) + 1):
        members = np.flatnonzero(zone == number)
        own = drop[members].max() - drop[parent[members[0]]]
        factor[number] = models.drop[model[number - 1]] / own
    return impedance * factor[zone]


def _place_inverters(
    parent: np.ndarray, zone: np.ndarray, inverters: list[int], zone_rating: np.ndarray
) -> dict[str, np.ndarray]:
    """Equal inverters at the ends of each zone's branches, further ones at its last inner buses."""
    ends = ~np.isin(np.arange(len(parent)), parent)
    buses: list[int] = []
    ratings: list[float] = []
    for number, count in enumerate(inverters, start=1):
        members = np.flatnonzero(zone == number)
        buses += sorted(sorted(members.tolist(), key=lambda bus: (not ends[bus], -bus))[:count])
        ratings += [zone_rating[number - 1] / count] * count
    return {"bus": np.array(buses), "mva": np.array(ratings)}
