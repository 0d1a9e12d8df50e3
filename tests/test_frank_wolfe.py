"""The centralised optimum: against a general solver, value iteration, closed forms, and its own certificate."""

from dataclasses import dataclass

import numpy as np
import pytest
import small_networks as nets
from oracles import frank_wolfe as oracle
from refusals import refused

from replication.envs import exact, voter_exact
from replication.envs.frank_wolfe import JointMDP, centralised_optimum
from replication.envs.networked_mdp import own_state_policy


class Entropy:
    """Entropy of the state marginal."""

    def value(self, values):
        up = values.sum(axis=2)
        return -(up * np.log(up)).sum(axis=1)

    def shadow_reward(self, values):
        return np.broadcast_to(-np.log(values.sum(axis=2, keepdims=True)) - 1.0, values.shape)


@dataclass
class Quadratic:
    """Squared distance of the chance of the last state from a target."""

    target: np.ndarray

    def value(self, values):
        return -((values[:, -1].sum(axis=1) - self.target) ** 2)

    def shadow_reward(self, values):
        rewards = np.zeros(values.shape)
        rewards[:, -1] = -2.0 * (values[:, -1].sum(axis=1) - self.target)[:, None]
        return rewards


@dataclass
class Linear:
    rewards: np.ndarray

    def value(self, values):
        return (self.rewards * values).sum(axis=(1, 2))

    def shadow_reward(self, values):
        return self.rewards


class Determinism:
    concave = False
    name = "determinism"


TARGETS = np.array([0.1, 0.9, 0.5, 0.3, 0.8])


@pytest.mark.parametrize("utility", [Entropy(), Quadratic(TARGETS[:2])], ids=["entropy", "quadratic"])
@pytest.mark.parametrize("states", [2, 3])
def test_value_is_that_of_a_general_solver(utility, states):
    model = nets.random_tables(nets.line(2), states=states, seed=states)
    found = centralised_optimum(model, utility, 0.8, tolerance=1e-8)
    wanted = oracle.centralised_optimum(model, utility, 0.8)
    assert found.gap <= 1e-8
    assert wanted <= found.upper + 1e-9
    assert found.value == pytest.approx(wanted, abs=1e-6)


def test_linear_utilities_are_an_ordinary_mdp():
    model = nets.random_tables(nets.ring(4), seed=5)
    rewards = nets.rewards_of(model)
    found = centralised_optimum(model, Linear(rewards), 0.9, tolerance=1e-10)
    assert found.value == pytest.approx(oracle.best_return(model, rewards, 0.9), abs=1e-9)
    assert found.iterations <= 3


@pytest.mark.parametrize("agents", [3, 5])
def test_voter_network_needs_no_centralised_policy(agents):
    """The closed-form optimum over all joint policies is found again by the search over all joint policies."""
    model, target = nets.voter(agents, 0.6), TARGETS[:agents]
    found = centralised_optimum(model, Quadratic(target), 0.9, tolerance=1e-7)
    closed = voter_exact.optimum(model, 0.9, lambda up: (-((up - target) ** 2), -2.0 * (up - target)))
    assert found.gap <= 1e-7
    assert found.value <= closed.value + 1e-10
    assert found.upper >= closed.value - 1e-10


def test_certificate_holds_however_early_the_search_stops():
    model, utility = nets.glauber(4, 1.0), Quadratic(np.array([0.2, 0.7, 0.4, 0.9]))
    best = centralised_optimum(model, utility, 0.9, tolerance=1e-9)
    bounds = [centralised_optimum(model, utility, 0.9, tolerance=0.0, iterations=k) for k in (1, 2, 4, 8)]
    for rough in bounds:
        assert rough.value <= best.upper
        assert rough.upper >= best.value
    assert np.all(np.diff([rough.value for rough in bounds]) >= 0.0)
    assert bounds[0].gap > 1e-3


def test_value_is_attained_by_the_occupancy_and_local_policies_stay_below():
    model, utility = nets.glauber(4, 1.0), Quadratic(np.array([0.2, 0.7, 0.4, 0.9]))
    best = centralised_optimum(model, utility, 0.9, tolerance=1e-8)
    assert best.value == pytest.approx(utility.value(best.occupancy.values).mean(), abs=1e-14)
    np.testing.assert_allclose(best.occupancy.values.sum(axis=(1, 2)), 1.0, rtol=0.0, atol=1e-12)
    logits = np.zeros((4, 2, 2))
    reached = []
    for _ in range(60):
        policy = nets.softmax_policy(np.arange(4)[:, None], logits)
        visits = exact.occupancy(model, policy, 0.9).values
        reached.append(utility.value(visits).mean())
        logits = logits + 40.0 * exact.gradient(model, policy, utility.shadow_reward(visits), 0.9)
    assert reached[0] < reached[-1] <= best.upper
    assert best.upper - reached[-1] < 0.1 * (best.upper - reached[0])


def test_occupancies_of_joint_policies_are_those_of_local_ones():
    model = nets.random_tables(nets.line(3), actions=3, seed=2)
    joint = JointMDP(model, 0.9)
    uniform = own_state_policy(np.full((3, 2, 3), 1.0 / 3.0))
    np.testing.assert_allclose(joint.uniform_occupancy(), exact.occupancy(model, uniform, 0.9).values, atol=1e-13)
    always = np.zeros((3, 2, 3))
    always[:, :, 2] = 1.0
    found = joint.occupancy(np.full(8, 26))
    np.testing.assert_allclose(found, exact.occupancy(model, own_state_policy(always), 0.9).values, atol=1e-13)


def test_bad_input_is_one_line():
    model = nets.voter(3, 0.6)
    cases = [
        (lambda: centralised_optimum(model, Determinism(), 0.9), "'determinism' is not concave"),
        (lambda: centralised_optimum(model, Entropy(), 1.0), r"discount must be a number in \[0, 1\)"),
        (lambda: centralised_optimum(nets.voter(10, 0.6), Entropy(), 0.9), "the limit is 4 GiB"),
    ]
    for call, message in cases:
        with refused(message):
            call()
