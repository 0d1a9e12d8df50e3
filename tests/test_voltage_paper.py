"""The voltage-control paper as a whole: claims name real arms, assumptions and settings are complete and used."""

import re
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pytest

import replication
from replication.papers.voltage_control import evaluation, experiments
from replication.papers.voltage_control.arms import AGREEING, study
from replication.stats import claims

PACKAGE = Path(replication.__file__).parent
FOLDER = PACKAGE / "papers" / "voltage_control"
ARMS = {f"{one.name}/{arm}" for one in experiments.EXPERIMENTS for arm in one.arms("full")}
SCRIPTED = {one.name for one in experiments.EXPERIMENTS if one.function is experiments.judge_controller}


def sources() -> dict[Path, str]:
    return {path: path.read_text() for path in PACKAGE.rglob("*.py")}


@pytest.mark.parametrize("claim", claims.load_claims(FOLDER / "claims.toml"), ids=lambda claim: claim.id)
def test_claims_name_arms_that_exist_and_have_the_seeds(claim):
    for rule in claim.rules:
        for arm in rule.arms():
            assert arm in ARMS, arm
            experiment = next(one for one in experiments.EXPERIMENTS if one.name == arm.partition("/")[0])
            scripted = experiment.name in SCRIPTED
            assert scripted == any(fnmatchcase(arm, pattern) for pattern in claim.deterministic)
            assert scripted or len(experiment.seeds("full")) >= claim.min_seeds


def test_primary_claims_are_at_most_four_and_have_twenty_seeds_where_seeds_exist():
    primary = [claim for claim in claims.load_claims(FOLDER / "claims.toml") if claim.primary]
    assert 1 <= len(primary) <= 4
    for claim in primary:
        trained = [arm for rule in claim.rules for arm in rule.arms() if arm.partition("/")[0] not in SCRIPTED]
        assert not trained or claim.min_seeds == 20


def test_every_assumption_is_stated_once_and_used():
    stated = [entry["id"] for entry in tomllib.loads((FOLDER / "assumptions.toml").read_text())["assumption"]]
    used = set(re.findall(r"\bA-\d\d\b", "\n".join(sources().values())))
    assert len(stated) == len(set(stated))
    assert used == set(stated)


def test_every_setting_is_read_by_code():
    text = "\n".join(sources().values())
    for row in study("full", {}, AGREEING).describe():
        name = row["name"].rpartition(".")[2]
        assert row["origin"], row["name"]
        assert re.search(rf"\.{name}\b(?!\s*:)", text), f"setting {row['name']} is never read"


def test_evaluation_pairs_days_and_counts_lost_steps_as_uncontrolled():
    world, windows = evaluation.day_world("voltage/case33", study("full", {}, AGREEING).environment, "test", 3, seeds=2)
    outcome = evaluation.evaluate(world, windows, lambda w: np.zeros((w.num_envs, 6, 1)), seeds=2)
    assert outcome.daily["reward"].shape == (2, 3)
    assert np.array_equal(outcome.daily["reward"][0], outcome.daily["reward"][1])
    assert outcome.outside.shape == (2, 33, 24)
    assert np.allclose(outcome.outside.mean(axis=(1, 2)), outcome.daily["out_of_band"].mean(axis=1), atol=1e-6)
    heavy = study("full", {}, AGREEING | {"load_scale": 12.0}).environment
    world, windows = evaluation.day_world("voltage/case33", heavy, "test", 2)
    lost = evaluation.evaluate(world, windows, lambda w: np.full((w.num_envs, 6, 1), -0.8))
    assert np.all(lost.daily["destroyed"] > 0)
    assert np.all(lost.daily["controllable"] < 1)


def test_the_shipped_time_limit_is_no_lost_step():
    settings = study("full", {}, AGREEING | {"mode": "as_shipped"}).environment
    world, windows = evaluation.day_world("voltage/case33", settings, "test", 4)
    rule = replication.controller(world, "droop_dead_band")
    outcome = evaluation.evaluate(world, windows, rule.act)
    assert outcome.daily["controllable"].max() == 1.0
    assert not outcome.daily["destroyed"].any()


def test_test_days_cover_every_month_and_never_meet_training():
    settings = study("full", {}, AGREEING).environment
    world, windows = evaluation.day_world("voltage/case33", settings, "test", 120)
    days = set(world.windows[windows] // 480)
    assert len(days) == 120
    assert set(evaluation._months(world.windows[windows])) == set(range(1, 13))
    training = replication.make("voltage/case33").windows
    touched = set(np.concatenate([training // 480, (training + 240) // 480]))
    assert not days & touched
