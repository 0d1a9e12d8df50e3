"""Pictures of transport: plans between agents and targets, and Wasserstein distances beside other divergences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas
from matplotlib.axes import Axes

from replication.algos.allocation import by_transport
from replication.algos.transport_plans import assignment, ground_cost, plan
from replication.algos.transport_settings import TransportSettings
from replication.drawing import Curves, Drawing, estimate, seeds_of, used_rows
from replication.drawing_lines import EMPTY, Lines, arms_like, draw_lines, frame_of, gathered, line
from replication.papers.optimal_transport.figures import LOOKS, numbers_of
from replication.papers.optimal_transport.plans_comparison import WIDTH
from replication.plotting import curves, labels, theme
from replication.seeding import stream
from replication.settings import BadInput
from replication.stats.intervals import Band

ENTROPIES = (0.01, 0.1)  # of the median distance
SHORT = 1.5  # demand over supply where supply is scarce
WIDEST, LARGEST = 6.5, 150.0  # line [points] and area [points^2] of the largest mass of a panel
SEEN = 0.01  # least share of the largest mass that is drawn
METRICS = ("euclidean", "star", "equal", "variation")


# ---- plans -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Layout:
    """Agents on the left (n, 2), targets on the right (n, 2), and their whole units: supply (n,), demand (n,)."""

    agents: np.ndarray
    targets: np.ndarray
    supply: np.ndarray
    demand: np.ndarray


def layout(seed: int, count: int = 6) -> Layout:
    """`count` agents and targets at random heights and depths; every demand at least 1, in all as much as there is."""
    rng = stream("layout of a transport plan", seed)
    height = (np.stack([rng.permutation(count) for _ in range(2)]) + rng.uniform(0.2, 0.8, (2, count))) / count
    depth = rng.uniform(0.0, 0.35, (2, count)) + np.array([[0.0], [0.85]])
    agents, targets = np.stack([depth, height], axis=2)
    supply = rng.integers(1, 4, count, endpoint=True)
    demand = 1 + rng.multinomial(supply.sum() - count, np.full(count, 1.0 / count))
    return Layout(agents, targets, supply, demand)


def plans(place: Layout) -> Drawing:
    """Six plans of one layout: equal masses, exact and blurred by entropy; unequal masses; too little supply."""
    if place.agents.shape != place.targets.shape:
        raise BadInput(f"equal masses need as many targets as agents, got {len(place.agents)} and {len(place.targets)}")
    figure, axes = theme.figure(2, 3, height=5.4, sharex=True, sharey=True)
    frames = []
    for ax, (name, found, a, b) in zip(axes.flat, _six(place), strict=True):
        _draw_plan(ax, place, found, a, b)
        ax.set_title(name, fontsize=9.0)
        ax.set_xlabel(_reading(place, name, found, a, b), fontsize=labels.SIZE)
        agent, target = np.nonzero(found > 1e-9)
        frames.append(pandas.DataFrame({"plan": name, "agent": agent + 1, "target": target + 1,
                                        "mass": found[agent, target]}))  # fmt: skip
    caption = (
        "Transport plans from agents (discs) to targets (squares): the width of a line is the mass that moves, areas "
        "are supplies and demands, hollow what does not move; entropy as a share of the median distance"
    )
    return Drawing(figure, gathered(frames), EMPTY, caption)


def _six(place: Layout) -> list[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """Title, plan (n, n), supply and demand of every panel."""
    cost, even = ground_cost(place.agents, place.targets, 1), np.ones(len(place.agents))
    soft = [TransportSettings(method="sinkhorn", regularisation=entropy) for entropy in ENTROPIES]
    priced = TransportSettings(method="unbalanced", regularisation=ENTROPIES[0])
    supply, demand = place.supply.astype(float), place.demand.astype(float)
    more = np.ceil(SHORT * demand)
    return [
        ("Equal masses", plan(cost, even, even).matrix, even, even),
        *((f"Equal masses, entropy {one.regularisation:g}", plan(cost, even, even, one).matrix, even, even)
          for one in soft),
        ("Unequal masses", plan(cost, supply, demand).matrix, supply, demand),
        ("Scarce: cheapest part", by_transport(cost, place.supply, more.astype(int)), supply, more),
        ("Scarce: priced marginals", plan(cost, supply, more, priced).matrix, supply, more),
    ]  # fmt: skip


def _reading(place: Layout, name: str, found: np.ndarray, a: np.ndarray, b: np.ndarray) -> str:
    """One line of what a plan is: its mean distance, and whom it pairs or how much demand it meets."""
    cost = ground_cost(place.agents, place.targets, 1)
    words = f"{(found * cost).sum() / found.sum():.3f} per unit, "
    pairs = found > SEEN * found.max()
    if name == "Equal masses":
        same = pairs[np.arange(len(found)), assignment(cost)] & (pairs.sum(axis=1) == 1)
        return words + f"{same.sum()} of {len(found)} as assigned"
    if b.sum() > a.sum() + 1e-9:
        return words + f"{round(found.sum(), 1):g} of {b.sum():g} met"
    return words + f"{pairs.sum()} pairs"


def _draw_plan(ax: Axes, place: Layout, found: np.ndarray, a: np.ndarray, b: np.ndarray) -> None:
    shades = [theme.ZONES[agent % len(theme.ZONES)] for agent in range(len(a))]
    unit = max(a.max(), b.max())
    for agent, target in zip(*np.nonzero(found > SEEN * unit), strict=True):
        ends = np.stack([place.agents[agent], place.targets[target]])
        ax.plot(*ends.T, color=shades[agent], lw=WIDEST * found[agent, target] / unit, alpha=0.75, zorder=2,
                solid_capstyle="butt")  # fmt: skip
    sides = (
        (place.agents, a, found.sum(axis=1), "o", shades),
        (place.targets, b, found.sum(axis=0), "s", [theme.INK]),
    )
    for points, masses, moved, marker, colours in sides:
        area, filled = (LARGEST * part / unit for part in (masses, np.minimum(moved, masses)))
        ax.scatter(points[:, 0], points[:, 1], s=area, marker=marker, fc="white", ec=colours, lw=1.0, zorder=3)
        ax.scatter(points[:, 0], points[:, 1], s=filled, marker=marker, fc=colours, ec="none", zorder=3.5)
    ax.set(xlim=(-0.1, 1.3), ylim=(-0.04, 1.04), xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    ax.grid(False)


# ---- Wasserstein against other divergences -----------------------------------------------------------------------


def distances(table: pandas.DataFrame, found: Curves) -> Drawing:
    """Wasserstein and other divergences on pairs of policies whose distance is known. Experiment: comparison."""
    figure, axes = theme.figure(2, 2, height=5.6)
    seen = found.get("comparison", {})
    sure, apart = seen.get("shifted gaussians", {}), seen.get("disjoint supports", {})
    frames = []
    looks = LOOKS | {"transport": replace(LOOKS["transport"], label="squared W₂")}
    for ax, what, words in zip(axes[0], ("value", "gradient"), ("value", "gradient in the mean"), strict=True):
        lines = {name: (np.asarray(sure["_deviation"]), _curve(sure[f"_{name}_{what}"]))
                 for name in ("divergence", "transport") if f"_{name}_{what}" in sure}  # fmt: skip
        ax.set_title(f"Means 1 apart: {words}", fontsize=9.0)
        draw_lines(ax, lines, xlabel="deviation of both", ylabel=words, looks=looks, scales=("log", "log"),
                   ticks=(1.0, 0.3, 0.1, 0.03),
                   names="legend" if lines else "none")  # fmt: skip
        ax.invert_xaxis()
        frames += frame_of(lines, panel=what)
    frames += _disjoint(axes[1, 0], apart) + _moves(axes[1, 1], table)
    used = used_rows(table, [("comparison", arm) for arm in ("shifted gaussians", "disjoint supports", "moves")],
                     sorted(set(table["metric"])))  # fmt: skip
    caption = (
        "Known pairs of policies. Above: Gaussians of equal deviation, squared W₂ and Jeffreys divergence. Below: "
        "uniform policies moved apart, over the value where they first do not overlap (1e-6 added to every bin for the "
        "divergence); and how much farther the move right is from left than none is, by the ground metric"
    )
    return Drawing(figure, gathered(frames), used[used["seed"] == used["seed"].min()], caption)


def _curve(values: np.ndarray) -> Band:
    """What was computed, not drawn: no interval."""
    return Band(np.asarray(values), np.asarray(values), np.asarray(values), 1)


def _disjoint(ax: Axes, apart: Mapping[str, np.ndarray]) -> list[pandas.DataFrame]:
    ax.set_title("Uniform policies, moved apart", fontsize=9.0)
    lines: Lines = {}
    for name in ("transport", "variation", "divergence"):  # dashes on top
        if f"_{name}" in apart:
            shift, values = np.asarray(apart["_shift"]), np.asarray(apart[f"_{name}"])
            lines[name] = shift, _curve(values / values[np.flatnonzero(shift >= WIDTH)[0]])
    looks = LOOKS | {"transport": replace(LOOKS["transport"], label="W₁")}
    draw_lines(ax, lines, xlabel="shift, in widths", ylabel=f"value / value at {WIDTH:g}", looks=looks,
               scales=("linear", "linear"), names="legend" if lines else "none")  # fmt: skip
    ax.set(xlim=0.0, ylim=0.0)
    return frame_of(lines, panel="overlap")


def _moves(ax: Axes, table: pandas.DataFrame) -> list[pandas.DataFrame]:
    """One row per ground metric; equal for all seeds, so one dot."""
    values = {name: seeds_of(table, "comparison", "moves", f"{name}_ratio")[:1] for name in METRICS}
    rows = {name: (one, None) for name, one in values.items() if len(one)}
    ax.set_title("Sure moves: left, right, none", fontsize=9.0)
    curves.dots_and_intervals(ax, rows, xlabel="left to right / left to none", looks=LOOKS)
    ax.set_xlim(0.0, 2.4)
    return [pandas.DataFrame({"panel": "moves", "line": name, "middle": one}) for name, (one, _) in rows.items()]


def consequences(table: pandas.DataFrame) -> Drawing:
    """Which distance between policies says how far apart they bring an agent. Experiment: consequences."""
    arms = {float(value): arm for arm, (value,) in arms_like(table, "consequences", r"concentration (\S+)").items()}
    figure, axes = theme.figure(1, max(len(arms), 1), height=2.6, sharex=True, sharey=True, squeeze=False)
    frames, metrics = [], ("euclidean", "star", "variation", "divergence")
    for ax, value in zip(axes[0], sorted(arms), strict=False):
        values = {metric: seeds_of(table, "consequences", arms[value], metric) for metric in metrics}
        rows = {metric: (one, estimate(one)) for metric, one in values.items() if len(one)}
        curves.dots_and_intervals(ax, rows, xlabel="rank correlation", looks=LOOKS)
        ax.set_title(f"Dirichlet {value:g}", fontsize=9.0)
        frames += numbers_of(rows, concentration=value)
    used = used_rows(table, [("consequences", arm) for arm in arms.values()], metrics)
    caption = (
        "Rank correlation, over pairs of random policies on the five moves, of the distance between policies with how "
        "far apart (W₂) they bring an agent; the smaller the Dirichlet parameter, the surer the policies"
    )
    return Drawing(figure, gathered(frames), used, caption)


def null(table: pandas.DataFrame) -> Drawing:
    """What sampling alone makes of equal distributions, over the dimension. Experiment: null."""
    arms = arms_like(table, "null", r"(.+), (\d+) features, (\d+) samples")
    sizes = sorted({int(samples) for _, _, samples in arms.values()})
    figure, axes = theme.figure(2, max(len(sizes), 1), height=5.2, sharex=True, sharey="row", squeeze=False)
    frames = []
    for column, size in enumerate(sizes):
        axes[0, column].set_title(f"{size} points a sample")
        for ax, metric, words in zip(axes[:, column], ("share", "signal"), NULL, strict=True):
            lines = _over_features(table, arms, size, metric)
            ticks = sorted({x for at, _ in lines.values() for x in at})
            draw_lines(ax, lines, xlabel="features" if metric == "signal" else "", ylabel="" if column else words,
                       looks=SAMPLES, scales=("log", "linear" if metric == "share" else "log"), ticks=ticks,
                       names="end" if column + 1 == len(sizes) else "none")  # fmt: skip
            frames += frame_of(lines, samples=size, metric=metric)
    for ax in axes[0]:
        ax.set_ylim(0.0, 1.03)
    used = used_rows(table, [("null", arm) for arm in arms], ["share", "signal"])
    caption = (
        "Two samples of one standard normal law, and one of it and one shifted by 1 in one feature. Above: how much of "
        "the shifted distance is there without a shift. Below: what the shift adds, in deviations of the distance "
        "without it"
    )
    return Drawing(figure, gathered(frames), used, caption)


NULL = ("distance without shift / with", "effect of the shift [deviations]")
SAMPLES = LOOKS | {"gaussian divergence": replace(LOOKS["divergence"], label="Jeffreys, Gaussian")}


def _over_features(table: pandas.DataFrame, arms: Mapping[str, Sequence[str]], size: int, metric: str) -> Lines:
    """Lines over the number of features, one per distance, for one size of samples."""
    by_name: dict[str, dict[float, np.ndarray]] = {}
    for arm, (name, features, samples) in arms.items():
        if int(samples) == size:
            by_name.setdefault(name, {})[float(features)] = seeds_of(table, "null", arm, metric)
    found = {name: line(dict(sorted(points.items()))) for name, points in by_name.items()}
    return {name: one for name in SAMPLES if (one := found.get(name))}
