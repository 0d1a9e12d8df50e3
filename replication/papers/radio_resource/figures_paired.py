"""What the sweep and gap pictures of the radio study share: looks, comparisons paired by seed, seeds as dots."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas
from matplotlib.axes import Axes

from replication.drawing import Place, by_seed, estimate, seeds_of
from replication.drawing_lines import Lines
from replication.plotting import labels, theme
from replication.plotting.theme import DASH, DOT, Look
from replication.stats.intervals import Estimate

SCORE = "score [b/s/Hz]"
TO_ITLINQ = "score / score of ITLinQ"
LOOKS = {
    label: replace(theme.look(name), label=label)
    for label, name in {
        "CTDE": "ctde cql", "centralised": "c cql", "independent": "i cql", "ITLinQ": "itlinq",
        "full reuse": "full reuse", "TDM over users": "tdm", "oracle": "oracle",
    }.items()
}  # fmt: skip
LOOKS |= {
    "oracle, top 3": Look("oracle, top 3", theme.colour("oracle"), DASH, "P"),
    "random": theme.look("random"),
    "TDM over APs": Look("TDM over APs", "#a07d2c", DASH, "x"),
    "greedy rate": Look("greedy rate", "#56b4e9", DASH, "^"),
    "CTDE, shared": Look("CTDE, shared", "#26b57a", marker="v"),
    "equal passes": Look("equal passes", "#8c4fa8", DASH, "s"),
    "three times as long": Look("3 x updates", "#402fa4", marker="D"),
    "behaviour": Look("behaviour", theme.colour("sac"), DOT),
}
ITLINQ, TDM, ORACLE = (("schedulers", arm) for arm in ("ITLinQ", "TDM over users", "oracle, top 3"))


def ratios(
    table: pandas.DataFrame, place: Place, reference: Place = ITLINQ, metric: str = "score", of: str = "score"
) -> np.ndarray:
    """(S,) `metric` of an arm over `of` of the reference, seed by seed, for the seeds that both have."""
    return (by_seed(table, place, metric) / by_seed(table, reference, of)).dropna().to_numpy(float)


def interval_of(values: np.ndarray) -> Estimate:
    """Mean with its 95 % interval over seeds; a single seed is its own interval."""
    return estimate(values) or Estimate(values[0], values[0], values[0], 1)


def draw_points(ax: Axes, points: Mapping[float, np.ndarray], look: Look, *, bars: bool = False) -> Axes:
    """Seeds (S,) at each x as small dots; with `bars` also their mean and 95 % interval."""
    for x, values in points.items():
        ax.plot(np.full(len(values), x), values, ls="none", marker="o", ms=2.8, mfc=look.colour, mec="white", mew=0.3,
                alpha=0.6, zorder=3.5)  # fmt: skip
        found = estimate(values) if bars else None
        if found:
            ax.plot([x, x], [found.low, found.high], color=look.colour, lw=2.4, solid_capstyle="butt", zorder=4)
        if bars and len(values):
            ax.plot([x], [values.mean()], look.marker, ms=5.5, mfc="white", mec=look.colour, mew=1.4, zorder=5)
    return ax


def values_at(table: pandas.DataFrame, places: Mapping[float, Place], metric: str) -> dict[float, np.ndarray]:
    """x -> (S,) values of the arm at it, in the order of x, for the arms that have run."""
    found = {x: seeds_of(table, *places[x], metric) for x in sorted(places)}
    return {x: values for x, values in found.items() if len(values)}


def mark(ax: Axes, x: float, text: str) -> Axes:
    """A faint vertical line with its name above the axes: what the paper claims there."""
    ax.axvline(x, color=theme.FAINT, lw=1.0, ls=DOT, zorder=1.2)
    ax.annotate(text, (x, 1.0), (0, 3), xycoords=("data", "axes fraction"), textcoords="offset points", ha="center",
                fontsize=labels.SIZE, color=theme.FAINT)  # fmt: skip
    return ax


def level_lines(ax: Axes, found: Mapping[str, float]) -> Axes:
    """A horizontal line for each reference, without its name."""
    for name, value in found.items():
        ax.axhline(value, color=LOOKS[name].colour, ls=LOOKS[name].dash, lw=1.3, zorder=1.5)
    return ax


def name_right(ax: Axes, lines: Lines, found: Mapping[str, float]) -> Axes:
    """Names of lines and of levels right of the axes; nothing that changes the limits may be drawn afterwards."""
    ends = {name: (float(x[-1]), float(band.middle[-1])) for name, (x, band) in lines.items()}
    ax.autoscale_view()
    return labels.direct_labels(ax, ends | {name: (ax.get_xlim()[1], value) for name, value in found.items()}, LOOKS)


def row_numbers(found: Mapping[str, np.ndarray], **more: str) -> list[pandas.DataFrame]:
    """The plotted numbers of rows of dots, mean and interval of each, as one frame; none if nothing has run."""
    rows = [(name, interval_of(values)) for name, values in found.items() if len(values)]
    body = [(name, one.value, one.low, one.high, one.n) for name, one in rows]
    columns = ["line", "middle", "low", "high", "n"]
    return [pandas.DataFrame(body, columns=columns).assign(**more)] if body else []
