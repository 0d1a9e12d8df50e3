"""Branches in ohm and microsiemens, listed in any direction, as per-unit arrays of a feeder."""

from collections.abc import Mapping, Sequence

import numpy as np

from replication.settings import BadInput

OPTIONAL_COLUMNS = {
    **dict.fromkeys(("g_from_us", "b_from_us", "g_to_us", "b_to_us", "shift_degree"), 0.0),
    **dict.fromkeys(("ratio", "is_line"), 1.0),
}


def branch_arrays(
    name: str,
    branches: Mapping[str, Sequence],
    ends: Sequence[tuple[int, int]],
    order: Sequence[tuple[int, int]],
    base_ohm: np.ndarray,
) -> dict[str, np.ndarray]:
    """Per-unit branch arrays (n,) indexed by the bus a branch feeds; entry 0, the slack, is unused.

    Args:
        name: the feeder's name, for messages.
        branches: columns as in `replication.envs.feeder.from_branches`.
        ends: bus numbers (from, to) of every branch.
        order: (bus, index of the branch that feeds it) for every bus but the slack, parents first.
        base_ohm: (branches,) base impedance at the voltage of the `to` bus.

    Raises:
        BadInput: a branch without impedance.
    """
    feeding = np.array([branch for _, branch in order], dtype=int)
    fed = np.array([bus for bus, _ in order], dtype=int)
    far_end = np.array([ends[branch][1] for branch in feeding], dtype=int)
    column = {key: _column(branches, key, len(ends))[feeding] for key in ("r_ohm", "x_ohm", *OPTIONAL_COLUMNS)}
    ohm = np.asarray(base_ohm)[feeding]
    series = (column["r_ohm"] + 1j * column["x_ohm"]) / ohm
    if np.any(series == 0):
        start, end = ends[feeding[np.argmax(series == 0)]]
        raise BadInput(f"feeder {name}: branch {start}-{end} has no impedance; merge its two buses")
    siemens = 1e-6 * ohm
    shunt_from = (column["g_from_us"] + 1j * column["b_from_us"]) * siemens
    shunt_to = (column["g_to_us"] + 1j * column["b_to_us"]) * siemens
    # A branch listed from child to parent: its ideal transformer moves to the other end of the section.
    turned = far_end != fed
    square = np.where(turned, column["ratio"] ** 2, 1.0)
    near, far = np.where(turned, shunt_to, shunt_from) / square, np.where(turned, shunt_from, shunt_to) / square
    shift = np.radians(column["shift_degree"])
    arrays = {
        "r": series.real * square,
        "x": series.imag * square,
        "g_from": near.real,
        "b_from": near.imag,
        "g_to": far.real,
        "b_to": far.imag,
        "ratio": np.where(turned, 1 / column["ratio"], column["ratio"]),
        "shift": np.where(turned, -shift, shift),
        "is_line": column["is_line"] > 0,
    }
    unused = {"ratio": 1.0, "is_line": True}
    return {
        key: np.concatenate([[unused.get(key, 0.0)], values]).astype(values.dtype) for key, values in arrays.items()
    }


def _column(branches: Mapping[str, Sequence], key: str, count: int) -> np.ndarray:
    if key not in branches:
        return np.full(count, OPTIONAL_COLUMNS[key])
    return np.asarray(branches[key], dtype=float)
