"""Figures of the voltage-control notebook: drawn from full, small and empty tables, with the given numbers."""

import re
import tomllib
from pathlib import Path

import numpy as np
import pandas
import pytest
from figure_checks import checked, table_of

import replication
from replication.drawing import COLUMNS
from replication.papers.voltage_control import figures, figures_days, figures_ratio
from replication.papers.voltage_control.evaluation import SLOTS
from replication.papers.voltage_control.experiments import EXPERIMENTS
from replication.seeding import stream

pytestmark = pytest.mark.usefixtures("close_figures")

ROOT = Path(replication.__file__).parents[1]
NOTEBOOK = (ROOT / "notebooks" / "01_voltage_control.py").read_text()
PLAYED = ("controllable", "line_loss_mw", "reward", "out_of_band", "mean_action")
DAYS, FEW_DAYS = 10, 4
REFERENCES = {("published_33", "droop"), ("published_33", "droop_dead_band")}
SHOWN = {"none": ("controllers_33", "none"), "OPF": ("controllers_33", "opf"), "MAPPO": ("paradigms_33", "MAPPO")}


def made_up(profile, seeds):
    """A score table and curves with every arm of the profile and positive numbers without meaning."""
    draw = stream("made-up voltage scores", seeds)
    rows, curves = [], {}
    for experiment in EXPERIMENTS:
        trained = len(experiment.seeds("full")) > 1
        for arm in experiment.arms(profile):
            count = seeds if trained else 1
            for metric in (f"{prefix}{name}" for name in PLAYED for prefix in ("", "last_")):
                values = draw.uniform(0.5, 1.0, count)
                rows += [(experiment.name, arm, seed, metric, value) for seed, value in enumerate(values)]
            days = FEW_DAYS if experiment.name == "reward_optimum" else DAYS
            found = {f"daily_{name}": draw.uniform(0.5, 1.0, (count, days)) for name in PLAYED[:3]}
            found |= {f"profile_{name}": draw.uniform(0.9, 1.1, (count, 2, SLOTS))
                      for name in ("q_mvar", "highest_voltage")}  # fmt: skip
            found["outside"] = draw.uniform(0.0, 0.2, (count, 33, 24))
            if trained:
                found |= {f"evaluated_{name}": draw.uniform(0.5, 1, (count, 3)) for name in PLAYED}
                found["_evaluated_steps"] = np.array([0, 1000, 2000])
            curves.setdefault(experiment.name, {})[arm] = found
    return table_of(rows), curves


def every(table, curves):
    """All drawings that rest on scores, as the notebook calls them."""
    return {
        "calibration": figures_days.calibration(table),
        "reward_and_control": figures.reward_and_control(table, curves),
        "ratio_curves": figures_ratio.ratio_curves(table, curves, -0.3),
        "ratio_scores": figures_ratio.ratio_scores(table),
        "defects": figures_ratio.defects(table),
        "compare_33": figures.learners_and_controllers(table, 33, figures.LEARNERS_33, "33 buses"),
        "compare_141": figures.learners_and_controllers(table, 141, figures.LEARNERS_141, "141 buses"),
        "compare_322": figures.learners_and_controllers(table, 322, (), "322 buses"),
        "stress_33": figures.stress(table),
        "discount_and_loss": figures.discount_and_loss(table),
        "barriers": figures.barriers(table),
        "day_profiles": figures_days.day_profiles(table, curves, SHOWN),
        "violations": figures_days.violations(table, curves, SHOWN),
    }


def arms_of(drawings):
    used = pandas.concat([drawing.used for drawing in drawings.values()])
    return set(zip(used["experiment"], used["arm"], strict=True))


def test_every_arm_of_the_full_profile_is_in_some_picture():
    drawings = every(*made_up("full", 2))
    checked(drawings)
    wanted = {(experiment.name, arm) for experiment in EXPERIMENTS for arm in experiment.arms("full")}
    assert wanted - arms_of(drawings) == {pair for pair in wanted if pair in REFERENCES or only_in_tables(*pair)}


def only_in_tables(experiment, arm):
    """Random actions would hide all other differences; rewards priced per unit are in scores.csv alone."""
    return (arm == "random" and experiment != "calibration") or arm.endswith(", per_unit")


def test_every_figure_is_drawn_from_the_few_arms_of_the_smoke_profile_with_one_seed():
    checked(every(*made_up("smoke", 1)))


def test_every_figure_of_the_notebook_is_drawn_before_anything_has_run():
    drawings = checked(every(table_of([]), {}), filled=())
    published = re.findall(r'"voltage_control", "(\w+)", parameters', NOTEBOOK)
    assert sorted(published) == sorted([*drawings, "feeder", "year"])


def places_of(axis):
    """Height of each named row."""
    return {text.get_text(): place for text, place in zip(axis.get_yticklabels(), axis.get_yticks(), strict=True)}


def test_learners_have_their_seeds_and_rules_their_one_number():
    rows = [("paradigms_33", "MAPPO", seed, "controllable", 0.7 + seed) for seed in range(3)]
    rows += [("controllers_33", name, 0, "controllable", value) for name, value in (("opf", 0.97), ("random", 0.1))]
    drawing = figures.learners_and_controllers(table_of(rows), 33, figures.LEARNERS_33, "a caption")
    assert sorted(zip(drawing.data["arm"], drawing.data["value"], strict=True)) == [
        ("MAPPO", 0.7), ("MAPPO", 1.7), ("MAPPO", 2.7), ("opf", 0.97)
    ]  # fmt: skip
    assert set(places_of(drawing.figure.axes[0])) == {"MAPPO", "OPF"}


def test_the_reward_is_what_a_method_gains_over_no_control_on_the_days_of_the_search():
    label = "bowl, alpha 0.1, mvar"
    daily = np.array([[9.0, 0.0, 0.0, 9.0]])  # the search saw the first and the last of four days
    curves = {
        "reward": {label: {"daily_controllable": daily / 10, "daily_reward": -daily / 10}},
        "reward_optimum": {f"{name}, {label}": {"daily_controllable": np.full((1, 2), 0.5),
                                                "daily_reward": np.full((1, 2), value)}
                           for name, value in (("reward_search", -0.3), ("none", -0.6))},
    }  # fmt: skip
    data = figures.reward_and_control(table_of([]), curves).data.set_index(["method", "metric"])["middle"]
    assert data.to_dict() == pytest.approx(
        {
            ("reward search", "controllable"): 0.5,
            ("MAPPO", "controllable"): 0.9,
            ("none", "controllable"): 0.5,
            ("reward search", "reward"): 0.5,
            ("MAPPO", "reward"): -0.5,
            ("none", "reward"): 0.0,
        }
    )


def test_learning_curves_keep_the_given_looks_and_the_predicted_fixed_point():
    arm = "shipped ratio, std 1, clip 0.6"
    found = {"evaluated_mean_action": np.array([[0.0, -0.4], [0.0, -0.6]]), "evaluated_controllable": np.ones((2, 2))}
    drawing = figures_ratio.ratio_curves(table_of([]), {"ratio": {arm: found | {"_evaluated_steps": [0, 500]}}}, -0.37)
    data = drawing.data[drawing.data["metric"] == "mean_action"]
    assert data[["method", "x", "middle", "n"]].to_numpy().tolist() == [[arm, 0, 0.0, 2], [arm, 500, -0.5, 2]]
    (predicted,) = [line for line in drawing.figure.axes[0].get_lines() if set(line.get_ydata()) == {-0.37}]
    assert predicted.get_linestyle() != "-"
    assert set(figures_ratio.RATIO_LOOKS) == set(figures_ratio.ratio_scores(made_up("full", 1)[0]).data["arm"]) - {
        *figures_ratio.AT_DRAW, "none"
    }  # fmt: skip


def test_seasons_without_days_are_left_out():
    profile = np.ones((2, 2, SLOTS))
    profile[:, 1] = np.nan
    curves = {"controllers_33": {"none": {"profile_q_mvar": profile, "profile_highest_voltage": 1.1 * profile}}}
    data = figures_days.day_profiles(table_of([]), curves, SHOWN).data
    assert data.groupby(["season", "quantity"])["middle"].mean().to_dict() == pytest.approx(
        {("summer", "q_mvar"): 1.0, ("summer", "highest_voltage"): 1.1}
    )


def test_violations_are_the_mean_share_of_seeds_on_one_scale():
    outside = np.zeros((2, 33, 24))
    outside[0, 17, 12] = 0.4
    curves = {"controllers_33": {"none": {"outside": outside}}, "paradigms_33": {"MAPPO": {"outside": outside / 2}}}
    drawing = figures_days.violations(table_of([]), curves, SHOWN)
    seen = drawing.data.set_index(["method", "bus", "hour"])["share"]
    assert (seen["none", 17, 12], seen["MAPPO", 17, 12], seen.sum()) == pytest.approx((0.2, 0.1, 0.3))
    limits = {panel.get_clim() for ax in drawing.figure.axes for panel in (*ax.images, *ax.collections)}
    assert (0.0, 0.2) in limits


def test_the_feeder_and_its_year_are_those_of_the_world():
    world = replication.make("voltage/case33")
    feeder, year = figures_days.feeder(world), figures_days.year(world)
    for drawing in (feeder, year):
        drawing.figure.draw_without_rendering()
        assert list(drawing.used.columns) == COLUMNS
    assert feeder.data["zone"].tolist() == world.feeder.zone.tolist()
    load = world.profiles.load_mw().sum(axis=1)
    data = year.data.set_index("what")["mw"]
    assert data["load, daily peak"].max() == pytest.approx(load.max())
    assert len(data["PV, daily peak"]) == 366
    assert data["PV, summer"].sum() > data["PV, winter"].sum()


def test_every_claim_stands_under_a_figure_of_the_notebook():
    calls = re.findall(r'verdicts\("voltage_control", parameters, (.+)\)', NOTEBOOK)
    shown = tuple(re.findall(r'"([\w-]+)"', " ".join(calls)))
    claims = tomllib.loads((ROOT / "replication/papers/voltage_control/claims.toml").read_text())["claim"]
    assert [claim["id"] for claim in claims if not claim["id"].startswith(shown)] == []
