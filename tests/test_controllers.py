"""Scripted controllers of the voltage-control world."""

import math
from functools import partial

import numpy as np
import pytest
from oracles import grid_controllers as oracle
from small_grids import on_case33

import replication
from replication.envs import droop_tuning
from replication.envs.droop_tuning import ranked, roll_out, tune_converged_droop, tune_droop
from replication.envs.feeder import case33
from replication.envs.grid_controllers import CONTROLLERS, make_controller
from replication.envs.local_rules import (
    TUNED,
    ConvergedDroopSettings,
    DroopSettings,
    converged_droop,
    droop_curve,
    loop_gain,
)
from replication.seeding import keys
from replication.settings import BadInput

QUICK = {"reward_search": {"pair_rounds": 0, "sweeps": 2}}


def started(lanes=4, **settings):
    """A world on test days without noise, reset."""
    world = replication.make("voltage/case33", num_envs=lanes, split="test", noise_level=0.0, **settings)
    world.reset(keys("controllers", count=lanes), windows=np.arange(lanes) * 7 % len(world.windows))
    return world


@pytest.mark.parametrize("name", CONTROLLERS)
def test_actions_have_the_shape_and_the_bound_of_the_world(name):
    world = started()
    controller = make_controller(world, name, **QUICK.get(name, {}))
    controller.reset(world)
    for _ in range(3):
        actions = controller.act(world)
        assert actions.shape == (4, 6, 1)
        assert np.all(np.abs(actions) <= world.action_high)
        world.step(actions)


@pytest.mark.parametrize("name", CONTROLLERS)
def test_a_lane_acts_alone_as_in_a_batch(name):
    many, one = started(4), started(1)
    actions = [make_controller(world, name, **QUICK.get(name, {})).act(world) for world in (many, one)]
    np.testing.assert_array_equal(actions[0][:1], actions[1])


def test_none_injects_nothing():
    world = started()
    world.step(make_controller(world, "none").act(world))
    np.testing.assert_array_equal(world.q_mvar, 0.0)


def test_random_is_uniform_seeded_and_not_the_worlds_own_draw():
    world = started(200)
    first, again = (make_controller(world, "random").act(world) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first).max() > 0.75
    assert abs(first.mean()) < 0.05
    assert abs(first.std() - 0.8 / math.sqrt(3)) < 0.02
    other = make_controller(world, "random", seed=1).act(world)
    assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.1
    world.step(first)
    later = make_controller(world, "random").act(world)
    assert abs(np.corrcoef(first.ravel(), later.ravel())[0, 1]) < 0.1


def test_constant_power_factor_absorbs_in_proportion_to_the_sun():
    world = started(20)
    power = world.next_pv_mw.copy()
    world.step(make_controller(world, "constant_power_factor", power_factor=0.98).act(world))
    assert power.max() > 0.5
    np.testing.assert_allclose(world.q_mvar, -math.tan(math.acos(0.98)) * power, atol=1e-9)


@pytest.mark.parametrize("base", ["rating", "capability"])
def test_droop_makes_one_update_per_step(base):
    world = started()
    rule = {"gain": 12.0, "dead_band": 0.01, "relaxation": 0.4}
    voltage, before = world.voltage[:, world.feeder.pv_bus].copy(), world.q_mvar.copy()
    capability = world.next_capability.copy()
    scale = capability if base == "capability" else np.broadcast_to(world.feeder.pv_mva, capability.shape)
    world.step(make_controller(world, "droop", base=base, **rule).act(world))
    for lane in range(4):
        for agent in range(6):
            at = (lane, agent)
            wanted = oracle.droop_update(12.0, 0.01, 0.4, 0.8, voltage[at], before[at], scale[at], capability[at])
            limit = 0.8 * capability[at]
            assert world.q_mvar[at] == pytest.approx(max(-limit, min(limit, wanted)), abs=1e-9)


def test_ieee1547_follows_its_curve():
    world = started(20)
    voltage, before = world.voltage[:, world.feeder.pv_bus].copy(), world.q_mvar.copy()
    controller = make_controller(world, "ieee1547")
    shares = np.vectorize(oracle.volt_var_1547)(voltage)
    np.testing.assert_allclose(controller.curve(world), shares * world.feeder.pv_mva, atol=1e-12)
    assert np.ptp(shares) > 0.05
    wanted = before + 0.5 * (shares * world.feeder.pv_mva - before)
    world.step(controller.act(world))
    np.testing.assert_allclose(world.q_mvar, wanted, atol=1e-9)


def test_ieee1547_refuses_corners_that_do_not_rise():
    world = started()
    with pytest.raises(BadInput, match="must rise"):
        make_controller(world, "ieee1547", v_dead_low=0.9)


def test_converged_droop_is_the_matlab_loop():
    scenarios = on_case33(4, seed=1)
    q_mvar, flows = converged_droop(scenarios, ConvergedDroopSettings(full_range=True))
    for row in range(len(scenarios)):
        expected, count = oracle.matlab_droop(scenarios, row, 1.0)
        np.testing.assert_allclose(q_mvar[row], expected, atol=1e-6)
        assert flows[row] == count


def test_converged_droop_stands_still_at_its_curve():
    scenarios = on_case33(30)
    rule = ConvergedDroopSettings(gain=30.0, dead_band=0.02, tolerance=1e-9, updates=2000)
    q_mvar, _ = converged_droop(scenarios, rule)
    voltage = scenarios.flow(q_mvar).voltage[:, scenarios.feeder.pv_bus]
    limit = 0.8 * scenarios.capability
    curve = droop_curve(rule, voltage, scenarios.feeder.pv_mva, scenarios.capability)
    np.testing.assert_allclose(q_mvar, np.clip(curve, -limit, limit), atol=1e-5)
    assert np.any(q_mvar == 0.0)
    assert np.abs(q_mvar).max() > 0.1


def test_full_range_needs_a_world_that_allows_it():
    with pytest.raises(BadInput, match="full_range needs a world with action bound 1"):
        make_controller(started(), "droop_converged", full_range=True)


def test_loop_gain_of_the_unloaded_feeder_is_that_of_lindistflow():
    feeder = case33()
    response = 7.33 * feeder.pv_mva[:, None] * oracle.shared_reactance(feeder)
    assert loop_gain(feeder, 7.33) == pytest.approx(np.abs(np.linalg.eigvals(response)).max(), rel=1e-9)


@pytest.mark.parametrize(("relaxation", "settles"), [(0.9, True), (1.1, False)])
def test_loop_gain_predicts_where_a_droop_hunts(relaxation, settles):
    """One update per step is stable if relaxation < 2 / (1 + loop gain); the factor is the share of that limit."""
    scenarios, feeder = on_case33(1, load=0.3, sun=0.3), case33()
    base = scenarios.flow(np.zeros((1, 6)))
    gain = 2.0 / loop_gain(feeder, 1.0, base.voltage[0], base.angle[0])  # loop gain 2, limit 2 / 3
    q_mvar = np.full((1, 6), 0.01)
    swing = []
    for _ in range(200):
        voltage = scenarios.flow(q_mvar, tol=1e-12).voltage - base.voltage
        wanted = -gain * feeder.pv_mva * voltage[:, feeder.pv_bus]
        q_mvar = np.clip(q_mvar + relaxation * 2 / 3 * (wanted - q_mvar), -0.05, 0.05)
        swing.append(np.abs(q_mvar).max())
    assert (swing[-1] < 1e-6) == settles


def test_opf_keeps_the_band_with_the_least_loss():
    world = started(8)
    keys_of_lanes, windows = keys("controllers", 1, count=8), np.arange(8) * 30 + 1
    curves = {
        name: roll_out(world, make_controller(world, name), keys_of_lanes, windows) for name in ("none", "opf", "droop")
    }
    shares = {name: curve["controllable"].mean() for name, curve in curves.items()}
    assert shares["opf"] >= shares["droop"] > shares["none"]
    assert shares["opf"] > 0.99
    both = (curves["opf"]["controllable"] > 0) & (curves["droop"]["controllable"] > 0)
    assert np.all(curves["opf"]["line_loss_mw"][both] <= curves["droop"]["line_loss_mw"][both] + 1e-6)


def test_tuning_uses_training_days_only_and_ranks_by_its_criterion():
    world = replication.make("voltage/case33", num_envs=6, split="train", horizon=20)
    rows = tune_droop(world, gains=(0.0, 20.0), relaxations=(0.3,), dead_bands=(0.02,))
    assert [set(row) for row in rows] == [{"gain", "relaxation", "dead_band", "controllable", "line_loss_mw"}] * 2
    assert rows == ranked(reversed(rows))
    assert len(tune_converged_droop(world, gains=(20.0,), dead_bands=(0.0, 0.02))) == 2
    with pytest.raises(BadInput, match="training days"):
        tune_droop(started())


def test_the_command_prints_the_best_droops_of_a_feeder(monkeypatch, capsys):
    """Two training days and two rules each: the rows of the table are those of the search."""
    few = {"gains": (0.0, 45.0), "dead_bands": (0.02,)}
    monkeypatch.setattr(droop_tuning, "WINDOWS", {"case33": 2})
    monkeypatch.setattr(droop_tuning, "tune_droop", partial(tune_droop, **few, relaxations=(0.3,)))
    monkeypatch.setattr(droop_tuning, "tune_converged_droop", partial(tune_converged_droop, **few))
    droop_tuning.main([])
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "case33, one update per step:"
    assert said[4] == "case33, converged:"
    world = replication.make("voltage/case33", num_envs=2, split="train")
    for row, line in zip(tune_droop(world, **few, relaxations=(0.3,)), said[2:4], strict=True):
        shown = [float(number) for number in line.split()]
        assert shown[:5] == pytest.approx(
            [row[name] for name in ("gain", "relaxation", "dead_band", "controllable", "line_loss_mw")], rel=1e-4
        )
        assert shown[5] == pytest.approx(2 / (1 + loop_gain(case33(), row["gain"])), abs=1e-3)
    with pytest.raises(BadInput, match="did you mean case33"):
        droop_tuning.main(["case34"])


def test_ties_in_the_controllable_share_go_to_the_smaller_loss():
    rows = [
        {"gain": 1.0, "controllable": 0.9990, "line_loss_mw": 0.08},
        {"gain": 2.0, "controllable": 0.9985, "line_loss_mw": 0.06},
        {"gain": 3.0, "controllable": 0.9950, "line_loss_mw": 0.01},
    ]
    assert [row["gain"] for row in ranked(rows)] == [2.0, 1.0, 3.0]


def test_unknown_names_are_one_clear_line():
    world = started()
    with pytest.raises(BadInput, match="did you mean droop"):
        make_controller(world, "drop")
    with pytest.raises(BadInput, match="unknown setting 'gian'"):
        replication.controller(world, "droop", gian=3.0)


def test_tuned_values_fill_what_is_not_given():
    world = started()
    chosen = make_controller(world, "droop_dead_band").settings
    assert chosen.plain().items() >= TUNED["one update per step"]["case33"].items()
    assert make_controller(world, "droop_dead_band", gain=5.0).settings == chosen.but(gain=5.0)
    assert (
        make_controller(world, "droop_converged_dead_band").settings.dead_band
        == TUNED["converged"]["case33"]["dead_band"]
    )
    with pytest.raises(BadInput, match="gain"):
        make_controller(world, "droop_dead_band", gain=-1.0)


EDGES = [(5.0, 1.0, True), (7.33, 1.0, False), (15.0, 0.5, True), (20.0, 0.5, False), (30.0, 0.3, True)]


@pytest.mark.parametrize(("gain", "relaxation", "settles"), EDGES)
def test_stability_limit_in_the_loop_is_the_predicted_one(gain, relaxation, settles):
    """Constant night load: the swing dies out where relaxation < 2 / (1 + loop gain), and goes on elsewhere."""
    scenarios, feeder = on_case33(1, load=0.5, sun=0.0), case33()
    rule = DroopSettings(gain=gain, relaxation=relaxation)
    limit, q_mvar = 0.8 * scenarios.capability, np.zeros((1, 6))
    for _ in range(300):
        before = q_mvar.copy()
        voltage = scenarios.flow(q_mvar).voltage[:, feeder.pv_bus]
        wanted = np.clip(droop_curve(rule, voltage, feeder.pv_mva, scenarios.capability), -limit, limit)
        q_mvar = q_mvar + relaxation * (wanted - q_mvar)
    assert (relaxation < 2 / (1 + loop_gain(feeder, gain))) == settles
    assert (np.abs(q_mvar - before).max() < 1e-4) == settles
