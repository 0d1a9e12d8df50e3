"""The shipped feeders against their published totals and against pandapower; trees from any branch list."""

import dataclasses

import numpy as np
import pytest
from oracles import dense_power_flow
from refusals import refused

from replication.data.feeders import read_feeder, write_feeder
from replication.envs.feeder import Feeder, case33, case141, case322, from_branches, from_table, synthetic
from replication.envs.synthetic_feeder import linear_drops
from replication.settings import BadInput

SHIPPED = {"case33": case33, "case141": case141, "case322": case322}


def voltages(feeder: Feeder) -> np.ndarray:
    return dense_power_flow.solve(feeder, feeder.load_mw, feeder.load_mvar)


@pytest.mark.parametrize(
    "name, buses, agents, zones, load_mw, load_mvar, rating",
    [
        ("case33", 33, 6, 4, 3.715, 2.300, 10.8064),
        ("case141", 141, 22, 9, 11.944625, 7.4026137, 101.5175),
        ("case322", 322, 38, 22, 4.249, 1.678864, 4.7248),
    ],
)
def test_published_totals(name, buses, agents, zones, load_mw, load_mvar, rating):
    feeder = SHIPPED[name]()
    assert (feeder.num_buses, feeder.num_agents, feeder.zone.max()) == (buses, agents, zones)
    assert feeder.load_mw.sum() == pytest.approx(load_mw, abs=1e-6)
    assert feeder.load_mvar.sum() == pytest.approx(load_mvar, abs=1e-6)
    assert feeder.pv_mva.sum() == pytest.approx(rating, abs=1e-4)
    assert np.count_nonzero(feeder.load_mw) == {"case33": 32, "case141": 84, "case322": 293}[name]


def test_published_lowest_voltages_and_losses():
    at_33 = voltages(case33())
    assert np.abs(at_33).argmin() == 17
    assert np.abs(at_33).min() == pytest.approx(0.9130905, abs=1e-7)
    assert dense_power_flow.branch_losses_mw(case33(), at_33).sum() == pytest.approx(0.202677, abs=1e-6)
    assert np.abs(voltages(case141())).min() == pytest.approx(0.92786, abs=5e-6)


def test_case322_has_the_published_parts():
    feeder = case322()
    assert (feeder.is_line[1:].sum(), (~feeder.is_line).sum()) == (317, 4)
    assert sorted(set(feeder.vn_kv)) == [0.4, 20.0, 110.0]
    assert np.all(feeder.shift[~feeder.is_line] == np.radians(150))
    assert np.all(feeder.g_to[~feeder.is_line] > 0)  # iron losses
    assert np.all(feeder.b_to[feeder.is_line][1:] > 0)  # line charging


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_zones_hang_together_and_hold_one_to_five_inverters(name):
    feeder = SHIPPED[name]()
    entries = [k for k in range(1, feeder.num_buses) if feeder.zone[k] not in (0, feeder.zone[feeder.parent[k]])]
    assert sorted(feeder.zone[entries]) == list(range(1, feeder.zone.max() + 1))
    inverters = np.bincount(feeder.zone[feeder.pv_bus])
    assert inverters[0] == 0
    assert inverters[1:].min() == 1
    assert inverters[1:].max() <= 5


def pandapower_lines(name: str):
    """The feeder in pandapower, from the ohm values of its table."""
    pandapower = pytest.importorskip("pandapower")
    table = read_feeder(name)
    net = pandapower.create_empty_network()
    buses = table["buses"]
    for kv, mw, mvar in zip(buses["vn_kv"], buses["load_mw"], buses["load_mvar"], strict=True):
        bus = pandapower.create_bus(net, vn_kv=kv)
        pandapower.create_load(net, bus, p_mw=mw, q_mvar=mvar)
    pandapower.create_ext_grid(net, table["slack"])
    columns = table["branches"]
    for start, end, r, x in zip(columns["from"], columns["to"], columns["r_ohm"], columns["x_ohm"], strict=True):
        pandapower.create_line_from_parameters(net, start, end, 1.0, r, x, 0.0, 1.0)
    return net


def assert_equal_to_pandapower(feeder: Feeder, net) -> None:
    pandapower = pytest.importorskip("pandapower")
    pandapower.runpp(net, calculate_voltage_angles=True, numba=False)
    mine = voltages(feeder)
    theirs = net.res_bus.loc[feeder.bus_label]
    assert np.abs(np.abs(mine) - theirs.vm_pu.to_numpy()).max() < 1e-8
    assert np.abs(np.angle(mine * np.exp(-1j * np.radians(theirs.va_degree.to_numpy())))).max() < 1e-8
    losses = net.res_line.pl_mw.sum() + (net.res_trafo.pl_mw.sum() if len(net.trafo) else 0.0)
    assert dense_power_flow.branch_losses_mw(feeder, mine).sum() == pytest.approx(losses, rel=1e-6)


@pytest.mark.parametrize("name", ["case33", "case141"])
def test_voltages_equal_pandapower(name):
    assert_equal_to_pandapower(SHIPPED[name](), pandapower_lines(name))


def test_case33_equals_the_network_pandapower_ships():
    pandapower = pytest.importorskip("pandapower")
    net = pandapower.networks.case33bw()
    net.line = net.line[net.line.in_service]
    assert_equal_to_pandapower(case33(), net)


def test_case322_equals_pandapower_with_transformers_and_charging():
    pytest.importorskip("simbench")
    from replication.data.build_case322 import case322_net

    net, zones = case322_net()
    assert net.line.length_km.sum() == pytest.approx(66.7278, abs=1e-4)
    assert np.array_equal(case322().zone, np.array(zones)[case322().bus_label])
    assert_equal_to_pandapower(case322(), net)


def reshuffled(table: dict, seed: int) -> dict:
    """The same network with other bus numbers, branches in another order and half of them turned round."""
    rng = np.random.default_rng(seed)
    number = dict(zip(table["buses"]["bus"], rng.permutation(len(table["buses"]["bus"])) + 100, strict=True))
    buses = {name: list(column) for name, column in table["buses"].items()}
    buses["bus"] = [number[bus] for bus in buses["bus"]]
    order = rng.permutation(len(table["branches"]["from"]))
    branches = {name: [column[k] for k in order] for name, column in table["branches"].items()}
    voltage = dict(zip(table["buses"]["bus"], table["buses"]["vn_kv"], strict=True))
    for k in range(0, len(order), 2):
        start, end = branches["from"][k], branches["to"][k]
        if voltage[start] == voltage[end] and branches.get("shift_degree", [0] * len(order))[k] == 0:
            branches["from"][k], branches["to"][k] = end, start
    for end in ("from", "to"):
        branches[end] = [number[bus] for bus in branches[end]]
    inverters = {"bus": [number[bus] for bus in table["inverters"]["bus"]], "mva": table["inverters"]["mva"]}
    parts = {"buses": buses, "branches": branches, "inverters": inverters, "slack": number[table["slack"]]}
    return table | parts, number


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_any_numbering_and_direction_gives_the_same_feeder(name):
    table = read_feeder(name)
    other_table, number = reshuffled(table, seed=3)
    feeder, other = from_table(table), from_table(other_table)
    place = {int(label): k for k, label in enumerate(other.bus_label)}
    seat = [place[number[int(label)]] for label in feeder.bus_label]
    assert np.abs(voltages(other)[seat] - voltages(feeder)).max() < 1e-9
    assert np.array_equal(np.array(seat)[feeder.pv_bus], other.pv_bus)


def two_buses(ratio: float, shift: float, first: int, r_ohm: float) -> Feeder:
    """Load behind one transformer; `first` = 0 lists it from the slack, 1 from the load's side."""
    ends = [[0], [1]] if first == 0 else [[1], [0]]
    branches = {"from": ends[0], "to": ends[1], "r_ohm": [r_ohm], "x_ohm": [2 * r_ohm], "b_from_us": [300.0]}
    branches |= {"ratio": [ratio], "shift_degree": [shift], "g_to_us": [200.0]}
    buses = {"bus": [0, 1], "vn_kv": [10, 10], "load_mw": [0, 2], "load_mvar": [0, 1], "zone": [0, 1]}
    inverters = {"bus": [1], "mva": [1.0]}
    return from_branches(buses, branches, inverters, name="two", slack=0, base_mva=10, action_bound=1.0, source="test")


def test_a_transformer_listed_from_the_load_side_is_turned_round():
    # Two-port written out: behind its ideal transformer, the `from` end sees the pi-section.
    feeder = two_buses(ratio=1.05, shift=30.0, first=1, r_ohm=0.5)
    matrix = dense_power_flow.admittance(feeder)
    series, tap = 1 / complex(0.05, 0.1), 1.05 * np.exp(1j * np.radians(30))
    expected = np.array(
        [
            [series + 0.002, -series / tap],  # `to` end is the slack: shunt 200 microsiemens = 0.002 p.u.
            [-series / np.conj(tap), (series + 0.003j) / abs(tap) ** 2],
        ]
    )
    assert np.abs(matrix - expected).max() < 1e-12


def line_table(ends: list[tuple[int, int]], buses: list[int]) -> dict:
    count = len(buses)
    columns = {"vn_kv": [10.0] * count, "load_mw": [0.1] * count, "load_mvar": [0.0] * count, "zone": [0] * count}
    return {
        "buses": {"bus": buses} | columns,
        "branches": {
            "from": [start for start, _ in ends],
            "to": [end for _, end in ends],
            "r_ohm": [1.0] * len(ends),
            "x_ohm": [1.0] * len(ends),
        },
        "inverters": {"bus": [buses[-1]], "mva": [1.0]},
        **{"name": "sketch", "slack": buses[0], "base_mva": 1.0, "action_bound": 0.8, "source": "test"},
    }


@pytest.mark.parametrize(
    "ends, buses, message",
    [
        ([(1, 2), (2, 3), (3, 1)], [1, 2, 3], r"branch \d-\d closes a loop"),
        ([(1, 2), (1, 2)], [1, 2], "branch 1-2 closes a loop"),
        ([(1, 2), (2, 2)], [1, 2], "branch 2-2 closes a loop"),
        ([(1, 2)], [1, 2, 7], "bus 7 is an island"),
        ([(1, 2), (7, 8)], [1, 2, 7, 8], "bus 7 is an island"),
        ([(1, 9)], [1, 2], "branch 1-9 names bus 9"),
        ([(1, 2)], [1, 2, 2], "bus 2 is listed twice"),
    ],
)
def test_what_is_no_tree_is_refused_in_one_line(ends, buses, message):
    with refused(message):
        from_table(line_table(ends, buses))


def test_bad_tables_are_refused():
    table = line_table([(1, 2)], [1, 2])
    with pytest.raises(BadInput, match="branch 1-2 has no impedance"):
        from_table(table | {"branches": table["branches"] | {"r_ohm": [0.0], "x_ohm": [0.0]}})
    with pytest.raises(BadInput, match="branches lack the column x_ohm"):
        from_table(table | {"branches": {"from": [1], "to": [2], "r_ohm": [1.0]}})
    with pytest.raises(BadInput, match="columns of buses must be equally long"):
        from_table(table | {"buses": table["buses"] | {"load_mw": [0.0]}})
    with pytest.raises(BadInput, match="slack bus 5"):
        from_table(table | {"slack": 5})
    with pytest.raises(BadInput, match="PV buses"):
        from_table(table | {"inverters": {"bus": [9], "mva": [1.0]}})
    with pytest.raises(BadInput, match="load_mw holds NaN"):
        from_table(table | {"buses": table["buses"] | {"load_mw": [0.0, float("nan")]}})
    with pytest.raises(BadInput, match=r"case34.*did you mean case33"):
        read_feeder("case34")


def test_a_table_survives_writing_and_reading(tmp_path):
    table = read_feeder("case322")
    write_feeder(tmp_path / "copy.json", table)
    from replication.data.feeders import BUNDLE

    assert (tmp_path / "copy.json").read_bytes() == (BUNDLE / "case322.json").read_bytes()


@pytest.mark.parametrize("n_agents", [1, 10, 100])
def test_synthetic_feeders_keep_load_ratio_and_electrical_length(n_agents):
    feeder, reference = synthetic(n_agents), case33()
    assert feeder.num_agents == n_agents == len(set(feeder.pv_bus))
    assert feeder.load_mw.sum() == pytest.approx(reference.load_mw.sum())
    assert feeder.pv_mva.sum() / feeder.load_mw.sum() == pytest.approx(reference.pv_mva.sum() / reference.load_mw.sum())
    inverters = np.bincount(feeder.zone[feeder.pv_bus])[1:]
    assert inverters.min() >= 1
    assert inverters.max() <= 4
    assert np.abs(voltages(feeder)).min() == pytest.approx(np.abs(voltages(reference)).min(), abs=0.005)


def test_synthetic_reaches_a_thousand_agents():
    feeder, reference = synthetic(1000), case33()
    assert 3000 <= feeder.num_buses <= 5100
    assert feeder.num_agents == 1000
    drop, reference_drop = (
        linear_drops(grid.parent, grid.load_mw + 1j * grid.load_mvar, grid.r + 1j * grid.x)
        for grid in (feeder, reference)
    )
    assert drop.max() == pytest.approx(reference_drop.max())
    assert drop[feeder.zone == 0].max() == pytest.approx(reference_drop[reference.zone == 0].max())


def test_synthetic_feeders_are_equal_for_equal_arguments():
    first, again, other = synthetic(10), synthetic(10), synthetic(10, seed=1)
    for field in dataclasses.fields(Feeder):
        assert np.array_equal(getattr(first, field.name), getattr(again, field.name)), field.name
    assert first.num_buses != other.num_buses or not np.array_equal(first.r, other.r)
    with pytest.raises(BadInput, match="n_agents >= 1"):
        synthetic(0)
    with pytest.raises(BadInput, match=">= 0"):
        synthetic(10, seed=-1)
