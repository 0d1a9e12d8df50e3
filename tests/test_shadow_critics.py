"""Shadow critics equal their slow twins, converge to what enumeration says, and refuse tables that are too large."""

import numpy as np
import pytest
from oracles import truncated_pg as slow
from refusals import refused
from tabular_networks import network, random_policy

from replication.algos import shadow_critics as critics
from replication.algos.truncated_pg_settings import TruncatedPGSettings
from replication.envs.network_kernel import Trajectories, rollout
from replication.envs.networked_mdp import neighbourhoods
from replication.seeding import keys

GAMMA = 0.7


def batch(model, policy, lanes, horizon, seed=0) -> Trajectories:
    return rollout(model, policy, keys("critic test", seed, count=lanes), horizon)


def settings(critic="td", **changes) -> TruncatedPGSettings:
    return TruncatedPGSettings(**({"critic": critic, "discount": GAMMA, "batch": 4, "horizon": 6} | changes))


def rewards(model, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(model.agents, model.states, model.actions))


def entry(model, z) -> int:
    """Place of a neighbourhood's (s, a) in its dense table."""
    code = 0
    for s, a in z:
        code = code * model.states * model.actions + s * model.actions + a
    return code


@pytest.fixture(scope="module")
def ring():
    """Five agents with three states and two actions each."""
    model = network("ring", 5, states=3)
    return model, random_policy(model, radius=1), rewards(model)


@pytest.mark.parametrize("recorded", ["before", "after"])
@pytest.mark.parametrize("twin", [False, True])
@pytest.mark.parametrize("clock", ["steps", "visits"])
@pytest.mark.parametrize("kappa", [0, 1])
def test_temporal_differences_equal_their_loop(ring, kappa, clock, twin, recorded):
    model, policy, reward = ring
    some = batch(model, policy, 4, 6)
    given = settings(twin=twin, td_clock=clock, recorded=recorded, td_gain=3.0, td_delay=5.0)
    for agent, row in enumerate(neighbourhoods(model.distance, kappa)):
        after = recorded == "after"
        twins = slow.temporal_differences(some, reward, GAMMA, row, 3.0, 5.0, clock == "visits", twin, after)
        table = critics.td_table(some, reward[agent], row, given)
        assert table.shape == (len(twins), 6 ** len(row))
        filled = np.zeros(table.shape)
        for copy, entries in enumerate(twins):
            for z, q in entries.items():
                filled[copy, entry(model, z)] = q
        assert np.allclose(table, filled, atol=1e-12)
        assert np.any(table != 0)


@pytest.mark.parametrize("recorded", ["before", "after"])
@pytest.mark.parametrize("twin", [False, True])
def test_visited_means_equal_their_loop_and_unmet_keys_take_the_mean(ring, twin, recorded):
    model, policy, reward = ring
    learn, at = batch(model, policy, 4, 6), batch(model, policy, 3, 6, seed=1)
    near, after = neighbourhoods(model.distance, 1), recorded == "after"
    values = critics.visited_values(learn, at, reward, near, settings("visited_average", twin=twin, recorded=recorded))
    unmet = 0
    for j, row in enumerate(near):
        halves = [range(0, 4, 2), range(1, 4, 2)] if twin else [None]
        means = [slow.visited_means(learn, reward, GAMMA, row, after, half)[0] for half in halves]
        everything, mean = slow.visited_means(learn, reward, GAMMA, row, after)
        assert values.visited[j] == len(everything)
        for b, h in np.ndindex(*values.q.shape[:2]):
            z = slow.key(row, at.states[b, h], at.actions[b, h])
            wanted = min((table[z] for table in means if z in table), default=mean)
            unmet += z not in everything
            assert values.q[b, h, j] == pytest.approx(wanted, abs=1e-12)
    assert unmet > 0


def test_dense_values_are_looked_up_along_other_trajectories(ring):
    model, policy, reward = ring
    learn, at = batch(model, policy, 4, 6), batch(model, policy, 3, 6, seed=1)
    near = neighbourhoods(model.distance, 1)
    given = settings(twin=True)
    values = critics.td_values(learn, at, reward, near, given)
    for b, h, j in np.ndindex(*values.q.shape):
        table = critics.td_table(learn, reward[j], near[j], given)
        z = slow.key(near[j], at.states[b, h], at.actions[b, h])
        assert values.q[b, h, j] == table[:, entry(model, z)].min()


def test_many_agents_are_hashed_instead_of_coded():
    """Forty agents in one neighbourhood have 4^40 pairs: no whole number of 64 bits."""
    model = network("line", 40, seed=2)
    policy, reward = random_policy(model), rewards(model)
    some = batch(model, policy, 6, 4)
    everyone = neighbourhoods(model.distance, model.diameter)
    values = critics.visited_values(some, some, reward, everyone, settings("visited_average"))
    for b, h, j in [(0, 0, 0), (1, 2, 7), (5, 3, 39), (3, 1, 20)]:  # no pair comes twice
        assert values.q[b, h, j] == pytest.approx(slow.reward_to_go(some, reward, GAMMA, b, h, j), abs=1e-12)
    assert np.all(values.visited == 24)
    assert np.array_equal(critics.dense_entries(everyone, 2, 2), np.full(40, 4.0**40))


@pytest.mark.parametrize("kappa", [0, 1, 2])
def test_temporal_differences_converge_to_the_truncated_q(kappa):
    """At the diameter that is Q itself; below it is Q aggregated under the law of the visited pairs."""
    model = network("line", 3)
    policy, reward, horizon = random_policy(model), rewards(model), 5
    exact = slow.Exact(model, policy, 0.5)
    law = sum(exact.law(h) for h in range(horizon - 1)) / (horizon - 1)
    many = batch(model, policy, 60_000, horizon)
    given = settings(discount=0.5, td_clock="visits")
    row = neighbourhoods(model.distance, kappa)[0]
    members = row[row >= 0]
    table = critics.td_table(many, reward[0], members, given)[0]
    truth = exact.aggregated(reward, members, law)
    found = np.array([table[entry(model, z)] for z in truth])
    assert len(found) == 4 ** len(members) == len(table)
    weight = [law[[slow.key(members, *pair) == z for pair in exact.pairs]].sum() for z in truth]
    assert np.sqrt(np.average((found - list(truth.values())) ** 2, weights=weight)) < 0.04
    if kappa == 2:
        values = exact.action_values(reward)[0]
        assert np.allclose([truth[slow.key(members, *pair)] for pair in exact.pairs], values, atol=1e-9)


def test_the_end_of_a_trajectory_is_no_terminal_state():
    """Trajectories of two pairs learn Q all the same; as a terminal state the second pair would give r + γ r' only."""
    model = network("line", 2)
    policy, reward = random_policy(model), np.ones((2, 2, 2))
    many = batch(model, policy, 40_000, 2)
    table = critics.td_table(many, reward[0], np.array([0, 1]), settings(discount=0.8, td_clock="visits"))[0]
    assert np.allclose(table, 5.0, atol=0.3)  # 1 / (1 - 0.8); a terminal end would give 1.8


def test_default_steps_are_those_of_the_paper():
    assert critics.td_steps(settings(discount=0.9), 64) == pytest.approx((64 / (1 - 0.9**0.5), 128 / (1 - 0.9**0.5)))
    assert critics.td_steps(settings(discount=0.1), 4) == (8.0, 16.0)
    assert critics.td_steps(settings(discount=0.1, td_clock="visits"), 4) == (2.0, 4.0)
    assert critics.td_steps(settings(td_gain=3.0, td_delay=7.0), 4) == (3.0, 7.0)


def test_table_sizes_and_their_limit():
    model = network("ring", 12)
    sizes = [critics.dense_entries(neighbourhoods(model.distance, k), 2, 2)[0] for k in range(4)]
    assert sizes == [4, 64, 1024, 16384]
    critics.check_dense(neighbourhoods(model.distance, 4), 2, 2)
    with refused(r"4\.1943e\+06 entries.*1048576.*visited_average.*smaller kappa"):
        critics.check_dense(neighbourhoods(model.distance, 5), 2, 2)
