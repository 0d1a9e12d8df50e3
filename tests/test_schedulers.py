"""The scripted schedulers of the radio worlds against their slow twins, their rules, and the measured calibration."""

import re

import numpy as np
import pytest
from oracles import radio as slow
from refusals import refused

import replication
from replication.envs.schedulers import SCHEDULERS, best_patterns, candidates, itlinq, play
from replication.seeding import keys, stream

# scores of 40 other layouts by an independent simulator (T = 1000, 100 TTIs of warm-up, η 0.01, λ 0.8)
CALIBRATION = {
    "random": 1.114,
    "full_reuse": 1.187,
    "tdm_users": 1.139,
    "tdm_access_points": 0.925,
    "itlinq": 1.199,
    "greedy_rate": 1.066,
    "myopic_oracle": 1.778,
    "top_oracle": 1.685,  # choosing among the top 3 only, as agents do
}


def ready(name="radio/3x9", lanes=20, steps=30, **settings):
    """A world some TTIs into an episode."""
    world = replication.make(name, num_envs=lanes, **({"horizon": 200, "warm_up": 10} | settings))
    world.reset(keys("schedulers", count=lanes))
    walk = replication.controller(world, "random")
    for _ in range(steps):
        world.step(walk.act(world))
    return world


@pytest.fixture(scope="module")
def played():
    world = replication.make("radio/4x24", num_envs=48)
    lane_keys = keys("radio calibration test", count=48)
    schedulers = {name: replication.controller(world, name) for name in SCHEDULERS}
    schedulers["top_oracle"] = replication.controller(world, "myopic_oracle", candidates="top")
    return {name: play(world, scheduler, lane_keys) for name, scheduler in schedulers.items()}


def test_itlinq_equals_its_twin():
    rng, silenced = stream("itlinq"), 0
    for _ in range(40):
        gain, factor = 10.0 ** rng.uniform(0.0, 5.0, (1, 5, 12)), rng.uniform(0.1, 3.0, (1, 12))
        users = np.where(rng.random((1, 5)) < 0.8, rng.permutation(12)[None, :5], -1)
        margin, exponent = 10.0 ** rng.uniform(0.0, 2.5), rng.uniform(0.3, 0.7)
        expected = slow.itlinq(gain[0], factor[0], users[0], margin, exponent)
        silenced += np.count_nonzero(users[0] != expected)
        itlinq(gain, factor, margin, exponent, users)
        assert users[0].tolist() == list(expected)
    assert silenced > 40


def test_itlinq_of_a_world_uses_the_published_constants():
    world = ready("radio/6x18", lanes=60, area=150.0)
    users = replication.controller(world, "itlinq").users(world)
    factor = world.weights * np.log2(1.0 + world.known_sinr)
    for lane in range(60):
        assert slow.itlinq(world.gains[lane], factor[lane], world.ranked[lane, :, 0]) == users[lane].tolist()
    assert (users < 0).any()
    lenient = replication.controller(world, "itlinq", margin=80.0).users(world)
    np.testing.assert_array_equal(lenient, world.ranked[:, :, 0])


def test_the_oracle_beats_every_joint_choice():
    rng = stream("oracle")
    for _ in range(25):
        gain, value = 10.0 ** rng.uniform(-1.0, 4.0, (1, 3, 7)), rng.uniform(0.1, 5.0, (1, 7))
        serving = rng.integers(3, size=7)
        allowed = (serving == np.arange(3)[:, None])[None]
        users = np.empty((1, 3), np.int64)
        best_patterns(gain, value, allowed, users)
        best = slow.best_choice(gain[0], value[0], allowed[0])
        assert users[0].tolist() == list(best)


def test_the_oracle_maximises_the_reward_of_the_next_tti():
    world = ready(fairness=0.6)
    for which, limit in (("all", 9), ("top", 3)):
        oracle = replication.controller(world, "myopic_oracle", candidates=which)
        allowed = candidates(world, which)
        assert allowed.sum(axis=2).max() <= limit
        users, saved = oracle.users(world), world.snapshot()
        reward = world.step_users(users)[4]["team_reward"]
        world.restore(saved)
        for lane in range(world.num_envs):
            value = world.weights[lane] ** 0.6
            best = slow.best_choice(world.gains[lane], value, allowed[lane])
            assert reward[lane] == pytest.approx(np.dot(value, slow.rates(world.gains[lane], best)), rel=1e-9)


def test_full_reuse_and_greedy_rate_keep_every_ap_on():
    world = ready()
    factor = world.weights * np.log2(1.0 + world.known_sinr)
    reuse, greedy = (replication.controller(world, name).users(world) for name in ("full_reuse", "greedy_rate"))
    for lane in range(world.num_envs):
        for ap in range(3):
            own = np.flatnonzero(world.serving[lane] == ap)
            assert reuse[lane, ap] == own[factor[lane, own].argmax()]
            assert greedy[lane, ap] == own[world.known_sinr[lane, own].argmax()]
    top = replication.controller(world, "greedy_rate", candidates="top").users(world)
    assert ((world.ranked == top[:, :, None]).any(axis=2)).all()
    assert (top != greedy).any()


def test_time_division_gives_every_user_or_ap_an_equal_share():
    world = ready(lanes=4, steps=0)
    users = [replication.controller(world, name) for name in ("tdm_users", "tdm_access_points")]
    served, turns = np.zeros((4, 9), int), []
    for _ in range(18):
        by_user, by_ap = (scheduler.users(world) for scheduler in users)
        assert (np.count_nonzero(by_user >= 0, axis=1) == 1).all()
        np.testing.assert_array_equal(by_ap.max(axis=1), world.ranked[:, :, 0][by_ap >= 0])
        turns.append(np.argmax(by_ap >= 0, axis=1))
        served[np.arange(4), by_user.max(axis=1)] += 1
        world.step_users(by_user)
    assert (served == 2).all()
    np.testing.assert_array_equal(np.array(turns)[:, 0], np.arange(18) % 3)


def test_random_play_is_uniform_over_valid_actions_and_belongs_to_the_episode():
    world = ready("radio/4x8", lanes=400, steps=0)
    walk = replication.controller(world, "random", seed=3)
    valid, counts, chances = world.action_mask(), np.zeros(4), np.zeros(4)
    for _ in range(20):
        actions, valid = walk.act(world), world.action_mask()
        assert np.take_along_axis(valid, actions, axis=2).all()
        counts += np.bincount(actions.ravel(), minlength=4)
        chances += (valid / valid.sum(axis=2, keepdims=True)).sum(axis=(0, 1))
        world.step(actions)
    np.testing.assert_allclose(counts, chances, rtol=0.05)
    order = np.arange(400)[::-1]
    turned = replication.make("radio/4x8", num_envs=400, horizon=200, warm_up=10)
    turned.reset(keys("schedulers", count=400)[order])
    again = ready("radio/4x8", lanes=400, steps=0)
    np.testing.assert_array_equal(walk.users(turned), walk.users(again)[order])
    assert (walk.users(again) != replication.controller(again, "random", seed=4).users(again)).any()


@pytest.mark.parametrize(
    "name", ["random", "full_reuse", "tdm_access_points", "itlinq", "greedy_rate", "myopic_oracle"]
)
def test_actions_say_the_same_as_users_within_the_top(name):
    worlds = ready(), ready()
    settings = {"candidates": "top"} if name in ("greedy_rate", "myopic_oracle") else {}
    first, second = (replication.controller(world, name, **settings) for world in worlds)
    for _ in range(10):
        by_rank, by_user = worlds[0].step(first.act(worlds[0])), worlds[1].step_users(second.users(worlds[1]))
        np.testing.assert_array_equal(by_rank[4]["served"], by_user[4]["served"])
        np.testing.assert_array_equal(by_rank[1], by_user[1])


def test_a_user_beyond_the_top_becomes_rank_one():
    world = ready()
    tdm = replication.controller(world, "tdm_users")
    users, actions = tdm.users(world), tdm.act(world)[:, :, 0]
    beyond = (users >= 0) & ~(world.ranked == users[:, :, None]).any(axis=2)
    assert beyond.any()
    assert (actions[beyond] == 1).all()
    assert (actions[users < 0] == 0).all()


def test_users_who_left_are_not_served():
    world = ready("radio/3x9", lanes=30, steps=60, departure_rate=40.0, arrival_rate=1.0)
    assert (world.serving < 0).any()
    for name in SCHEDULERS:
        scheduler = replication.controller(world, name)
        users, saved = scheduler.users(world), world.snapshot()
        world.step_users(users)  # refuses absent users
        world.restore(saved)
        world.step(scheduler.act(world))
        world.restore(saved)


def test_schedulers_meet_the_same_channels():
    gains = []
    for name in ("full_reuse", "tdm_users"):
        world = replication.make("radio/4x12", num_envs=5, horizon=60, warm_up=5, walk_speed=20.0)
        play(world, replication.controller(world, name), keys("common", count=5))
        gains.append(world.gains)
    np.testing.assert_array_equal(*gains)


def test_scores_match_the_measured_calibration(played):
    scores = {name: result["score"].mean() for name, result in played.items()}
    for name, known in CALIBRATION.items():
        assert scores[name] == pytest.approx(known, rel=0.07), name
    for oracle in ("myopic_oracle", "top_oracle"):
        assert 1.3 < scores[oracle] / scores["itlinq"] < 1.6
    best_plain = max(scores[name] for name in ("random", "full_reuse", "tdm_users", "tdm_access_points", "greedy_rate"))
    assert scores["itlinq"] >= best_plain


def test_play_reports_the_episode(played):
    for result in played.values():
        np.testing.assert_allclose(result["mean_rates"].sum(axis=1), result["sum_rate"], rtol=1e-9)
        np.testing.assert_allclose(result["total_rate"], result["sum_rate"], rtol=1e-9)
        tail = np.percentile(result["mean_rates"], 5, axis=1)
        np.testing.assert_allclose(result["score"], result["sum_rate"] / 24 + 3.0 * tail, rtol=1e-9)
    assert played["tdm_users"]["silent"] == pytest.approx(0.75)
    assert played["full_reuse"]["silent"] == pytest.approx(0.0)
    # rewards order the baselines wrongly: the worst score earns more than the best plain one
    assert played["tdm_access_points"]["team_reward"].mean() > played["itlinq"]["team_reward"].mean()


def test_by_rank_plays_the_actions():
    world = replication.make("radio/4x12", num_envs=6, horizon=40, warm_up=12)
    oracle, lane_keys = replication.controller(world, "myopic_oracle"), keys("by rank", count=6)
    free, bound = (play(world, oracle, lane_keys, by_rank=flag) for flag in (False, True))
    assert (free["score"] != bound["score"]).any()


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("itlinc", {}, "did you mean itlinq"),
        ("pf", {}, "unknown scheduler 'pf'; known: full_reuse"),
        ("itlinq", {"exponent": -1}, "exponent"),
        ("greedy_rate", {"candidates": "best"}, "candidates"),
        ("full_reuse", {"seed": 1}, "unknown setting 'seed'"),
    ],
)
def test_bad_input_is_one_clear_line(name, settings, words):
    world = replication.make("radio/4x24")
    with refused(re.escape(words)):
        replication.controller(world, name, **settings)
