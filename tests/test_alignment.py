"""Alignment: distances and slopes equal slow twins and autograd, rewards are slopes of costs, placebos are placebos."""

import numpy as np
import pytest
import torch
from oracles import alignment as slow
from oracles.team_worlds import Levels, Signals, Steady
from toy_worlds import NoRun

from replication.algos import alignment_kernel as kernel
from replication.algos import transport_actions
from replication.algos.alignment import Scale
from replication.algos.alignment_potentials import interpolate
from replication.algos.alignment_settings import AlignmentSettings
from replication.algos.alignment_visits import VisitAlignment, _labels
from replication.algos.team_nets import Layout
from replication.algos.team_ppo import TeamLearner
from replication.algos.team_rollout import TeamCollector
from replication.algos.team_settings import TeamSettings
from replication.algos.team_training import train_team
from replication.algos.transport_points import extreme_potentials, move_metric

SMALL = {"envs": 4, "segment": 8, "hidden": (16, 16), "minibatches": 2}
DISTANCES = {kernel.JEFFREYS: slow.jeffreys, kernel.VARIATION: slow.total_variation}
TABLES = {
    kernel.JEFFREYS: transport_actions.discrete_jeffreys,
    kernel.VARIATION: transport_actions.discrete_total_variation,
}


def between(table, own, partner):
    """Mean over ordered pairs of `table` between policies (B, A, U) and their partners', by `transport_actions`."""
    agents = own.shape[1]
    both = torch.cat([own, partner], dim=1).transpose(0, 1)
    cross = table(both)[:agents, agents:]
    return (cross.sum() - cross.diagonal().sum()) / (agents * (agents - 1))


@pytest.mark.parametrize("kind", [kernel.TRANSPORT, kernel.JEFFREYS, kernel.VARIATION])
def test_distances_between_choices_and_their_slopes(kind):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 6, 3, 5))
    partner = rng.dirichlet(np.ones(5), size=(2, 6, 3))
    metric = move_metric("euclidean")
    potentials = extreme_potentials(metric)
    own = torch.from_numpy(logits).requires_grad_()
    chances = torch.softmax(own, dim=-1)
    slope, distance = np.empty_like(logits), np.empty(2)
    kernel.compare_choices(kind, chances.detach().numpy(), partner, potentials, slope, distance)
    table = TABLES.get(kind, lambda p: transport_actions.discrete_distances(p, potentials))
    twin = DISTANCES.get(kind, lambda p, q: slow.transport_cost(p, q, metric))
    for s in range(2):
        value = between(table, chances[s], torch.from_numpy(partner[s]))
        assert distance[s] == pytest.approx(value.item(), abs=1e-9)
        assert distance[s] == pytest.approx(
            slow.mean_over_ordered_pairs(chances[s].tolist(), partner[s].tolist(), twin)
        )
        expected = torch.autograd.grad(value, own, retain_graph=True)[0][s]
        assert np.allclose(slope[s], expected.numpy(), atol=1e-9)
        assert np.abs(slope[s]).max() > 1e-3


@pytest.mark.parametrize("kind", [kernel.TRANSPORT, kernel.JEFFREYS])
def test_distances_between_gaussians_and_their_slopes(kind):
    rng = np.random.default_rng(1)
    mean, other = rng.normal(size=(2, 1, 6, 3, 2))
    log_std, other_log_std = rng.normal(-0.5, 0.4, size=(2, 1, 3, 2))
    leaves = [torch.from_numpy(a[0]).requires_grad_() for a in (mean, log_std)]
    slope, slope_std, distance = np.empty_like(mean), np.empty_like(log_std), np.empty(1)
    kernel.compare_gaussians(kind, mean, log_std, other, other_log_std, slope, slope_std, distance)
    table = transport_actions.gaussian_distances if kind == kernel.TRANSPORT else transport_actions.gaussian_jeffreys
    twin = slow.gaussian_w2 if kind == kernel.TRANSPORT else slow.gaussian_jeffreys
    means = torch.cat([leaves[0], torch.from_numpy(other[0])], dim=1).transpose(0, 1)
    stds = torch.cat([leaves[1], torch.from_numpy(other_log_std[0])]).exp()[:, None].expand(-1, 6, -1)
    cross = table(means, stds)[:3, 3:]
    value = (cross.sum() - cross.diagonal().sum()) / 6
    assert distance[0] == pytest.approx(value.item(), abs=1e-9)
    total = 0.0
    for b in range(6):
        for i, j in ((i, j) for i in range(3) for j in range(3) if i != j):
            total += twin(mean[0, b, i], log_std[0, i], other[0, b, j], other_log_std[0, j]) / 36
    assert distance[0] == pytest.approx(total)
    for found, expected in zip((slope, slope_std), torch.autograd.grad(value, leaves), strict=True):
        assert np.allclose(found[0], expected.numpy(), atol=1e-9)


def segment_of(settings, make=Signals, seeds=(0, 1)):
    world = make(len(seeds) * settings.envs)
    learner, collector = TeamLearner(settings, world, seeds), TeamCollector(settings, world, seeds)
    rng = np.random.default_rng(0)
    learner.actor.flat += torch.from_numpy(rng.normal(0.0, 0.3, learner.actor.flat.shape)).to(torch.float32)
    return learner, collector.collect(learner.policy(), 0)


@pytest.mark.parametrize("make", [Signals, Levels])
@pytest.mark.parametrize("nets", ["independent", "shared_id"])
@pytest.mark.parametrize("kind", ["ot_action", "kl"])
def test_the_penalty_is_the_slope_of_the_distance_in_the_weights(make, nets, kind):
    alignment = AlignmentSettings(kind=kind, metric="equal", probes=10)
    learner, segment = segment_of(TeamSettings(**SMALL, nets=nets, activation="tanh", alignment=alignment), make)
    aligner, actor = learner.alignment, learner.actor
    aligner.prepare(segment, actor, 0)  # partners are today's policies, to which W_1 has a kink: move away first
    actor.flat += torch.from_numpy(np.random.default_rng(1).normal(0, 0.1, actor.flat.shape)).to(torch.float32)
    slope, start = aligner.penalty(actor)
    direction = slope.copy()
    direction[len(direction) // 2 :] = 0  # only the first seed moves
    direction /= np.linalg.norm(direction)
    step = 0.01
    values = []
    for sign in (1, -1):
        actor.flat += torch.from_numpy(sign * step * direction)
        values.append(aligner.penalty(actor)[1])
        actor.flat -= torch.from_numpy(sign * step * direction)
    change = (values[0] - values[1]) / (2 * step)
    assert change[0] == pytest.approx((slope * direction).sum(), rel=0.02)
    assert change[1] == pytest.approx(0.0, abs=1e-6)
    assert np.all(start > 0)


@pytest.mark.parametrize("placebo", ["none", "shuffled", "random"])
def test_what_is_added_has_beta_times_the_norm_of_the_task(placebo):
    alignment = AlignmentSettings(kind="tv", beta=0.3, placebo=placebo, settling=0)
    learner, segment = segment_of(TeamSettings(**SMALL, alignment=alignment))
    learner.alignment.prepare(segment, learner.actor, 0)
    task = np.random.default_rng(1).normal(size=learner.actor.gradient.shape).astype(np.float32)
    learner.actor.gradient.copy_(torch.from_numpy(task))
    learner.alignment.add_gradient(learner.actor)
    added = (learner.actor.gradient.numpy() - task).reshape(2, -1)
    share = np.linalg.norm(added, axis=1) / np.linalg.norm(task.reshape(2, -1), axis=1)
    assert share == pytest.approx([0.3, 0.3], rel=1e-4)
    penalty = learner.alignment.penalty(learner.actor)[0].reshape(2, -1)
    cosine = (added * penalty).sum(axis=1) / np.linalg.norm(added, axis=1) / np.linalg.norm(penalty, axis=1)
    assert np.all(np.abs(cosine) < 0.3) if placebo == "random" else cosine == pytest.approx([1.0, 1.0], rel=1e-4)


def test_the_scale_is_measured_first_and_then_stays():
    """A penalty a hundred times smaller later on pulls a hundred times less; with `settling=0` it pulls as hard."""
    for settling, later in ((2, 0.003), (0, 0.3)):
        scale = Scale(2, settling)
        pulls = []
        for size in (1.0, 3.0, 2.0, 0.02):
            scale.begun += 1
            task, own = np.array([4.0, 8.0]), np.array([size, 10 * size])
            pulls.append(0.3 * scale.factor(task, own) * own / task)
        assert pulls[-1] == pytest.approx([later, later])
        assert np.all(pulls[0] == 0.0) == (settling == 2)
        assert np.all(pulls[1] == 0.0) == (settling == 2)
        assert pulls[2] == pytest.approx([0.3, 0.3])
        again = Scale(2, settling)
        again.restore(scale.state())
        assert again.factor(task, own) == pytest.approx(scale.factor(task, own))
    assert np.all(Scale(2, 0).factor(np.ones(2), np.zeros(2)) == 0.0)


def test_nothing_is_added_while_the_scale_is_measured():
    for kind, changes in {"kl": {}, "ot_barycenter": {"features": (4, 5)}}.items():
        alignment = AlignmentSettings(kind=kind, beta=1.0, settling=3, **changes)
        weights = []
        for chosen in (alignment, alignment.but(beta=0.0)):
            learner, segment = segment_of(TeamSettings(**SMALL, alignment=chosen))
            for update in range(4):
                learner.update(segment, update, 1e-2)
                weights.append(learner.actor.flat.numpy().copy())
        for update in range(3):
            assert np.array_equal(weights[update], weights[4 + update]), (kind, update)
        assert not np.array_equal(weights[3], weights[7])


@pytest.mark.parametrize("kind", ["kl", "ot_barycenter", "ot_episode", "ot_potential"])
def test_an_alignment_without_strength_learns_what_independent_nets_learn(kind):
    """Nothing but its strength sets an arm apart: no value, draw or gradient of its own reaches the task's."""
    alignment = AlignmentSettings(kind=kind, beta=0.0, **({"features": (4, 5)} if kind.startswith("ot_") else {}))
    flats = []
    for chosen in (AlignmentSettings(), alignment):
        settings = TeamSettings(**SMALL | {"segment": 10}, alignment=chosen)
        flats.append(train_team(settings, Signals(2 * 4, horizon=5), (0, 1), NoRun(), updates=4).last.flat)
    assert np.array_equal(*flats)


def test_shuffled_partners_answer_other_observations():
    learner, segment = segment_of(TeamSettings(**SMALL, alignment=AlignmentSettings(kind="kl")))
    other, _ = segment_of(TeamSettings(**SMALL, alignment=AlignmentSettings(kind="kl", placebo="shuffled")))
    for one in (learner, other):
        one.alignment.prepare(segment, one.actor, 0)
    plain, shuffled = learner.alignment.theirs, other.alignment.theirs
    assert not np.allclose(plain, shuffled)
    for s in range(2):  # the same answers in another order
        assert np.allclose(np.sort(plain[s].ravel()), np.sort(shuffled[s].ravel()), atol=1e-6)


def apart(kind, **changes):
    """Mean distance between policies during training for a reward that does not depend on them."""
    settings = TeamSettings(**SMALL | {"envs": 8}, entropy=0.0, learning_rate=5e-3)
    settings = settings.but(
        alignment=AlignmentSettings(kind=kind, metric="equal", settling=0, **changes), last_layer_gain=1.0
    )
    return train_team(settings, Steady(2 * 8), (0, 1), NoRun(), updates=15).curves["policies_apart"]


def test_alignment_draws_policies_together_and_diversity_apart():
    for kind in ("ot_action", "kl", "tv"):
        distance = apart(kind, beta=3.0)
        assert np.all(distance[:, -1] < 0.3 * distance[:, 0])
    assert np.all(apart("diversity", beta=-3.0)[:, -1] > 0.6)
    assert np.all(np.abs(apart("diversity", beta=3.0, wanted=0.4)[:, -1] - 0.4) < 0.1)


def test_partners_are_those_of_the_last_refresh():
    settings = TeamSettings(**SMALL, alignment=AlignmentSettings(kind="kl", every=3))
    learner, segment = segment_of(settings)
    kept = []
    for update in range(4):
        kept.append(learner.actor.flat.numpy().copy())
        learner.update(segment, update, 1e-2)
        assert np.array_equal(learner.alignment.partners, kept[0 if update < 3 else 3])


def visit_alignment(samples, **changes):
    """Rewards of visits (S, E, T, A, d) by an alignment of kind ot_barycenter unless told otherwise."""
    settings = AlignmentSettings(**{"kind": "ot_barycenter", "features": (0, 1), "visits": 10_000} | changes)
    world = Signals(1, num_agents=samples.shape[3], horizon=5)
    aligner = VisitAlignment(settings, Layout("independent", samples.shape[3]), tuple(range(len(samples))), world)
    segment = type("Segment", (), {"seen": samples.astype(np.float32)})
    return aligner, aligner.rewards(segment, 0)


def some_visits(seed=0, seeds=1, envs=4, agents=3):
    visits = np.random.default_rng(seed).normal(size=(seeds, envs, 5, agents, 2))
    visits[..., 1, :] += 1.5  # one agent goes elsewhere
    return visits.astype(np.float32).astype(np.float64)


@pytest.mark.parametrize("kind", ["ot_barycenter", "ot_episode"])
def test_line_rewards_are_slopes_of_the_cost_and_costs_their_loops(kind):
    """Moving one visit changes the summed W_2^2 to the barycenter by the slope of its potential."""
    visits = some_visits()
    aligner, paid = visit_alignment(visits, kind=kind, standardise=False)
    lines = aligner.lines.tolist()
    parts = [visits[0, e] for e in range(4)] if kind == "ot_episode" else [visits[0].reshape(20, 3, 2)]
    cost = [slow.radon_cost(np.moveaxis(one, 1, 0).tolist(), lines) for one in parts]
    assert aligner.numbers["visits_apart"][0] == pytest.approx(np.mean(cost) / 3, rel=1e-5)
    assert paid.shape == visits.shape[:-1]
    # potentials rise where the cost does: from one visit to the next of an agent in order along a line
    settings = {"kind": kind, "standardise": False, "transport": {"projections": 1, "power": 2}}
    aligner, paid = visit_alignment(visits, **settings)
    line = aligner.lines[:, 0]
    agent = (visits[0, 0] @ line)[:, 1] if kind == "ot_episode" else (visits[0].reshape(20, 3, 2) @ line)[:, 1]
    potential = -(paid[0, 0] if kind == "ot_episode" else paid[0].reshape(20, 3))[:, 1].astype(np.float64)
    everyone = visits[0, 0] @ line if kind == "ot_episode" else visits[0].reshape(20, 3, 2) @ line
    middle = np.sort(everyone, axis=0).mean(axis=1)
    order = np.argsort(agent)
    x, f = agent[order], potential[order]
    assert np.allclose(np.diff(f), np.diff(x) * (x[1:] + x[:-1] - middle[1:] - middle[:-1]), atol=1e-5)


def test_interpolation_finds_the_knots_that_a_bisection_finds():
    rng = np.random.default_rng(0)
    knots = np.sort(np.concatenate([rng.normal(size=(3, 30)), np.zeros((3, 4))], axis=1), axis=1)  # with ties
    values, places = rng.normal(size=knots.shape), rng.normal(0.0, 2.0, size=(3, 500))
    places[:, :34] = knots  # and at the knots themselves
    found = np.empty(500)
    interpolate(knots, values, places, found)
    expected = np.zeros(500)
    for line in range(3):
        x, y = knots[line], values[line]
        for i, place in enumerate(places[line]):
            k = min(max(np.searchsorted(x, place), 1), 33)
            rise = (y[k] - y[k - 1]) / (x[k] - x[k - 1]) if x[k] > x[k - 1] else 0.0
            expected[i] += (y[k - 1] + rise * (place - x[k - 1])) / 3
    assert np.allclose(found, expected, atol=1e-12)
    interpolate(np.ones((1, 2)), np.ones((1, 2)), np.zeros((1, 3)), found[:3])  # all knots at one place
    assert np.array_equal(found[:3], np.ones(3))


def test_rewards_push_the_odd_agent_back():
    visits = some_visits(envs=40)
    for changes in ({}, {"target": "pool"}, {"target": "leader"}, {"transport": {"method": "sinkhorn"}, "visits": 60}):
        paid = visit_alignment(visits, **changes)[1][0].reshape(-1, 3)
        places = visits[0].reshape(-1, 3, 2).sum(axis=-1)
        slopes = [np.polyfit(places[:, a], paid[:, a], 1)[0] for a in range(3)]
        assert slopes[1] < -0.3  # agent 1 is paid for going down
        assert slopes[2] > -0.05
        assert np.allclose(paid.mean(axis=0), 0.0, atol=1e-4)


def test_potentials_fitted_on_some_visits_hold_for_all():
    visits = some_visits(envs=200)
    for method in ("sliced", "sinkhorn"):
        transport = {"method": method, "projections": 16}
        few = visit_alignment(visits, visits=150, transport=transport)[1]
        other = visit_alignment(visits, visits=149, transport=transport)[1]
        assert np.corrcoef(few[..., 1].ravel(), other[..., 1].ravel())[0, 1] > 0.97


def test_entropic_potentials_at_their_own_samples_are_the_solver_s():
    from replication.algos.alignment_potentials import entropic_potentials, stretched
    from replication.algos.transport_rewards import alignment_rewards

    samples = np.moveaxis(some_visits()[0].reshape(20, 3, 2), 1, 0)
    settings = AlignmentSettings(
        kind="ot_barycenter", target="pool", transport={"method": "sinkhorn", "tolerance": 1e-9, "power": 2}
    )
    kept = entropic_potentials(samples, settings)
    expected = alignment_rewards(samples, "pool", "dual", settings.transport)
    assert np.allclose(kept["costs"], expected.costs, atol=1e-7)
    for agent in range(3):
        assert np.allclose(-stretched(kept, agent, samples[agent], settings), expected.values[agent], atol=1e-6)


def test_how_much_potentials_changed_is_their_relative_difference_at_the_visits():
    first, second = some_visits(seed=3), some_visits(seed=2)
    aligner, other = (visit_alignment(visits, every=2, standardise=False)[0] for visits in (first, second))
    old, new = (one._evaluate(one.kept[0], second[0]) for one in (aligner, other))
    expected = np.sqrt(((new - old) ** 2).sum() / (new**2).sum())
    assert np.isnan(aligner.numbers["potentials_changed"]).all()  # there were none before
    segment = type("Segment", (), {"seen": second.astype(np.float32)})
    for update, change in ((1, np.nan), (2, expected), (3, np.nan), (4, 0.0)):
        aligner.rewards(segment, update)
        assert aligner.numbers["potentials_changed"] == pytest.approx([change], abs=1e-6, nan_ok=True), update
    assert expected > 0.1


def test_a_solver_that_fails_pays_nothing_and_is_counted():
    transport = {"method": "sinkhorn", "tolerance": 1e-12, "max_iterations": 2}
    aligner, paid = visit_alignment(some_visits(), target="pool", transport=transport)
    assert np.all(paid == 0.0)
    assert aligner.numbers["transport_failures"].tolist() == [3.0]
    assert np.isnan(aligner.numbers["visits_apart"]).all()


def test_placebos_of_visits_keep_the_amount_and_lose_the_sense():
    visits = some_visits(envs=100)
    _, real = visit_alignment(visits)
    _, moved = visit_alignment(visits, placebo="random")
    _, shuffled = visit_alignment(visits, placebo="shuffled")
    for agent in range(3):  # the same rewards at other visits
        assert np.allclose(np.sort(real[..., agent].ravel()), np.sort(moved[..., agent].ravel()), atol=1e-6)
    places = visits[0].sum(axis=-1).reshape(-1, 3)[:, 1]

    def slope(paid):
        return abs(np.polyfit(places, paid[0].reshape(-1, 3)[:, 1], 1)[0])

    assert slope(real) > 0.5
    assert slope(moved) < 0.2 * slope(real)
    assert slope(shuffled) < 0.2 * slope(real)


def test_shuffled_labels_stay_for_an_episode():
    """Rewards of the placebo are as smooth in time as those they stand for: only whose visits they are is lost."""
    labels = _labels((50, 10, 3), 5, np.random.default_rng(0))
    assert np.all(np.sort(labels, axis=-1) == np.arange(3))
    assert np.all(labels[:, :5] == labels[:, :1])
    assert np.all(labels[:, 5:] == labels[:, 5:6])
    assert not np.array_equal(labels[:, 0], labels[:, 5])
    assert len(np.unique(labels[:, 0], axis=0)) == 6


def test_alignment_of_visits_is_a_second_value_at_the_scale_of_the_task():
    settings = TeamSettings(
        **SMALL, alignment=AlignmentSettings(kind="ot_barycenter", features=(4, 5), beta=0.5, settling=0)
    )
    learner, segment = segment_of(settings)
    samples = learner._samples(segment, 0)
    assert len(samples.target) == 2
    plain, _ = segment_of(settings.but(alignment__beta=0.0))
    task = plain._samples(segment, 0).gain
    added = samples.gain - task
    assert added.reshape(2, -1).std(axis=1) == pytest.approx([0.5, 0.5], rel=1e-4)
    assert task.reshape(2, -1).std(axis=1) == pytest.approx([1.0, 1.0], rel=1e-4)


def test_shaping_telescopes_and_its_factor_stays():
    settings = TeamSettings(**SMALL | {"segment": 4}, alignment=AlignmentSettings(kind="ot_potential", beta=0.7))
    learner, segment = segment_of(settings)
    paid = learner.alignment.shaping(segment, segment.cut, 0.9)
    factor = learner.alignment.factor.copy()
    within = paid[~np.broadcast_to(segment.cut, paid.shape)]
    assert within.reshape(2, -1).std(axis=1) == pytest.approx(0.7 * segment.reward.reshape(2, -1).std(axis=1), rel=1e-3)
    discounted = (paid * 0.9 ** np.arange(4)).sum(axis=-1)  # one whole episode per lane
    assert np.allclose(discounted, -0.7 * factor[:, None] * segment.before[:, :, 0], atol=1e-6)
    segment.reward = 5 * segment.reward
    learner.alignment.shaping(segment, segment.cut, 0.9)
    assert np.array_equal(learner.alignment.factor, factor)


def test_averaging_keeps_the_mean_and_shrinks_the_distance():
    settings = TeamSettings(**SMALL, alignment=AlignmentSettings(kind="parameter_average", beta=0.25, every=2))
    learner, _ = segment_of(settings)
    before = learner.actor.flat.numpy().reshape(2, 3, -1).copy()
    learner.alignment.begin(0.0)
    learner.alignment.finish(learner.actor, 0)
    assert np.array_equal(learner.actor.flat.numpy().reshape(2, 3, -1), before)
    learner.alignment.finish(learner.actor, 1)
    after = learner.actor.flat.numpy().reshape(2, 3, -1)
    assert np.allclose(after.mean(axis=1), before.mean(axis=1), atol=1e-6)
    middle = before.mean(axis=1, keepdims=True)
    assert np.allclose(after - middle, 0.75 * (before - middle), atol=1e-6)


def test_fading_ends_at_nothing():
    learner, _ = segment_of(TeamSettings(**SMALL, alignment=AlignmentSettings(kind="tv", beta=0.4, fade=True)))
    strengths = []
    for progress in (0.0, 0.5, 1.0):
        learner.alignment.begin(progress)
        strengths.append(learner.alignment.beta)
    assert strengths == pytest.approx([0.4, 0.2, 0.0])
