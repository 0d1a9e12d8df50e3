"""The radio worlds against their slow twin, their contract, the wireless model's known numbers, and bad input."""

import math
import re

import numpy as np
import pytest
from oracles import radio as slow
from refusals import refused
from scipy.special import j0

import replication
from benchmarks.radio import NumpyRadio
from replication.envs import radio_layout
from replication.envs.contract import check_world, random_actions
from replication.envs.pettingzoo import Parallel
from replication.envs.radio import team_reward
from replication.seeding import keys, stream
from replication.settings import BadInput

SHORT = {"horizon": 12, "warm_up": 4}
VARIANTS = [
    ("radio/4x24", {}),
    ("radio/2x5", {"top_users": 4, "layout": "fixed", "warm_up": 0, "initial_average": "constant"}),
    ("radio/8x20", {"fairness": 1.0, "initial_average": "warm_up_average", "smoothing": 0.3, "observe_snr": True}),
    ("radio/3x9", {"sinr": "measured", "encoding": "decibel", "fairness": 0.0, "fading": "ar1", "average_floor": 0.4}),
    ("radio/4x12", {"reward": "utility_gain", "fading": "none", "reward_scale": 0.5, "initial_average": "constant"}),
    ("radio/3x8", {"reward": "utility_gain", "fairness": 1.0, "sinusoids": 4, "speed": 30.0}),
]
MOVING = {"walk_speed": 400.0, "turn_rate": 8.0, "area": 200.0, "warm_up": 30, "handover_margin": 1.0}
CROWD = {"departure_rate": 60.0, "arrival_rate": 90.0, "warm_up": 2, "sinr": "measured", "smoothing": 0.1}


def follow(name, settings, steps, lanes=3):
    """Play random valid actions in a world and its twins; yields both after every step."""
    world = replication.make(name, num_envs=lanes, **settings)
    lane_keys = keys("twin", count=lanes)
    world.reset(lane_keys)
    twins = [slow.SlowRadio(world, key) for key in lane_keys]
    rng = stream("twin actions")
    yield world, twins, None, None
    for _ in range(steps):
        actions = rng.integers(world.action_size, size=(lanes, world.num_agents, 1))
        actions *= np.take_along_axis(world.action_mask(), actions, axis=2)
        users = [[ranked[a - 1] if a else -1 for a, ranked in zip(choice[:, 0], twin.ranked, strict=True)]
                 for choice, twin in zip(actions, twins, strict=True)]  # fmt: skip
        yield world, twins, world.step(actions), [twin.step(u) for twin, u in zip(twins, users, strict=True)]


def compare(world, twins, result, expected):
    np.testing.assert_allclose(world.gains, [twin.gain for twin in twins], rtol=1e-8)
    np.testing.assert_allclose(world.known_sinr, [twin.sinr for twin in twins], rtol=1e-8)
    np.testing.assert_allclose(world.weights, [twin.weights() for twin in twins], rtol=1e-9)
    np.testing.assert_array_equal(world.ranked, [twin.ranked for twin in twins])
    np.testing.assert_allclose(world.observation(), [twin.observation for twin in twins], rtol=1e-5, atol=1e-5)
    if result is not None:
        _, reward, terminated, truncated, info = result
        np.testing.assert_allclose(reward[:, 0], [e[0] for e in expected], rtol=1e-8)
        np.testing.assert_array_equal(reward, np.repeat(reward[:, :1], world.num_agents, axis=1))
        np.testing.assert_allclose(info["weights"], [e[1] for e in expected], rtol=1e-9)
        np.testing.assert_allclose(info["rates"], [e[2] for e in expected], rtol=1e-8, atol=1e-12)
        assert not terminated.any()
        assert truncated.all() == (world.lane_steps[0] >= world.horizon)
        if truncated.all():
            for lane, twin in enumerate(twins):
                mean = [total / time for total, time in zip(twin.total, twin.time, strict=True) if time]
                expected_score = slow.score(mean, world.sum_weight, world.settings.tail_weight)
                assert info["final_score"][lane] == pytest.approx(expected_score, rel=1e-9)
        else:
            assert not info["final_score"].any()


@pytest.mark.parametrize(("name", "settings"), VARIANTS, ids=lambda value: value if isinstance(value, str) else "")
def test_every_step_equals_the_slow_twin(name, settings):
    for world, twins, result, expected in follow(name, SHORT | settings, 12):
        np.testing.assert_allclose(world.long_term_snr, [np.array(twin.snr).T for twin in twins], rtol=1e-12)
        np.testing.assert_array_equal(world.serving, [twin.serving for twin in twins])
        compare(world, twins, result, expected)


def test_walks_and_handovers_equal_the_slow_twin():
    first = None
    for world, twins, result, expected in follow("radio/4x10", {"horizon": 200} | MOVING, 175, lanes=1):
        first = world.serving if first is None else first
        np.testing.assert_allclose(world.users, [twin.user for twin in twins], rtol=1e-12)
        np.testing.assert_array_equal(world.serving, [twin.serving for twin in twins])
        compare(world, twins, result, expected)
    assert (world.serving != first).any()  # somebody was handed over
    assert ((world.users >= 0) & (world.users <= 200)).all()


def test_arrivals_and_departures_equal_the_slow_twin():
    seen = set()
    for world, twins, result, expected in follow("radio/3x6", {"horizon": 60} | CROWD, 60):
        there = [[ap if here else -1 for ap, here in zip(t.serving, t.there, strict=True)] for t in twins]
        np.testing.assert_array_equal(world.serving, there)
        compare(world, twins, result, expected)
        seen |= {int(count) for count in (world.serving >= 0).sum(axis=1)}
        assert not (world.ranked[..., None] == np.where(world.serving < 0, np.arange(6), -2)[:, None, None]).any()
    assert len(seen) > 2


def test_the_numpy_step_of_the_benchmark_equals_the_world():
    world = replication.make("radio/4x24")
    for fading in ("formula", "rotation", "blocks"):
        world.reset(keys("benchmark twin", count=1))
        peer = NumpyRadio(world, fading)
        for t in range(70):  # crosses the end of a block
            actions = random_actions(world, t)
            observation, reward, mask, info = peer.step(actions[0, :, 0])
            result = world.step(actions)
            np.testing.assert_allclose(result[0][0], observation, atol=1e-5)
            np.testing.assert_allclose(result[1][0], reward, rtol=1e-8)
            np.testing.assert_array_equal(world.action_mask()[0], mask)
            assert info.keys() == {name for name in result[4] if not name.startswith("final")}
            for name in info:
                np.testing.assert_allclose(result[4][name][0], info[name], rtol=1e-8, atol=1e-12, err_msg=name)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("radio/4x24", {}),
        ("radio/2x3", {"layout": "fixed", "sinr": "measured", "observe_activity": True, "observe_others": True}),
        ("radio/5x15", {"fading": "ar1", "observe_snr": True, "top_users": 1}),
        ("radio/3x10", {"walk_speed": 30.0, "departure_rate": 20.0, "encoding": "decibel"}),
    ],
)
def test_contract(name, settings):
    check_world(lambda envs: replication.make(name, num_envs=envs, **({"horizon": 60, "warm_up": 3} | settings)))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_pettingzoo_face():
    from pettingzoo.test import parallel_api_test  # its own imports warn

    parallel_api_test(Parallel(replication.make("radio/2x4", horizon=10, warm_up=2)), num_cycles=12)


def test_path_loss_is_the_published_one_and_continuous_at_the_break():
    assert radio_layout.path_loss(100.0) == pytest.approx(79.0)
    assert radio_layout.path_loss(np.nextafter(100.0, 101.0)) == pytest.approx(79.0)
    assert radio_layout.path_loss(1.0) == pytest.approx(39.0)
    assert radio_layout.path_loss(1000.0) == pytest.approx(119.0)
    for distance in (10.0, 57.3, 99.9, 100.1, 345.6):
        assert radio_layout.path_loss(distance) == pytest.approx(slow.path_loss(distance), rel=1e-12)


@pytest.fixture(scope="module")
def layouts():
    world = replication.make("radio/4x24", num_envs=400, warm_up=0, horizon=1)
    world.reset(keys("radio layouts", count=400))
    return world


def test_layouts_have_the_known_percentiles(layouts):
    """Long-term SNR and full-reuse SINR [dB] of served users, as an independent simulator had them on 60 layouts."""
    snr = layouts.long_term_snr
    own = np.take_along_axis(snr, layouts.serving[:, None], axis=1)[:, 0]
    sinr = own / (1.0 + snr.sum(axis=1) - own)
    known = np.array([[16.9, 25.3, 32.4, 39.6, 48.7], [-1.0, 2.1, 6.3, 12.6, 22.8]])
    spread = np.array([[0.54, 0.47, 0.35, 0.43, 0.61], [0.15, 0.17, 0.31, 0.45, 0.66]])  # over sets of 60 layouts
    got = np.percentile(10.0 * np.log10([own, sinr]), [5, 25, 50, 75, 95], axis=(1, 2)).T
    assert (np.abs(got - known) < 3.0 * spread).all(), got - known


def test_about_11_percent_of_the_aps_own_too_few_users_and_are_masked(layouts):
    owned = (layouts.serving[:, None] == np.arange(4)[:, None]).sum(axis=2)
    assert owned.min() >= 1
    assert np.mean(owned < 3) == pytest.approx(0.108, abs=0.03)
    assert np.median(owned) == pytest.approx(6, abs=1)
    valid = layouts.action_mask()
    np.testing.assert_array_equal(valid[:, :, 1:].sum(axis=2), np.minimum(owned, 3))
    assert valid[:, :, 0].all()
    np.testing.assert_array_equal(layouts.observation().reshape(400, 4, 2, 3)[~valid[:, :, None, 1:].repeat(2, 2)], 0.0)


def test_distances_of_layouts(layouts):
    aps, users = layouts.access_points, layouts.users
    between = np.linalg.norm(aps[:, :, None] - aps[:, None], axis=-1) + 1e9 * np.eye(4)
    assert between.min() >= 35.0
    assert np.linalg.norm(aps[:, :, None] - users[:, None], axis=-1).min() >= 10.0
    assert 0.0 <= users.min() < 5.0 < 495.0 < users.max() <= 500.0
    loss = 114.0 - 10.0 * np.log10(layouts.long_term_snr)  # 10 dBm over -104 dBm
    distance = np.linalg.norm(aps[:, :, None] - users[:, None], axis=-1)
    shadowing = loss - np.vectorize(slow.path_loss)(distance)
    assert shadowing.std() == pytest.approx(7.0, abs=0.1)
    assert abs(shadowing.mean()) < 0.15


def fading_of(lanes=256, steps=200, **settings):
    """|h|^2 (T, E, I J) over time."""
    world = replication.make("radio/2x6", num_envs=lanes, warm_up=0, horizon=steps, top_users=1, **settings)
    world.reset(keys("radio fading", count=lanes))
    silent, rows = np.zeros((lanes, 2, 1), np.int64), []
    for _ in range(steps):
        rows.append((world.gains / world.long_term_snr).reshape(lanes, -1))
        world.step(silent)
    return np.array(rows)


def sinusoid_covariance(world, lag):
    """Exact covariance of |h|^2 over `lag` TTIs of S sinusoids per quadrature with independent uniform phases."""
    count = world.settings.sinusoids
    alpha = np.pi / (8 * count) + 2.0 * np.pi * np.arange(count) / (4 * count)
    turned = [np.cos(world.settings.doppler * lag * part) for part in (np.cos(alpha), np.sin(alpha))]
    return sum(0.5 * c.mean() ** 2 - (0.125 + 0.25 * np.mean(c**2)) / count for c in turned)


@pytest.mark.parametrize("settings", [{}, {"speed": 3.0}, {"sinusoids": 8}])
def test_sinusoids_fade_like_rayleigh_with_the_doppler_of_the_speed(settings):
    world = replication.make("radio/2x6", **settings)
    power = fading_of(**settings)
    assert power.mean() == pytest.approx(1.0, abs=0.02)
    assert sinusoid_covariance(world, 0) == pytest.approx(1.0 - 0.75 / world.settings.sinusoids)
    for lag in (0, 10, 30, 60):
        got = np.mean((power[lag:] - 1.0) * (power[: len(power) - lag] - 1.0))
        assert got == pytest.approx(sinusoid_covariance(world, lag), abs=0.05), lag
        if world.settings.sinusoids == 25:
            assert got == pytest.approx(j0(world.settings.doppler * lag) ** 2, abs=0.09), lag
    assert world.settings.doppler == pytest.approx(2.0 * math.pi * 8.0 * settings.get("speed", 1.0) * 1e-3)


@pytest.mark.parametrize("match", ["half", "one_step"])
def test_first_order_fading_has_its_correlation(match):
    world = replication.make("radio/2x6", fading="ar1", ar1_match=match)
    doppler = 2.0 * math.pi * 8e-3
    if match == "one_step":
        assert world.settings.correlation == pytest.approx(j0(doppler))
    else:  # equal to the Doppler spectrum's correlation where that is 1/2
        lag = math.log(0.5) / math.log(world.settings.correlation)
        assert j0(doppler * lag) == pytest.approx(0.5)
    power = fading_of(fading="ar1", ar1_match=match)
    assert power.mean() == pytest.approx(1.0, abs=0.05)
    expected = world.settings.correlation**60
    got = np.mean((power[30:] - 1.0) * (power[:-30] - 1.0))
    assert got == pytest.approx(expected, abs=0.1)


def test_the_score_uses_the_percentile_between_the_second_and_third_worst_user():
    world = replication.make("radio/4x24", horizon=30)
    world.reset(keys("score", count=1))
    for t in range(30):
        _, _, _, truncated, info = world.step(random_actions(world, t))
    assert truncated.all()
    ordered = np.sort(world.mean_rates[0])
    tail = ordered[1] + 0.15 * (ordered[2] - ordered[1])
    assert info["final_tail_rate"][0] == pytest.approx(tail)
    assert info["final_sum_rate"][0] == pytest.approx(ordered.sum())
    assert info["final_min_rate"][0] == pytest.approx(ordered[0])
    assert info["final_score"][0] == pytest.approx(ordered.sum() / 24 + 3.0 * tail)
    assert slow.score(ordered, 1 / 24, 3.0) == pytest.approx(info["final_score"][0])


def test_warm_up_is_not_counted_and_sets_the_first_averages():
    world = replication.make("radio/4x24")
    assert world.warm_up == 100
    assert replication.make("radio/4x120").warm_up == 120
    world.reset(keys("warm-up", count=1))
    assert world.lane_steps.tolist() == [0]
    assert np.isnan(world.mean_rates).all()
    twin = slow.SlowRadio(world, world.lane_keys[0])
    np.testing.assert_allclose(world.weights[0], twin.weights(), rtol=1e-8)
    result = world.step(np.ones((1, 4, 1), np.int64))
    np.testing.assert_allclose(world.mean_rates, result[4]["rates"])


def test_an_episode_ends_by_truncation_and_the_network_goes_on():
    world = replication.make("radio/2x4", horizon=3, warm_up=2, top_users=1)
    world.reset(keys("truncation", count=1))
    before = world.weights
    for t in range(3):
        observation, _, terminated, truncated, info = world.step(np.ones((1, 2, 1), np.int64))
        assert not terminated.any()
        assert bool(truncated[0]) == (t == 2)
    assert info["final_score"][0] > 0
    assert np.abs(observation).sum() > 0  # an observation to bootstrap from, not zeros
    assert (world.weights != before).any()
    long = replication.make("radio/2x4", horizon=30, warm_up=2, top_users=1)
    long.reset(keys("truncation", count=1))
    for _ in range(3):
        same, _, _, ended, _ = long.step(np.ones((1, 2, 1), np.int64))
    np.testing.assert_array_equal(observation, same)  # the end of the episode does not show in the last observation
    assert not ended.any()


def test_an_invalid_rank_is_silence_and_counts_or_is_refused():
    name, settings = "radio/4x6", {"horizon": 50, "warm_up": 2}
    world = replication.make(name, num_envs=8, **settings)
    world.reset(keys("invalid", count=8))
    mask, last = world.action_mask(), np.full((8, 4, 1), 3)
    assert not mask[:, :, 3].all()
    info = world.step(last)[4]
    np.testing.assert_array_equal(info["served"] < 0, ~mask[:, :, 3])
    np.testing.assert_array_equal(info["invalid"], (~mask[:, :, 3]).sum(axis=1))
    strict = replication.make(name, num_envs=8, invalid="refuse", **settings)
    strict.reset(keys("invalid", count=8))
    with pytest.raises(BadInput, match="rank nobody holds"):
        strict.step(last)
    strict.step(np.where(mask[:, :, 3:], 3, 0))


def test_a_step_can_be_relabelled_for_another_fairness():
    worlds = [replication.make("radio/4x24", num_envs=4, fairness=f, horizon=20) for f in (0.8, 0.3)]
    for world in worlds:
        world.reset(keys("relabel", count=4))
    for t in range(20):
        first, second = (world.step(random_actions(worlds[0], t))[4] for world in worlds)
        relabelled = team_reward(first["weights"], first["rates"], 0.3)
        np.testing.assert_allclose(relabelled, second["team_reward"], rtol=1e-12)
        expected = [slow.team_reward(w, c, 0.3) for w, c in zip(first["weights"], first["rates"], strict=True)]
        np.testing.assert_allclose(relabelled, expected, rtol=1e-12)


def test_a_fixed_layout_stays_while_channels_change():
    world = replication.make("radio/4x24", num_envs=3, layout="fixed", layout_seed=5)
    world.reset(keys("fixed", count=3))
    snr, gains = world.long_term_snr, world.gains
    np.testing.assert_array_equal(snr, snr[:1].repeat(3, axis=0))
    assert (gains[0] != gains[1]).all()
    other = replication.make("radio/4x24", num_envs=3, layout="fixed", layout_seed=6)
    other.reset(keys("fixed", count=3))
    assert (other.long_term_snr != snr).all()


def test_what_options_add_to_the_observation():
    plain, rich = (
        replication.make("radio/3x9", num_envs=2, horizon=9, **settings)
        for settings in ({}, {"observe_others": True, "observe_activity": True})
    )
    for world in (plain, rich):
        world.reset(keys("options", count=2))
        world.step(np.array([[1, 0, 1], [0, 1, 0]])[:, :, None])
    own, seen = plain.observation(), rich.observation()
    assert (rich.observation_size, rich.state_size) == (3 * 6 + 3, 3 * 6 + 3)
    np.testing.assert_array_equal(seen[:, 1, :18], own[:, [1, 0, 2]].reshape(2, 18))
    np.testing.assert_array_equal(seen[0, :, 18:], [[1, 0, 1], [0, 1, 1], [1, 1, 0]])
    np.testing.assert_array_equal(plain.state(), own.reshape(2, 18))
    np.testing.assert_array_equal(rich.state(), np.concatenate([own.reshape(2, 18), [[1, 0, 1], [0, 1, 0]]], axis=1))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: replication.make("radio/1x24"), "2 to 8 APs, got 1"),
        (lambda: replication.make("radio/9x24"), "2 to 8 APs, got 9"),
        (lambda: replication.make("radio/2x2"), "2 users are fewer than top_users=3"),
        (lambda: replication.make("radio/6x4", top_users=2), "too few for 6 APs"),
        (lambda: replication.make("radio/4-24"), "unknown radio world '4-24'"),
        (lambda: replication.make("radio/4x24", fairness=1.2), "fairness: "),
        (lambda: replication.make("radio/4x24", fairness=-0.1), "fairness: "),
        (lambda: replication.make("radio/4x24", smoothing=0.0), "smoothing: "),
        (lambda: replication.make("radio/4x24", sinr_range=(5, 5)), "sinr_range: the lower end"),
        (lambda: replication.make("radio/4x24", departure_rate=2000), "at most one per TTI"),
        (lambda: replication.make("radio/4x24", fairnes=1), "did you mean fairness"),
        (lambda: replication.make("radio/8x24", area=20.0).reset(np.array([1])), "give a larger area"),
        (lambda: replication.make("radio/4x24").reset(np.array([-1])), "whole numbers >= 0"),
        (lambda: replication.make("radio/4x24").reset(np.array([1]), where=np.array([True, False])), "where"),
        (lambda: replication.make("radio/4x24").restore({}), "restore into an equal world"),
    ],
)
def test_bad_input_is_one_clear_line(call, words):
    with refused(re.escape(words)):
        call()


@pytest.mark.parametrize(
    ("actions", "words"),
    [
        (np.zeros((1, 3, 1), int), "shape"),
        (np.full((1, 4, 1), 4), "from 0 to 3"),
        (np.full((1, 4, 1), -1), "from 0 to 3"),
        (np.zeros((1, 4, 1)), "whole numbers"),
    ],
)
def test_wrong_actions_are_refused(actions, words):
    world = replication.make("radio/4x24", warm_up=0)
    world.reset(keys("actions", count=1))
    with pytest.raises(BadInput, match=words):
        world.step(actions)


def test_users_of_another_ap_are_refused():
    world = replication.make("radio/4x24", warm_up=0)
    world.reset(keys("actions", count=1))
    users = np.full((1, 4), -1)
    users[0, 2] = np.flatnonzero(world.serving[0] != 2)[0]
    for wrong in (users, np.full((1, 4), 24), np.full((1, 4), -2)):
        with pytest.raises(BadInput, match="is not one of AP"):
            world.step_users(wrong)
    with pytest.raises(BadInput, match="shape"):
        world.step_users(users[:, :3])
