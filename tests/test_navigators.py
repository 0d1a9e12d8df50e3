"""Scripted controllers of the navigation worlds: known returns, their order, and their bad inputs."""

import numpy as np
import pytest
from oracles import navigation as slow
from scipy.optimize import linear_sum_assignment

import replication
from replication.envs.navigators import NAVIGATORS, coasting_time, normalised_score, play
from replication.seeding import keys
from replication.settings import BadInput

EPISODES = 2000
# agents -> controller -> (sum of distances, collisions, return per agent): measured before the study, 300 episodes of a
# separate program for the same task
REFERENCE = {
    2: {
        "random": (-42.3, 0.8, -21.3),
        "no_operation": (-39.3, 0.1, -19.7),
        "all_to_one": (-28.8, 12.0, -17.4),
        "greedy": (-21.3, 7.3, -12.5),
        "fixed_role": (-14.2, 1.8, -7.5),
        "hungarian_static": (-11.9, 1.0, -6.19),
        "hungarian_dynamic": (-11.9, 1.0, -6.19),
    },
    3: {
        "random": (-52.5, 2.4, -26.7),
        "no_operation": (-48.6, 0.5, -24.4),
        "all_to_one": (-44.2, 25.0, -26.3),
        "greedy": (-28.4, 14.0, -16.5),
        "fixed_role": (-20.1, 5.2, -10.9),
        "hungarian_static": (-15.4, 2.9, -8.20),
        "hungarian_dynamic": (-15.3, 2.7, -8.09),
    },
    4: {
        "random": (-61.6, 5.0, -31.4),
        "no_operation": (-56.4, 1.2, -28.3),
        "all_to_one": (-57.3, 40.0, -33.7),
        "greedy": (-32.9, 21.0, -19.1),
        "fixed_role": (-26.5, 12.0, -14.7),
        "hungarian_static": (-18.3, 6.7, -9.99),
        "hungarian_dynamic": (-17.9, 6.5, -9.78),
    },
    6: {
        "random": (-78.0, 12.0, -40.0),
        "greedy": (-43.0, 38.0, -24.6),
        "fixed_role": (-40.0, 30.0, -22.3),
        "hungarian_dynamic": (-23.7, 16.0, -13.2),
    },
}


@pytest.fixture(scope="module", params=REFERENCE)
def played(request):
    agents = request.param
    world = replication.make(f"navigation/spread{agents}", num_envs=EPISODES)
    episodes = keys("reference returns", agents, count=EPISODES)
    return agents, {name: play(world, replication.controller(world, name), episodes) for name in REFERENCE[agents]}


def test_reference_returns_are_reproduced(played):
    """Within 5 %: two of the reference's standard errors (1-2 % each) and what a steering law may differ by."""
    agents, rows = played
    for name, (distance, collisions, per_agent) in REFERENCE[agents].items():
        assert rows[name]["return"].mean() == pytest.approx(per_agent, rel=0.05), name
        assert -rows[name]["distance"].mean() == pytest.approx(distance, rel=0.05), name
        assert rows[name]["collisions"].mean() == pytest.approx(collisions, rel=0.15, abs=1.5), name


def test_return_is_the_published_mix_of_distance_and_collisions(played):
    agents, rows = played
    for sums in rows.values():
        mixed = -0.5 * sums["distance"] - 0.5 * sums["collisions"] / agents
        assert sums["return"] == pytest.approx(mixed)


def test_assignment_covers_and_doing_nothing_does_not(played):
    _, rows = played
    assert rows["hungarian_dynamic"]["final_coverage"].mean() > 0.88
    assert rows["random"]["final_coverage"].mean() < 0.04
    random, oracle = (rows[name]["return"].mean() for name in ("random", "hungarian_dynamic"))
    score = {name: normalised_score(sums["return"], random, oracle).mean() for name, sums in rows.items()}
    assert score["random"] == pytest.approx(0.0)
    assert score["hungarian_dynamic"] == pytest.approx(1.0)
    assert 0.45 < score["greedy"] < 0.65
    assert score["greedy"] < score["fixed_role"] < 0.95


def test_every_task_and_action_form_is_played_better_by_assignment_than_by_chance():
    for name, settings in [
        ("spread3", {"actions": "force"}),
        ("spread3", {"actions": "continuous"}),
        ("spread3", {"integration": "new_velocity", "damping": 0.5}),
        ("spread3", {"sensitivity": (3.0, 5.0, 8.0), "radius": (0.1, 0.15, 0.2)}),
        ("rendezvous3", {}),
        ("formation4", {}),
        ("supply4", {"landmarks": 2}),
    ]:
        world = replication.make(f"navigation/{name}", num_envs=200, **settings)
        episodes = keys("tasks", count=200)
        lot = {c: play(world, replication.controller(world, c), episodes)["return"] for c in ("random", "no_operation")}
        best = play(world, replication.controller(world, "hungarian_dynamic"), episodes)["return"]
        assert all(np.mean(best > other) > 0.95 for other in lot.values()), (name, settings)
        assert best.mean() > 0.6 * lot["random"].mean()


def test_two_forms_of_continuous_actions_steer_alike():
    returns = []
    for form in ("force", "continuous"):
        world = replication.make("navigation/spread3", num_envs=20, actions=form)
        returns.append(play(world, replication.controller(world, "hungarian_dynamic"), keys("x", count=20))["return"])
    assert returns[0] == pytest.approx(returns[1])


@pytest.mark.parametrize("cost", ["distance", "squared", "stopping"])
def test_choices_are_the_cheapest_assignment(cost):
    world = replication.make("navigation/spread4", num_envs=30, initial_speed=1.0, landmarks=6)
    world.reset(keys("cheapest", count=30))
    chosen = replication.controller(world, "hungarian_dynamic", cost=cost).choices(world)
    ahead = world.velocities * (coasting_time(world) if cost == "stopping" else 0.0)
    for lane in range(30):
        table = np.linalg.norm((world.positions + ahead)[lane][:, None] - world.landmarks[lane], axis=-1)
        table = table**2 if cost == "squared" else table
        best = table[linear_sum_assignment(table)].sum()
        assert table[np.arange(4), chosen[lane]].sum() == pytest.approx(best)


@pytest.mark.parametrize("settings", [{}, {"integration": "new_velocity"}, {"damping": 0.5}])
def test_coasting_time_is_how_far_a_free_disc_goes(settings):
    world = replication.make("navigation/spread2", contact=False, **settings)
    position, velocity = np.zeros((2, 2)), np.ones((2, 2))
    for _ in range(300):
        position, velocity = slow.step(world, np.zeros((2, 2)), position, velocity)
    assert position == pytest.approx(coasting_time(world))


def test_static_assignment_is_kept_within_an_episode_and_renewed_lane_by_lane():
    world = replication.make("navigation/spread5", num_envs=4)
    controller = replication.controller(world, "hungarian_static")
    world.reset(keys("kept", 0, count=4))
    first = controller.choices(world).copy()
    for _ in range(6):
        world.step(replication.controller(world, "all_to_one").act(world))
    assert np.array_equal(controller.choices(world), first)
    dynamic = replication.controller(world, "hungarian_dynamic")
    assert not np.array_equal(dynamic.choices(world), first)
    world.reset(keys("kept", 1, count=4), where=np.array([True, False, False, False]))
    later = controller.choices(world)
    assert np.array_equal(later[1:], first[1:])
    assert np.array_equal(later[0], dynamic.choices(world)[0])


@pytest.mark.parametrize("actions", ["discrete", "continuous", "force"])
def test_random_actions_depend_on_key_step_and_seed_only(actions):
    world = replication.make("navigation/spread3", num_envs=50, actions=actions)
    world.reset(keys("random", count=50))
    controller = replication.controller(world, "random")
    drawn = controller.act(world)
    alone = replication.make("navigation/spread3", actions=actions)
    alone.reset(keys("random", count=50)[-1:])
    assert np.array_equal(replication.controller(alone, "random").act(alone)[0], drawn[-1])
    assert not np.array_equal(replication.controller(world, "random", seed=1).act(world), drawn)
    world.step(drawn)
    assert not np.array_equal(controller.act(world), drawn)
    if actions == "discrete":
        assert np.bincount(drawn.ravel(), minlength=5).min() > 10
    else:
        assert world.action_low <= drawn.min() < drawn.max() <= world.action_high


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda world: replication.controller(world, "hungarien"), "did you mean hungarian"),
        (lambda world: replication.controller(world, "greedy", brak=1), "did you mean brake"),
        (lambda world: replication.controller(world, "hungarian_static", cost="time"), "cost"),
        (lambda world: replication.controller(world, "hungarian_dynamic").act(world), "a target for every agent"),
        (lambda world: normalised_score(np.zeros(2), -1.0, -1.0), "must exceed random"),
    ],
)
def test_bad_input_is_one_clear_line(call, words):
    world = replication.make("navigation/spread3", landmarks=2)
    world.reset(keys("bad", count=1))
    with pytest.raises(BadInput) as caught:
        call(world)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_fewer_targets_than_agents_still_serve_the_other_controllers():
    world = replication.make("navigation/spread3", landmarks=2, num_envs=2)
    for name in set(NAVIGATORS) - {"hungarian", "hungarian_static", "hungarian_dynamic"}:
        returns = play(world, replication.controller(world, name), keys("few", count=2))["return"]
        assert np.all(returns < 0), name
