"""Pictures of teams that learn: the gate, learning curves, effects against independent learners, many agents."""

import re
from collections.abc import Iterable, Mapping

import numpy as np
import pandas
from matplotlib.axes import Axes

from replication.drawing import Curves, Drawing, Place, levels, rng, rows_entering, seeds_of, used_rows
from replication.drawing_lines import Lines, arms_like, draw_lines, frame_of, gathered, line
from replication.papers.optimal_transport.arms_teams import team_arms
from replication.papers.optimal_transport.figures import SCORE
from replication.papers.optimal_transport.figures_paired import (
    LOOKS,
    MARGIN,
    differences,
    draw_interval,
    estimates,
    ladder,
    leave_out_start,
    panels,
    row_numbers,
    rungs,
    write_beside,
)
from replication.plotting import curves, labels, theme
from replication.plotting.theme import Look
from replication.stats import intervals

STEPS = "agent-steps"
SCRIPTED = ("greedy", "fixed role", "hungarian dynamic")
TEAMS = frozenset(team_arms("full"))
MARKS = {name: LOOKS[name] for name in SCRIPTED} | {"gate": Look("gate", "#b03030")}
GATED = ("independent", "sharing", "sharing with numbers", "centralised critic")
PANELS = {
    "Transport, and its placebos": ("OT potential", "OT actions", "OT barycenter", "OT within episodes",
                                    "shuffled placebo", "random placebo", "OT actions, random placebo"),
    "Other ways to be alike, or not": ("KL", "total variation", "averaging", "diversity", "wanted diversity"),
    "One net, more in view, other critics": ("sharing", "sharing with numbers", "centralised critic",
                                             "centralised critic, OT barycenter", "assignment in view",
                                             "quantile critic"),
}  # fmt: skip
TASKS: dict[str, Place] = {  # what the name of an arm is put into
    "Spread, 3 agents": ("teams", "{}"),
    "Spread, 2 agents": ("team_sizes", "2 agents, {}"),
    "Spread, 4 agents": ("team_sizes", "4 agents, {}"),
    "Spread, forces": ("continuous", "{}"),
    "Rendezvous": ("tasks", "rendezvous, {}"),
    "Formation": ("tasks", "formation, {}"),
    "Unequal agents": ("tasks", "unequal, {}"),
}
AGENTS = 3  # of the teams in the experiments teams and controls
GATE = 0.75  # median score of independent nets from which on contrasts between learners mean something
EFFECTS = {  # metric -> title of its panel, and which side is good
    "score": ("Last score", "better →"),
    "area": ("Mean while learning", "better →"),
    "steps_to_080": ("Steps to 0.8", "← sooner [M agent-steps]"),
}


def home(name: str) -> Place:
    """Where an arm of the main world has run."""
    return ("teams" if name in TEAMS else "controls"), name


def looks_at(one: Mapping[str, np.ndarray], agents: int = AGENTS) -> tuple[np.ndarray, np.ndarray]:
    """(T,) agent-steps, (S, T) validation scores of a run; its last look is at its last step."""
    at = np.asarray(one["_evaluated_at"], float)
    return agents * at * float(np.asarray(one["_steps"])[-1]) / at[-1], np.asarray(one["evaluated_score"], float)


def while_learning(found: Curves, names: Iterable[str]) -> dict[str, Mapping[str, np.ndarray]]:
    """Arm -> curves of the main world's arms that have looked at their policies."""
    ran = {name: found.get(home(name)[0], {}).get(name, {}) for name in names}
    return {name: one for name, one in ran.items() if "evaluated_score" in one}


def gate(table: pandas.DataFrame, found: Curves) -> Drawing:
    """Score while learning of every seed and their median, between the levels of scripted controllers.

    Experiments: teams, controls, scripted.
    """
    ran = while_learning(found, GATED)
    scripted = {name: ("scripted", f"{AGENTS} agents, {name}") for name in SCRIPTED}
    used = rows_entering(table, [home(name) for name in ran], scripted.values(), ["score"])
    marks = levels(used, scripted, [home(name) for name in ran]) | {"gate": GATE}
    figure, axes = panels(len(ran), 2, pitch=2.1)
    frames = []
    for number, (ax, (name, one)) in enumerate(zip(axes, ran.items(), strict=False)):
        x, values = looks_at(one)
        _seeds_and_median(ax, x, values, LOOKS[name])
        for mark, value in marks.items():
            ax.axhline(value, color=MARKS[mark].colour, ls=MARKS[mark].dash, lw=1.0, zorder=1.5)
        ax.set_title(LOOKS[name].label)
        passed = f"{(values[:, -1] >= GATE).sum()} of {len(values)} end above the gate"
        ax.annotate(passed, (0.97, 0.06), xycoords="axes fraction", ha="right", fontsize=labels.SIZE)
        curves.learning_curves(ax, x, {}, xlabel=STEPS if number + 2 >= len(ran) else "",
                               ylabel=SCORE if number % 2 == 0 else "", names="none")  # fmt: skip
        seed, look = np.indices(values.shape)
        frames.append(pandas.DataFrame({"line": name, "run": seed.ravel(), "x": x[look.ravel()],
                                        "value": values.ravel()}))  # fmt: skip
    for ax in axes[1 : len(ran) : 2] or axes[: len(ran)]:
        labels.direct_labels(ax, {mark: (ax.get_xlim()[1], value) for mark, value in marks.items()}, MARKS)
    caption = (
        f"Validation score over {STEPS}: thin lines are seeds, the thick one their median; levels are scripted "
        f"controllers on the test episodes, the gate is at {GATE:g}"
    )
    return Drawing(figure, gathered(frames), used, caption)


def _seeds_and_median(ax: Axes, x: np.ndarray, values: np.ndarray, look: Look) -> None:
    ax.plot(x, values.T, color=look.colour, lw=0.8, alpha=0.55, zorder=2)
    ax.plot(x, np.median(values, axis=0), color=look.colour, lw=2.6, zorder=3)


def learning_curves(table: pandas.DataFrame, found: Curves) -> Drawing:
    """Mean score while learning of all arms of the main world, independent nets in every panel.

    Experiments: teams, controls.
    """
    shown = {title: while_learning(found, ("independent", *names)) for title, names in PANELS.items()}
    shown = {title: ran for title, ran in shown.items() if set(ran) - {"independent"}} or dict(list(shown.items())[:1])
    figure, axes = panels(len(shown), 1, pitch=2.3)
    frames, everything = [], Lines()
    for number, (ax, (title, ran)) in enumerate(zip(axes, shown.items(), strict=True)):
        lines: Lines = {}
        for name, one in ran.items():
            x, values = looks_at(one)
            lines[name] = x, intervals.band(values, rng=rng())
        draw_lines(ax, lines, xlabel=STEPS if number + 1 == len(shown) else "", ylabel=SCORE, looks=LOOKS,
                   scales=("linear", "linear"), points=False, names="none")  # fmt: skip
        ax.set_title(title)
        everything |= lines
        frames += frame_of(lines, panel=title)
    leave_out_start(axes[0], everything)
    for ax, ran in zip(axes, shown.values(), strict=True):  # the panels share limits, so names come last
        ends = {name: looks_at(one) for name, one in ran.items()}
        labels.direct_labels(ax, {name: (x[-1], values[:, -1].mean()) for name, (x, values) in ends.items()}, LOOKS)
    names = {name for ran in shown.values() for name in ran}
    used = used_rows(table, [home(name) for name in names], ["score", "area"])
    caption = (
        f"Mean validation score over {STEPS}, 3 agents; independent nets in every panel. Scores before training lie "
        "below the axes"
    )
    return Drawing(figure, gathered(frames), used, caption)


def arms_in(table: pandas.DataFrame, task: str) -> dict[str, Place]:
    """Name -> place of the arms that have run in a task, those of the controls with the main world's."""
    experiment, form = TASKS[task]
    pattern = re.escape(form).replace(r"\{\}", "(.+)")
    places = [(place, pattern) for place in (("teams", "controls") if experiment == "teams" else (experiment,))]
    found = {name: (place, arm) for place, form in places for arm, (name,) in arms_like(table, place, form).items()}
    return {name: found[name] for name in LOOKS if name in found}


def forest(table: pandas.DataFrame) -> Drawing:
    """Every arm minus independent nets of the same seed, task by task: last score, area under the curve, steps.

    Experiments: teams, controls, team_sizes, continuous, tasks.
    """
    found = {task: {metric: estimates(_effects(table, task, metric)) for metric in EFFECTS} for task in TASKS}
    ordered = {task: _largest_first(one["score"]) for task, one in found.items()}
    groups = {task: names for task, names in ordered.items() if names}
    figure, axes = ladder(groups, len(EFFECTS))
    frames = []
    for ax, (metric, (title, side)) in zip(axes, EFFECTS.items(), strict=True):
        ax.axvline(0.0, color=theme.INK, lw=0.8, zorder=1.5)
        if metric != "steps_to_080":
            ax.axvspan(-MARGIN, MARGIN, color="#e3e8ef", lw=0, zorder=1)
        ax.set(title=title, xlabel=side)
        for (task, name), height in rungs(groups).items():
            draw_interval(ax, found[task][metric].get(name), height, LOOKS[name])
        for task in groups:
            frames += row_numbers(found[task][metric], task=task, metric=metric)
    sizes = {(task, name): str(found[task]["score"][name].n) for task, names in groups.items() for name in names}
    write_beside(axes[-1], groups, sizes, "n")
    arms = [place for task in groups for place in arms_in(table, task).values()]
    caption = (
        "Difference to independent nets, paired by seed; in a group the largest effect on the score stands first. "
        f"Shaded: differences of less than {MARGIN:g}. A seed that never reaches 0.8 counts its whole training"
    )
    return Drawing(figure, gathered(frames), used_rows(table, arms, list(EFFECTS)), caption)


def _largest_first(effects: Mapping[str, intervals.Estimate]) -> list[str]:
    return sorted(effects, key=lambda name: -effects[name].value)


def _effects(table: pandas.DataFrame, task: str, metric: str) -> dict[str, np.ndarray]:
    """Arm -> (S,) its metric minus that of independent nets in the same task, seed by seed."""
    experiment, form = TASKS[task]
    alone = experiment, form.format("independent")
    return {name: differences(table, place, alone, metric) for name, place in arms_in(table, task).items()
            if place != alone}  # fmt: skip


def many_agents(table: pandas.DataFrame, found: Curves) -> Drawing:
    """Last score and wall-clock time of an update over the number of agents. Experiment: many_agents."""
    figure, axes = theme.figure(1, 2, height=3.0)
    arms = arms_like(table, "many_agents", r"(\d+) agents, (.+)")
    names = [name for name in LOOKS if name in {name for _, name in arms.values()}]
    places = {name: {float(size): arm for arm, (size, one) in arms.items() if one == name} for name in names}
    panels = {
        SCORE: {name: _over_size(table, sizes, "score") for name, sizes in places.items()},
        "time of one update [ms]": {name: _update_times(table, found, sizes) for name, sizes in places.items()},
    }
    ticks = sorted({size for sizes in places.values() for size in sizes}) or None
    frames = []
    for ax, (words, points), scale in zip(axes, panels.items(), ("linear", "log"), strict=True):
        lines: Lines = {name: one for name, values in points.items() if (one := line(values))}
        draw_lines(ax, lines, xlabel="agents", ylabel=words, looks=LOOKS, scales=("log", scale), ticks=ticks,
                   names="none")  # fmt: skip
        for name in lines:
            for size, values in points[name].items():
                ax.plot(np.full(len(values), size), values, "o", ms=2.6, color=LOOKS[name].colour, alpha=0.6, zorder=3)
        labels.direct_labels(ax, {name: (x[-1], band.middle[-1]) for name, (x, band) in lines.items()}, LOOKS)
        frames += frame_of(lines, panel=words)
    used = used_rows(table, [("many_agents", arm) for arm in arms], ["score", "seconds"])
    caption = (
        "Teams of 6 to 24 agents in a square that grows with them, each seeing its 5 nearest; right: seconds of "
        "training over the number of updates, both axes logarithmic; dots are seeds"
    )
    return Drawing(figure, gathered(frames), used, caption)


def _over_size(table: pandas.DataFrame, arms: Mapping[float, str], metric: str) -> dict[float, np.ndarray]:
    return {size: seeds_of(table, "many_agents", arms[size], metric) for size in sorted(arms)}


def _update_times(table: pandas.DataFrame, found: Curves, arms: Mapping[float, str]) -> dict[float, np.ndarray]:
    """Agents -> (S,) milliseconds per update of the arms whose curves say how many updates there were."""
    at = {size: found.get("many_agents", {}).get(arm, {}).get("_evaluated_at", [0]) for size, arm in arms.items()}
    seconds = _over_size(table, arms, "seconds")
    return {size: 1e3 * seconds[size] / at[size][-1] for size in seconds if at[size][-1]}
