"""Closed forms of the voter network against enumeration, known values and each other."""

import numpy as np
import pytest
import small_networks as nets
from oracles import decay_bounds
from refusals import refused

from replication.envs import exact, voter_exact
from replication.envs.exact_evaluation import Evaluation
from replication.envs.networked_mdp import LinearRule, NetworkModel, own_state_policy
from replication.seeding import stream

TARGETS = np.array([0.1, 0.9, 0.5, 0.3, 0.8])


def uneven(agents=5, actions=3):
    """A star with random weights, drives of its own for every agent, started at random."""
    rng = stream("uneven voter", agents, actions)
    mixing = rng.uniform(0.0, 1.0, (agents, agents)) * (nets.star(agents) + np.eye(agents))
    mixing *= 0.6 / mixing.sum(axis=1, keepdims=True)
    start = rng.dirichlet([1.0, 1.0], agents)
    rule = LinearRule(mixing, rng.uniform(0.02, 0.38, (agents, actions)))
    return NetworkModel("uneven voter", nets.star(agents), 2, actions, start, rule)


MODELS = {
    "ring": nets.voter(7, 0.6, start=0.2),
    "mean field": nets.voter(6, 0.95, mixing=np.full((6, 6), 1 / 6)),
    "power law": nets.voter(6, 0.9, mixing=nets.power_law(6, 2)),
    "uneven": uneven(),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("discount", [0.0, 0.9, 0.99])
def test_closed_forms_equal_enumeration(name, discount):
    model = MODELS[name]
    policy, _ = nets.policy_of(model, seed=3)
    rewards, enumerated = nets.rewards_of(model), Evaluation(model, policy, discount)
    visits = voter_exact.occupancy(model, policy, discount)
    np.testing.assert_allclose(visits.values, enumerated.occupancy().values, rtol=0.0, atol=1e-13)
    slope = voter_exact.gradient(model, policy, rewards, discount)
    np.testing.assert_allclose(slope, enumerated.gradient(rewards), rtol=0.0, atol=1e-12)
    for kappa in range(model.diameter + 1):
        slope = voter_exact.gradient(model, policy, rewards, discount, kappa)
        for weights in ("occupancy", "uniform"):
            np.testing.assert_allclose(slope, enumerated.gradient(rewards, kappa, weights), rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_closed_form_sensitivities_equal_enumeration(name):
    model = MODELS[name]
    policy, _ = nets.policy_of(model, seed=4)
    rewards = nets.rewards_of(model)
    found = voter_exact.sensitivity(model, policy, rewards, 0.9)
    wanted = exact.sensitivity(model, policy, rewards, 0.9)
    for part in ("by_radius", "by_agent", "by_distance", "pairs"):
        np.testing.assert_allclose(getattr(found, part), getattr(wanted, part), rtol=0.0, atol=1e-11)


def test_sensitivities_equal_the_values_of_an_independent_enumeration():
    rewards = np.tile(nets.STATE_REWARD, (8, 1, 1))
    cases = [(0.6, 0.9, 2, [0.929834, 0.203268, 0.045254, 0.007986], 6e-7)]
    cases += [(0.95, 0.99, 0, [13.98, 8.51, 4.55, 1.43], 6e-3)]
    for alpha, discount, seed, values, tolerance in cases:
        found = voter_exact.sensitivity(nets.voter(8, alpha), nets.reference_policy(seed, 8), rewards, discount)
        np.testing.assert_allclose(found.by_agent[0, :4], values, rtol=0.0, atol=tolerance)


RATES = {0.9: (0.0999, 0.2313, 0.4422, 0.5505), 0.99: (0.1112, 0.2641, 0.5505, 0.7818)}
BOUNDS = {0.9: (0.198, 0.439, 0.740, 0.845), 0.99: (0.220, 0.494, 0.845, 0.970)}
ALPHAS = (0.3, 0.6, 0.9, 0.99)


@pytest.mark.parametrize("discount", RATES)
def test_decay_rate_on_a_ring_and_its_bounds(discount):
    """The printed formula, the published table, the measured decline on 400 agents, and φ* < φ_Dobrushin < γ."""
    rewards = np.tile(nets.STATE_REWARD, (400, 1, 1))
    uniform = own_state_policy(np.full((400, 2, 2), 0.5))
    for alpha, rate, bound in zip(ALPHAS, RATES[discount], BOUNDS[discount], strict=True):
        c = alpha / 3
        printed = (1 - discount * c - np.sqrt((1 - discount * c) ** 2 - 4 * discount**2 * c**2)) / (2 * discount * c)
        found = voter_exact.ring_decay_rate(alpha, discount)
        assert found == pytest.approx(printed, rel=1e-12)
        assert found == pytest.approx(rate, abs=5.1e-5)
        model = nets.voter(400, alpha)
        measured = voter_exact.sensitivity(model, uniform, rewards, discount).by_radius
        assert measured[8] / measured[7] == pytest.approx(found, rel=1e-6)
        _, followed = decay_bounds.influence(model, uniform)
        theory = decay_bounds.dobrushin_rate(followed, model.distance, discount)
        assert theory == pytest.approx(bound, abs=6e-4)
        assert found < theory < discount
    assert voter_exact.ring_decay_rate(0.0, 0.9) == voter_exact.ring_decay_rate(0.9, 0.0) == 0.0


BOUNDED = {
    "voter": nets.voter(8, 0.6),
    "slow voter": nets.voter(8, 0.95),
    "parity": nets.parity(8),
    "Glauber": nets.glauber(8, 2.0),
    "weak Glauber": nets.glauber(8, 0.25),
    "power law": nets.voter(8, 0.95, mixing=nets.power_law(8, 2)),
    "mean field": nets.voter(8, 0.95, mixing=np.full((8, 8), 1 / 8)),
    "random tables": nets.random_tables(nets.ring(7)),
    "star": nets.random_tables(nets.star(6), actions=3),
}


@pytest.mark.parametrize("name", BOUNDED)
@pytest.mark.parametrize("radius", [0, 1])
def test_both_bounds_hold(name, radius):
    model = BOUNDED[name]
    finite = 0
    for seed, discount in enumerate((0.5, 0.9, 0.99)):
        policy, _ = nets.policy_of(model, min(radius, model.diameter), seed)
        rewards = nets.rewards_of(model, seed)
        measured = exact.sensitivity(model, policy, rewards, discount).by_radius
        for bound in (decay_bounds.front_bound, decay_bounds.dobrushin_bound):
            values = bound(model, policy, rewards, discount)
            assert np.all(measured <= values * (1 + 1e-12) + 1e-12)
            finite += np.isfinite(values).all()
    assert finite > 0


def test_the_front_carries_an_action_further_than_a_state():
    """Radius-one policies, reward on the action: news from two hops away is in the reward after one step."""
    model = nets.random_tables(nets.ring(6), seed=1)
    policy, _ = nets.policy_of(model, 1)
    rewards, discount = np.tile(np.array([[0.0, 1.0], [0.0, 1.0]]), (6, 1, 1)), 1e-4
    measured = exact.sensitivity(model, policy, rewards, discount).by_radius
    assert measured[1] > discount**2 / (1 - discount)
    assert measured[1] <= decay_bounds.front_bound(model, policy, rewards, discount)[1]


def test_mean_field_looks_local_on_a_small_ring_and_is_not():
    """Each excluded agent counts the same: 7 : 5 : 3 : 1 of eight agents, a straight line if plotted carelessly."""
    rewards = np.tile(nets.STATE_REWARD, (8, 1, 1))
    model = nets.voter(8, 0.95, mixing=np.full((8, 8), 1 / 8))
    uniform = own_state_policy(np.full((8, 2, 2), 0.5))
    found = voter_exact.sensitivity(model, uniform, rewards, 0.5)
    np.testing.assert_allclose(found.by_radius[:4] / found.by_radius[3], [7, 5, 3, 1], rtol=1e-12)
    np.testing.assert_allclose(found.by_distance[1:], found.by_distance[1], rtol=1e-12)


def entropy(up):
    return -up * np.log(up) - (1 - up) * np.log(1 - up), np.log((1 - up) / up)


def quadratic(up):
    return -((up - TARGETS) ** 2), -2.0 * (up - TARGETS)


def test_optimum_of_the_entropy_is_log_two_at_the_known_drive():
    found = voter_exact.optimum(nets.voter(6, 0.6), 0.9, entropy)
    assert found.value == pytest.approx(np.log(2.0), abs=1e-12)
    np.testing.assert_allclose(found.drive / 0.4, 0.63889, atol=6e-6)
    np.testing.assert_allclose(found.policy.probabilities[:, :, 1], 0.67361, atol=6e-6)


def test_optimum_of_uneven_targets_is_the_known_value_and_is_attained():
    model = nets.voter(5, 0.6)
    found = voter_exact.optimum(model, 0.9, quadratic)
    assert found.value == pytest.approx(-0.0426471, abs=5e-8)
    assert 0.0 <= found.gap < 1e-9
    assert found.residual < 1e-7
    attained = voter_exact.occupancy(model, found.policy, 0.9).states()[:, 1]
    np.testing.assert_allclose(attained, found.means, rtol=0.0, atol=1e-12)
    assert quadratic(attained)[0].mean() == pytest.approx(found.value, abs=1e-12)


@pytest.mark.parametrize("utility", [entropy, lambda up: (up * TARGETS, TARGETS)], ids=["entropy", "linear"])
def test_nothing_on_a_fine_grid_of_drives_is_better(utility):
    model = uneven(agents=5, actions=2)
    found = voter_exact.optimum(model, 0.9, utility)
    grid = np.linspace(0.0, 1.0, 6)
    drive = model.rule.drive
    best = -np.inf
    for share in np.stack(np.meshgrid(*[grid] * 5), axis=-1).reshape(-1, 5):
        level = drive.min(axis=1) + share * np.ptp(drive, axis=1)
        up = np.linalg.solve(np.eye(5) - 0.9 * model.rule.mixing, 0.1 * model.start[:, 1] + 0.9 * level)
        best = max(best, utility(up)[0].mean())
    assert best <= found.value + 1e-12
    assert found.value - best < 0.02
    assert found.gap < 1e-8


def test_policy_gradient_reaches_the_optimum_but_for_saturation_and_truncation():
    """600 steps of size 60 end where an independent run of the same length ended."""
    model = nets.voter(5, 0.6)
    ends = {}
    for kappa in (None, 2, 1, 0):
        logits = 0.1 * stream("start of ascent", 0).normal(size=(5, 2, 2))
        for _ in range(600):
            policy = nets.softmax_policy(np.arange(5)[:, None], logits)
            up = voter_exact.means(model, policy, 0.9)
            shadow = quadratic(up)[1][:, None, None] * nets.STATE_REWARD
            logits += 60.0 * voter_exact.gradient(model, policy, shadow, 0.9, kappa)
        ends[kappa] = quadratic(voter_exact.means(model, policy, 0.9))[0].mean()
    assert ends[None] == pytest.approx(ends[2], abs=1e-9)
    assert ends[0] < ends[1] < ends[None] < -0.0426471
    np.testing.assert_allclose([ends[None], ends[1], ends[0]], [-0.042813, -0.042840, -0.044326], rtol=0.0, atol=1.5e-4)


def test_large_networks_agree_with_small_ones_and_with_themselves():
    """On 500 agents in a ring all agents are alike, and more agents do not change what is near."""
    big, small = nets.voter(500, 0.6), nets.voter(12, 0.6)
    gradients = []
    for model in (big, small):
        policy = nets.binary_policy(np.tile([0.3, 0.6], (model.agents, 1)))
        rewards = np.tile(nets.STATE_REWARD, (model.agents, 1, 1))
        gradients.append(model.agents * voter_exact.gradient(model, policy, rewards, 0.9, 2))
    np.testing.assert_allclose(gradients[0][0], gradients[0][250], rtol=0.0, atol=1e-13)
    np.testing.assert_allclose(gradients[0][0], gradients[1][0], rtol=0.0, atol=1e-4)
    assert voter_exact.optimum(big, 0.9, entropy).value == pytest.approx(np.log(2.0), abs=1e-10)


def test_bad_input_is_one_line():
    model = nets.voter(4, 0.6)
    wide, _ = nets.policy_of(model, 1)
    policy, _ = nets.policy_of(model)
    cases = [
        (lambda: voter_exact.means(nets.parity(4), policy, 0.9), "linear rule, two states.*'parity'; use exact"),
        (lambda: voter_exact.occupancy(model, wide, 0.9), "policy on the own state"),
        (lambda: voter_exact.occupancy(model, policy, 1.0), r"discount must be a number in \[0, 1\)"),
        (lambda: voter_exact.optimum(model, 2.0, entropy), "discount must be"),
        (lambda: voter_exact.gradient(model, policy, nets.rewards_of(model), 0.9, 9), "kappa must be from 0 to 2"),
    ]
    for call, message in cases:
        with refused(message):
            call()
