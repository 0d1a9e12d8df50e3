"""Rebuild the 322-bus network from SimBench parts (extra `grid`).

One trunk of 25 buses at 20 kV behind a 63 MVA transformer, and three low-voltage grids hung on it, after the
description in 2110.14300 and the published network: equal to it in every line, load, PV bus and zone.
"""

import math
import random
import tempfile
from pathlib import Path
from typing import Any

GRIDS = ("1-MV-rural--0-sw", "1-LV-rural3--0-sw", "1-LV-semiurb5--0-sw", "1-LV-urban6--0-sw")
COUPLING_BUSES = (5, 13, 22)  # trunk buses that feed the low-voltage grids instead of a load
TRUNK_BUSES = 25
TRUNK_SEED = 1  # of Python's own generator: the published lengths come from it
FEEDING_MVA = 5.0  # the 0.4 MVA transformers are re-rated to carry the PV power
SHORTEST_OHM, LENGTHENED_OHM = 0.001, 0.002
# Rating of each inverter [MVA] by zone, zones numbered below; from a public export of the published network.
RATING_OF_ZONE = (
    *(0.1797182, 0.1681536, 0.1681536, 0.0156488, 0.1681536, 0.1031843, 0.1797182, 0.0265525, 0.1797182),
    *(0.0727678, 0.0265525, 0.2210231, 0.1031843, 0.0381966, 0.0250871),
    *(0.0727678, 0.1031843, 0.0381966, 0.0250871, 0.1031843, 0.2210231, 0.1002595),
)


def simbench_grids() -> list[Any]:
    """The four SimBench grids; profile tables are cut to a line, which makes reading them tenfold faster."""
    import simbench

    source = Path(simbench.__file__).parent / "networks" / "1-complete_data-mixed-all-0-sw"
    with tempfile.TemporaryDirectory() as folder:
        for table in source.glob("*.csv"):
            lines = 3 if "Profile" in table.name else None
            with open(table, encoding="utf-8") as text:
                kept = "".join(text.readlines() if lines is None else [next(text) for _ in range(lines)])
            (Path(folder) / table.name).write_text(kept, encoding="utf-8")
        return [simbench.get_simbench_net(name, input_path=folder) for name in GRIDS]


def case322_net() -> tuple[Any, list[int]]:
    """The network in pandapower and the zone of every bus; PV plants are its static generators."""
    import pandapower

    medium, *low_grids = simbench_grids()
    net = pandapower.create_empty_network()
    zones = [0] * (TRUNK_BUSES + 1)
    _build_trunk(net)
    last = medium.load.index[medium.load.bus == TRUNK_BUSES][0]  # an industrial load at bus 15 comes later: left out
    _add_loads(net, medium.load.loc[:last], 0)
    for coupling in COUPLING_BUSES:
        net.load = net.load.drop(net.load.index[net.load.bus == coupling][0])
    for low, coupling in zip(low_grids, COUPLING_BUSES, strict=True):
        zones += _hang(net, low, coupling, max(zones))
    return net, zones


def case322_table() -> dict[str, Any]:
    """The feeder table of the network, loads summed per bus, transformers as the pi-sections pandapower computes."""
    import pandapower

    net, zones = case322_net()
    pandapower.runpp(net, calculate_voltage_angles=True, numba=False)
    loads = net.load.groupby("bus")[["p_mw", "q_mvar"]].sum().reindex(net.bus.index, fill_value=0.0)
    pv_buses = net.sgen.bus.tolist()
    return {
        "name": "case322",
        "source": "SimBench grids 1-MV-rural, 1-LV-rural3, 1-LV-semiurb5 and 1-LV-urban6 (Meinecke et al., Energies "
        "13(12):3290, 2020; ODbL 1.0), joined as in arXiv 2110.14300, whose zones, PV buses and ratings it has",
        "base_mva": 1.0,
        "slack": 0,
        "action_bound": 0.8,
        "buses": {
            "bus": net.bus.index.tolist(),
            "vn_kv": net.bus.vn_kv.tolist(),
            "load_mw": _rounded(loads.p_mw),
            "load_mvar": _rounded(loads.q_mvar),
            "zone": zones,
        },
        "branches": _branches(net),
        "inverters": {"bus": pv_buses, "mva": [RATING_OF_ZONE[zones[bus] - 1] for bus in pv_buses]},
    }


def _build_trunk(net: Any) -> None:
    import pandapower

    lengths = random.Random(TRUNK_SEED)
    for bus in range(TRUNK_BUSES + 1):
        pandapower.create_bus(net, vn_kv=20 if bus else 110)
    pandapower.create_ext_grid(net, 0, vm_pu=1.0, va_degree=0.0)
    pandapower.create_transformer(net, 0, 1, std_type="63 MVA 110/20 kV")
    for bus in range(1, TRUNK_BUSES):
        cable = bus % 2 == 0
        kind = "NA2XS2Y 1x70 RM/25 12/20 kV" if cable else "70-AL1/11-ST1A 20.0"
        length = 0.4 + lengths.random() if cable else 3 + 2 * lengths.random()
        pandapower.create_line(net, bus, bus + 1, length_km=length, std_type=kind)


def _hang(net: Any, low: Any, coupling: int, zones_before: int) -> list[int]:
    """Append a low-voltage grid behind a transformer at `coupling`; returns the zones of its buses."""
    import pandapower

    offset = len(net.bus)
    root = int(low.trafo.lv_bus.iloc[0])
    low_buses = low.bus.index[low.bus.vn_kv < 1]
    pandapower.create_buses(net, len(low_buses), vn_kv=0.4)
    feeding = pandapower.create_transformer(net, coupling, root + offset, std_type="0.4 MVA 20/0.4 kV")
    net.trafo.loc[feeding, "sn_mva"] = FEEDING_MVA
    _add_lines(net, low.line, offset)
    _add_loads(net, low.load, offset)
    parts = _subtrees(low.line, root)
    plants = low.sgen.bus.tolist()
    plants += [max(part) for part in parts if not part & set(plants)]
    pandapower.create_sgens(net, [bus + offset for bus in plants], p_mw=0.0)
    return [next((zones_before + k for k, part in enumerate(parts, start=1) if bus in part), 0) for bus in low_buses]


def _subtrees(line: Any, root: int) -> list[set[int]]:
    """Buses behind each neighbour of the low-voltage busbar, neighbours in the order of the line table."""
    neighbours: dict[int, list[int]] = {}
    for start, end in zip(line.from_bus, line.to_bus, strict=True):
        neighbours.setdefault(int(start), []).append(int(end))
        neighbours.setdefault(int(end), []).append(int(start))
    parts = []
    for first in [*line.from_bus[line.to_bus == root], *line.to_bus[line.from_bus == root]]:
        part, waiting = {root}, [int(first)]
        while waiting:
            bus = waiting.pop()
            part.add(bus)
            waiting += [other for other in neighbours[bus] if other not in part]
        parts.append(part - {root})
    return parts


def _add_lines(net: Any, line: Any, offset: int) -> None:
    """Lines of a low-voltage grid; one whose r or x is below a milliohm is lengthened until both reach two."""
    import pandapower

    smaller = line[["r_ohm_per_km", "x_ohm_per_km"]].min(axis=1)
    pandapower.create_lines_from_parameters(
        net,
        (line.from_bus + offset).tolist(),
        (line.to_bus + offset).tolist(),
        length_km=line.length_km.where(line.length_km * smaller >= SHORTEST_OHM, LENGTHENED_OHM / smaller).tolist(),
        r_ohm_per_km=line.r_ohm_per_km.tolist(),
        x_ohm_per_km=line.x_ohm_per_km.tolist(),
        c_nf_per_km=line.c_nf_per_km.tolist(),
        max_i_ka=line.max_i_ka.tolist(),
    )


def _add_loads(net: Any, load: Any, offset: int) -> None:
    import pandapower

    buses = (load.bus + offset).tolist()
    pandapower.create_loads(net, buses, p_mw=load.p_mw.tolist(), q_mvar=load.q_mvar.tolist())


def _branches(net: Any) -> dict[str, list]:
    """Lines in ohm and microsiemens, then transformers from pandapower's per-unit branch matrix."""
    line, trafo = net.line, net.trafo
    half_charging = math.pi * net.f_hz * line.c_nf_per_km * line.length_km * 1e-3  # half of 2 pi f C, in microsiemens
    first, last = net._pd2ppc_lookups["branch"]["trafo"]
    matrix = net._ppc["branch"][
        first:last
    ].real  # columns: r, x, b, tap, shift = 2, 3, 4, 8, 9; g = 23, asymmetry 24, 25
    ohm = net.bus.vn_kv[trafo.lv_bus].to_numpy() ** 2 / net.sn_mva
    siemens = 1e6 / ohm / 2
    none = [0.0] * len(line)
    columns = {
        "r_ohm": [*(line.r_ohm_per_km * line.length_km), *(matrix[:, 2] * ohm)],
        "x_ohm": [*(line.x_ohm_per_km * line.length_km), *(matrix[:, 3] * ohm)],
        "g_from_us": [*none, *(matrix[:, 23] * siemens)],
        "b_from_us": [*half_charging, *(matrix[:, 4] * siemens)],
        "g_to_us": [*none, *((matrix[:, 23] + matrix[:, 24]) * siemens)],
        "b_to_us": [*half_charging, *((matrix[:, 4] + matrix[:, 25]) * siemens)],
        "ratio": [*([1.0] * len(line)), *matrix[:, 8]],
        "shift_degree": [*none, *matrix[:, 9]],
    }
    ends = {"from": [*line.from_bus, *trafo.hv_bus], "to": [*line.to_bus, *trafo.lv_bus]}
    kinds = {"is_line": [1] * len(line) + [0] * len(trafo)}
    return (
        {name: [int(bus) for bus in column] for name, column in ends.items()}
        | {name: _rounded(column) for name, column in columns.items()}
        | kinds
    )


def _rounded(values: Any) -> list[float]:
    """Ten significant digits: plain to read, and far below any effect on a voltage."""
    return [float(f"{value:.10g}") for value in values]
