"""Barrier functions: what a bus voltage costs in the reward of the voltage-control world.

One definition serves both the compiled worlds (`barrier_value`) and analysis on arrays (`barrier`).
"""

import numpy as np
from numba import njit

from replication.settings import choose

L1, L2, BOWL, COURANT_BELTRAMI, BUMP = range(5)
BARRIER_CODES: dict[str, int] = {
    "l1": L1,
    "l2": L2,
    "bowl": BOWL,
    "courant_beltrami": COURANT_BELTRAMI,
    "bump": BUMP,
}
BAND = 0.05  # half width of the safe voltage band around 1 p.u.
_NORMAL_PEAK = 1.0 / (0.1 * np.sqrt(2.0 * np.pi))  # density of N(1, 0.1) at its mean


@njit(cache=True)
def barrier_value(code, v):
    """Cost of one bus voltage `v` [p.u.]; `code` is one of `BARRIER_CODES`.

    With d = |v - 1|: L1 d; L2 2 d^2; Bowl 2 d - 0.095 outside the band and 0.04 - 0.01 N(v; 1, 0.1)
    inside (a jump of 2.1e-4 at the edge); Courant-Beltrami the squared excess over the band; Bump
    exp(-1 / (1 - v^4)) below 1, mirrored above.

    Source: 2110.14300 section 4.2 (L1, L2, Bowl) and the public MAPDN code (all five).
    """
    deviation = abs(v - 1.0)
    if code == L1:
        return deviation
    if code == L2:
        return 2.0 * deviation * deviation
    if code == BOWL:
        if deviation > BAND:
            return 2.0 * deviation - 0.095
        return 0.04 - 0.01 * _NORMAL_PEAK * np.exp(-50.0 * deviation * deviation)
    if code == COURANT_BELTRAMI:
        excess = max(0.0, v - 1.0 - BAND, 1.0 - BAND - v)
        return excess * excess
    folded = min(v, 2.0 - v) ** 4
    return np.exp(-1.0 / (1.0 - folded)) if folded < 1.0 else 0.0


@njit(cache=True)
def _fill(code, voltages, out):
    for k in range(len(voltages)):
        out[k] = barrier_value(code, voltages[k])


def barrier(name: str, v: np.ndarray) -> np.ndarray:
    """Cost of each bus voltage in `v` [p.u.], any shape, as float64.

    Args:
        name: one of `BARRIER_CODES`.
        v: voltage magnitudes [p.u.].

    Raises:
        BadInput: unknown barrier.
    """
    code = BARRIER_CODES[choose("barrier", name, BARRIER_CODES)]
    voltages = np.ascontiguousarray(v, dtype=np.float64)
    out = np.empty_like(voltages)
    _fill(code, voltages.reshape(-1), out.reshape(-1))
    return out
