"""The navigation worlds against mpe2, against slow twins, their contract, and their bad inputs."""

import re

import numpy as np
import pytest
from oracles import navigation as slow
from refusals import refused
from scipy.optimize import linear_sum_assignment

import replication
from replication.envs.contract import check_world, random_actions
from replication.envs.navigation_assignment import assign
from replication.envs.pettingzoo import Parallel
from replication.seeding import keys, stream
from replication.settings import BadInput

MPE2 = [
    ("spread2", {}),
    ("spread3", {}),
    ("spread6", {}),
    ("spread3", {"actions": "continuous", "local_ratio": 0.2}),
    ("spread6", {"actions": "continuous"}),
    ("spread6", {"agent_neighbours": 2, "landmark_neighbours": 3}),
    ("spread3", {"agent_neighbours": 4, "landmark_neighbours": 5}),
    ("spread2", {"terminate_on_success": True, "capture_radius": 0.1}),
    ("formation4", {}),
    ("formation7", {"actions": "continuous"}),
]


@pytest.mark.parametrize(("name", "settings"), MPE2)
def test_whole_episodes_equal_mpe2(name, settings):
    world = replication.make(f"navigation/{name}", messages=name.startswith("spread"), **settings)
    names = [f"agent_{i}" for i in range(world.num_agents)]
    for episode in range(3):
        world.reset(keys("mpe2", episode, count=1))
        env = slow.mpe2_twin(world)
        for t in range(world.horizon):
            actions = random_actions(world, episode, t)
            theirs = [int(a[0]) if world.action_kind == "discrete" else a for a in actions[0]]
            observation, reward, terminated, truncated, _ = world.step(actions)
            seen, rewards, ended, cut, _ = env.step(dict(zip(names, theirs, strict=True)))
            state = np.array([agent.state.p_pos for agent in env.unwrapped.world.agents])
            assert np.abs(world.positions[0] - state).max() < 1e-12
            assert np.abs(reward[0] - [rewards[name] for name in names]).max() < 1e-12
            assert np.abs(observation[0] - np.array([seen[name] for name in names])).max() < 1e-6
            assert (bool(terminated[0]), bool(truncated[0])) == (ended[names[0]], cut[names[0]])
            if terminated[0]:
                break


def test_success_ends_an_episode_where_mpe2_ends_it():
    world = replication.make("navigation/spread2", terminate_on_success=True)
    controller = replication.controller(world, "hungarian_dynamic")
    world.reset(keys("success", count=1))
    env = slow.mpe2_twin(world)
    for _ in range(world.horizon):
        actions = controller.act(world)
        _, _, terminated, truncated, info = world.step(actions)
        _, _, ended, _, _ = env.step({f"agent_{i}": int(a) for i, a in enumerate(actions[0, :, 0])})
        assert bool(terminated[0]) == ended["agent_0"]
        if terminated[0]:
            break
    assert terminated[0]
    assert not truncated[0]
    assert info["final_coverage"][0] == info["success"][0] == 1.0


VARIANTS = [
    ("spread3", {"integration": "new_velocity", "reward": "openai"}),
    ("spread4", {"sensitivity": (3.0, 5.0, 8.0), "radius": (0.1, 0.15, 0.2), "energy_price": 0.01, "actions": "force"}),
    ("spread5", {"damping": 0.5, "time_step": 0.05, "landmarks": 3, "observe_time": True, "initial_speed": 1.0}),
    ("spread12", {"scaling": "arena", "agent_neighbours": 3, "landmark_neighbours": 4}),
    ("spread12", {"scaling": "radius", "messages": True}),
    ("rendezvous3", {}),
    ("supply5", {"landmarks": 3, "contact": False}),
    ("supply6", {"landmark_neighbours": 2, "agent_neighbours": 1, "observe_time": True}),
]


@pytest.mark.parametrize(("name", "settings"), VARIANTS)
def test_variants_equal_their_slow_twins(name, settings):
    world = replication.make(f"navigation/{name}", num_envs=2, **settings)
    first = world.reset(keys("twin", count=2)).copy()
    state = [(world.positions[lane], world.velocities[lane]) for lane in range(2)]
    marks, demands = world.landmarks, world.demands
    check_observation(world, first, state, 0.0)
    for t in range(12):
        actions = random_actions(world, t)
        push = actions if world.action_kind == "continuous" else np.array([[0, 0], [-1, 0], [1, 0], [0, -1], [0, 1]])[
            actions[..., 0]
        ]  # fmt: skip
        observation, reward, _, _, info = world.step(actions)
        for lane in range(2):
            state[lane] = slow.step(world, push[lane].astype(float), *state[lane])
            assert np.abs(world.positions[lane] - state[lane][0]).max() < 1e-9
            expected, distance, hits = slow.reward(world, state[lane][0], push[lane], marks[lane], demands[lane])
            assert reward[lane] == pytest.approx(expected, abs=1e-9)
            assert info["distance"][lane] == pytest.approx(distance, abs=1e-9)
            assert info["collisions"][lane] == hits
            assert info["energy"][lane] == pytest.approx(np.square(world.sensitivity[:, None] * push[lane]).sum())
        check_observation(world, observation, state, (t + 1) / world.horizon)


def check_observation(world, observation, state, share):
    for lane in range(2):
        for agent in range(world.num_agents):
            expected = slow.observation(world, agent, *state[lane], world.landmarks[lane], world.demands[lane], share)
            assert observation[lane, agent] == pytest.approx(expected, abs=1e-5)
        expected = [*state[lane][0].ravel(), *state[lane][1].ravel(), *world.landmarks[lane].ravel()]
        expected += [*world.demands[lane]] if world.settings.task == "supply" else []
        assert world.state()[lane] == pytest.approx(np.array([*expected, share]), abs=1e-5)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("spread3", {}),
        ("spread3", {"actions": "continuous"}),
        ("spread7", {"actions": "force", "agent_neighbours": 2, "landmark_neighbours": 2, "scaling": "arena"}),
        ("spread100", {"agent_neighbours": 5, "landmark_neighbours": 5, "scaling": "radius"}),
        ("supply4", {}),
        ("rendezvous2", {}),
        ("formation3", {"actions": "force"}),
    ],
)
def test_contract(name, settings):
    check_world(lambda envs: replication.make(f"navigation/{name}", num_envs=envs, horizon=8, **settings))


def test_starts_are_uniform_and_demands_sum_to_the_agents():
    world = replication.make("navigation/supply6", num_envs=4000, landmarks=4, scaling="arena", initial_speed=0.5)
    world.reset(keys("starts", count=4000))
    half_width = np.sqrt(6 / 3)
    for places, width in [(world.positions, half_width), (world.landmarks, half_width), (world.velocities, 0.5)]:
        assert np.abs(places).max() <= width
        assert places.mean(axis=0) == pytest.approx(0.0, abs=0.06 * width)
        assert places.std(axis=0) == pytest.approx(width / np.sqrt(3), rel=0.05)
    assert np.all(world.demands.sum(axis=1) == 6)
    assert world.demands.mean(axis=0) == pytest.approx(1.5, abs=0.1)


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (5, 5), (3, 7), (30, 30)])
def test_assignment_costs_what_scipy_finds(shape):
    rng = stream("assignment", *shape)
    for _ in range(20):
        cost = rng.standard_normal(shape)
        columns = np.empty(shape[0], dtype=np.int64)
        assign(cost, columns)
        assert len(set(columns)) == shape[0]
        assert cost[np.arange(shape[0]), columns].sum() == pytest.approx(cost[linear_sum_assignment(cost)].sum())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_pettingzoo_face_passes_its_api_test():
    from pettingzoo.test import parallel_api_test  # its own imports warn

    parallel_api_test(Parallel(replication.make("navigation/spread3", horizon=10)), num_cycles=30)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: replication.make("navigation/spread1"), "2 to 100 agents, got 1"),
        (lambda: replication.make("navigation/spread101"), "2 to 100 agents, got 101"),
        (lambda: replication.make("navigation/spred3"), "did you mean spread3"),
        (lambda: replication.make("navigation/spread"), "followed by the number of agents"),
        (lambda: replication.make("navigation/spread3", damping=1.5), "damping"),
        (lambda: replication.make("navigation/spread3", sensitivity=(5, -1)), "sensitivity: needs at least one"),
        (lambda: replication.make("navigation/spread3", dampng=0.5), "did you mean damping"),
        (lambda: replication.make("navigation/spread3", task="supply"), "part of a world's name"),
        (lambda: replication.make("navigation/formation3", landmarks=3), "has one landmark"),
        (lambda: replication.make("navigation/supply3", reward="openai"), "task 'spread' only"),
        (lambda: replication.make("navigation/spread3").reset(np.array([-1])), "whole numbers >= 0"),
        (lambda: replication.make("navigation/spread3").reset(np.array([1]), where=np.array([True, False])), "where"),
        (lambda: replication.make("navigation/spread3").restore({}), "restore into an equal world"),
    ],
)
def test_bad_input_is_one_clear_line(call, words):
    with refused(re.escape(words)):
        call()


@pytest.mark.parametrize(
    ("settings", "actions", "words"),
    [
        ({}, np.zeros((1, 2, 1), dtype=int), "shape"),
        ({}, np.full((1, 3, 1), 5), "lie in"),
        ({}, np.zeros((1, 3, 1)), "whole numbers 0 to 4"),
        ({"actions": "continuous"}, np.full((1, 3, 5), 1.1), "lie in"),
        ({"actions": "force"}, np.full((1, 3, 2), np.nan), "lie in"),
    ],
)
def test_wrong_actions_are_refused(settings, actions, words):
    world = replication.make("navigation/spread3", **settings)
    world.reset(keys("actions", count=1))
    with pytest.raises(BadInput, match=words):
        world.step(actions)
