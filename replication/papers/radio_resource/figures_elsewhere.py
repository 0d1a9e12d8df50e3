"""Pictures of radio policies in networks they were not trained for, and of one layout against redrawn ones."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pandas
from matplotlib.axes import Axes

from replication.drawing import Drawing, Place, estimate, rows_entering
from replication.drawing_lines import Lines, arms_like, draw_lines, frame_of, gathered, line
from replication.envs.radio_settings import RadioSettings
from replication.papers.radio_resource.arms import PARADIGMS
from replication.papers.radio_resource.figures_paired import (
    ITLINQ,
    LOOKS,
    TO_ITLINQ,
    ratios,
    row_numbers,
)
from replication.plotting import curves, theme
from replication.plotting.theme import DASH, Look

MET = {  # place -> what it is called
    "walking 0 m/s": "standing",
    "walking 3 m/s": "moving, 3 m/s",
    "walking 10 m/s": "moving, 10 m/s",
    "walking 30 m/s": "moving, 30 m/s",
    "churn": "come and go",
    "12 users": "12 users",
    "48 users": "48 users",
}
POLICIES = {
    "CTDE": Look("SAC on SAC data", LOOKS["CTDE"].colour),
    "CTDE, DQN on random": Look("DQN on random data", theme.colour("dqn"), marker="D"),
}
SPEEDS: dict[str, Any] = {"0": "-", "30": DASH}  # m/s -> dash


def transfer(table: pandas.DataFrame) -> Drawing:
    """Policies trained among standing users, judged in other networks relative to ITLinQ there.

    Experiments: transfer, elsewhere.
    """
    figure, axes = theme.figure(1, 3, height=3.5, width_ratios=(1.0, 1.0, 1.3))
    axes[1].sharex(axes[0])
    frames = []
    for ax, (arm, look) in zip(axes, POLICIES.items(), strict=False):
        found = {label: _there(table, arm, place) for place, label in MET.items()}
        frames += _draw_rows(ax, found, {label: replace(look, label=label) for label in found}, arm)
        ax.set_title(look.label)
    axes[1].tick_params(labelleft=False)
    steps = {speed: _steps(table, speed) for speed in SPEEDS}
    lines = _over_step(axes[2], table, steps)
    axes[2].set_title("Step and speed")
    places = [*MET, *(place for found in steps.values() for place in found.values())]
    used = rows_entering(table, [("transfer", arm) for arm in POLICIES], [_itlinq(place) for place in places],
                         ["score", *(f"{place}: score" for place in places)])  # fmt: skip
    caption = (
        "Score relative to ITLinQ in the same network of two CTDE policies (backbone, data) that were trained "
        "among standing users; right: other steps of the proportional-fair averages"
    )
    return Drawing(figure, gathered(frames + frame_of(lines, panel="step")), used, caption)


def _itlinq(place: str) -> Place:
    return "elsewhere", f"ITLinQ, {place}"


def _there(table: pandas.DataFrame, arm: str, place: str) -> np.ndarray:
    return ratios(table, ("transfer", arm), _itlinq(place), f"{place}: score")


def _draw_rows(ax: Axes, found: Mapping[str, np.ndarray], looks: Mapping[str, Look], panel: str):
    """Dots and intervals of what has run, around ITLinQ at 1; returns the plotted numbers."""
    rows = {label: (values, estimate(values)) for label, values in found.items() if len(values)}
    if not rows:
        return []
    curves.dots_and_intervals(ax, rows, xlabel=TO_ITLINQ, looks=looks)
    ax.axvline(1.0, color=LOOKS["ITLinQ"].colour, ls=LOOKS["ITLinQ"].dash, lw=1.3, zorder=1.5)
    return row_numbers(found, panel=panel)


def _steps(table: pandas.DataFrame, speed: str) -> dict[float, str]:
    """Step η -> the place with it at one speed."""
    found = arms_like(table, "elsewhere", rf"ITLinQ, (eta (\S+), {speed} m/s)")
    return {float(eta): place for place, eta in sorted(found.values())}


def _over_step(ax: Axes, table: pandas.DataFrame, steps: Mapping[str, Mapping[float, str]]) -> Lines:
    """A line over η for each policy (colour) and speed (dash)."""
    lines, looks = {}, {}
    for (arm, look), (speed, dash) in product(POLICIES.items(), SPEEDS.items()):
        label = f"{look.label.partition(' ')[0]}, {speed} m/s"
        if one := line({eta: _there(table, arm, place) for eta, place in steps[speed].items()}):
            lines[label], looks[label] = one, replace(look, label=label, dash=dash)
    draw_lines(ax, lines, xlabel="step η of the average rates", ylabel=TO_ITLINQ, looks=looks, scales=("log", "linear"),
               ticks=sorted({*steps["0"], *steps["30"]}))  # fmt: skip
    ax.axhline(1.0, color=LOOKS["ITLinQ"].colour, ls=LOOKS["ITLinQ"].dash, lw=1.3, zorder=1.5)
    return lines


def layouts(table: pandas.DataFrame) -> Drawing:
    """Learners relative to ITLinQ of the same world: layouts redrawn in every episode, and one fixed layout.

    Experiments: fixed_layout, coupling, elsewhere, schedulers.
    """
    side = RadioSettings().area
    worlds = {
        "Layouts redrawn": ({name: ("coupling", f"{name}, {side:g} m") for name in PARADIGMS}, ITLINQ),
        "One fixed layout": ({name: ("fixed_layout", name) for name in PARADIGMS}, _itlinq("fixed")),
    }
    figure, axes = theme.figure(1, 2, height=2.5, sharex=True, sharey=True)
    frames = []
    for ax, (title, (places, reference)) in zip(axes, worlds.items(), strict=True):
        found = {name: ratios(table, place, reference) for name, place in places.items()}
        frames += _draw_rows(ax, found, LOOKS, title)
        ax.set_title(title)
    arms = [place for places, _ in worlds.values() for place in places.values()]
    used = rows_entering(table, arms, [reference for _, reference in worlds.values()], ["score"])
    caption = "Score relative to ITLinQ in the same world: DQN backbone, random data from that world"
    return Drawing(figure, gathered(frames), used, caption)
