"""Pictures of trained teams that meet a sudden change: how scores recover, and what responses are worth."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from replication.drawing import Curves, Drawing, Place, rng, seeds_of, used_rows
from replication.drawing_lines import Lines, arms_like, draw_lines, frame_of, gathered
from replication.papers.optimal_transport.arms_adaptation import ALIGNED, OTHERS, RESPONSES
from replication.papers.optimal_transport.figures import SCORE
from replication.papers.optimal_transport.figures_paired import (
    differences,
    draw_interval,
    estimates,
    ladder,
    panels,
    row_numbers,
    rungs,
    write_beside,
)
from replication.plotting import theme
from replication.plotting.theme import DASH, DASHDOT, DOT, Look
from replication.stats import intervals

EXPERIMENT = "adaptation"
CHANGES = {  # as labels say it -> as pictures say it
    "partner": "Another partner",
    "drift": "Drift to another partner",
    "mirrored": "Mirrored partner",
    "random": "Random partner",
    "no operation": "Partner stands still",
    "damping": "More damping",
    "weak": "Weaker pushes",
    "nothing": "Nothing",
}
LOOKS = {
    "none": Look("none", theme.colour("no alignment")),
    "higher rate": Look("higher rate", "#e69f00", DASH),
    "rate up with distance": Look("rate up with distance", "#0072b2"),
    "rate down with distance": Look("rate down with distance", "#a3c1f7"),
    "known time": Look("known time", "#111111", DASHDOT),
    "reset optimiser": Look("reset optimiser", "#d55e00", DOT),
    "rate up with mean discrepancy": Look("up with mean discrepancy", "#009e73", DASH),
    "rate up with Gaussian divergence": Look("up with Gaussian divergence", "#ddcc77", DASHDOT),
    "rate up with Page-Hinkley": Look("up with Page-Hinkley", "#8c5a2b", DOT),
    "rate up with moving distance": Look("up with moving distance", "#4d0e47", DASH),
    "aligned to the past": Look("aligned to the past", "#aa3377"),
    "aligned anew": Look("aligned anew", "#56b4e9"),
    "aligned no more": Look("aligned no more", "#999933", DASH),
}
PARTS: dict[str, tuple[str, ...]] = {  # what follows the name of a change -> responses drawn together
    "": tuple(RESPONSES),
    ", other signals": ("rate up with distance", *OTHERS),
    ", aligned teams": ALIGNED,
}
NO_MOMENT = ("drift", "nothing")  # there is no drop to make up
COLUMNS = 3
WORTH = {  # metric -> title of its panel, and which side is good
    "regret": ("Regret", "← better"),
    "recovered_after": ("Recovered after", "← sooner [updates]"),
}


def arms_after(table: pandas.DataFrame) -> dict[str, dict[str, Place]]:
    """Change -> response -> place, for what has run, in the order of pictures."""
    ran = arms_like(table, EXPERIMENT, "(.+), (.+)")
    found = {change: {response: (EXPERIMENT, arm) for response in LOOKS for arm, pair in ran.items()
                      if pair == (change, response)} for change in CHANGES}  # fmt: skip
    return {change: responses for change, responses in found.items() if responses}


def recovery(table: pandas.DataFrame, found: Curves) -> Drawing:
    """Validation score over the updates since the change, a panel per change. Experiment: adaptation."""
    shown = _panels(arms_after(table), found)
    figure, axes = panels(len(shown), COLUMNS, pitch=1.95)
    frames = []
    drawn: dict[str, Artist] = {}
    for number, (ax, (title, arms)) in enumerate(zip(axes, shown.items(), strict=False)):
        lines: Lines = {}
        for name, (_, arm) in arms.items():
            one = found[EXPERIMENT][arm]
            band = intervals.band(np.asarray(one["evaluated_score"]), rng=rng())
            lines[name] = np.asarray(one["_evaluated_at"], float), band
        draw_lines(ax, lines, xlabel="updates since the change" if number + COLUMNS >= len(shown) else "",
                   ylabel=SCORE if number % COLUMNS == 0 else "", looks=LOOKS, scales=("linear", "linear"),
                   points=False, names="none")  # fmt: skip
        before = seeds_of(table, *next(iter(arms.values())), "before")
        if len(before):
            ax.axhline(before.mean(), color=theme.INK, ls=DOT, lw=0.9, zorder=1.5)
        ax.set_title(title, fontsize=9.0)
        drawn |= dict(zip(*ax.get_legend_handles_labels()[::-1], strict=True))
        frames += frame_of(lines, panel=title)
    if drawn:
        figure.legend(drawn.values(), drawn, loc="outside lower center", ncols=4, labelcolor="linecolor", fontsize=7.5)
    used = used_rows(table, [place for arms in shown.values() for place in arms.values()], ["before", "regret"])
    caption = (
        "Validation score of trained teams after a sudden change, whose other members learn on; the first point is "
        "right after it, dotted is the test score before it"
    )
    return Drawing(figure, gathered(frames), used, caption)


def _panels(arms: Mapping[str, Mapping[str, Place]], found: Curves) -> dict[str, dict[str, Place]]:
    """Title -> response -> place of the arms with curves; more than the usual responses get panels of their own."""
    ran = {arm for arm, one in found.get(EXPERIMENT, {}).items() if "evaluated_score" in one}
    shown = {CHANGES[change] + words: {name: responses[name] for name in part
                                       if name in responses and responses[name][1] in ran}
             for change, responses in arms.items() for words, part in PARTS.items()
             if not words or (set(part) - set(RESPONSES)) & set(responses)}  # fmt: skip
    return {title: part for title, part in shown.items() if part}


def responses(table: pandas.DataFrame) -> Drawing:
    """Regret, time to recover, and regret against that without a response, by change. Experiment: adaptation."""
    arms = arms_after(table)
    values = {metric: {change: {name: seeds_of(table, *place, metric) for name, place in places.items()}
                       for change, places in arms.items()} for metric in WORTH}  # fmt: skip
    values["recovered_after"] = {change: rows for change, rows in values["recovered_after"].items()
                                 if change not in NO_MOMENT}  # fmt: skip
    values["saved"] = {change: _against_none(table, places) for change, places in arms.items()}
    groups: dict[str, Sequence[str]] = {CHANGES[change]: list(places) for change, places in arms.items()}
    figure, axes = ladder(groups, 3, looks=LOOKS, pitch=0.165)
    frames = []
    for ax, (metric, found) in zip(axes, values.items(), strict=True):
        title, side = WORTH.get(metric, ("Regret, minus none's", "← better"))
        ax.set(title=title, xlabel=side)
        for change, rows in found.items():
            ends = estimates(rows)
            for name, seeds in rows.items():
                height = rungs(groups)[CHANGES[change], name]
                _seeds(ax, seeds, height, LOOKS[name])
                draw_interval(ax, ends.get(name), height, LOOKS[name])
            frames += row_numbers(ends, change=change, metric=metric)
    axes[2].axvline(0.0, color=theme.INK, lw=0.8, zorder=1.5)
    write_beside(axes[2], groups, _recovered(table, arms), "recovered")
    used = used_rows(table, [place for places in arms.values() for place in places.values()], [*WORTH, "recovered"])
    caption = (
        "Regret: what is missing to the score before the change, mean over the updates since. Recovered: 90 % of the "
        "drop made up at a look; seeds that never are count all updates. Right: regret minus that of the same seed "
        "without a response. Dots are seeds"
    )
    return Drawing(figure, gathered(frames), used, caption)


def _against_none(table: pandas.DataFrame, places: Mapping[str, Place]) -> dict[str, np.ndarray]:
    """Response -> (S,) regret minus that of the same team without a response; aligned teams are other teams."""
    plain = {name: place for name, place in places.items() if name not in ("none", *ALIGNED)}
    if "none" not in places:
        return {}
    return {name: differences(table, place, places["none"], "regret") for name, place in plain.items()}


def _seeds(ax: Axes, values: np.ndarray, height: float, look: Look) -> None:
    ax.plot(values, np.full(len(values), height), "o", ms=2.6, mfc=look.colour, mec="none", alpha=0.35, zorder=2)


def _recovered(table: pandas.DataFrame, arms: Mapping[str, Mapping[str, Place]]) -> dict[tuple[str, str], str]:
    """How many seeds recovered, for each row."""
    found = {(CHANGES[change], name): seeds_of(table, *place, "recovered") for change, places in arms.items()
             for name, place in places.items() if change not in NO_MOMENT}  # fmt: skip
    return {row: f"{values.sum():.0f} of {len(values)}" for row, values in found.items() if len(values)}
