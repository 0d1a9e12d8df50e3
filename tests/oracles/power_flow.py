"""A feeder rebuilt for other packages: pandapower and power-grid-model as second and third opinion."""

import numpy as np

FREQUENCY = 50.0


def pandapower_net(feeder):
    """pandapower net of `feeder` with one load per bus but the slack, at rated load; shunts sit at the buses."""
    import pandapower

    n = feeder.num_buses
    net = pandapower.create_empty_network(sn_mva=feeder.base_mva, f_hz=FREQUENCY)
    pandapower.create_buses(net, n, vn_kv=feeder.vn_kv)
    pandapower.create_ext_grid(net, 0, vm_pu=1.0)
    pandapower.create_loads(net, np.arange(1, n), p_mw=feeder.load_mw[1:], q_mvar=feeder.load_mvar[1:])
    for bus in range(1, n):
        add = _add_line if feeder.is_line[bus] and feeder.ratio[bus] == 1 else _add_transformer
        add(pandapower, net, feeder, bus)
    shunt = np.zeros(n, dtype=complex)
    for bus in range(1, n):
        shunt[bus] += complex(feeder.g_to[bus], feeder.b_to[bus])
        shunt[feeder.parent[bus]] += complex(feeder.g_from[bus], feeder.b_from[bus]) / feeder.ratio[bus] ** 2
    for bus in np.flatnonzero(shunt):
        drawn = np.conj(shunt[bus]) * feeder.base_mva
        pandapower.create_shunt(net, bus, p_mw=drawn.real, q_mvar=drawn.imag)
    return net


def _add_line(pandapower, net, feeder, bus):
    ohm = feeder.vn_kv[bus] ** 2 / feeder.base_mva
    pandapower.create_line_from_parameters(
        net, feeder.parent[bus], bus, length_km=1.0, r_ohm_per_km=feeder.r[bus] * ohm,
        x_ohm_per_km=feeder.x[bus] * ohm, c_nf_per_km=0.0, max_i_ka=1.0,
    )  # fmt: skip


def _add_transformer(pandapower, net, feeder, bus):
    parent = feeder.parent[bus]
    pandapower.create_transformer_from_parameters(
        net, parent, bus, sn_mva=feeder.base_mva, vn_hv_kv=feeder.ratio[bus] * feeder.vn_kv[parent],
        vn_lv_kv=feeder.vn_kv[bus], vk_percent=100 * np.hypot(feeder.r[bus], feeder.x[bus]),
        vkr_percent=100 * feeder.r[bus], pfe_kw=0.0, i0_percent=0.0, shift_degree=np.degrees(feeder.shift[bus]),
    )  # fmt: skip


def run_pandapower(net, p_mw, q_mvar):
    """Voltage magnitude [p.u.] and angle [rad] of every bus for net demand (n,), by Newton's method."""
    import pandapower

    net.load["p_mw"], net.load["q_mvar"] = p_mw[1:], q_mvar[1:]
    pandapower.runpp(net, calculate_voltage_angles=True, max_iteration=50, numba=True)
    return net.res_bus.vm_pu.to_numpy(), np.radians(net.res_bus.va_degree.to_numpy())


def power_grid_model(feeder):
    """power-grid-model of a `feeder` of plain lines without charging; loads have ids 2n + bus."""
    import power_grid_model as pgm

    n = feeder.num_buses
    ohm = feeder.vn_kv**2 / feeder.base_mva
    node = pgm.initialize_array("input", "node", n)
    node["id"], node["u_rated"] = np.arange(n), feeder.vn_kv * 1e3
    line = pgm.initialize_array("input", "line", n - 1)
    line["id"], line["from_node"], line["to_node"] = n + np.arange(1, n), feeder.parent[1:], np.arange(1, n)
    line["from_status"] = line["to_status"] = 1
    line["r1"], line["x1"] = (feeder.r * ohm)[1:], (feeder.x * ohm)[1:]
    line["c1"] = line["tan1"] = 0.0
    load = pgm.initialize_array("input", "sym_load", n - 1)
    load["id"], load["node"], load["status"] = 2 * n + np.arange(1, n), np.arange(1, n), 1
    load["type"] = pgm.LoadGenType.const_power
    load["p_specified"], load["q_specified"] = feeder.load_mw[1:] * 1e6, feeder.load_mvar[1:] * 1e6
    source = pgm.initialize_array("input", "source", 1)
    source["id"], source["node"], source["status"], source["u_ref"] = 3 * n, 0, 1, 1.0
    source["sk"] = 1e20  # no impedance behind the slack
    return pgm.PowerGridModel({"node": node, "line": line, "sym_load": load, "source": source})


def power_grid_model_update(feeder, p_mw, q_mvar):
    """Batch update of the loads of `power_grid_model` for net demand (B, n)."""
    import power_grid_model as pgm

    n = feeder.num_buses
    load = pgm.initialize_array("update", "sym_load", (len(p_mw), n - 1))
    load["id"] = 2 * n + np.arange(1, n)
    load["p_specified"], load["q_specified"] = p_mw[:, 1:] * 1e6, q_mvar[:, 1:] * 1e6
    return {"sym_load": load}


def run_power_grid_model(model, update, *, threads=-1, method="newton_raphson"):
    """Magnitude [p.u.], angle [rad] (B, n) and line losses [MW] (B, n - 1); only what is needed is asked for."""
    import power_grid_model as pgm

    answer = model.calculate_power_flow(
        update_data=update,
        calculation_method=getattr(pgm.CalculationMethod, method),
        error_tolerance=1e-8,
        max_iterations=100,
        threading=threads,
        output_component_types={"node": ["u_pu", "u_angle"], "line": ["p_from", "p_to"]},
    )
    line = answer["line"]
    return answer["node"]["u_pu"], answer["node"]["u_angle"], (line["p_from"] + line["p_to"]) * 1e-6
