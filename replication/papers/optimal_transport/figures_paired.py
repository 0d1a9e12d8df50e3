"""What the pictures of learning teams share: differences paired by seed, panels, and rows under headings."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from replication.drawing import Place, by_seed, estimate
from replication.drawing_lines import Lines
from replication.papers.optimal_transport.figures import CONTROLLERS, LEARNERS
from replication.plotting import theme
from replication.plotting.theme import Look
from replication.stats import intervals

Groups = Mapping[str, Sequence[str]]  # heading -> names of its rows

LOOKS = LEARNERS | CONTROLLERS
MARGIN = 0.03  # smaller differences of scores count as none
AREA = "mean score while learning"


def differences(table: pandas.DataFrame, place: Place, reference: Place, metric: str) -> np.ndarray:
    """(S,) an arm minus a reference, seed by seed, for the seeds that both have."""
    return (by_seed(table, place, metric) - by_seed(table, reference, metric)).dropna().to_numpy(float)


def estimates(found: Mapping[str, np.ndarray]) -> dict[str, intervals.Estimate]:
    """Mean with its 95 % interval over seeds of every row that has any; a single seed is its own interval."""
    alone = {name: values[0] for name, values in found.items() if len(values) == 1}
    return {name: estimate(values) or intervals.Estimate(alone[name], alone[name], alone[name], 1)
            for name, values in found.items() if len(values)}  # fmt: skip


def row_numbers(found: Mapping[str, intervals.Estimate], **more: str) -> list[pandas.DataFrame]:
    """Mean and interval of each row, as one frame; none if nothing has run."""
    body = [(name, one.value, one.low, one.high, one.n) for name, one in found.items()]
    return [pandas.DataFrame(body, columns=["line", "middle", "low", "high", "n"]).assign(**more)] if body else []


def panels(count: int, columns: int, *, pitch: float) -> tuple[Figure, list[Axes]]:
    """Axes of `count` panels with equal scales, row by row; x has numbers where no panel stands below."""
    rows, shown = -(-max(count, 1) // columns), max(count, 1)
    figure, axes = theme.figure(rows, columns, height=0.5 + pitch * rows, sharex=True, sharey=True, squeeze=False)
    for number, ax in enumerate(axes.flat):
        ax.set_visible(number < shown)
        ax.tick_params(labelbottom=number + columns >= shown)
    return figure, list(axes.flat[:shown])


def rungs(groups: Groups) -> dict[tuple[str, str], float]:
    """(heading, name) -> height of a row; one row is left for every heading."""
    rows = [(heading, name) for heading, names in groups.items() for name in (None, *names)]
    return {(heading, name): float(at) for at, (heading, name) in enumerate(rows) if name is not None}


def leave_out_start(ax: Axes, lines: Lines) -> Axes:
    """Lower limit of scores that the first point does not count for: untrained teams push one way, far below random."""
    later = [band.low[1:].min() for _, band in lines.values() if len(band.low) > 1]
    if later:
        low, high = min(later), ax.get_ylim()[1]
        ax.set_ylim(bottom=low - 0.06 * (high - low))
    return ax


def ladder(
    groups: Groups, columns: int, *, looks: Mapping[str, Look] = LOOKS, pitch: float = 0.155
) -> tuple[Figure, list[Axes]]:
    """Panels side by side with one row per name under its heading, from top to bottom."""
    heights = rungs(groups)
    last = max(heights.values(), default=3.0)
    figure, axes = theme.figure(1, columns, height=0.9 + pitch * (last + 1), sharey=True, squeeze=False)
    first = {heading: heights[heading, names[0]] - 1.0 for heading, names in groups.items()}
    ticks = sorted([(at, heading, True) for heading, at in first.items()] + [
        (at, looks[name].label, False) for (_, name), at in heights.items()])  # fmt: skip
    axes[0, 0].set_yticks([at for at, *_ in ticks], [text for _, text, _ in ticks], fontsize=7.5)
    for label, (_, _, heading) in zip(axes[0, 0].get_yticklabels(), ticks, strict=True):
        label.set_weight("bold" if heading else "normal")
    axes[0, 0].set_ylim(last + 0.6, -0.6)
    for ax in axes[0]:
        ax.tick_params(axis="y", length=0)
        ax.grid(False, axis="y")
        for at in list(first.values())[1:]:
            ax.axhline(at - 0.5, color=theme.GRID, lw=0.7, zorder=1)
    return figure, list(axes[0])


def write_beside(ax: Axes, groups: Groups, texts: Mapping[tuple[str, str], str], title: str) -> Axes:
    """A column of words right of the axes, one for each row."""
    style: dict = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "fontsize": 7.5}
    for row, at in rungs(groups).items():
        ax.annotate(texts.get(row, ""), (1.0, at), (6, 0), va="center_baseline", **style)
    if groups:
        ax.annotate(title, (1.0, 0.0), (6, 0), va="center_baseline", weight="bold", **style)
    return ax


def draw_interval(ax: Axes, one: intervals.Estimate | None, height: float, look: Look) -> Axes:
    """A mean as a dot and its interval as a bar, if there is any."""
    if one is not None:
        ax.plot([one.low, one.high], [height, height], color=look.colour, lw=2.2, solid_capstyle="butt", zorder=3)
        ax.plot([one.value], [height], "o", ms=4.2, mfc=look.colour, mec="white", mew=0.5, zorder=4)
    return ax
