"""Pictures of alignment where everything is exact: what it costs at the optimum, and how soon training gets there."""

import re
from collections.abc import Mapping

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from replication.drawing import Curves, Drawing, rng, seeds_of, used_rows
from replication.drawing_lines import Lines, arms_like, draw_lines, few_ticks, frame_of, gathered, line
from replication.papers.optimal_transport.arms_plans import GOALS, STEPS
from replication.papers.optimal_transport.figures import LOOKS
from replication.plotting import theme
from replication.plotting.theme import DASH, DOT, Look
from replication.stats import intervals

DIVERGENCES = {"transport": "W₁ between occupancies", "jeffreys": "Jeffreys divergence"}
WANTED = {
    "same goals": Look("same goals", "#e69f00"),
    "half different goals": Look("half different", "#0072b2", marker="s"),
    "different goals": Look("different goals", "#41197f", marker="^"),
    "reward": Look("reward", "#2fb472", DASH, "D"),
    "entropy": Look("entropy", "#970859", DOT, "X"),
}
SUMS = {"loss": ("loss at the optimum [%]", 100.0), "apart": ("agents apart (mean W₁)", 1.0)}
TRAINED = (*GOALS, "changed goals")
SHARED = Look("shared logits", LOOKS["sharing"].colour, "-")
TOWARDS = {  # dashes of what alignment is to
    "": Look("each other, transport", theme.INK, "-"),
    "jeffreys": Look("each other, Jeffreys", theme.INK, DASH),
    "own past": Look("own past, transport", theme.INK, DOT),
}
FLOOR = 1e-3  # least share of the range that is drawn


def alignment_optimum(table: pandas.DataFrame) -> Drawing:
    """What alignment takes from the team at the optimum, over its price, by what is wanted. Experiment: voter_optimum.

    No interval: optima are exact.
    """
    arms = arms_like(table, "voter_optimum", r"(.+), (transport|jeffreys), beta (\S+)")
    figure, axes = theme.figure(2, 2, height=5.4, sharex=True, sharey="row")
    frames = []
    for column, (divergence, title) in enumerate(DIVERGENCES.items()):
        axes[0, column].set_title(title, fontsize=9.0)
        for ax, (metric, (words, factor)) in zip(axes[:, column], SUMS.items(), strict=True):
            lines = _over_price(table, arms, divergence, metric, factor)
            draw_lines(ax, lines, xlabel="price β" if metric == "apart" else "", ylabel="" if column else words,
                       looks=WANTED, scales=("linear", "linear"), names="none")  # fmt: skip
            _price_axis(ax, {x for at, _ in lines.values() for x in at})
            frames += frame_of(lines, divergence=divergence, metric=metric)
    _name(figure, {goal: WANTED[goal] for goal in GOALS if goal in {goal for goal, _, _ in arms.values()}})
    used = used_rows(table, [("voter_optimum", arm) for arm in arms], list(SUMS))
    caption = (
        "Exact optimum of a network of voters whose occupancies are drawn together at a price: the team utility given "
        "up, as a share of the range from never acting to the team's own optimum, and how far apart agents still are"
    )
    return Drawing(figure, gathered(frames), used[used["seed"] == used["seed"].min()], caption)


def _over_price(
    table: pandas.DataFrame, arms: Mapping[str, tuple[str, ...]], divergence: str, metric: str, factor: float
) -> Lines:
    """Lines over the price, one per goal."""
    by_goal: dict[str, dict[float, np.ndarray]] = {}
    for arm, (goal, kind, price) in arms.items():
        if kind == divergence:
            by_goal.setdefault(goal, {})[float(price)] = factor * seeds_of(table, "voter_optimum", arm, metric)[:1]
    found = {goal: line(dict(sorted(points.items()))) for goal, points in by_goal.items()}
    return {goal: one for goal in WANTED if (one := found.get(goal))}


def _price_axis(ax: Axes, prices: set[float]) -> None:
    """Logarithmic from the smallest price on, with 0 left of it."""
    positive = sorted(prices - {0.0})
    if not positive:
        return
    ax.set_xscale("symlog", linthresh=positive[0], linscale=0.5)
    ticks = sorted(prices)
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlim(-0.4 * positive[0], 1.3 * positive[-1])


def _name(figure: Figure, looks: Mapping[str, Look]) -> None:
    """A legend below the picture."""
    marks = [Line2D([], [], color=look.colour, ls=look.dash, marker=look.marker if look.marker != "o" else "", ms=4,
                    label=look.label) for look in looks.values()]  # fmt: skip
    if marks:
        figure.legend(handles=marks, loc="outside lower center", ncols=5, handlelength=2.6)


# ---- training ----------------------------------------------------------------------------------------------------


def alignment_training(table: pandas.DataFrame, found: Curves) -> Drawing:
    """How soon exact training is near the team's own optimum, by the price of alignment. Experiment: voter_training."""
    shown = found.get("voter_training", {})
    arms = {arm: _parts(arm) for arm in shown if "left" in shown[arm]}
    goals = [goal for goal in TRAINED if any(part[0] == goal for part in arms.values())]
    prices = sorted({price for _, _, _, price in arms.values() if price is not None})
    looks = dict(zip(prices, theme.shades(len(prices)), strict=True))
    figure, axes = theme.figure(max(len(goals), 1), len(STEPS), height=1.1 + 1.9 * max(len(goals), 1), sharex=True,
                                sharey="row", squeeze=False)  # fmt: skip
    frames = []
    for row, goal in zip(axes, goals, strict=False):
        lowest = 1.0
        for ax, step in zip(row, STEPS, strict=True):
            here = {arm: part for arm, part in arms.items() if part[:2] == (goal, step)}
            lines = {arm: (np.asarray(shown[arm]["_iteration"], float), _band(shown[arm]["left"])) for arm in here}
            _fall(ax, lines, {arm: _look(part, looks) for arm, part in here.items()})
            ax.set_title(f"{goal}, {step} steps", fontsize=9.0)
            lowest = min([lowest, *(float(band.middle.min()) for _, band in lines.values())])
            frames += frame_of(lines, goal=goal, step=step)
        row[0].set(ylabel="range left", ylim=(max(FLOOR, 0.7 * lowest), 1.5))
        few_ticks(row[0])
    for ax in axes[-1]:
        ax.set_xlabel("iteration")
    _name(figure, _key(arms, looks))
    used = used_rows(table, [("voter_training", arm) for arm in arms], ["gap_left", "area"])
    caption = (
        "Exact policy gradient on the aligned objective, judged by the team's own utility: share left of the range "
        "from the start to its optimum; aligned to each other by transport where not said otherwise"
    )
    return Drawing(figure, gathered(frames), used, caption)


def _fall(ax: Axes, lines: Lines, looks: Mapping[str, Look]) -> None:
    """Many lines in one panel: thin, with faint bands."""
    draw_lines(ax, lines, xlabel="", ylabel="", looks=looks, names="none", points=False, scales=("linear", "log"))
    for drawn in ax.get_lines():
        drawn.set_linewidth(1.4)
    for shade in ax.collections:
        shade.set_alpha(0.1)


def _parts(arm: str) -> tuple[str, str, str, float | None]:
    """Goal, kind of step, what alignment is to (a key of `TOWARDS`), and its price, which is none for shared logits."""
    goal, step, *more = arm.split(", ")
    price = re.search(r"beta (\S+)", arm)
    kind = more[0] if more and more[0] in TOWARDS else ""
    return goal, step, kind, float(price.group(1)) if price else None


def _look(part: tuple[str, str, str, float | None], looks: Mapping[float, str]) -> Look:
    return SHARED if part[3] is None else Look("", looks[part[3]], TOWARDS[part[2]].dash)


def _key(arms: Mapping[str, tuple[str, str, str, float | None]], looks: Mapping[float, str]) -> dict[str, Look]:
    """What colours and dashes say."""
    key = {f"{price:g}": Look(f"β = {price:g}", shade) for price, shade in looks.items()}
    if any(part[3] is None for part in arms.values()):
        key["shared"] = SHARED
    kinds = {part[2] for part in arms.values()}
    return key | {kind: look for kind, look in TOWARDS.items() if kind in kinds and len(kinds) > 1}


def _band(left: np.ndarray) -> intervals.Band:
    """Mean over seeds with its interval."""
    return intervals.band(np.asarray(left), rng=rng())
