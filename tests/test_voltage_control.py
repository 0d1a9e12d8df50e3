"""The voltage-control world against its slow twin, its contract, and its bad inputs."""

import re

import numpy as np
import pytest
from oracles import voltage_control as slow
from refusals import refused

import replication
from replication.envs.contract import check_world
from replication.envs.pettingzoo import Parallel
from replication.envs.voltage_control import reward_of
from replication.seeding import keys, stream
from replication.settings import BadInput

VARIANTS = [
    {},
    {"mode": "as_shipped", "barrier": "l1"},
    {"barrier": "l2", "q_unit": "per_unit", "q_weight": 0.03, "loss_weight": 2.0, "violation_weight": 5.0},
]


@pytest.mark.parametrize("settings", VARIANTS)
def test_trajectory_equals_slow_twin(settings):
    world = replication.make("voltage/case33", num_envs=3, **settings)
    lane_keys, windows = keys("twin", count=3), np.array([0, len(world.windows) // 2, len(world.windows) - 1])
    world.reset(lane_keys, windows=windows)
    rng = stream("twin actions")
    for t in range(1, 6):
        actions = rng.uniform(-0.8, 0.8, (3, 6, 1))
        observation, reward, _, _, info = world.step(actions)
        for lane in range(3):
            v, loss, injected, expected, (p, q, pv) = slow.step(
                world, int(lane_keys[lane]), int(windows[lane]), t, actions[lane, :, 0]
            )
            assert np.abs(world.voltage[lane] - np.abs(v)).max() < 1e-8
            assert np.abs(world.angle[lane] - np.angle(v)).max() < 1e-8
            assert info["line_loss_mw"][lane] == pytest.approx(loss, rel=1e-6)
            assert np.allclose(world.q_mvar[lane], injected, atol=1e-12)
            assert reward[lane] == pytest.approx(np.full(6, expected), rel=1e-6)
            outside = np.mean(np.abs(np.abs(v) - 1) > 0.05)
            assert info["out_of_band"][lane] == pytest.approx(outside)
            assert info["controllable"][lane] == float(outside == 0)
            _check_observation(
                world, observation[lane], lane, int(lane_keys[lane]), int(windows[lane]), t, v, injected, p, q, pv
            )


def _check_observation(world, observation, lane, key, window, t, v, injected, p, q, pv):
    seen = slow.samples(world, key, window, t + 1)[2] if world.shipped else pv
    shown = p.copy()
    np.add.at(shown, world.feeder.pv_bus, seen - pv)
    for agent, bus in enumerate(world.feeder.pv_bus):
        zone = np.flatnonzero(world.feeder.zone == world.feeder.zone[bus])
        expected = np.concatenate(
            [shown[zone], q[zone], [seen[agent], injected[agent]], np.abs(v)[zone], np.angle(v)[zone]]
        )
        assert np.allclose(observation[agent, : len(expected)], expected, atol=2e-6)
        assert not observation[agent, len(expected) :].any()
    angle = np.degrees(np.angle(v)) if world.shipped else np.angle(v)
    state = np.concatenate([shown, q, seen, injected, np.abs(v), angle])
    assert np.allclose(world.state()[lane], state, atol=1e-5)


def test_initial_reactive_power_is_uniform_in_the_action_range():
    world = replication.make("voltage/case33", num_envs=2)
    lane_keys = keys("initial", count=2)
    world.reset(lane_keys, windows=np.array([5, 6]))
    for lane in range(2):
        pv = slow.samples(world, int(lane_keys[lane]), 5 + lane, 0)[2]
        share = [slow.initial_share(int(lane_keys[lane]), agent) for agent in range(6)]
        assert np.allclose(world.q_mvar[lane], 0.8 * np.array(share) * np.sqrt(world.feeder.pv_mva**2 - pv**2))


@pytest.mark.parametrize("name", ["voltage/case33", "voltage/synthetic-10"])
def test_contract(name):
    check_world(lambda envs: replication.make(name, num_envs=envs, horizon=8))


def test_shipped_mode_ends_one_step_early_and_calls_it_terminal():
    world = replication.make("voltage/case33", horizon=5, mode="as_shipped")
    world.reset(keys("end", count=1))
    ends = [world.step(np.zeros((1, 6, 1)))[2:4] for _ in range(4)]
    assert [bool(t[0]) for t, _ in ends] == [False, False, False, True]
    assert not any(u[0] for _, u in ends)


def test_unsolvable_power_flow_keeps_the_grid_and_costs_200():
    world = replication.make("voltage/case33", load_scale=12.0, noise_level=0.0)
    world.reset(keys("collapse", count=1), windows=np.array([100]))
    for _ in range(240):
        before = world.voltage
        _, reward, terminated, _, info = world.step(np.full((1, 6, 1), -0.8))
        if terminated[0]:
            break
    assert terminated[0]
    assert info["destroyed"][0] == 1
    assert info["controllable"][0] == 0
    assert np.array_equal(world.voltage, before)
    assert -202 < reward[0, 0] < -200


def test_reward_of_matches_the_world():
    world = replication.make("voltage/case33", num_envs=4, **VARIANTS[2])
    world.reset(keys("reward", count=4))
    _, reward, _, _, info = world.step(stream("reward").uniform(-0.8, 0.8, (4, 6, 1)))
    expected = reward_of(world.settings, world.voltage, world.q_mvar, info["line_loss_mw"], world.feeder.pv_mva)
    assert np.allclose(reward[:, 0], expected, rtol=1e-12)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_pettingzoo_face_passes_its_api_test():
    from pettingzoo.test import parallel_api_test  # its own imports warn

    face = Parallel(replication.make("voltage/case33", horizon=10))
    parallel_api_test(face, num_cycles=30)
    assert face.possible_agents == [f"agent_{i}" for i in range(6)]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: replication.make("voltage/case34"),
            "did you mean case33?); known: case33, case141, case322, or synthetic-<agents>",
        ),
        (lambda: replication.make("volt/case33"), "unknown world"),
        (lambda: replication.make("voltage/case33", barier="l1"), "did you mean barrier"),
        (lambda: replication.make("voltage/case33", num_envs=0), "num_envs must be"),
        (lambda: replication.make("voltage/case33", q_weight=-1), "q_weight"),
        (lambda: replication.make("voltage/case33").reset(np.array([-1])), "whole numbers >= 0"),
        (lambda: replication.make("voltage/case33").reset(np.array([1]), windows=np.array([10**9])), "windows must be"),
    ],
)
def test_bad_input_is_one_clear_line(call, words):
    with refused(re.escape(words)):
        call()


def test_wrong_actions_are_refused():
    world = replication.make("voltage/case33")
    world.reset(keys("actions", count=1))
    for actions, words in [
        (np.zeros((1, 5, 1)), "shape"),
        (np.full((1, 6, 1), 0.9), "lie in"),
        (np.full((1, 6, 1), np.nan), "lie in"),
    ]:
        with pytest.raises(BadInput, match=words):
            world.step(actions)
