"""Lines with bands, dots and levels that figures of any paper draw, and the arms they draw, found by their labels."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from replication.drawing import COLUMNS, estimate, seeds_of
from replication.plotting import curves, labels, theme
from replication.plotting.theme import Look
from replication.stats import intervals

Lines = dict[str, tuple[np.ndarray, intervals.Band]]  # label -> x (T,), curve with interval
EMPTY = pandas.DataFrame(columns=COLUMNS)


def arms_like(table: pandas.DataFrame, experiment: str, pattern: str) -> dict[str, tuple[str, ...]]:
    """Arm -> groups of the regular expression that its whole label matches, for the arms that have run."""
    ran = table.loc[table["experiment"] == experiment, "arm"].unique()
    found = {arm: re.fullmatch(pattern, arm) for arm in ran}
    return {arm: match.groups() for arm, match in found.items() if match}


def sweep(
    table: pandas.DataFrame, experiment: str, arms: Mapping[float, str], metric: str
) -> tuple[np.ndarray, intervals.Band] | None:
    """A line over x with one arm per point, mean and interval over its seeds; none if no arm has run."""
    found = {x: seeds_of(table, experiment, arms[x], metric) for x in sorted(arms)}
    return line(found)


def line(points: Mapping[float, np.ndarray]) -> tuple[np.ndarray, intervals.Band] | None:
    """A line from the seeds' values (S,) at each x; none if there are no points."""
    ran = {x: values for x, values in points.items() if len(values)}
    if not ran:
        return None
    ends = [estimate(values) or intervals.Estimate(values[0], values[0], values[0], 1) for values in ran.values()]
    middle, low, high = (np.array([getattr(end, name) for end in ends]) for name in ("value", "low", "high"))
    return np.array(list(ran), float), intervals.Band(middle, low, high, min(end.n for end in ends))


def frame_of(lines: Lines, **more: Any) -> list[pandas.DataFrame]:
    """The plotted numbers of lines, one frame each; `more` are columns that tell panels apart."""
    return [
        pandas.DataFrame(
            {**more, "line": label, "x": x, "middle": band.middle, "low": band.low, "high": band.high, "n": band.n}
        )
        for label, (x, band) in lines.items()
    ]


def gathered(frames: Sequence[pandas.DataFrame]) -> pandas.DataFrame:
    """All plotted numbers of a picture in one table, empty if nothing has run."""
    return pandas.concat(frames, ignore_index=True) if frames else pandas.DataFrame()


def draw_lines(
    ax: Axes,
    lines: Lines,
    *,
    xlabel: str,
    ylabel: str,
    looks: Mapping[str, Look],
    scales: tuple[str, str] = ("linear", "log"),
    names: Literal["end", "legend", "none"] = "end",
    ticks: Sequence[float] | None = None,
    points: bool = True,
    levels: Mapping[str, float] | None = None,
) -> Axes:
    """Lines with bands and a marker per point, levels dotted in the colour of their line.

    On a logarithmic axis points that are not positive are left out.
    """
    ax.set(xscale=scales[0], yscale=scales[1], xlabel=xlabel, ylabel=ylabel)
    if scales[1] == "log":
        lines = {label: kept for label, given in lines.items() if (kept := _positive(*given))}
    if not lines:
        return ax
    x, bands = {label: at for label, (at, _) in lines.items()}, {label: band for label, (_, band) in lines.items()}
    curves.learning_curves(ax, x, bands, xlabel=xlabel, ylabel=ylabel, looks=looks, names="none")
    for drawn, label in zip(ax.get_lines()[-len(lines) :], lines, strict=True):
        drawn.set(marker=looks[label].marker if points else "", markersize=3.5)
    for label, value in (levels or {}).items():
        ax.axhline(value, color=looks[label].colour, ls=theme.DOT, lw=1.2, zorder=1.5)
    few_ticks(ax)
    if ticks is not None:
        ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        ax.xaxis.minorticks_off()
    if names == "legend":
        ax.legend(loc="best", labelcolor="linecolor", handlelength=1.8)
    return name_ends(ax, lines, looks) if names == "end" else ax


def name_ends(ax: Axes, lines: Lines, looks: Mapping[str, Look]) -> Axes:
    """The names of lines at their ends; nothing that changes the limits may be drawn afterwards."""
    ax.autoscale_view()
    ends = {label: (float(x[-1]), float(band.middle[-1])) for label, (x, band) in lines.items()}
    return labels.direct_labels(ax, ends, looks)


def few_ticks(ax: Axes, most: int = 6) -> Axes:
    """Ticks of logarithmic axes as plain numbers: decades over a wide range, else also 2 and 5, else even steps."""
    ax.autoscale_view()
    for axis, limits, wide in ((ax.xaxis, ax.get_xlim(), 0.32 * most), (ax.yaxis, ax.get_ylim(), 0.45 * most)):
        if axis.get_scale() != "log":
            continue
        decades = np.log10(limits[1] / limits[0])
        steps = (1,) if decades > wide else (1, 2, 5)
        axis.set_major_locator(LogLocator(subs=steps, numticks=most) if decades > 0.7 else MaxNLocator(most - 2))
        axis.set_major_formatter(FuncFormatter(_count if axis is ax.xaxis else plain_number))
        axis.set_minor_formatter(NullFormatter())
    return ax


def _count(value: float, _: object = None) -> str:
    """20000 as 20k, 3000000 as 3M, smaller numbers as `plain_number`."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return plain_number(value)


def plain_number(value: float, _: object = None) -> str:
    """0.002 and 2000 as they are, smaller and larger numbers with a power of ten; a formatter of axes."""
    if 1e-3 <= value < 1e4 or value <= 0:
        return f"{value:g}"
    power = int(np.floor(np.log10(value) + 1e-9))
    digits = f"{value / 10.0**power:.3g}"
    return f"$10^{{{power}}}$" if digits == "1" else rf"${digits}\cdot 10^{{{power}}}$"


def _positive(x: np.ndarray, band: intervals.Band) -> tuple[np.ndarray, intervals.Band] | None:
    """The points of a line that a logarithmic axis can show; the lower end of a band may lie below it."""
    kept = band.middle > 0
    low = np.where(band.low > 0, band.low, 1e-3 * band.middle)
    band = intervals.Band(band.middle[kept], low[kept], band.high[kept], band.n)
    return (x[kept], band) if kept.any() else None


def draw_rows(ax: Axes, rows: Mapping[str, tuple], *, floor: float, looks: Mapping[str, Look]) -> Axes:
    """Dots and intervals on a logarithmic axis; values below `floor` are drawn at it."""
    shown = {label: (np.maximum(values, floor), _raised(found, floor)) for label, (values, found) in rows.items()}
    if shown:
        curves.dots_and_intervals(ax, shown, xlabel="", looks=looks)
        ax.set_xscale("log")
        few_ticks(ax, most=4)
    return ax


def _raised(found: intervals.Estimate | None, floor: float) -> intervals.Estimate | None:
    if found is None:
        return None
    return intervals.Estimate(max(found.value, floor), max(found.low, floor), max(found.high, floor), found.n)


def level(ax: Axes, value: float, text: str, *, below: bool = False) -> Axes:
    """A dashed reference line with its name above it, or below."""
    ax.axhline(value, color=theme.INK, lw=1.0, ls=theme.DASH, zorder=1.5)
    ax.annotate(text, (0.02, value), (0, -3 if below else 2), xycoords=("axes fraction", "data"),
                textcoords="offset points", va="top" if below else "bottom", fontsize=labels.SIZE, zorder=5,
                path_effects=[withStroke(linewidth=2.0, foreground="white")])  # fmt: skip
    return ax


def names_beside(ax: Axes, points: Mapping[str, tuple[float, float]], looks: Mapping[str, Look]) -> Axes:
    """Each name beside its point, at the nearest of some places where it hides no point and no other name.

    Args:
        ax: axes whose limits are final.
        points: name -> (x, y) in data units.
        looks: name -> look.
    """
    figure = ax.get_figure(root=True)
    assert figure is not None
    ax.autoscale_view()
    box, inches = ax.get_position(), figure.get_size_inches()
    size = 72.0 * np.array([box.width * inches[0], box.height * inches[1]])  # of the axes in points, before any layout
    to_axes = ax.transData + ax.transAxes.inverted()
    centres = {name: size * to_axes.transform(point) for name, point in points.items()}
    taken = [(*(at - 4.0), *(at + 4.0)) for at in centres.values()]
    for name in sorted(points, key=lambda name: -points[name][1]):
        width, height = 0.56 * labels.SIZE * len(looks[name].label), 1.1 * labels.SIZE
        tried = [_box(centres[name], shift, width, height) for shift in _shifts()]
        fits = [_clear(one, taken, size) for one in tried]
        place = fits.index(True) if True in fits else 0
        taken.append(tried[place])
        dx, dy, side = _shifts()[place]
        leader = {"arrowstyle": "-", "color": looks[name].colour, "lw": 0.6, "shrinkA": 0.0, "shrinkB": 3.0}
        ax.annotate(looks[name].label, points[name], (dx, dy), textcoords="offset points", ha=side, zorder=5,
                    va="center_baseline", fontsize=labels.SIZE, color=labels.readable(looks[name].colour),
                    arrowprops=leader if abs(dx) + abs(dy) > 12 else None)  # fmt: skip
    return ax


def _shifts() -> list[tuple[float, float, Literal["left", "right"]]]:
    """Offsets of a name from its point [points], near ones first, and the end of the name that is put there."""
    rows = sorted(np.arange(-66.0, 67.0, 11.0), key=abs)
    return [(6.0 + reach if side == "left" else -6.0 - reach, float(dy), side) for reach in (0.0, 8.0, 22.0, 44.0)
            for dy in rows for side in ("left", "right") if abs(dy) <= 11.0 + 2.5 * reach]  # fmt: skip


def _box(at: np.ndarray, shift: tuple[float, float, str], width: float, height: float) -> tuple[float, ...]:
    left = at[0] + shift[0] - (width if shift[2] == "right" else 0.0)
    return left, at[1] + shift[1] - height / 2, left + width, at[1] + shift[1] + height / 2


def _clear(one: tuple[float, ...], taken: Sequence[tuple[float, ...]], size: np.ndarray) -> bool:
    """Whether a box (left, bottom, right, top) lies inside the axes and overlaps none of the others."""
    inside = one[0] > 0 and one[1] > 0 and one[2] < size[0] and one[3] < size[1]
    return inside and all(one[2] < a or c < one[0] or one[3] < b or d < one[1] for a, b, c, d in taken)
