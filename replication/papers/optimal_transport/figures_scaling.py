"""Pictures of scaling: what distances, assignments, barycenters and agreement take as the agents grow in number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from replication.drawing import Curves, Drawing, estimate, seeds_of, used_rows
from replication.drawing_lines import Lines, draw_lines, frame_of, gathered, line
from replication.plotting import theme
from replication.plotting.theme import DASH, DASHDOT, DOT, Look
from replication.stats import intervals

# warm colours: does not compare all pairs
PAIRS = {
    "exact": Look("exact, assignment", "#41197f", marker="^"),
    "programme": Look("exact, linear programme", "#9a6fd0", DASH, "v"),
    "sinkhorn": Look("Sinkhorn divergence", "#0072b2", marker="s"),
    "unbalanced": Look("Sinkhorn, unbalanced", "#56b4e9", DASH, "s"),
    "sliced": Look("sliced", "#7f95f8", marker="D"),
    "line": Look("on the widest line", "#8a9aa8", DOT, "D"),
    "gaussian": Look("Gaussian", "#009e73", marker="p"),
    "diagonal": Look("Gaussian, diagonal", "#7fb89f", DASH, "p"),
    "neighbours": Look("exact, 4 nearest", "#e69f00", marker="P"),
    "barycenter": Look("barycenter", "#d55e00", marker="o"),
    "groups": Look("barycenters of groups", "#8c2d04", DASHDOT, "X"),
}
SINGLE = {
    "hungarian": Look("Hungarian", "#111111", marker="*"),
    "compiled": Look("Hungarian, ours", "#8a8a8a", DASHDOT, "P"),
    "programme": Look("linear programme", "#9a6fd0", marker="v"),
    "sinkhorn": Look("Sinkhorn", "#0072b2", marker="s"),
    "unbalanced": Look("Sinkhorn, unbalanced", "#56b4e9", DASH, "D"),
    "greedy": Look("greedy", "#e69f00", marker="o"),
}
ASSIGNMENTS = SINGLE | {
    f"{name}, two per target": replace(SINGLE[name], label=f"{label}, two each", dash=DOT)
    for name, label in (("hungarian", "Hungarian"), ("programme", "programme"), ("sinkhorn", "Sinkhorn"))
}
BARYCENTERS = {
    "flat": Look("flat", "#d55e00", marker="o"),
    "entropic": Look("flat, entropic", "#0072b2", marker="s"),
    "nearby groups": Look("nearby groups of 4", "#8c2d04", marker="X"),
    "nearby groups of 8": Look("nearby groups of 8", "#c08a6a", DASH, "X"),
    "random groups": Look("random groups of 4", "#aa4499", marker="P"),
    "gaussian": Look("Gaussian", "#009e73", marker="p"),
    "pool": Look("samples of all in turn", "#8a8a8a", DOT, "D"),
}
MESSAGES = {
    "centre": Look("centre", "#111111", marker="*"),
    "gaussian, ring": Look("Gaussian, ring", "#7fb89f", DOT, "p"),
    "gaussian, nearest": Look("Gaussian, 4 nearest", "#009e73", marker="p"),
    "gaussian, complete": Look("Gaussian, all pairs", "#0b4824", DASH, "p"),
    "quantiles, nearest": Look("quantiles, 4 nearest", "#0072b2", marker="D"),
    "points, nearest": Look("points, 4 nearest", "#d55e00", marker="o"),
    "points, complete": Look("points, all pairs", "#8c2d04", DASH, "X"),
}


@dataclass(frozen=True)
class Panel:
    """One panel: a curve of the runs over their sizes, times `factor`; values below `floor` are drawn at it."""

    metric: str
    title: str
    ylabel: str
    factor: float = 1.0
    floor: float | None = None
    scale: str = "log"


TIME = Panel("seconds", "Time, and its exponent behind the names", "time [ms]", 1e3)
MEMORY = Panel("megabytes", "Memory", "largest arrays [MB]")


def distance_scaling(table: pandas.DataFrame, found: Curves) -> Drawing:
    """How far apart all agents are, by every method: time with its exponent, memory, error, order of the pairs."""
    below = (MEMORY, Panel("error", "Error", "error of the distance", floor=1e-3),
             Panel("ranks", "Order of the pairs", "rank correlation", scale="linear"))  # fmt: skip
    caption = (
        "Root mean squared distance between agents from 32 visits each. Behind the names: exponent of time over agents "
        "from 8 on, with its interval. Error and rank correlation against the exact distances; errors below 0.1 % are "
        "drawn there. Distances along lines are smaller than those in space by nature"
    )
    return _over_sizes(table, found, "distance_scaling", {name: name for name in PAIRS}, PAIRS, (TIME, *below), caption)


def distance_samples(table: pandas.DataFrame, found: Curves) -> Drawing:
    """The same methods over the visits per agent: time with its exponent, memory, error."""
    arms = {name: f"{name}, samples" for name in PAIRS}
    below = (MEMORY, Panel("error", "Error", "error of the distance", floor=1e-3))
    caption = (
        "Root mean squared distance between 4 agents. Behind the names: exponent of time over visits. Errors against "
        "the exact distances of the same visits; those below 0.1 % are drawn there"
    )
    return _over_sizes(table, found, "distance_scaling", arms, PAIRS, (TIME, *below), caption, "visits of an agent")


def assignment_scaling(table: pandas.DataFrame, found: Curves) -> Drawing:
    """Agents to as many targets, or half as many: time with its exponent, memory, excess cost."""
    below = (MEMORY, Panel("error", "Cost", "excess cost [%]", 100.0, scale="symlog"))
    caption = (
        "Agents on targets, both uniform in a square. Behind the names: exponent of time over agents from 32 on, with "
        "its interval. Cost per unit of mass moved; the unbalanced plan leaves dear moves out"
    )
    arms = {name: name for name in ASSIGNMENTS}
    return _over_sizes(table, found, "assignment_scaling", arms, ASSIGNMENTS, (TIME, *below), caption)


def barycenters(table: pandas.DataFrame, found: Curves) -> Drawing:
    """Barycenters of all agents' visits, flat, in groups and approximate: time with its exponent, memory, quality."""
    below = (MEMORY, Panel("error", "Quality", "excess spread [%]", 100.0, scale="symlog"))
    caption = (
        "Barycenters of 32 visits of every agent. Behind the names: exponent of time over agents from 8 on, with its "
        "interval. Spread: mean squared distance of the agents to the barycenter, over that of the flat one"
    )
    return _over_sizes(table, found, "barycenters", {name: name for name in BARYCENTERS}, BARYCENTERS, (TIME, *below),
                       caption)  # fmt: skip


def messages(table: pandas.DataFrame, found: Curves) -> Drawing:
    """Until all agents hold the barycenter: messages with their exponent, the busiest agent's, megabytes, error left.

    Central against gossip between neighbours.
    """
    panels = (
        Panel("messages", "Messages, and their exponent behind the names", "messages"),
        Panel("busiest", "Busiest agent", "messages"),
        Panel("megabytes", "Data", "sent by all [MB]"),
        Panel("error", "Error left", "error", floor=1e-4),
    )
    caption = (
        "Messages until at most 1 % of the disagreement is left. Behind the names: exponent over agents from 8 on, "
        "with its interval. Error of means and quantiles: largest distance of an agent from the central answer, as a "
        "share of that at the start; of points: excess spread around those of the first agent. Below 0.01 % drawn there"
    )
    return _over_sizes(table, found, "messages", {name: name for name in MESSAGES}, MESSAGES, panels, caption)


def _over_sizes(
    table: pandas.DataFrame,
    found: Curves,
    experiment: str,
    arms: Mapping[str, str],
    looks: Mapping[str, Look],
    panels: Sequence[Panel],
    caption: str,
    xlabel: str = "agents",
) -> Drawing:
    """The first panel with names and exponents beside it, the others in a row below in the same looks."""
    curves = found.get(experiment, {})
    ran = {name: arm for name, arm in arms.items() if "_sizes" in curves.get(arm, {})}
    slopes = {name: _finite(seeds_of(table, experiment, arm, f"{panels[0].metric}_exponent"))
              for name, arm in ran.items()}  # fmt: skip
    named = {name: _with_exponent(looks[name], slopes[name], _failed(curves[arm])) for name, arm in ran.items()}
    figure, axes = _axes(len(panels) - 1)
    frames = []
    for ax, panel in zip(axes, panels, strict=True):
        lines: Lines = {name: one for name, arm in ran.items() if (one := _line(curves[arm], panel))}
        first = panel is panels[0]
        draw_lines(ax, lines, xlabel=xlabel, ylabel=panel.ylabel, looks=named if first else looks,
                   scales=("log", panel.scale), names="end" if first else "none",
                   ticks=_apart([float(x) for at, _ in lines.values() for x in at]))  # fmt: skip
        ax.set_title(panel.title)
        if panel.scale == "symlog":
            _signed_shares(ax)
        frames += frame_of(lines, panel=panel.metric)
    _names_aside(axes[0])
    frames += frame_of({name: one for name, values in slopes.items() if (one := line({np.nan: values}))},
                       panel=f"{panels[0].metric}_exponent")  # fmt: skip
    metrics = [f"{panel.metric}{end}" for panel in panels for end in ("", "_exponent", "_last")]
    used = used_rows(table, [(experiment, arm) for arm in ran.values()], [*metrics, "failed", "failed_last"])
    lost = any(_failed(curves[arm]) > 0 for arm in ran.values())
    return Drawing(figure, gathered(frames), used, caption + ("; lost: did not converge" if lost else ""))


def _axes(below: int) -> tuple[Figure, list[Axes]]:
    """Axes over half of the width, the rest being for names, and a row of others below."""
    figure, ax = theme.figure(height=5.2)
    ax.remove()
    rows = figure.add_gridspec(2, 1, height_ratios=(1.25, 1.0))
    above, row = rows[0].subgridspec(1, 2, width_ratios=(1.15, 1.0)), rows[1].subgridspec(1, below)
    places = [above[0], *(row[number] for number in range(below))]
    return figure, [figure.add_subplot(place) for place in places]


def _names_aside(ax: Axes) -> None:
    """Names lie over the empty part and take no width from the axes; leaders of lines that end early are faint."""
    for text in ax.texts:
        text.set_in_layout(False)
    for leader in ax.get_lines():
        if leader.get_transform() == ax.transAxes:
            leader.set_in_layout(False)
            if np.asarray(leader.get_xdata(), float)[0] < 0.9:
                leader.set(ls=DOT, lw=0.6)


def _signed_shares(ax: Axes) -> None:
    """A logarithmic axis of percentages on both sides of zero, even between -1 and 1."""
    low, high = ax.get_ylim()
    ax.set_yscale("symlog", linthresh=1.0, linscale=0.5)
    sides = np.array([1.0, 3.0, 10.0, 30.0, 100.0, 300.0])
    ticks = [tick for tick in (*-sides, 0.0, *sides) if low <= tick <= high]
    ax.set_yticks(ticks, [f"{tick:g}".replace("-", "−") for tick in ticks])
    ax.minorticks_off()
    ax.axhline(0.0, color=theme.INK, lw=0.8, zorder=1.5)


def _apart(sizes: Sequence[float], least: float = 1.9) -> list[float]:
    """Sizes from the largest down that are at least this factor apart: ticks that do not run together."""
    kept: list[float] = []
    for size in sorted(sizes, reverse=True):
        if not kept or kept[-1] / size >= least:
            kept.append(size)
    return kept[::-1]


def _line(one: Mapping[str, np.ndarray], panel: Panel) -> tuple[np.ndarray, intervals.Band] | None:
    """A curve over the sizes with its interval, from the seeds that have a number there."""
    if panel.metric not in one:
        return None
    values = panel.factor * np.asarray(one[panel.metric], float)
    if panel.floor is not None:
        values = np.where(np.isnan(values), np.nan, np.maximum(values, panel.floor))
    columns = zip(np.asarray(one["_sizes"], float), values.T, strict=True)
    return line({size: _finite(column) for size, column in columns})


def _finite(values: np.ndarray) -> np.ndarray:
    return values[np.isfinite(values)]


def _failed(one: Mapping[str, np.ndarray]) -> float:
    """Share of computations that did not converge."""
    return float(np.mean(one["failed"])) if "failed" in one else 0.0


def _with_exponent(look: Look, slopes: np.ndarray, failed: float) -> Look:
    """The look with the exponent behind its name, with its interval over seeds (S,), and what failed."""
    found, text = estimate(slopes), look.label
    if len(slopes):
        text += f"  {slopes.mean():.2f}" + (f" [{found.low:.2f}, {found.high:.2f}]" if found else "")
        text = text.replace("-", "−")
    return replace(look, label=text + (f", {failed:.0%} lost" if failed > 0 else ""))
