"""Optimal power flow and reward search against other solvers, exhaustive grids, and their own promises."""

import numpy as np
import pytest
from oracles import optimal_power_flow as oracle
from small_grids import largest_excess, on_case33, scenarios_on, two_agents

import replication
from replication.envs import grid_scenarios
from replication.envs.optimal_power_flow import OptimalPowerFlowSettings, optimal_dispatch
from replication.envs.reward_search import STARTS, RewardSearchSettings, reward_search, step_reward
from replication.envs.voltage_control import VoltageControlSettings
from replication.seeding import keys
from replication.settings import BadInput

EXACT = OptimalPowerFlowSettings(margin=0.0)


def test_no_dispatch_of_a_fine_grid_is_better():
    scenarios = scenarios_on(two_agents(), 4, load=0.5, sun=1.19)
    found = optimal_dispatch(scenarios, settings=EXACT)
    assert np.all(found.feasible)
    assert np.any(largest_excess(scenarios, np.zeros_like(found.q_mvar)) > 0.0)  # the band binds somewhere
    for row in range(len(scenarios)):
        _, losses, voltages = oracle.grid(scenarios, row, 0.8, 31)
        allowed = np.all(np.abs(voltages - 1.0) <= 0.05, axis=1)
        assert found.loss_mw[row] <= losses[allowed].min() + 1e-9
        assert found.loss_mw[row] > 0.9 * losses[allowed].min()  # the grid is coarse


def test_agrees_with_slsqp():
    scenarios = on_case33(3, seed=4)
    found = optimal_dispatch(scenarios, settings=EXACT)
    for row in range(len(scenarios)):
        loss, q_mvar = oracle.slsqp_dispatch(scenarios, row, 0.8)
        assert found.loss_mw[row] == pytest.approx(loss, abs=1e-7)
        np.testing.assert_allclose(found.q_mvar[row], q_mvar, atol=2e-3)


def test_agrees_with_pandapower():
    pytest.importorskip("pandapower")
    scenarios = on_case33(2, seed=7)
    found = optimal_dispatch(scenarios, settings=EXACT)
    voltages = scenarios.flow(found.q_mvar).voltage
    for row in range(len(scenarios)):
        loss, voltage, _ = oracle.pandapower_dispatch(scenarios, row, 0.8)
        assert found.loss_mw[row] == pytest.approx(loss, abs=1e-5)
        np.testing.assert_allclose(voltages[row], voltage, atol=1e-4)


def test_keeps_its_promises_on_many_scenarios():
    scenarios = on_case33(200)
    found = optimal_dispatch(scenarios)
    assert found.feasible.mean() > 0.95
    assert found.kkt_residual.max() <= 1e-7
    assert np.all(np.abs(found.q_mvar) <= 0.8 * scenarios.capability + 1e-12)
    excess = largest_excess(scenarios, found.q_mvar)
    assert np.all(excess[found.feasible] <= 0.0)  # the margin keeps rounding from deciding
    assert np.all(excess[~found.feasible] > 0.0)
    idle = np.zeros_like(found.q_mvar)
    inside = largest_excess(scenarios, idle) <= -1e-5
    loss = scenarios.flow(idle).losses_mw.sum(axis=1)
    assert 0 < inside.sum() < 200
    assert np.all(found.loss_mw[inside] <= loss[inside] + 1e-9)
    np.testing.assert_allclose(found.loss_mw, scenarios.flow(found.q_mvar).losses_mw.sum(axis=1), atol=1e-9)


def test_another_start_ends_at_the_same_dispatch():
    scenarios = on_case33(20, seed=2)
    far = np.where(np.arange(6) % 2, 0.8, -0.8) * scenarios.capability
    cold, warm = optimal_dispatch(scenarios), optimal_dispatch(scenarios, start=far)
    np.testing.assert_allclose(cold.loss_mw, warm.loss_mw, atol=1e-8)
    np.testing.assert_allclose(cold.q_mvar, warm.q_mvar, atol=1e-3)


def test_a_scenario_does_not_depend_on_its_neighbours():
    scenarios = on_case33(30, seed=3)
    together, alone = optimal_dispatch(scenarios), optimal_dispatch(scenarios.take([17]))
    np.testing.assert_array_equal(together.q_mvar[17], alone.q_mvar[0])


def test_where_the_band_cannot_be_kept_the_violation_is_the_least():
    scenarios = scenarios_on(two_agents(), 4, load=0.2, sun=1.19)
    tight = OptimalPowerFlowSettings(margin=0.0, v_min=0.999, v_max=1.001)
    found = optimal_dispatch(scenarios, bound=0.1, settings=tight)
    stuck = np.flatnonzero(~found.feasible)
    assert len(stuck) > 1
    excess = np.abs(scenarios.flow(found.q_mvar).voltage[:, 1:] - 1.0).max(axis=1) - 0.001
    for row in stuck[:2]:
        _, _, voltages = oracle.grid(scenarios, row, 0.1, 41)
        least = np.abs(voltages[:, 1:] - 1.0).max(axis=1).min() - 0.001
        assert excess[row] <= least + 1e-6


def test_a_scenario_without_any_power_flow_is_flagged():
    found = optimal_dispatch(on_case33(2, load=60.0, sun=0.0))
    assert not np.any(found.feasible)
    assert np.all(np.isinf(found.kkt_residual))


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"bound": 1.2}, "bound must lie in"),
        ({"start": np.zeros((2, 5))}, "start must have shape"),
        ({"settings": OptimalPowerFlowSettings(v_min=1.05, v_max=1.0)}, "v_min must be below"),
    ],
)
def test_bad_input_is_one_clear_line(arguments, line):
    with pytest.raises(BadInput, match=line):
        optimal_dispatch(on_case33(2), **arguments)


REWARDS = [
    VoltageControlSettings(q_weight=0.01),
    VoltageControlSettings(barrier="l1", q_weight=0.03, q_unit="per_unit"),
    VoltageControlSettings(barrier="courant_beltrami", q_weight=0.0, loss_weight=1.0, violation_weight=50.0),
]


@pytest.mark.parametrize("world", REWARDS, ids=["bowl", "l1 per unit", "loss and violation"])
def test_search_is_no_worse_than_a_grid_and_its_starts(world):
    scenarios = scenarios_on(two_agents(), 3, load=0.5, sun=1.19, seed=1)
    found = reward_search(scenarios, world)
    np.testing.assert_allclose(found.reward, step_reward(scenarios, world, found.q_mvar), atol=1e-12)
    assert np.all(np.abs(found.q_mvar) <= 0.8 * scenarios.capability + 1e-12)
    assert np.all(found.reward >= step_reward(scenarios, world, np.zeros_like(found.q_mvar)))
    assert np.all(found.reward >= step_reward(scenarios, world, optimal_dispatch(scenarios).q_mvar))
    assert np.all((found.start >= 0) & (found.start < len(STARTS)))
    for row in range(len(scenarios)):
        dispatches, _, _ = oracle.grid(scenarios, row, 0.8, 21)
        rewards = step_reward(scenarios.take([row] * len(dispatches)), world, dispatches)
        assert found.reward[row] >= rewards.max() - 1e-6


def test_a_high_price_of_reactive_power_asks_for_none():
    found = reward_search(
        on_case33(5), VoltageControlSettings(q_weight=10.0), settings=RewardSearchSettings(pair_rounds=1)
    )
    np.testing.assert_array_equal(found.q_mvar, 0.0)


def test_search_values_are_those_of_the_world():
    world = replication.make("voltage/case33", num_envs=5, split="test", q_weight=0.01, noise_level=0.0)
    world.reset(keys("search", count=5), windows=np.arange(100, 105))
    found = reward_search(grid_scenarios.of_world(world), world.settings, settings=RewardSearchSettings(pair_rounds=1))
    _, reward, *_ = world.step((found.q_mvar / world.next_capability)[:, :, None])
    np.testing.assert_allclose(reward[:, 0], found.reward, atol=1e-9)
