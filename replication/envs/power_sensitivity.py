"""Exact derivatives of a solved radial power flow with respect to the inverters' reactive powers.

At the solution, bus k draws the current I_k = (Y V)_k = conj(S_k / V_k). A change dS of the injected power
moves the voltages by the solution of

    Y dV + diag(I / conj(V)) conj(dV) = conj(dS / V)

which is real-linear in dV. On a tree it is solved without fill-in: 2x2 blocks are eliminated from the leaves
to the slack, then voltages follow from the slack to the leaves, O(buses) per inverter.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from replication.envs.feeder import Feeder


class Branches(NamedTuple):
    """Complex branch constants of a feeder, index k = branch feeding bus k, index 0 unused [p.u.]."""

    parent: np.ndarray  # (n,) int64
    pv_bus: np.ndarray  # (a,) int64
    tap: np.ndarray  # (n,) complex ratio at the parent's side
    series: np.ndarray  # (n,) complex series admittance
    to_parent: np.ndarray  # (n,) admittance matrix entry (parent, bus)
    to_bus: np.ndarray  # (n,) entry (bus, parent)
    diagonal: np.ndarray  # (n,) entry (bus, bus)
    r: np.ndarray  # (n,) series resistance
    g_from: np.ndarray  # (n,)
    g_to: np.ndarray  # (n,)
    base_mva: float


def branches(feeder: Feeder) -> Branches:
    """The constants `sensitivities` and the optimal power flow need."""
    n = feeder.num_buses
    impedance = feeder.r + 1j * feeder.x
    series = np.zeros(n, dtype=np.complex128)
    series[1:] = 1.0 / impedance[1:]
    tap = feeder.ratio * np.exp(1j * feeder.shift)
    tap[0] = 1.0
    diagonal = np.zeros(n, dtype=np.complex128)
    diagonal[1:] = (series + feeder.g_to + 1j * feeder.b_to)[1:]
    at_parent = (series + feeder.g_from + 1j * feeder.b_from) / np.abs(tap) ** 2
    np.add.at(diagonal, feeder.parent[1:], at_parent[1:])
    return Branches(
        parent=feeder.parent.astype(np.int64),
        pv_bus=feeder.pv_bus.astype(np.int64),
        tap=tap,
        series=series,
        to_parent=-series / np.conj(tap),
        to_bus=-series / tap,
        diagonal=diagonal,
        r=feeder.r.astype(np.float64),
        g_from=feeder.g_from.astype(np.float64),
        g_to=feeder.g_to.astype(np.float64),
        base_mva=float(feeder.base_mva),
    )


@njit(cache=True)
def _bus_currents(net, voltage, current):
    """Injected currents I = Y V."""
    n = len(net.parent)
    for k in range(n):
        current[k] = net.diagonal[k] * voltage[k]
    for k in range(1, n):
        p = net.parent[k]
        current[k] += net.to_bus[k] * voltage[p]
        current[p] += net.to_parent[k] * voltage[k]


@njit(cache=True)
def _times(block, value):
    """Real 2x2 block (a, b, c, d) on a complex number."""
    return complex(
        block[0] * value.real + block[1] * value.imag,
        block[2] * value.real + block[3] * value.imag,
    )


@njit(cache=True)
def _eliminate(net, voltage, current, inverse):
    """Invert the 2x2 diagonal blocks after elimination of each bus's subtree; `inverse` is (n, 4)."""
    n = len(net.parent)
    for k in range(n):
        own, mirrored = net.diagonal[k], current[k] / np.conj(voltage[k])
        inverse[k, 0] = own.real + mirrored.real
        inverse[k, 1] = -own.imag + mirrored.imag
        inverse[k, 2] = own.imag + mirrored.imag
        inverse[k, 3] = own.real - mirrored.real
    for k in range(n - 1, 0, -1):
        a, b, c, d = inverse[k]
        scale = 1.0 / (a * d - b * c)
        inverse[k, 0], inverse[k, 1], inverse[k, 2], inverse[k, 3] = d * scale, -b * scale, -c * scale, a * scale
        p, up, down = net.parent[k], net.to_parent[k], net.to_bus[k]
        first = up * _times(inverse[k], down)
        second = up * _times(inverse[k], down * 1j)
        inverse[p, 0] -= first.real
        inverse[p, 2] -= first.imag
        inverse[p, 1] -= second.real
        inverse[p, 3] -= second.imag


@njit(cache=True)
def voltage_slopes(net, voltage, current, inverse, slopes):
    """Fill `slopes` (a, n) with dV/dq of each inverter [complex p.u. per MVAr] at the solved `voltage` (n,)."""
    n = len(net.parent)
    _bus_currents(net, voltage, current)
    _eliminate(net, voltage, current, inverse)
    for i in range(len(net.pv_bus)):
        column = slopes[i]
        column[:] = 0.0
        bus = net.pv_bus[i]
        column[bus] = -1j / (net.base_mva * np.conj(voltage[bus]))
        while bus > 0:
            p = net.parent[bus]
            column[p] -= net.to_parent[bus] * _times(inverse[bus], column[bus])
            bus = p
        column[0] = 0.0
        for k in range(1, n):
            column[k] = _times(inverse[k], column[k] - net.to_bus[k] * column[net.parent[k]])


@njit(cache=True)
def _add_square(factor, value, change, gradient, hessian):
    """Add factor * |value|^2, whose derivative is `change` (a,), to a gradient and a Gauss-Newton Hessian."""
    for i in range(len(change)):
        gradient[i] += 2.0 * factor * (value.real * change[i].real + value.imag * change[i].imag)
        for j in range(i + 1):
            hessian[i, j] += 2.0 * factor * (change[i].real * change[j].real + change[i].imag * change[j].imag)


@njit(cache=True)
def loss_model(net, voltage, slopes, gradient, hessian):
    """Loss [MW] at `voltage`; fills its gradient (a,) [MW/MVAr] and Gauss-Newton Hessian (a, a) [MW/MVAr^2].

    Losses are sums of squares, r |I|^2 and g |V|^2, so the Gauss-Newton Hessian is positive semidefinite
    and leaves out only the curvature of the power flow itself. Entries [:a, :a] of larger arrays are used.
    """
    agents = len(net.pv_bus)
    gradient[:agents] = 0.0
    hessian[:agents, :agents] = 0.0
    change = np.empty(agents, dtype=np.complex128)
    loss = 0.0
    for k in range(1, len(net.parent)):
        p = net.parent[k]
        inner = voltage[p] / net.tap[k]
        flow = (inner - voltage[k]) * net.series[k]
        loss += net.r[k] * abs(flow) ** 2 + net.g_from[k] * abs(inner) ** 2 + net.g_to[k] * abs(voltage[k]) ** 2
        for i in range(agents):
            change[i] = (slopes[i, p] / net.tap[k] - slopes[i, k]) * net.series[k]
        _add_square(net.r[k], flow, change, gradient, hessian)
        if net.g_from[k] != 0.0:
            _add_square(net.g_from[k], inner, slopes[:, p] / net.tap[k], gradient, hessian)
        if net.g_to[k] != 0.0:
            _add_square(net.g_to[k], voltage[k], slopes[:, k], gradient, hessian)
    for i in range(agents):
        gradient[i] *= net.base_mva
        for j in range(i + 1):
            hessian[i, j] *= net.base_mva
            hessian[j, i] = hessian[i, j]
    return loss * net.base_mva


@njit(cache=True)
def _all_sensitivities(net, voltage, magnitude_slopes, loss_slopes):
    n, agents = len(net.parent), len(net.pv_bus)
    current, inverse = np.empty(n, dtype=np.complex128), np.empty((n, 4))
    slopes, hessian = np.empty((agents, n), dtype=np.complex128), np.empty((agents, agents))
    for row in range(len(voltage)):
        voltage_slopes(net, voltage[row], current, inverse, slopes)
        loss_model(net, voltage[row], slopes, loss_slopes[row], hessian)
        for k in range(n):
            unit = np.conj(voltage[row, k]) / abs(voltage[row, k])
            for i in range(agents):
                magnitude_slopes[row, k, i] = (unit * slopes[i, k]).real


def sensitivities(feeder: Feeder, voltage: np.ndarray, angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How voltages and total losses move with each inverter's reactive power, at solved power flows.

    Args:
        feeder: the network.
        voltage: (B, n) magnitudes [p.u.] of solved power flows.
        angle: (B, n) angles [rad].

    Returns:
        (B, n, a) voltage slopes [p.u. per MVAr injected] and (B, a) loss slopes [MW per MVAr].
    """
    phasors = np.ascontiguousarray(voltage * np.exp(1j * angle), dtype=np.complex128)
    batch, n = phasors.shape
    magnitude_slopes = np.empty((batch, n, feeder.num_agents))
    loss_slopes = np.empty((batch, feeder.num_agents))
    _all_sensitivities(branches(feeder), phasors, magnitude_slopes, loss_slopes)
    return magnitude_slopes, loss_slopes
