"""The optimal-transport experiments without learning: allocations, alignment, every function on a tiny size."""

import itertools
from typing import get_args

import numpy as np
import pytest
from oracles import allocation as slow
from refusals import refused

from replication.algos import allocation
from replication.algos.aligned_occupancies import Aligned
from replication.algos.transport import NotConverged, TransportSettings, barycenter, distance, pairwise_distances
from replication.algos.transport_groups import spread
from replication.algos.utilities import utility
from replication.envs import exact as enumeration
from replication.envs import voter_exact as voter
from replication.envs.networked_mdp import own_state_policy
from replication.papers.optimal_transport import (
    arms_plans,
    plans,
    plans_allocation,
    plans_barycenters,
    plans_comparison,
    plans_detection,
    plans_fleet,
    plans_scaling,
    plans_voter,
    study_plans,
)
from replication.papers.optimal_transport.study_plans import (
    AllocationStudy,
    AssignmentScalingStudy,
    BarycenterStudy,
    ComparisonStudy,
    ConsequenceStudy,
    DetectionStudy,
    DistanceScalingStudy,
    DistributedStudy,
    FleetStudy,
    NullStudy,
    VoterAlignmentStudy,
    VoterTrainingStudy,
)
from replication.seeding import keys, stream
from replication.settings import BadInput


class NoStore:
    """A run that keeps nothing."""

    def log(self, step, **numbers):
        """Nothing is logged."""

    def checkpoint(self, step, make_state):
        """Nothing is saved."""

    def restore(self):
        """There is nothing to go on from."""

    def progress(self, fraction):
        """Nobody listens."""


def scores_of(function, study, seeds=(1000, 1001)):
    result = function(study, seeds, NoStore())
    for name, values in result.scores.items():
        assert values.shape == (len(seeds),), name
        assert np.isfinite(values).all(), name
    for name, values in result.curves.items():
        assert name.startswith("_") or len(values) == len(seeds), name
    return result.scores


def market(*numbers, sizes=(5, 4), most=4):
    rng = stream("test markets", *numbers)
    return rng.uniform(0, 1, sizes), rng.integers(1, most + 1, sizes[0]), rng.integers(0, most + 1, sizes[1])


# allocation


def test_transport_and_unit_copies_equal_the_linear_programme():
    for case in range(6):
        cost, supply, demand = market(case)
        best = slow.cheapest(cost, supply, demand)
        for method in (allocation.by_transport, allocation.by_unit_copies):
            moved = method(cost, supply, demand)
            assert (moved * cost).sum() == pytest.approx(best, abs=1e-9)
            assert moved == pytest.approx(np.round(moved), abs=1e-9)


@pytest.mark.parametrize("case", range(4))
def test_every_allocation_respects_supply_and_demand(case):
    cost, supply, demand = market(case)
    rng = stream("test lots")
    priced = TransportSettings(method="unbalanced")
    found = {
        "greed": allocation.by_greed(cost, supply, demand),
        "turns": allocation.by_turns(cost, supply, demand),
        "random": allocation.at_random(cost, supply, demand, rng),
        "transport": allocation.by_transport(cost, supply, demand),
        "rationing": allocation.by_rationing(cost, supply, demand),
        "priced": allocation.by_priced_marginals(cost, supply, demand, priced),
    }
    for name, moved in found.items():
        assert moved.min() >= -1e-12, name
        assert np.all(moved.sum(axis=1) <= supply + 1e-9), name
        assert np.all(moved.sum(axis=0) <= demand + 1e-9), name
        if name != "priced":
            assert moved.sum() == pytest.approx(min(supply.sum(), demand.sum())), name
    assert allocation.jain_index(allocation.served(found["rationing"], demand)) == pytest.approx(1.0)


def test_greed_takes_the_cheapest_pair_and_turns_do_not():
    cost = np.array([[1.0, 2.0], [0.5, 9.0]])
    ones = np.ones(2, dtype=int)
    assert allocation.by_greed(cost, ones, ones).tolist() == [[0, 1], [1, 0]]
    assert allocation.by_turns(cost, ones, ones).tolist() == [[1, 0], [0, 1]]


def test_fairness_as_printed():
    shares = stream("test shares").uniform(0, 1, 7)
    assert allocation.jain_index(shares) == pytest.approx(slow.jain(shares))
    assert allocation.jain_index(np.array([1.0, 0, 0, 0])) == pytest.approx(0.25)


@pytest.mark.parametrize("units", [np.array([1, -1]), np.array([0, 0]), np.array([0.5, 0.5]), np.array([1, 1, 1])])
def test_units_must_be_whole_and_fit(units):
    with refused("whole numbers"):
        allocation.by_greed(np.ones((2, 2)), units, np.array([1, 1]))


# alignment as a utility


@pytest.mark.parametrize("divergence", ["transport", "jeffreys"])
@pytest.mark.parametrize("states", [2, 4])
def test_aligned_value_is_as_printed_and_its_reward_the_slope(divergence, states):
    rng = stream("test aligned", states)
    values = rng.dirichlet(np.ones(states * 2), 3).reshape(3, states, 2)
    objective = utility("state_entropy", (3, states, 2))
    chosen = Aligned(objective, 0.7, divergence, smoothing=1e-3)
    printed = {"transport": slow.aligned, "jeffreys": slow.jeffreys}[divergence]
    assert chosen.value(values).mean() == pytest.approx(printed(objective, values, 0.7, 1e-3))
    reward = chosen.shadow_reward(values)
    for place in np.ndindex(values.shape):
        step = np.zeros(values.shape)
        step[place] = 1e-6
        rise = (chosen.value(values + step).mean() - chosen.value(values - step).mean()) / 2e-6
        # on the line the masses of all states together do not matter: slopes differ by a constant per agent
        constant = _slope_of_last_state(chosen, values, place[0]) if divergence == "transport" else 0.0
        assert reward[place] == pytest.approx(3 * rise - constant, abs=1e-5)


def _slope_of_last_state(chosen, values, agent):
    """n dF along the last state, less what the shadow reward says there."""
    step = np.zeros(values.shape)
    step[agent, -1, 0] = 1e-6
    rise = (chosen.value(values + step).mean() - chosen.value(values - step).mean()) / 2e-6
    return len(values) * rise - chosen.shadow_reward(values)[agent, -1, 0]


def test_the_gradient_of_alignment_equals_finite_differences_by_enumeration():
    study = VoterAlignmentStudy(agents=3, beta=0.8)
    model, team = plans_voter.model_of(study), plans_voter.team_utility(study)
    chosen = Aligned(team, study.beta)
    logits = stream("test voters").normal(size=(3, 2, 2))

    def policy(at):
        odds = np.exp(at)
        return own_state_policy(odds / odds.sum(axis=2, keepdims=True))

    def value(at):
        return chosen.value(enumeration.occupancy(model, policy(at), 0.9).values).mean()

    reward = chosen.shadow_reward(voter.occupancy(model, policy(logits), 0.9).values)
    found = voter.gradient(model, policy(logits), reward, 0.9)
    for place in np.ndindex(logits.shape):
        step = np.zeros(logits.shape)
        step[place] = 1e-5
        assert found[place] == pytest.approx((value(logits + step) - value(logits - step)) / 2e-5, abs=1e-8)


def test_no_policy_beats_the_aligned_optimum():
    study = VoterAlignmentStudy(agents=4, beta=0.3)
    model = plans_voter.model_of(study)
    chosen = Aligned(plans_voter.team_utility(study), study.beta)
    best = plans_voter.best(study, chosen)
    assert best.gap < 1e-6
    reached = chosen.value(voter.occupancy(model, best.policy, 0.9).values).mean()
    assert reached == pytest.approx(best.value, abs=1e-9)
    rng = stream("test voters", 1)
    for _ in range(50):
        policy = own_state_policy(rng.dirichlet(np.full(2, 0.5), (4, 2)))
        assert chosen.value(voter.occupancy(model, policy, 0.9).values).mean() <= best.value + 1e-9


@pytest.mark.parametrize(("given", "words"), [({"beta": -0.1}, "beta"), ({"beta": 1.0, "smoothing": 0.0}, "smoothing")])
def test_alignment_refuses_what_is_no_alignment(given, words):
    with pytest.raises(BadInput, match=words):
        Aligned(utility("state_entropy", (2, 2, 2)), **given)


# experiments


def test_every_method_of_distances_is_near_the_exact_one_where_it_should_be():
    clouds = plans.visits(4, 32, 1000)
    best, _ = plans_scaling.spread_by("exact", clouds)
    near = {"exact": 1e-9, "programme": 1e-9, "sinkhorn": 0.1, "barycenter": 0.15, "groups": 0.3, "neighbours": 1e-9}
    for method in get_args(study_plans.PairMethod):
        value, table = plans_scaling.spread_by(method, clouds)
        assert abs(value / best - 1.0) <= near.get(method, 0.9), method
        if table is not None:
            assert table == pytest.approx(table.T)


def test_approximations_that_are_lower_bounds_are_below():
    clouds = plans.visits(5, 32, 1001)
    exact = pairwise_distances(clouds, TransportSettings(method="exact")).values
    for method in ("sliced", "line", "diagonal", "gaussian"):
        table = plans_scaling.spread_by(method, clouds)[1]
        assert np.all(table <= exact + 1e-6), method


def test_agents_can_be_grouped_at_every_size_of_every_arm():
    for study in arms_plans.distance_scaling_arms("full").values():
        for agents in study.sizes if study.vary == "agents" else ():
            size = plans_scaling.group_size(agents)
            assert agents % size == 0
            assert agents // size >= 2
    assert [plans_scaling.group_size(agents) for agents in (2, 4, 8, 16, 50, 100)] == [1, 2, 4, 8, 5, 5]
    for profile in ("smoke", "quick", "full"):
        for study in arms_plans.barycenter_arms(profile).values():
            assert all(agents % study.group == 0 and agents > study.group for agents in study.sizes) or (
                study.method not in ("nearby groups", "random groups")
            )


def test_visits_are_those_of_one_agent_each_and_of_the_seed():
    clouds = plans.visits(3, 32, 1000)
    assert clouds.shape == (3, 32, 4)
    assert np.array_equal(clouds, plans.visits(3, 32, 1000))
    assert not np.array_equal(clouds, plans.visits(3, 32, 1001))
    moved = clouds.reshape(3, 16, 2, 4)  # steps, then episodes
    step = 0.1 * moved[:, :-1, :, 2:] - np.diff(moved[:, :, :, :2], axis=1)
    assert np.abs(step).max() < 1e-9  # positions move with the velocity from before the step


def test_scaling_functions_on_few_agents():
    scores = scores_of(plans_scaling.measure_distances, DistanceScalingStudy(method="diagonal", sizes=(2, 8, 16)))
    assert {"seconds_exponent", "megabytes_exponent", "error", "ranks"} <= set(scores)
    assert np.all(scores["failed"] == 0)
    by_samples = DistanceScalingStudy(method="exact", vary="samples", sizes=(16, 32), agents=3)
    assert scores_of(plans_scaling.measure_distances, by_samples)["error"] == pytest.approx(0.0, abs=1e-9)
    for method in get_args(study_plans.AssignmentMethod):
        study = AssignmentScalingStudy(method=method, sizes=(2, 8), agents_per_target=2 if method == "sinkhorn" else 1)
        error = scores_of(plans_scaling.measure_assignments, study)["error"]
        if method in ("hungarian", "compiled", "programme"):
            assert error == pytest.approx(0.0, abs=1e-9)
        assert np.all(error >= -1e-9) or method in ("unbalanced", "sinkhorn")


def test_a_solver_that_gives_up_is_reported(monkeypatch):
    def give_up(*_):
        raise NotConverged("for the test")

    study = BarycenterStudy(sizes=(4, 8), samples=16)
    monkeypatch.setattr(plans_barycenters, "barycenter_by", give_up)
    scores = scores_of(plans_barycenters.measure_barycenters, study)
    assert set(scores) == {"failed"}
    assert np.all(scores["failed"] == 1.0)


@pytest.mark.parametrize("method", get_args(study_plans.BarycenterMethod))
def test_every_barycenter_lies_between_the_best_and_a_mere_pool(method):
    clouds = plans.visits(4, 16, 1000)
    found = spread(clouds, plans_barycenters.barycenter_by(method, clouds, 2, 1000))
    assert found <= (1.6 if method != "pool" else 2.5) * spread(clouds, barycenter(clouds).points)
    assert 2 * found >= np.square([distance(x, y) for x in clouds for y in clouds]).mean() / 2


def test_exponents_are_slopes_in_logarithms():
    sizes = np.array([2, 4, 8, 16, 32])
    values = np.stack([5.0 * sizes**2.0, np.where(sizes < 8, 1.0, sizes**1.0)])
    assert plans.exponent(sizes, values) == pytest.approx([2.0, 1.0])
    assert np.isnan(plans.exponent(sizes[:3], values[:, :3])).all()


def test_messages_of_a_centre_and_of_gossip():
    centre = scores_of(plans_barycenters.measure_messages, DistributedStudy(what="centre", sizes=(8, 16), samples=16))
    assert centre["messages_last"].tolist() == [30, 30]
    assert centre["messages_exponent"] == pytest.approx([np.log2(30 / 14)] * 2)
    for what in ("gaussian", "quantiles"):
        study = DistributedStudy(what=what, graph="complete", sizes=(8, 16), samples=16)
        talked = scores_of(plans_barycenters.measure_messages, study)
        assert talked["rounds_last"].tolist() == [1, 1]
        assert talked["messages_last"].tolist() == [240, 240]
        assert talked["error_last"] == pytest.approx(0.0, abs=1e-9)
    ring = DistributedStudy(graph="ring", sizes=(8, 16), samples=16)
    assert np.all(scores_of(plans_barycenters.measure_messages, ring)["error_last"] <= 0.01 + 1e-9)
    points = DistributedStudy(what="points", sizes=(4,), samples=16)
    assert "error_last" in plans_barycenters.measure_messages(points, (1000,), NoStore()).scores


@pytest.mark.parametrize("name", arms_plans.MARKETS)
def test_equal_masses_reproduce_hungarian_and_others_cost_more(name):
    found = {
        method: scores_of(
            plans_allocation.measure_allocation,
            AllocationStudy(instances=3, **arms_plans.MARKETS[name]).but(method=method),
        )
        for method in arms_plans.ALLOCATORS
    }
    for method in ("transport", "unit copies"):
        assert np.all(found[method]["gap_to_hungarian"] <= 1e-9)
        assert found[method]["cost_ratio"] == pytest.approx(1.0)
    for method in ("greed", "turns", "random"):
        assert np.all(found[method]["cost_ratio"] >= 1.0)
        assert found[method]["unmet"] == pytest.approx(found["transport"]["unmet"])
    assert np.all(found["random"]["cost_ratio"] > found["greed"]["cost_ratio"])
    assert found["rationing"]["fairness"] == pytest.approx(1.0)


def test_simulated_moves_are_those_that_happen_without_contact():
    study = FleetStudy(options={"contact": False, "initial_speed": 1.0, "sensitivity": [3.0, 5.0, 8.0]}, episodes=3)
    starts = keys("test fleet", count=3)
    shortfall, energy = plans_fleet.move_costs(study, starts)
    for dispatch in ("fixed_role", "distance"):
        played = plans_fleet.play(study.but(dispatch=dispatch), starts, stream("lots"))
        world = plans_fleet._world(study, 3)
        world.reset(starts)
        chosen = plans_fleet._choose(study.but(dispatch=dispatch), world, starts, stream("lots"))[:, :, None]
        assert played["energy"] == pytest.approx(np.take_along_axis(energy, chosen, axis=2).sum(axis=(1, 2)))
        assert played["shortfall"] == pytest.approx(np.take_along_axis(shortfall, chosen, axis=2).sum(axis=(1, 2)))


def test_dispatch_by_dynamics_is_best_in_what_it_weighs_and_energy_agrees_with_the_world():
    options = {"contact": False, "sensitivity": [3.0, 5.0, 8.0], "initial_speed": 1.0}
    base = FleetStudy(options=options, episodes=30)
    found = {weight: scores_of(plans_fleet.measure_fleet, base.but(energy_weight=weight)) for weight in (0.0, 1.0)}
    plain = scores_of(plans_fleet.measure_fleet, base.but(dispatch="distance"))
    assert np.all(found[0.0]["shortfall"] <= plain["shortfall"] + 1e-9)
    assert np.all(found[1.0]["energy"] <= found[0.0]["energy"] + 1e-9)
    world = plans_fleet._world(base, 4)
    world.reset(keys("test fleet", count=4))
    rest = world.snapshot()
    spent = plans_fleet.drive(world, world.targets(), 0.5)["energy"].sum(axis=1)
    world.restore(rest)
    assert spent.max() <= world.horizon * 2 * np.square(0.5 * world.sensitivity).sum()


def test_a_fleet_needs_a_target_each():
    study = FleetStudy(world="navigation/spread4", options={"landmarks": 3}, episodes=2)
    with pytest.raises(BadInput, match="as many targets as agents"):
        plans_fleet.measure_fleet(study, (1000,), NoStore())


@pytest.mark.parametrize("detector", arms_plans.DETECTORS)
def test_every_detector_runs_and_sees_a_partner_that_stops_or_turns_round(detector):
    study = DetectionStudy(detector=detector, after="no_operation", streams=12, quiet=16, watched=12)
    scores = scores_of(plans_detection.measure_detection, study)
    assert np.all((scores["area"] >= 0) & (scores["area"] <= 1))
    assert np.all(scores["delay"] <= study.watched)
    if "reward" not in detector:
        assert np.all(scores["area"] > 0.85)
        assert np.all(scores["missed"] < 0.5)


def test_without_a_change_nothing_is_seen():
    study = DetectionStudy(detector="gaussian", after="greedy", streams=40)
    scores = scores_of(plans_detection.measure_detection, study, (1003, 1004))
    assert scores["area"].mean() == pytest.approx(0.5, abs=0.15)
    assert scores["missed"].mean() > 0.4


def test_streams_before_the_change_do_not_depend_on_it_and_mirrored_partners_go_the_other_way():
    study = DetectionStudy(streams=2, quiet=2, watched=2, reference=2, window=1)
    quiet, random = plans_detection._test_streams(study, 1000)
    again, mirrored = plans_detection._test_streams(study.but(after="mirrored"), 1000)
    assert np.array_equal(quiet.features, again.features)
    assert not np.array_equal(random.choices, mirrored.choices)
    same = plans_detection._test_streams(study.but(after="greedy"), 1000)[1]
    assert np.array_equal(plans_detection.MIRRORED[same.choices[:, :, 0]], mirrored.choices[:, :, 0])
    assert quiet.cells.min() >= 0
    assert quiet.cells.max() < plans_detection.CELLS
    assert quiet.features.shape == (2, 4, 25, 6)


def test_known_pairs_of_policies():
    shifted = scores_of(plans_comparison.compare, ComparisonStudy(pair="shifted_gaussians"))
    assert shifted["transport_gradient_exponent"] == pytest.approx(0.0, abs=1e-9)
    assert shifted["divergence_gradient_exponent"] == pytest.approx(-2.0)
    apart = scores_of(plans_comparison.compare, ComparisonStudy(pair="disjoint_supports"))
    assert apart["transport_growth"] == pytest.approx(4.0)
    assert apart["transport_error"] == pytest.approx(0.0, abs=1e-12)
    assert apart["variation_growth"] == pytest.approx(1.0)
    moves = scores_of(plans_comparison.compare, ComparisonStudy(pair="moves"))
    assert moves["euclidean_ratio"] == pytest.approx(2.0)
    assert moves["variation_ratio"] == pytest.approx(1.0)
    assert moves["equal_against_variation"] == pytest.approx(0.0, abs=1e-9)


def test_final_positions_of_sure_policies():
    study = ConsequenceStudy(steps=3, episodes=2)
    ends = plans_comparison.final_positions(study, np.eye(5)[[0, 2, 3]], 1000)
    # at rest, then 0.5 and 0.5 * 1.75 a step in time 0.1, the position moving with the velocity before the step
    far = 0.1 * (0.5 + 0.5 * 1.75)
    expected = np.array([[0.0, 0.0], [far, 0.0], [0.0, -far]])
    assert ends == pytest.approx(np.repeat(expected[:, None], 2, axis=1))


def test_consequences_and_noise():
    scores = scores_of(plans_comparison.measure_consequences, ConsequenceStudy(pairs=100, episodes=16))
    ahead = scores.pop("ahead")
    assert np.all(np.array(list(scores.values())) > 0.2)
    assert ahead == pytest.approx(scores["euclidean"] - scores["divergence"])
    assert np.all(ahead > 0.0)
    for method in ("exact", "sliced", "gaussian", "gaussian_divergence"):
        noise = scores_of(plans_comparison.measure_null, NullStudy(method=method, features=2, samples=16, repeats=6))
        assert np.all(noise["shifted"] > noise["null"])
    wide = scores_of(plans_comparison.measure_null, NullStudy(features=18, samples=32, repeats=6))
    assert np.all(wide["share"] > 0.9)


def test_alignment_costs_nothing_with_the_same_goals_and_something_with_others():
    same = scores_of(plans_voter.measure_optimum, VoterAlignmentStudy(spread=0.0, beta=1.0), (0,))
    assert same["loss"] == pytest.approx(0.0, abs=1e-6)
    losses = [
        scores_of(plans_voter.measure_optimum, VoterAlignmentStudy(beta=beta), (0,)) for beta in (0.0, 0.1, 0.3, 3.0)
    ]
    assert losses[0]["loss"] == pytest.approx(0.0, abs=1e-9)
    assert all(low["loss"] < high["loss"] for low, high in itertools.pairwise(losses))
    assert all(low["apart"] > high["apart"] for low, high in itertools.pairwise(losses))
    assert losses[-1]["apart"] == pytest.approx(0.0, abs=1e-3)


def test_training_on_the_team_alone_comes_to_its_optimum_and_shared_logits_stay_shared():
    study = VoterTrainingStudy(
        agents=4, spread=0.0, update="normalised", step_size=0.05, iterations=150, evaluate_every=50
    )
    alone = scores_of(plans_voter.measure_training, study)
    assert np.all(alone["gap_left"] < 0.01)
    assert np.all(alone["to_0.1"] <= 150)
    shared = scores_of(plans_voter.measure_training, study.but(share=True))
    assert shared["apart"] == pytest.approx(0.0, abs=1e-9)
    assert np.all(shared["gap_left"] < 0.01)


def test_alignment_to_the_past_holds_the_agents_back():
    base = VoterTrainingStudy(
        agents=4, change=True, update="normalised", step_size=0.05, iterations=150, evaluate_every=50
    )
    free, held = (
        scores_of(plans_voter.measure_training, base.but(align_to="own past", beta=beta)) for beta in (0.0, 1.0)
    )
    assert np.all(held["gap_left"] > free["gap_left"] + 0.3)


ARMS = {name: getattr(arms_plans, name) for name in dir(arms_plans) if name.endswith("_arms")}


@pytest.mark.parametrize("name", ARMS)
def test_arms_have_their_own_settings_and_small_profiles_are_among_the_large(name):
    full = ARMS[name]("full")
    digests = [study.digest() for study in full.values()]
    assert len(set(digests)) == len(digests)
    for profile in ("smoke", "quick"):
        arms = ARMS[name](profile)
        assert arms
        assert set(arms) <= set(full)
        assert {type(study) for study in arms.values()} == {type(study) for study in full.values()}
