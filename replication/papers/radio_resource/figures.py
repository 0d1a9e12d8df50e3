"""Pictures of the network and of what schedulers make of it: layout, schedules, scores and rewards, rates of users."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from scipy.stats import kendalltau

from replication.drawing import Curves, Drawing, Place, rng, rows_entering, rows_of, seeds_of, used_rows
from replication.drawing_lines import EMPTY, gathered, names_beside
from replication.envs.radio_worlds import parse
from replication.papers.radio_resource.evaluation import QUANTILES
from replication.papers.radio_resource.figures_paired import (
    ITLINQ,
    SCORE,
    TO_ITLINQ,
    ratios,
)
from replication.papers.radio_resource.figures_paired import LOOKS as BASE
from replication.papers.radio_resource.study import RadioStudy
from replication.plotting import curves, labels, theme
from replication.plotting.theme import DASH, DOT, Look
from replication.stats import intervals

SAC, DQN = theme.colour("sac"), theme.colour("dqn")
CLONING, OTHER_DATA, PLAIN = theme.colour("bc"), "#e8a27a", "#0b4824"
LOOKS = BASE | {
    "random": Look("random", "#8f8f8f", DOT, "+"),
    "CTDE, alpha 0": Look("CTDE, α = 0", PLAIN, DASH, "X"),
    **{f"CTDE on {tier}": Look(f"CTDE on {tier}", OTHER_DATA, DOT, marker) for tier, marker in
       zip(("dqn-replay", "mixed", "random", "sac-final", "dqn-final", "heuristic-mix"), "DsvPp^", strict=True)},
    "DQN backbone": Look("CTDE, DQN backbone", "#661100", "-", "D"),
    "log-sum-exp only": Look("log-sum-exp only", PLAIN, DOT, "p"),
    "implicit Q-learning": Look("implicit Q-learning", theme.colour("iql"), "-", "v"),
    "cloning": Look("cloning", CLONING, "-", "v"),
    "cloning, sampled": Look("cloning, sampled", CLONING, DOT, "^"),
    "cloning sac-final": Look("cloning sac-final", CLONING, "-", "v"),
    "cloning sac-final, sampled": Look("cloning sac-final, sampled", CLONING, DOT, "^"),
    "sac-final": Look("behaviour, SAC at its end", SAC, DOT, "x"),
    "dqn-final": Look("behaviour, DQN at its end", DQN, DOT, "x"),
    "SAC": Look("online SAC", SAC, "-", "P"),
    "DQN": Look("online DQN", DQN, "-", "D"),
    "independent DQN": Look("online DQN, independent", "#7f95f8", "-", "s"),
}  # fmt: skip
SCHEDULERS = ("random", "full reuse", "TDM over users", "TDM over APs", "ITLinQ", "greedy rate", "oracle, top 3",
              "oracle")  # fmt: skip
WATCHED: dict[str, Place] = {
    "TDM over users": ("schedulers", "TDM over users"),
    "ITLinQ": ("schedulers", "ITLinQ"),
    "CTDE": ("paradigms", "CTDE"),
    "centralised": ("paradigms", "centralised"),
    "oracle, top 3": ("schedulers", "oracle, top 3"),
}
RATED = {"greedy rate": ("schedulers", "greedy rate")} | WATCHED
SCATTERED: dict[str, Place] = {
    **{name: ("schedulers", name) for name in SCHEDULERS},
    **{name: ("paradigms", name) for name in ("CTDE", "centralised", "independent", "CTDE, alpha 0", "CTDE on random")},
    **{name: ("learners", name) for name in ("DQN backbone", "cloning")},
    **{name: ("online", name) for name in ("SAC", "DQN")},
}
REWARD, SPECTRAL = "reward per TTI", "b/s/Hz"
TAIL = 5.0  # % of users


def cell_layout(world: Any, lane: int = 0) -> Drawing:
    """One layout of a radio world that has been reset: who is where and served by whom, and how users are coupled."""
    places, users, serving = world.access_points[lane], world.users[lane], world.serving[lane]
    links = world.long_term_snr[lane]
    own = links[serving, np.arange(len(serving))]
    snr, sinr = 10 * np.log10(own), 10 * np.log10(own / (1.0 + links.sum(axis=0) - own))
    figure, (left, right) = theme.figure(1, 2, height=3.7, width_ratios=(1.1, 1.0))
    _map(left, places, users, serving, snr, world.settings.area)
    _coupling(right, serving, snr, sinr)
    data = pandas.DataFrame({"user": np.arange(len(users)), "x": users[:, 0], "y": users[:, 1], "access point": serving,
                             "snr_db": snr, "sinr_db": sinr})  # fmt: skip
    caption = ("One layout. Left: access points (squares), users and the lines to who serves them; larger users are "
               "received better. Right: every user's long-term SNR alone (full) and with all access points on "
               "(hollow)")  # fmt: skip
    return Drawing(figure, data, EMPTY, caption)


def _map(ax: Axes, places: np.ndarray, users: np.ndarray, serving: np.ndarray, snr: np.ndarray, area: float) -> None:
    for i, place in enumerate(places):
        shade, mine = theme.ZONES[i], np.flatnonzero(serving == i)
        for user in users[mine]:
            ax.plot(*np.stack([place, user], axis=1), color=shade, lw=0.8, alpha=0.6, zorder=1.5)
        sizes = np.interp(snr[mine], (0.0, 60.0), (8.0, 60.0))
        ax.scatter(users[mine, 0], users[mine, 1], s=sizes, color=shade, edgecolors="white", linewidths=0.5, zorder=3)
        ax.scatter(place[0], place[1], s=110, marker="s", color=shade, edgecolors=theme.INK, linewidths=1.0, zorder=4)
        ax.annotate(str(i + 1), place, ha="center", va="center_baseline", fontsize=7.5, color="white", weight="bold",
                    zorder=5)  # fmt: skip
    ax.set(xlim=(0, area), ylim=(0, area), xlabel="x [m]", ylabel="y [m]", aspect="equal", title="Who serves whom")


def _coupling(ax: Axes, serving: np.ndarray, snr: np.ndarray, sinr: np.ndarray) -> None:
    order = np.lexsort((-snr, serving))
    for row, j in enumerate(order):
        shade = theme.ZONES[serving[j]]
        ax.plot([sinr[j], snr[j]], [row, row], color=shade, lw=1.2, alpha=0.6, zorder=2)
        ax.plot([snr[j]], [row], "o", ms=4, color=shade, zorder=3)
        ax.plot([sinr[j]], [row], "o", ms=4, mfc="white", mec=shade, zorder=3)
    groups = [np.flatnonzero(serving[order] == i) for i in range(serving.max() + 1)]
    ax.set_yticks([rows.mean() for rows in groups if len(rows)],
                  [f"AP {i + 1}" for i, rows in enumerate(groups) if len(rows)])  # fmt: skip
    ax.grid(False, axis="y")
    ax.tick_params(axis="y", length=0)
    ax.invert_yaxis()
    ax.set(xlabel="long-term SNR, SINR [dB]", title="Alone, and all on (hollow)")


def schedules(table: pandas.DataFrame, found: Curves, wanted: Mapping[str, Place] = WATCHED) -> Drawing:
    """Whom every access point serves in the first TTIs of the first seed's first layout, a panel per method."""
    served = {name: np.asarray(found[e][arm]["served"][0]) for name, (e, arm) in wanted.items()
              if "served" in found.get(e, {}).get(arm, {})}  # fmt: skip
    figure, axes = theme.figure(max(len(served), 1), 1, height=0.7 + 0.92 * max(len(served), 2), sharex=True,
                                squeeze=False)  # fmt: skip
    shades = _user_colours(list(served.values()))
    frames = []
    for ax, (name, users) in zip(axes[:, 0], served.items(), strict=False):
        _raster(ax, users, shades)
        ax.set_title(LOOKS[name].label)
        ax.set_title(f"off {np.mean(users < 0):.0%}", loc="right", fontsize=labels.SIZE, weight="normal")
        tti, ap = np.indices(users.shape)
        frames.append(pandas.DataFrame({"method": name, "tti": tti.ravel() + 1, "access point": ap.ravel() + 1,
                                        "user": users.ravel()}))  # fmt: skip
    axes[-1, 0].set_xlabel("TTI")
    used = used_rows(table, [wanted[name] for name in served], ["score"])
    caption = ("One layout: colour is the access point, its shade the user served, white is off; every method meets "
               "the same users and channels")  # fmt: skip
    return Drawing(figure, gathered(frames), used[used["seed"] == used["seed"].min()], caption)


def _user_colours(served: Sequence[np.ndarray]) -> dict[int, np.ndarray]:
    """User -> colour: the hue of the access point that serves it, in a shade of its own; -1 is white."""
    shades = {-1: np.ones(3)}
    for i in range(served[0].shape[1] if served else 0):
        users = sorted({int(user) for method in served for user in np.unique(method[:, i])} - {-1})
        hue = np.array(to_rgb(theme.ZONES[i]))
        for user, light in zip(users, np.linspace(0.65, -0.55, len(users)), strict=True):
            shades[user] = hue + (1.0 - hue) * light if light > 0 else hue * (1.0 + light)
    return shades


def _raster(ax: Axes, users: np.ndarray, shades: Mapping[int, np.ndarray]) -> None:
    steps, aps = users.shape
    picture = np.array([[shades[int(user)] for user in row] for row in users.T])
    ax.imshow(picture, aspect="auto", interpolation="nearest", extent=(0.5, steps + 0.5, aps + 0.5, 0.5))
    for edge in range(1, aps):
        ax.axhline(edge + 0.5, color="white", lw=2.0)
    ax.set_yticks(range(1, aps + 1), [f"AP {i + 1}" for i in range(aps)], fontsize=7)
    ax.tick_params(axis="y", length=0)
    ax.grid(False)


def score_weights() -> tuple[float, float]:
    """Weights of sum rate and tail rate in the score of the main setting."""
    study = RadioStudy()
    share = study.environment.sum_weight
    return 1.0 / parse(study.world)[1] if share is None else share, study.environment.tail_weight


def schedulers(table: pandas.DataFrame) -> Drawing:
    """Scripted schedulers: their score and what it is made of, and the reward they collect, best score first."""
    found = rows_of(table, {name: ("schedulers", name) for name in SCHEDULERS}, "score")
    order = sorted(found, key=lambda name: -found[name][0].mean())
    figure, (left, right) = theme.figure(1, 2, height=1.1 + 0.34 * max(len(order), 4), sharey=True)
    curves.dots_and_intervals(left, {name: found[name] for name in order}, xlabel=SCORE, looks=LOOKS)
    left.set_xlim(left=0.0)
    terms = _stacked(left, table, order)
    rewards = rows_of(table, {name: ("schedulers", name) for name in order}, "reward")
    if rewards:
        curves.dots_and_intervals(right, rewards, xlabel=REWARD, looks=LOOKS)
        _ranks(right, {name: values.mean() for name, (values, _) in rewards.items()})
    used = used_rows(table, [("schedulers", name) for name in order], ["score", "sum_rate", "tail_rate", "reward"])
    caption = "Schedulers on the same layouts: score with its two terms, and reward with its rank"
    return Drawing(figure, terms, used, caption)


def _stacked(ax: Axes, table: pandas.DataFrame, order: Sequence[str]) -> pandas.DataFrame:
    """Bars of the two terms of the mean score, the sum rate's first."""
    start, rows = np.zeros(len(order)), []
    terms = zip(("sum_rate", "tail_rate"), score_weights(), ("#d4d4d4", "#ececec"), strict=True)
    for metric, weight, shade in terms:
        values = [seeds_of(table, "schedulers", name, metric) for name in order]
        widths = np.array([weight * value.mean() if len(value) else 0.0 for value in values])
        ax.barh(range(len(order)), widths, left=start, height=0.86, color=shade, zorder=1.2)
        if order:
            words = metric.replace("_", " ")
            ax.annotate(words, (start[0], 0), (4, 0), textcoords="offset points", va="center", fontsize=labels.SIZE)
        rows += [{"arm": name, "term": metric, "middle": width} for name, width in zip(order, widths, strict=True)]
        start += widths
    return pandas.DataFrame(rows)


def _ranks(ax: Axes, means: Mapping[str, float]) -> None:
    """The place of each row by its mean, largest first, at the right edge."""
    ranked = sorted(means, key=lambda name: -means[name])
    ax.annotate("rank", (1.0, 1.0), (2, 3), xycoords="axes fraction", textcoords="offset points", fontsize=labels.SIZE)
    for row, name in enumerate(means):
        ax.annotate(f"{ranked.index(name) + 1}.", (1.0, row), (4, 0), xycoords=("axes fraction", "data"),
                    textcoords="offset points", va="center", fontsize=labels.SIZE)  # fmt: skip


def rates(table: pandas.DataFrame, found: Curves, wanted: Mapping[str, Place] = RATED) -> Drawing:
    """Distribution of the mean rates of all users of all layouts, whole and where the tail rate is read."""
    figure, axes = theme.figure(1, 2, height=3.4)
    lines = {name: intervals.band(np.asarray(found[e][arm]["rate_quantiles"]), rng=rng())
             for name, (e, arm) in wanted.items() if "rate_quantiles" in found.get(e, {}).get(arm, {})}  # fmt: skip
    share = 100.0 * QUANTILES
    for ax, top in zip(axes, (100.0, 3.0 * TAIL), strict=True):
        for name, band in lines.items():
            look, low = LOOKS[name], np.maximum(band.low, 1e-6)
            ax.fill_betweenx(share, low, np.maximum(band.high, 1e-6), color=look.colour, alpha=0.18, lw=0)
            ax.plot(np.maximum(band.middle, 1e-6), share, color=look.colour, ls=look.dash, label=look.label)
        ax.axhline(TAIL, color=theme.INK, lw=0.8, ls=DOT, zorder=1.5)
        ax.set(xscale="log", xlim=(0.01, 10.0) if top == 100.0 else (0.03, 1.0), ylim=(0.0, top),
               xlabel=f"mean rate of a user [{SPECTRAL}]")  # fmt: skip
        ax.xaxis.set_major_formatter("{x:g}")
    axes[0].set_ylabel("share of users [%]")
    axes[1].set_title(f"The lowest {3 * TAIL:g} %")
    if lines:
        axes[0].legend(loc="upper left", labelcolor="linecolor", handlelength=1.8)
    frames = [pandas.DataFrame({"method": name, "share": share, "middle": band.middle, "low": band.low,
                                "high": band.high, "n": band.n}) for name, band in lines.items()]  # fmt: skip
    used = used_rows(table, [wanted[name] for name in lines], ["pooled_tail_rate"])
    caption = f"Rates of all users of all layouts together; dotted: {TAIL:g} %"
    return Drawing(figure, gathered(frames), used, caption)


def reward_and_score(table: pandas.DataFrame, wanted: Mapping[str, Place] = SCATTERED) -> Drawing:
    """Score over reward for schedulers and learners: a ranking by one is not a ranking by the other."""
    figure, ax = theme.figure(height=4.4)
    rows = {name: [ratios(table, place, ITLINQ, metric, metric) for metric in ("reward", "score")]
            for name, place in wanted.items()}  # fmt: skip
    rows = {name: both for name, both in rows.items() if len(both[0]) and len(both[0]) == len(both[1])}
    for name, (reward, score) in rows.items():
        look = LOOKS[name]
        ax.plot(reward, score, "o", ms=2.6, mfc=look.colour, mec="none", alpha=0.35, zorder=2)
        cross = look.marker in "x+"
        ax.plot([reward.mean()], [score.mean()], look.marker, ms=7, mfc=look.colour, mew=1.4 if cross else 0.6,
                mec=look.colour if cross else "white", zorder=3)  # fmt: skip
    ax.margins(0.1)
    ax.set(xlabel="reward / reward of ITLinQ", ylabel=TO_ITLINQ)
    means = {name: (float(reward.mean()), float(score.mean())) for name, (reward, score) in rows.items()}
    names_beside(ax, means, LOOKS)
    if len(means) > 2:
        tau = kendalltau(*zip(*means.values(), strict=True)).statistic
        ax.set_title(f"rank correlation τ = {tau:.2f} over {len(means)} methods", fontsize=labels.SIZE, weight="normal")
    frames = [pandas.DataFrame({"method": name, "reward": reward, "score": score})
              for name, (reward, score) in rows.items()]  # fmt: skip
    used = rows_entering(table, [wanted[name] for name in rows], [ITLINQ], ["reward", "score"])
    return Drawing(
        figure, gathered(frames), used, "Score over reward, both relative to ITLinQ seed by seed; small dots are seeds"
    )
