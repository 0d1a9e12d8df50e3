"""Pictures of alignment itself: how alike teams are and what they reach, how strong it is, how often it is renewed."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from scipy.stats import kendalltau

from replication.drawing import Curves, Drawing, Place, by_seed, levels, rng, rows_entering, seeds_of, used_rows
from replication.drawing_lines import (
    Lines,
    arms_like,
    draw_lines,
    few_ticks,
    frame_of,
    gathered,
    line,
)
from replication.papers.optimal_transport.arms_teams import SWEPT, TUNED, TUNING_GRID, learner
from replication.papers.optimal_transport.figures import SCORE
from replication.papers.optimal_transport.figures_paired import (
    AREA,
    LOOKS,
    leave_out_start,
    panels,
)
from replication.papers.optimal_transport.figures_teams import TASKS, arms_in, home
from replication.plotting import labels, theme
from replication.plotting.theme import DASH, DOT, Look
from replication.stats import intervals

ALIKE = {"visits_within": "distance of visits within episodes", "diversity": "distance between policies"}
FAILS = 0.5  # a last score below it is worse than going to the nearest target (0.55): the team never spread
TOLERATED = 0.02  # of the area with fresh plans that older ones may cost
KEPT = {
    "K": Look("learning rate as elsewhere", "#0072b2", marker="s"),
    "double": Look("twice the rate", "#d55e00", DASH),
}
RATES = {
    1e-3: Look("rate 0.001", "#56b4e9", DOT),
    3e-3: Look("rate 0.003", "#0072b2"),
    6e-3: Look("rate 0.006", "#d55e00", DASH),
}
WATCHED = (1, 10, 100, 1000)  # updates between refreshes of the runs that are drawn over time


def alike(table: pandas.DataFrame) -> Drawing:
    """Score over how far apart visits of one episode are, and over how different policies are; a dot per seed.

    Experiments: teams, controls, scripted.
    """
    arms = arms_in(table, next(iter(TASKS)))
    figure, axes = theme.figure(1, 2, height=4.6, sharey=True)
    frames = []
    for ax, (metric, words) in zip(axes, ALIKE.items(), strict=True):
        pairs = {name: _pairs(table, place, metric) for name, place in arms.items()}
        pairs = {name: both for name, both in pairs.items() if len(both)}
        for name, both in pairs.items():
            look = LOOKS[name]
            ax.plot(both[:, 0], both[:, 1], look.marker, ms=3, color=look.colour, alpha=0.35, zorder=2)
            edge = {"mec": look.colour, "mew": 1.6} if look.marker == "x" else {"mec": "white", "mew": 0.7}
            ax.plot(*both.mean(axis=0), look.marker, ms=8, mfc=look.colour, label=look.label, zorder=3, **edge)
        ax.set(xlabel=f"{words}: alike ← → apart")
        means = [both.mean(axis=0) for both in pairs.values()]
        if len(means) > 2:
            tau = kendalltau(*np.transpose(means)).statistic
            ax.set_title(f"rank correlation τ = {tau:.2f} over {len(means)} arms", fontsize=labels.SIZE,
                         weight="normal")  # fmt: skip
        frames += [pandas.DataFrame({"arm": name, "measure": metric, "x": both[:, 0], "score": both[:, 1]})
                   for name, both in pairs.items()]  # fmt: skip
    axes[0].set_ylabel(SCORE)
    frames += _scripted(axes[0], table)
    handles, names = axes[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, names, loc="outside lower center", ncols=4, labelcolor="linecolor")
    used = used_rows(table, [*arms.values(), *_controllers(table).values()], ["score", *ALIKE])
    caption = (
        "Last policies on the test episodes; small marks are seeds, large ones their means. Left: sliced Wasserstein "
        "distance between the visits of agents within an episode, stars are scripted controllers; right: mean distance "
        "between agents' policies"
    )
    return Drawing(figure, gathered(frames), used, caption)


def _pairs(table: pandas.DataFrame, place: Place, metric: str) -> np.ndarray:
    """(S, 2) a measure and the score, for the seeds that have both."""
    both = [by_seed(table, place, metric), by_seed(table, place, "score")]
    return pandas.concat(both, axis=1, join="inner").to_numpy(float)


def _controllers(table: pandas.DataFrame) -> dict[str, Place]:
    """Scripted controllers of the main world that go somewhere."""
    ran = arms_like(table, "scripted", r"3 agents, (all to one|greedy|fixed role|hungarian dynamic)")
    return {name: ("scripted", arm) for arm, (name,) in ran.items()}


def _scripted(ax: Axes, table: pandas.DataFrame) -> list[pandas.DataFrame]:
    """Means of scripted controllers as named stars; the limits of the axes follow."""
    pairs = {name: _pairs(table, place, "visits_within") for name, place in _controllers(table).items()}
    means = {name: tuple(both.mean(axis=0)) for name, both in pairs.items() if len(both)}
    ax.margins(0.08)
    for name, (x, y) in means.items():
        ax.plot([x], [y], "*", ms=11, mfc="white", mec=theme.INK, mew=1.1, zorder=4)
        ax.annotate(LOOKS[name].label if name in LOOKS else name, (x, y), (0, 8), textcoords="offset points",
                    ha="center", fontsize=labels.SIZE, zorder=5,
                    path_effects=[withStroke(linewidth=2.5, foreground="white")])  # fmt: skip
    return [pandas.DataFrame([(name, "visits_within", x, y) for name, (x, y) in means.items()],
                             columns=["arm", "measure", "x", "score"])] if means else []  # fmt: skip


def tuning(table: pandas.DataFrame) -> Drawing:
    """Area over the minibatches of an update, a line per learning rate, for every way to learn without alignment.

    Experiment: tuning (seeds of its own, on which both are chosen).
    """
    pattern = r"{}, rate (\S+), (\d+) minibatches"
    ran = {kind: arms_like(table, "tuning", pattern.format(re.escape(kind))) for kind in TUNED}
    ran = {kind: arms for kind, arms in ran.items() if arms}
    figure, axes = panels(len(ran), 4, pitch=2.3)
    frames = []
    for number, (ax, (kind, arms)) in enumerate(zip(axes, ran.items(), strict=False)):
        for rate, look in RATES.items():
            places = {float(parts): arm for arm, (given, parts) in arms.items() if float(given) == rate}
            points = {parts: seeds_of(table, "tuning", places[parts], "area") for parts in sorted(places)}
            found = _dots_and_line(ax, points, look, look.label, "area")
            frames += [one.assign(team=kind) for one in found]
        chosen = learner(kind)
        ax.set(xscale="log", xlabel="minibatches", ylabel=AREA if number == 0 else "")
        ax.set_xticks([parts for _, parts in TUNING_GRID[:3]], [str(parts) for _, parts in TUNING_GRID[:3]])
        ax.minorticks_off()
        ax.set_title(LOOKS[kind].label, fontsize=9.0)
        ax.annotate(f"chosen: {chosen.learning_rate:g}, {chosen.minibatches}", (0.05, 0.04), fontsize=7.5,
                    xycoords="axes fraction")  # fmt: skip
    if ran:
        axes[0].set_ylim(bottom=axes[0].get_ylim()[0] - 0.05)  # room for the words below the lines
        handles = [Line2D([], [], color=look.colour, ls=look.dash, label=look.label) for look in RATES.values()]
        figure.legend(handles=handles, loc="outside lower center", ncols=3, labelcolor="linecolor")
    used = used_rows(table, [("tuning", arm) for arms in ran.values() for arm in arms], ["area"])
    caption = "Mean score while learning; dots are the tuning seeds. The best mean of a panel is what its teams use"
    return Drawing(figure, gathered(frames), used, caption)


def beta(table: pandas.DataFrame) -> Drawing:
    """Score and area over the strength of every kind of alignment, and how many seeds fail at the largest.

    Experiment: beta (seeds of its own, on which strengths are chosen).
    """
    none = {"independent": ("beta", "independent")}
    arms = {kind: {float(x): ("beta", arm) for arm, (x,) in
                   arms_like(table, "beta", rf"{re.escape(kind)}, beta (\S+)").items()} for kind in SWEPT}  # fmt: skip
    arms = {kind: dict(sorted(places.items())) for kind, places in arms.items() if places}
    figure, axes = panels(len(arms), 4, pitch=2.0)
    frames = []
    for number, (ax, (kind, places)) in enumerate(zip(axes, arms.items(), strict=False)):
        ax.axhline(FAILS, color=theme.INK, ls=DOT, lw=0.8, zorder=1.5)
        for metric, look in (("area", Look("mean while learning", theme.FAINT, DASH)), ("score", LOOKS[kind])):
            points = {x: seeds_of(table, *place, metric) for x, place in places.items()}
            frames += _dots_and_line(ax, points, look, kind, metric)
            for value in levels(table, none, places.values(), metric).values():
                ax.axhline(value, color=look.colour, ls=look.dash, lw=0.7, alpha=0.7, zorder=1.4)
        last, place = list(places.items())[-1]
        final = seeds_of(table, *place, "score")
        ax.annotate(f"{(final < FAILS).sum()} of {len(final)} fail at {last:g}", (0.05, 0.04), fontsize=7.5,
                    xycoords="axes fraction")  # fmt: skip
        ax.set(xscale="log", xlabel="strength β" if number + 4 >= len(arms) else "",
               ylabel=SCORE if number % 4 == 0 else "")  # fmt: skip
        ax.set_title(LOOKS[kind].label, fontsize=9.0)
        few_ticks(ax, most=4)
    axes[0].set_ylim(bottom=min(axes[0].get_ylim()[0], FAILS - 0.12))  # room for the words below the line
    swept = [place for places in arms.values() for place in places.values()]
    used = used_rows(table, [*none.values(), *swept], ["score", "area"])
    caption = (
        "Score of the last policy (solid) and mean while learning (grey, dashed) over the strength of alignment; thin "
        "horizontal lines are both without any; dots are the tuning seeds. A seed fails when its last score is below "
        f"{FAILS:g} (dotted)"
    )
    return Drawing(figure, gathered(frames), used, caption)


def _dots_and_line(
    ax: Axes, points: Mapping[float, np.ndarray], look: Look, name: str, metric: str
) -> list[pandas.DataFrame]:
    """Seeds at each x and the line of their means: too few seeds for a band. Returns the plotted numbers."""
    points = {x: values for x, values in points.items() if len(values)}
    for x, values in points.items():
        ax.plot(np.full(len(values), x), values, "o", ms=3, mfc=look.colour, mec="none", alpha=0.55, zorder=2)
    means = [values.mean() for values in points.values()]
    ax.plot(list(points), means, color=look.colour, ls=look.dash, lw=1.6, zorder=3)
    frame = {"line": name, "x": list(points), "middle": means, "n": [len(values) for values in points.values()]}
    return [pandas.DataFrame(frame).assign(metric=metric)] if points else []


def frequency(table: pandas.DataFrame, found: Curves) -> Drawing:
    """Area and score over the updates between refreshes of what agents are aligned to, and scores over time.

    Experiments: frequency, teams.
    """
    plain = {float(k): ("frequency", arm) for arm, (k,) in arms_like(table, "frequency", r"every (\d+)").items()}
    double = arms_like(table, "frequency", r"every (\d+), double rate")
    places = {"K": plain, "double": {float(k): ("frequency", arm) for arm, (k,) in double.items()}}
    every = [place for line_places in places.values() for place in line_places.values()]
    figure, axes = theme.figure(1, 3, height=3.1, width_ratios=(1.0, 1.0, 1.15))
    frames = []
    for ax, metric, words in zip(axes, ("area", "score"), (AREA, SCORE), strict=False):
        lines: Lines = {}
        for name, at in places.items():
            points = {k: seeds_of(table, *at[k], metric) for k in sorted(at)}
            for k, values in points.items():
                ax.plot(np.full(len(values), k), values, "o", ms=2.6, color=KEPT[name].colour, alpha=0.5, zorder=2.5)
            lines |= {name: one} if (one := line(points)) else {}
        draw_lines(ax, lines, xlabel="updates between refreshes K", ylabel=words, looks=KEPT,
                   scales=("log", "linear"), names="none")  # fmt: skip
        _references(ax, table, every, metric, plain.get(1.0))
        frames += frame_of(lines, metric=metric)
    handles, names = axes[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, names, loc="outside lower center", ncols=4, handlelength=2.4)
    frames += _over_time(axes[2], table, found)
    used = rows_entering(table, every, [home("independent")], ["score", "area", "seconds"])
    caption = (
        "OT barycenter when barycenter and potentials are computed anew every K updates (1000: only once). Dashed: "
        f"the area with K = 1 less {TOLERATED:g}. Right: validation score over the mean seconds of training, from the "
        "first look on"
    )
    return Drawing(figure, gathered(frames), used, caption)


def _references(ax: Axes, table: pandas.DataFrame, arms: Sequence[Place], metric: str, fresh: Place | None) -> None:
    """Level of independent nets, and the least area that counts as no loss."""
    for value in levels(table, {"independent": home("independent")}, arms, metric).values():
        ax.axhline(value, color=LOOKS["independent"].colour, lw=1.2, zorder=1.5, label="independent")
    values = seeds_of(table, *fresh, metric) if fresh else np.empty(0)
    if metric == "area" and len(values):
        ax.axhline(values.mean() - TOLERATED, color=theme.INK, ls=DASH, lw=0.9, zorder=1.5,
                   label=f"K = 1 less {TOLERATED:g}")  # fmt: skip


def _over_time(ax: Axes, table: pandas.DataFrame, found: Curves) -> list[pandas.DataFrame]:
    """Mean score while learning over the seconds of training, for a few K; returns the plotted numbers."""
    looks = {
        f"every {k}": Look(f"K = {k}", shade) for k, shade in zip(WATCHED, theme.shades(len(WATCHED)), strict=True)
    }
    lines: Lines = {}
    for name in looks:
        one, seconds = found.get("frequency", {}).get(name, {}), seeds_of(table, "frequency", name, "seconds")
        if "evaluated_score" in one and len(seconds):
            at = np.asarray(one["_evaluated_at"], float)
            lines[name] = seconds.mean() * at / at[-1], intervals.band(np.asarray(one["evaluated_score"]), rng=rng())
    draw_lines(ax, lines, xlabel="training [s]", ylabel="validation score", looks=looks, scales=("linear", "linear"),
               points=False, names="none")  # fmt: skip
    leave_out_start(ax, lines)
    ends = {name: (float(x[-1]), float(band.middle[-1])) for name, (x, band) in lines.items()}
    labels.direct_labels(ax, ends, looks)
    return frame_of(lines, metric="over time")
