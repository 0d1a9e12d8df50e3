"""Pictures of resources and energy: what allocations cost and leave unmet, and what a fleet achieves for its energy."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from replication.drawing import Drawing, estimate, seeds_of, used_rows
from replication.drawing_lines import arms_like, few_ticks, gathered
from replication.papers.optimal_transport.arms_plans import ALLOCATORS, FLEETS
from replication.papers.optimal_transport.figures import LOOKS
from replication.plotting import labels, theme
from replication.plotting.theme import DASH, DOT, Look
from replication.stats import scores
from replication.stats.intervals import Estimate

# ---- allocation --------------------------------------------------------------------------------------------------

MARKETS = {
    "equal": Look("one unit each", "#0072b2", "none", "o"),
    "units": Look("1 to 5 units", "#e69f00", "none", "s"),
    "scarce": Look("1 to 5 units, a quarter too few", "#aa3377", "none", "D"),
}
JUDGED = {  # metric -> words, and what it is multiplied by
    "cost_ratio": ("unit cost / cheapest", 1.0),
    "unmet": ("unmet demand [%]", 100.0),
    "fairness": ("Jain index", 1.0),
    "seconds": ("time [ms]", 1e3),
}


def allocation(table: pandas.DataFrame) -> Drawing:
    """Cost, unmet demand, fairness and time of every way to allocate, in three markets. Experiment: allocation."""
    arms = {groups: arm for arm, groups in arms_like(table, "allocation", r"(equal|units|scarce), (.+)").items()}
    ways = _ways({way for _, way in arms})
    figure, axes = theme.figure(1, len(JUDGED), height=1.3 + 0.36 * max(len(ways), 4), sharey=True)
    frames = []
    for ax, (metric, (words, factor)) in zip(axes, JUDGED.items(), strict=True):
        for (market, way), arm in arms.items():
            values = factor * seeds_of(table, "allocation", arm, metric)
            if len(values):
                height = ways.index(way) + 0.26 * (list(MARKETS).index(market) - 1)
                one = _row(ax, values, height, MARKETS[market])
                frames.append(_numbers(one, market=market, way=way, quantity=words))
        ax.set_xlabel(words)
        ax.grid(False, axis="y")
        ax.tick_params(axis="y", length=0)
    _scales(axes, len(frames) > 0)
    axes[0].set_yticks(range(len(ways)), [_label(way) for way in ways])
    axes[0].set_ylim(max(len(ways), 1) - 0.4, -0.6)
    _name(figure, {name: look for name, look in MARKETS.items() if name in {market for market, _ in arms}})
    used = used_rows(table, [("allocation", arm) for arm in arms.values()], list(JUDGED))
    caption = (
        "Ways to allocate units of supply to demands; cost per unit moved over that of the cheapest allocation of as "
        "much as possible: below 1 where less or other demand is met; dots are seeds"
    )
    return Drawing(figure, gathered(frames), used, caption)


def _ways(ran: set[str]) -> list[str]:
    """Methods in the order of the arms, each followed by its variants."""
    by_number = sorted(ran, key=lambda way: float(way.rpartition(" ")[2]) if "," in way else -np.inf)
    return [way for name in ALLOCATORS for way in by_number if way == name or way.startswith(f"{name}, ")]


def _label(way: str) -> str:
    name, comma, variant = way.partition(",")
    return LOOKS[name].label + comma + variant


def _row(ax: Axes, values: np.ndarray, height: float, look: Look) -> Estimate:
    """Dots of seeds, and their mean with its interval."""
    found = _interval(values)
    ax.plot(values, np.full(len(values), height), "o", ms=2.4, mfc=look.colour, mec="none", alpha=0.4, zorder=2)
    ax.plot([found.low, found.high], [height, height], color=look.colour, lw=2.4, solid_capstyle="butt", zorder=3)
    ax.plot([found.value], [height], look.marker, ms=4.5, mfc=look.colour, mec="white", mew=0.5, zorder=4)
    return found


def _scales(axes: np.ndarray, filled: bool) -> None:
    """The cheapest at 1, and times on a logarithmic axis."""
    axes[0].axvline(1.0, color=theme.INK, lw=0.8, ls=DOT, zorder=1)
    for ax in axes[:3]:
        ax.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    if filled:
        axes[3].set_xscale("log")
        few_ticks(axes[3], most=4)


def _interval(values: np.ndarray) -> Estimate:
    """Mean with its 95 % interval over seeds; a single seed is its own interval."""
    return estimate(values) or Estimate(values[0], values[0], values[0], 1)


def _numbers(one: Estimate, **more: str) -> pandas.DataFrame:
    return pandas.DataFrame([{**more, "middle": one.value, "low": one.low, "high": one.high, "n": one.n}])


def _name(figure: Figure, looks: Mapping[str, Look]) -> None:
    """A legend of markers and lines below the picture."""
    marks = [Line2D([], [], color=look.colour, marker=look.marker, ls=look.dash, ms=5.5, label=look.label)
             for look in looks.values()]  # fmt: skip
    if marks:
        figure.legend(handles=marks, loc="outside lower center", ncols=min(len(marks), 4), handlelength=2.4)


# ---- energy ------------------------------------------------------------------------------------------------------

PLAIN = "distance"  # dispatch to the nearest targets in all, with the full push
LINES = {
    "energy weight": Look("cheapest simulated moves, by the weight of energy", "#41197f", "-", "^"),
    "effort": Look("nearest targets, by the share of the push that is used", "#d55e00", DASH, "o"),
}
POINTS = {
    "squared": Look("squared distance", "#24c5c8", "none", "s"),
    "fixed role": Look("fixed role", LOOKS["fixed role"].colour, "none", "D"),
    "random role": Look("role by lot", "#9a9a9a", "none", "X"),
    "greedy": Look("greedy", LOOKS["greedy"].colour, "none", "v"),
}
ACHIEVED = {"distance": "summed distance", "coverage": "demands met"}
GENTLE = 0.7  # efforts above it are in the lower panels


def energy_front(table: pandas.DataFrame, metric: Literal["distance", "coverage"] = "distance") -> Drawing:
    """What fleets achieve for their energy: dispatch by the price of energy, or less effort. Experiment: fleet.

    Every value is over that of the same fleet sent to the nearest targets with its full push, seed by seed.
    """
    fleets = [fleet for fleet in FLEETS if len(_relative(table, fleet, PLAIN, metric))]
    figure, axes = theme.figure(2, max(len(fleets), 1), height=5.4, sharex="row", sharey="row", squeeze=False)
    frames, near = [], []
    for (above, below), fleet in zip(axes.T, fleets, strict=False):
        for kind, look in LINES.items():
            rows = _over_values(table, fleet, kind, metric)
            frames += [pandas.DataFrame(rows).assign(fleet=fleet, kind=kind)]
            near += [row for row in rows if kind != "effort" or row["value"] > GENTLE]
            _draw_front(above, rows, look)
            _draw_front(below, rows, look)
            _name_values(above if kind == "effort" else below, rows, look)
        for name, look in POINTS.items():
            rows = [row for row in [_place(table, fleet, name, metric)] if row]
            frames += [pandas.DataFrame(rows).assign(fleet=fleet, kind=name)] if rows else []
            for ax in (above, below):
                _draw_front(ax, rows, look)
        above.set_title(fleet, fontsize=9.0)
        below.set_xlabel("energy, relative")
    for ax in axes[:, 0]:
        ax.set_ylabel(f"{ACHIEVED[metric]}, relative")
    _whole_and_near(axes, near)
    _name(figure, LINES | POINTS if fleets else {})
    arms = [("fleet", arm) for arm in arms_like(table, "fleet", rf"({'|'.join(map(re.escape, fleets))}), .+")]
    caption = (
        f"Energy (summed squared force) and {ACHIEVED[metric]}, over those of the same fleet sent to the targets that "
        "are nearest in all, with its full push (1, 1), seed by seed. Below: near that fleet. Numbers: weight of "
        "energy, share of the push"
    )
    return Drawing(figure, gathered(frames), used_rows(table, arms, [metric, "energy"]), caption)


def _relative(table: pandas.DataFrame, fleet: str, dispatch: str, metric: str) -> np.ndarray:
    """(S,) a metric over that of the plain fleet, for the seeds that both have."""
    own, plain = (
        scores.find(table, "fleet", f"{fleet}, {name}", metric).set_index("seed")["value"] for name in (dispatch, PLAIN)
    )
    return (own / plain).dropna().to_numpy(float)


def _place(table: pandas.DataFrame, fleet: str, dispatch: str, metric: str, value: float = np.nan) -> dict[str, float]:
    """Energy and achievement of one arm with their intervals; nothing if it has not run."""
    both = [_relative(table, fleet, dispatch, name) for name in ("energy", metric)]
    if not all(map(len, both)):
        return {}
    x, y = map(_interval, both)
    return {"value": value, "energy": x.value, "energy_low": x.low, "energy_high": x.high, metric: y.value,
            f"{metric}_low": y.low, f"{metric}_high": y.high, "n": x.n}  # fmt: skip


def _over_values(table: pandas.DataFrame, fleet: str, kind: str, metric: str) -> list[dict[str, float]]:
    """Places of the arms "FLEET, KIND VALUE" in the order of the value; full effort is the plain fleet."""
    found = arms_like(table, "fleet", rf"{re.escape(fleet)}, {kind} (\S+)")
    names = {float(value): f"{kind} {value}" for (value,) in found.values()}
    names |= {1.0: PLAIN} if kind == "effort" else {}
    rows = [_place(table, fleet, names[value], metric, value) for value in sorted(names)]
    return [row for row in rows if row]


def _draw_front(ax: Axes, rows: Sequence[Mapping[str, float]], look: Look) -> None:
    """Points with the intervals of both axes, joined where the look has a line."""
    if not rows:
        return
    y = _achieved(rows)
    ax.plot([row["energy"] for row in rows], [row[y] for row in rows], ls=look.dash, color=look.colour, lw=1.2,
            marker=look.marker, ms=4.5, mec="white", mew=0.5, zorder=3)  # fmt: skip
    for row in rows:
        ax.plot([row["energy_low"], row["energy_high"]], [row[y]] * 2, color=look.colour, lw=1.0, zorder=2.5)
        ax.plot([row["energy"]] * 2, [row[f"{y}_low"], row[f"{y}_high"]], color=look.colour, lw=1.0, zorder=2.5)


def _name_values(ax: Axes, rows: Sequence[Mapping[str, float]], look: Look) -> None:
    """Values beside their points: of every effort but the full one, and of the first and the last weight."""
    efforts, ends = look is LINES["effort"], {row["value"] for row in (*rows[:1], *rows[-1:])}
    for row in rows:
        if row["value"] == 1.0 if efforts else row["value"] not in ends:
            continue
        falling, first = "distance" in row, row is rows[0]  # names stand clear of a line that falls, or rises
        shift = (5, 2 if falling else -8) if efforts else (5, 0) if first else (0, 6) if falling else (-9, -2)
        ax.annotate(f"{row['value']:g}", (row["energy"], row[_achieved(rows)]), shift, textcoords="offset points",
                    ha="left" if efforts or first else "center", fontsize=7.0,
                    color=labels.readable(look.colour))  # fmt: skip


def _achieved(rows: Sequence[Mapping[str, float]]) -> str:
    return next(name for name in ACHIEVED if name in rows[0])


def _whole_and_near(axes: np.ndarray, near: Sequence[Mapping[str, float]]) -> None:
    """Limits of the lower panels: the given points with a margin; lines at the plain fleet in all."""
    for ax in axes.flat:
        ax.axvline(1.0, color=theme.FAINT, lw=0.8, ls=DOT, zorder=1)
        ax.axhline(1.0, color=theme.FAINT, lw=0.8, ls=DOT, zorder=1)
    if near:
        y = _achieved(near)
        for axis, name in (("x", "energy"), ("y", y)):
            ends = np.array([row[f"{name}_{end}"] for row in near for end in ("low", "high")])
            room = 0.1 * max(float(np.ptp(ends)), 0.01)
            axes[1, 0].set(**{f"{axis}lim": (ends.min() - room, ends.max() + room)})
