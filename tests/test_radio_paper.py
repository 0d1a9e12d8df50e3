"""What one run of the radio paper does: judging, learning, transfer, sizes of networks, policies of single agents."""

import numpy as np
import pytest

from replication.algos.cql_settings import CQLSettings
from replication.algos.discrete_policy import build_discrete_policy, load_discrete_policy, save_discrete_policy
from replication.envs.radio_settings import RadioSettings
from replication.envs.schedulers import make_controller
from replication.papers.radio_resource import arms, datasets
from replication.papers.radio_resource.complexity import measure_complexity
from replication.papers.radio_resource.evaluation import Driver, judge, layout_world
from replication.papers.radio_resource.learning import learn_offline, play_scheduler, transfer
from replication.papers.radio_resource.study import ComplexityStudy, SchedulerStudy

SHORT = RadioSettings(horizon=40)


class NoRun:
    """A run that keeps nothing."""

    def log(self, step, **numbers):
        pass

    def checkpoint(self, step, make_state):
        pass

    def restore(self):
        return None

    def progress(self, fraction):
        pass


@pytest.fixture(autouse=True)
def own_runs(tmp_path_factory, monkeypatch):
    """Datasets of these tests are shared by them and nobody else."""
    monkeypatch.setenv("REPLICATION_RUNS", str(tmp_path_factory.getbasetemp() / "radio paper"))


@pytest.fixture
def learned():
    """(study, result) of a tiny offline run of two seeds."""
    study = arms.offline("smoke", tier="random", sampled=True)
    return study, learn_offline(study, (0, 1), NoRun())


def scores_of(name, seeds, layouts=3, split="test"):
    world = layout_world("radio/4x24", SHORT, seeds, layouts)
    return judge(world, make_controller(world, name), seeds, split, by_rank=False)


def test_a_seed_has_layouts_of_its_own_whoever_is_beside_it_and_whoever_plays():
    both, alone = scores_of("itlinq", (3, 8)), scores_of("itlinq", (8,))
    assert np.array_equal(both.layouts["score"][1], alone.layouts["score"][0])
    assert not np.allclose(both.layouts["score"][0], both.layouts["score"][1])
    assert not np.allclose(scores_of("itlinq", (8,), split="validation").layouts["score"], alone.layouts["score"])
    seeds = (3, 8)
    worlds = [layout_world("radio/4x24", SHORT, seeds, 3) for _ in range(2)]
    for world, name in zip(worlds, ("itlinq", "tdm_users"), strict=True):
        judge(world, make_controller(world, name), seeds, "test", by_rank=False)
    assert np.array_equal(worlds[0].long_term_snr, worlds[1].long_term_snr)


def test_scores_are_means_over_layouts_and_the_pooled_tail_is_over_all_users():
    outcome = scores_of("full_reuse", (0, 1))
    scores, curves = outcome.scores("x_"), outcome.curves()
    assert scores["x_sum_rate"] == pytest.approx(outcome.layouts["sum_rate"].mean(axis=1))
    rates = outcome.rates.reshape(2, 3, 24)
    assert outcome.layouts["sum_rate"] == pytest.approx(rates.sum(axis=2))
    assert outcome.layouts["tail_rate"] == pytest.approx(np.percentile(rates, 5, axis=2))
    assert scores["x_pooled_tail_rate"] == pytest.approx(np.percentile(outcome.rates, 5, axis=1))
    expected = outcome.layouts["sum_rate"] / 24 + 3 * outcome.layouts["tail_rate"]
    assert curves["layout_score"] == pytest.approx(expected)
    assert curves["rate_quantiles"][:, -1] == pytest.approx(outcome.rates.max(axis=1))
    assert curves["served"].shape == (2, 40, 4)
    assert (curves["served"] >= 0).all()  # full reuse is never off


def test_a_scheduler_may_be_held_to_the_agents_actions():
    study = SchedulerStudy(environment=SHORT, test_layouts=3, scheduler="myopic_oracle")
    free, held = (play_scheduler(study.but(by_rank=by_rank), (0,), NoRun()).scores for by_rank in (False, True))
    assert held["reward"] < free["reward"]


def test_an_offline_run_tells_last_best_validation_and_what_values_promise(learned):
    study, result = learned
    scores = result.scores
    for name in ("score", "best_score", "sampled_score", "validation_score", "mean_q", "conservative", "best_at"):
        assert scores[name].shape == (2,), name
        assert np.isfinite(scores[name]).all(), name
    worth = scores["reward"] / (1 - study.learner.discount)
    assert scores["overestimation"] == pytest.approx(scores["mean_q"] - worth)
    assert result.curves["evaluated_score"].shape[0] == 2
    policy = build_discrete_policy(result.policy, result.policy_card)
    world = layout_world(study.world, study.environment, (0, 1), study.test_layouts)
    again = judge(world, Driver(policy, (0, 1)), (0, 1), "test")
    assert again.scores()["score"] == pytest.approx(scores["score"])


def test_a_seed_learns_the_same_alone(learned):
    study, both = learned
    alone = learn_offline(study, (1,), NoRun())
    assert alone.scores["score"][0] == both.scores["score"][1]
    assert alone.scores["mean_q"][0] == pytest.approx(both.scores["mean_q"][1])


def test_another_lambda_pays_the_same_logs_anew():
    studies = [arms.offline("smoke", tier="random", environment={"fairness": value}) for value in (0.0, 0.8)]
    sums, fair = (learn_offline(study, (0,), NoRun()).scores["mean_q"] for study in studies)
    assert sums != pytest.approx(fair)
    assert len(list(datasets.datasets_folder().glob("random-*"))) == 1


def test_transfer_judges_elsewhere_what_was_learned_here():
    places = arms.elsewhere()
    study = arms.transfer_arms("smoke")["CTDE"]
    wanted = {name: places[name] for name in ("12 users", "walking 30 m/s")}
    study = study.but(tier="random", elsewhere=wanted)
    scores = transfer(study, (0,), NoRun()).scores
    usual = learn_offline(arms.offline("smoke", tier="random"), (0,), NoRun()).scores
    assert scores["score"] == usual["score"]
    assert len({float(scores[name][0]) for name in ("score", "12 users: score", "walking 30 m/s: score")}) == 3


@pytest.mark.parametrize(
    ("paradigm", "aps", "parameters", "outputs"),
    [
        ("centralised", 4, 137_984, 256),
        ("ctde", 4, 4 * 68_612, 16),
        ("ctde", 6, 411_672, 24),
        ("centralised", 6, 1_127_936, 4_096),
    ],
)
def test_sizes_are_those_counted_by_hand(paradigm, aps, parameters, outputs):
    learner = CQLSettings(paradigm=paradigm, backbone="dqn", hidden=(256, 256), batch_size=4)
    scores = measure_complexity(ComplexityStudy(access_points=aps, learner=learner, timed=1), (0,), NoRun()).scores
    assert (scores["parameters"][0], scores["outputs"][0]) == (parameters, outputs)
    assert (scores["bytes_per_tti"][0] > 0) == (paradigm == "centralised")
    assert ("update_ms" in scores) == (outputs < 4_096)


def test_policies_of_single_access_points_drive_the_world_from_their_files(learned, tmp_path):
    study, result = learned
    team = build_discrete_policy(result.policy, result.policy_card).seed(1)
    for ap in range(team.num_agents):
        save_discrete_policy(tmp_path / f"ap{ap}", team.agent(ap))
    alone = [load_discrete_policy(tmp_path / f"ap{ap}") for ap in range(team.num_agents)]

    class OnTheirOwn:
        def reset(self, world):
            pass

        def act(self, world):
            seen, mask = world.observation(), world.action_mask()
            acts = [policy.act(seen[:, [ap]], mask[:, [ap]]) for ap, policy in enumerate(alone)]
            return np.concatenate(acts, axis=1)

    world = layout_world(study.world, study.environment, (1,), study.test_layouts)
    played = judge(world, OnTheirOwn(), (1,), "test").scores()["score"]
    assert played[0] == pytest.approx(result.scores["score"][1])
