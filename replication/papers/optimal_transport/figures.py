"""Looks of this paper's methods, paths of agents in the arena, and the scripted controllers that scores rest on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import Circle

from replication.drawing import Drawing, rows_of, used_rows
from replication.drawing_lines import EMPTY, arms_like, gathered
from replication.plotting import curves, labels, theme
from replication.plotting.theme import DASH, DASHDOT, DOT, Look

# what is drawn together stays apart in normal sight and in the three kinds of colour blindness (a test measures it)
LEARNERS = {
    "independent": Look("independent", "#808080", marker="x"),
    "OT actions": Look("OT actions", "#4c2482", marker="^"),
    "OT barycenter": Look("OT barycenter", "#0072b2", marker="s"),
    "OT within episodes": Look("OT within episodes", "#86a3e6", marker="v"),
    "OT potential": Look("OT potential", "#2fb472", marker="D"),
    "KL": Look("KL", "#0b4824", marker="P"),
    "sharing": Look("sharing", "#e69f00"),
    "sharing with numbers": Look("sharing with numbers", "#d55e00", marker="h"),
    "shuffled placebo": Look("shuffled placebo", "#603366", DOT, "<"),
    "total variation": Look("total variation", "#84ca5d", marker="X"),
    "averaging": Look("averaging", "#ad733f", marker="p"),
    "diversity": Look("diversity", "#6d147b", DASH, "d"),
    "wanted diversity": Look("wanted diversity", "#d02262", DASH, "D"),
    "assignment in view": Look("assignment in view", "#34c3d4", DASHDOT, "*"),
    "centralised critic": Look("centralised critic", "#970859", DASHDOT, "v"),
    "centralised critic, OT barycenter": Look("centralised critic, OT barycenter", "#bcb3af", DASHDOT, "s"),
    "random placebo": Look("random placebo", "#5c4c0e", DOT, ">"),
    "OT actions, random placebo": Look("OT actions, random placebo", "#5b00b6", DASH, "<"),
    "quantile critic": Look("quantile critic", "#8cad0a", DASHDOT, "o"),
}
CONTROLLERS = {
    "random": Look("random", "#c6c6c6", DOT, "+"),
    "no operation": Look("no operation", "#6e8385", DOT, "x"),
    "all to one": Look("all to one", "#aa880d", DOT, "v"),
    "greedy": Look("greedy", "#dbbb69", DOT, "^"),
    "fixed role": Look("fixed role", "#555c23", DASHDOT, "D"),
    "hungarian static": Look("Hungarian, static", "#4d0e47", DASH, "P"),
    "hungarian dynamic": Look("Hungarian, dynamic", "#111111", DASH, "*"),
}
TRANSPORT = {
    "exact": Look("exact", "#41197f", marker="^"),
    "transport": Look("transport", "#41197f", marker="^"),
    "programme": Look("linear programme", "#940d67", DASH, "v"),
    "sinkhorn": Look("Sinkhorn", "#0072b2", marker="s"),
    "sliced": Look("sliced", "#99b5fd", marker="D"),
    "gaussian": Look("Gaussian", "#24c5c8", marker="p"),
    "unbalanced": Look("unbalanced", "#b85c6b", DASH, "s"),
    "hungarian": Look("Hungarian", "#111111", DASHDOT, "*"),
    "unit copies": Look("Hungarian on units", "#111111", DASHDOT, "*"),
    "greed": Look("cheapest pair first", "#dbbb69", DOT, "^"),
    "turns": Look("in turns", "#aa8b50", DOT, "v"),
    "rationing": Look("rationing", "#7ec487", DASH, "P"),
    "euclidean": Look("W₁, Euclidean", "#41197f", marker="^"),
    "star": Look("W₁, star", "#99b5fd", marker="D"),
    "equal": Look("W₁, equal", "#24c5c8", marker="p"),
    "variation": Look("total variation", "#84ca5d", marker="X"),
    "divergence": Look("Jeffreys", "#0b4824", DASH, "P"),
}
LOOKS = LEARNERS | CONTROLLERS | TRANSPORT
SCORE, RETURN = "normalised score", "return per agent"
THIN, BOLD = 0.5, 3.4  # width of a path at its start and at its end [points]


@dataclass(frozen=True)
class Paths:
    """One recorded episode.

    Attributes:
        positions: (T + 1, A, 2) of the agents, from the start on.
        landmarks: (M, 2).
        radius: (A,) of the agents' discs.
        half_width: of the square in which episodes start.
        earned: return per agent.
        places: number of places where an agent is wanted.
        covered: how many of them are covered at the end.
    """

    positions: np.ndarray
    landmarks: np.ndarray
    radius: np.ndarray
    half_width: float
    earned: float
    places: int
    covered: int


def record(world: Any, controller: Any, key: np.ndarray) -> Paths:
    """One episode of a navigation world of a single lane, as a controller (or the player of a trained team) plays it.

    Args:
        world: navigation world with `num_envs=1`.
        controller: has `reset(world)` and `act(world)`.
        key: (1,) uint64 episode key; equal keys give equal starts to every controller.
    """
    world.reset(key)
    controller.reset(world)
    positions, earned, over, info = [world.positions[0]], 0.0, False, {}
    while not over:
        _, reward, terminated, truncated, info = world.step(controller.act(world))
        positions.append(world.positions[0])
        earned += float(reward[0].mean())
        over = bool(terminated[0] or truncated[0])
    places = world.targets().shape[1]
    covered = round(float(info["final_coverage"][0]) * places)
    return Paths(np.stack(positions), world.landmarks[0], world.radius, world.half_width, earned, places, covered)


def trajectories(recorded: Mapping[str, Paths]) -> Drawing:
    """Paths of the same start under several controllers or teams, a panel each; names may be those of `LOOKS`."""
    columns = min(len(recorded), 4 if len(recorded) == 4 else 3) or 1
    rows = -(-len(recorded) // columns) or 1
    figure, axes = theme.figure(rows, columns, height=rows * (0.62 + 6.8 / columns), sharey=True, squeeze=False)
    reach = _reach(list(recorded.values()))
    for ax in axes.flat[len(recorded) :]:
        ax.axis("off")
    for ax, (name, paths) in zip(axes.flat, recorded.items(), strict=False):
        _paths(ax, paths)
        ax.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=(-1, 0, 1), yticks=(-1, 0, 1), aspect="equal")
        ax.set_title(LOOKS[name].label if name in LOOKS else name, fontsize=9.0)
        earned = f"{paths.earned:.1f}".replace("-", "\u2212")
        ax.set_xlabel(f"return {earned}, covered {paths.covered} of {paths.places}", fontsize=labels.SIZE)
    caption = (
        "The same start under several controllers: paths grow bold with time from the small rings, crosses are "
        "landmarks, discs the agents at the end, to scale; lengths in arena units, return per agent"
    )
    return Drawing(figure, gathered([_numbers(name, paths) for name, paths in recorded.items()]), EMPTY, caption)


def _reach(recorded: Sequence[Paths]) -> float:
    """Half the side of all panels: the square of starts, and all agents wherever they went."""
    ends = [np.abs(paths.positions).max() + paths.radius.max() for paths in recorded]
    return 1.04 * max([1.0, *(paths.half_width for paths in recorded), *ends])


def _paths(ax: Axes, paths: Paths) -> None:
    steps = len(paths.positions) - 1
    widths = np.linspace(THIN, BOLD, max(steps, 1))
    ax.plot(*paths.landmarks.T, "x", ms=7.5, mew=2.0, color=theme.INK, zorder=4)
    for agent, shade in zip(range(len(paths.radius)), _shades(len(paths.radius)), strict=True):
        path = paths.positions[:, agent]
        pieces = np.stack([path[:-1], path[1:]], axis=1)
        ax.add_collection(LineCollection(list(pieces), linewidths=widths, colors=shade, capstyle="round", zorder=3))
        ax.plot(*path[0], "o", ms=4.5, mfc="white", mec=shade, mew=1.2, zorder=3.5)
        ax.add_patch(Circle(tuple(path[-1]), paths.radius[agent], fc=shade, ec=shade, alpha=0.3, lw=0, zorder=2))
        ax.add_patch(Circle(tuple(path[-1]), paths.radius[agent], fc="none", ec=shade, lw=1.0, zorder=2.5))


def _shades(agents: int) -> list[str]:
    return [theme.ZONES[agent % len(theme.ZONES)] for agent in range(agents)]


def _numbers(name: str, paths: Paths) -> pandas.DataFrame:
    """Positions of agents by step, and those of landmarks, which have step 0."""
    step, agent = np.indices(paths.positions.shape[:2])
    moved = pandas.DataFrame({"method": name, "what": "agent", "number": agent.ravel() + 1, "step": step.ravel(),
                              "x": paths.positions[..., 0].ravel(), "y": paths.positions[..., 1].ravel()})  # fmt: skip
    marks = pandas.DataFrame({"method": name, "what": "landmark", "number": np.arange(len(paths.landmarks)) + 1,
                              "step": 0, "x": paths.landmarks[:, 0], "y": paths.landmarks[:, 1]})  # fmt: skip
    return pandas.concat([moved, marks], ignore_index=True)


def returns(table: pandas.DataFrame) -> Drawing:
    """Scripted controllers with 2, 3 and 4 agents: normalised score above, return below. Experiment: scripted."""
    arms = arms_like(table, "scripted", r"(\d+) agents, (.+)")
    sizes = sorted({int(agents) for agents, _ in arms.values()})
    names = [name for name in CONTROLLERS if name in {name for _, name in arms.values()}]
    columns = max(len(sizes), 1)
    figure, axes = theme.figure(2, columns, height=1.5 + 0.5 * max(len(names), 3), sharex="row", sharey=True,
                                squeeze=False)  # fmt: skip
    frames = []
    for column, agents in enumerate(sizes):
        axes[0, column].set_title(f"{agents} agents")
        for ax, metric, words in zip(axes[:, column], ("score", "return"), (SCORE, RETURN), strict=True):
            wanted = {name: ("scripted", f"{agents} agents, {name}") for name in names}
            frames += _scores(ax, rows_of(table, wanted, metric), names, words, agents=agents, metric=metric)
    used = used_rows(table, [("scripted", arm) for arm in arms], ["score", "return"])
    caption = (
        "Scripted controllers on the same test episodes: the normalised score is 0 for random play and 1 for the "
        "dynamic Hungarian controller, seed by seed; doing nothing and random play set the floor"
    )
    return Drawing(figure, gathered(frames), used, caption)


def _scores(
    ax: Axes, rows: Mapping[str, tuple], names: Sequence[str], words: str, **more: Any
) -> list[pandas.DataFrame]:
    """Dots and intervals with one row per name, whether it has run here or not; returns the plotted numbers."""
    every = {name: rows.get(name, (np.empty(0), None)) for name in names}
    curves.dots_and_intervals(ax, every, xlabel=words, looks=LOOKS)
    return numbers_of(rows, **more)


def numbers_of(rows: Mapping[str, tuple], **more: Any) -> list[pandas.DataFrame]:
    """The plotted numbers of rows (values, estimate): a line per seed, with the mean and its interval."""
    return [pandas.DataFrame({**more, "arm": name, "value": values, "middle": values.mean(),
                              "low": found.low if found else np.nan, "high": found.high if found else np.nan,
                              "n": len(values)}) for name, (values, found) in rows.items()]  # fmt: skip
