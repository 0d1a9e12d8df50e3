"""The optimal-transport paper as a whole: runs give what claims ask for, arms compare like with like, the notebook
shows every claim."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_worlds import NoRun

import replication
from replication.orchestration import discovery
from replication.orchestration.table import open_store, score_table
from replication.papers.optimal_transport import arms_adaptation, arms_plans, arms_teams, study_plans
from replication.papers.optimal_transport.study_adaptation import AdaptationStudy
from replication.papers.optimal_transport.study_teams import NavigationStudy, ScriptedStudy, TeamStudy
from replication.papers.optimal_transport.teams import play_scripted, train
from replication.stats import claims

PAPER = "optimal_transport"
EXPERIMENTS = {one.name: one for one in discovery.experiments(PAPER)}
CLAIMS = claims.load_claims(discovery.folder(PAPER) / "claims.toml")
NOTEBOOK = (Path(__file__).parents[1] / "notebooks" / "04_optimal_transport.py").read_text()
PRIMARY = ("teams",)
TUNING = ("tuning", "beta")

TINY_LEARNER: dict[str, Any] = {"learner__envs": 4, "learner__hidden": (16, 16)}
TINY_JUDGE: dict[str, Any] = {"test_episodes": 6, "validation_episodes": 4}
TWO_SIZES: dict[str, Any] = {"sizes": (8, 16)}
TINY: dict[type, dict[str, Any]] = {  # how little is enough for a run to give all its numbers
    ScriptedStudy: {"test_episodes": 6},
    TeamStudy: TINY_LEARNER | TINY_JUDGE | {"updates": 2, "looks": 1},
    AdaptationStudy: arms_adaptation.SMALL["smoke"] | TINY_LEARNER | TINY_JUDGE,
    study_plans.DistanceScalingStudy: TWO_SIZES | {"samples": 16},
    study_plans.AssignmentScalingStudy: {"sizes": (32, 64)},
    study_plans.BarycenterStudy: TWO_SIZES | {"samples": 16},
    study_plans.DistributedStudy: {"sizes": (4, 8), "samples": 16},
    study_plans.AllocationStudy: {"instances": 2},
    study_plans.FleetStudy: {"episodes": 4},
    study_plans.DetectionStudy: arms_plans.SMALL,
    study_plans.ConsequenceStudy: {"pairs": 10, "episodes": 8},
    study_plans.NullStudy: {"repeats": 2},
    study_plans.VoterTrainingStudy: {"iterations": 10},
}


@pytest.fixture(autouse=True)
def own_runs(tmp_path, monkeypatch):
    """Teams that these tests grow are nobody else's."""
    monkeypatch.setenv("REPLICATION_RUNS", str(tmp_path))


def asked_of(experiment):
    """Arm -> metrics that claims ask of it."""
    asked: dict[str, set[str]] = {}
    for claim in CLAIMS:
        for rule in claim.rules:
            for name, _, arm in (place.partition("/") for place in rule.arms()):
                if name == experiment:
                    asked.setdefault(arm, set()).add(rule.metric)
    return asked


def tiny(study):
    return study.but(**TINY.get(type(study), {}))


# ---- claims and arms


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_run_gives_every_number_that_claims_ask_for(name):
    arms, given = EXPERIMENTS[name].arms("full"), set()
    for arm, metrics in asked_of(name).items():
        if not metrics <= given:
            scores = EXPERIMENTS[name].function(tiny(arms[arm]), EXPERIMENTS[name].seeds("full")[:1], NoRun()).scores
            assert metrics <= set(scores), (arm, metrics - set(scores))
            assert all(np.isfinite(scores[metric]).all() for metric in metrics), arm
            given |= metrics


def test_primary_experiments_have_twenty_seeds_and_tuning_seeds_are_nobody_elses():
    assert all(EXPERIMENTS[name].seeds("full") == tuple(range(20)) for name in PRIMARY)
    tuning = {seed for name in TUNING for seed in EXPERIMENTS[name].seeds("full")}
    for name, experiment in EXPERIMENTS.items():
        for profile in ("smoke", "quick", "full"):
            assert name in TUNING or not tuning & set(experiment.seeds(profile)), name


def test_arms_that_are_compared_seed_by_seed_meet_the_same_episodes():
    for claim in CLAIMS:
        for rule in claim.rules:
            if not getattr(rule, "paired", False):
                continue
            places = [place.partition("/")[::2] for place in rule.arms()]
            studies = [EXPERIMENTS[name].arms("full")[arm] for name, arm in places]
            worlds = [(study.world, study.options) for study in studies if isinstance(study, NavigationStudy)]
            assert all(world == worlds[0] for world in worlds), claim.id
            seeds = [set(EXPERIMENTS[name].seeds("full")) for name, _ in places]
            assert len(seeds[0] & seeds[1]) >= claim.min_seeds, claim.id


def tuned_areas(name):
    """Arm -> mean area over the tuning seeds of a sweep that is published whole."""
    table = score_table([EXPERIMENTS[name]], "full", open_store())
    areas = table[table["metric"] == "area"].groupby("arm")["value"].mean()
    if len(areas) < len(EXPERIMENTS[name].arms("full")):
        pytest.skip(f"the sweep {name!r} is not published yet")
    return areas


def test_step_sizes_and_minibatches_are_those_with_the_best_area_on_the_tuning_seeds():
    areas = tuned_areas("tuning")
    for label in arms_teams.TUNED:
        of_kind = {pair: areas[f"{label}, rate {pair[0]:g}, {pair[1]} minibatches"] for pair in arms_teams.TUNING_GRID}
        chosen = arms_teams.learner(label)
        best = max(of_kind, key=of_kind.__getitem__)
        assert (chosen.learning_rate, chosen.minibatches) == best, label


def test_strengths_are_those_with_the_best_area_on_the_tuning_seeds():
    areas = tuned_areas("beta")
    for label in set(arms_teams.SWEPT) & set(arms_teams.BETAS):
        of_kind = {beta: areas[f"{label}, beta {beta:g}"] for beta in arms_teams.GRID}
        assert arms_teams.BETAS[label] == max(of_kind, key=of_kind.__getitem__), label


def test_every_team_differs_from_the_independent_one_in_what_its_label_says():
    plain = arms_teams.learner("independent").plain()
    changed = {
        label: {name for name, value in arms_teams.learner(label).plain().items() if value != plain[name]}
        for label in arms_teams.LEARNERS
    }
    assert changed == {label: {"alignment"} for label in arms_teams.LEARNERS} | {
        "independent": set(),
        "averaging": {"alignment", "common_start"},
        "sharing": {"nets", "minibatches"},
        "sharing with numbers": {"nets"},
        "assignment in view": {"assignment"},
        "centralised critic": {"critic_sees", "learning_rate"},
        "centralised critic, OT barycenter": {"critic_sees", "learning_rate", "alignment"},
        "quantile critic": {"critic"},
    }


# ---- what the experiments rest on


def test_controllers_that_score_more_are_farther_apart_within_episodes():
    """Why alignment of visits within episodes is predicted to harm; measured before the study on other episodes."""
    names = ("all_to_one", "greedy", "fixed_role", "hungarian_dynamic")
    played = [play_scripted(ScriptedStudy(controller=name, test_episodes=100), (0,), NoRun()).scores for name in names]
    assert list(np.argsort([one["score"][0] for one in played])) == [0, 1, 2, 3]
    assert list(np.argsort([one["visits_within"][0] for one in played])) == [0, 1, 2, 3]


def test_shared_teams_are_alike_and_alignment_makes_others_so():
    base = {"learner__envs": 16, "learner__hidden": (16, 16), "updates": 15, "test_episodes": 10, "looks": 1}
    diversity = {}
    for label, changes in {
        "independent": {},
        "sharing": {},
        "OT actions": {"learner__alignment__beta": 3.0},
        "diversity": {"learner__alignment__beta": -3.0},
    }.items():
        study = arms_teams.team("full", arms_teams.learner(label)).but(**base, **changes)
        diversity[label] = float(train(study, (0,), NoRun()).scores["diversity"][0])
    assert diversity["sharing"] == pytest.approx(0.0, abs=1e-6)
    assert diversity["OT actions"] < 0.7 * diversity["independent"]
    assert diversity["diversity"] > 1.3 * diversity["independent"]


# ---- the notebook


def cells(kind):
    parts = re.split(r"^# %%", NOTEBOOK, flags=re.MULTILINE)[1:]
    return [part for part in parts if part.lstrip().startswith("[markdown]") == (kind == "markdown")]


def test_the_notebook_shows_every_claim_in_one_section():
    shown = [re.findall(r'"([A-Z][\w-]*)"', cell) for cell in cells("code") if "notebook.verdicts(" in cell]
    beginnings = [first for cell in shown for first in cell]
    assert len(beginnings) == len(set(beginnings))
    for claim in CLAIMS:
        assert sum(claim.id.startswith(first) for first in beginnings) == 1, claim.id
    for first in beginnings:
        assert any(claim.id.startswith(first) for claim in CLAIMS), first


def test_the_notebook_publishes_every_picture_once_and_under_its_papers_name():
    published = re.findall(r'publish\(.*"(\w+)", "(\w+)", parameters', NOTEBOOK)
    assert {paper for paper, _ in published} == {PAPER}
    assert max(Counter(name for _, name in published).values()) == 1
    assert len(published) == NOTEBOOK.count("publish(")


def test_the_notebook_says_first_that_nothing_here_is_a_result_of_the_paper():
    first = cells("markdown")[0]
    assert "position paper" in first
    assert "no experiments" in first
    assert "read only in" in first
    assert "hypothesis" in first


def test_every_assumption_the_notebook_names_is_stated():
    stated = (discovery.folder(PAPER) / "assumptions.toml").read_text()
    for name in set(re.findall(r"A-3\d\d", NOTEBOOK)):
        assert f'id = "{name}"' in stated, name


def test_the_world_of_the_first_look_is_that_of_the_experiments():
    assert f'replication.make("{TeamStudy().world}"' in NOTEBOOK
    assert replication.make(TeamStudy().world, num_envs=1).num_agents == 3
