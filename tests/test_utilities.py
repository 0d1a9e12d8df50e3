"""Every utility equals its printed formula, every shadow reward its finite differences; bad input is one line."""

import numpy as np
import pytest
from oracles import utilities as slow
from refusals import refused

from replication.algos import utilities
from replication.algos.utilities import Combined, Constrained, Mixed, check_utility, utility
from replication.algos.utility_registry import KINDS

SHAPE = (4, 3, 2)
RNG = np.random.default_rng(0)
REWARD = RNG.uniform(0.2, 1.0, SHAPE)
COST = RNG.uniform(size=SHAPE)
TARGET = RNG.dirichlet(np.ones(6), size=4).reshape(SHAPE)
OCCUPANCY = RNG.dirichlet(2 * np.ones(6), size=4).reshape(SHAPE)
SPOTS = np.array([0.0, 0.5, 2.0])
EACH = np.array([0.3, 1.0, 0.0, 2.0])  # one number per agent

# name -> (parameters, the printed formula for agent i)
CASES = {
    "linear": ({"reward": REWARD}, lambda x, i: slow.linear(x, REWARD[i])),
    "state_entropy": ({}, lambda x, i: slow.state_entropy(x)),
    "state_action_entropy": ({}, lambda x, i: slow.state_action_entropy(x)),
    "imitation": ({"target": TARGET}, lambda x, i: slow.imitation(x, TARGET[i])),
    "reward_imitation": (
        {"reward": REWARD, "target": TARGET, "weight": 0.4},
        lambda x, i: slow.reward_imitation(x, REWARD[i], TARGET[i], 0.4),
    ),
    "quadratic": ({"target": TARGET}, lambda x, i: slow.quadratic(x, TARGET[i])),
    "quadratic_state": ({"target": EACH / 2}, lambda x, i: slow.quadratic_state(x, EACH[i] / 2)),
    "determinism": ({"idle": 1}, lambda x, i: slow.determinism(x, 1)),
    "log_barrier": (
        {"reward": REWARD, "cost": COST, "limit": 1.5 + EACH, "beta": EACH},
        lambda x, i: slow.log_barrier(x, REWARD[i], COST[i], 1.5 + EACH[i], EACH[i]),
    ),
    "risk": ({"reward": REWARD, "beta": EACH}, lambda x, i: slow.risk(x, REWARD[i], EACH[i])),
    "transport": (
        {"target": TARGET.sum(axis=2), "positions": SPOTS},
        lambda x, i: slow.transport(x, TARGET[i].sum(axis=1), SPOTS),
    ),
    "fairness": ({}, lambda x, i: slow.fairness(x)),
}


def combinations() -> dict[str, utilities.Utility]:
    made = {name: utility(name, SHAPE, **parameters) for name, (parameters, _) in CASES.items()}
    made["states: imitation"] = utility("imitation", SHAPE, target=TARGET.sum(axis=2), over="states")
    made["states: quadratic"] = utility("quadratic", SHAPE, target=TARGET.sum(axis=2), over="states")
    made["mixed"] = Mixed((made["state_entropy"], made["risk"], made["transport"]), np.array([1, 0, 2, 1]))
    bound = np.array([0.2, 1.2, 1.0, 1.3])  # met by some agents, missed by others
    made["constrained"] = Constrained(made["linear"], made["state_entropy"], bound, eta=3.0)
    return made


ALL = combinations()


def differences(given: utilities.Utility, occupancy: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """(n, S, A) central differences of each agent's own utility."""
    slope = np.empty(occupancy.shape)
    for i, s, a in np.ndindex(*occupancy.shape):
        up, down = occupancy.copy(), occupancy.copy()
        up[i, s, a] += step
        down[i, s, a] -= step
        slope[i, s, a] = (given.value(up)[i] - given.value(down)[i]) / (2 * step)
    return slope


@pytest.mark.parametrize("name", CASES)
def test_values_are_the_printed_formulas(name):
    value = utility(name, SHAPE, **CASES[name][0]).value(OCCUPANCY)
    printed = [CASES[name][1](OCCUPANCY[i].tolist(), i) for i in range(4)]
    assert np.allclose(value, printed, atol=1e-4)  # smoothing 1e-6


@pytest.mark.parametrize("name", ["state_entropy", "state_action_entropy", "imitation", "transport", "fairness"])
def test_without_smoothing_the_formulas_are_exact(name):
    parameters, printed = CASES[name]
    value = utility(name, SHAPE, smoothing=0.0, **parameters).value(OCCUPANCY)
    assert np.allclose(value, [printed(OCCUPANCY[i].tolist(), i) for i in range(4)], atol=1e-12)


@pytest.mark.parametrize("smoothing", [1e-6, 1e-1])
@pytest.mark.parametrize("name", ALL)
def test_shadow_rewards_are_the_gradients(name, smoothing):
    given = ALL[name]
    if name in CASES and "smoothing" in KINDS[name].__annotations__:
        given = utility(name, SHAPE, smoothing=smoothing, **CASES[name][0])
    for occupancy in (OCCUPANCY, 0.6 * OCCUPANCY):  # the estimate over H steps has mass 1 - gamma^H
        assert given.value(occupancy).shape == (4,)
        assert np.allclose(given.shadow_reward(occupancy), differences(given, occupancy), atol=2e-7)


def test_the_gradient_of_an_agent_looks_at_its_own_occupancy_only():
    changed = OCCUPANCY.copy()
    changed[0] = TARGET[0]
    for name, given in ALL.items():
        assert np.array_equal(given.shadow_reward(OCCUPANCY)[1:], given.shadow_reward(changed)[1:]), name


@pytest.mark.parametrize("name", ALL)
def test_concave_utilities_lie_below_their_tangents_and_the_others_do_not_everywhere(name):
    given, rng = ALL[name], np.random.default_rng(1)
    points = rng.dirichlet(0.3 * np.ones(6), size=(300, 2, 4)).reshape(300, 2, *SHAPE)
    gap = np.array([given.value(y) - given.value(x) - _inner(given.shadow_reward(x), y - x) for x, y in points])
    if given.concave:
        assert gap.max() < 1e-9
    else:
        assert gap.max() > 1e-3


def _inner(reward, change):
    return (reward * change).sum(axis=(1, 2))


def test_unbounded_shadow_rewards_grow_without_smoothing_and_bounded_ones_do_not():
    corner = np.zeros(SHAPE)
    corner[:, 0, 0] = 1.0
    tight = {"log_barrier": {"limit": COST[:, 0, 0]}}  # no slack at the corner
    for name, (parameters, _) in CASES.items():
        if "smoothing" not in KINDS[name].__annotations__:
            continue
        values = [
            utility(name, SHAPE, smoothing=smoothing, **(parameters | tight.get(name, {})))
            for smoothing in (1e-3, 1e-9)
        ]
        rough, fine = (np.abs(given.shadow_reward(corner)).max() for given in values)
        assert (fine < 1.1 * rough) == values[0].bounded, name
        assert values[0].note


def test_a_state_utility_rewards_every_action_alike():
    reward = ALL["state_entropy"].shadow_reward(OCCUPANCY)
    assert np.array_equal(reward[..., 0], reward[..., 1])
    assert np.allclose(reward[..., 0], -np.log(OCCUPANCY.sum(axis=2) + 1e-6) - 1)


def test_the_multiplier_has_a_closed_form_and_the_shipped_scale_breaks_the_gradient():
    given = ALL["constrained"]
    for i in range(4):
        value, multiplier = slow.constrained(OCCUPANCY[i].tolist(), REWARD[i], given.bound[i], 3.0)
        assert given.multiplier(OCCUPANCY)[i] == pytest.approx(multiplier, abs=1e-3)
        assert given.value(OCCUPANCY)[i] == pytest.approx(value, abs=1e-3)
    assert (given.multiplier(OCCUPANCY) > 0).tolist() == [False, True, True, True]
    shipped = Constrained(given.objective, given.constraint, given.bound, 3.0, scale=500 * (1 - 0.99))
    share = shipped.shadow_reward(OCCUPANCY) - REWARD
    assert np.allclose(share, 5.0 * (given.shadow_reward(OCCUPANCY) - REWARD))
    assert np.abs(shipped.shadow_reward(OCCUPANCY) - differences(shipped, OCCUPANCY)).max() > 0.1


def test_optima_of_the_bounded_kinds():
    assert np.allclose(ALL["imitation"].value(TARGET), 0, atol=1e-12)
    assert np.allclose(ALL["quadratic"].value(TARGET), 0, atol=1e-12)
    assert np.allclose(ALL["transport"].value(TARGET), 0, atol=1e-12)
    uniform = np.full(SHAPE, 1 / 6)
    assert np.allclose(ALL["state_entropy"].value(uniform), np.log(3), atol=1e-4)
    assert np.allclose(ALL["state_action_entropy"].value(uniform), np.log(6), atol=1e-4)


def test_a_weighted_sum_is_concave_only_with_concave_parts_and_weights_of_the_right_sign():
    linear, entropy = ALL["linear"], ALL["state_entropy"]
    assert Combined((linear, entropy), (-1.0, 2.0)).concave
    assert not Combined((linear, entropy), (1.0, -2.0)).concave
    both = Combined((linear, entropy), (2.0, 0.5)).value(OCCUPANCY)
    assert np.allclose(both, 2 * linear.value(OCCUPANCY) + 0.5 * entropy.value(OCCUPANCY))


class ValueOnly:
    name = "value only"

    def value(self, values):
        return values.sum(axis=(1, 2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: utility("state_entrpy", SHAPE), "did you mean state_entropy"),
        (lambda: utility("state_entropy", SHAPE, smooth=1e-3), "did you mean smoothing"),
        (lambda: utility("linear", SHAPE), "reward"),
        (lambda: utility("linear", SHAPE, reward=np.ones((3, 3))), "shape"),
        (lambda: utility("linear", SHAPE, reward=np.full((3, 2), np.nan)), "finite"),
        (lambda: utility("state_entropy", SHAPE, smoothing=-1.0), "smoothing must be >= 0"),
        (lambda: utility("imitation", SHAPE, target=TARGET, over="actions"), "unknown over"),
        (lambda: utility("quadratic_state", SHAPE, target=0.5, state=3), "state must be one of 0 to 2"),
        (lambda: utility("transport", SHAPE, target=np.ones(3) / 3, positions=[0, 2, 1]), "rising"),
        (lambda: check_utility(utility("coverage", SHAPE), SHAPE), "no gradient"),
        (lambda: utility("coverage", SHAPE).shadow_reward(OCCUPANCY), "no gradient"),
        (lambda: check_utility(ValueOnly(), SHAPE), "no gradient"),
        (lambda: check_utility(ALL["linear"], (5, 3, 2)), "is made for"),
        (lambda: Mixed((ALL["linear"],), np.array([0, 0, 1, 0])), "kind must be"),
        (lambda: Mixed((ALL["linear"], utility("coverage", SHAPE)), np.array([0, 0, 1, 0])), "no gradient"),
        (lambda: Combined((ALL["linear"],), (1.0, 2.0)), "one weight per part"),
        (lambda: Constrained(ALL["linear"], ALL["state_entropy"], 0.5, eta=-1.0), "eta must be >= 0"),
    ],
)
def test_bad_input_is_one_line(call, message):
    with refused(message):
        call()


def test_coverage_counts_pairs():
    occupancy = np.zeros(SHAPE)
    occupancy[:, 0, 0] = 1.0
    assert np.allclose(utility("coverage", SHAPE).value(occupancy), 1 / 6)
