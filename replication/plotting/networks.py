"""A radial feeder as a tree: substation at the left, every branch a straight row, no crossings."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patheffects import withStroke

from replication.plotting import theme
from replication.plotting.labels import readable
from replication.settings import BadInput


def tree_layout(parent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns (depth from the root) and rows of all buses, (n,) each.

    The longest path from any bus lies straight in one row; shorter side branches hang above and below it, each as
    near as the ones already placed allow.

    Args:
        parent: (n,) bus that feeds bus k, with parent[0] = -1 and parent[k] < k.

    Raises:
        BadInput: the array is not such a tree.
    """
    parent = _checked(parent)
    count = len(parent)
    depth = np.zeros(count, dtype=int)
    for bus in range(1, count):
        depth[bus] = depth[parent[bus]] + 1
    children: list[list[int]] = [[] for _ in range(count)]
    below = np.zeros(count, dtype=int)  # length of the longest path under a bus
    for bus in range(count - 1, 0, -1):
        children[parent[bus]].append(bus)
        below[parent[bus]] = max(below[parent[bus]], below[bus] + 1)
    offset = np.zeros(count)  # row of a bus relative to its parent's row
    contours: list[tuple[dict[int, float], dict[int, float]]] = [({}, {})] * count
    for bus in range(count - 1, -1, -1):
        order = sorted(children[bus], key=lambda child: (-below[child], child))
        contours[bus] = _place(bus, order, int(depth[bus]), contours, offset)
    row = np.zeros(count)
    for bus in range(1, count):
        row[bus] = row[parent[bus]] + offset[bus]
    return depth.astype(float), row


def _place(
    bus: int,
    order: Sequence[int],
    column: int,
    contours: list[tuple[dict[int, float], dict[int, float]]],
    offset: np.ndarray,
) -> tuple[dict[int, float], dict[int, float]]:
    """Hang the children (the longest first, straight on) and return the lowest and highest row per column."""
    if not order:
        return {column: 0.0}, {column: 0.0}
    low, high = (dict(side) for side in contours[order[0]])
    low[column] = high[column] = 0.0
    for child in order[1:]:
        child_low, child_high = contours[child]
        up = 1.0 + max(high.get(c, 0.0) - child_low[c] for c in child_low)
        down = 1.0 + max(child_high[c] - low.get(c, 0.0) for c in child_high)
        shift = max(up, 1.0) if up <= down else -max(down, 1.0)
        offset[child] = shift
        for c in child_low:
            low[c] = min(low.get(c, np.inf), child_low[c] + shift)
            high[c] = max(high.get(c, -np.inf), child_high[c] + shift)
        low[column], high[column] = min(low[column], shift), max(high[column], shift)
    return low, high


def draw_feeder(
    ax: Axes,
    parent: np.ndarray,
    *,
    zone: np.ndarray | None = None,
    pv_bus: Sequence[int] | np.ndarray = (),
    values: np.ndarray | None = None,
    value_label: str = "",
    zone_names: Mapping[int, str] | None = None,
    number_buses: bool | None = None,
) -> Axes:
    """Draw a radial feeder; any size from a few to some hundred buses.

    Args:
        ax: axes to draw on.
        parent: (n,) as for `tree_layout`.
        zone: (n,) control zone of each bus, 0 for the trunk; colours the buses.
        pv_bus: buses with an inverter, marked by a ring.
        values: (n,) number per bus (a voltage, say) that colours the buses instead of the zone.
        value_label: what `values` are, with their unit.
        zone_names: zone -> text; "zone k" for at most nine zones if not given.
        number_buses: write bus numbers; by default up to 40 buses.
    """
    x, y = tree_layout(parent)
    count, parent = len(x), np.asarray(parent)
    size = float(np.clip(2600.0 / count, 9.0, 78.0))
    elbows = [[(x[p], y[p]), (x[p], y[k]), (x[k], y[k])] for k, p in enumerate(parent) if p >= 0]
    ax.add_collection(LineCollection(elbows, colors="#9a9a9a", linewidths=1.0, zorder=1, capstyle="round"))
    pv = np.asarray(pv_bus, dtype=int)
    ax.scatter(x[pv], y[pv], s=3.4 * size, c="white", edgecolors="#d09000", linewidths=1.3, zorder=2)
    shades: dict[int, str] = {}
    zone = np.zeros(count, dtype=int) if zone is None else np.asarray(zone, dtype=int)
    if values is not None:
        dots = ax.scatter(x, y, s=size, c=np.asarray(values, float), cmap="cividis", lw=0, zorder=3)
        bar = ax.figure.colorbar(dots, ax=ax, pad=0.01, fraction=0.04)
        bar.set_label(value_label)
        bar.outline.set_visible(False)
    else:
        shades = theme.zone_colours(zone)
        ax.scatter(x, y, s=size, c=[shades[z] for z in zone.tolist()], lw=0, zorder=3)
    ax.scatter(x[:1], y[:1], s=2.2 * size, marker="s", c=theme.INK, zorder=4)
    ring = 0.5 * np.sqrt(3.4 * size)
    if number_buses if number_buses is not None else count <= 40:
        halo = [withStroke(linewidth=2.0, foreground="white")]
        for bus in range(1, count):
            down = (0.0, -4.5 - (ring if bus in pv else 0.5 * np.sqrt(size)))
            ax.annotate(
                str(bus),
                (x[bus], y[bus]),
                down,
                textcoords="offset points",
                ha="center",
                va="center",
                fontsize=6,
                color=theme.FAINT,
                path_effects=halo,
            )
    if shades and (zone_names is not None or len(shades) <= 10):
        for bus in _last_buses(parent, x, y, zone):
            number = int(zone[bus])
            ax.annotate(
                (zone_names or {}).get(number, f"zone {number}"),
                (x[bus], y[bus]),
                (3 + ring, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
                color=readable(shades[number]),
                weight="bold",
                annotation_clip=False,
            )
    margin = 0.6 if count <= 60 else 1.0
    ax.set_xlim(x.min() - margin, x.max() + margin)
    ax.set_ylim(y.min() - margin, y.max() + margin)
    ax.axis("off")
    return ax


def _last_buses(parent: np.ndarray, x: np.ndarray, y: np.ndarray, zone: np.ndarray) -> list[int]:
    """For each zone but the trunk, the bus to write its name behind: a row's end with room, far from the root."""
    chosen = []
    for number in sorted(set(zone[zone > 0].tolist())):
        members = np.flatnonzero(zone == number)
        ends = [bus for bus in members.tolist() if not (parent == bus).any()] or members.tolist()
        chosen.append(max(ends, key=lambda bus: (min(_room(bus, parent, x, y), 5.0), x[bus], -bus)))
    return chosen


def _room(bus: int, parent: np.ndarray, x: np.ndarray, y: np.ndarray) -> float:
    """Columns to the right of a bus until the next bus or the next vertical line in its row."""
    fed = np.arange(1, len(parent))
    low, high = np.minimum(y[fed], y[parent[fed]]), np.maximum(y[fed], y[parent[fed]])
    lines = x[parent[fed]][(low <= y[bus]) & (y[bus] <= high)]
    ahead = np.concatenate([x[y == y[bus]], lines])
    return float(min(ahead[ahead > x[bus]], default=np.inf) - x[bus])


def _checked(parent: np.ndarray) -> np.ndarray:
    parent = np.asarray(parent, dtype=int)
    if parent.ndim != 1 or not len(parent) or parent[0] != -1:
        raise BadInput("parent must be one row of bus numbers that starts with -1 (the substation)")
    wrong = np.flatnonzero((parent[1:] < 0) | (parent[1:] >= np.arange(1, len(parent)))) + 1
    if len(wrong):
        raise BadInput(f"bus {wrong[0]} is fed from {parent[wrong[0]]}; a bus is fed from one with a smaller number")
    return parent
