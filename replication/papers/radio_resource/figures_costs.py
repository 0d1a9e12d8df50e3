"""Pictures of what radio learners trade: sum rate against tail rate, and performance against size and time."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from replication.drawing import Drawing, Place, rows_entering, seeds_of, used_rows
from replication.drawing_lines import Lines, arms_like, draw_lines, frame_of, gathered, sweep
from replication.papers.radio_resource.figures import score_weights
from replication.papers.radio_resource.figures_paired import (
    LOOKS,
    SCORE,
    draw_points,
    interval_of,
    mark,
    values_at,
)
from replication.plotting import labels, theme
from replication.plotting.theme import DASH, DOT, Look

SUM, TAIL = "sum rate [b/s/Hz]", "tail rate [b/s/Hz]"
SCHEDULERS = ("random", "full reuse", "TDM over users", "TDM over APs", "ITLinQ", "greedy rate")
FRONTIERS = {"fairness": "CTDE", "lambda_oracle": "oracle, top 3"}
MARKED = {"CTDE": LOOKS["CTDE"], "oracle, top 3": replace(LOOKS["oracle, top 3"], marker="s")}
MARKED |= {name: LOOKS[name] for name in SCHEDULERS}


def fairness_frontier(table: pandas.DataFrame) -> Drawing:
    """Sum rate against tail rate over λ, learner and oracle among schedulers; and the λ that validation chooses.

    Experiments: fairness, lambda_oracle, schedulers.
    """
    figure, (ax, right) = theme.figure(1, 2, height=4.0, width_ratios=(1.7, 1.0))
    arms = {experiment: _by_exponent(table, experiment) for experiment in FRONTIERS}
    learned = [place for found in arms.values() for place in found.values()]
    fixed = [("schedulers", name) for name in SCHEDULERS]
    used = rows_entering(table, learned, fixed, ["sum_rate", "tail_rate", "validation_score"])
    exponents = sorted({value for found in arms.values() for value in found})
    shade = dict(zip(exponents, theme.shades(len(exponents)), strict=True))
    rows = [_cross(ax, used, place, MARKED[place[1]]) for place in fixed]
    for experiment, name in FRONTIERS.items():
        rows += _frontier(ax, used, arms[experiment], MARKED[name], shade)
    rows = [row for row in rows if row]
    ax.set(xlabel=SUM, ylabel=TAIL)
    _score_lines(ax)
    _name_markers(figure, ax, {row["line"] for row in rows}, shade)
    lines = _validation(right, used, arms["fairness"])
    data = gathered(
        [pandas.DataFrame(rows).assign(panel="rates"), *frame_of(lines, panel="validation")] if rows else []
    )
    caption = (
        "Rates on test layouts of CTDE and of the oracle by the exponent λ, and of schedulers; faint: equal "
        "score. Right: score on validation layouts and the λ it chooses"
    )
    return Drawing(figure, data, used, caption)


def _by_exponent(table: pandas.DataFrame, experiment: str) -> dict[float, Place]:
    found = arms_like(table, experiment, r"lambda (\S+)")
    return dict(sorted((float(exponent), (experiment, arm)) for arm, (exponent,) in found.items()))


def _cross(ax: Axes, used: pandas.DataFrame, place: Place, look: Look, fill: str = "", **more: float) -> dict:
    """One arm as a point with the intervals of both rates; returns its numbers, nothing if it has not run."""
    rates = [seeds_of(used, *place, metric) for metric in ("sum_rate", "tail_rate")]
    if not all(map(len, rates)):
        return {}
    x, y = map(interval_of, rates)
    ax.plot([x.low, x.high], [y.value, y.value], color=look.colour, lw=1.2, zorder=3)
    ax.plot([x.value, x.value], [y.low, y.high], color=look.colour, lw=1.2, zorder=3)
    ax.plot(
        [x.value],
        [y.value],
        look.marker,
        ms=7,
        mfc=fill or look.colour,
        mec=look.colour,
        mew=1.3,
        zorder=4 if fill else 5,
    )
    return {"line": look.label, **more, "sum_rate": x.value, "sum_low": x.low, "sum_high": x.high,
            "tail_rate": y.value, "tail_low": y.low, "tail_high": y.high, "n": x.n}  # fmt: skip


def _frontier(ax: Axes, used: pandas.DataFrame, arms: Mapping[float, Place], look: Look, shade: Mapping[float, str]):
    """Points of one line over λ, filled with the shade of λ."""
    rows = [_cross(ax, used, place, look, shade[exponent], exponent=exponent) for exponent, place in arms.items()]
    drawn = [(row["sum_rate"], row["tail_rate"]) for row in rows if row]
    ax.plot([x for x, _ in drawn], [y for _, y in drawn], color=look.colour, lw=1.0, zorder=2)
    return rows


def _score_lines(ax: Axes) -> None:
    """Where the score, a weighted sum of the two rates, is the same."""
    of_sum, of_tail = score_weights()
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    for score in np.arange(0.2, 3.0, 0.2):
        ends = (score - of_sum * np.array([left, right])) / of_tail
        ax.plot([left, right], ends, color=theme.FAINT, ls=DOT, lw=0.7, zorder=1, scalex=False, scaley=False)
        if low < ends[0] < high - 0.04 * (high - low):
            ax.annotate(f"score {score:.1f}", (left, ends[0]), (3, 1), textcoords="offset points", fontsize=6.5,
                        color=theme.FAINT, zorder=1)  # fmt: skip
    ax.set(xlim=(left, right), ylim=(low, high))


def _name_markers(figure: Figure, ax: Axes, drawn: set[str], shade: Mapping[float, str]) -> None:
    """A legend of the methods below the picture, and one of the shades of λ."""
    marks = [Line2D([], [], color=look.colour, marker=look.marker, ls="none", ms=6.5, label=look.label,
                    mfc="white" if name in FRONTIERS.values() else look.colour, mew=1.3)
             for name, look in MARKED.items() if look.label in drawn]  # fmt: skip
    shades = [Line2D([], [], color=colour, marker="o", ls="none", ms=6, label=f"{exponent:g}")
              for exponent, colour in shade.items()]  # fmt: skip
    if marks:
        figure.legend(handles=marks, loc="outside lower center", ncols=4, handletextpad=0.2)
    if shades:
        ax.legend(handles=shades, title="λ", loc="upper right", ncols=2, handletextpad=0.1, columnspacing=0.8)


def _validation(ax: Axes, used: pandas.DataFrame, arms: Mapping[float, Place]) -> Lines:
    """Validation score over λ; the λ of the best mean is marked."""
    points = values_at(used, arms, "validation_score")
    one = sweep(used, "fairness", {exponent: arm for exponent, (_, arm) in arms.items()}, "validation_score")
    lines: Lines = {"CTDE": one} if one else {}
    draw_lines(ax, lines, xlabel="exponent λ of the weights", ylabel=f"validation {SCORE}", looks=LOOKS,
               scales=("linear", "linear"), names="none")  # fmt: skip
    draw_points(ax, points, LOOKS["CTDE"])
    if one:
        best = float(one[0][np.argmax(one[1].middle)])
        mark(ax, best, f"chosen: {best:g}")
    return lines


COSTS = {
    "parameters": "parameters",
    "outputs": "outputs",
    "bytes_per_tti": "bytes exchanged in a TTI",
    "decision_us": "decision of one TTI [µs]",
    "update_ms": "update of one batch [ms]",
}
KINDS = ("CTDE, shared", "independent", "centralised", "CTDE")  # the last is drawn on top


def complexity(table: pandas.DataFrame) -> Drawing:
    """Sizes, messages and times over the number of access points. Experiment: complexity."""
    figure, axes = theme.figure(3, 2, height=7.0)
    arms: dict[tuple[str, int], dict[float, str]] = {}
    for arm, (kind, count, wide) in arms_like(table, "complexity", r"(.+), (\d+) APs, (\d+) wide").items():
        arms.setdefault((kind, int(wide)), {})[float(count)] = arm
    widths = sorted({width for _, width in arms})
    frames = []
    for ax, (metric, name) in zip(axes.flat, COSTS.items(), strict=False):
        ax.set(xlabel="access points", ylabel=name)
        for width in widths:
            found = {kind: sweep(table, "complexity", arms.get((kind, width), {}), metric) for kind in KINDS}
            lines: Lines = {kind: one for kind, one in found.items() if one}
            frames += frame_of(lines, metric=metric, width=width)
            _cost_lines(ax, lines, name, "log" if metric != "bytes_per_tti" else "linear", width == widths[-1])
    _explain_dashes(axes.flat[-1], widths)
    used = used_rows(table, [("complexity", arm) for found in arms.values() for arm in found.values()], list(COSTS))
    caption = (
        "What a learner costs by the number of access points: networks of one critic, messages while it acts, and "
        "median times on one thread"
    )
    return Drawing(figure, gathered(frames), used, caption)


def _cost_lines(ax: Axes, lines: Lines, ylabel: str, scale: str, widest: bool) -> None:
    """Lines of one width; those of the widest are solid and named, equal ones together."""
    looks = {kind: Look(LOOKS[kind].label, LOOKS[kind].colour, "-" if widest else DASH, LOOKS[kind].marker)
             for kind in lines}  # fmt: skip
    draw_lines(ax, lines, xlabel="access points", ylabel=ylabel, looks=looks, scales=("linear", scale), names="none",
               ticks=sorted({x for at, _ in lines.values() for x in at}))  # fmt: skip
    if not widest:
        return
    last = max((x[-1] for x, _ in lines.values()), default=0.0)
    together: dict[tuple, list[str]] = {}
    for kind, (x, band) in lines.items():
        together.setdefault((*x, *band.middle), []).insert(0, kind)
    ends, names = {}, {}
    for kinds in together.values():
        x, y = lines[kinds[0]][0][-1], lines[kinds[0]][1].middle[-1]
        names[kinds[0]] = Look("\n".join(kinds), LOOKS[kinds[0]].colour)
        if x == last:
            ends[kinds[0]] = x, y
        else:
            ax.annotate(kinds[0], (x, y), (5, 2), textcoords="offset points", fontsize=labels.SIZE,
                        color=labels.readable(names[kinds[0]].colour))  # fmt: skip
    labels.direct_labels(ax, ends, names)


def _explain_dashes(ax: Axes, widths: Sequence[int]) -> None:
    ax.axis("off")
    lines = [Line2D([], [], color=theme.INK, ls="-" if width == widths[-1] else DASH, label=f"layers of {width}")
             for width in reversed(widths)]  # fmt: skip
    if lines:
        ax.legend(handles=lines, loc="center left", fontsize=9)
