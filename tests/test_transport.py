"""Optimal transport against linear programmes, POT and SciPy; gradients; rewards; bad inputs; solvers that give up."""

import re

import numpy as np
import pytest
import torch
from oracles import transport as slow
from refusals import refused
from scipy.optimize import linear_sum_assignment

from replication.algos import transport_plans
from replication.algos.transport import (
    Distances,
    NotConverged,
    TransportSettings,
    assignment,
    barycenter,
    distance,
    ground_cost,
    null_distance,
    pairwise_distances,
    plan,
)
from replication.algos.transport_actions import (
    discrete_distances,
    discrete_jeffreys,
    discrete_total_variation,
    gaussian_distances,
    gaussian_jeffreys,
    gaussian_to_barycenter,
    mean_over_pairs,
)
from replication.algos.transport_barycenters import gaussian_barycenter, histogram_barycenter
from replication.algos.transport_closed_forms import (
    diagonal_gaussian_squared,
    directions,
    line_cost,
    line_signals,
    star_distance,
    total_variation,
)
from replication.algos.transport_points import MOVE_METRICS, discrete_distance, extreme_potentials, move_metric
from replication.algos.transport_rewards import (
    alignment_rewards,
    assignment_potential,
    shaping_rewards,
    standardised,
    visits_apart,
)
from replication.seeding import stream

SHARP = TransportSettings(method="sinkhorn", tolerance=1e-10, max_iterations=200_000)
EXACT = TransportSettings(method="exact")


def clouds(*numbers, sizes=(12, 15), features=3):
    rng = stream("transport clouds", *numbers)
    return [rng.normal(0.4 * k, 1.0, (size, features)) for k, size in enumerate(sizes)]


def masses(*numbers, sizes=(12, 15)):
    rng = stream("transport masses", *numbers)
    return [rng.dirichlet(np.full(size, 3.0)) for size in sizes]


# plans


@pytest.mark.parametrize("power", [1, 2])
def test_exact_plan_equals_the_linear_programme(power):
    for case in range(3):
        cost, (a, b) = ground_cost(*clouds(case), power), masses(case)
        got = plan(cost, 2 * a, 2 * b, EXACT)
        value, matrix = slow.linear_programme(cost, 2 * a, 2 * b)
        assert got.cost == pytest.approx(value)
        assert got.value == pytest.approx(got.cost)
        assert got.matrix == pytest.approx(matrix, abs=1e-9)
        assert 2 * (got.source @ a + got.target @ b) == pytest.approx(value)
        assert (got.source[:, None] + got.target - cost).max() < 1e-9
        assert got.source @ a == pytest.approx(0.0, abs=1e-12)


def test_equal_masses_reproduce_the_assignment():
    for case in range(5):
        cost = ground_cost(*clouds(case, sizes=(9, 9)), 1)
        rows, columns = linear_sum_assignment(cost)
        assert np.array_equal(assignment(cost), columns)
        assert plan(cost).cost == pytest.approx(cost[rows, columns].mean(), abs=1e-9)
        assert slow.cheapest_assignment(cost[:6, :6]) == pytest.approx(plan(cost[:6, :6]).cost)


@pytest.mark.parametrize("sizes", [(2, 3), (12, 15), (40, 40)])
@pytest.mark.parametrize("share", [1.0, 0.1, 0.05])
def test_entropic_plan_equals_pot_once_both_converged(sizes, share):
    import ot

    cost, (a, b) = ground_cost(*clouds(1, sizes=sizes), 2), masses(1, sizes=sizes)
    got = plan(cost, a, b, SHARP.but(regularisation=share))
    eps = share * np.median(cost)
    theirs = ot.solve(cost, a, b, reg=eps, tol=1e-11, max_iter=200_000)
    assert got.matrix == pytest.approx(theirs.plan, abs=1e-8)
    assert got.value == pytest.approx(theirs.value, rel=1e-7)
    assert got.cost == pytest.approx(theirs.value_linear, rel=1e-7)
    assert got.error < 1e-9


def test_entropic_plan_stays_finite_where_plain_exponentials_vanish():
    x = np.array([[0.0], [1.0], [100.0]])
    y = np.array([[0.1], [1.1], [150.0]])
    cost = ground_cost(x, y, 2)
    got = plan(cost, settings=TransportSettings(method="sinkhorn", regularisation=1e-4))
    assert got.cost == pytest.approx(plan(cost).cost, rel=1e-3)
    empty = plan(cost, np.array([0.5, 0.5, 0.0]), np.array([0.5, 0.5, 0.0]), SHARP)
    assert np.isfinite(empty.matrix).all()
    assert empty.matrix[2].sum() == 0


@pytest.mark.parametrize("price", [0.2, 1.0, 5.0])
def test_unbalanced_plan_is_the_least_objective(price):
    cost, (a, b) = ground_cost(*clouds(2, sizes=(3, 4)), 2), masses(2, sizes=(3, 4))
    settings = TransportSettings(method="unbalanced", regularisation=0.3, marginal_price=price, tolerance=1e-7)
    got = plan(cost, a, 1.5 * b, settings)
    scale = np.median(cost)
    value, matrix = slow.unbalanced(cost, a, 1.5 * b, 0.3 * scale, price * scale)
    assert got.value == pytest.approx(value, rel=1e-5)
    assert got.matrix == pytest.approx(matrix, abs=1e-4)
    assert got.matrix.sum() < 1.5


def test_dear_marginals_bring_the_unbalanced_plan_to_the_balanced_one():
    cost, (a, b) = ground_cost(*clouds(3), 2), masses(3)
    balanced = plan(cost, a, b, SHARP.but(regularisation=0.2)).matrix
    missed = []
    for price in (0.1, 1.0, 10.0, 100.0):
        settings = TransportSettings(method="unbalanced", regularisation=0.2, marginal_price=price)
        missed.append(np.abs(plan(cost, a, b, settings).matrix - balanced).sum())
    assert missed == sorted(missed, reverse=True)
    assert missed[0] > 0.3
    assert missed[-1] < 0.01


# distances


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("sizes", [(7, 7), (6, 9), (5, 10), (1, 4)])
def test_sliced_distance_equals_unit_splitting_and_pot(power, sizes):
    import ot

    x, y = clouds(4, sizes=sizes)
    settings = TransportSettings(power=power, projections=20)
    lines = directions(3, 20, 0)
    assert np.linalg.norm(lines, axis=0) == pytest.approx(1.0)
    assert distance(x, y, settings) == pytest.approx(slow.sliced(x, y, lines, power))
    theirs = ot.sliced_wasserstein_distance(x, y, projections=lines, p=power)
    assert distance(x, y, settings) == pytest.approx(theirs)


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("sizes", [(7, 7), (6, 9), (9, 6), (5, 10), (10, 5), (1, 4)])
def test_line_potentials_are_optimal_and_costs_add_up(power, sizes):
    x, y = clouds(5, sizes=sizes, features=4)
    potential, spent = line_signals(x, y, power)
    total = line_cost(x, y, power)
    assert potential.mean(axis=0) == pytest.approx(0.0, abs=1e-12)
    assert spent.mean(axis=0) == pytest.approx(total)
    for line in range(4):
        cost = np.abs(x[:, line, None] - y[:, line]) ** power
        value, matrix = slow.linear_programme(cost, np.full(sizes[0], 1 / sizes[0]), np.full(sizes[1], 1 / sizes[1]))
        conjugate = (cost - potential[:, line, None]).min(axis=0)
        assert total[line] == pytest.approx(value)
        assert conjugate.mean() == pytest.approx(value)
        if power == 2:  # the plan is unique
            assert spent[:, line] == pytest.approx((matrix * cost).sum(axis=1) * sizes[0])


@pytest.mark.parametrize("power", [1, 2])
def test_exact_and_entropic_distances_equal_pot(power):
    import ot

    x, y = clouds(6, sizes=(14, 11))
    cost = ground_cost(x, y, power)
    assert distance(x, y, EXACT.but(power=power)) == pytest.approx(ot.emd2([], [], cost) ** (1 / power))
    assert distance(x, x[::-1], EXACT.but(power=power)) == pytest.approx(0.0, abs=1e-9)
    debiased = ot.solve_sample(
        x, y, metric={1: "euclidean", 2: "sqeuclidean"}[power], reg=0.2 * np.median(cost), debias=True, tol=1e-11,
        max_iter=100_000,
    )  # fmt: skip
    got = distance(x, y, SHARP.but(power=power, regularisation=0.2))
    assert got == pytest.approx(debiased.value ** (1 / power), rel=1e-5)


def test_gaussian_distance_equals_closed_forms():
    import ot

    x, y = clouds(7, sizes=(30, 40))
    got = distance(x, y, TransportSettings(method="gaussian"))
    fits = [np.cov(z.T) for z in (x, y)]
    assert got == pytest.approx(ot.gaussian.bures_wasserstein_distance(x.mean(0), y.mean(0), *fits))
    mean, std = stream("gaussians").uniform(0.5, 2.0, (2, 2, 3))
    squared = diagonal_gaussian_squared(mean[0], std[0], mean[1], std[1])
    diagonal = [np.diag(s**2) for s in std]
    assert squared == pytest.approx(ot.gaussian.bures_wasserstein_distance(mean[0], mean[1], *diagonal) ** 2)
    line = distance(x[:, :1], y[:, :1], TransportSettings(method="gaussian"))
    by_hand = (x[:, 0].mean() - y[:, 0].mean()) ** 2 + (x[:, 0].std(ddof=1) - y[:, 0].std(ddof=1)) ** 2
    assert line == pytest.approx(np.sqrt(by_hand))


def test_gaussians_without_width_have_a_distance():
    line = np.linspace(0.0, 3.0, 16)[:, None]
    still = np.zeros((16, 1))
    generator = stream("flat gaussians")
    for _ in range(20):  # the library alone fails on about half of these
        x, y = (np.concatenate([line * generator.random(), still, line * generator.random(), still], axis=1)
                for _ in range(2))  # fmt: skip
        first, second = (z[-1] - z[0] for z in (x, y))
        root = [np.linalg.norm(z) for z in (first, second)]
        spread = np.var(np.linspace(0.0, 1.0, 16), ddof=1)
        squared = np.square((first - second) / 2).sum() + spread * (root[0] ** 2 + root[1] ** 2 - 2 * first @ second)
        assert distance(x, y, TransportSettings(method="gaussian")) ** 2 == pytest.approx(squared, rel=1e-3)


@pytest.mark.parametrize("method", ["exact", "sinkhorn", "sliced", "gaussian"])
def test_pairs_are_symmetric_and_a_shift_is_seen(method):
    rng = stream("pairs")
    base = rng.standard_normal((20, 2))
    samples = np.stack([base, base[rng.permutation(20)], base + np.array([3.0, 4.0])])
    got = pairwise_distances(samples, TransportSettings(method=method, projections=400))
    shift = 5.0 if method != "sliced" else 5.0 / np.sqrt(2)  # a line sees the part of the shift along it
    assert got.failed == ()
    assert np.array_equal(got.values, got.values.T)
    assert got.values[0, 1] == pytest.approx(0.0, abs=1e-6)
    assert got.values[0, 2] == pytest.approx(shift, rel=0.03)
    assert got.mean() == pytest.approx(2 / 3 * got.values[0, 2], rel=1e-3)
    assert got.values[0, 2] == pytest.approx(distance(samples[0], samples[2], TransportSettings(
        method=method, projections=400)), rel=0.02)  # fmt: skip


def test_null_distance_is_the_floor_of_equal_agents_and_below_different_ones():
    rng = stream("null")
    same, apart = rng.standard_normal((2, 4, 100, 3))
    apart += np.arange(4)[:, None, None]
    floor = null_distance(same, rng)
    assert floor > 0
    assert pairwise_distances(same).mean() == pytest.approx(floor, rel=0.4)
    assert null_distance(apart, rng) < 0.3 * pairwise_distances(apart).mean()


# few points


def random_metric(count):
    places = stream("metric", count).standard_normal((count, 2))
    return np.linalg.norm(places[:, None] - places, axis=-1)


@pytest.mark.parametrize("metric", [*map(move_metric, MOVE_METRICS), *map(random_metric, (2, 3, 6))])
def test_extreme_potentials_give_the_linear_programme(metric):
    potentials = extreme_potentials(metric)
    steep = np.abs(potentials[:, :, None] - potentials[:, None]) - metric
    assert steep.max() < 1e-9
    for p, q in stream("choices", len(metric)).dirichlet(np.ones(len(metric)), (10, 2)):
        assert discrete_distance(p, q, potentials) == pytest.approx(slow.linear_programme(metric, p, q)[0])


def test_closed_forms_of_discrete_actions():
    p, q = stream("closed").dirichlet(np.ones(5), (2, 30))
    assert total_variation(p, q) == pytest.approx(discrete_distance(p, q, extreme_potentials(move_metric("equal"))))
    assert star_distance(p, q) == pytest.approx(discrete_distance(p, q, extreme_potentials(move_metric("star"))))
    assert move_metric("star")[1, 2] == 2.0
    assert move_metric("euclidean")[1, 3] == pytest.approx(np.sqrt(2))


# differentiable distances between actions


def gaussians(agents=3, observations=4, actions=2):
    rng = stream("action gaussians")
    mean, std = rng.normal(size=(agents, observations, actions)), rng.uniform(0.2, 2, (agents, observations, actions))
    return (torch.tensor(values, requires_grad=True) for values in (mean, std))


def choices(agents=3, observations=4):
    logits = stream("action choices").normal(size=(agents, observations, 5))
    return torch.softmax(torch.tensor(logits), dim=-1).requires_grad_()


def test_action_distances_equal_their_formulas():
    mean, std = gaussians()
    m, s = mean.detach().numpy(), std.detach().numpy()
    p = choices()
    r = p.detach().numpy()
    potentials = extreme_potentials(move_metric("euclidean"))
    logs = np.log(r)
    for i in range(3):
        for j in range(3):
            squared = diagonal_gaussian_squared(m[i], s[i], m[j], s[j]).mean()
            assert gaussian_distances(mean, std)[i, j].item() == pytest.approx(squared)
            jeffreys = np.mean([slow.gaussian_jeffreys(m[i, k], s[i, k], m[j, k], s[j, k]) for k in range(4)])
            assert gaussian_jeffreys(mean, std)[i, j].item() == pytest.approx(jeffreys)
            one = np.mean([slow.linear_programme(move_metric("euclidean"), *pair)[0] for pair in zip(r[i], r[j])])
            assert discrete_distances(p, potentials)[i, j].item() == pytest.approx(one, abs=1e-12)
            assert discrete_total_variation(p)[i, j].item() == pytest.approx(total_variation(r[i], r[j]).mean())
            assert discrete_jeffreys(p)[i, j].item() == pytest.approx(
                ((r[i] - r[j]) * (logs[i] - logs[j])).sum(1).mean()
            )
    to_middle = [diagonal_gaussian_squared(m[i], s[i], m.mean(0), s.mean(0)).mean() for i in range(3)]
    assert gaussian_to_barycenter(mean, std).tolist() == pytest.approx(to_middle)


def test_action_distances_have_the_gradients_of_finite_differences():
    mean, std = gaussians()
    potentials = extreme_potentials(move_metric("star"))
    assert torch.autograd.gradcheck(lambda m, s: mean_over_pairs(gaussian_distances(m, s)), (mean, std))
    assert torch.autograd.gradcheck(lambda m, s: mean_over_pairs(gaussian_jeffreys(m, s)), (mean, std))
    for measure in (lambda p: discrete_distances(p, potentials), discrete_total_variation, discrete_jeffreys):
        assert torch.autograd.gradcheck(lambda p, f=measure: mean_over_pairs(f(p)), (choices(),))


def test_wasserstein_pull_does_not_grow_as_policies_turn_deterministic_and_jeffreys_does():
    pulls = []
    for width in (1.0, 0.01):
        mean = torch.tensor([[[0.0]], [[1.0]]], requires_grad=True)
        std = torch.full((2, 1, 1), width)
        pulls.append([torch.autograd.grad(f(mean, std)[0, 1], mean)[0].abs().max().item()
                      for f in (gaussian_distances, gaussian_jeffreys)])  # fmt: skip
    assert pulls[0][0] == pulls[1][0] == 2.0
    assert pulls[1][1] > 1000 * pulls[0][1]


# barycenters


def test_barycenter_of_points_on_a_line_is_the_mean_of_sorted_samples():
    samples = stream("line").standard_normal((4, 9, 1)) * np.arange(1, 5)[:, None, None]
    got = barycenter(samples)
    assert np.sort(got.points[:, 0]) == pytest.approx(np.sort(samples[..., 0], axis=1).mean(axis=0))


def test_barycenter_settles_where_pot_settles_and_moves_with_its_samples():
    import ot

    samples = np.stack(clouds(8, sizes=(10, 10, 10), features=2))
    start = samples[0] + 0.01
    got = barycenter(samples, start=start)
    theirs = ot.lp.free_support_barycenter(list(samples), [np.full(10, 0.1)] * 3, start, numItermax=200, stopThr=0)
    assert got.points == pytest.approx(theirs, abs=1e-9)
    assert barycenter(samples + 5.0, start=start + 5.0).points == pytest.approx(got.points + 5.0)
    again = barycenter(samples, start=got.points)
    assert again.rounds == 1
    same = np.stack([samples[0]] * 2)
    assert np.sort(barycenter(same).points, axis=0) == pytest.approx(np.sort(samples[0], axis=0))


def test_entropy_draws_a_barycenter_together():
    samples = np.stack(clouds(9, sizes=(15, 15), features=2))
    spread = [barycenter(samples, s).points.var() for s in (EXACT, TransportSettings(method="sinkhorn"))]
    assert spread[1] < spread[0]
    blurred = barycenter(samples, TransportSettings(method="sinkhorn", regularisation=20.0)).points
    assert blurred == pytest.approx(np.tile(samples.mean(axis=(0, 1)), (15, 1)), abs=0.05)


def test_gaussian_barycenter_of_independent_features_is_the_mean_of_deviations():
    mean, std = stream("gaussian barycenter").uniform(0.5, 2.0, (2, 3, 2))
    centre, covariance = gaussian_barycenter(mean, np.stack([np.diag(s**2) for s in std]))
    assert centre == pytest.approx(mean.mean(axis=0))
    assert covariance == pytest.approx(np.diag(std.mean(axis=0) ** 2), abs=1e-6)


def test_histogram_barycenter_has_the_least_mean_cost():
    histograms = stream("histograms").dirichlet(np.ones(4), 3)
    cost = np.abs(np.subtract.outer(np.arange(4.0), np.arange(4.0))) ** 2
    got = histogram_barycenter(histograms, cost)

    def mean_cost(masses):
        return np.mean([slow.linear_programme(cost, masses, row)[0] for row in histograms])

    assert got.sum() == pytest.approx(1.0)
    others = stream("other histograms").dirichlet(np.ones(4), 30)
    near = [0.99 * got + 0.01 * other for other in others]
    assert mean_cost(got) <= min(mean_cost(other) for other in [*others, *near]) + 1e-9


# rewards


@pytest.mark.parametrize("method", ["exact", "sinkhorn", "sliced"])
def test_dual_reward_is_minus_the_slope_of_the_distance_in_the_visits(method):
    """Sizes without a common factor, so that the potential is unique."""
    settings = SHARP.but(method=method, projections=3, regularisation=0.3, tolerance=1e-9)
    samples = stream("slopes").standard_normal((2, 5, 2)) + np.array([[[0.0, 0.0]], [[1.0, 0.5]]])
    target = stream("slopes", 1).standard_normal((7, 2))
    got = alignment_rewards(samples, target, "dual", settings)
    even, b = np.full(5, 1 / 5), np.full(7, 1 / 7)
    for agent, rows in enumerate(samples):

        def value(a, rows=rows):
            if method == "sliced":
                per_line = [np.subtract.outer(rows @ line, target @ line) ** 2 for line in directions(2, 3, 0).T]
                return np.mean([slow.linear_programme(cost, a, b)[0] for cost in per_line])
            between, own, theirs = (ground_cost(*pair, 2) for pair in ((rows, target), (rows, rows), (target, target)))
            if method == "exact":
                return slow.linear_programme(between, a, b)[0]
            eps = 0.3 * np.median(between)
            selves = slow.entropic(own, a, a, eps) + slow.entropic(theirs, b, b, eps)
            return slow.entropic(between, a, b, eps) - 0.5 * selves

        assert got.costs[agent] == pytest.approx(value(even), rel=1e-5)
        assert got.values[agent] - got.values[agent, 0] == pytest.approx(-slow.slope(value, even), abs=2e-4)


@pytest.mark.parametrize("method", ["exact", "sinkhorn", "sliced"])
@pytest.mark.parametrize("signal", ["dual", "primal"])
@pytest.mark.parametrize("target", ["pool", "barycenter"])
def test_rewards_are_centred_and_dual_ones_point_towards_the_target(method, signal, target):
    rng = stream("rewards")
    samples = rng.standard_normal((2, 25, 2)) + np.array([[[0.0, 0.0]], [[4.0, 0.0]]])
    got = alignment_rewards(samples, target, signal, TransportSettings(method=method))
    assert got.failed == ()
    assert got.values.shape == (2, 25)
    assert got.values.mean(axis=1) == pytest.approx(0.0, abs=1e-9)
    assert got.values.std(axis=1).min() > 0.1
    if signal == "dual":
        assert np.corrcoef(got.values[0], samples[0, :, 0])[0, 1] > 0.5
        assert np.corrcoef(got.values[1], samples[1, :, 0])[0, 1] < -0.5


def test_primal_reward_against_the_pool_favours_the_far_side():
    samples = stream("rewards").standard_normal((2, 25, 2)) + np.array([[[0.0, 0.0]], [[4.0, 0.0]]])
    got = alignment_rewards(samples, "pool", "primal", EXACT)
    assert np.corrcoef(got.values[0], samples[0, :, 0])[0, 1] < -0.5


def test_primal_reward_is_what_each_point_pays():
    samples = np.stack(clouds(10, sizes=(8, 8), features=2))
    target = clouds(11, sizes=(6,), features=2)[0]
    got = alignment_rewards(samples, target, "primal", EXACT)
    for rows, values, cost in zip(samples, got.values, got.costs, strict=True):
        table = ground_cost(rows, target, 2)
        value, matrix = slow.linear_programme(table, np.full(8, 1 / 8), np.full(6, 1 / 6))
        assert cost == pytest.approx(value)
        assert values == pytest.approx(value - 8 * (matrix * table).sum(axis=1))


def test_visits_apart_does_not_depend_on_units():
    samples = np.stack(clouds(12, sizes=(20, 20, 20)))
    assert visits_apart(samples) == pytest.approx(visits_apart(samples * [1.0, 100.0, 1e-3] + 7.0))
    assert np.array_equal(standardised(np.ones((2, 4, 1))), np.zeros((2, 4, 1)))


def test_shaping_potential_is_the_cheapest_assignment_and_its_rewards_telescope():
    rng = stream("shaping")
    positions, targets = rng.standard_normal((2, 6, 4, 2))
    got = assignment_potential(positions, targets)
    for lane in range(6):
        table = np.linalg.norm(positions[lane][:, None] - targets[lane], axis=-1)
        assert got[lane] == pytest.approx(-slow.cheapest_assignment(table))
    potentials, discount = rng.standard_normal((5, 1)), 0.9
    ended = [False, False, False, True]
    paid = [shaping_rewards(potentials[t], potentials[t + 1], np.array([ended[t]]), discount) for t in range(4)]
    assert sum(discount**t * reward for t, reward in enumerate(paid)) == pytest.approx(-potentials[0])


# solvers that give up


def test_pairs_that_did_not_converge_are_named_and_never_averaged():
    near, other, wide = stream("give up").standard_normal((3, 15, 2))
    samples = np.stack([near, other, 8.0 * wide])  # the wide cloud sets the entropy, so the narrow pair is easy
    settings = TransportSettings(method="sinkhorn", max_iterations=35)
    got = pairwise_distances(samples, settings)
    assert got.failed == ((0, 2), (1, 2))
    assert np.isnan(got.values[0, 2])
    assert got.mean() == got.values[0, 1]
    with pytest.raises(NotConverged, match="none of 3 pairs"):
        pairwise_distances(samples, settings.but(max_iterations=1, tolerance=1e-12)).mean()
    with pytest.raises(NotConverged, match="none of 1 pairs"):
        Distances(np.array([[0.0, np.nan], [np.nan, 0.0]]), ((0, 1),)).mean()


def test_rewards_of_an_agent_whose_solver_gave_up_are_zero_and_it_is_named():
    rng = stream("give up", 1)
    target = rng.standard_normal((10, 2))
    samples = np.stack([target, rng.standard_normal((10, 2))])
    got = alignment_rewards(samples, target, "dual", TransportSettings(method="sinkhorn", max_iterations=40))
    assert got.failed == (1,)
    assert not got.values[1].any()
    assert np.isnan(got.costs[1])
    assert np.isfinite(got.costs[0])


@pytest.mark.filterwarnings("error")
def test_every_solver_says_in_one_line_that_it_gave_up(monkeypatch):
    cost, (a, b) = ground_cost(*clouds(13), 2), masses(13)
    monkeypatch.setattr(transport_plans, "LEAST_PIVOTS", 1)
    wrong = np.full((2, 2), 0.3)
    calls = [
        lambda: plan(cost, a, b, TransportSettings(method="exact", max_iterations=1)),
        lambda: plan(cost, a, b, TransportSettings(method="sinkhorn", max_iterations=1)),
        lambda: plan(cost, a, b, TransportSettings(method="unbalanced", max_iterations=1)),
        lambda: transport_plans.checked(wrong, wrong, np.full(2, 0.5), np.full(2, 0.5), 0.0, a[:2], b[:2], 1e-9),
    ]
    for call in calls:
        with refused(error=NotConverged):
            call()
    monkeypatch.undo()
    samples = np.stack(clouds(14, sizes=(20, 20)))
    with pytest.raises(NotConverged, match="still moved"):
        barycenter(samples, TransportSettings(method="exact", max_iterations=1))


# bad inputs


def nan_at_the_third_agent():
    samples = np.zeros((3, 4, 2))
    samples[2, 1, 0] = np.nan
    return samples


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: plan(np.ones((2, 2)), [0.5, 0.5], [0.5, 0.6]), "equal masses, got 1 and 1.1"),
        (lambda: plan(np.ones((2, 2)), [0.5, 0.5], [1.5, -0.5]), "masses b must be finite numbers >= 0"),
        (lambda: plan(np.ones((2, 2)), [0.5, 0.5, 0.5]), "masses a must have shape (2,)"),
        (lambda: plan(np.array([[1.0, -0.1]])), "cost must be >= 0, got -0.1"),
        (lambda: plan(np.array([[1.0, np.nan]])), "cost must be finite"),
        (lambda: plan(np.ones(3)), "shape (source, target)"),
        (lambda: plan(np.ones((2, 2)), settings=TransportSettings(method="sliced")), "got method 'sliced'"),
        (lambda: plan(np.ones((2, 1)), [0.0, 1.0], None, TransportSettings(method="unbalanced")), "leave empty"),
        (lambda: assignment(np.ones((3, 2))), "got 3 agents and 2 targets"),
        (lambda: pairwise_distances(nan_at_the_third_agent()), "samples of agent 2 must be finite"),
        (lambda: pairwise_distances(np.zeros((1, 4, 2))), "at least 2 of them, got 1"),
        (lambda: pairwise_distances([np.zeros((3, 2)), np.zeros((4, 2))]), "samples of one shape"),
        (lambda: distance(np.zeros((3, 2)), np.zeros((3, 1))), "same features, got 2 and 1"),
        (lambda: distance(np.zeros((3, 2)), np.zeros(3)), "shape (sample, feature)"),
        (lambda: distance(np.zeros((1, 2)), np.zeros((3, 2)), TransportSettings(method="gaussian")), "at least 2"),
        (lambda: distance(np.zeros((3, 2)), np.zeros((3, 2)), TransportSettings(method="unbalanced")), "unbalanced"),
        (lambda: TransportSettings(regularisation=0), "regularisation"),
        (lambda: TransportSettings(power=3), "power"),
        (lambda: barycenter(np.zeros((1, 4, 2))), "at least 2 of them, got 1"),
        (lambda: barycenter(np.zeros((2, 4, 2)), TransportSettings(method="exact", power=1)), "needs power 2"),
        (lambda: barycenter(np.zeros((2, 4, 2)), start=np.zeros((4, 3))), "start must have 2 features"),
        (lambda: gaussian_barycenter(np.zeros((2, 2)), np.zeros((2, 2, 2))), "positive definite"),
        (lambda: histogram_barycenter(np.array([[1.0, 0.0], [1.0, 1.0]]), np.ones((2, 2))), "normalise them"),
        (lambda: move_metric("manhattan"), "unknown move metric"),
        (lambda: extreme_potentials(np.ones((9, 9))), "2 to 6 points"),
        (lambda: extreme_potentials(np.array([[0, 1, 9], [1, 0, 1], [9, 1, 0]])), "never longer than a detour"),
        (lambda: discrete_distances(torch.ones(2, 3, 5), np.ones((4, 3))), "5 columns"),
        (lambda: gaussian_distances(torch.ones(1, 3, 2), torch.ones(1, 3, 2)), "at least 2 of them, got 1"),
        (lambda: gaussian_distances(torch.ones(2, 3), torch.ones(2, 3)), "(agent, observation, action)"),
        (lambda: gaussian_distances(torch.full((2, 3, 2), torch.nan), torch.ones(2, 3, 2)), "networks have diverged"),
        (lambda: alignment_rewards(np.zeros((2, 4, 2)), "middle"), "unknown target"),
        (lambda: alignment_rewards(np.zeros((2, 4, 2)), "pool", "both"), "unknown signal"),
        (lambda: alignment_rewards(np.zeros((2, 4, 2)), np.zeros((4, 3))), "target needs 2 features"),
        (lambda: alignment_rewards(np.zeros((2, 4, 2)), settings=TransportSettings(method="gaussian")), "gaussian"),
        (lambda: assignment_potential(np.zeros((1, 3, 2)), np.zeros((1, 2, 2))), "as many targets as agents"),
    ],
)
def test_bad_input_is_one_clear_line(call, words):
    with refused(re.escape(words)):
        call()
