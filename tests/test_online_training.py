"""Online learning: every paradigm and backbone learns, runs resume bitwise, seeds stay apart, records are complete."""

from itertools import pairwise

import numpy as np
import pytest
from refusals import refused
from toy_discrete import Picks, Same
from toy_worlds import Interrupted, KeptRun, NoRun

from replication.algos.online_settings import OnlineSettings
from replication.algos.online_training import train_online

BACKBONES, PARADIGMS = ("sac", "dqn"), ("ctde", "independent", "centralised")


def small(backbone="dqn", paradigm="ctde", **changes) -> OnlineSettings:
    plain = OnlineSettings(envs=4, warm_up=8, capacity=128, epsilon_steps=10)
    learner = {"backbone": backbone, "paradigm": paradigm, "hidden": (16, 16), "batch_size": 16}
    return plain.but(**{f"learner__{name}": value for name, value in learner.items()}).but(**changes)


def greedy_score(policy, lanes=40, horizon=5) -> float:
    """Share of right greedy actions."""
    world, rewards = Picks(lanes, horizon), []
    observation = world.reset(np.arange(1000, 1000 + lanes, dtype=np.uint64))
    for _ in range(horizon):
        observation, reward, *_ = world.step(policy.act(observation, world.action_mask()))
        rewards.append(reward.mean())
    return float(np.mean(rewards))


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("paradigm", PARADIGMS)
def test_every_paradigm_learns_what_is_right(backbone, paradigm):
    settings = small(backbone, paradigm, envs=16, warm_up=50, capacity=20_000, epsilon_steps=200, updates_per_step=2)
    settings = settings.but(learner__learning_rate=3e-3, learner__hidden=(32, 32), learner__batch_size=64)
    settings = settings.but(learner__discount=0.0)
    trained = train_online(settings, Picks(16), (0,), NoRun(), steps=800)
    assert greedy_score(trained.last) > 0.85  # random: 0.37
    assert trained.curves["right"][0, -1] > 0.7  # while exploring


@pytest.mark.parametrize(("terminates", "value"), [(False, 10.0), (True, 3.571)])
def test_values_reach_past_a_time_limit_but_not_past_an_end(terminates, value):
    """Reward 1 for ever at discount 0.9 is worth 10; where unforeseen one step in five is the last, 1 / (1 - 0.72)."""
    settings = small(input_scaling="none", warm_up=100, capacity=4000, updates_per_step=3)
    settings = settings.but(learner__target_rate=0.05, learner__learning_rate=2e-3, learner__batch_size=64)
    settings = settings.but(learner__discount=0.9)
    trained = train_online(settings, Same(4, terminates=terminates), (0,), NoRun(), steps=600)
    assert np.allclose(trained.last.values(np.ones((1, 1, 1), np.float32)), value, rtol=0.06)


@pytest.mark.parametrize("stop_after", [5, 8, 13, 24])
@pytest.mark.parametrize("backbone", BACKBONES)
def test_an_interrupted_run_resumes_bitwise(backbone, stop_after):
    """In the warm-up, at its end, between two points of the curves, and at one of them."""

    def judge(policy):
        return {"score": -np.abs(policy.weights).sum(axis=(1, 2))}

    def finish(run):
        tuned = small(backbone).but(learner__entropy_target=0.5 if backbone == "sac" else None)
        return train_online(tuned, Picks(8), (0, 1), run, steps=40, evaluate=judge, evaluate_every=6)

    straight = finish(NoRun())
    broken = KeptRun(stop_after)
    with pytest.raises(Interrupted):
        finish(broken)
    broken.stop_after = None
    resumed = finish(broken)
    assert [step for step, _ in broken.logged] == [12, 18, 24, 30, 36, 40]
    assert straight.curves.keys() == resumed.curves.keys()
    for curve, values in straight.curves.items():
        assert np.array_equal(values, resumed.curves[curve]), curve
    for one, other in ((straight.last, resumed.last), (straight.best, resumed.best)):
        for name, values in one.arrays().items():
            assert np.array_equal(values, other.arrays()[name]), name
    assert np.array_equal(straight.best_step, resumed.best_step)


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("paradigm", PARADIGMS)
def test_a_seed_learns_the_same_alone_and_in_company(backbone, paradigm):
    settings = small(backbone, paradigm)
    together = train_online(settings, Picks(3 * 4), (4, 7, 9), NoRun(), steps=30, evaluate_every=10)
    alone = train_online(settings, Picks(4), (7,), NoRun(), steps=30, evaluate_every=10)
    for name, values in alone.last.arrays().items():
        assert np.allclose(together.last.arrays()[name][1], values[0], atol=1e-5), name
    for curve in ("reward", "right", "critic_loss"):
        assert np.allclose(together.curves[curve][1], alone.curves[curve][0], atol=1e-5)
    assert not np.allclose(together.last.weights[0], together.last.weights[1])


def test_each_seed_keeps_its_own_best_policy():
    seen = []

    def judge(policy):
        seen.append(policy)
        return {"score": np.array([[9.0, 9.0], [1.0, 5.0], [2.0, 4.0], [0.0, 6.0]][len(seen) - 1])}

    trained = train_online(small(), Picks(8), (0, 1), NoRun(), steps=26, evaluate=judge, evaluate_every=9)
    assert trained.best_step.tolist() == [18, 26]  # the untrained policy's 9 does not count
    assert np.array_equal(trained.best.weights[0], seen[2].weights[0])
    assert np.array_equal(trained.best.weights[1], seen[3].weights[1])
    assert not np.array_equal(trained.best.weights[0], trained.last.weights[0])
    assert trained.curves["evaluated_score"].tolist() == [[9, 1, 2, 0], [9, 5, 4, 6]]
    assert trained.curves["_evaluated_at"].tolist() == [8, 9, 18, 26]
    assert trained.curves["_steps"].tolist() == [9, 18, 26]


def test_without_an_evaluation_the_last_policy_is_the_best():
    trained = train_online(small(), Picks(8), (0, 1), NoRun(), steps=12)
    assert trained.best is trained.last
    assert trained.best_step.tolist() == [12, 12]
    assert "final_time" not in trained.curves
    assert "actions" not in trained.curves


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_record_sees_every_step_and_the_run_saves_nothing(backbone):
    records, run = [], KeptRun()
    train_online(small(backbone), Picks(8), (0, 1), run, steps=30, record=records.append)
    assert run.saved is None
    assert [record.step for record in records] == list(range(1, 31))
    for before, after in pairwise(records):
        cut = before.truncated
        assert np.array_equal((before.next_observation == after.observation).all(axis=(1, 2)), ~cut)
        assert np.array_equal(before.next_mask[~cut], after.mask[~cut])
        assert np.take_along_axis(before.mask, before.action, axis=2).all()
        assert np.array_equal(before.info["right"], before.reward[:, 0])
    assert sum(record.truncated.sum() for record in records) == 8 * 6
    quiet = train_online(small(backbone), Picks(8), (0, 1), NoRun(), steps=30)
    again = train_online(small(backbone), Picks(8), (0, 1), NoRun(), steps=30, record=records.append)
    assert np.array_equal(quiet.last.weights, again.last.weights)  # recording changes nothing


def test_the_warm_up_fits_the_scaling_without_the_places_of_nobody():
    records = []
    settings = small(warm_up=40, envs=8)
    trained = train_online(settings, Picks(8), (0,), NoRun(), steps=41, record=records.append)
    seen = np.concatenate([record.observation for record in records[24:40]])  # the 128 that the replay keeps
    mask = np.concatenate([record.mask for record in records[24:40]])
    there = seen[mask[:, 0, 2], 0, 2]
    assert np.isclose(trained.last.scaling.mean[0, 0, 2], there.mean(), rtol=1e-4)
    assert np.isclose(trained.last.scaling.factor[0, 0, 2], 1 / there.std(), rtol=1e-4)
    assert not mask[:, 0, 2].all()
    raw = train_online(settings.but(input_scaling="none"), Picks(8), (0,), NoRun(), steps=41)
    assert np.array_equal(raw.last.scaling.mean, np.zeros((1, 2, 4), np.float32))


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda: train_online(small(), Picks(4), (0,), NoRun(), steps=8), "none after the warm-up of 8"),
        (lambda: train_online(small(), Picks(5), (0, 1), NoRun(), steps=9), "2 seeds x 4 envs need 8"),
    ],
)
def test_bad_input_is_one_line(attempt, message):
    with refused(message):
        attempt()
