"""Gossip and groups: averages are exact, rounds are right, points agree, groups split the spread, bad graphs."""

import numpy as np
import pytest
from oracles import gossip as slow
from refusals import refused

from replication.algos import gossip
from replication.algos.transport import TransportSettings, barycenter, distance
from replication.algos.transport_groups import grouped_barycenter, nearby_groups, spread
from replication.seeding import stream

EXACT = TransportSettings(method="exact")


def random_graph(agents, seed):
    points = stream("gossip points", seed).normal(size=(agents, 2))
    return gossip.nearest_graph(points, 2)


def test_weights_are_those_of_the_loop_and_keep_the_mean():
    for seed in range(5):
        graph = random_graph(7, seed)
        weights = gossip.metropolis_weights(graph)
        assert weights == pytest.approx(slow.weights(graph))
        assert weights.sum(axis=0) == pytest.approx(np.ones(7))
        assert np.array_equal(weights, weights.T)
        assert weights.min() >= 0


def test_a_round_of_averaging_equals_the_loop():
    values, graph = stream("gossip values").normal(size=(6, 3, 2)), random_graph(6, 1)
    found = gossip.average(values, graph, tolerance=1e-12, max_rounds=1)
    assert found.rounds == 1
    assert found.values == pytest.approx(slow.averaging_round(values, graph))


def test_averaging_comes_to_the_mean_and_counts_messages():
    values, graph = stream("gossip values").normal(size=(8, 5)), gossip.ring_graph(8)
    found = gossip.average(values, graph, tolerance=1e-6)
    assert found.values == pytest.approx(np.tile(values.mean(axis=0), (8, 1)), abs=1e-4)
    assert found.messages == found.rounds * 16  # two neighbours each
    assert found.busiest == found.rounds * 4
    # the slowest mode of a ring with weights 1/3 falls by (1 + 2 cos(2 pi / 8)) / 3 a round
    assert found.apart[-1] / found.apart[-2] == pytest.approx((1 + 2 * np.cos(np.pi / 4)) / 3, abs=1e-3)


def test_everyone_with_everyone_needs_one_round():
    found = gossip.average(np.arange(5.0), ~np.eye(5, dtype=bool))
    assert found.rounds == 1
    assert found.values == pytest.approx(np.full(5, 2.0))


def test_agreement_from_the_start_needs_none():
    found = gossip.average(np.ones((4, 2)), gossip.ring_graph(4))
    assert (found.rounds, found.messages, found.busiest) == (0, 0, 0)


def test_a_round_of_points_equals_the_search_over_permutations():
    samples, graph = stream("gossip samples").normal(size=(4, 5, 2)), random_graph(4, 2)
    found = gossip.consensus(samples, graph, tolerance=1e-12, max_rounds=1)
    assert found.values == pytest.approx(slow.consensus_round(samples, graph))


def test_points_on_a_line_agree_on_the_barycenter():
    samples = stream("gossip lines").normal(size=(5, 9, 1)) + np.arange(5)[:, None, None]
    found = gossip.consensus(samples, gossip.ring_graph(5), tolerance=1e-9)
    quantiles = np.sort(samples[:, :, 0], axis=1).mean(axis=0)
    for held in found.values:
        assert np.sort(held[:, 0]) == pytest.approx(quantiles, abs=1e-6)


def test_points_in_the_plane_agree_somewhere_between_the_agents():
    samples = stream("gossip planes").normal(size=(6, 12, 2))
    found = gossip.consensus(samples, ~np.eye(6, dtype=bool))
    first = max(distance(samples[0], rows, EXACT) for rows in samples)
    assert max(distance(found.values[0], rows, EXACT) for rows in found.values) <= 0.01 * first
    assert found.values.mean(axis=1) == pytest.approx(np.tile(samples.mean(axis=(0, 1)), (6, 1)), abs=0.02)
    assert spread(samples, found.values[0]) < 0.7 * spread(samples, samples[0])


def test_ring_and_nearest_graphs():
    assert gossip.ring_graph(2).tolist() == [[False, True], [True, False]]
    assert gossip.ring_graph(5).sum(axis=1).tolist() == [2] * 5
    line = np.array([[0.0], [1.0], [2.0], [10.0], [11.0]])
    graph = gossip.nearest_graph(line, 1)
    assert graph[2, 3]  # the shortest bridge between the two parts
    assert not graph[1, 3]
    assert graph[3, 4]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: gossip.average(np.ones(1), np.zeros((1, 1), bool)), "at least 2 agents"),
        (lambda: gossip.average(np.array([1.0, np.nan]), gossip.ring_graph(2)), "finite"),
        (lambda: gossip.average(np.ones(3), gossip.ring_graph(4)), "graph is of 4 agents"),
        (lambda: gossip.average(np.ones(4), np.zeros((4, 4), bool)), "4 parts"),
        (lambda: gossip.metropolis_weights(np.eye(3, dtype=bool)), "without loops"),
        (lambda: gossip.metropolis_weights(np.triu(np.ones((3, 3), bool), 1)), "symmetric"),
        (lambda: gossip.nearest_graph(np.zeros((3, 2)), 3), "from 1 to 2"),
        (lambda: gossip.consensus(np.zeros((1, 4, 2)), gossip.ring_graph(2)), "at least 2"),
        (lambda: nearby_groups(np.zeros((6, 2)), 4), "divisor of 6"),
        (lambda: grouped_barycenter(np.zeros((4, 3, 2)), np.array([[0, 1], [2, 2]])), "each of 4 agents once"),
        (lambda: grouped_barycenter(np.zeros((4, 3, 2)), np.array([[0, 1, 2, 3]])), "2 or more rows"),
    ],
)
def test_bad_input_is_one_line(call, words):
    with refused(words):
        call()


def test_groups_are_near_and_equal():
    points = np.array([[0.0, 0], [10, 0], [1, 0], [11, 0], [0, 9], [1, 9], [10, 9], [11, 9]])
    assert nearby_groups(points, 2).tolist() == [[0, 2], [4, 5], [1, 3], [6, 7]]
    assert nearby_groups(points, 4).tolist() == [[0, 2, 4, 5], [1, 3, 6, 7]]
    third = nearby_groups(points[:6], 2)
    assert sorted(third.ravel()) == list(range(6))
    assert len(third) == 3


def test_on_a_line_groups_give_the_flat_barycenter_and_split_the_spread():
    samples = stream("group lines").normal(size=(6, 7, 1)) + np.arange(6)[:, None, None]
    found = grouped_barycenter(samples, np.array([[0, 3, 4], [1, 2, 5]]))
    flat = np.sort(samples[:, :, 0], axis=1).mean(axis=0)
    assert np.sort(found.top.points[:, 0]) == pytest.approx(flat)
    assert found.inside + found.between == pytest.approx(spread(samples, flat[:, None]))


def test_spread_of_shifted_copies():
    cloud = stream("shifted copies").normal(size=(8, 3))
    samples = np.stack([cloud, cloud + np.array([2.0, 0, 0])])
    assert spread(samples, cloud + np.array([1.0, 0, 0])) == pytest.approx(1.0)
    points = barycenter(samples, EXACT, start=cloud).points
    assert spread(samples, points) == pytest.approx(1.0)
