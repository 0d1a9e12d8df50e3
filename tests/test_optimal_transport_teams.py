"""The learning experiments of optimal transport: arms, pairing, scores by hand, tiny runs end to end, bad input."""

import json

import numpy as np
import pytest
from refusals import refused
from toy_worlds import NoRun

import replication
from replication.algos.team_policy import Player, build_team
from replication.envs.navigators import make_controller, play
from replication.papers.optimal_transport import arms_teams
from replication.papers.optimal_transport.study_teams import ScriptedStudy, TeamStudy
from replication.papers.optimal_transport.teams import Course, exam, play_scripted, speed, team_work, train
from replication.seeding import keys
from replication.settings import PROFILES

ARMS_OF = {name: getattr(arms_teams, name) for name in dir(arms_teams) if name.endswith("_arms")}
TINY = {"test_episodes": 6, "validation_episodes": 4, "looks": 2, "updates": 2}
SCORES = {
    "score", "stochastic_score", "best_score", "return", "coverage", "collisions", "area", "steps_to_080",
    "reached_080", "diversity", "visits_pooled", "visits_within", "alignment_share", "seconds",
}  # fmt: skip


def tiny(label="independent", **values):
    learner = arms_teams.learner(label, envs=4, hidden=(16, 16))
    return TeamStudy(learner=learner, **(TINY | values))


@pytest.fixture(scope="module")
def learned():
    """(study, result) of a tiny run of two seeds with an alignment of visits."""
    study = tiny("OT barycenter", updates=4)
    return study, train(study, (3, 8), NoRun())


# arms


@pytest.mark.parametrize("name", ARMS_OF)
def test_arms_are_valid_settings_that_differ_and_a_small_profile_has_some_of_them(name):
    arms = {profile: ARMS_OF[name](profile) for profile in PROFILES}
    for profile, chosen in arms.items():
        digests = [study.digest() for study in chosen.values()]
        assert len(set(digests)) == len(digests), profile
        assert set(chosen) <= set(arms["full"]), profile
        for study in chosen.values():
            replication.make(study.world, num_envs=1, **study.options)
    assert len(arms["smoke"]) >= 1
    assert len(arms["full"]) == {
        "scripted_arms": 21, "team_arms": 9, "control_arms": 10, "team_size_arms": 12, "continuous_arms": 6,
        "task_arms": 20, "tuning_arms": 36, "beta_arms": 43, "frequency_arms": 11, "ablation_arms": 11,
        "factorial_arms": 16, "many_agents_arms": 12,
    }[name]  # fmt: skip


def test_profiles_grow_and_work_counts_agent_steps():
    sizes = [team_work(arms_teams.team_arms(profile)["independent"]) for profile in PROFILES]
    assert sizes == sorted(sizes)
    study = arms_teams.many_agents_arms("full")["12 agents, OT barycenter"]
    assert team_work(study) == pytest.approx(study.updates * 256 * 25 * 12 / 1e6)
    assert team_work(study.but(learner__epochs=4)) == pytest.approx(2 * team_work(study))


def test_the_same_team_is_the_same_run_in_every_experiment():
    teams, controls = arms_teams.team_arms("full"), arms_teams.control_arms("full")
    cells = arms_teams.factorial_arms("full")
    same = {
        "none": teams["independent"],
        "transport": teams["OT barycenter"],
        "sharing": teams["sharing with numbers"],
        "central critic": controls["centralised critic"],
        "transport + central critic": controls["centralised critic, OT barycenter"],
        "assignment": controls["assignment in view"],
    }
    for cell, study in same.items():
        assert cells[cell].digest() == study.digest(), cell
    assert arms_teams.frequency_arms("full")["every 1"].digest() == teams["OT barycenter"].digest()
    assert arms_teams.ablation_arms("full")["base"].digest() == teams["OT barycenter"].digest()
    for cell, study in cells.items():
        learner = study.learner
        found = (learner.alignment.kind == "ot_barycenter", learner.nets == "shared_id",
                 learner.critic_sees == "state", learner.assignment)  # fmt: skip
        assert found == tuple(factor in cell for factor in arms_teams.FACTORS), cell


def test_strengths_of_placebos_are_those_of_what_they_stand_beside():
    strong = arms_teams.BETAS["OT barycenter"]
    arms = arms_teams.team_arms("full") | arms_teams.control_arms("full")
    for label in (
        "OT barycenter",
        "OT within episodes",
        "shuffled placebo",
        "random placebo",
        "centralised critic, OT barycenter",
    ):
        assert arms[label].learner.alignment.beta == strong, label
    assert arms["wanted diversity"].learner.alignment.wanted == arms_teams.WANTED
    swept = arms_teams.beta_arms("full")
    assert not swept.pop("independent").learner.alignment.active
    assert {study.learner.alignment.beta for study in swept.values()} == set(arms_teams.GRID)


# judging


def test_scores_of_a_scripted_controller_are_those_of_playing_it_by_hand():
    study = ScriptedStudy(world="navigation/spread2", controller="greedy", test_episodes=7)
    scores = play_scripted(study, (5,), NoRun()).scores
    world = replication.make("navigation/spread2", num_envs=7)
    own = keys("navigation test episodes", 5, count=7)
    sums = {name: play(world, make_controller(world, name), own) for name in ("random", "greedy", "hungarian_dynamic")}
    low, mean, high = (sums[name]["return"].mean() for name in ("random", "greedy", "hungarian_dynamic"))
    assert scores["score"] == pytest.approx([(mean - low) / (high - low)])
    assert scores["return"] == pytest.approx([mean])
    assert scores["coverage"] == pytest.approx([sums["greedy"]["final_coverage"].mean()])
    assert scores["collisions"] == pytest.approx([sums["greedy"]["collisions"].sum() / 7 / 2])


@pytest.mark.parametrize("world", ["navigation/spread3", "navigation/rendezvous3", "navigation/formation4"])
@pytest.mark.parametrize("options", [{}, arms_teams.FORCE, arms_teams.UNEQUAL])
def test_anchors_score_exactly_zero_and_one_on_every_task(world, options):
    base = ScriptedStudy(world=world, options=options, test_episodes=6)
    for controller, score in (("random", 0.0), ("hungarian_dynamic", 1.0)):
        found = play_scripted(base.but(controller=controller), (0, 1), NoRun()).scores
        assert found["score"].tolist() == [score, score]
        assert found["visits_within"].min() > 0.0


def test_the_oracle_of_rendezvous_sends_everybody_to_the_common_place():
    study = ScriptedStudy(world="navigation/rendezvous3", test_episodes=50)
    oracle, one = (
        play_scripted(study.but(controller=name), (0,), NoRun()).scores for name in ("hungarian_dynamic", "all_to_one")
    )
    assert oracle["return"] == pytest.approx(one["return"])
    assert oracle["coverage"][0] > 0.9


def test_a_seed_has_test_episodes_of_its_own_the_same_for_all_arms():
    arms = arms_teams.team_arms("smoke").values()
    courses = [exam(study, 4) for study in arms]
    assert all(np.array_equal(course.keys, courses[0].keys) for course in courses)
    assert not set(exam(next(iter(arms)), 5).keys.tolist()) & set(courses[0].keys.tolist())
    study = next(iter(arms))
    both = Course(study, (3, 4), "test", study.test_episodes)
    assert np.array_equal(both.keys[study.test_episodes :], courses[0].keys)
    assert not set(Course(study, (4,), "validation", 50).keys.tolist()) & set(courses[0].keys.tolist())
    assert [mean[1] for mean in both.anchors] == [mean[0] for mean in courses[0].anchors]


def test_speed_is_the_area_under_the_looks_and_the_first_good_one():
    study = TeamStudy(updates=40)  # 40 * 256 * 25 * 3 agent-steps: 0.768 million
    curves = {
        "_evaluated_at": np.array([0, 10, 20, 40]),
        "evaluated_score": np.array([[-2.0, 0.4, 0.8, 0.7], [0.9, 0.2, 0.6, 0.6]]),
    }
    found = speed(study, curves)
    by_hand = [
        10 * (0.0 + 0.4) / 2 + 10 * (0.4 + 0.8) / 2 + 20 * (0.8 + 0.7) / 2,
        10 * (0.0 + 0.2) / 2 + 10 * (0.2 + 0.6) / 2 + 20 * (0.6 + 0.6) / 2,
    ]
    assert found["area"] == pytest.approx(np.array(by_hand) / 40)
    assert found["steps_to_080"] == pytest.approx([0.384, 0.768])
    assert found["reached_080"].tolist() == [1.0, 0.0]
    assert curves["evaluated_score"][0, 0] == -2.0  # curves stay as they were


# training


@pytest.mark.parametrize(
    "study",
    [
        tiny("sharing with numbers"),
        tiny("OT actions", options=arms_teams.FORCE),
        tiny("OT potential", world="navigation/formation4"),
        tiny("OT within episodes", options=arms_teams.UNEQUAL),
        tiny("OT barycenter", world="navigation/spread6", options=arms_teams.CROWD),
    ],
    ids=["choices", "forces", "formation", "unequal", "crowd"],
)
def test_a_tiny_run_has_all_scores_and_curves(study):
    result = train(study, (0, 1), NoRun())
    assert set(result.scores) >= SCORES
    for name, values in result.scores.items():
        assert values.shape == (2,), name
        assert np.isfinite(values).all(), name
    assert result.curves["evaluated_score"].shape == (2, 3)
    assert result.curves["evaluated_stochastic_score"].shape == (2, 3)
    assert result.curves["_evaluated_at"].tolist() == [0, 1, 2]
    assert result.scores["alignment_share"].min() >= 0.0
    assert result.scores["reached_080"].tolist() == [0.0, 0.0]
    assert result.scores["steps_to_080"] == pytest.approx(team_work(study))


def test_a_run_leaves_a_team_that_scores_the_same_again(learned):
    study, result = learned
    policy = build_team(result.policy, json.loads(json.dumps(result.policy_card)))
    for place, seed in enumerate((3, 8)):
        course = exam(study, seed)
        returns = course.play(Player(policy.seed(place)))["return"]
        assert course.score(returns) == pytest.approx(result.scores["score"][[place]])
        assert returns.mean() == pytest.approx(result.scores["return"][place])


def test_the_best_look_may_be_another_team_than_the_last(learned):
    result = learned[1]
    looks = result.curves["evaluated_score"][:, 1:]
    last_is_best = looks.argmax(axis=1) == looks.shape[1] - 1
    same = result.scores["best_score"] == result.scores["score"]
    assert np.array_equal(same, last_is_best)


def test_a_seed_learns_and_scores_the_same_alone(learned):
    study, both = learned
    alone = train(study, (8,), NoRun())
    for name in SCORES - {"seconds", "alignment_share"}:
        assert both.scores[name][1] == pytest.approx(alone.scores[name][0], abs=1e-4), name
    assert both.curves["evaluated_score"][1] == pytest.approx(alone.curves["evaluated_score"][0], abs=1e-4)
    assert both.scores["return"][0] != pytest.approx(both.scores["return"][1])


def test_how_much_potentials_change_is_told_where_they_are_computed_twice(learned):
    assert learned[1].scores["potentials_changed"].min() > 0.0
    once = tiny("OT barycenter").but(learner__alignment__every=1000)
    assert "potentials_changed" not in train(once, (0,), NoRun()).scores


# bad input


@pytest.mark.parametrize(
    ("study", "message"),
    [
        (ScriptedStudy(controller="hungarien"), "unknown controller 'hungarien' .did you mean hungarian"),
        (ScriptedStudy(world="navigation/spred3"), "unknown navigation world 'spred3'"),
        (ScriptedStudy(world="navigatoin/spread3"), "unknown"),
        (ScriptedStudy(options={"raduis": 0.1}), "unknown setting 'raduis'"),
    ],
)
def test_bad_names_end_in_one_line(study, message):
    with refused(message):
        play_scripted(study, (0,), NoRun())


def test_bad_numbers_end_in_one_line():
    for values in ({"updates": 0}, {"looks": 0}, {"test_episodes": 0}, {"validation_episodes": 0}, {"worlds": "x"}):
        with refused():
            TeamStudy(**values)
