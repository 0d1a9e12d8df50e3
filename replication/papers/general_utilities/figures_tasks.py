"""Pictures of the neighbouring papers' tasks: returns against scripted controllers, and entropy floors."""

import numpy as np
import pandas

from replication.drawing import Curves, Drawing, rng, seeds_of, used_rows
from replication.drawing_lines import (
    Lines,
    arms_like,
    draw_lines,
    frame_of,
    gathered,
    level,
    sweep,
)
from replication.envs.network_models import LineSettings
from replication.papers.general_utilities.figures import KAPPA
from replication.plotting import theme
from replication.plotting.theme import DOT, Look
from replication.stats import intervals

TASKS = {"line": "return", "wireless grid": "return", "wireless cells": "discounted"}  # what the sources report
YLABEL = {"return": "return per agent", "discounted": "discounted return per agent"}
LOOKS = {f"kappa {kappa}": look for kappa, look in KAPPA.items()} | {"as shipped": Look("as shipped", "#6b6b6b", DOT)}
LN2 = float(np.log(2))


def tasks(table: pandas.DataFrame, found: Curves) -> Drawing:
    """Return over iterations on every task, by radius, with scripted policies as levels."""
    figure, axes = theme.figure(1, len(TASKS), height=3.3)
    frames, places = [], []
    for ax, (task, metric) in zip(axes, TASKS.items(), strict=True):
        arms = arms_like(table, "tasks", rf"{task}, (kappa \d|as shipped)")
        scripted = arms_like(table, "scripted_tasks", rf"{task}, (.+)")
        lines = {label: one for arm, (label,) in arms.items() if (one := _over_iterations(found, arm, metric))}
        for arm, (name,) in scripted.items():
            value = float(seeds_of(table, "scripted_tasks", arm, metric)[0])
            level(ax, value, name, below=name == "random")
            frames.append(pandas.DataFrame({"task": task, "metric": metric, "line": [name], "middle": value}))
        ax.margins(y=0.12)
        draw_lines(ax, lines, xlabel="iterations", ylabel=YLABEL[metric], looks=LOOKS, scales=("linear", "linear"),
                   points=False)  # fmt: skip
        ax.set_title(task.capitalize())
        frames += frame_of(lines, task=task, metric=metric)
        places += [("tasks", arm) for arm in arms] + [("scripted_tasks", arm) for arm in scripted]
    used = used_rows(table, places, ["return", "discounted"])
    return Drawing(figure, gathered(frames), used, "Returns of fresh episodes; dashed: policies that need no learning")


def _over_iterations(found: Curves, arm: str, metric: str):
    curves = found.get("tasks", {}).get(arm)
    if curves is None or f"evaluated_{metric}" not in curves:
        return None
    return np.asarray(curves["_evaluated_at"], float), intervals.band(curves[f"evaluated_{metric}"], rng=rng())


def entropy_floors(table: pandas.DataFrame) -> Drawing:
    """Return and missing entropy over the floor on every agent's state entropy; no floor above ln 2 can be met."""
    figure, axes = theme.figure(1, 2, height=3.0)
    arms = {float(floor): arm for arm, (floor,) in arms_like(table, "tasks", r"line, kappa 1, entropy (\S+)").items()}
    if plain := arms_like(table, "tasks", "line, kappa 1"):
        arms[0.0] = next(iter(plain))
    frames, agents = [], LineSettings().n
    end = max([0.9, *arms])
    for ax, metric, ylabel in zip(axes, ("return", "entropy_missing"),
                                  ("return per agent", "missing entropy, all agents [nat]"), strict=True):  # fmt: skip
        found = sweep(table, "tasks", arms, metric)
        lines: Lines = {"kappa 1": found} if found else {}
        draw_lines(ax, lines, xlabel="floor on state entropy [nat]", ylabel=ylabel, looks=LOOKS,
                   scales=("linear", "linear"), names="none", ticks=sorted(arms))  # fmt: skip
        ax.axvspan(LN2, end, color="#b03030", alpha=0.1, lw=0, label="infeasible: above ln 2")
        ax.set_xlim(-0.04, end)
        frames += frame_of(lines, metric=metric)
    axes[1].plot([0.0, LN2, end], [0.0, 0.0, agents * (end - LN2)], color=theme.INK, ls=theme.DASH, lw=1.0,
                 label="least that must be missing")  # fmt: skip
    axes[1].legend(loc="upper left", handlelength=1.6)
    used = used_rows(table, [("tasks", arm) for arm in arms.values()], ["return", "entropy_missing"])
    caption = "The line with a floor on state entropy; two states have at most ln 2 (red), so the highest is infeasible"
    return Drawing(figure, gathered(frames), used, caption)
