"""Curves, dots, day profiles and heat maps. Functions take numbers and an `ax`, return the `ax`, load nothing."""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap, TwoSlopeNorm
from matplotlib.ticker import FuncFormatter, MaxNLocator

from replication.plotting import labels, theme
from replication.settings import BadInput


class HasBand(Protocol):
    """A curve with its interval, (T,) each, for instance `replication.stats.intervals.Band`."""

    @property
    def middle(self) -> np.ndarray: ...
    @property
    def low(self) -> np.ndarray: ...
    @property
    def high(self) -> np.ndarray: ...


class HasInterval(Protocol):
    """A number with its interval, for instance `replication.stats.intervals.Estimate`."""

    @property
    def value(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


def learning_curves(
    ax: Axes,
    x: np.ndarray | Mapping[str, np.ndarray],
    bands: Mapping[str, HasBand],
    *,
    xlabel: str,
    ylabel: str,
    references: Mapping[str, float] | None = None,
    looks: Mapping[str, theme.Look] | None = None,
    names: Literal["end", "legend", "none"] = "end",
) -> Axes:
    """Curves with interval bands over seeds, named directly; references are level lines (scripted controllers).

    Args:
        ax: axes to draw on.
        x: (T,) common to all curves, or name -> (T,).
        bands: method -> curve with interval.
        xlabel: what x is, with its unit.
        ylabel: what y is, with its unit.
        references: method -> level.
        looks: method -> look where the theme's own does not fit (sweeps of one method).
        names: at the curves' ends, in a legend (where the ends run together), or none (second panel).
    """
    chosen = {**theme.looks([*bands, *(references or {})]), **(looks or {})}
    ends: dict[str, tuple[float, float]] = {}
    for name, band in bands.items():
        steps = np.asarray(x[name] if isinstance(x, Mapping) else x, dtype=float)
        _same_length(name, steps, band.middle)
        shade = chosen[name].colour
        ax.fill_between(steps, band.low, band.high, color=shade, alpha=0.18, lw=0, zorder=2)
        ax.plot(steps, band.middle, color=shade, ls=chosen[name].dash, label=chosen[name].label, zorder=3)
        ends[name] = (float(steps[-1]), float(band.middle[-1]))
    for name, level in (references or {}).items():
        ax.axhline(level, color=chosen[name].colour, ls=chosen[name].dash, lw=1.3, zorder=1.5)
        ends[name] = (ax.get_xlim()[1], float(level))
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.xaxis.set_major_formatter(FuncFormatter(_short))
    if names == "legend":
        ax.legend(loc="best", labelcolor="linecolor", handlelength=1.8)
    return labels.direct_labels(ax, ends if names == "end" else {}, chosen)


def dots_and_intervals(
    ax: Axes,
    rows: Mapping[str, tuple[Sequence[float] | np.ndarray, HasInterval | None]],
    *,
    xlabel: str,
    references: Mapping[str, float] | None = None,
    looks: Mapping[str, theme.Look] | None = None,
) -> Axes:
    """One row per method: dots are seeds, the bar is the interval, the tick its centre; references are lines.

    Args:
        ax: axes to draw on.
        rows: method -> (value of each seed, estimate or None); the first row is drawn on top.
        xlabel: what the values are, with their unit.
        references: method -> value drawn as a vertical line through all rows.
        looks: method -> look where the theme's own does not fit.
    """
    chosen = {**theme.looks([*rows, *(references or {})]), **(looks or {})}
    for name, value in (references or {}).items():
        ax.axvline(value, color=chosen[name].colour, ls=chosen[name].dash, lw=1.3, zorder=1.5)
    for row, (name, (values, estimate)) in enumerate(rows.items()):
        shade, values = chosen[name].colour, np.asarray(values, dtype=float)
        single = len(values) == 1
        ax.plot(
            values,
            row + (0.0 if single else 0.16) + _swarm(values, 0.07),
            ls="none",
            marker=chosen[name].marker,
            ms=6.5 if single else 3.6,
            mfc=shade,
            mec=shade if chosen[name].marker in "x+" else "white",
            mew=1.4 if chosen[name].marker in "x+" else 0.4,
            alpha=1.0 if single else 0.75,
            zorder=3,
        )
        if estimate is not None and not single:
            at = row - 0.14
            ax.plot([estimate.low, estimate.high], [at, at], color=shade, lw=3.2, solid_capstyle="butt", zorder=4)
            ax.plot([estimate.value], [at], "|", color=theme.INK, ms=9, mew=1.6, zorder=5)
    ax.set_yticks(range(len(rows)), [chosen[name].label for name in rows])
    ax.set_ylim(len(rows) - 0.45, -0.55)
    ax.margins(x=0.08)
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.grid(False, axis="y")
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel(xlabel)
    labels.names_above(ax, references or {}, chosen)
    return ax


def day_profiles(
    ax: Axes,
    hours: np.ndarray,
    bands: Mapping[str, HasBand],
    *,
    ylabel: str,
    limits: tuple[float, float] | None = None,
    looks: Mapping[str, theme.Look] | None = None,
    names: Literal["end", "legend", "none"] = "legend",
) -> Axes:
    """Mean day with bands; hours (T,) in [0, 24]; `limits` are drawn as the edges of the safe band."""
    for limit in limits or ():
        ax.axhline(limit, color="#b03030", lw=1.0, ls=theme.DASH, zorder=1.5)
    learning_curves(ax, hours, bands, xlabel="hour of the day", ylabel=ylabel, looks=looks, names=names)
    ax.set_xlim(0, 24)
    ax.set_xticks(range(0, 25, 6))
    return ax


def heat_map(
    ax: Axes,
    values: np.ndarray,
    *,
    rows: Sequence[float] | np.ndarray,
    columns: Sequence[float] | np.ndarray,
    xlabel: str,
    ylabel: str,
    colour_label: str,
    centre: float | None = None,
    limits: tuple[float, float] | None = None,
    bar: bool = True,
) -> Axes:
    """Matrix as colours, for instance voltage over bus and hour.

    Args:
        ax: axes to draw on.
        values: (R, C).
        rows: (R,) evenly spaced coordinates of the rows, drawn upwards.
        columns: (C,) evenly spaced coordinates of the columns.
        xlabel: what the columns are.
        ylabel: what the rows are.
        colour_label: what the colour says, with its unit.
        centre: value drawn white on a blue-red scale; without it the scale is sequential.
        limits: smallest and largest colour; the data's own range if not given.
        bar: whether to draw the scale (once for panels with equal limits).
    """
    values = np.asarray(values, dtype=float)
    if values.shape != (len(rows), len(columns)):
        raise BadInput(f"heat map of shape {values.shape} with {len(rows)} rows and {len(columns)} columns named")
    low, high = limits or (float(np.nanmin(values)), float(np.nanmax(values)))
    options: dict = {"vmin": low, "vmax": high, "cmap": "cividis"}
    if centre is not None:
        reach = max(high - centre, centre - low) or 1.0
        norm = TwoSlopeNorm(centre, centre - reach, centre + reach)
        options = {"norm": norm, "cmap": _narrow("RdBu_r")}
    image = ax.imshow(
        values,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        extent=(*_edges(columns), *_edges(rows)),
        **options,
    )
    if bar:
        scale = ax.figure.colorbar(image, ax=ax, pad=0.02, fraction=0.06)
        scale.set_label(colour_label)
        scale.outline.set_visible(False)
        scale.ax.set_ylim(low, high)
    ax.grid(False)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    return ax


def _short(value: float, _: object = None) -> str:
    """200000 as '200k': long step counts without a power of ten beside the axis."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= 10 * size or (letter == "M" and abs(value) >= size):
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _narrow(name: str) -> Colormap:
    """The map without its darkest ends, which hide differences."""
    return LinearSegmentedColormap.from_list(f"{name} narrow", colormaps[name](np.linspace(0.06, 0.94, 256)))


def _edges(centres: Sequence[float] | np.ndarray) -> tuple[float, float]:
    centres = np.asarray(centres, dtype=float)
    half = 0.5 * (centres[-1] - centres[0]) / max(len(centres) - 1, 1) or 0.5
    return float(centres[0] - half), float(centres[-1] + half)


def _swarm(values: np.ndarray, reach: float) -> np.ndarray:
    """Small vertical offsets in order of value, so that equal dots do not hide each other (no chance involved)."""
    if len(values) < 2:
        return np.zeros(len(values))
    offsets = np.empty(len(values))
    offsets[np.argsort(values, kind="stable")] = reach * np.resize([0.0, 1.0, -1.0, 0.5, -0.5], len(values))
    return offsets


def _same_length(name: str, x: np.ndarray, y: np.ndarray) -> None:
    if x.shape != np.shape(y):
        raise BadInput(f"curve {name!r}: {len(np.atleast_1d(y))} values over {x.size} steps; give one x per value")
