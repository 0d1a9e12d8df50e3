"""Local volt-var rules as their sources print them, one inverter and one scenario at a time."""

import numpy as np
from oracles.optimal_power_flow import flow


def droop_update(gain, dead_band, relaxation, bound, voltage, q_mvar, base_mvar, capability):
    """Next reactive power [MVAr] of one inverter."""
    wanted = 0.0
    if voltage < 1.0 - dead_band:
        wanted = gain * base_mvar * (1.0 - dead_band - voltage)
    elif voltage > 1.0 + dead_band:
        wanted = -gain * base_mvar * (voltage - 1.0 - dead_band)
    wanted = max(-bound * capability, min(bound * capability, wanted))
    return (1.0 - relaxation) * q_mvar + relaxation * wanted


def matlab_droop(scenarios, row, bound):
    """Converged droop of the MAPDN Matlab script: slope from 0.95 to 1.05, relaxation 0.1, at most 100 power flows."""
    pv_bus, limit = scenarios.feeder.pv_bus, bound * scenarios.capability[row]
    q_mvar, last = np.zeros(len(pv_bus)), np.full(len(pv_bus), np.inf)
    for count in range(1, 101):  # noqa: B007
        voltage = flow(scenarios, row, q_mvar)[0][pv_bus]
        if np.sqrt(np.sum((voltage - last) ** 2)) < 1e-4:
            break
        curve = scenarios.capability[row] * np.clip((1.0 - voltage) / 0.05, -1.0, 1.0)
        q_mvar = 0.9 * q_mvar + 0.1 * np.clip(curve, -limit, limit)
        last = voltage
    return q_mvar, count


def volt_var_1547(voltage):
    """Share of the rating, IEEE 1547-2018 category B defaults."""
    if voltage <= 0.92:
        return 0.44
    if voltage < 0.98:
        return 0.44 * (0.98 - voltage) / 0.06
    if voltage <= 1.02:
        return 0.0
    if voltage < 1.08:
        return -0.44 * (voltage - 1.02) / 0.06
    return -0.44


def shared_reactance(feeder):
    """(a, a) reactance [p.u. per MVAr] of the path from the slack that two inverters share (LinDistFlow)."""
    paths = []
    for bus in feeder.pv_bus:
        path, k = set(), int(bus)
        while k > 0:
            path.add(k)
            k = int(feeder.parent[k])
        paths.append(path)
    return np.array([[sum(feeder.x[k] for k in a & b) for b in paths] for a in paths]) / feeder.base_mva
