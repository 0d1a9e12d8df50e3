"""Algorithm 1: an estimate equals its printed loops, its mean the exact gradient; training, costs and bad input."""

from dataclasses import replace
from itertools import cycle

import numpy as np
import pytest
from oracles import truncated_pg as slow
from refusals import refused
from tabular_networks import network, random_policy, voters
from toy_worlds import Interrupted, KeptRun, NoRun

from replication.algos import shadow_kernels, tabular_policy
from replication.algos.truncated_gradient import estimate_gradient, reach
from replication.algos.truncated_pg import train
from replication.algos.truncated_pg_settings import TruncatedPGSettings, as_shipped
from replication.algos.utilities import Constrained, utility
from replication.envs.network_kernel import rollout
from replication.envs.networked_mdp import LocalPolicy, codes, neighbourhoods
from replication.envs.occupancy import NormalisedOccupancy
from replication.seeding import keys

GAMMA = 0.6


def settings(**changes) -> TruncatedPGSettings:
    return TruncatedPGSettings(**({"kappa": 1, "discount": GAMMA, "batch": 6, "horizon": 7} | changes))


def lanes(count: int, *numbers: int) -> np.ndarray:
    return keys("policy gradient test", *numbers, count=count)


def shape_of(model) -> tuple[int, int, int]:
    return model.agents, model.states, model.actions


def entropy(model, smoothing=0.05):
    return utility("state_entropy", shape_of(model), smoothing=smoothing)


def quadratic(model, seed=3):
    target = np.random.default_rng(seed).dirichlet(np.ones(model.states * model.actions), size=model.agents)
    return utility("quadratic", shape_of(model), target=target.reshape(shape_of(model)))


def reward(model, seed=4):
    return np.random.default_rng(seed).normal(size=shape_of(model))


def trajectories(model, policy, given, lane_keys, purpose):
    """What the estimator simulates for that purpose: 0 shared, 1 occupancy, 2 critic, 3 gradient."""
    count = {1: given.occupancy_batch, 2: given.critic_batch}.get(purpose) or given.batch
    made = shadow_kernels.spread_keys(np.sort(lane_keys), purpose, count)
    return rollout(model, policy, made, given.horizon + (given.recorded == "after"))


def printed(model, policy, given, lane_keys):
    """The estimate by loops: occupancy (n, S, A) and gradient (n, K, A), entropy utility."""
    shared, after = given.batches == "shared", given.recorded == "after"
    drawn = [trajectories(model, policy, given, lane_keys, 0 if shared else purpose) for purpose in (1, 2, 3)]
    occupancy = slow.occupancy(drawn[0], shape_of(model), GAMMA, after)
    shadow = -np.log(occupancy.sum(axis=2, keepdims=True) + 0.05) - np.ones(shape_of(model))
    near = neighbourhoods(model.distance, model.diameter if given.kappa == "diameter" else given.kappa)
    at = drawn[2]
    q = np.empty((given.batch, given.horizon, model.agents))
    for j, row in enumerate(near):
        members = row[row >= 0]
        if given.critic == "visited_average":
            halves = [range(0, len(drawn[1].states), 2), range(1, len(drawn[1].states), 2)] if given.twin else [None]
            tables = [slow.visited_means(drawn[1], shadow, GAMMA, members, after, half)[0] for half in halves]
            other = slow.visited_means(drawn[1], shadow, GAMMA, members, after)[1]
        elif given.critic == "td":
            form = given.td_gain, given.td_delay, False, given.twin, after
            tables, other = slow.temporal_differences(drawn[1], shadow, GAMMA, members, *form), 0.0
        for b, h in np.ndindex(*q.shape[:2]):
            if given.critic == "reward_to_go":
                q[b, h, j] = slow.reward_to_go(at, shadow, GAMMA, b, h, j, after)
            else:
                z = slow.key(members, at.states[b, h], at.actions[b, h])
                found = [table.get(z, other if given.critic == "td" else None) for table in tables]
                q[b, h, j] = min((x for x in found if x is not None), default=other)
    over = "n" if given.neighbour_sum == "over_n" else "neighbourhood"
    form = over, given.discount_weights, {"time": "time", "state": "state"}.get(given.baseline, "none")
    return occupancy, slow.gradient(at, q, policy, near, GAMMA, model.states, *form)


VARIANTS = {
    "reward to go": {},
    "own values only": {"kappa": 0},
    "full information": {"kappa": "diameter"},
    "wider policy": {"policy_radius": 1},
    "time baseline": {"baseline": "time"},
    "state baseline": {"baseline": "state", "policy_radius": 1},
    "shared batches": {"batches": "shared"},
    "visited average": {"critic": "visited_average", "critic_batch": 9},
    "temporal differences": {"critic": "td", "td_gain": 2.0, "td_delay": 4.0, "critic_batch": 9},
    "neighbourhood mean": {"neighbour_sum": "over_neighbourhood"},
    "no discount weights": {"discount_weights": False},
    "after the step": {"recorded": "after", "occupancy_batch": 3},
    "twin tables": {"critic": "td", "twin": True, "td_gain": 2.0, "td_delay": 4.0},
    "twin means": {"critic": "visited_average", "twin": True, "batches": "shared"},
}


@pytest.mark.parametrize("name", VARIANTS)
def test_an_estimate_is_the_printed_sum(name):
    model = network("star", 4, states=3, actions=2)
    given = settings(**VARIANTS[name])
    policy = random_policy(model, given.policy_radius)
    found = estimate_gradient(model, policy, entropy(model), given, lanes(6))
    occupancy, gradient = printed(model, policy, given, lanes(6))
    assert np.allclose(found.occupancy.values, occupancy, atol=1e-12)
    assert np.allclose(found.gradient, gradient, atol=1e-12)
    assert np.abs(gradient).max() > 1e-3


@pytest.mark.parametrize("name", VARIANTS)
def test_the_order_of_lanes_does_not_matter(name):
    model, given = network("ring", 4), settings(**VARIANTS[name])
    policy, some = random_policy(model, given.policy_radius), lanes(6)
    one = estimate_gradient(model, policy, entropy(model), given, some)
    other = estimate_gradient(model, policy, entropy(model), given, some[[3, 1, 5, 0, 2, 4]])
    assert np.array_equal(one.gradient, other.gradient)
    assert np.array_equal(one.occupancy.values, other.occupancy.values)


@pytest.mark.parametrize("recorded", ["before", "after"])
def test_the_occupancy_has_the_mass_of_its_horizon(recorded):
    model = network("ring", 5, states=3)
    for horizon in (2, 9):
        given = settings(horizon=horizon, recorded=recorded)
        found = estimate_gradient(model, random_policy(model), entropy(model), given, lanes(6))
        assert np.allclose(found.occupancy.values.sum(axis=(1, 2)), 1 - GAMMA**horizon, atol=1e-12)


def z_scores(model, policy, given_utility, given, truth, times=500):
    """Distance of the mean of many estimates from `truth` in standard errors, where the estimates vary."""
    within = reach(model, given)
    found = np.array([
        estimate_gradient(model, policy, given_utility, given, lanes(given.batch, t), within=within).gradient
        for t in range(times)
    ])  # fmt: skip
    error = found.std(axis=0, ddof=1) / np.sqrt(times)
    return (found.mean(axis=0) - truth)[error > 1e-12] / error[error > 1e-12]


UNBIASED = {
    "κ=0": {"kappa": 0},
    "κ=1": {},
    "κ=2": {"kappa": 2},
    "κ=1, wider policy": {"policy_radius": 1, "kappa": 2},
    "κ=2, time baseline": {"kappa": 2, "baseline": "time"},
    "κ=2, state baseline": {"kappa": 2, "baseline": "state"},
    "κ=1, few lanes, state baseline": {"batch": 2, "baseline": "state"},
}


@pytest.mark.parametrize("name", UNBIASED)
def test_the_mean_of_many_estimates_is_the_exact_truncated_gradient(name):
    """Quadratic utility: its shadow reward is linear in the occupancy, so independent batches leave no bias at all."""
    model = network("line", 3, seed=5)
    given = settings(**({"batch": 64, "horizon": 25} | UNBIASED[name]))
    policy = random_policy(model, given.policy_radius)
    exact, near = slow.Exact(model, policy, GAMMA), neighbourhoods(model.distance, given.kappa)
    shadow = quadratic(model).shadow_reward(exact.occupancy(exact.discounted()))
    truth = exact.gradient(shadow, near)
    z = z_scores(model, policy, quadratic(model), given, truth)
    assert len(z) >= 12
    assert np.abs(z).max() < 4.5
    if given.kappa == 0:  # the test can tell a truncated gradient from the full one
        full = exact.gradient(shadow, neighbourhoods(model.distance, 2))
        assert np.abs(z_scores(model, policy, quadratic(model), given, full)).max() > 8


def test_the_mean_is_over_all_agents_not_over_the_neighbourhood():
    """On a star a leaf has one neighbour: 1/n and 1/|N| differ by a factor of two there, and not at the centre."""
    model = network("star", 4, seed=2)
    policy, near = random_policy(model), neighbourhoods(model.distance, 1)
    given = settings(batch=64, horizon=25)
    linear = utility("linear", shape_of(model), reward=reward(model))
    truth = slow.Exact(model, policy, GAMMA).gradient(reward(model), near)
    assert np.abs(z_scores(model, policy, linear, given, truth)).max() < 4.5
    one = estimate_gradient(model, policy, linear, given, lanes(64)).gradient
    mean = given.but(neighbour_sum="over_neighbourhood")
    other = estimate_gradient(model, policy, linear, mean, lanes(64)).gradient
    assert np.allclose(other[0], one[0], atol=1e-12)
    assert np.allclose(other[1:], 2 * one[1:], atol=1e-12)
    assert np.abs(z_scores(model, policy, linear, mean, truth)).max() > 10


def test_without_discount_weights_the_estimate_is_biased():
    model = network("line", 3, seed=1)
    policy = random_policy(model)
    linear = utility("linear", shape_of(model), reward=reward(model))
    truth = slow.Exact(model, policy, GAMMA).gradient(reward(model), neighbourhoods(model.distance, 2))
    given = settings(batch=64, horizon=25, kappa=2)
    assert np.abs(z_scores(model, policy, linear, given, truth)).max() < 4.5
    assert np.abs(z_scores(model, policy, linear, given.but(discount_weights=False), truth)).max() > 10


def test_the_gradient_identity_holds_for_a_nonlinear_utility():
    """Finite differences of F over the logits equal the policy gradient with the shadow reward."""
    model, radius = network("line", 3, seed=5), 1
    seen = tabular_policy.seen_agents(model, radius)
    logits = np.random.default_rng(6).normal(size=tabular_policy.logits_shape(model, seen))

    def objective(x):
        exact = slow.Exact(model, tabular_policy.softmax_policy(x, seen), GAMMA)
        return entropy(model).value(exact.occupancy(exact.discounted())).mean()

    exact = slow.Exact(model, tabular_policy.softmax_policy(logits, seen), GAMMA)
    shadow = entropy(model).shadow_reward(exact.occupancy(exact.discounted()))
    gradient = exact.gradient(shadow, neighbourhoods(model.distance, 2))
    for place in [(0, 1, 0), (1, 5, 1), (1, 0, 0), (2, 3, 1)]:
        step = np.zeros(logits.shape)
        step[place] = 1e-5
        assert gradient[place] == pytest.approx((objective(logits + step) - objective(logits - step)) / 2e-5, abs=1e-8)


def test_a_linear_utility_is_ordinary_scalable_actor_critic():
    """Qu, Wierman and Li's gradient with temporal differences on the reward itself; no occupancy enters."""
    model = network("ring", 5, seed=7)
    policy, near, r = random_policy(model), neighbourhoods(model.distance, 1), reward(model)
    given = settings(critic="td", td_gain=2.0, td_delay=4.0)
    found = estimate_gradient(model, policy, utility("linear", shape_of(model), reward=r), given, lanes(6))
    learn, at = (trajectories(model, policy, given, lanes(6), purpose) for purpose in (2, 3))
    q = np.empty((6, 7, 5))
    for j, row in enumerate(near):
        table = slow.temporal_differences(learn, r, GAMMA, row, 2.0, 4.0)[0]
        for b, h in np.ndindex(6, 7):
            q[b, h, j] = table.get(slow.key(row, at.states[b, h], at.actions[b, h]), 0.0)
    assert np.array_equal(found.shadow_reward, r)
    assert np.allclose(found.gradient, slow.gradient(at, q, policy, near, GAMMA, 2), atol=1e-12)


def test_kappa_at_the_diameter_is_full_information():
    model = network("ring", 6)
    policy = random_policy(model)
    whole = estimate_gradient(model, policy, entropy(model), settings(kappa="diameter"), lanes(6))
    widest = estimate_gradient(model, policy, entropy(model), settings(kappa=3), lanes(6))
    assert np.array_equal(whole.gradient, widest.gradient)
    assert reach(model, settings(kappa=3)).whole
    assert not reach(model, settings(kappa=2)).whole


def test_baselines_reduce_the_variance():
    model = network("ring", 5, seed=1)
    policy = random_policy(model)

    def spread(**changes):
        given = settings(batch=64, horizon=25, kappa=2, **changes)
        found = [estimate_gradient(model, policy, entropy(model), given, lanes(64, t)).gradient for t in range(60)]
        return np.var(found, axis=0).sum()

    assert spread(baseline="time") < 0.8 * spread()
    assert spread(baseline="state") < 0.8 * spread()


def test_a_table_critic_approaches_the_truncated_gradient():
    model = network("line", 3, seed=1)
    policy, near = random_policy(model), neighbourhoods(model.distance, 1)
    linear = utility("linear", shape_of(model), reward=reward(model))
    truth = slow.Exact(model, policy, GAMMA).gradient(reward(model), near)
    for critic in ("td", "visited_average"):
        given = settings(batch=20_000, horizon=15, critic=critic, td_clock="visits")
        found = estimate_gradient(model, policy, linear, given, lanes(20_000)).gradient
        assert np.abs(found - truth).max() < 0.05 * np.abs(truth).max(), critic


@pytest.mark.parametrize("exploration", [0.0, 0.3])
def test_scores_are_the_slopes_of_the_log_probability(exploration):
    model = network("line", 3, states=3, actions=3)
    seen = tabular_policy.seen_agents(model, 1)
    logits = np.random.default_rng(0).normal(size=tabular_policy.logits_shape(model, seen))
    policy = tabular_policy.softmax_policy(logits, seen, exploration)
    assert policy.probabilities.min() >= exploration / 3
    states, actions = np.random.default_rng(1).integers(0, 3, size=(2, 8, 3))
    code = codes(policy.seen, states, 3)
    probabilities = policy.probabilities[np.arange(3), code]
    rows = tabular_policy.through_softmax(np.eye(3)[actions], probabilities, exploration)
    for x, i, a in np.ndindex(8, 3, 3):
        step = np.zeros(logits.shape)
        step[i, code[x, i], a] = 1e-6
        laws = [
            np.log(tabular_policy.softmax_policy(logits + sign * step, seen, exploration).law(states, 3))
            for sign in (1, -1)
        ]
        slope = (laws[0] - laws[1])[x, i, actions[x, i]] / 2e-6
        assert rows[x, i, a] == pytest.approx(slope, abs=1e-8)
        if exploration == 0:
            assert rows[x, i, a] == pytest.approx(slow.score(policy, i, states[x], actions[x, i], 3)[code[x, i], a])


def test_costs_are_reported():
    model = network("ring", 6)
    policy = random_policy(model)
    plain = estimate_gradient(model, policy, entropy(model), settings(), lanes(6))
    assert plain.samples == 2 * 6 * 7  # occupancy and gradient
    assert plain.bytes_exchanged == 8 * 6 * 2 * 6 * 7  # values of two neighbours for each of six agents
    assert plain.table_entries.tolist() == [64.0] * 6
    assert plain.visited is None
    sparse = settings(critic="visited_average", critic_batch=10)
    table = estimate_gradient(model, policy, entropy(model), sparse, lanes(6))
    assert table.samples == 2 * 6 * 7 + 10 * 7
    assert table.bytes_exchanged == plain.bytes_exchanged + 2 * 6 * 2 * (10 + 6) * 7
    assert np.all((table.visited > 4) & (table.visited <= 64))
    known = NormalisedOccupancy(plain.occupancy.values, GAMMA)
    reuse = estimate_gradient(model, policy, entropy(model), settings(), lanes(6), occupancy=known)
    assert reuse.samples == 6 * 7
    assert np.array_equal(reuse.gradient, plain.gradient)
    half = settings(occupancy_weight=0.5)
    mixed = estimate_gradient(
        model, policy, entropy(model), half, lanes(6), earlier=NormalisedOccupancy(0 * known.values, GAMMA)
    )
    assert np.allclose(mixed.occupancy.values, 0.5 * known.values)


class NoGradient:
    name = "no gradient"

    def value(self, values):
        return values.sum(axis=(1, 2))


CERTAIN = replace(network("line", 4), start=np.tile([1.0, 0.0], (4, 1)))  # no other state in the first step


def _estimate(model=None, policy=None, given_utility=None, given=None, some=None):
    model = network("line", 4) if model is None else model
    given = settings() if given is None else given
    return estimate_gradient(
        model,
        random_policy(model) if policy is None else policy,
        entropy(model) if given_utility is None else given_utility,
        given,
        lanes(given.batch) if some is None else some,
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: settings(kappa=-1), "kappa: .*from 0 to the graph diameter, got -1"),
        (lambda: settings(kappa=1.5), "kappa: must be a whole number, got 1.5"),
        (lambda: settings(kappa=True), "kappa: must be a whole number"),
        (lambda: settings(kappa="all"), "kappa: .*'diameter'"),
        (lambda: _estimate(given=settings(kappa=4)), "kappa must be from 0 to 3 .graph diameter., got 4"),
        (lambda: settings(batch=0), "batch: .*greater than or equal to 1, got 0"),
        (lambda: settings(batch=2.5), "batch: must be a whole number"),
        (lambda: settings(horizon=0), "horizon"),
        (lambda: settings(discount=1.0), "discount: .*less than 1, got 1.0"),
        (lambda: settings(discount=-0.1), "discount: .*greater than or equal to 0"),
        (lambda: settings(critic="tf"), "critic"),
        (lambda: settings(radius=1), "unknown setting 'radius'"),
        (lambda: settings(twin=True), "twin and critic_batch need a table critic"),
        (lambda: settings(batch=1, baseline="time"), "batch must be >= 2"),
        (lambda: settings(batches="shared", occupancy_batch=3), "batches='independent'"),
        (lambda: settings(critic="td", horizon=1), "horizon must be >= 2"),
        (lambda: _estimate(given_utility=NoGradient()), "'no gradient' has no gradient"),
        (lambda: _estimate(given_utility=utility("coverage", (4, 2, 2))), "no gradient"),
        (lambda: _estimate(CERTAIN, given_utility=entropy(CERTAIN, 0.0), given=settings(horizon=1)), "smoothing"),
        (lambda: _estimate(given_utility=quadratic(network("line", 5))), "is made for"),
        (lambda: _estimate(policy=random_policy(network("line", 5))), "policy does not fit model 'line'"),
        (lambda: _estimate(policy=random_policy(network("line", 4, states=3))), "policy does not fit"),
        (lambda: _estimate(some=lanes(5)), "keys must be 6 whole numbers"),
        (lambda: _estimate(some=np.arange(6) - 1), "keys must be 6 whole numbers >= 0"),
        (lambda: _estimate(network("line", 12), given=settings(kappa=6, critic="td")), "limit is 1048576"),
        (lambda: train(network("line", 4), entropy(network("line", 4)), settings(), (0,), 0), "iterations must be"),
        (lambda: train(network("line", 4), entropy(network("line", 4)), settings(), (), 1), "at least one seed"),
        (lambda: train(network("line", 4), NoGradient(), settings(), (0,), 1), "no gradient"),
        (lambda: train(network("line", 4), NoGradient(), settings(policy_radius=9), (0,), 1), "policy_radius must be"),
        (
            lambda: train(network("line", 4), entropy(network("line", 4)), settings(), (0,), 1, gradient_source="exat"),
            "did you mean exact",
        ),
        (
            lambda: train(network("line", 4), entropy(network("line", 4)), settings(), (0,), 1, start=np.zeros(3)),
            "start must have shape",
        ),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(call, message):
    with refused(message):
        call()


# --- training ---


def goal(model):
    """Targets for the share of time in the last state, different for every agent; the voters can reach them."""
    return utility("quadratic_state", shape_of(model), target=np.linspace(0.3, 0.7, model.agents))


LEARN = {"batch": 32, "horizon": 20, "discount": 0.8, "step_size": 20.0, "baseline": "time"}


def final_objective(model, policy) -> float:
    exact = slow.Exact(model, policy, 0.8)
    return float(goal(model).value(exact.occupancy(exact.discounted())).mean())


def uniform(model) -> LocalPolicy:
    seen = tabular_policy.seen_agents(model, 0)
    return tabular_policy.softmax_policy(np.zeros(tabular_policy.logits_shape(model, seen)), seen)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"critic": "visited_average"},
        {"critic": "td", "td_clock": "visits"},
        {"update": "adam", "step_size": 0.1},
        {"update": "normalised", "step_size": 0.3, "step_rule": "inverse_sqrt"},
        {"momentum": "average", "momentum_weight": 0.3},
        {"momentum": "recursive", "momentum_weight": 0.3},
        {"occupancy_every": 3, "occupancy_weight": 0.7},
    ],
    ids=str,
)
def test_training_raises_the_objective(changes):
    model = voters("line", 3)
    trained = train(model, goal(model), settings(**(LEARN | changes)), (0,), 60)
    before = final_objective(model, uniform(model))
    assert before < -0.025
    assert final_objective(model, trained.policy(0)) > 0.1 * before


def test_any_function_can_be_the_source():
    model = network("line", 3)
    calls = []

    def upward(model, policy, utility, settings):
        calls.append(policy)
        found = estimate_gradient(model, policy, utility, settings, lanes(6))
        return replace(found, gradient=np.ones((3, 2, 2)), samples=5)

    trained = train(model, goal(model), settings(step_size=0.5), (0, 1), 4, gradient_source=upward)
    assert np.allclose(trained.logits, 2.0)
    assert len(calls) == 8
    assert isinstance(calls[0], LocalPolicy)
    assert trained.curves["_samples"].tolist() == [5, 10, 15, 20]


def test_a_seed_learns_the_same_alone_and_in_company():
    model = network("ring", 4)
    given = settings(initial_scale=1.0, momentum="recursive", occupancy_weight=0.5)
    together = train(model, entropy(model), given, (4, 7, 9), 5)
    alone = train(model, entropy(model), given, (7,), 5)
    assert np.array_equal(together.logits[1], alone.logits[0])
    assert np.array_equal(together.curves["objective"][1], alone.curves["objective"][0])
    assert not np.allclose(together.logits[0], together.logits[1])


@pytest.mark.parametrize(
    "changes",
    [{}, {"update": "adam", "critic": "td"}, {"momentum": "recursive", "occupancy_every": 3, "occupancy_weight": 0.5}],
    ids=str,
)
def test_an_interrupted_run_resumes_bitwise(changes):
    model = network("ring", 4)

    def finish(run):
        def judge(policy):
            return {"first": policy.probabilities[0, 0, 0]}

        return train(model, entropy(model), settings(**changes), (0, 1), 8, run=run, evaluate=judge, evaluate_every=2)

    straight, broken = finish(NoRun()), KeptRun(stop_after=5)
    with pytest.raises(Interrupted):
        finish(broken)
    broken.stop_after = None
    resumed = finish(broken)
    assert np.array_equal(straight.logits, resumed.logits)
    assert straight.curves.keys() == resumed.curves.keys()
    for name, curve in straight.curves.items():
        assert np.array_equal(curve, resumed.curves[name]), name
    assert [step for step, _ in broken.logged] == [2, 4, 6, 8]
    assert straight.curves["_evaluated_at"].tolist() == [0, 2, 4, 6, 8]
    assert straight.curves["evaluated_first"].shape == (2, 5)


def test_steps_keep_their_promises():
    model, none = network("line", 3), {"batch": 4, "horizon": 5}

    def lengths(**changes):
        given = settings(**(none | changes))
        logits = [train(model, entropy(model), given, (0,), t).logits[0] for t in (1, 2, 3, 4)]
        return np.array([np.linalg.norm(b - a) for a, b in zip([0 * logits[0], *logits], logits, strict=False)]), logits

    even, _ = lengths(update="normalised", step_size=0.5)
    assert np.allclose(even, 0.5)
    falling, _ = lengths(update="normalised", step_size=0.5, step_rule="inverse_sqrt")
    assert np.allclose(falling, 0.5 / np.sqrt([1, 2, 3, 4]))
    _, bounded = lengths(step_size=1e3, logit_bound=0.7)
    assert np.abs(bounded[-1]).max() == 0.7
    _, clipped = lengths(gradient_clip=1e-3, step_size=1.0)
    assert np.linalg.norm(clipped[0].reshape(3, -1), axis=1).max() <= 1e-3 + 1e-15
    _, first = lengths(update="adam", step_size=0.1)
    assert np.allclose(np.abs(first[0][first[0] != 0]), 0.1, rtol=1e-3)


def test_adam_and_momentum_equal_their_formulas():
    model = network("line", 3)
    gradients = np.random.default_rng(0).normal(size=(4, 3, 2, 2))

    in_turn = cycle(gradients)

    def played(model, policy, utility, settings):
        found = estimate_gradient(model, policy, utility, settings, lanes(6))
        return replace(found, gradient=next(in_turn))

    adam = train(model, goal(model), settings(update="adam", step_size=0.1), (0,), 4, gradient_source=played).logits[0]
    wanted, mean, square = np.zeros((3, 2, 2)), 0.0, 0.0
    for t, g in enumerate(gradients, start=1):
        mean, square = 0.9 * mean + 0.1 * g, 0.999 * square + 0.001 * g**2
        wanted += 0.1 * (mean / (1 - 0.9**t)) / (np.sqrt(square / (1 - 0.999**t)) + 1e-8)
    assert np.allclose(adam, wanted, atol=1e-12)
    given = settings(momentum="average", momentum_weight=0.25, step_size=1.0)
    average = train(model, goal(model), given, (0,), 4, gradient_source=played).logits[0]
    direction = gradients[0]
    wanted = direction.copy()
    for g in gradients[1:]:
        direction = 0.25 * g + 0.75 * direction
        wanted += direction
    assert np.allclose(average, wanted, atol=1e-12)


def test_recursive_momentum_corrects_with_the_old_policy_under_the_same_noise():
    model = network("line", 3)
    given = settings(momentum="recursive", momentum_weight=0.25, step_size=2.0)
    logits = [np.zeros((3, 2, 2))] + [train(model, entropy(model), given, (3,), t).logits[0] for t in (1, 2)]
    seen = tabular_policy.seen_agents(model, 0)

    def estimate(x, t, occupancy=None):
        some = keys("Algorithm 1 trajectories", 3, t, count=6)
        policy = tabular_policy.softmax_policy(x, seen)
        return estimate_gradient(model, policy, entropy(model), given, some, occupancy=occupancy)

    first = estimate(logits[0], 0)
    old = estimate(logits[0], 1, first.occupancy).gradient
    direction = estimate(logits[1], 1).gradient + 0.75 * (first.gradient - old)
    assert np.allclose(logits[2] - logits[1], 2.0 * direction, atol=1e-12)


def test_an_occupancy_is_used_for_as_many_iterations_as_said():
    model = network("ring", 4)
    trained = train(model, entropy(model), settings(occupancy_every=3, step_size=5.0), (0,), 6)
    objective = trained.curves["objective"][0]
    assert len(set(objective[:3])) == len(set(objective[3:])) == 1 < len(set(objective))
    assert np.diff(trained.curves["_samples"]).tolist() == [42, 42, 84, 42, 42]


def test_the_shipped_variant_trains_a_constrained_utility():
    model = network("line", 4)
    limit = Constrained(goal(model), entropy(model), 0.6, eta=2.0, scale=500 * (1 - 0.99))
    trained = train(model, limit, as_shipped(kappa=1, horizon=10), (0,), 3)
    assert np.all(np.isfinite(trained.logits))
    assert np.any(trained.logits != 0)
    given = as_shipped()
    assert (given.twin, given.discount_weights, given.recorded) == (True, False, "after")
