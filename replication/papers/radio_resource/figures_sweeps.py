"""Pictures of sweeps of the radio study: how much data and of what kind, and how conservative."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas
from matplotlib.axes import Axes

from replication.drawing import Drawing, Place, estimate, levels, rows_entering
from replication.drawing_lines import Lines, arms_like, draw_lines, frame_of, gathered, line
from replication.papers.radio_resource.arms import PARADIGMS
from replication.papers.radio_resource.figures_paired import (
    ITLINQ,
    LOOKS,
    SCORE,
    TDM,
    TO_ITLINQ,
    draw_points,
    level_lines,
    mark,
    name_right,
    ratios,
    values_at,
)
from replication.papers.radio_resource.study import ALPHA, OfflineStudy
from replication.plotting import curves, theme

CLAIMED = {20_000: "paper: as TDM", 320_000: "paper: enough"}


def size_curve(table: pandas.DataFrame) -> Drawing:
    """Score over the number of transitions, at equal updates and at equal passes; the same tier from other sources.

    Experiments: sizes, updates, sources, schedulers, behaviour.
    """
    figure, (ax, right) = theme.figure(1, 2, height=3.7, width_ratios=(3.4, 1.0), sharey=True)
    places = _by_size(table)
    sources = {
        float(seed): ("sources", arm) for arm, (seed,) in arms_like(table, "sources", r"data seed (\d+)").items()
    }
    references = {"TDM over users": TDM, "ITLinQ": ITLINQ, "behaviour": ("behaviour", "sac-final")}
    arms = [*sources.values(), *(place for line in places.values() for place in line.values())]
    found = {name: values_at(table, line, "score") for name, line in places.items()}
    lines: Lines = {name: one for name, points in found.items() if (one := line(points))}
    draw_lines(ax, lines, xlabel="transitions to learn from", ylabel=SCORE, looks=LOOKS, scales=("log", "linear"),
               names="none")  # fmt: skip
    for name, points in found.items():
        draw_points(ax, points, LOOKS[name], bars=name == "three times as long")
    at_sources = values_at(table, sources, "score")
    draw_points(right, at_sources, LOOKS["CTDE"], bars=True)
    right.set(
        xlabel="data seed", xticks=sorted(sources), xlim=(-0.6, max([*sources, 1.0]) + 0.6), title="Other sources"
    )
    _name_sizes(ax, [size for x, _ in lines.values() for size in x])
    right.set_visible(bool(at_sources))
    level = levels(table, references, arms)
    level_lines(ax, level)
    level_lines(right, level)
    for size, text in CLAIMED.items() if lines else ():
        mark(ax, size, text)
    name_right(ax, lines, level)
    frames = frame_of(lines, panel="size")
    if one := line(at_sources):
        frames += frame_of({"data seed": one}, panel="sources")
    used = rows_entering(table, arms, references.values(), ["score"])
    caption = (
        "Score of CTDE by the number of transitions it learns from, at equal updates and at equal passes over the "
        "data, and from behaviour policies of other seeds; small dots: seeds, levels: means over the same seeds"
    )
    return Drawing(figure, gathered(frames), used, caption)


def _name_sizes(ax: Axes, sizes: Iterable[float]) -> None:
    """Ticks at the sizes, 5000 as 5k."""
    ticks = sorted(set(sizes))
    ax.set_xticks(ticks, [f"{size / 1000:g}k" for size in ticks])
    ax.xaxis.minorticks_off()


def _by_size(table: pandas.DataFrame) -> dict[str, dict[float, Place]]:
    """Line -> size -> arm; equal passes end at the usual size, where they are the usual number of updates."""
    usual = float(OfflineStudy().size)
    sizes = {float(size): ("sizes", arm) for arm, (size,) in arms_like(table, "sizes", r"(\d+)").items()}
    passes = {float(size): ("updates", arm) for arm, (size,) in
              arms_like(table, "updates", r"(\d+), equal passes").items()}  # fmt: skip
    if passes and usual in sizes:
        passes[usual] = sizes[usual]
    return {"CTDE": sizes, "equal passes": passes, "three times as long": {usual: ("updates", "three times as long")}}


def quality_and_size(table: pandas.DataFrame) -> Drawing:
    """Score relative to ITLinQ by paradigm, tier and size. Experiments: quality_size, schedulers."""
    figure, axes = theme.figure(1, 3, height=2.9, sharey=True)
    arms = arms_like(table, "quality_size", r"(.+), ([\w-]+), (\d+)")
    tiers = list(dict.fromkeys(tier for _, tier, _ in arms.values()))[::-1]  # rows are drawn upwards
    sizes = sorted({int(size) for _, _, size in arms.values()})
    found = {(name, tier, int(size)): ratios(table, ("quality_size", arm)) for arm, (name, tier, size) in arms.items()}
    cells = {place: values for place, values in found.items() if len(values)}
    means = {place: float(values.mean()) for place, values in cells.items()}
    limits = (min([*means.values(), 0.99]), max([*means.values(), 1.01]))
    frames = []
    for ax, name in zip(axes, PARADIGMS, strict=True):
        ax.set(title=name[0].upper() + name[1:], xlabel="transitions")
        shown = {(tier, size): values for (paradigm, tier, size), values in cells.items() if paradigm == name}
        ax.set_visible(bool(shown))
        if shown:
            frames.append(_cells(ax, shown, tiers, sizes, limits).assign(paradigm=name))
    if frames:
        image = next(image for ax in axes for image in ax.images)
        scale = figure.colorbar(image, ax=axes, pad=0.01, fraction=0.03)
        scale.set_label(TO_ITLINQ)
        scale.outline.set_visible(False)
        scale.ax.set_ylim(*limits)
    used = rows_entering(table, [("quality_size", arm) for arm in arms], [ITLINQ], ["score"])
    caption = (
        "Score relative to ITLinQ on the same layouts by paradigm, data and their number; small print: half the "
        "width of the interval of the ratio, paired by seed"
    )
    return Drawing(figure, gathered(frames), used, caption)


def _cells(ax: Axes, shown: Mapping[tuple[str, int], np.ndarray], tiers: Sequence[str], sizes: Sequence[int],
           limits: tuple[float, float]) -> pandas.DataFrame:  # fmt: skip
    """One panel: mean ratios as colours and numbers; returns the numbers."""
    values = np.full((len(tiers), len(sizes)), np.nan)
    rows = []
    for (tier, size), seeds in shown.items():
        row, column, found = tiers.index(tier), sizes.index(size), estimate(seeds)
        values[row, column] = seeds.mean()
        low, high = (found.low, found.high) if found else (np.nan, np.nan)
        rows.append((tier, size, seeds.mean(), low, high, len(seeds)))
    curves.heat_map(ax, values, rows=range(len(tiers)), columns=range(len(sizes)), xlabel=ax.get_xlabel(), ylabel="",
                    colour_label="", centre=1.0, limits=limits, bar=False)  # fmt: skip
    reach = max(limits[1] - 1.0, 1.0 - limits[0])
    for tier, size, mean, low, high, _ in rows:
        at, strong = (sizes.index(size), tiers.index(tier)), abs(mean - 1.0) > 0.75 * reach
        ink = "white" if strong else theme.INK
        ax.annotate(f"{mean:.3f}", at, (0, 1), textcoords="offset points", ha="center", fontsize=8, color=ink)
        if np.isfinite(low):
            ax.annotate(f"± {0.5 * (high - low):.3f}", at, (0, -9), textcoords="offset points", ha="center",
                        fontsize=6.5, color=ink)  # fmt: skip
    ax.set_xticks(range(len(sizes)), [f"{size // 1000}k" for size in sizes])
    ax.set_yticks(range(len(tiers)), tiers)
    ax.tick_params(length=0)
    return pandas.DataFrame(rows, columns=["tier", "size", "middle", "low", "high", "n"])


def alpha_sweep(table: pandas.DataFrame) -> Drawing:
    """Score and overestimation over the weight of the conservative term, zero apart. Experiments: alpha, schedulers."""
    figure, axes = theme.figure(1, 2, height=3.4)
    places = {float(alpha): ("alpha", arm) for arm, (alpha,) in arms_like(table, "alpha", r"alpha (\S+)").items()}
    positive = [alpha for alpha in places if alpha > 0]
    frames = []
    for ax, metric, ylabel in zip(
        axes, ("score", "overestimation"), (SCORE, "overestimation [scaled reward]"), strict=True
    ):
        points = values_at(table, places, metric)
        one = line({alpha: values for alpha, values in points.items() if alpha > 0})
        draw_lines(ax, {"CTDE": one} if one else {}, xlabel="weight α over the summary's", ylabel=ylabel,
                   looks=LOOKS, scales=("linear", "linear"), names="none")  # fmt: skip
        draw_points(ax, points, LOOKS["CTDE"], bars=True)
        ax.set_xscale("symlog", linthresh=min(positive, default=1.0), linscale=1.0)
        ax.set_xticks(sorted(places), [f"{alpha:g}" for alpha in sorted(places)])
        ax.minorticks_off()
        mark(ax, 1.0, "summary's choice")
        whole = line(points)
        frames += frame_of({"CTDE": whole} if whole else {}, metric=metric)
    level = levels(table, {"ITLinQ": ITLINQ, "TDM over users": TDM}, places.values())
    level_lines(axes[0], level)
    name_right(axes[0], {}, level)
    axes[1].axhline(0.0, color=theme.INK, lw=0.8, zorder=1.5)
    used = rows_entering(table, places.values(), [ITLINQ, TDM], ["score", "overestimation"])
    caption = (
        f"CTDE by the weight of the conservative term, 0 apart, as a multiple of the summary's ({ALPHA:g} for rewards "
        "divided by the number of users): score, and how far the mean value lies above the discounted reward that the "
        "policy earns"
    )
    return Drawing(figure, gathered(frames), used, caption)
