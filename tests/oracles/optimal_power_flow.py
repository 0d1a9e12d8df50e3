"""Optimal reactive powers from other hands: pandapower's interior point, SciPy's SLSQP, and trying a whole grid."""

import numpy as np
from oracles import dense_power_flow as dense
from oracles.power_flow import pandapower_net


def demand(scenarios, row, q_mvar):
    """Net demand (n,) and (n,) of one scenario with injections `q_mvar` (a,)."""
    p_net, q_net = scenarios.load_mw[row].copy(), scenarios.load_mvar[row].copy()
    np.subtract.at(p_net, scenarios.feeder.pv_bus, scenarios.pv_mw[row])
    np.subtract.at(q_net, scenarios.feeder.pv_bus, q_mvar)
    return p_net, q_net


def flow(scenarios, row, q_mvar):
    """Voltages (n,) and total loss [MW] of one scenario, by dense Newton iterations."""
    voltage = dense.solve(scenarios.feeder, *demand(scenarios, row, q_mvar))
    return np.abs(voltage), dense.branch_losses_mw(scenarios.feeder, voltage).sum()


def pandapower_dispatch(scenarios, row, bound, v_min=0.95, v_max=1.05):
    """Loss [MW], voltages (n,) and reactive powers (a,) of pandapower's optimal power flow for one scenario."""
    import pandapower

    feeder, limit = scenarios.feeder, bound * scenarios.capability[row]
    net = pandapower_net(feeder)
    net.load["p_mw"], net.load["q_mvar"] = scenarios.load_mw[row, 1:], scenarios.load_mvar[row, 1:]
    net.bus["min_vm_pu"], net.bus["max_vm_pu"] = v_min, v_max
    net.bus.loc[0, ["min_vm_pu", "max_vm_pu"]] = 1.0
    for agent, bus in enumerate(feeder.pv_bus):
        power = scenarios.pv_mw[row, agent]
        pandapower.create_sgen(
            net, bus, p_mw=power, controllable=True, min_p_mw=power, max_p_mw=power,
            min_q_mvar=-limit[agent], max_q_mvar=limit[agent],
        )  # fmt: skip
    pandapower.create_poly_cost(net, 0, "ext_grid", cp1_eur_per_mw=1.0)
    pandapower.runopp(
        net,
        calculate_voltage_angles=True,
        numba=False,
        PDIPM_FEASTOL=1e-9,
        PDIPM_GRADTOL=1e-9,
        PDIPM_COMPTOL=1e-9,
        PDIPM_COSTTOL=1e-9,
        PDIPM_MAX_IT=300,
    )
    loss = net.res_line.pl_mw.sum() + net.res_trafo.pl_mw.sum()
    return loss, net.res_bus.vm_pu.to_numpy(), net.res_sgen.q_mvar.to_numpy()


def slsqp_dispatch(scenarios, row, bound, v_min=0.95, v_max=1.05):
    """Loss [MW] and reactive powers (a,) from SciPy's SLSQP with difference quotients."""
    from scipy.optimize import minimize

    limit = bound * scenarios.capability[row]

    def room(q_mvar):
        voltage = flow(scenarios, row, q_mvar)[0][1:]
        return np.concatenate([v_max - voltage, voltage - v_min])

    found = minimize(
        lambda q_mvar: flow(scenarios, row, q_mvar)[1], np.zeros(len(limit)), method="SLSQP",
        bounds=list(zip(-limit, limit, strict=True)), constraints=[{"type": "ineq", "fun": room}],
        options={"ftol": 1e-13, "maxiter": 200},
    )  # fmt: skip
    assert found.success, found.message
    return found.fun, found.x


def grid(scenarios, row, bound, points):
    """All dispatches on a grid of two agents: (k, 2) reactive powers, (k,) losses, (k, n) voltages."""
    limit = bound * scenarios.capability[row]
    axes = [np.linspace(-size, size, points) for size in limit]
    dispatches = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    solved = [flow(scenarios, row, q_mvar) for q_mvar in dispatches]
    return dispatches, np.array([loss for _, loss in solved]), np.stack([voltage for voltage, _ in solved])
