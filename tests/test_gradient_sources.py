"""Exact gradients behind the face of the sampled ones: equal to enumeration, and the limit of what is sampled."""

import numpy as np
import pytest
from oracles import truncated_pg as slow
from tabular_networks import network, random_policy, voters

from replication.algos import gradient_sources, tabular_policy
from replication.algos.truncated_gradient import estimate_gradient
from replication.algos.truncated_pg import train
from replication.algos.truncated_pg_settings import TruncatedPGSettings
from replication.algos.utilities import utility
from replication.envs.networked_mdp import neighbourhoods
from replication.seeding import keys
from replication.settings import BadInput

GAMMA = 0.6


def settings(**changes) -> TruncatedPGSettings:
    return TruncatedPGSettings(**({"kappa": 1, "discount": GAMMA} | changes))


def entropy(model):
    return utility("state_entropy", (model.agents, model.states, model.actions), smoothing=0.05)


@pytest.mark.parametrize("kappa", [0, 1, "diameter"])
@pytest.mark.parametrize("world", [network("line", 3, seed=1), voters("line", 3)], ids=lambda model: model.name)
def test_exact_sources_equal_enumeration(world, kappa):
    policy = random_policy(world)
    truth = slow.Exact(world, policy, GAMMA)
    occupancy = truth.occupancy(truth.discounted())
    reward = entropy(world).shadow_reward(occupancy)
    full = gradient_sources.exact(world, policy, entropy(world), settings(kappa=kappa))
    some = gradient_sources.exact_truncated(world, policy, entropy(world), settings(kappa=kappa))
    assert np.allclose(full.occupancy.values, occupancy, atol=1e-12)
    assert np.allclose(full.shadow_reward, reward, atol=1e-10)
    assert np.allclose(full.gradient, truth.gradient(reward, neighbourhoods(world.distance, 2)), atol=1e-10)
    radius = 2 if kappa == "diameter" else kappa
    assert np.allclose(some.gradient, truth.gradient(reward, neighbourhoods(world.distance, radius)), atol=1e-10)
    assert np.allclose(full.gradient, some.gradient, atol=1e-10) == (radius == 2)
    assert full.samples == full.bytes_exchanged == 0


def test_voters_have_closed_forms_at_any_size_and_wider_policies_are_enumerated():
    many, few = voters("ring", 120), voters("ring", 4)
    closed = gradient_sources.exact_truncated(many, random_policy(many), entropy(many), settings(kappa=2))
    assert closed.gradient.shape == (120, 2, 2)
    with pytest.raises(BadInput, match="GiB"):
        gradient_sources.exact(many, random_policy(many, radius=1), entropy(many), settings())
    wide = random_policy(few, radius=1)
    truth = slow.Exact(few, wide, GAMMA)
    reward = entropy(few).shadow_reward(truth.occupancy(truth.discounted()))
    found = gradient_sources.exact(few, wide, entropy(few), settings())
    assert np.allclose(found.gradient, truth.gradient(reward, neighbourhoods(few.distance, 2)), atol=1e-10)


def test_exploration_enters_the_gradient_through_the_score():
    """With a uniform action mixed in, exact and sampled gradients agree and are slopes of the objective."""
    model, e = network("line", 3, seed=1), 0.4
    seen = tabular_policy.seen_agents(model, 0)
    logits = np.random.default_rng(0).normal(size=(3, 2, 2))
    policy = tabular_policy.softmax_policy(logits, seen, e)
    given = settings(batch=64, horizon=25, kappa=2, exploration=e)
    exact = gradient_sources.exact(model, policy, entropy(model), given)

    def objective(x):
        truth = slow.Exact(model, tabular_policy.softmax_policy(x, seen, e), GAMMA)
        return entropy(model).value(truth.occupancy(truth.discounted())).mean()

    for place in [(0, 0, 1), (1, 1, 0), (2, 0, 0)]:
        step = np.zeros(logits.shape)
        step[place] = 1e-5
        slope = (objective(logits + step) - objective(logits - step)) / 2e-5
        assert exact.gradient[place] == pytest.approx(slope, abs=1e-8)
    found = np.array([
        estimate_gradient(
            model, policy, entropy(model), given, keys("sources test", t, count=64), occupancy=exact.occupancy
        ).gradient
        for t in range(400)
    ])  # fmt: skip
    z = (found.mean(axis=0) - exact.gradient) / (found.std(axis=0, ddof=1) / 20)
    assert np.abs(z).max() < 4.5


def test_exact_training_climbs_to_the_optimum_and_full_information_equals_exact():
    model = voters("line", 3)
    goal = utility("quadratic_state", (3, 2, 2), target=[0.3, 0.5, 0.7])
    given = settings(kappa="diameter", step_size=20.0, discount=0.8)
    exact = train(model, goal, given, (0,), 100, gradient_source="exact")
    truncated = train(model, goal, given, (0,), 100, gradient_source="exact_truncated")
    assert np.allclose(exact.logits, truncated.logits, atol=1e-9)
    assert np.all(np.diff(exact.curves["objective"][0]) > -1e-12)
    truth = slow.Exact(model, exact.policy(0), 0.8)
    assert goal.value(truth.occupancy(truth.discounted())).mean() > -1e-4
    assert exact.curves["_samples"].tolist() == [0] * 100


def test_an_unknown_source_is_refused():
    with pytest.raises(BadInput, match="did you mean exact"):
        gradient_sources.source("exat")
