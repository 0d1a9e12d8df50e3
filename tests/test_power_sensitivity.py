"""Derivatives of the power flow against central differences of the dense Newton solution."""

from dataclasses import replace

import numpy as np
import pytest
from oracles import dense_power_flow as dense

from replication.envs.feeder import case33
from replication.envs.power_sensitivity import sensitivities
from replication.seeding import stream


def with_every_branch_element(feeder):
    """The same feeder with random shunts, off-nominal ratios and phase shifts on all branches."""
    rng, n = stream("branch elements", 0), feeder.num_buses
    shunts = {name: rng.uniform(0.0, 0.01, n) for name in ("g_from", "b_from", "g_to", "b_to")}
    return replace(feeder, **shunts, ratio=rng.uniform(0.98, 1.02, n), shift=rng.uniform(-0.5, 0.5, n))


def solved(feeder, p_mw, q_mvar, injected):
    net = q_mvar.copy()
    np.subtract.at(net, feeder.pv_bus, injected)
    voltage = dense.solve(feeder, p_mw, net)
    return voltage, dense.branch_losses_mw(feeder, voltage).sum()


@pytest.mark.parametrize("feeder", [case33(), with_every_branch_element(case33())], ids=["lines", "all elements"])
def test_slopes_equal_central_differences(feeder):
    rng, step = stream("sensitivity points", 1), 1e-4
    for _ in range(3):
        p_mw, q_mvar = rng.uniform(0.2, 1.4) * feeder.load_mw, rng.uniform(0.2, 1.4) * feeder.load_mvar
        np.subtract.at(p_mw, feeder.pv_bus, rng.uniform(0.0, 0.8, feeder.num_agents) * feeder.pv_mva)
        injected = rng.uniform(-0.5, 0.5, feeder.num_agents)
        voltage, _ = solved(feeder, p_mw, q_mvar, injected)
        voltage_slopes, loss_slopes = sensitivities(feeder, np.abs(voltage)[None], np.angle(voltage)[None])
        for agent, change in enumerate(step * np.eye(feeder.num_agents)):
            above, loss_above = solved(feeder, p_mw, q_mvar, injected + change)
            below, loss_below = solved(feeder, p_mw, q_mvar, injected - change)
            slope = (np.abs(above) - np.abs(below)) / (2 * step)
            np.testing.assert_allclose(voltage_slopes[0, :, agent], slope, atol=1e-9)
            assert loss_slopes[0, agent] == pytest.approx((loss_above - loss_below) / (2 * step), abs=1e-8)


def test_the_slack_does_not_move_and_injection_lifts_every_voltage_of_the_unloaded_feeder():
    feeder = case33()
    flat = np.ones((1, feeder.num_buses))
    voltage_slopes, loss_slopes = sensitivities(feeder, flat, 0.0 * flat)
    np.testing.assert_array_equal(voltage_slopes[0, 0], 0.0)
    assert np.all(voltage_slopes[0, 1:] > 0.0)
    np.testing.assert_allclose(loss_slopes, 0.0, atol=1e-12)
