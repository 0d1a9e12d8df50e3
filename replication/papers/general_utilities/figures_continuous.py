"""Picture of the continuous extension: gap to the best gains over iterations, by critic and by density model."""

import numpy as np
import pandas

from replication.drawing import Curves, Drawing, rng, used_rows
from replication.drawing_lines import arms_like, draw_lines, frame_of, gathered
from replication.plotting import theme
from replication.plotting.theme import DOT, Look
from replication.stats import intervals

LOOKS = {
    "exact": Look("exact", theme.INK, DOT),
    "reward to go, kappa 1": Look("reward to go, κ = 1", "#009e73"),
    "least squares, kappa 1": Look("least squares, κ = 1", "#d55e00"),
    "LSTD, kappa 0": Look("LSTD, κ = 0", "#e69f00"),
    "LSTD, kappa 1": Look("LSTD, κ = 1", "#0072b2"),
    "network, kappa 1": Look("network, κ = 1", "#8c4fa8"),
    "gaussian": Look("one normal law", "#6b6b6b"),
    "mixture": Look("mixture", "#009e73"),
    "histogram": Look("histogram", "#d55e00"),
    "kernel": Look("kernel", "#0072b2"),
}
PANELS = {"helpers": "Helpers, by critic", "entropy": "Entropy, by density model"}


def continuous(table: pandas.DataFrame, found: Curves) -> Drawing:
    """Share of the first gap that is left, over iterations; one panel per utility."""
    figure, axes = theme.figure(1, 2, height=3.4)
    frames, places = [], []
    for ax, (utility, title) in zip(axes, PANELS.items(), strict=True):
        arms = arms_like(table, "continuous", rf"{utility}, (.+)")
        lines = {}
        for arm, (label,) in arms.items():
            curves = found.get("continuous", {}).get(arm)
            if curves is not None:
                at = np.asarray(curves["_evaluated_at"], float)
                lines[label] = at, intervals.band(curves["evaluated_gap_left"], rng=rng())
        draw_lines(ax, lines, xlabel="iterations", ylabel="gap left, share of the first", looks=LOOKS, points=False)
        ax.set_title(title)
        frames += frame_of(lines, utility=utility)
        places += [("continuous", arm) for arm in arms]
    used = used_rows(table, places, ["gap_left"])
    caption = "Linear-Gaussian ring of ten agents: gap to the best gains, of which no sampled arm knows"
    return Drawing(figure, gathered(frames), used, caption)
