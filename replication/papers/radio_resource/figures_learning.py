"""Pictures of learning: paradigms, data, backbones and other learners, training, online curves, checkpoints, width."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from replication.drawing import Curves, Drawing, Place, by_seed, estimate, levels, rng, rows_entering, used_rows
from replication.drawing_lines import Lines, draw_lines, frame_of, gathered
from replication.papers.radio_resource.arms import online_arms, paradigm_arms, wide_arms
from replication.papers.radio_resource.figures import LOOKS as KNOWN
from replication.papers.radio_resource.figures import SCORE, SPECTRAL
from replication.papers.radio_resource.figures_paired import (
    ITLINQ,
    ORACLE,
    TO_ITLINQ,
    ratios,
)
from replication.plotting import curves, theme
from replication.plotting.theme import DOT, Look
from replication.stats import intervals

CLAIMED = 1.15  # score over that of baselines; 2501.12991, abstract
LOOKS = KNOWN | {"claimed": Look(f"claimed: {CLAIMED:g}", theme.FAINT, DOT)}
TRAINED = ("CTDE", "centralised", "independent", "CTDE, alpha 0")
LEVELS: dict[str, Place] = {"ITLinQ": ITLINQ, "oracle, top 3": ORACLE}
PARADIGMS: dict[str, Place] = {name: ("paradigms", name) for name in TRAINED}
DATA: dict[str, Place] = {
    **{f"CTDE on {tier}": ("paradigms", f"CTDE on {tier}") for tier in ("dqn-replay", "mixed", "random")},
    **{f"CTDE on {tier}": ("learners", f"CTDE on {tier}") for tier in ("sac-final", "dqn-final", "heuristic-mix")},
}
Row = tuple[Place, str]  # an arm, and what the names of its metrics start with
LEARNERS: dict[str, Row] = {
    "CTDE": (("paradigms", "CTDE"), ""),
    "DQN backbone": (("learners", "DQN backbone"), ""),
    "implicit Q-learning": (("learners", "implicit Q-learning"), ""),
    "log-sum-exp only": (("learners", "log-sum-exp only"), ""),
    "cloning": (("learners", "cloning"), ""),
    "cloning, sampled": (("learners", "cloning"), "sampled_"),
    "cloning sac-final": (("learners", "cloning sac-final"), ""),
    "cloning sac-final, sampled": (("learners", "cloning sac-final"), "sampled_"),
    "sac-final": (("behaviour", "sac-final"), ""),
    "dqn-final": (("behaviour", "dqn-final"), ""),
    **{name: (("online", name), "") for name in ("SAC", "DQN", "independent DQN")},
}
TWICE_JUDGED: dict[str, Place] = PARADIGMS | {
    name: ("learners", name) for name in ("DQN backbone", "implicit Q-learning", "log-sum-exp only", "cloning")
}
WIDE = tuple(wide_arms("full"))


def paradigms(table: pandas.DataFrame) -> Drawing:
    """Score and tail rate of paradigms and of CTDE on other data, relative to ITLinQ seed by seed."""
    rows = {name: (place, "") for name, place in (PARADIGMS | DATA).items()}
    caption = "Three paradigms on the same data, CTDE without conservatism and on other data; ratios paired by seed"
    return _relative(table, rows, ("score", "tail_rate"), caption)


def learners(table: pandas.DataFrame) -> Drawing:
    """Backbones, cloning, other learners, what collected the data, and online learners: rates and score."""
    caption = "Last policies on the test layouts, relative to ITLinQ seed by seed; n differs between arms"
    return _relative(table, LEARNERS, ("sum_rate", "tail_rate", "score"), caption)


def _relative(table: pandas.DataFrame, wanted: Mapping[str, Row], metrics: Sequence[str], caption: str) -> Drawing:
    """Dots and intervals of metrics over those of ITLinQ, one panel per metric; lines: ITLinQ, claim, oracle."""
    shown = {name: row for name, row in wanted.items() if len(_to_itlinq(table, row, "score"))}
    figure, axes = theme.figure(1, len(metrics), height=1.2 + 0.34 * max(len(shown), 4), sharey=True)
    frames = []
    for ax, metric in zip(axes, metrics, strict=True):
        rows = {name: _to_itlinq(table, row, metric) for name, row in shown.items()}
        best = _to_itlinq(table, (ORACLE, ""), metric)
        marks = {"ITLinQ": 1.0} | ({"claimed": CLAIMED} if metric == "score" else {})
        marks |= {"oracle, top 3": float(best.mean())} if len(best) else {}
        if rows:
            words = metric.replace("_", " ")
            dots = {name: (values, estimate(values)) for name, values in rows.items()}
            curves.dots_and_intervals(ax, dots, xlabel=f"{words} / ITLinQ's", references=marks, looks=LOOKS)
        frames += [pandas.DataFrame({"arm": name, "metric": metric, "value": values}) for name, values in rows.items()]
    named = [f"{prefix}{metric}" for metric in metrics for prefix in sorted({row[1] for row in wanted.values()})]
    used = rows_entering(table, [place for place, _ in shown.values()], [ITLINQ, ORACLE], named)
    return Drawing(figure, gathered(frames), used, caption)


def _to_itlinq(table: pandas.DataFrame, row: Row, metric: str) -> np.ndarray:
    """(S,) a metric of a row over that of ITLinQ, seed by seed."""
    place, prefix = row
    return ratios(table, place, ITLINQ, f"{prefix}{metric}", metric)


def training(table: pandas.DataFrame, found: Curves) -> Drawing:
    """Score on validation layouts over updates; the learner's own values, and what its reward is worth for ever."""
    figure, (left, right) = theme.figure(1, 2, height=3.7)
    ran = {name: found["paradigms"][name] for name in TRAINED if "evaluated_score" in
           found.get("paradigms", {}).get(name, {})}  # fmt: skip
    scores: Lines = {name: _looks_at(one, "evaluated_score") for name, one in ran.items()}
    values: Lines = {name: _points_of(one, "mean_q") for name, one in ran.items() if "mean_q" in one}
    worth: Lines = {name: _worth(name, one) for name, one in ran.items() if "evaluated_reward" in one}
    draw_lines(left, scores, xlabel="updates", ylabel=f"score on validation layouts [{SPECTRAL}]", looks=LOOKS,
               scales=("linear", "linear"), names="none", points=False)  # fmt: skip
    draw_lines(right, values, xlabel="updates", ylabel="discounted reward", looks=LOOKS, scales=("linear", "linear"),
               names="none", points=False)  # fmt: skip
    for name, (x, band) in worth.items():
        right.plot(x, band.middle, color=LOOKS[name].colour, ls=DOT, lw=1.2)
    left.set_title("Score")
    right.set_title("Value believed, and earned (dotted)")
    _legend_below(figure, left)
    frames = [*frame_of(scores, quantity="score"), *frame_of(values, quantity="mean Q"),
              *frame_of(worth, quantity="worth of reward")]  # fmt: skip
    used = used_rows(table, [("paradigms", name) for name in ran], ["validation_score", "mean_q", "validation_reward"])
    caption = ("Training on SAC data. Right: mean Q on the data, and the reward per TTI that the policy collects on "
               "validation layouts over one minus the discount")  # fmt: skip
    return Drawing(figure, gathered(frames), used, caption)


def _looks_at(one: Mapping[str, np.ndarray], name: str, factor: float = 1.0) -> tuple[np.ndarray, intervals.Band]:
    """A curve of the looks at validation layouts, times `factor`."""
    return np.asarray(one["_evaluated_at"], float), intervals.band(factor * np.asarray(one[name]), rng=rng())


def _points_of(one: Mapping[str, np.ndarray], name: str) -> tuple[np.ndarray, intervals.Band]:
    """A curve of the training itself."""
    steps = one["_updates"] if "_updates" in one else one["_steps"]
    return np.asarray(steps, float), intervals.band(np.asarray(one[name]), rng=rng())


def _worth(name: str, one: Mapping[str, np.ndarray]) -> tuple[np.ndarray, intervals.Band]:
    discount = paradigm_arms("full")[name].learner.discount
    return _looks_at(one, "evaluated_reward", 1.0 / (1.0 - discount))


def _legend_below(figure: Figure, ax: Axes) -> None:
    handles, names = ax.get_legend_handles_labels()
    if handles:
        figure.legend(handles, names, loc="outside lower center", ncols=4, labelcolor="linecolor", handlelength=1.8)


def online(table: pandas.DataFrame, found: Curves) -> Drawing:
    """Score on validation layouts while learning online, over the transitions of all lanes."""
    figure, ax = theme.figure(height=3.2)
    lines: Lines = {}
    for name, study in online_arms("full").items():
        one = found.get("online", {}).get(name, {})
        if "evaluated_score" in one:
            x, band = _looks_at(one, "evaluated_score")
            lines[name] = x * study.learner.envs, band
    places = [("online", name) for name in lines]
    if lines:
        played = {name: at for name, (at, _) in lines.items()}
        curves.learning_curves(ax, played, {name: band for name, (_, band) in lines.items()}, xlabel="transitions",
                               ylabel=SCORE, references=levels(table, LEVELS, places), looks=LOOKS)  # fmt: skip
    used = rows_entering(table, places, LEVELS.values(), ["score", "validation_score"])
    caption = "Online learning: score on validation layouts over transitions; levels: schedulers on test layouts"
    return Drawing(figure, gathered(frame_of(lines)), used, caption)


def checkpoints(table: pandas.DataFrame) -> Drawing:
    """Every seed's last policy beside its best by validation, and narrow networks beside wide ones."""
    last_best = {name: _pairs(table, (place, ""), (place, "best_")) for name, place in TWICE_JUDGED.items()}
    narrow_wide = {name: _pairs(table, (("paradigms", name), ""), (("wide", name), "")) for name in WIDE}
    rows = max(sum(len(pairs) > 0 for pairs in panel.values()) for panel in (last_best, narrow_wide))
    figure, axes = theme.figure(1, 2, height=1.2 + 0.42 * max(rows, 4))
    frames = [
        _paired_dots(axes[0], last_best, ("last", "best")),
        _paired_dots(axes[1], narrow_wide, ("64 wide", "256 wide")),
    ]
    axes[1].set_visible(len(frames[1]) > 0 or not len(frames[0]))  # smaller profiles have no wide networks
    places = [*TWICE_JUDGED.values(), *(("paradigms", name) for name in WIDE), *(("wide", name) for name in WIDE)]
    used = rows_entering(table, places, [ITLINQ], ["score", "best_score"])
    caption = ("Test scores. Left: last policy, and best of the looks at validation layouts. Right: networks of other "
               "width. Lines join the same seed; bars are intervals of each mean")  # fmt: skip
    return Drawing(figure, gathered([frame for frame in frames if len(frame)]), used, caption)


def _pairs(table: pandas.DataFrame, first: Row, second: Row) -> np.ndarray:
    """(S, 2) scores over that of ITLinQ for the seeds that both have."""
    columns = [by_seed(table, place, f"{prefix}score") for place, prefix in (first, second)]
    joined = pandas.concat([*columns, by_seed(table, ITLINQ, "score")], axis=1, join="inner").to_numpy(float)
    return joined[:, :2] / joined[:, 2:]


def _paired_dots(ax: Axes, panel: Mapping[str, np.ndarray], names: Sequence[str]) -> pandas.DataFrame:
    """Two lines of dots per arm, joined seed by seed, the first above; returns the dots."""
    panel = {name: pairs for name, pairs in panel.items() if len(pairs)}
    for row, (name, pairs) in enumerate(panel.items()):
        look, heights = LOOKS[name], (row - 0.18, row + 0.18)
        ax.plot(
            pairs.T, np.repeat(np.array(heights)[:, None], len(pairs), axis=1), color=look.colour, lw=0.6, alpha=0.5
        )
        for column, (height, face) in enumerate(zip(heights, (look.colour, "white"), strict=True)):
            values, found = pairs[:, column], estimate(pairs[:, column])
            ax.plot(values, np.full(len(values), height), "o", ms=3.6, mfc=face, mec=look.colour, mew=0.8, zorder=3)
            if found:
                at = height + (-0.16, 0.16)[column]
                ax.plot([found.low, found.high], [at, at], color=look.colour, lw=2.6, solid_capstyle="butt", zorder=4)
    ax.set_yticks(range(len(panel)), [LOOKS[name].label for name in panel])
    ax.set_ylim(max(len(panel), 1) - 0.45, -0.55)
    ax.grid(False, axis="y")
    ax.tick_params(axis="y", length=0)
    ax.set(xlabel=TO_ITLINQ, title=f"{names[0].capitalize()}, {names[1]} (hollow)")
    frames = [
        pandas.DataFrame({"arm": name, names[0]: pairs[:, 0], names[1]: pairs[:, 1]}) for name, pairs in panel.items()
    ]
    return gathered(frames)
