"""What is measured of a team: episodes are whole, distances equal slow twins and other solvers."""

import numpy as np
import pytest
from oracles import alignment as slow
from oracles.team_worlds import Levels, Signals
from toy_worlds import NoRun

import replication
from replication import seeding
from replication.algos.team_measures import play_team, policy_diversity, visit_distances
from replication.algos.team_policy import Player
from replication.algos.team_settings import TeamSettings
from replication.algos.team_training import train_team
from replication.algos.transport import TransportSettings, pairwise_distances
from replication.envs.navigators import play


def trained(world, **changes):
    settings = TeamSettings(envs=2, segment=5, minibatches=2, hidden=(8, 8), last_layer_gain=1.0, **changes)
    return train_team(settings, world, (0, 1), NoRun(), updates=1).last


@pytest.mark.parametrize("draws", [None, 3])
def test_sums_are_those_of_any_controller(draws):
    policy = trained(replication.make("navigation/spread3", num_envs=4))
    world, keys = replication.make("navigation/spread3", num_envs=6), seeding.keys("t", count=3)
    played = play_team(policy, world, keys, draws)
    expected = play(world, Player(policy, draws), np.tile(keys, 2))
    for name, total in expected.items():
        assert np.allclose(played.sums[name].ravel(), total), name
    assert played.seen.shape == (2, 3, 25, 3, 14)
    assert played.alive.all()


def test_episodes_end_each_at_its_own_time():
    world = replication.make("navigation/spread2", num_envs=40, terminate_on_success=True, capture_radius=0.6)
    policy = trained(replication.make("navigation/spread2", num_envs=4))
    played = play_team(policy, world, seeding.keys("t", count=20))
    lengths = played.alive.sum(axis=2)
    assert lengths.min() < 25
    ended = played.sums["success"]  # success ends an episode, so it is counted once at most
    assert np.all((ended == 0) | (ended == 1))
    assert np.array_equal(played.alive, np.arange(played.alive.shape[2]) < lengths[..., None])
    assert all(np.isfinite(values).all() for values in visit_distances(played).values())


def test_diversity_of_choices_equals_its_loop():
    policy = trained(Signals(4))
    played = play_team(policy, Signals(4), np.arange(2, dtype=np.uint64))
    found = policy_diversity(policy, played, metric="equal")
    rows = played.seen.reshape(2, -1, 6)
    chances = policy.probabilities(np.repeat(rows[:, :, None], 3, axis=2), np.array([False, True, True, True]))
    for s in range(2):
        expected = slow.mean_over_ordered_pairs(chances[s].tolist(), chances[s].tolist(), slow.total_variation)
        assert found[s] == pytest.approx(expected, rel=1e-4)
    shared = trained(Signals(4), nets="shared")
    assert policy_diversity(shared, play_team(shared, Signals(4), np.arange(2, dtype=np.uint64)), "equal") == (
        pytest.approx([0.0, 0.0], abs=1e-6)
    )


def test_diversity_of_gaussians_equals_its_loop():
    policy = trained(Levels(4))
    played = play_team(policy, Levels(4), np.arange(2, dtype=np.uint64))
    rows = np.repeat(played.seen.reshape(2, -1, 1, 6), 3, axis=2)
    mean, log_std = policy.outputs(rows), policy.log_std()
    for s, found in enumerate(policy_diversity(policy, played)):
        pairs = [(i, j) for i in range(3) for j in range(3) if i != j]
        squares = [slow.gaussian_w2(m[i], log_std[s, i], m[j], log_std[s, j]) for m in mean[s] for i, j in pairs]
        assert found == pytest.approx(np.mean(squares) ** 0.5, rel=1e-4)


def test_distances_between_visits_equal_those_of_the_transport_module():
    policy = trained(replication.make("navigation/spread3", num_envs=4))
    played = play_team(policy, replication.make("navigation/spread3", num_envs=8), seeding.keys("t", count=4))
    found = visit_distances(played, features=(2, 3), projections=8)
    settings = TransportSettings(projections=8)
    for s in range(2):
        visits = played.seen[s][..., 2:4].astype(np.float64)
        visits /= visits.reshape(-1, 2).std(axis=0)
        pooled = pairwise_distances(np.moveaxis(visits.reshape(-1, 3, 2), 1, 0), settings).values
        assert found["visits_pooled"][s] == pytest.approx(_mean_square(pooled) ** 0.5)
        within = [_mean_square(pairwise_distances(np.moveaxis(one, 1, 0), settings).values) for one in visits]
        assert found["visits_within"][s] == pytest.approx(np.mean(within) ** 0.5)
    assert np.all(found["visits_within"] > found["visits_pooled"])


def _mean_square(distances):
    return np.square(distances[np.triu_indices(3, 1)]).mean()
