"""Pictures of detection: how well, how soon and at what false alarms a changed partner is noticed, by detector."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas
from matplotlib.axes import Axes

from replication.drawing import Curves, Drawing, rng, rows_of, used_rows
from replication.drawing_lines import Lines, arms_like, draw_lines, frame_of, gathered, line, sweep
from replication.papers.optimal_transport.arms_plans import CHANGES
from replication.papers.optimal_transport.study_plans import DetectionStudy
from replication.plotting import curves, theme
from replication.plotting.theme import DASH, DOT, Look
from replication.stats import intervals

EXPERIMENT = "detection"
LOOKS = {
    # transport between samples
    "sliced": Look("sliced W₂", "#7f95f8", marker="D"),
    "exact": Look("exact W₂", "#41197f", marker="^"),
    "gaussian": Look("Gaussian W₂", "#0072b2", marker="p"),
    "sliced on visits": Look("sliced W₂, visits", "#7f95f8", DASH, "x"),
    "sliced on observation": Look("sliced W₂, observations", "#7f95f8", DOT, "+"),
    "exact on observation": Look("exact W₂, observations", "#41197f", DOT, "+"),
    "permutation": Look("permutation test, W₁", "#56b4e9", DASH, "s"),
    # other distances between samples
    "mean discrepancy": Look("mean discrepancy", "#009e73", marker="v"),
    "gaussian divergence": Look("Gaussian KL", "#0b4824", marker="P"),
    # between frequencies of moves
    "choice distance": Look("moves, W₁", "#aa4499", marker="^"),
    "choice variation": Look("moves, total variation", "#cc6677", marker="o"),
    "choice divergence": Look("moves, KL", "#661100", marker="P"),
    # sums and shifts of one number per episode
    "model sum": Look("partner model, sum", "#e69f00", marker="h"),
    "reward shift": Look("return, shift", "#9a9a9a", marker="X"),
    "reward sum": Look("return, sum", "#333333", marker="s"),
}
DEFAULT = DetectionStudy()


def detection(table: pandas.DataFrame, found: Curves) -> Drawing:
    """ROC curves of all detectors, area under them and delay, a column per change."""
    changes = _changes(table)
    places = [(EXPERIMENT, arm) for arms in changes.values() for arm in arms.values()]
    names = _names(changes.values())
    tall = 0.3 + 0.2 * max(len(names), 4)
    figure, axes = theme.figure(3, max(len(changes), 1), height=2.4 + 2 * tall, squeeze=False, sharex="row",
                                sharey="row", height_ratios=(1.5, tall, tall))  # fmt: skip
    frames = []
    for column, (change, arms) in zip(axes.T, changes.items(), strict=False):
        roc = _roc(column[0], {name: found.get(EXPERIMENT, {}).get(arm, {}) for name, arm in arms.items()})
        before, after = change.split(" to ")
        column[0].set_title(f"{before}\n→ {after}", fontsize=8.5)
        frames += frame_of(roc, panel="roc", change=change)
        frames += _dots(column[1], table, arms, names, "area", change)
        frames += _dots(column[2], table, arms, names, "delay", change)
    for ax in axes[1]:
        ax.axvline(0.5, color=theme.FAINT, lw=0.8, ls=DOT, zorder=1.5)
    for ax, text in zip(axes[:, 0], ("false alarms", "area under the curve", "delay [episodes]"), strict=True):
        ax.set_xlabel(text, loc="left")
    axes[0, 0].set(xlim=(-0.02, 1.0), ylim=(0, 1.03), ylabel="detections", xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
    caption = (
        "A partner changes its behaviour. Top: share of changes detected over share of false alarms, in the colours of "
        f"the rows, windows of {DEFAULT.window} episodes wholly behind the change. Bottom: delay at thresholds meant "
        f"for a false alarm in {DEFAULT.false_alarms:.0%} of the windows, in episodes after the change; where there is "
        f"no alarm, the {DEFAULT.watched} episodes watched"
    )
    return Drawing(figure, gathered(frames), used_rows(table, places, ["area", "delay", "missed"]), caption)


def _changes(table: pandas.DataFrame) -> dict[str, dict[str, str]]:
    """Change -> detector -> arm, for the arms that have run with the usual window."""
    arms = {groups: arm for arm, groups in arms_like(table, EXPERIMENT, r"(.+ to [^,]+), ([^,]+)").items()}
    usual = [f"{before} to {after}".replace("_", " ") for before, after in CHANGES]
    ran = {change: {name: arms[change, name] for name in LOOKS if (change, name) in arms} for change in usual}
    return {change: found for change, found in ran.items() if found}


def _names(panels: Iterable[Mapping[str, str]]) -> list[str]:
    """Detectors that are in any of the panels: the rows that all of them have."""
    ran = {name for arms in panels for name in arms}
    return [name for name in LOOKS if name in ran]


def _roc(ax: Axes, ran: Mapping[str, Mapping[str, np.ndarray]]) -> Lines:
    """Curves of share detected over share of false alarms; returns them with their intervals, which are not drawn."""
    lines: Lines = {}
    for name, one in ran.items():
        if "detections" in one:
            rates, detections = np.asarray(one["_false_alarms"], float), np.asarray(one["detections"], float)
            kept = (np.arange(len(rates)) <= 10) | (np.arange(len(rates)) % 5 == 0)
            lines[name] = rates[kept], intervals.band(detections[:, kept], rng=rng())
            look = LOOKS[name]
            ax.plot(rates[kept], lines[name][1].middle, color=look.colour, ls=look.dash, lw=1.2, alpha=0.9)
    ax.plot([0, 1], [0, 1], color=theme.FAINT, lw=0.8, ls=DOT, zorder=1.5)
    return lines


def _dots(
    ax: Axes, table: pandas.DataFrame, arms: Mapping[str, str], names: Sequence[str], metric: str, change: str
) -> list[pandas.DataFrame]:
    """Rows of dots with intervals, empty where a detector has not run; returns their numbers."""
    ran = rows_of(table, {name: (EXPERIMENT, arm) for name, arm in arms.items()}, metric)
    if not ran:
        return []
    rows = {name: ran.get(name, (np.empty(0), None)) for name in names}
    curves.dots_and_intervals(ax, rows, xlabel="", looks=LOOKS)
    points: Lines = {name: one for name, (values, _) in ran.items() if (one := line({np.nan: values}))}
    return frame_of(points, panel=metric, change=change)


def false_alarms(table: pandas.DataFrame) -> Drawing:
    """What equal false alarms came to: windows with an alarm before the change, a panel per behaviour before it."""
    before: dict[str, dict[str, str]] = {}
    for change, arms in _changes(table).items():
        before.setdefault(change.split(" to ")[0], arms)  # the streams before the change are the same for all of them
    names = _names(before.values())
    figure, axes = theme.figure(1, max(len(before), 1), height=1.2 + 0.22 * max(len(names), 4), squeeze=False,
                                sharex=True, sharey=True)  # fmt: skip
    frames = []
    for ax, (behaviour, arms) in zip(axes[0], before.items(), strict=False):
        frames += _dots(ax, table, arms, names, "false_alarms", behaviour)
        ax.axvline(DEFAULT.false_alarms, color=theme.INK, lw=1.0, ls=DASH, zorder=1.5)
        ax.set(title=f"Before: {behaviour}", xlabel="windows with a false alarm")
    places = [(EXPERIMENT, arm) for arms in before.values() for arm in arms.values()]
    caption = (
        f"Share of windows before the change with an alarm; meant (dashed): {DEFAULT.false_alarms:.0%}. Thresholds are "
        "from other streams without change"
    )
    return Drawing(figure, gathered(frames), used_rows(table, places, ["false_alarms"]), caption)


def detection_windows(table: pandas.DataFrame) -> Drawing:
    """Area, delay and false alarms over the length of the window, a line per detector."""
    arms = _by_window(table)
    figure, axes = theme.figure(1, 3, height=3.1)
    panels = (("area", "area under the curve"), ("delay", "delay [episodes]"), ("false_alarms", "false alarms"))
    frames = []
    for ax, (metric, ylabel) in zip(axes, panels, strict=True):
        found = {name: sweep(table, EXPERIMENT, by_window, metric) for name, by_window in arms.items()}
        lines: Lines = {name: one for name, one in found.items() if one}
        ticks = sorted({x for at, _ in lines.values() for x in at})
        draw_lines(ax, lines, xlabel="window [episodes]", ylabel=ylabel, looks=LOOKS, scales=("log", "linear"),
                   names="end" if metric == "false_alarms" else "none", ticks=ticks)  # fmt: skip
        frames += frame_of(lines, panel=metric)
    axes[2].axhline(DEFAULT.false_alarms, color=theme.INK, lw=1.0, ls=DASH, zorder=1.5)
    used = used_rows(table, [(EXPERIMENT, arm) for by_window in arms.values() for arm in by_window.values()],
                     [metric for metric, _ in panels])  # fmt: skip
    caption = (
        "Greedy partner that turns random, by the length of the windows that are compared with the "
        f"{DEFAULT.reference} episodes at the start; dashed: the false alarms meant"
    )
    return Drawing(figure, gathered(frames), used, caption)


def _by_window(table: pandas.DataFrame, change: str = "greedy to random") -> dict[str, dict[float, str]]:
    """Detector -> window -> arm, for the detectors that ran with several windows."""
    found: dict[str, dict[float, str]] = {}
    for arm, (name, window) in arms_like(table, EXPERIMENT, rf"{change}, ([^,]+), window (\d+)").items():
        found.setdefault(name, {})[float(window)] = arm
    usual = _changes(table).get(change, {})
    return {name: found[name] | ({float(DEFAULT.window): usual[name]} if name in usual else {})
            for name in LOOKS if name in found}  # fmt: skip
