"""Figures of the general-utilities notebook: drawn from full, small and empty tables, with the given numbers."""

import re
import tomllib
from pathlib import Path

import numpy as np
import pandas
import pytest
from figure_checks import checked, table_of

import replication
from replication import drawing_lines
from replication.drawing import COLUMNS
from replication.envs.networked_mdp import hops
from replication.papers.general_utilities import (
    arms,
    arms_training,
    figures_continuous,
    figures_decay,
    figures_estimates,
    figures_training,
)
from replication.papers.general_utilities import figures_tasks as tasks
from replication.plotting import theme
from replication.seeding import stream
from replication.stats.intervals import Band

pytestmark = pytest.mark.usefixtures("close_figures")

ROOT = Path(replication.__file__).parents[1]

ARMS = {
    "decay": (arms.decay_arms, ("s0", "s1", "s2", "s3")),
    "growth": (arms.growth_arms, ("far_share",)),
    "truncation": (arms.truncation_arms, ("error0", "error1", "error2")),
    "radius": (arms.radius_arms, ("rmse", "bias", "samples")),
    "critic_kinds": (arms.critic_kind_arms, ("rmse",)),
    "critic": (arms.critic_arms, ("error",)),
    "shadow": (arms.shadow_arms, ("largest", "stretch")),
    "optimum": (arms_training.optimum_arms, ("gap_left",)),
    "large": (arms_training.large_arms, ("gap_left",)),
    "heterogeneity": (arms_training.heterogeneity_arms, ("gap_left",)),
    "variants": (arms_training.variant_arms, ("gap_left",)),
    "tradeoffs": (arms_training.tradeoff_arms, ("gap_left",)),
    "samples": (arms_training.sample_arms, ("squared_gradient", "above_floor", "floor", "spent")),
    "scripted_tasks": (arms_training.scripted_arms, ("return", "discounted")),
    "continuous": (arms_training.continuous_arms, ("gap_left",)),
    "tasks": (arms_training.world_arms, ("return", "discounted", "entropy_missing")),
}
LOOKED_AT = np.array([0.0, 10.0, 20.0])


def made_up(profile, seeds):
    """A score table and curves with every arm of the profile and positive numbers without meaning."""
    draw = stream("made-up scores", seeds)
    rows, curves = [], {}
    for experiment, (arms_of, metrics) in ARMS.items():
        for number, arm in enumerate(arms_of(profile)):
            for metric in metrics:
                values = (5 + number) * draw.lognormal(-3, 0.3, seeds)
                rows += [(experiment, arm, s, metric, value, f"key {number}") for s, value in enumerate(values)]
            names = ("gap_left", "return", "discounted")
            shown = {f"evaluated_{name}": draw.lognormal(-1, 0.5, (seeds, len(LOOKED_AT))) for name in names}
            curves.setdefault(experiment, {})[arm] = shown | {"_evaluated_at": LOOKED_AT}
    return pandas.DataFrame(rows, columns=COLUMNS), curves


def every(table, curves):
    """All drawings that rest on scores."""
    return {
        "decay": figures_decay.decay(table),
        "truncation": figures_decay.truncation(table),
        "budget_radius": figures_estimates.budget_radius(table),
        "critic": figures_estimates.critic(table),
        "shadow": figures_estimates.shadow(table),
        "gaps": figures_training.gaps(table, curves),
        "final_gaps": figures_training.final_gaps(table),
        "large_and_mixed": figures_training.large_and_mixed(table, 500),
        "slope": figures_training.slope(table),
        "habits_and_tradeoffs": figures_training.habits_and_tradeoffs(table),
        "tasks": tasks.tasks(table, curves),
        "entropy_floors": tasks.entropy_floors(table),
        "continuous": figures_continuous.continuous(table, curves),
    }


def test_every_arm_of_the_full_profile_is_in_some_picture():
    drawings = every(*made_up("full", 2))
    checked(drawings)
    used = pandas.concat([drawing.used for drawing in drawings.values()])
    drawn = set(zip(used["experiment"], used["arm"], strict=True))
    wanted = {(experiment, arm) for experiment, (arms_of, _) in ARMS.items() for arm in arms_of("full")}
    discounts = {pair for pair in wanted if pair[0] == "decay" and not pair[1].endswith("gamma 0.9")}
    assert wanted - drawn == discounts


def test_every_figure_is_drawn_from_the_few_arms_of_the_smoke_profile_with_one_seed():
    checked(every(*made_up("smoke", 1)))


def test_every_figure_is_drawn_before_anything_has_run():
    checked(every(table_of([]), {}), filled=())


def test_a_sweep_is_the_mean_of_each_arm_with_an_interval_around_it():
    rows = [("x", f"batch {b}", s, "rmse", b + s) for b in (4, 2) for s in range(6)]
    x, band = drawing_lines.sweep(table_of(rows), "x", {4.0: "batch 4", 2.0: "batch 2", 8.0: "batch 8"}, "rmse")
    assert x.tolist() == [2, 4]
    assert band.middle == pytest.approx([4.5, 6.5])
    assert np.all((band.low < band.middle) & (band.middle < band.high))
    assert drawing_lines.sweep(table_of(rows), "y", {4.0: "batch 4"}, "rmse") is None


def test_labels_are_matched_as_a_whole():
    table = table_of([("x", arm, 0, "m", 1.0) for arm in ("line, kappa 1", "line, kappa 1, entropy 0.3", "line")])
    assert drawing_lines.arms_like(table, "x", r"line, kappa (\d)") == {"line, kappa 1": ("1",)}
    assert drawing_lines.arms_like(table, "other", ".+") == {}


def test_decay_shows_the_front_bound_and_no_rounding():
    rows = [("decay", "parity 0, gamma 0.9", 0, f"s{k}", value) for k, value in enumerate((2.0, 1.0, 0.5, 1e-16))]
    rows += [("growth", f"ring, {n} agents", 0, "far_share", 1 / n) for n in (16, 8)]
    data = figures_decay.decay(table_of(rows)).data
    bound = data[data["line"] == "front bound"]
    assert bound["middle"].to_numpy() == pytest.approx([9.0, 8.1, 7.29, 6.561])
    drawn = figures_decay.decay(table_of(rows)).figure.axes[0].get_lines()[0].get_ydata()
    assert drawn.tolist() == [2.0, 1.0, 0.5]
    assert data[data["panel"] == "growth"][["x", "middle"]].to_numpy().tolist() == [[8, 1 / 8], [16, 1 / 16]]


def test_the_best_radius_of_each_batch_is_framed():
    error = {(0, 16): 1.0, (1, 16): 2.0, (2, 16): 3.0, (0, 256): 0.9, (1, 256): 0.5, (2, 256): 0.4}
    rows = []
    for (kappa, batch), value in error.items():
        arm = f"ring, kappa {kappa}, batch {batch}"
        for metric, number in (("rmse", value), ("bias", 0.1), ("samples", 80.0 * batch)):
            rows += [("radius", arm, seed, metric, number) for seed in range(2)]
    drawing = figures_estimates.budget_radius(table_of(rows))
    frames = [patch for patch in drawing.figure.axes[0].patches if (patch.get_gid() or "").startswith("best")]
    assert [frame.get_gid() for frame in frames] == ["best 0", "best 2"]
    centres = [frame.get_y() + frame.get_height() / 2 for frame in frames]
    assert centres == pytest.approx([0, 2])
    shown = [text.get_text() for text in drawing.figure.axes[0].texts]
    assert sorted(map(float, shown)) == sorted(error.values())
    missing = table_of([row for row in rows if row[1] != "ring, kappa 1, batch 256"])
    figures_estimates.budget_radius(missing).figure.draw_without_rendering()


def test_names_stand_level_with_the_ends_of_their_lines():
    _, ax = theme.figure()
    ends = {"kappa 0": 0.02, "kappa 1": 3.0, "kappa 2": 400.0}
    looks = tasks.LOOKS
    lines = {name: (np.arange(1.0, 4), flat(np.array([1.0, 1.0, end]))) for name, end in ends.items()}
    drawing_lines.draw_lines(
        ax, lines, xlabel="x", ylabel="y", looks=looks, scales=("log", "log"), levels={"kappa 0": 1e-4}
    )
    heights = {text.get_text(): text.get_position()[1] for text in ax.texts if text.get_gid() == "direct-label"}
    for name, end in ends.items():
        at = ax.transAxes.inverted().transform(ax.transData.transform((3.0, end)))[1]
        assert heights[looks[name].label] == pytest.approx(at, abs=0.01), name


def flat(values):
    return Band(values, values, values, 3)


def test_log_axes_leave_out_what_they_cannot_show():
    _, ax = theme.figure()
    band = Band(np.array([1.0, 0.5, -0.1]), np.array([0.5, -0.5, -1.0]), np.array([2.0, 1.0, 0.5]), 3)
    drawing_lines.draw_lines(ax, {"kappa 0": (np.arange(3.0), band)}, xlabel="x", ylabel="y", looks=tasks.LOOKS)
    assert ax.get_lines()[0].get_ydata().tolist() == [1.0, 0.5]
    ax.figure.draw_without_rendering()


def test_gaps_below_the_floor_are_drawn_on_it_and_kept_in_the_numbers():
    rows = [("optimum", "linear, 5 agents, exact", seed, "gap_left", value) for seed, value in enumerate((1e-9, 1e-3))]
    drawing = figures_training.final_gaps(table_of(rows))
    dots = drawing.figure.axes[0].get_lines()[0].get_xdata()
    assert dots.tolist() == [figures_training.FLOOR, 1e-3]
    assert drawing.data["value"].tolist() == [1e-9, 1e-3]


def test_the_right_panel_of_the_slope_is_times_n():
    values = {"squared_gradient": 3e-4, "above_floor": 2e-4, "floor": 1e-4, "spent": 9_600.0}
    rows = [
        ("samples", "20 agents, kappa 1, 10000 samples", s, name, v) for s in range(2) for name, v in values.items()
    ]
    data = figures_training.slope(table_of(rows)).data
    assert data[data["panel"] == "scaled"][["line", "x", "middle"]].to_numpy().tolist() == [["20 agents", 9600, 4e-3]]


def test_the_infeasible_floor_is_marked_where_two_states_end():
    table, _ = made_up("full", 2)
    right = tasks.entropy_floors(table).figure.axes[1]
    (area,) = [patch for patch in right.patches if "ln 2" in patch.get_label()]
    assert area.get_x() == pytest.approx(np.log(2))
    (least,) = [drawn for drawn in right.get_lines() if "least" in drawn.get_label()]
    x, y = least.get_data()
    assert np.interp(0.8, x, y) == pytest.approx(10 * (0.8 - np.log(2)))


def test_weights_and_influence_are_drawn_as_given():
    model = replication.make("network/voter", n=5, alpha=0.5).model
    influence = np.array([2.0, 1.0, 0.5, 0.5, 1.0])
    drawing = figures_decay.networks({"ring": model}, {"ring": influence})
    ax = drawing.figure.axes[0]
    assert len(ax.get_lines()) == int(model.adjacency.sum()) // 2
    assert [float(text.get_text()) for text in ax.texts] == influence.tolist()
    assert drawing.data["distance"].tolist() == hops(model.adjacency)[0].tolist()


def test_every_claim_stands_under_a_figure_of_the_notebook():
    text = (ROOT / "notebooks" / "03_general_utilities.py").read_text()
    calls = re.findall(r'verdicts\("general_utilities", parameters, (.+)\)', text)
    shown = tuple(re.findall(r'"(\w+)"', " ".join(calls)))
    claims = tomllib.loads((ROOT / "replication/papers/general_utilities/claims.toml").read_text())["claim"]
    assert [claim["id"] for claim in claims if not claim["id"].startswith(shown)] == []
