"""Slow twin of the voltage-control world: one lane, one bus at a time, complex numbers, nothing shared with the kernel.

Source: 2110.14300 §3-4 and the public code's step order.
"""

import math

import numpy as np

from replication.envs.voltage_control import VoltageControl
from replication.seeding import NORMAL_TABLE, normal, uniform


def voltages(feeder, p_mw, q_mvar):
    """Complex bus voltages of a feeder of plain lines by fixed-point iteration, bus by bus."""
    n = feeder.num_buses
    v = np.ones(n, dtype=complex)
    demand = (np.asarray(p_mw) + 1j * np.asarray(q_mvar)) / feeder.base_mva
    for _ in range(200):
        current = np.conj(demand / v)
        for bus in range(n - 1, 0, -1):
            current[feeder.parent[bus]] += current[bus]
        for bus in range(1, n):
            v[bus] = v[feeder.parent[bus]] - complex(feeder.r[bus], feeder.x[bus]) * current[bus]
    return v, current


def samples(world: VoltageControl, key: int, window: int, step: int):
    """Loads and PV of sample `step` with noise, straight from the settings."""
    profiles, s = world.profiles, world.settings
    position = (int(world.windows[window]) + step) / profiles.steps_per_row
    row, share = int(position), position - int(position)
    n, agents = world.feeder.num_buses, world.num_agents

    def between(shape, column):
        return shape[row, column] * (1 - share) + shape[min(row + 1, len(shape) - 1), column] * share

    def draw(channel):
        value = normal(np.uint64(key), step, channel, NORMAL_TABLE)
        return abs(value) if world.shipped else value

    p, q, pv = np.zeros(n), np.zeros(n), np.zeros(agents)
    for bus in range(n):
        column = profiles.load_shape_of_bus[bus]
        p[bus] = between(profiles.load_p_shape, column) * profiles.load_mw_scale[bus]
        q[bus] = between(profiles.load_q_shape, column) * profiles.load_mvar_scale[bus]
        if p[bus] or q[bus]:
            p[bus] += s.noise_level * profiles.noise_mw[bus] * draw(bus)
            q[bus] += s.noise_level * profiles.noise_mvar[bus] * draw(n + bus)
    for agent in range(agents):
        clear = between(profiles.pv_shape, profiles.pv_shape_of_agent[agent]) * profiles.pv_mw_scale[agent]
        noisy = clear + s.noise_level * profiles.noise_pv[agent] * draw(2 * n + agent)
        value = noisy if world.shipped else (max(0.0, noisy) if clear > 0 else clear)
        pv[agent] = min(value, world.feeder.pv_mva[agent])
    return p, q, pv


def initial_share(key: int, agent: int) -> float:
    """Initial reactive power as a share of the action bound."""
    return 2 * uniform(np.uint64(key), 2**31 - 1, agent) - 1


def step(world: VoltageControl, key: int, window: int, t: int, action):
    """Voltages, line loss [MW], injected q and reward when `action` (A,) meets sample t."""
    feeder, s = world.feeder, world.settings
    p, q, pv = samples(world, key, window, t)
    injected = np.asarray(action) * np.sqrt(feeder.pv_mva**2 - pv**2)
    net_p, net_q = p.copy(), q.copy()
    for agent, bus in enumerate(feeder.pv_bus):
        net_p[bus] -= pv[agent]
        net_q[bus] -= injected[agent]
    v, current = voltages(feeder, net_p, net_q)
    loss = sum(feeder.r[bus] * abs(current[bus]) ** 2 for bus in range(1, feeder.num_buses)) * feeder.base_mva
    price = np.mean(np.abs(injected) / (feeder.pv_mva if s.q_unit == "per_unit" else 1.0))
    excess = np.mean([max(0.0, abs(abs(x) - 1) - 0.05) for x in v])
    cost = np.mean([barrier(s.barrier, abs(x)) for x in v])
    reward = -(cost + s.q_weight * price + s.loss_weight * loss + s.violation_weight * excess)
    return v, loss, injected, reward, (p, q, pv)


def barrier(name: str, v: float) -> float:
    """Barrier of one voltage, typed from the formulas."""
    d = abs(v - 1)
    if name == "l1":
        return d
    if name == "l2":
        return 2 * d**2
    density = math.exp(-((v - 1) ** 2) / (2 * 0.1**2)) / (0.1 * math.sqrt(2 * math.pi))
    return 2 * d - 0.095 if d > 0.05 else 0.04 - 0.01 * density
