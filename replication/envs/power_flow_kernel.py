"""Compiled backward/forward sweep over a tile of 64 power flows of one radial feeder.

The loads are constant power, so the equation to solve is V = V0 - Z conj(S / V): currents from voltages,
branch currents added up towards the root, voltages taken down again, until they stand still. Transformers
need no extra work: seen from the slack, a bus behind an ideal transformer of complex ratio t has voltage
t V, impedances |t|^2 Z and the same power S, so `network` refers every branch to the slack side once and
`polar_tile` refers the answer back. Source: the sweep is Shirmohammadi et al., IEEE Trans. Power Systems
3(2), 1988; the branch model is MATPOWER's manual, section 3.2.

Rules that keep the loops fast, measured: real arithmetic; the lanes contiguous and their number known to
the compiler; one short plain loop over the lanes per step, with few arrays in it; unsigned bus numbers
read from `net.bus` (a number that is loaded, not counted, keeps the compiler from widening its overlap test
to the whole array, which then always fails and leaves the loop without vector instructions).
Rules that keep the answer of a lane independent of its neighbours: strict floating point without fused or
reordered sums, no arithmetic across lanes, and a lane that has converged does not move any more.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from replication.envs.feeder import Feeder

LANES = 64


class Network(NamedTuple):
    """A feeder as arrays for the kernels, in per unit and referred to the slack (made by `network`)."""

    bus: np.ndarray  # (n,) uint64: 0, 1, ..., n - 1
    parent: np.ndarray  # (n,) uint64: parent[0] = 0
    r: np.ndarray  # (n,) series resistance of the branch feeding bus k
    x: np.ndarray  # (n,) series reactance
    shunt_bus: np.ndarray  # (s,) uint64: buses with a shunt; empty for a feeder of plain series lines
    shunt_g: np.ndarray  # (s,) conductance at that bus, all branch ends added up
    shunt_b: np.ndarray  # (s,) susceptance
    scale: np.ndarray  # (n,) |voltage at the bus| = scale * |voltage referred to the slack|
    turn: np.ndarray  # (n,) angle at the bus = angle referred to the slack - turn [rad]
    loss_mw: np.ndarray  # (n,) MW lost in the branch per squared current
    line_loss_mw: np.ndarray  # (n,) the same for lines, 0 for transformers
    leaky: np.ndarray  # (m,) uint64: branches with a shunt conductance at either end
    leak_from_mw: np.ndarray  # (m,) MW lost per squared voltage at the parent's end
    leak_to_mw: np.ndarray  # (m,) MW lost per squared voltage at the bus's own end
    leak_is_line: np.ndarray  # (m,) bool
    base_mva: np.floating  # MVA per unit of power


class Tile(NamedTuple):
    """Storage for 64 power flows side by side (made by `tile`); the last axis is the lane."""

    demand: np.ndarray  # (n, 2, 64) in: net active and reactive demand [p.u.]
    voltage: np.ndarray  # (n, 2, 64) in: start, out: solution; real, imaginary part, referred to the slack
    current: np.ndarray  # (n, 2, 64) out: current in the branch feeding the bus, of the slack in row 0
    progress: np.ndarray  # (2, 64) work: largest squared change, 1 while a lane still moves
    converged: np.ndarray  # (64,) out: bool
    iterations: np.ndarray  # (64,) out: int64, sweeps done


def network(feeder: Feeder, dtype: type = np.float64) -> Network:
    """`feeder` as `Network`: every branch referred to the slack side, shunts added up per bus."""
    n = feeder.num_buses
    parent = np.maximum(feeder.parent, 0).astype(np.int64)
    ratio = np.ones(n, dtype=np.complex128)
    for k in range(1, n):
        ratio[k] = ratio[parent[k]] * feeder.ratio[k] * np.exp(1j * feeder.shift[k])
    square = np.abs(ratio) ** 2
    from_end = (feeder.g_from + 1j * feeder.b_from) / square
    to_end = (feeder.g_to + 1j * feeder.b_to) / square
    shunt = to_end.copy()
    np.add.at(shunt, parent[1:], from_end[1:])
    shunt[0] -= to_end[0]
    shunt_bus = np.flatnonzero(shunt)
    leaky = np.flatnonzero((from_end.real != 0) | (to_end.real != 0))
    leaky = leaky[leaky > 0]
    loss_mw = feeder.r * square * feeder.base_mva
    loss_mw[0] = 0.0
    is_line = np.asarray(feeder.is_line, dtype=bool)

    def real(values: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(values, dtype=dtype)

    return Network(
        bus=np.arange(n, dtype=np.uint64),
        parent=parent.astype(np.uint64),
        r=real(feeder.r * square),
        x=real(feeder.x * square),
        shunt_bus=shunt_bus.astype(np.uint64),
        shunt_g=real(shunt.real[shunt_bus]),
        shunt_b=real(shunt.imag[shunt_bus]),
        scale=real(1 / np.abs(ratio)),
        turn=real(np.angle(ratio)),
        loss_mw=real(loss_mw),
        line_loss_mw=real(np.where(is_line, loss_mw, 0.0)),
        leaky=leaky.astype(np.uint64),
        leak_from_mw=real(from_end.real[leaky] * feeder.base_mva),
        leak_to_mw=real(to_end.real[leaky] * feeder.base_mva),
        leak_is_line=is_line[leaky],
        base_mva=np.dtype(dtype).type(feeder.base_mva),
    )


def tile(num_buses: int, dtype: type = np.float64) -> Tile:
    """Zeroed storage for 64 power flows of a feeder with `num_buses` buses."""
    return Tile(
        demand=aligned_zeros((num_buses, 2, LANES), dtype),
        voltage=aligned_zeros((num_buses, 2, LANES), dtype),
        current=aligned_zeros((num_buses, 2, LANES), dtype),
        progress=aligned_zeros((2, LANES), dtype),
        converged=np.zeros(LANES, dtype=np.bool_),
        iterations=np.zeros(LANES, dtype=np.int64),
    )


def aligned_zeros(shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """Zeros that start on a 64-byte boundary, which the vector loads of the sweep like (1.5x in the sweep)."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.zeros(size + 64, dtype=np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + size].view(dtype).reshape(shape)


@njit(cache=True, error_model="numpy")
def flat_start(tile):
    """Set every voltage to the no-load voltage: 1 p.u., referred to the slack."""
    voltage = tile.voltage
    for k in range(voltage.shape[0]):
        for lane in range(LANES):
            voltage[k, 0, lane] = 1
            voltage[k, 1, lane] = 0


@njit(cache=True, error_model="numpy")
def sweep_tile(net, tile, tol, max_iterations):
    """Solve the 64 power flows of `tile` from the voltages it holds.

    A lane has converged once no voltage of it moved by `tol` p.u. or more in one sweep; it then stays as it
    is. The result of a lane depends on its own demand and start only. Lanes not in use may hold zero demand.

    Args:
        net: `Network` of the feeder.
        tile: `Tile`; in: `demand` (row 0, the slack, moves no voltage) and start `voltage` (row 0 = slack
            voltage, see `flat_start`); out: `voltage`, `current` (belonging to those voltages),
            `converged`, `iterations`.
        tol: largest change of a voltage in the last sweep [p.u.].
        max_iterations: sweeps after which a lane counts as unsolvable (beyond the nose); >= 1.
    """
    progress = tile.progress
    limit = progress.dtype.type(tol * tol)
    zero = progress.dtype.type(0)
    for lane in range(LANES):
        progress[1, lane] = 1
        tile.converged[lane] = False
    _bus_currents(net, tile)
    for sweep in range(1, max_iterations + 1):
        _add_towards_root(net, tile)
        _voltages_from_root(net, tile)
        moving = 0
        for lane in range(LANES):
            if progress[1, lane] > zero:
                tile.iterations[lane] = sweep
                if progress[0, lane] < limit:
                    progress[1, lane] = zero
                    tile.converged[lane] = True
                else:
                    moving += 1
        if moving == 0:
            break
    _add_towards_root(net, tile)  # the currents of the final voltages
    for lane in range(LANES):  # one that is not finite betrays a lane whose test of the change saw NaN
        total = tile.current[0, 0, lane] + tile.current[0, 1, lane]
        tile.converged[lane] &= np.isfinite(total)


@njit(cache=True, error_model="numpy")
def _bus_currents(net, tile):
    """current[k] = conj(S_k / V_k) + Y_k V_k."""
    n = net.parent.shape[0]
    voltage = tile.voltage.reshape((n, 2 * LANES))
    demand = tile.demand.reshape((n, 2 * LANES))
    current = tile.current.reshape((n, 2 * LANES))
    for j in range(n):
        k = net.bus[j]
        _load_current(voltage[k], demand[k], current[k])
    _add_shunt_currents(net, voltage, current)


@njit(inline="always", error_model="numpy")
def _load_current(v, s, i):
    """i = conj(s / v) on rows of 64 real and 64 imaginary parts."""
    one = v.dtype.type(1)
    for a in range(LANES):
        b = LANES + a
        e, f = v[a], v[b]
        inverse = one / (e * e + f * f)
        i[a] = (s[a] * e + s[b] * f) * inverse
        i[b] = (s[a] * f - s[b] * e) * inverse


@njit(cache=True, error_model="numpy")
def _add_shunt_currents(net, voltage, current):
    for j in range(net.shunt_bus.shape[0]):
        k = net.shunt_bus[j]
        g, h = net.shunt_g[j], net.shunt_b[j]
        v, i = voltage[k], current[k]
        for a in range(LANES):
            b = LANES + a
            i[a] += g * v[a] - h * v[b]
            i[b] += g * v[b] + h * v[a]


@njit(cache=True, error_model="numpy")
def _add_towards_root(net, tile):
    """Branch current = current of the bus + currents of the branches behind it."""
    n = net.parent.shape[0]
    current = tile.current.reshape((n, 2 * LANES))
    for j in range(n - 1, 0, -1):
        above, own = current[net.parent[j]], current[net.bus[j]]
        for a in range(2 * LANES):
            above[a] += own[a]


@njit(cache=True, error_model="numpy")
def _voltages_from_root(net, tile):
    """V_k = V_parent - Z_k I_k for the lanes that still move, their largest squared change, the new bus currents.

    The current of a bus follows its voltage at once, while both rows are in the nearest cache.
    """
    n = net.parent.shape[0]
    voltage = tile.voltage.reshape((n, 2 * LANES))
    demand = tile.demand.reshape((n, 2 * LANES))
    current = tile.current.reshape((n, 2 * LANES))
    progress = tile.progress.reshape(2 * LANES)
    for a in range(LANES):
        progress[a] = 0
    _load_current(voltage[0], demand[0], current[0])
    for j in range(1, n):
        k = net.bus[j]
        r, x = net.r[j], net.x[j]
        v, above, i = voltage[k], voltage[net.parent[j]], current[k]
        for a in range(LANES):
            b = LANES + a
            real = above[a] - r * i[a] + x * i[b] - v[a]
            imaginary = above[b] - x * i[a] - r * i[b] - v[b]
            v[a] += progress[b] * real
            v[b] += progress[b] * imaginary
            square = real * real + imaginary * imaginary
            largest = progress[a]
            progress[a] = square if square > largest else largest
        _load_current(v, demand[k], i)
    _add_shunt_currents(net, voltage, current)


@njit(cache=True, error_model="numpy")
def polar_tile(net, tile, magnitude, angle):
    """Write the bus voltages: magnitude (n, 64) [p.u.] and angle (n, 64) [rad], in (-pi, pi]."""
    voltage = tile.voltage
    for j in range(voltage.shape[0]):
        k = net.bus[j]
        scale, turn = net.scale[k], net.turn[k]
        v, m, d = voltage[k], magnitude[k], angle[k]
        for lane in range(LANES):
            e, f = v[0, lane], v[1, lane]
            m[lane] = np.sqrt(e * e + f * f) * scale
            d[lane] = arc_tangent(f, e) - turn
        if turn != 0:
            _wrap(d)


@njit(cache=True, error_model="numpy")
def _wrap(angle):
    for lane in range(LANES):
        if angle[lane] > np.pi:
            angle[lane] -= 2 * np.pi
        elif angle[lane] <= -np.pi:
            angle[lane] += 2 * np.pi


@njit(cache=True, error_model="numpy")
def branch_loss_tile(net, tile, loss):
    """Write the loss [MW] of the branch feeding each bus, (n, 64); 0 in the slack's row.

    Losses are r |I|^2 of the series element and g |V|^2 of the conductances at both ends.
    """
    voltage, current = tile.voltage, tile.current
    for j in range(current.shape[0]):
        k = net.bus[j]
        i, out, factor = current[k], loss[k], net.loss_mw[k]
        for lane in range(LANES):
            out[lane] = factor * (i[0, lane] * i[0, lane] + i[1, lane] * i[1, lane])
    for j in range(net.leaky.shape[0]):
        k = net.leaky[j]
        _add_leak(net, voltage, j, loss[k])


@njit(cache=True, error_model="numpy")
def line_loss_tile(net, tile, total):
    """Write the summed loss [MW] of all lines, transformers left out, into total (64,)."""
    voltage, current = tile.voltage, tile.current
    for lane in range(LANES):
        total[lane] = 0
    for j in range(current.shape[0]):
        k = net.bus[j]
        i, factor = current[k], net.line_loss_mw[k]
        for lane in range(LANES):
            total[lane] += factor * (i[0, lane] * i[0, lane] + i[1, lane] * i[1, lane])
    for j in range(net.leaky.shape[0]):
        if net.leak_is_line[j]:
            _add_leak(net, voltage, j, total)


@njit(cache=True, error_model="numpy")
def _add_leak(net, voltage, j, out):
    k = net.leaky[j]
    above, own = voltage[net.parent[k]], voltage[k]
    g_from, g_to = net.leak_from_mw[j], net.leak_to_mw[j]
    for lane in range(LANES):
        out[lane] += g_from * (above[0, lane] * above[0, lane] + above[1, lane] * above[1, lane])
        out[lane] += g_to * (own[0, lane] * own[0, lane] + own[1, lane] * own[1, lane])


@njit(inline="always", error_model="numpy")
def arc_tangent(y, x):
    """Angle of x + jy in [-pi, pi], without branches so that it runs on whole vectors (error about 1e-16).

    Source: rational approximation of the Cephes library (Moshier), arguments reduced to |t| <= tan(pi/8).
    """
    vertical, horizontal = abs(y), abs(x)
    steep = vertical > horizontal
    small = horizontal if steep else vertical
    large = vertical if steep else horizontal
    middle = small > 0.41421356237309503 * large
    t = (small - large if middle else small) / (small + large if middle else large)
    z = t * t
    above = -8.750608600031904122785e-1 * z - 1.615753718733365076637e1
    above = (above * z - 7.500855792314704667340e1) * z - 1.228866684490136173410e2
    above = (above * z - 6.485021904942025371773e1) * z
    below = (z + 2.485846490142306297962e1) * z + 1.650270098316988542046e2
    below = (below * z + 4.328810604912902668951e2) * z + 4.853903996359136964868e2
    below = below * z + 1.945506571482613964425e2
    angle = t + t * (above / below)
    angle = angle + 0.7853981633974483 if middle else angle
    angle = 1.5707963267948966 - angle if steep else angle
    angle = 3.141592653589793 - angle if x < 0 else angle
    return -angle if y < 0 else angle
