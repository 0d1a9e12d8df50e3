"""The sampler of networked MDPs: bit for bit against its slow twin, in law against exact occupancies, lane by lane."""

import re

import numpy as np
import pytest
from oracles import network as slow
from refusals import refused

import replication
from replication.envs.network_controllers import uniform_policy
from replication.envs.network_kernel import Trajectories, empirical_occupancy, limits, rollout
from replication.envs.networked_mdp import LocalPolicy, NetworkModel, neighbourhoods, own_state_policy
from replication.envs.wireless_access import AccessRule
from replication.seeding import keys, stream
from replication.settings import BadInput, Settings

WORLDS = [
    ("network/voter", {"n": 5}),
    ("network/voter", {"n": 6, "graph": "star", "alpha": 0.9, "start": 0.3}),
    ("network/voter", {"n": 7, "graph": "power_law"}),
    ("network/parity", {"n": 5}),
    ("network/glauber", {"n": 4, "graph": "line"}),
    ("network/line", {"n": 4}),
    ("network/sis", {"n": 6, "graph": "torus"}),
]


def random_policy(model, radius: int) -> LocalPolicy:
    seen = neighbourhoods(model.distance, radius)
    rng = stream("policies", model.agents, radius)
    return LocalPolicy(seen, rng.dirichlet(np.ones(model.actions), (model.agents, model.states ** seen.shape[1])))


@pytest.mark.parametrize("name, settings", WORLDS)
@pytest.mark.parametrize("radius", [0, 1])
def test_trajectories_equal_those_of_the_slow_twin(name, settings, radius):
    model = replication.make(name, **settings).model
    policy, lanes = random_policy(model, radius), keys("twin", count=3)
    found = rollout(model, policy, lanes, 12)
    assert found.states.dtype == found.actions.dtype == np.int8
    for lane, key in enumerate(lanes):
        states, actions = slow.trajectory(model, policy, int(key), 12)
        assert np.array_equal(found.states[lane], states)
        assert np.array_equal(found.actions[lane], actions)


@pytest.mark.parametrize("name", ["network/wireless", "network/wireless-grid"])
def test_wireless_trajectories_equal_those_of_the_slow_twin(name):
    world = replication.make(name, deadline=3)
    model, settings, policy = world.model, world.settings, random_policy(world.model, 0)
    success, users = model.rule.success, model.agents
    for key in keys("wireless twin", count=3).tolist():

        def move(states, actions, step, key=key):
            def delivered(user, place):
                return slow.halves(key, step, user)[1] < success[place[0] * (settings.columns - 1) + place[1]]

            def arrived(user):
                return slow.halves(key, step, users + user)[0] < settings.arrival

            return slow.wireless_step(settings, states, actions, delivered, arrived)

        states, actions = slow.trajectory(model, policy, key, 15, move)
        found = rollout(model, policy, np.array([key], np.uint64), 15)
        assert np.array_equal(found.states[0], states)
        assert np.array_equal(found.actions[0], actions)
        assert states.max() >= 2**3  # some transmission succeeded


@pytest.mark.parametrize("name", ["network/voter", "network/sis", "network/wireless"])
def test_a_lane_depends_on_its_key_alone(name):
    model = replication.make(name).model
    policy, lanes = random_policy(model, 0), keys("lanes", count=40)
    many = rollout(model, policy, lanes, 20)
    for order in (slice(7, 8), slice(None, None, -1), slice(3, 30, 5)):
        few = rollout(model, policy, lanes[order], 20)
        assert np.array_equal(few.states, many.states[order])
        assert np.array_equal(few.actions, many.actions[order])
    assert not np.array_equal(many.states[0], many.states[1])
    longer = rollout(model, policy, lanes, 30)
    assert np.array_equal(longer.states[:, :20], many.states)


def small_access() -> NetworkModel:
    rule = AccessRule(np.array([[-1, 0, 0], [-1, 0, 0]]), np.array([0, 0, 1]), np.array([0.7]), 0.6, 2)
    start = np.array([[0.4, 0.1, 0.3, 0.2, 0, 0, 0, 0]] * 2)
    return NetworkModel("access", ~np.eye(2, dtype=bool), 8, 3, start, rule)


SMALL = [
    ("network/voter", {"n": 3, "alpha": 0.8, "start": 0.2}),
    ("network/parity", {"n": 3}),
    ("network/glauber", {"n": 3, "coupling": 1.0}),
    ("network/line", {"n": 3}),
    ("network/sis", {"n": 3}),
    ("access", {}),
]


@pytest.mark.parametrize("name, settings", SMALL)
def test_sampled_occupancies_meet_the_exact_ones(name, settings):
    model = small_access() if name == "access" else replication.make(name, **settings).model
    policy, discount, horizon, lanes = random_policy(model, 0), 0.8, 20, 60_000
    sampled = rollout(model, policy, keys("law", count=lanes), horizon)
    found = empirical_occupancy(sampled, discount, model.states, model.actions)
    exact = slow.occupancy(model, policy, discount, horizon)
    # a lane's share of a pair lies in [0, 1], so its variance is at most p (1 - p)
    error = np.sqrt(np.clip(exact * (1.0 - exact), 0.0, None) / lanes)
    assert np.all(np.abs(found - exact) <= 4.5 * error + 1e-12)
    assert np.abs(found - exact).max() < 4e-3
    assert exact.sum(axis=(1, 2)) == pytest.approx(1.0 - discount**horizon)


def test_occupancy_counts_as_the_slow_twin():
    rng = stream("pairs")
    states, actions = rng.integers(3, size=(4, 6, 5), dtype=np.int8), rng.integers(2, size=(4, 6, 5), dtype=np.int8)
    found = empirical_occupancy(Trajectories(states, actions), 0.7, 3, 2)
    assert found == pytest.approx(slow.seen_occupancy(states, actions, 0.7, 3, 2))
    assert found.sum(axis=(1, 2)) == pytest.approx(1.0 - 0.7**6)
    at_once = empirical_occupancy(Trajectories(states, actions), 0.0, 3, 2)
    assert at_once[2].sum(axis=1) == pytest.approx([np.mean(states[:, 0, 2] == s) for s in range(3)])


def test_certain_events_are_certain():
    model = replication.make("network/line", n=6).model
    found = rollout(model, own_state_policy(np.tile([0.0, 1.0], (6, 2, 1))), keys("certain", count=500), 200)
    assert found.states.all()
    assert found.actions.all()
    assert limits(np.ones((3, 1))).tolist() == [[2**31 - 1] * 3]
    assert limits(np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])).tolist() == [[2**31 - 1, -1, 2**30 - 1]]


def test_a_world_stepped_with_the_actions_of_a_trajectory_goes_through_its_states():
    for name in ("network/voter", "network/sis", "network/wireless"):
        world, lanes = replication.make(name, num_envs=3), keys("steps", count=3)
        expected = rollout(world.model, uniform_policy(world, Settings()), lanes, 10)
        controller = replication.controller(world, "random")
        world.reset(lanes)
        for step in range(9):
            assert np.array_equal(world.local_states, expected.states[:, step])
            actions = controller.act(world)
            assert np.array_equal(actions[:, :, 0], expected.actions[:, step])
            world.step(actions)
        assert np.array_equal(world.local_states, expected.states[:, 9])


def test_start_can_be_given():
    model = replication.make("network/voter", n=4).model
    policy, lanes = random_policy(model, 0), keys("start", count=2)
    found = rollout(model, policy, lanes, 3, start=np.array([1, 0, 1, 0]))
    assert found.states[:, 0].tolist() == [[1, 0, 1, 0]] * 2
    own = rollout(model, policy, lanes, 3, start=np.array([[1, 1, 1, 1], [0, 0, 0, 1]]))
    assert own.states[:, 0].tolist() == [[1, 1, 1, 1], [0, 0, 0, 1]]


class Unknown:
    """A rule the sampler has never heard of."""


@pytest.mark.parametrize(
    "change, message",
    [
        ({"keys": np.zeros(0, np.uint64)}, "keys must be a row of at least one whole number"),
        ({"keys": np.array([-1])}, "keys must be a row of at least one whole number"),
        ({"keys": np.array([0.5])}, "keys must be a row of at least one whole number"),
        ({"horizon": 0}, "horizon must be a whole number of steps >= 1, got 0"),
        ({"horizon": 2.5}, "horizon must be a whole number of steps >= 1, got 2.5"),
        ({"horizon": 10**9}, "exceed 4 GiB"),
        ({"start": np.array([0, 1])}, "start must be whole numbers of shape (4,)"),
        ({"start": np.array([0, 1, 2, 0])}, "start states must be from 0 to 1"),
        ({"policy": own_state_policy(np.full((4, 2, 3), 1 / 3))}, "must have probabilities of shape (4, 2, 2)"),
        ({"rule": Unknown()}, "no sampler for a rule of type Unknown"),
    ],
)
def test_bad_input_is_one_line(change, message):
    model = replication.make("network/voter", n=4).model
    if "rule" in change:
        model = NetworkModel("odd", model.adjacency, 2, 2, model.start, change.pop("rule"))
    arguments = {"policy": own_state_policy(np.full((4, 2, 2), 0.5)), "keys": keys("bad", count=2), "horizon": 3}
    with refused(re.escape(message)):
        rollout(model, **(arguments | change))


def test_occupancy_refuses_alphabets_that_are_too_small():
    pairs = Trajectories(np.full((1, 2, 1), 2, np.int8), np.zeros((1, 2, 1), np.int8))
    with pytest.raises(BadInput, match="beyond 2 states"):
        empirical_occupancy(pairs, 0.9, 2, 2)
    with pytest.raises(BadInput, match="discount must be"):
        empirical_occupancy(pairs, 1.0, 3, 2)
