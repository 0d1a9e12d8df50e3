"""The general-utilities paper: its problems have the optimum they claim, its measures give known answers."""

import numpy as np
import pytest
from oracles import decay_bounds

from replication.algos.truncated_pg_settings import TruncatedPGSettings
from replication.algos.utilities import utility
from replication.envs import voter_exact as voter
from replication.papers.general_utilities import arms, arms_training, measures, problems, training
from replication.papers.general_utilities.study import (
    DecayStudy,
    EstimateStudy,
    GrowthStudy,
    SampleStudy,
    ScriptedStudy,
    ShadowStudy,
    TrainingStudy,
)

FIVE = {"n": 5, "alpha": 0.6, "delta": 0.1}


class NoStore:
    """A run that keeps nothing."""

    def log(self, step, **numbers):
        """Nothing is logged."""

    def checkpoint(self, step, make_state):
        """Nothing is saved."""

    def restore(self):
        """There is nothing to go on from."""

    def progress(self, fraction):
        """Nobody listens."""


def test_the_optimum_of_five_agents_with_targets():
    problem = problems.voter_problem(FIVE, "quadratic_state", 1.0, 0.9)
    assert problem.optimum == pytest.approx(-0.0426471, abs=1e-7)
    assert problem.short < 1e-9
    assert problem.floor < problem.optimum


@pytest.mark.parametrize("name", problems.UTILITIES)
def test_nothing_beats_the_optimum_and_its_policy_attains_it(name):
    problem = problems.voter_problem(FIVE, name, 1.0, 0.9)
    best = voter.optimum(problem.model, 0.9, lambda up: problems._of_marginal(problem.utility, up)).policy
    assert problem.look(best)["gap"] == pytest.approx(0.0, abs=1e-7)
    for seed in range(20):
        policy = measures.random_policy(problem.model, "test policies", seed, 3.0)
        assert problem.look(policy)["gap"] > -1e-9


def test_targets_spread_around_one_half():
    model = problems.network("network/voter", FIVE)
    alike = problems.make_utility("quadratic_state", 0.0, model, 0.9)
    half = np.full((5, 2, 2), 0.25)
    assert alike.value(half) == pytest.approx(np.zeros(5))
    apart = problems.make_utility("quadratic_state", 1.0, model, 0.9)
    assert apart.value(half) == pytest.approx(-((0.5 - np.array(problems.TARGETS)) ** 2))


def test_decay_of_the_parity_ring():
    study = DecayStudy(
        world="network/parity", options={"n": 8, "act": 0.0, "flip": 0.0, "start": 0.5}, discount=0.9, policies=0
    )
    scores = measures.measure_decay(study, (0,), NoStore()).scores
    assert [scores[f"s{kappa}"][0] for kappa in range(4)] == pytest.approx([2.439, 1.539, 0.729, 0.0], abs=1e-9)
    assert scores["front_bound_ratio"][0] == pytest.approx(2.439 / 9.0)
    assert scores["decline"][0] == pytest.approx((0.729 / 2.439) ** 0.5)


def test_the_front_bound_is_that_of_strictly_local_networks():
    for world in ("network/parity", "network/voter", "network/glauber"):
        model = problems.network(world, {"n": 8})
        policy = measures.random_policy(model, "test policies", 0)
        wanted = decay_bounds.front_bound(model, policy, measures.up_rewards(model), 0.9)
        assert measures.front_bound(np.arange(len(wanted)), 0.9) == pytest.approx(wanted, rel=1e-12)


def test_growth_tells_the_ring_from_the_mean_field():
    mean = measures.measure_growth(
        GrowthStudy(options={"graph": "mean_field", "alpha": 0.9}, agents=64), (0,), NoStore()
    )
    assert mean.scores["far_share"][0] == pytest.approx((64 - 7) / (64 - 1))
    ring = measures.measure_growth(GrowthStudy(options={"alpha": 0.9}, agents=128), (0,), NoStore())
    assert ring.scores["decline_over_closed_form"][0] == pytest.approx(1.0, abs=1e-3)


def test_an_estimate_with_many_trajectories_is_left_with_its_bias():
    learner = TruncatedPGSettings(kappa=0, batch=20_000, horizon=20, discount=0.5)
    study = EstimateStudy(options={"n": 6, "alpha": 0.9}, learner=learner, utility="quadratic_state", repeats=1)
    scores = measures.estimate_error(study, (1000,), NoStore()).scores
    assert scores["bias"][0] > 0.05
    assert scores["rmse"][0] == pytest.approx(scores["bias"][0], rel=0.1)
    assert scores["samples"][0] == 2 * 20_000 * 20


def test_budgets_are_spent_with_iterations_tied_to_the_batch():
    for study in arms_training.sample_arms("full").values():
        batch, iterations = training.split(study)
        assert 2 * batch * iterations * study.learner.horizon == pytest.approx(study.samples, rel=0.03)
        assert iterations / batch == pytest.approx(study.iterations_per_batch, rel=0.15)
    tiny = SampleStudy(samples=100)
    assert training.split(tiny) == (1, 1)


def test_exact_training_comes_to_the_optimum_and_sampled_training_near():
    base = TrainingStudy(
        options=FIVE, utility="state_entropy", iterations=200, evaluate_every=100,
        learner=TruncatedPGSettings(step_size=10.0, horizon=60, batch=32),
    )  # fmt: skip
    exact = training.train_known(base.but(source="exact"), (0, 1), NoStore())
    assert np.all(exact.scores["gap_left"] < 1e-3)
    assert np.all(exact.scores["samples"] == 0)
    sampled = training.train_known(base, (0, 1), NoStore())
    assert np.all(sampled.scores["gap_left"] < 0.1)
    assert sampled.curves["evaluated_gap_left"][:, 0] == pytest.approx(exact.curves["evaluated_gap_left"][:, 0])
    assert np.all(sampled.curves["evaluated_gap_left"][:, 0] > 0.3)
    assert list(sampled.curves["_evaluated_samples"]) == [0, 100 * 2 * 32 * 60, 200 * 2 * 32 * 60]


def test_always_passing_the_message_on_earns_all_there_is():
    study = ScriptedStudy(world="network/line", controller="always", discount=0.99, episodes=3)
    scores = training.judge_scripted(study, (0,), NoStore()).scores
    assert scores["return"][0] == pytest.approx(23.75)
    assert scores["entropy_missing"][0] == 0.0


def test_state_entropy_of_two_states():
    states = np.array([0, 0, 1, 1] * 3, dtype=np.int8).reshape(3, 4, 1)
    assert training.state_entropy(states, 2) == pytest.approx(np.log(2.0))
    assert training.state_entropy(np.zeros((2, 3, 1), np.int8), 2) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("label", ["state_entropy, smoothing 1e-08", "quadratic_state", "transport"])
def test_shadow_rewards_are_large_only_with_logarithms(label):
    study = arms.shadow_arms("full")[label]
    largest = measures.shadow_stability(study, (1000,), NoStore()).scores["largest"][0]
    assert (largest > 10) == ("entropy" in label)


def test_every_utility_of_the_shadow_study_can_be_built():
    for name in arms.SHADOWS:
        built = utility(name, (6, 2, 2), **measures.shadow_parameters(ShadowStudy(utility=name)))
        assert np.isfinite(built.value(np.full((6, 2, 2), 0.25))).all()
