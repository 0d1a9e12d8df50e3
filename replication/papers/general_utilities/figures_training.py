"""Pictures of training: gaps to known optima, heterogeneous utilities, sample complexity, habits and trade-offs."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas
from matplotlib.axes import Axes

from replication.drawing import Curves, Drawing, rng, rows_of, seeds_of, used_rows
from replication.drawing_lines import (
    Lines,
    arms_like,
    draw_lines,
    draw_rows,
    frame_of,
    gathered,
    line,
)
from replication.papers.general_utilities.figures import KAPPA
from replication.plotting import labels, theme
from replication.plotting.theme import DASH, DOT, Look
from replication.stats import intervals

GAP = "gap left, share"
SHARE = "a share of the gap of never acting (action 0 always)"
FLOOR = 1e-6  # gaps are drawn no lower: an exact run may end on its optimum
LEARNER = "#d55e00"  # colour of the truncated policy gradient
SOURCES = {
    "exact": Look("exact", "#111111", "-", "*"),
    **{f"exact, kappa {k}": Look(f"exact, κ = {k}", KAPPA[k].colour, DASH, KAPPA[k].marker) for k in range(3)},
    "sampled, kappa 1": Look("sampled, κ = 1", LEARNER, "-", "o"),
    "sampled, kappa 1, baseline": Look("same with baseline", "#009e73", "-", "s"),
    "sampled, full information": Look("sampled, all", "#0072b2", "-", "P"),
}
UTILITIES = {"state_entropy": "Entropy", "quadratic_state": "Targets", "imitation": "Imitation", "linear": "Linear"}


def title(utility: str) -> str:
    """How a panel calls a utility."""
    return UTILITIES.get(utility, utility.replace("_", " ").capitalize())


def gaps(table: pandas.DataFrame, found: Curves) -> Drawing:
    """Gap to the optimum over iterations, a panel per utility and number of agents, one colour per gradient."""
    arms = arms_like(table, "optimum", r"(\w+), (\d+) agents, (.+)")
    utilities = list(dict.fromkeys(utility for utility, _, _ in arms.values())) or ["state_entropy"]
    sizes = sorted({int(n) for _, n, _ in arms.values()}) or [5]
    figure, axes = theme.figure(len(sizes), len(utilities), height=0.9 + 2.1 * len(sizes), squeeze=False, sharey=True,
                                sharex=True)  # fmt: skip
    frames = []
    for row, n in zip(axes, sizes, strict=True):
        for ax, utility in zip(row, utilities, strict=True):
            lines = _gap_lines(
                found, {label: arm for arm, (u, m, label) in arms.items() if (u, int(m)) == (utility, n)}
            )
            last = n == sizes[-1]
            draw_lines(ax, lines, xlabel="iterations" if last else "", ylabel="", looks=SOURCES, names="none",
                       points=False)  # fmt: skip
            ax.set_title(f"{title(utility)}, {n} agents")
            ax.set_visible(bool(lines) or not arms)
            frames += frame_of(lines, utility=utility, agents=n)
        row[0].set_ylabel("gap left, share")
    axes[0, 0].set_ylim(bottom=max(axes[0, 0].get_ylim()[0], FLOOR))
    legend(figure, axes.flat)
    used = used_rows(table, [("optimum", arm) for arm in arms], ["gap_left"])
    caption = f"Exact gap to the largest F over all joint policies, as {SHARE}"
    return Drawing(figure, gathered(frames), used, caption)


def _gap_lines(found: Curves, arms: Mapping[str, str]) -> Lines:
    ran = {label: found.get("optimum", {}).get(arm) for label, arm in arms.items() if label in SOURCES}
    return {
        label: (np.asarray(curves["_evaluated_at"], float), intervals.band(curves["evaluated_gap_left"], rng=rng()))
        for label, curves in ran.items()
        if curves is not None
    }


def legend(figure, axes) -> None:
    """One legend below all panels, of whatever lines any panel has."""
    named = {name: handle for ax in axes for handle, name in zip(*ax.get_legend_handles_labels(), strict=True)}
    if named:
        figure.legend(named.values(), named, loc="outside lower center", ncols=4,
                      labelcolor="linecolor", handlelength=1.8)  # fmt: skip


def final_gaps(table: pandas.DataFrame) -> Drawing:
    """Where the runs on known optima end: dots and intervals, a panel per utility."""
    arms = arms_like(table, "optimum", r"(\w+), (\d+) agents, (.+)")
    utilities = list(dict.fromkeys(utility for utility, _, _ in arms.values()))
    kinds = {(int(n), label): SOURCES[label] for _, n, label in arms.values() if label in SOURCES}
    looks = {f"{n} agents, {label}": _named(kinds[n, label], f"{n} agents, {kinds[n, label].label}")
             for n, label in sorted(kinds, key=lambda kind: kind[0])}  # fmt: skip
    figure, axes = theme.figure(1, max(len(utilities), 1), height=0.9 + 0.3 * max(len(looks), 3), sharey=True,
                                sharex=True)  # fmt: skip
    for ax, utility in zip(np.atleast_1d(axes), utilities, strict=False):
        rows = rows_of(table, {row: ("optimum", f"{utility}, {row}") for row in looks}, "gap_left")
        draw_rows(ax, {row: rows.get(row, (np.zeros(0), None)) for row in looks}, floor=FLOOR, looks=looks)
        ax.set(title=title(utility), xlabel=GAP)
    used = used_rows(table, [("optimum", arm) for arm in arms], ["gap_left"])
    return Drawing(figure, used, used, f"Gap left after the last iteration, as {SHARE}; below {FLOOR:g} drawn there")


def _named(look: Look, label: str) -> Look:
    return Look(label, look.colour, look.dash, look.marker)


def large_and_mixed(table: pandas.DataFrame, agents: int) -> Drawing:
    """Final gaps on the large network and with utilities that differ."""
    large = {arm: ("large", arm) for arm in arms_like(table, "large", ".+")}
    mixed = {arm: ("heterogeneity", arm) for arm in arms_like(table, "heterogeneity", ".+")}
    figure, axes = theme.figure(1, 2, height=0.9 + 0.34 * max(len(large), len(mixed), 3))
    names = {arm: title(arm.partition(",")[0]).lower() for arm in large}
    looks = {arm: Look(name, LEARNER) for arm, name in names.items()} | _spread_looks(list(mixed))
    for ax, wanted, name in zip(axes, (large, mixed), (f"{agents} agents", "Utilities that differ"), strict=True):
        draw_rows(ax, rows_of(table, wanted, "gap_left"), floor=FLOOR, looks=looks)
        ax.set(title=name, xlabel=GAP)
    used = used_rows(table, [*large.values(), *mixed.values()], ["gap_left"])
    caption = f"Gap left by sampled gradients, κ = 1: {agents} agents, and targets from alike (spread 0) to far apart"
    return Drawing(figure, used, used, caption)


def _spread_looks(arms: Sequence[str]) -> dict[str, Look]:
    spreads = [arm for arm in arms if arm.startswith("spread")]
    shades = theme.shades(max(len(spreads), 1))
    looks = {arm: Look(arm, shade) for arm, shade in zip(spreads, shades, strict=False)}
    return {arm: looks.get(arm, Look(arm, "#7a7a7a", marker="s")) for arm in arms}


def slope(table: pandas.DataFrame) -> Drawing:
    """Squared gradient over transitions with floors and the theorem's slope; and n times what is above the floor."""
    figure, axes = theme.figure(1, 2, height=3.8)
    arms = _budgets(table)
    lines = {name: one for name, (_, _, found) in arms.items() if (one := _spent(table, found, "squared_gradient"))}
    sizes = {f"{n} agents": found for n, kappa, found in arms.values() if kappa == 1}
    scaled = {name: one for name, found in sizes.items() if (one := _spent(table, found, "above_floor", _agents(name)))}
    shades = theme.shades(max(len(scaled), 1))
    looks = {name: _size_look(n, kappa, name) for name, (n, kappa, _) in arms.items()}
    looks |= {name: Look(name, shade) for name, shade in zip(scaled, shades, strict=False)}
    labels_of = (
        ("mean ‖∇F‖² of the iterates", "By size and radius, dotted: floors"),
        ("n (mean ‖∇F‖² - floor)", "κ = 1, times n"),
    )
    for ax, drawn, (ylabel, name) in zip(axes, (lines, scaled), labels_of, strict=True):
        _half_slope(ax, drawn)
        levels = _floors(table, arms, lines) if drawn is lines else {}
        draw_lines(ax, drawn, xlabel="transitions", ylabel=ylabel, looks=looks, scales=("log", "log"), levels=levels)
        ax.set_title(name)
    places = [("samples", arm) for _, _, found in arms.values() for arm in found.values()]
    used = used_rows(table, places, ["squared_gradient", "above_floor", "floor", "spent"])
    data = gathered(frame_of(lines, panel="squared gradient") + frame_of(scaled, panel="scaled"))
    return Drawing(figure, data, used, "Stationarity over the budget of transitions, iterations and batch tied")


def _budgets(table: pandas.DataFrame) -> dict[str, tuple[int, int, dict[float, str]]]:
    """Line label -> (n, κ, budget -> arm)."""
    found: dict[tuple[int, int], dict[float, str]] = {}
    for arm, (n, kappa, samples) in arms_like(table, "samples", r"(\d+) agents, kappa (\d+), (\d+) samples").items():
        found.setdefault((int(n), int(kappa)), {})[float(samples)] = arm
    return {f"{n} agents, κ = {kappa}": (n, kappa, arms) for (n, kappa), arms in sorted(found.items())}


def _floors(table: pandas.DataFrame, arms: Mapping[str, tuple[int, int, dict[float, str]]], lines: Lines):
    """Line label -> what truncation leaves, where it is within reach of the line."""
    floors = {
        name: float(np.concatenate([seeds_of(table, "samples", arm, "floor") for arm in arms[name][2].values()]).mean())
        for name in lines
    }
    return {name: floor for name, floor in floors.items() if floor > 0.1 * lines[name][1].middle.min()}


def _agents(name: str) -> int:
    return int(name.partition(" ")[0])


def _spent(table: pandas.DataFrame, arms: Mapping[float, str], metric: str, factor: float = 1.0):
    """A line of `factor` times a score over the transitions that were really spent."""
    spent = {float(seeds_of(table, "samples", arm, "spent").mean()): arm for arm in arms.values()}
    return line({x: factor * seeds_of(table, "samples", arm, metric) for x, arm in sorted(spent.items())})


def _size_look(n: int, kappa: int, label: str) -> Look:
    dash = {5: DOT, 80: DASH}.get(n, "-")
    return Look(label, KAPPA[kappa].colour, dash, KAPPA[kappa].marker)


def _half_slope(ax: Axes, lines: Lines) -> None:
    """The slope -1/2 of the theorem, above the lines."""
    if not lines:
        return
    height = 1.6 * max(float(band.middle[0] * x[0] ** 0.5) for x, band in lines.values())
    ends = np.array([min(x[0] for x, _ in lines.values()), max(x[-1] for x, _ in lines.values())])
    ax.plot(ends, height * ends**-0.5, color=theme.INK, ls=DASH, lw=1.0, zorder=1.5)
    ax.annotate("slope -1/2", (ends[0], height * ends[0] ** -0.5), (14, 2), textcoords="offset points",
                fontsize=labels.SIZE)  # fmt: skip


def habits_and_tradeoffs(table: pandas.DataFrame) -> Drawing:
    """Final gaps of each habit alone, and around the default batch, horizon and step; Algorithm 1 as a line."""
    habits = {arm: ("variants", arm) for arm in arms_like(table, "variants", ".+")}
    grid = {arm: ("tradeoffs", arm) for arm in arms_like(table, "tradeoffs", ".+")}
    figure, axes = theme.figure(1, 2, height=0.9 + 0.32 * max(len(habits), len(grid), 3))
    looks = {arm: Look(arm, LEARNER if arm == ALGORITHM else "#0072b2") for arm in habits}
    shades = {"batch": "#8c4fa8", "horizon": "#009e73", "step": "#e69f00"}
    looks |= {arm: Look(arm, shades.get(arm.split()[0], "#7a7a7a")) for arm in grid}
    default = seeds_of(table, "variants", ALGORITHM, "gap_left")
    for ax, wanted, name in zip(axes, (habits, grid), ("Each habit alone", "Around the default"), strict=True):
        draw_rows(ax, rows_of(table, wanted, "gap_left"), floor=FLOOR, looks=looks)
        ax.set(title=name, xlabel=GAP)
        if len(default):
            ax.axvline(max(default.mean(), FLOOR), color=LEARNER, lw=1.0, ls=DASH, zorder=1.5)
    used = used_rows(table, [*habits.values(), *grid.values()], ["gap_left"])
    return Drawing(figure, used, used, f"Gap left after equal iterations, targets; dashed: {ALGORITHM} at its default")


ALGORITHM = "Algorithm 1"
