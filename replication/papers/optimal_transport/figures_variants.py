"""Pictures of variants: other tasks, alignment with one thing changed, alignment beside three other factors."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas
from matplotlib.axes import Axes

from replication.drawing import Drawing, Place, by_seed, estimate, levels, rng, rows_entering, seeds_of, used_rows
from replication.drawing_lines import arms_like, gathered
from replication.papers.optimal_transport.arms_teams import ABLATION, FACTORS, SIX
from replication.papers.optimal_transport.figures import SCORE
from replication.papers.optimal_transport.figures_paired import (
    AREA,
    LOOKS,
    estimates,
    panels,
    row_numbers,
)
from replication.papers.optimal_transport.figures_teams import TASKS, arms_in, home
from replication.plotting import curves, theme
from replication.plotting.theme import DOT, Look
from replication.stats import intervals


def ablation(table: pandas.DataFrame) -> Drawing:
    """Last score and area of variants of the alignment to the barycenter, each with one thing changed.

    Experiments: ablation, teams.
    """
    arms = [name for name in ABLATION if len(seeds_of(table, "ablation", name, "score"))]
    arms.sort(key=lambda name: -seeds_of(table, "ablation", name, "area").mean())
    places = [("ablation", name) for name in arms]
    looks = {name: Look(name, "#0072b2" if name == "base" else "#5f8fb5", marker="s" if name == "base" else "o")
             for name in arms} | {"independent": LOOKS["independent"]}  # fmt: skip
    looks["base again"] = Look("base", "#0072b2", DOT)
    figure, axes = theme.figure(1, 2, height=1.3 + 0.32 * max(len(arms), 4), sharey=True)
    frames = []
    for ax, metric, words in zip(axes, ("area", "score"), (AREA, SCORE), strict=True):
        found = {name: seeds_of(table, "ablation", name, metric) for name in arms}
        marks = levels(table, {"independent": home("independent"), "base again": ("ablation", "base")}, places, metric)
        if found:
            rows = {name: (values, estimate(values)) for name, values in found.items()}
            curves.dots_and_intervals(ax, rows, xlabel=words, references=marks, looks=looks)
        frames += row_numbers(estimates(found), metric=metric)
    used = rows_entering(table, places, [home("independent")], ["score", "area"])
    caption = (
        "Alignment to the barycenter of visits with one thing changed at a time, largest area first; lines are means "
        "of the base and of independent nets over the same seeds"
    )
    return Drawing(figure, gathered(frames), used, caption)


def tasks(table: pandas.DataFrame) -> Drawing:
    """Score by task and arm, and over all tasks together. Experiments: teams, team_sizes, continuous, tasks."""
    arms = {task: {name: place for name, place in arms_in(table, task).items() if name in SIX} for task in TASKS}
    arms = {task: found for task, found in arms.items() if found}
    order = [name for name in SIX if any(name in found for found in arms.values())]
    figure, axes = panels(len(arms) + 1, 4, pitch=0.75 + 0.23 * max(len(order), 3))
    frames = []
    for ax, (task, places) in zip(axes, arms.items(), strict=False):
        found = {name: seeds_of(table, *places.get(name, ("", "")), "score") for name in order}
        ends = estimates(found)
        curves.dots_and_intervals(ax, {name: (found[name], ends.get(name)) for name in order}, xlabel="", looks=LOOKS)
        ax.set_title(task, fontsize=9.0)
        frames += row_numbers(ends, task=task)
    together = _together(table, arms, order)
    if together:
        rows = {name: (np.empty(0), together.get(name)) for name in order}
        curves.dots_and_intervals(axes[-1], rows, xlabel="", looks=LOOKS)
        axes[-1].set_title("All tasks, IQM", fontsize=9.0)
    axes[-1].set_visible(bool(together) or not arms)
    for number, ax in enumerate(axes):
        ax.set_xlabel(SCORE if number + 4 >= len(axes) else "")
    frames += row_numbers(together, task="all")
    used = used_rows(table, [place for found in arms.values() for place in found.values()], ["score"])
    caption = (
        "Last policies on the test episodes by task, dots are seeds; last panel: interquartile mean over tasks and the "
        "seeds that all tasks have, resampled within tasks"
    )
    return Drawing(figure, gathered(frames), used, caption)


def _together(
    table: pandas.DataFrame, arms: Mapping[str, Mapping[str, Place]], order: Sequence[str]
) -> dict[str, intervals.Estimate]:
    """Interquartile mean over tasks and seeds of the arms that have run in all of several tasks."""
    if len(arms) < 2:
        return {}
    everywhere = {name: [found[name] for found in arms.values()] for name in order
                  if all(name in found for found in arms.values())}  # fmt: skip
    values = {name: _joined(table, places, "score") for name, places in everywhere.items()}
    return {name: intervals.stratified(both, rng=rng()) for name, both in values.items() if len(both) > 1}


def _joined(table: pandas.DataFrame, places: Sequence[Place], metric: str) -> np.ndarray:
    """(S, arms) values for the seeds that all arms have."""
    return pandas.concat([by_seed(table, place, metric) for place in places], axis=1, join="inner").to_numpy(float)


def contrasts(cells: Mapping[frozenset[str], np.ndarray]) -> dict[tuple[str, ...], np.ndarray]:
    """Main effects and two-way interactions of a full factorial, seed by seed.

    Args:
        cells: factors present -> (S,) values.

    Returns:
        (factor,) -> (S,) mean of the cells with the factor minus mean of those without;
        (factor, other) -> (S,) effect of the factor in cells with the other minus its effect in cells without.
        Nothing unless all subsets of the factors have run.
    """
    factors = [factor for factor in FACTORS if any(factor in chosen for chosen in cells)]
    if len(cells) != 2 ** len(factors):
        return {}
    wanted = [chosen for size in (1, 2) for chosen in combinations(factors, size)]
    return {chosen: 2 ** len(chosen) * np.mean([_sign(cell, chosen) * values for cell, values in cells.items()], axis=0)
            for chosen in wanted}  # fmt: skip


def _sign(cell: frozenset[str], chosen: Sequence[str]) -> int:
    """1 where an even number of the chosen factors is absent from a cell, else -1."""
    return 1 - 2 * (sum(factor not in cell for factor in chosen) % 2)


def factorial(table: pandas.DataFrame, metric: str = "score") -> Drawing:
    """Cells of the factorial, and main effects and two-way interactions, from contrasts of each seed.

    Experiment: factorial.
    """
    arms = {frozenset(() if arm == "none" else arm.split(" + ")): ("factorial", arm)
            for arm in arms_like(table, "factorial", ".+")}  # fmt: skip
    values = _joined(table, list(arms.values()), metric) if arms else np.empty((0, 0))
    cells = dict(zip(arms, values.T, strict=True)) if len(values) else {}
    effects = {" × ".join(chosen): one for chosen, one in contrasts(cells).items()}
    figure, (left, right) = theme.figure(1, 2, height=3.9, width_ratios=(1.0, 1.05))
    words = SCORE if metric == "score" else AREA
    left.set_title(words[0].upper() + words[1:])
    frames = [_cells(left, cells)] if cells else []
    if effects:
        ends = estimates(effects)
        looks = {name: Look(name, "#8c4fa8" if "×" in name else "#0072b2") for name in effects}
        curves.dots_and_intervals(right, {name: (one, ends[name]) for name, one in effects.items()},
                                  xlabel=f"difference of {words}", looks=looks)  # fmt: skip
        right.axvline(0.0, color=theme.INK, lw=0.8, zorder=1.5)
        right.set_title("Effects, and interactions (×)")
        frames += row_numbers(ends, panel="effects")
    right.set_visible(bool(effects))
    used = used_rows(table, arms.values(), [metric])
    caption = (
        "Every combination of four factors. Left: cell means. Right, from contrasts of each seed (dots): mean with a "
        "factor minus mean without; ×: effect of the one with the other minus without the other"
    )
    return Drawing(figure, gathered(frames), used, caption)


def _cells(ax: Axes, cells: Mapping[frozenset[str], np.ndarray]) -> pandas.DataFrame:
    """Means of cells as colours and numbers, two factors down and two across; returns the numbers."""
    across, down = (("transport", "assignment"), ("sharing", "central critic"))
    columns, rows = (_subsets(pair) for pair in (across, down))
    means = np.full((len(rows), len(columns)), np.nan)
    body = []
    for chosen, values in cells.items():
        at = rows.index(chosen & set(down)), columns.index(chosen & set(across))
        means[at] = values.mean()
        body.append((" + ".join(name for name in FACTORS if name in chosen) or "none", means[at], len(values)))
    curves.heat_map(ax, means, rows=range(len(rows)), columns=range(len(columns)), xlabel="", ylabel="",
                    colour_label="", bar=False)  # fmt: skip
    middle = 0.5 * (np.nanmin(means) + np.nanmax(means))
    for (row, column), value in np.ndenumerate(means):
        if np.isfinite(value):
            ink = "white" if value < middle else theme.INK
            ax.annotate(f"{value:.2f}", (column, row), ha="center", va="center_baseline", fontsize=8.5, color=ink)
    ax.set_xticks(range(len(columns)), [_words(chosen, across) for chosen in columns])
    ax.set_yticks(range(len(rows)), [_words(chosen, down) for chosen in rows])
    ax.invert_yaxis()
    ax.tick_params(length=0)
    return pandas.DataFrame(body, columns=["line", "middle", "n"]).assign(panel="cells")


def _subsets(pair: tuple[str, str]) -> list[frozenset[str]]:
    return [frozenset(), frozenset(pair[:1]), frozenset(pair[1:]), frozenset(pair)]


def _words(chosen: frozenset[str], pair: tuple[str, str]) -> str:
    return {0: "neither", 1: next(iter(chosen), ""), 2: "both"}[len(chosen)].replace(" ", "\n")
