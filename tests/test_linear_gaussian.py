"""The linear-Gaussian network: sampler, exact moments, values and gradients against slow twins and simulation."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from oracles import linear_gaussian as slow
from refusals import refused
from small_gaussians import LogVariance, action_values, expected_rewards

from replication.algos.continuous_utilities import QuadraticTarget, StateEntropy
from replication.envs import linear_gaussian_exact as exact
from replication.envs.linear_gaussian import (
    LinearGaussianSettings,
    check_box,
    check_stable,
    make_network,
    rollout,
    spectral_radius,
)
from replication.envs.linear_gaussian_marginals import (
    marginals,
    reward_contributions,
    reward_gradient,
)
from replication.seeding import NORMAL_TABLE, keys, stream
from replication.settings import BadInput

GAMMA = 0.8
SLOPES = np.array([0.7, -1.3, 0.4, 1.1, -0.2])
PRICES = np.array([0.3, 0.0, 0.1, 0.5, 0.2])


def network(graph="ring", agents=5, **changes):
    given = {"graph": graph, "agents": agents, "memory": 0.5, "coupling": 0.45, "variation": 0.3, "start_std": 1.5}
    return make_network(LinearGaussianSettings(**(given | changes)))


def gains(agents=5):
    return stream("gains of the tests", agents).uniform(0.05, 0.45, agents)


def lanes(count, *numbers):
    return keys("linear-Gaussian test", *numbers, count=count)


def test_dynamics_are_banded_on_the_graph() -> None:
    for graph in ("ring", "line"):
        made = network(graph)
        assert np.array_equal(made.dynamics != 0.0, made.distance <= 1)
    line = network("line", variation=0.0)
    assert line.dynamics[0].tolist() == [0.5, 0.225, 0.0, 0.0, 0.0]
    assert (line.diameter, network("ring").diameter) == (4, 2)
    assert not np.array_equal(network().dynamics, network(network_seed=1).dynamics)


def test_a_lane_is_what_the_loops_say() -> None:
    made, k, lane_keys = network("line", 3), gains(3), lanes(4)
    found = rollout(made, k, lane_keys, 6)
    for lane, key in enumerate(lane_keys):
        states, actions = slow.trajectory(made, k, int(key), 6, NORMAL_TABLE)
        np.testing.assert_allclose(found.states[lane], states, rtol=0, atol=1e-13)
        np.testing.assert_allclose(found.actions[lane], actions, rtol=0, atol=1e-13)


def test_a_lane_depends_on_its_key_alone() -> None:
    made, k, lane_keys = network(), gains(), lanes(7)
    many = rollout(made, k, lane_keys, 9)
    order = np.array([6, 0, 3])
    some = rollout(made, k, lane_keys[order], 5)
    assert np.array_equal(many.states[order, :5], some.states)
    assert np.array_equal(many.actions[order, :5], some.actions)
    assert len(np.unique(many.states[:, 0, 0])) == 7


@pytest.mark.parametrize("graph", ["ring", "line"])
def test_moments_equal_the_linear_solve(graph) -> None:
    made, k = network(graph), gains()
    for discount in (0.0, 0.5, GAMMA, 0.98):
        np.testing.assert_allclose(
            exact.moments(made, k, discount), slow.moments(made, k, discount), rtol=1e-12, atol=1e-14
        )


def test_moments_equal_simulation() -> None:
    made, k, horizon, count = network(), gains(), 60, 8000
    states = rollout(made, k, lanes(count, 1), horizon).states
    weights = (1.0 - GAMMA) * GAMMA ** np.arange(horizon)
    seen = np.einsum("h,bhi,bhj->bij", weights, states, states, optimize=True)
    error = seen.std(axis=0) / np.sqrt(count)
    assert np.all(np.abs(seen.mean(axis=0) - exact.moments(made, k, GAMMA)) < 4.5 * error + GAMMA**horizon * 10)
    assert error.max() < 0.05  # sharp enough to see an error


def test_lyapunov_with_leading_axes_and_near_the_border() -> None:
    transition = np.array([[0.999, 0.1], [0.0, -0.5]])
    load = np.array([[[1.0, 0.2], [0.2, 2.0]], [[0.0, 1.0], [1.0, 0.0]]])
    for found, part in zip(exact.lyapunov(transition, load), load):
        np.testing.assert_allclose(found, part + transition @ found @ transition.T, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("graph", ["ring", "line"])
def test_shadow_values_equal_series(graph) -> None:
    made, k = network(graph), gains()
    values = exact.shadow_values(made, k, SLOPES, GAMMA, PRICES)
    for j in range(5):
        form = slow.value_form(made, k, SLOPES[j], PRICES[j], j, GAMMA)
        np.testing.assert_allclose(values.quadratic[j], form, rtol=0, atol=1e-13)
    rng = stream("states of the tests")
    states, actions = rng.normal(size=(3, 5)), rng.normal(size=(3, 5))
    found = action_values(made, k, SLOPES, GAMMA, states, actions, PRICES)
    for x, j in np.ndindex(3, 5):
        wanted = slow.action_value(made, k, SLOPES, PRICES, GAMMA, states[x], actions[x], j)
        assert found[x, j] == pytest.approx(wanted, abs=1e-12)


def test_values_are_mean_action_values() -> None:
    """V_j = E_a Q_j, and the mean of V_j over first states is the occupancy's E r_j / (1 - γ)."""
    made, k = network(), gains()
    values = exact.shadow_values(made, k, SLOPES, GAMMA, PRICES)
    mean = np.einsum("jll,l->j", values.quadratic, made.start_std**2) + values.constant
    second = np.diagonal(exact.moments(made, k, GAMMA))
    reward = SLOPES * second - PRICES * (k**2 * second + made.exploration_std**2)
    np.testing.assert_allclose((1.0 - GAMMA) * mean, reward, rtol=1e-12)


UTILITIES = [
    LogVariance(),
    LogVariance(cost=0.8, effort=PRICES),
    QuadraticTarget(target=np.array([0.3, 0.9, 0.5, 0.6, 0.2])),
    QuadraticTarget(target=0.4, effort=0.3, weight=np.array([0.0, 2.0, 0.0, 2.0, 1.0])),
    StateEntropy(),
    StateEntropy(cost=np.linspace(0.1, 0.9, 5), effort=0.2),
]


@pytest.mark.parametrize("graph", ["ring", "line"])
@pytest.mark.parametrize("utility", UTILITIES, ids=lambda utility: f"{utility.name} {np.any(utility.effort)}")
def test_exact_gradient_equals_finite_differences(utility, graph) -> None:
    made, k = network(graph), gains()
    found = utility.gradient(made, k, GAMMA)
    wanted = slow.derivative(lambda at: utility.objective(made, at, GAMMA), k)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-9)
    assert np.abs(found).max() > 1e-3


@pytest.mark.parametrize("utility", UTILITIES[3:], ids=lambda utility: utility.name)
def test_truncated_gradient(utility) -> None:
    """Exact at the diameter; below it, the sum of what the agents nearby contribute; better with radius."""
    made, k = network("line", 5), gains()
    whole = utility.gradient(made, k, GAMMA)
    np.testing.assert_allclose(utility.gradient(made, k, GAMMA, 4), whole, rtol=0, atol=1e-14)
    errors = [np.linalg.norm(utility.gradient(made, k, GAMMA, kappa) - whole) for kappa in range(4)]
    assert errors[3] > 1e-12
    assert all(later < 0.5 * sooner for sooner, later in pairwise(errors))
    for kappa in (-1, 5, 1.5):
        with pytest.raises(BadInput, match="kappa must be"):
            utility.gradient(made, k, GAMMA, kappa)


def test_contributions_are_gradients_of_single_rewards() -> None:
    made, k = network("line"), gains()
    found = exact.contributions(made, k, SLOPES, GAMMA, PRICES)

    def reward(at):
        second = np.diagonal(slow.moments(made, at, GAMMA))
        return (SLOPES * second - PRICES * at**2 * second) / 5

    wanted = np.stack([slow.derivative(lambda at, j=j: reward(at)[j], k) for j in range(5)], axis=1)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-10)
    np.testing.assert_allclose(found.sum(axis=1), exact.gradient(made, k, SLOPES, GAMMA, None, PRICES), atol=1e-14)


def test_truncation_by_the_tower_property() -> None:
    """Truncated gradient = E[ψ_i Σ_j Q̂_j] with Q̂_j the best fit of Q_j on what N_j^κ sees: here, on samples."""
    made, k, kappa = network("line", 4), gains(4), 1
    at = rollout(made, k, lanes(500, 2), 8)
    flat = at.states.reshape(-1, 4), at.actions.reshape(-1, 4)
    q = action_values(made, k, SLOPES[:4], GAMMA, *flat)
    score = -(flat[1] + k * flat[0]) * flat[0]
    for j in range(4):
        members = np.flatnonzero(made.distance[j] <= kappa)
        rows = np.array([slow.features(s, a, members) for s, a in zip(*flat)])
        fitted = rows @ np.linalg.lstsq(rows, q[:, j], rcond=None)[0]
        for i in members:
            assert score[:, i] @ fitted == pytest.approx(score[:, i] @ q[:, j], rel=1e-8)
        assert np.abs(fitted - q[:, j]).max() > 1e-3


def test_decay_counts_information_hop_by_hop() -> None:
    """Agent i enters V_j after d(i, j) steps: the first power of γ in P_j at (j, i) is at least the distance."""
    made, k = network("line"), gains()
    small = 1e-4
    found = np.abs(exact.shadow_values(made, k, np.ones(5), small).quadratic)
    for i, j in np.ndindex(5, 5):
        assert found[j, :, i].max() <= 2.0 * small ** made.distance[i, j]


def test_marginals_are_the_mixture_over_steps() -> None:
    made, k = network("line", 3, start_std=3.0), gains(3)
    laws = marginals(made, k, GAMMA)
    states = np.array([[0.0, -0.4, 2.0], [1.3, 5.0, -7.0]])
    for x, i in np.ndindex(2, 3):
        assert laws.log_density(states)[x, i] == pytest.approx(
            np.log(slow.density(made, k, GAMMA, i, states[x, i])), abs=1e-11
        )
    np.testing.assert_allclose(laws.integral(laws.density), 1.0, rtol=0, atol=1e-13)
    second = np.diagonal(exact.moments(made, k, GAMMA))
    np.testing.assert_allclose(expected_rewards(laws, np.square), second, rtol=1e-12)
    normal = 0.5 * np.log(2 * np.pi * np.e * second)
    assert np.all(laws.entropy() < normal - 0.05)  # far from normal


def test_entropy_of_a_stationary_start_is_that_of_a_normal_law() -> None:
    made = network(coupling=0.0, memory=0.6, variation=0.0, noise_std=0.4)
    k = np.full(5, 0.2)
    variance = (0.4**2 + made.exploration_std**2) / (1 - 0.4**2)
    made = replace(made, start_std=np.full(5, np.sqrt(variance)))
    laws = marginals(made, k, 0.9)
    np.testing.assert_allclose(laws.entropy(), 0.5 * np.log(2 * np.pi * np.e * variance), rtol=0, atol=1e-12)


def test_reward_gradient_of_squares_is_the_quadratic_one() -> None:
    made, k = network("line"), gains()
    laws = marginals(made, k, GAMMA)
    found = reward_contributions(made, k, laws, lambda states: SLOPES * states**2, PRICES)
    np.testing.assert_allclose(found, exact.contributions(made, k, SLOPES, GAMMA, PRICES), rtol=0, atol=1e-12)
    near = reward_gradient(made, k, laws, lambda states: SLOPES * states**2, 1, PRICES)
    np.testing.assert_allclose(near, exact.gradient(made, k, SLOPES, GAMMA, 1, PRICES), rtol=0, atol=1e-12)


def test_reward_gradient_of_any_frozen_reward() -> None:
    made, k = network("line", 3), gains(3)

    def reward(states):
        return np.cos(states) + 0.1 * np.abs(states) ** 3

    found = reward_gradient(made, k, marginals(made, k, GAMMA), reward)
    wanted = slow.derivative(lambda at: expected_rewards(marginals(made, at, GAMMA), reward).mean(), k)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-7)  # |s|³ is not smooth at 0


def test_unstable_networks_are_refused() -> None:
    made = network(memory=0.8, coupling=0.4, variation=0.0)
    zero = np.zeros(5)
    assert spectral_radius(made.closed_loop(zero)) == pytest.approx(1.2)
    assert np.array_equal(check_stable(made, zero, 0.69), zero)
    for call in (check_stable, exact.moments, marginals):
        with refused(r"must be < 1, got 1\.0"):
            call(made, zero, 0.7)
    check_box(made, zero, np.full(5, 0.8), 0.69)
    with pytest.raises(BadInput, match="narrow the range"):
        check_box(made, np.full(5, -0.2), np.full(5, 0.8), 0.69)
    with pytest.raises(BadInput, match="narrow the range"):
        check_box(made, zero, np.full(5, 1.8), 0.69)
    with pytest.raises(BadInput, match="low <= high"):
        check_box(made, np.full(5, 0.5), zero, 0.5)


def test_bad_input_is_one_line() -> None:
    made, k = network(), gains()
    cases = [
        (lambda: rollout(made, k[:3], lanes(2), 5), "gains must be 5 finite numbers"),
        (lambda: rollout(made, k * np.nan, lanes(2), 5), "gains must be 5 finite numbers"),
        (lambda: rollout(made, k, np.array([-1]), 5), "keys must be"),
        (lambda: rollout(made, k, lanes(2), 0), "horizon must be"),
        (lambda: rollout(made, k, lanes(2), 10**9), "exceed 2 GiB"),
        (lambda: exact.moments(made, k, 1.0), "discount must be"),
        (lambda: marginals(replace(made, start_std=np.zeros(5)), k, 0.9), "raise start_std"),
        (lambda: marginals(replace(made, start_std=np.full(5, 1e-4)), k, 0.9), "raise start_std"),
        (lambda: marginals(network(memory=0.1, coupling=0.1), k, 0.9999), "discount up to"),
        (lambda: LinearGaussianSettings(graph="star"), "graph"),
        (lambda: LinearGaussianSettings(agents=1), "agents"),
    ]
    for call, message in cases:
        with refused(message):
            call()
