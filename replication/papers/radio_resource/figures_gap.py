"""Pictures of what would close the gap to the oracle, and of squares where access points disturb each other more."""

import re
from collections.abc import Mapping

import numpy as np
import pandas
from matplotlib.axes import Axes

from replication.drawing import Drawing, Place, by_seed, estimate, rows_entering
from replication.drawing_lines import arms_like, draw_lines, frame_of, gathered, line
from replication.envs.radio_settings import RadioSettings
from replication.papers.radio_resource.arms import GAP, PARADIGMS
from replication.papers.radio_resource.figures_paired import (
    ITLINQ,
    LOOKS,
    ORACLE,
    SCORE,
    TO_ITLINQ,
    draw_points,
    interval_of,
    name_right,
    ratios,
    row_numbers,
    values_at,
)
from replication.plotting import curves, theme
from replication.plotting.theme import DOT, Look

CLAIMED = 1.15  # times the best baseline
REFERENCES = {
    "ITLinQ": LOOKS["ITLinQ"],
    "paper": Look("paper: 15 % more", theme.FAINT, DOT),
    "oracle": LOOKS["oracle, top 3"],
}
KINDS = {  # of changes, by a word of the name
    "base": "#d55e00",
    "discount": "#0072b2",
    "sees": "#009e73",
    "one network": "#8c4fa8",
    "centralised": "#8c4fa8",
    "reward": "#e69f00",
}


def gap(table: pandas.DataFrame) -> Drawing:
    """Score relative to ITLinQ after each change of the base, and the share of base's gap to the oracle it closes.

    Experiments: gap, schedulers.
    """
    found = {name: ratios(table, ("gap", name)) for name in GAP}
    found = {name: values for name, values in found.items() if len(values)}
    used = rows_entering(table, [("gap", name) for name in found], [ITLINQ, ORACLE], ["score"])
    closed = {name: closed_share(table, name) for name in found}
    best = ratios(used, ORACLE)
    references = {"ITLinQ": 1.0, "paper": CLAIMED} | ({"oracle": float(best.mean())} if len(best) else {})
    figure, ax = theme.figure(height=1.2 + 0.29 * max(len(found), 4))
    if found:
        rows = {name: (values, estimate(values)) for name, values in found.items()}
        looks = REFERENCES | {name: Look(name, _shade(name)) for name in found}
        curves.dots_and_intervals(ax, rows, xlabel=TO_ITLINQ, references=references, looks=looks)
        _write_shares(ax, closed)
    data = gathered(row_numbers(found, panel="ratio") + row_numbers(closed, panel="share closed"))
    caption = (
        "Score relative to ITLinQ on the same layouts after each change of the base (DQN backbone, random "
        "data); right: how much of base's gap to the oracle with the same three users the change closes"
    )
    return Drawing(figure, data, used, caption)


def closed_share(table: pandas.DataFrame, name: str) -> np.ndarray:
    """(S,) share of base's gap to the oracle with the same three users that an arm closes; empty for base itself."""
    base, oracle = by_seed(table, ("gap", "base"), "score"), by_seed(table, ORACLE, "score")
    gained = by_seed(table, ("gap", name), "score") - base
    return np.empty(0) if name == "base" else (gained / (oracle - base)).dropna().to_numpy(float)


def _shade(name: str) -> str:
    return next((shade for kind, shade in KINDS.items() if name.startswith(kind)), theme.FAINT)


def _write_shares(ax: Axes, closed: Mapping[str, np.ndarray]) -> None:
    """The share closed by each row in a column right of the axes."""
    style: dict = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "fontsize": 8}
    for row, values in enumerate(closed.values()):
        if len(values):
            one = interval_of(values)
            percent = [round(100 * end) for end in (one.value, one.low, one.high)]
            text = f"{percent[0]} %   [{percent[1]}, {percent[2]}]"
            ax.annotate(text, (1.0, row), (8, 0), va="center", **style)
    if any(map(len, closed.values())):
        ax.annotate("gap closed", (1.0, -0.55), (8, 0), va="center", fontweight="bold", **style)


SCHEDULERS = ("full reuse", "TDM over users", "ITLinQ", "oracle, top 3")
SIDE = "side of the square [m]"
USUAL_SIDE = RadioSettings().area


def coupling(table: pandas.DataFrame) -> Drawing:
    """Score of learners and schedulers over the side of the square, and learners relative to the centralised one.

    Experiments: coupling, elsewhere, schedulers.
    """
    figure, (ax, right) = theme.figure(1, 2, height=3.7)
    learned = {name: _by_side(table, "coupling", name) for name in PARADIGMS}
    fixed = {name: _by_side(table, "elsewhere", name) | {USUAL_SIDE: ("schedulers", name)} for name in SCHEDULERS}
    used = rows_entering(table, _places(learned), _places(fixed), ["score"])
    points = {name: values_at(used, places, "score") for name, places in (learned | fixed).items()}
    lines = {name: one for name, found in points.items() if (one := line(found))}
    hub = learned["centralised"]
    relative = {name: {side: ratios(used, place, hub[side]) for side, place in learned[name].items() if side in hub}
                for name in ("CTDE", "independent")}  # fmt: skip
    beside = {name: one for name, found in relative.items() if (one := line(found))}
    ticks = sorted({float(x) for at, _ in lines.values() for x in at})
    right.axhline(1.0, color=LOOKS["centralised"].colour, lw=1.0, zorder=1.5)  # before names are placed
    for panel, drawn, ylabel in ((ax, lines, SCORE), (right, beside, "score / score of centralised")):
        draw_lines(panel, drawn, xlabel=SIDE, ylabel=ylabel, looks=LOOKS, scales=("log", "linear"), names="none",
                   ticks=ticks)  # fmt: skip
        for name in drawn:
            if name in PARADIGMS:
                draw_points(panel, (points if panel is ax else relative)[name], LOOKS[name])
        name_right(panel, drawn, {})
    right.set_visible(bool(beside))
    data = gathered(frame_of(lines, panel="score") + frame_of(beside, panel="relative to centralised"))
    caption = (
        "Score of learners (DQN backbone, random data from the same squares) and of schedulers by the side of the "
        "square; right: learners relative to the centralised one, seed by seed"
    )
    return Drawing(figure, data, used, caption)


def _by_side(table: pandas.DataFrame, experiment: str, name: str) -> dict[float, Place]:
    found = arms_like(table, experiment, rf"{re.escape(name)}, (\S+) m")
    return dict(sorted((float(side), (experiment, arm)) for arm, (side,) in found.items()))


def _places(found: Mapping[str, Mapping[float, Place]]) -> list[Place]:
    return [place for places in found.values() for place in places.values()]
