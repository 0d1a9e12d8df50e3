"""Exact occupancies, gradients and sensitivities: against their definitions, differences, and each other."""

from dataclasses import replace

import numpy as np
import pytest
import small_networks as nets
from oracles import exact as oracle
from refusals import refused

from replication.envs import exact, voter_exact
from replication.envs.exact_dense import Dense
from replication.envs.exact_evaluation import Evaluation
from replication.envs.exact_sites import Sites
from replication.envs.networked_mdp import codes, neighbourhoods, own_state_policy
from replication.envs.occupancy import NormalisedOccupancy

DISCOUNT = 0.8
SMALL = {
    "ring of 4": nets.random_tables(nets.ring(4)),
    "star of 4": nets.random_tables(nets.star(4), seed=1),
    "line of 3, three states": nets.random_tables(nets.line(3), states=3, seed=2),
    "line of 3, three actions": nets.random_tables(nets.line(3), actions=3, seed=3),
    "mean field of 4": nets.voter(4, 0.9, mixing=np.full((4, 4), 0.25), start=0.3),
}


@pytest.fixture(params=SMALL, scope="module")
def model(request):
    return SMALL[request.param]


@pytest.mark.parametrize("radius", [0, 1])
@pytest.mark.parametrize("engine", ["sites", "dense"])
def test_occupancy_values_and_gradients_are_those_of_the_definitions(model, radius, engine):
    policy, _ = nets.policy_of(model, radius)
    rewards = nets.rewards_of(model)
    evaluation = Evaluation(model, policy, DISCOUNT, engine)
    np.testing.assert_allclose(
        evaluation.occupancy().values, oracle.occupancy(model, policy, DISCOUNT), rtol=0.0, atol=1e-14
    )
    q = oracle.action_values(model, policy, rewards, DISCOUNT)
    values = np.einsum("nxy,xy->nx", q, oracle.joint_policy(model, policy))
    np.testing.assert_allclose(evaluation.shadow_values(rewards), values, rtol=0.0, atol=1e-12)
    exact_gradient = oracle.gradient(model, policy, rewards, DISCOUNT)
    np.testing.assert_allclose(evaluation.gradient(rewards), exact_gradient, rtol=0.0, atol=1e-13)


@pytest.mark.parametrize("weights", ["occupancy", "uniform"])
@pytest.mark.parametrize("radius", [0, 1])
def test_truncated_gradients_are_those_of_the_definitions(model, radius, weights):
    policy, _ = nets.policy_of(model, radius)
    rewards = nets.rewards_of(model)
    for kappa in range(model.diameter + 1):
        found = exact.gradient(model, policy, rewards, DISCOUNT, kappa, weights=weights)
        wanted = oracle.gradient(model, policy, rewards, DISCOUNT, kappa, weights)
        np.testing.assert_allclose(found, wanted, rtol=0.0, atol=1e-13)


@pytest.mark.parametrize("weights", ["occupancy", "uniform"])
def test_truncated_action_values_are_those_of_the_definition(model, weights):
    policy, _ = nets.policy_of(model, 1)
    rewards = nets.rewards_of(model)
    states, actions = oracle.alphabets(model)
    for kappa in range(2):
        tables = exact.truncated_action_values(model, policy, rewards, DISCOUNT, kappa, weights=weights)
        wanted = oracle.truncated(model, policy, rewards, DISCOUNT, kappa, weights)
        near = neighbourhoods(model.distance, kappa)
        rows, columns = codes(near, states, model.states), codes(near, actions, model.actions)
        for agent, table in enumerate(tables):
            there = table[rows[:, agent, None], columns[None, :, agent]]
            np.testing.assert_allclose(there, wanted[agent], rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("name", ["star of 4", "line of 3, three states", "mean field of 4"])
@pytest.mark.parametrize("radius", [0, 1])
def test_sensitivities_are_those_of_the_definition(name, radius):
    model = SMALL[name]
    policy, _ = nets.policy_of(model, radius)
    rewards = nets.rewards_of(model)
    found = exact.sensitivity(model, policy, rewards, DISCOUNT)
    by_agent, pairs = oracle.by_radius(model, policy, rewards, DISCOUNT), oracle.pairs(model, policy, rewards, DISCOUNT)
    np.testing.assert_allclose(found.by_agent, by_agent, rtol=0.0, atol=1e-12)
    np.testing.assert_allclose(found.pairs, pairs, rtol=0.0, atol=1e-12)
    np.testing.assert_allclose(found.by_radius, by_agent.max(axis=0), rtol=0.0, atol=1e-12)
    for hops in range(model.diameter + 1):
        assert found.by_distance[hops] == pytest.approx(pairs[model.distance == hops].max(), abs=1e-12)


UTILITIES = {
    "state entropy": (
        lambda x: -(s := x.sum(2)) * np.log(s),
        lambda x: -np.log(x.sum(2, keepdims=True)) - 1.0 + 0.0 * x,
    ),
    "entropy": (lambda x: -x * np.log(x), lambda x: -np.log(x) - 1.0),
    "quadratic": (lambda x: -((x - 0.3) ** 2), lambda x: -2.0 * (x - 0.3)),
}


@pytest.mark.parametrize("utility", UTILITIES)
@pytest.mark.parametrize("radius", [0, 1])
@pytest.mark.parametrize("name", ["ring of 4", "line of 3, three states", "line of 3, three actions"])
def test_gradient_of_a_nonlinear_utility_equals_central_differences(name, radius, utility):
    """Four points per direction, so that the error of the differences is below that of the assertion."""
    model, (value, slope) = SMALL[name], UTILITIES[utility]
    policy, logits = nets.policy_of(model, radius, seed=4)

    def objective(point):
        visited = exact.occupancy(model, nets.softmax_policy(policy.seen, point), DISCOUNT).values
        return value(visited).sum() / model.agents

    shadow = slope(exact.occupancy(model, policy, DISCOUNT).values)
    found = exact.gradient(model, policy, shadow, DISCOUNT)
    rng, step = np.random.default_rng(5), 2e-3
    for place in [tuple(rng.integers(axis) for axis in logits.shape) for _ in range(6)]:
        change = np.zeros(logits.shape)
        change[place] = step
        near, far = (objective(logits + k * change) - objective(logits - k * change) for k in (1, 2))
        assert found[place] == pytest.approx((8 * near - far) / (12 * step), abs=1e-9 * np.abs(found).max())


@pytest.mark.parametrize("weights", ["occupancy", "uniform"])
@pytest.mark.parametrize("radius", [0, 1, 2])
def test_truncation_at_the_diameter_is_exact_and_shorter_is_not(radius, weights):
    model = nets.random_tables(nets.ring(6), seed=7)
    policy, _ = nets.policy_of(model, radius)
    evaluation, rewards = Evaluation(model, policy, 0.9), nets.rewards_of(model)
    whole = evaluation.gradient(rewards)
    errors = [np.abs(evaluation.gradient(rewards, kappa, weights) - whole).max() for kappa in range(4)]
    assert errors[3] < 1e-12
    assert min(errors[:3]) > 1e-5


def test_the_mean_is_over_all_agents_not_over_the_neighbourhood():
    """Own rewards only and no coupling: agent i's gradient is 1/n of that of its own problem, hub and leaf alike."""
    agents = 5
    model = nets.voter(agents, 0.6, mixing=np.eye(agents), adjacency=nets.star(agents))
    policy, _ = nets.policy_of(model)
    alone = nets.voter(1, 0.6, mixing=np.ones((1, 1)), adjacency=np.zeros((1, 1), bool))
    rewards = nets.rewards_of(model)
    for kappa in (None, 0, 1, 2):
        found = exact.gradient(model, policy, rewards, DISCOUNT, kappa)
        for agent in range(agents):
            own = own_state_policy(policy.probabilities[agent : agent + 1])
            single = exact.gradient(alone, own, rewards[agent : agent + 1], DISCOUNT)
            np.testing.assert_allclose(found[agent], single[0] / agents, rtol=0.0, atol=1e-14)


@pytest.mark.parametrize("radius", [0, 1, 2])
@pytest.mark.parametrize("name", ["ring", "line"])
def test_sites_equal_enumeration_to_rounding(name, radius):
    model = nets.random_tables(getattr(nets, name)(8), seed=8)
    policy, _ = nets.policy_of(model, radius)
    rewards = nets.rewards_of(model)
    for discount in (0.0, 0.5, 0.9, 0.99):
        sites, dense = (Evaluation(model, policy, discount, engine) for engine in ("sites", "dense"))
        np.testing.assert_allclose(sites.occupancy().values, dense.occupancy().values, rtol=0.0, atol=5e-15)
        scale = np.abs(dense.shadow_values(rewards)).max()
        assert np.abs(sites.shadow_values(rewards) - dense.shadow_values(rewards)).max() < 5e-15 * scale / (
            1 - discount
        )
        for kappa in (None, 1):
            np.testing.assert_allclose(
                sites.gradient(rewards, kappa), dense.gradient(rewards, kappa), rtol=0.0, atol=5e-15 / (1 - discount)
            )


def test_a_ring_too_large_to_enumerate_agrees_with_the_closed_form():
    model = nets.voter(13, 0.7, start=0.4)
    policy, _ = nets.policy_of(model)
    rewards, evaluation = nets.rewards_of(model), Evaluation(model, policy, 0.9)
    assert isinstance(evaluation.engine, Sites)
    visits = voter_exact.occupancy(model, policy, 0.9)
    np.testing.assert_allclose(evaluation.occupancy().values, visits.values, rtol=0.0, atol=5e-15)
    slope = voter_exact.gradient(model, policy, rewards, 0.9)
    np.testing.assert_allclose(evaluation.gradient(rewards), slope, rtol=0.0, atol=1e-13)


def test_the_engine_suits_the_coupling():
    mean_field = nets.voter(10, 0.9, mixing=np.full((10, 10), 0.1))
    assert isinstance(Evaluation(mean_field, nets.policy_of(mean_field)[0], 0.9).engine, Dense)
    ring = nets.voter(10, 0.9)
    assert isinstance(Evaluation(ring, nets.policy_of(ring, 2)[0], 0.9).engine, Sites)


def test_a_network_that_never_settles_is_still_exact():
    """The parity rule is deterministic: laws keep changing, and the series has to run its full length."""
    model, policy = nets.parity(6), nets.reference_policy(0, 6)
    model = replace(model, start=np.tile([0.7, 0.3], (6, 1)) ** np.arange(1, 7)[:, None])
    model = replace(model, start=model.start / model.start.sum(axis=1, keepdims=True))
    sites, dense = (Evaluation(model, policy, 0.95, engine) for engine in ("sites", "dense"))
    np.testing.assert_allclose(sites.occupancy().values, dense.occupancy().values, rtol=0.0, atol=5e-15)


REFERENCES = {
    "voter": (nets.voter(8, 0.6), 0.9, 0, [1.048, 0.254, 0.0615, 0.011], 1.0),
    "voter, other policy": (nets.voter(8, 0.6), 0.9, 2, [0.929834, 0.203268, 0.045254, 0.007986], 1e-3),
    "slow voter": (nets.voter(8, 0.95), 0.99, 0, [13.98, 8.51, 4.55, 1.43], 10.0),
    "parity": (nets.parity(8), 0.9, 0, [2.439, 1.539, 0.729, 0.0], 1.0),
    "Glauber": (nets.glauber(8, 2.0), 0.99, 0, [18.2, 13.0, 8.0, 3.4], 100.0),
    "power law": (nets.voter(8, 0.95, mixing=nets.power_law(8, 2)), 0.99, 0, [14.6, 9.8, 5.7, 1.9], 100.0),
    "mean field": (nets.voter(8, 0.95, mixing=np.full((8, 8), 1 / 8)), 0.5, 0, [0.807, 0.577, 0.346, 0.115], 1.0),
}


@pytest.mark.parametrize("name", REFERENCES)
def test_sensitivities_equal_the_values_of_an_independent_enumeration(name):
    """Values of agent 0, to the digits that were kept."""
    model, discount, seed, values, unit = REFERENCES[name]
    rewards = np.tile(nets.STATE_REWARD, (8, 1, 1))
    found = exact.sensitivity(model, nets.reference_policy(seed, 8), rewards, discount)
    np.testing.assert_allclose(found.by_agent[0, :4], values, rtol=0.0, atol=5.1e-4 * unit)
    assert found.by_radius[4] == 0.0


ERRORS = {
    "voter": (nets.voter(7, 0.6), [0.382, 0.090, 0.020]),
    "slow voter": (nets.voter(7, 0.95), [0.661, 0.314, 0.125]),
    "mean field": (nets.voter(7, 0.95, mixing=np.full((7, 7), 1 / 7)), [0.734, 0.489, 0.245]),
    "Glauber": (nets.glauber(7, 1.5), [0.668, 0.323, 0.130]),
}


@pytest.mark.parametrize("name", ERRORS)
def test_truncation_error_of_the_gradient_is_that_of_an_independent_enumeration(name):
    """Their policy is unknown; over random policies the relative error varies by about two per cent."""
    model, values = ERRORS[name]
    evaluation, rewards = Evaluation(model, nets.reference_policy(0, 7), 0.9), np.tile(nets.STATE_REWARD, (7, 1, 1))
    whole = evaluation.gradient(rewards)
    errors = [np.linalg.norm(evaluation.gradient(rewards, kappa) - whole) / np.linalg.norm(whole) for kappa in range(3)]
    np.testing.assert_allclose(errors, values, rtol=0.03)


def test_occupancies_say_which_convention_they_follow():
    values = np.full((3, 2, 2), 0.25)
    visits = NormalisedOccupancy(values, 0.9)
    np.testing.assert_allclose(visits.states(), 0.5, rtol=1e-15)
    np.testing.assert_allclose(visits.unnormalised().sum(axis=(1, 2)), 10.0, rtol=1e-12)
    assert NormalisedOccupancy(0.7 * values, 0.9).values.sum() == pytest.approx(2.1)  # seen for some steps only
    cases = [
        (values[0], 0.9, r"axes \(agent, state, action\)"),
        (10.0 * values, 0.9, "needs the factor 1 - discount = 0.1"),
        (-values, 0.9, ">= 0 everywhere"),
        (values * np.nan, 0.9, ">= 0 everywhere"),
        (values, 1.0, r"discount must be a number in \[0, 1\)"),
        (values, True, r"discount must be a number in \[0, 1\)"),
    ]
    for given, discount, message in cases:
        with refused(message):
            NormalisedOccupancy(given, discount)


def test_bad_input_is_one_line():
    model = nets.voter(4, 0.6)
    colliding = replace(model, rule=object())
    policy, _ = nets.policy_of(model)
    rewards = nets.rewards_of(model)
    wide, _ = nets.policy_of(nets.voter(5, 0.6))
    ring = nets.voter(60, 0.6)
    long_range = nets.voter(16, 0.6, mixing=np.full((16, 16), 1 / 16))
    cases = [
        (lambda: exact.occupancy(model, policy, 1.0), r"discount must be a number in \[0, 1\)"),
        (lambda: exact.occupancy(model, policy, -0.1), "discount must be"),
        (lambda: exact.occupancy(model, wide, 0.9), "must have probabilities of shape"),
        (lambda: exact.gradient(model, policy, rewards[:2], 0.9), "rewards of voter 4 must have shape"),
        (lambda: exact.gradient(model, policy, rewards / 0.0, 0.9), "rewards must be finite"),
        (
            lambda: exact.gradient(model, policy, rewards, 0.9, 3),
            r"kappa must be from 0 to 2 \(graph diameter\), got 3",
        ),
        (lambda: exact.gradient(model, policy, rewards, 0.9, 1, weights="even"), "unknown weights 'even'"),
        (lambda: Evaluation(model, policy, 0.9, "spares"), "unknown engine 'spares'"),
        (lambda: exact.occupancy(colliding, policy, 0.9), "own action .* has a object: estimate it from samples"),
        (lambda: exact.occupancy(ring, nets.policy_of(ring)[0], 0.9), "the limit is 4 GiB"),
        (lambda: exact.occupancy(long_range, nets.policy_of(long_range)[0], 0.9), "the limit is 4 GiB"),
    ]
    for call, message in cases:
        with np.errstate(divide="ignore"), refused(message):
            call()
