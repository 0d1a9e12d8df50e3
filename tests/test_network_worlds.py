"""Network worlds: laws against slow twins, published figures, graphs, controllers, contract, and bad inputs."""

import re
import warnings

import numpy as np
import pytest
from oracles import network as slow
from refusals import refused

import replication
from replication.envs import network_graphs as graphs
from replication.envs.contract import check_world
from replication.envs.network_controllers import (
    FixedProbabilitySettings,
    discounted_return,
    fixed_probability,
    sending_policy,
)
from replication.envs.network_kernel import empirical_occupancy, rollout
from replication.envs.networked_mdp import UNREACHABLE, hops, joint_states
from replication.seeding import keys, stream
from replication.settings import BadInput

VARIANTS = [
    ("network/voter", {}),
    ("network/voter", {"n": 9, "graph": "torus", "sight": 1}),
    ("network/voter", {"n": 9, "graph": "mean_field", "start": 0.5}),
    ("network/parity", {"sight": 2}),
    ("network/glauber", {"n": 5, "graph": "star", "sight": 1}),
    ("network/line", {}),
    ("network/sis", {}),
    ("network/wireless", {}),
    ("network/wireless-grid", {"rows": 3, "columns": 3, "sight": 1}),
]


@pytest.mark.parametrize("name, settings", VARIANTS)
def test_contract(name, settings):
    check_world(lambda envs: replication.make(name, num_envs=envs, **(settings | {"horizon": 8})))


@pytest.mark.parametrize("graph", ["ring", "torus", "line", "star", "power_law", "mean_field"])
def test_voter_law(graph):
    world = replication.make("network/voter", n=6, graph=graph, alpha=0.7, delta=0.2)
    weights = world.model.rule.mixing / 0.7
    _check_law(world, lambda s, a, i: slow.voter_up(weights, 0.7, 0.2, s, a, i))


def test_parity_law():
    world = replication.make("network/parity", n=5, flip=0.1, act=0.25)
    _check_law(world, lambda s, a, i: slow.parity_up(0.1, 0.25, s, a, i))


@pytest.mark.parametrize("graph", ["ring", "line", "star"])
def test_glauber_law(graph):
    world = replication.make("network/glauber", n=5, graph=graph, coupling=0.8, field=0.3)
    _check_law(world, lambda s, a, i: slow.glauber_up(world.model.adjacency, 0.8, 0.3, s, a, i))


def test_line_law():
    _check_law(replication.make("network/line", n=5, relay=0.6), lambda s, a, i: slow.line_up(0.6, s, a, i))


@pytest.mark.parametrize("graph", ["ring", "torus", "star"])
def test_sis_law(graph):
    world = replication.make("network/sis", n=6, graph=graph, infection=0.5, protected=0.2, recovery=0.4)
    _check_law(world, lambda s, a, i: slow.sis_up(world.model.adjacency, 0.5, 0.2, 0.4, s, a, i))


def _check_law(world, up):
    n = world.num_agents
    states, actions = (part.ravel() for part in np.meshgrid(np.arange(2**n), np.arange(2**n), indexing="ij"))
    every = joint_states(n, 2)
    some = stream("law").integers(len(states), size=200)
    states, actions = every[states[some]], every[actions[some]]
    law = world.model.rule.law(states, actions)
    assert law.shape == (200, n, 2)
    assert law.sum(axis=2) == pytest.approx(1.0)
    expected = [[up(s, a, i) for i in range(n)] for s, a in zip(states.tolist(), actions.tolist(), strict=True)]
    assert law[:, :, 1] == pytest.approx(np.array(expected))


@pytest.mark.parametrize(
    "name, settings",
    [("network/wireless", {}), ("network/wireless", {"deadline": 3, "rows": 2}), ("network/wireless-grid", {})],
)
def test_wireless_law(name, settings):
    world = replication.make(name, **settings)
    rng, model = stream("wireless law"), world.model
    states = rng.integers(model.states, size=(40, model.agents))
    actions = rng.integers(model.actions, size=(40, model.agents)) * (rng.random((40, model.agents)) < 0.4)
    law = model.rule.law(states, actions)
    for row in range(40):
        expected = slow.wireless_law(world.settings, model.rule.success, states[row].tolist(), actions[row])
        assert law[row] == pytest.approx(expected)
    assert law[:, :, 2**world.settings.deadline :].sum() > 0.0


def test_wireless_cases_by_hand():
    world = replication.make("network/wireless", rows=2, columns=2, users_per_cell=1, success=1.0, arrival=0.0)
    law = world.model.rule.law
    full, empty = 3, 0
    corner = [4, 2, 3, 1]  # the only access point lies down right of cell 0, down left of cell 1 and so on

    def after(states, actions):
        found = law(np.array([states]), np.array([actions]))[0]
        assert np.allclose(found.max(axis=1), 1.0)
        return found.argmax(axis=1).tolist()

    assert after([full] * 4, [corner[0], 0, 0, 0]) == [1 + 4, 1, 1, 1]  # what expires is sent, the other slot moves up
    assert after([full] * 4, [corner[0] + 4, 0, 0, 0]) == [0 + 4, 1, 1, 1]  # the newer one is sent, the older expires
    assert after([full] * 4, [corner[0], corner[1], 0, 0]) == [1, 1, 1, 1]  # two collide
    assert after([full, empty, full, full], [corner[0], corner[1], 0, 0]) == [1, 0, 1, 1]  # so does an empty slot
    assert after([empty] * 4, [corner[0], 0, 0, 0]) == [0, 0, 0, 0]  # nothing to deliver
    assert after([full] * 4, [corner[1], corner[1], 0, 0]) == [1, 1 + 4, 1, 1]  # off the grid is idling
    assert after([7, 5, 6, 4], [0, 0, 0, 0]) == [1, 0, 1, 0]  # the flag lasts one step
    assert np.array_equal(world.action_mask()[0].sum(axis=1), [3, 3, 3, 3])


def test_wireless_grid_is_the_published_one():
    world = replication.make("network/wireless")
    assert world.model.rule.success.round(3).tolist() == [0.549, 0.715, 0.603, 0.545, 0.424, 0.646]
    assert (world.num_agents, world.action_size, world.model.states) == (24, 9, 8)
    served = world.model.rule.access_point[:, 1:5]
    assert np.bincount(served[served >= 0]).tolist() == [8] * 6
    assert sorted((served >= 0).sum(axis=1).tolist()) == [1] * 8 + [2] * 12 + [4] * 4
    grid = replication.make("network/wireless-grid")
    assert (grid.num_agents, grid.action_size, grid.horizon) == (25, 5, 12)


def test_wireless_benchmark_and_what_the_published_code_makes_of_it():
    world, lanes = replication.make("network/wireless"), keys("wireless evaluation", count=40_000)
    uniform = replication.controller(world, "random").policy
    assert discounted_return(world, uniform, lanes, 0.7) == pytest.approx(0.0199, abs=0.0006)  # published: 0.0201
    tuned = fixed_probability(world, FixedProbabilitySettings())
    assert discounted_return(world, tuned, lanes, 0.7) == pytest.approx(0.180, abs=0.002)
    corner, success, rng = world.model.rule.access_point[:, 1:5], world.model.rule.success, stream("published")
    assert slow.wireless_published_benchmark(corner, success, 0.35, 6000, False, rng) == pytest.approx(0.180, abs=0.005)
    assert slow.wireless_published_benchmark(corner, success, 0.35, 6000, True, rng) == pytest.approx(0.136, abs=0.005)


def test_throughput_is_a_function_of_the_occupancy():
    world, lanes, discount = replication.make("network/wireless", horizon=60), keys("throughput", count=200), 0.7
    policy = sending_policy(world, 0.3)
    total = discounted_return(world, policy, lanes, discount)
    occupancy = empirical_occupancy(rollout(world.model, policy, lanes, 61), discount, 8, 9)
    assert occupancy[:, 4:].sum() / 24 / discount == pytest.approx((1 - discount) * total)


def test_always_one_on_the_line_is_worth_what_was_published():
    world = replication.make("network/line", num_envs=2)
    controller, total = replication.controller(world, "always"), np.zeros(2)
    world.reset(keys("line", count=2))
    for _ in range(125):
        _, reward, _, truncated, _ = world.step(controller.act(world))
        total += reward.mean(axis=1)
    assert total == pytest.approx(23.75)
    assert truncated.all()


def test_rewards_are_paid_for_the_state_reached():
    world = replication.make("network/sis", num_envs=4, n=5, cost=0.25)
    world.reset(keys("reward", count=4))
    actions = stream("reward actions").integers(2, size=(4, 5, 1))
    _, reward, _, _, info = world.step(actions)
    assert reward == pytest.approx(-1.0 * world.local_states - 0.25 * actions[:, :, 0])
    assert info["mean_reward"] == pytest.approx(reward.mean(axis=1))


def test_best_constant_drive_reaches_maximal_entropy():
    world = replication.make("network/voter", n=5, alpha=0.6, delta=0.1)
    policy = replication.controller(world, "constant_drive", discount=0.9).policy
    assert policy.probabilities[:, :, 1] == pytest.approx(0.67361, abs=1e-5)
    mean = np.zeros(5)
    drive = 0.1 + 0.8 * policy.probabilities[:, 0, 1]
    discounted = 0.1 * sum(0.9**t * m for t, m in enumerate(_means(world, mean, drive, 400)))
    assert discounted == pytest.approx(0.5)


def _means(world, mean, drive, steps):
    for _ in range(steps):
        yield mean
        mean = world.model.rule.mixing @ mean + 0.4 * drive


def test_drive_that_cannot_reach_the_middle_stops_at_the_edge():
    world = replication.make("network/voter", alpha=0.6, delta=0.45)
    policy = replication.controller(world, "constant_drive", discount=0.5).policy
    assert policy.probabilities[:, :, 1] == pytest.approx(1.0)


def test_observation_shows_the_states_in_sight():
    world = replication.make("network/glauber", n=4, graph="line", sight=1, num_envs=2)
    observation = world.reset(keys("sight", count=2)).reshape(2, 4, 3, 2)
    for lane, states in enumerate(world.local_states):
        for agent, near in enumerate([[0, 1], [1, 0, 2], [2, 1, 3], [3, 2]]):
            expected = np.zeros((3, 2))
            expected[np.arange(len(near)), states[near]] = 1.0
            assert np.array_equal(observation[lane, agent], expected)
    assert np.array_equal(world.state().reshape(2, 4, 2).argmax(axis=2), world.local_states)


@pytest.mark.parametrize(
    "adjacency, degrees, diameter",
    [
        (graphs.ring(7), [2] * 7, 3),
        (graphs.ring(2), [1, 1], 1),
        (graphs.ring(1), [0], 0),
        (graphs.line(4), [1, 1, 2, 2], 3),
        (graphs.star(5), [1, 1, 1, 1, 4], 2),
        (graphs.grid(2, 3), [2, 2, 2, 2, 3, 3], 3),
        (graphs.torus(3, 4), [4] * 12, 3),
        (graphs.torus(2, 2), [2] * 4, 2),
    ],
)
def test_graphs(adjacency, degrees, diameter):
    assert sorted(adjacency.sum(axis=1).tolist()) == degrees
    assert hops(adjacency).max() == diameter
    assert np.array_equal(adjacency, adjacency.T)
    weights = graphs.uniform_weights(adjacency)
    assert weights.sum(axis=1) == pytest.approx(1.0)
    assert np.array_equal(weights > 0, adjacency | np.eye(len(adjacency), dtype=bool))
    assert weights[0].max() == pytest.approx(weights[0][weights[0] > 0].min())


def test_long_range_weights():
    weights = graphs.power_law(9, 2.0)
    assert weights.sum(axis=1) == pytest.approx(1.0)
    assert weights[0, 1] == weights[0, 0] == weights[0, 8]
    assert weights[0, 4] == weights[0, 5] == pytest.approx(weights[0, 1] / 16.0)
    assert graphs.mean_field(4) == pytest.approx(np.full((4, 4), 0.25))
    world = replication.make("network/voter", n=6, graph="mean_field")
    assert np.array_equal(world.model.adjacency, graphs.ring(6))


def test_own_weights_make_the_graph():
    weights = np.array([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [0.0, 0.0, 1.0]])
    world = replication.make("network/voter", weights=weights, alpha=0.5)
    assert world.model.rule.mixing == pytest.approx(0.5 * weights)
    assert np.array_equal(world.model.adjacency, graphs.line(3))
    assert (world.settings.n, world.settings.but(alpha=0.1).n) == (3, 3)


def test_a_graph_in_pieces_is_allowed_and_said():
    weights = np.kron(np.eye(2), np.full((2, 2), 0.5))
    with pytest.warns(UserWarning, match="graph is in 2 pieces"):
        world = replication.make("network/voter", weights=weights)
    assert world.model.distance[0, 3] == UNREACHABLE
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        replication.make("network/voter", n=5)


@pytest.mark.parametrize(
    "name, settings, message",
    [
        ("network/voter", {"weights": [[0.5, 0.4], [0.5, 0.5]]}, "row 0 sums to 0.9"),
        ("network/voter", {"weights": [[1.5, -0.5], [0.5, 0.5]]}, "weights must be numbers >= 0, got -0.5"),
        ("network/voter", {"weights": [[0.5, 0.5]]}, "square matrix"),
        ("network/voter", {"weights": [[1.0], [0.5, 0.5]]}, "different lengths"),
        ("network/voter", {"weights": []}, "square matrix"),
        ("network/voter", {"weights": [[1.0]], "n": 3}, "weights are for 1 agents, but n is 3"),
        ("network/voter", {"n": 0}, "n: Input should be greater than or equal to 1, got 0"),
        ("network/voter", {"alpha": 1.0}, "alpha: Input should be less than 1, got 1.0"),
        ("network/voter", {"alpha": -0.1}, "alpha: Input should be greater than or equal to 0"),
        ("network/voter", {"delta": 0.5}, "delta: Input should be less than 0.5"),
        ("network/voter", {"delta": 0.0}, "delta: Input should be greater than 0"),
        ("network/voter", {"graph": "rign"}, "graph: Input should be 'ring'"),
        ("network/voter", {"horizon": 0}, "horizon: Input should be greater than or equal to 1"),
        ("network/voter", {"num_envs": 0}, "num_envs must be a whole number >= 1, got 0"),
        ("network/voter", {"sight": 9}, "sight must be from 0 to 4"),
        ("network/voter", {"alhpa": 0.3}, "did you mean alpha?"),
        ("network/parity", {"n": 2}, "n: Input should be greater than or equal to 3"),
        ("network/sis", {"n": 40, "graph": "star"}, "tables hold at most 14"),
        ("network/wireless", {"rows": 1}, "rows: Input should be greater than or equal to 2"),
        ("network/voterr", {}, "did you mean network/voter?"),
    ],
)
def test_bad_settings_are_one_line(name, settings, message):
    with refused(re.escape(message)):
        replication.make(name, **settings)


@pytest.mark.parametrize(
    "build, message",
    [
        (lambda: graphs.ring(0), "whole number of agents >= 1, got 0"),
        (lambda: graphs.torus(2, 0), "whole number of agents >= 1, got 0"),
        (lambda: graphs.line(2.5), "whole number of agents >= 1, got 2.5"),
        (lambda: graphs.check_adjacency(np.zeros((0, 0))), "needs at least one agent"),
        (lambda: graphs.uniform_weights(np.eye(2)), "must be symmetric with a diagonal of zeros"),
        (lambda: graphs.power_law(4, -1.0), "exponent of the power law must be a number >= 0"),
        (lambda: graphs.check_weights([[np.nan]]), "weights must be numbers >= 0, got nan"),
    ],
)
def test_bad_graphs_are_one_line(build, message):
    with refused(re.escape(message)):
        build()


@pytest.mark.parametrize(
    "name, controller, settings, message",
    [
        ("network/voter", "randm", {}, "did you mean random?"),
        ("network/voter", "always", {"action": 2}, "action must be from 0 to 1, got 2"),
        ("network/line", "constant_drive", {}, "constant_drive is for network/voter, got network/line"),
        ("network/voter", "fixed_probability", {}, "fixed_probability is for network/wireless"),
        ("network/voter", "constant_drive", {"discount": 0.0}, "discount of constant_drive must be above 0"),
        ("network/wireless", "fixed_probability", {"probability": 1.5}, "probability: Input should be less than"),
    ],
)
def test_bad_controllers_are_one_line(name, controller, settings, message):
    world = replication.make(name)
    with refused(re.escape(message)):
        replication.controller(world, controller, **settings)


def test_bad_actions_keys_and_snapshots_are_refused():
    world = replication.make("network/voter", n=3, num_envs=2)
    world.reset(keys("refuse", count=2))
    for actions in (np.zeros((2, 3, 1)), np.zeros((2, 3), int), np.full((2, 3, 1), 2), np.full((2, 3, 1), -1)):
        with pytest.raises(BadInput, match="actions must be"):
            world.step(actions)
    with pytest.raises(BadInput, match="keys must be"):
        world.reset(np.array([1]))
    with pytest.raises(BadInput, match="where must have shape"):
        world.reset(keys("refuse", count=2), np.array([True]))
    with pytest.raises(BadInput, match="snapshot does not fit"):
        world.restore(replication.make("network/voter", n=4, num_envs=2).snapshot())
