"""Figures of transport and of scripted controllers: from full, small and empty tables, with the given numbers."""

from itertools import combinations, permutations

import numpy as np
import pandas
import pytest
from figure_checks import checked, table_of
from test_plotting import SIGHT, lab

import replication
from replication.drawing import COLUMNS
from replication.envs.navigators import NAVIGATORS, play
from replication.papers.optimal_transport import arms_plans, arms_teams, figures
from replication.papers.optimal_transport import figures_allocation as allocation
from replication.papers.optimal_transport import figures_plans as pictures
from replication.papers.optimal_transport import figures_voter as voter
from replication.papers.optimal_transport.arms_teams import LEARNERS, scripted_arms
from replication.seeding import keys, stream
from replication.settings import BadInput

pytestmark = pytest.mark.usefixtures("close_figures")

ARMS = {
    "scripted": (scripted_arms, ("score", "return")),
    "comparison": (arms_plans.comparison_arms, ("euclidean_ratio", "star_ratio", "equal_ratio", "variation_ratio")),
    "consequences": (arms_plans.consequence_arms, ("euclidean", "star", "variation", "divergence")),
    "null": (arms_plans.null_arms, ("share", "signal")),
    "allocation": (arms_plans.allocation_arms, ("cost_ratio", "unmet", "fairness", "seconds")),
    "fleet": (arms_plans.fleet_arms, ("distance", "energy", "coverage")),
    "voter_optimum": (arms_plans.voter_optimum_arms, ("loss", "apart")),
    "voter_training": (arms_plans.voter_training_arms, ("gap_left", "area")),
}
MEASURED = ("_transport", "_divergence", "_variation")
SHIFT = np.array([0.5, 1.0, 2.0])


def made_up(profile, seeds):
    """A score table and curves with every arm of the profile and positive numbers without meaning."""
    draw = stream("made-up transport scores", seeds)
    rows, curves = [], {}
    for experiment, (arms_of, metrics) in ARMS.items():
        for arm in arms_of(profile):
            for metric in metrics:
                values = draw.lognormal(0.0, 0.2, seeds)
                rows += [(experiment, arm, seed, metric, value, "key") for seed, value in enumerate(values)]
    for arm in arms_plans.voter_training_arms(profile):
        left = np.sort(draw.uniform(0.01, 1.0, (seeds, 3)), axis=1)[:, ::-1]
        curves.setdefault("voter_training", {})[arm] = {"left": left, "_iteration": np.array([0, 5, 10])}
    measured = {
        f"_{name}_{what}": 1.0 / SHIFT for name in ("transport", "divergence") for what in ("value", "gradient")
    }
    curves["comparison"] = {
        "shifted gaussians": measured | {"_deviation": 1.0 / SHIFT},
        "disjoint supports": {"_shift": SHIFT} | dict.fromkeys(MEASURED, SHIFT),
        "moves": {},
    }
    return pandas.DataFrame(rows, columns=COLUMNS), curves


def every(table, curves):
    """All drawings that rest on scores."""
    return {
        "returns": figures.returns(table),
        "distances": pictures.distances(table, curves),
        "consequences": pictures.consequences(table),
        "null": pictures.null(table),
        "allocation": allocation.allocation(table),
        "energy_front": allocation.energy_front(table),
        "energy_front, coverage": allocation.energy_front(table, "coverage"),
        "alignment_optimum": voter.alignment_optimum(table),
        "alignment_training": voter.alignment_training(table, curves),
    }


def test_every_arm_of_the_full_profile_is_in_its_picture():
    drawings = every(*made_up("full", 2))
    checked(drawings)
    used = pandas.concat([drawing.used for drawing in drawings.values()])
    wanted = {(experiment, arm) for experiment, (arms_of, _) in ARMS.items() for arm in arms_of("full")}
    assert wanted - set(zip(used["experiment"], used["arm"], strict=True)) == set()
    plotted = drawings["energy_front"].data  # 5 weights, 4 efforts and 4 rules for each of 4 fleets
    assert plotted.groupby("fleet").size().to_list() == [13] * 4
    assert len(drawings["alignment_training"].data) == 3 * len(arms_plans.voter_training_arms("full"))


def test_every_figure_is_drawn_from_the_few_arms_of_the_smoke_profile_with_one_seed():
    checked(every(*made_up("smoke", 1)))


def test_every_figure_is_drawn_before_anything_has_run():
    checked(every(table_of([]), {}), filled=())
    checked({"trajectories": figures.trajectories({})}, filled=())


# ---- looks -------------------------------------------------------------------------------------------------------

LEVELS = ("random", "greedy", "fixed role", "hungarian dynamic")
TOGETHER = {
    "teams": (*arms_teams.team_arms("full"), *LEVELS),
    "controls": (*arms_teams.control_arms("full"), "independent", "OT barycenter", "hungarian dynamic"),
    "controllers": tuple(figures.CONTROLLERS),
    "allocation": tuple(arms_plans.ALLOCATORS),
}


def test_every_learner_controller_and_way_to_allocate_has_a_look():
    names = {*LEARNERS, *(name.replace("_", " ") for name in NAVIGATORS), *arms_plans.ALLOCATORS}
    assert names - set(figures.LOOKS) == set()


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("names", TOGETHER.values(), ids=TOGETHER)
def test_what_is_drawn_together_stays_apart_in_every_sight(names, sight):
    seen = {name: lab(figures.LOOKS[name].colour, sight) for name in names}
    closest = min((float(np.linalg.norm(seen[a] - seen[b])), a, b) for a, b in combinations(names, 2))
    assert closest[0] > 15.0, closest


# ---- paths and scripted controllers ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["no_operation", "hungarian_dynamic"])
def test_a_recorded_episode_is_the_one_that_the_controller_plays(name):
    key = keys("a recorded episode", count=1)
    world = replication.make("navigation/spread3", num_envs=1)
    paths = figures.record(world, replication.controller(world, name), key)
    last = world.positions[0]
    sums = play(world, replication.controller(world, name), key)
    assert paths.earned == pytest.approx(sums["return"][0])
    assert paths.covered == round(3 * sums["final_coverage"][0])
    world.reset(key)
    assert np.array_equal(paths.positions[0], world.positions[0])
    assert np.array_equal(paths.positions[-1], last)
    assert paths.positions.shape == (world.horizon + 1, 3, 2)


def test_paths_grow_bold_and_discs_have_the_agents_size():
    world = replication.make("navigation/spread3", num_envs=1, radius=[0.1, 0.15, 0.2])
    recorded = {name: figures.record(world, replication.controller(world, name.replace(" ", "_")), keys("p", count=1))
                for name in ("greedy", "fixed role")}  # fmt: skip
    drawing = figures.trajectories(recorded)
    checked({"trajectories": drawing}, filled=())
    left, right = drawing.figure.axes
    assert [ax.get_title(loc="left") for ax in (left, right)] == ["greedy", "fixed role"]
    assert left.get_xlim() == right.get_xlim() == left.get_ylim()
    assert sorted({round(disc.get_radius(), 9) for disc in left.patches}) == [0.1, 0.15, 0.2]
    widths = left.collections[0].get_linewidths()
    assert len(widths) == world.horizon
    assert np.all(np.diff(widths) > 0)
    data = drawing.data
    assert len(data) == 2 * (3 * (world.horizon + 1) + 3)
    one = data[(data["method"] == "greedy") & (data["what"] == "agent") & (data["number"] == 2) & (data["step"] == 7)]
    assert one[["x", "y"]].to_numpy()[0] == pytest.approx(recorded["greedy"].positions[7, 1])


def test_scripted_controllers_stand_in_one_order_for_every_number_of_agents():
    rows = [("scripted", f"{agents} agents, {name}", seed, metric, agents + seed + len(name))
            for agents in (2, 4) for name in ("hungarian dynamic", "random", "no operation") for seed in (0, 2)
            for metric in ("score", "return")]  # fmt: skip
    drawing = figures.returns(table_of(rows[2:]))  # one arm lacks one seed's numbers
    axes = drawing.figure.axes
    assert [ax.get_title(loc="left") for ax in axes[:2]] == ["2 agents", "4 agents"]
    names = [text.get_text() for text in axes[0].get_yticklabels()]
    assert names == ["random", "no operation", "Hungarian, dynamic"]
    data = drawing.data.query("agents == 4 and metric == 'return' and arm == 'random'")
    assert data["value"].tolist() == [10.0, 12.0]
    assert data["middle"].tolist() == [11.0, 11.0]


# ---- plans -------------------------------------------------------------------------------------------------------


def moved(drawing, name, place):
    rows = drawing.data[drawing.data["plan"] == name]
    matrix = np.zeros((len(place.supply), len(place.demand)))
    matrix[rows["agent"] - 1, rows["target"] - 1] = rows["mass"]
    return matrix


def test_plans_move_the_masses_and_equal_masses_are_the_cheapest_assignment():
    place = pictures.layout(1, count=5)
    assert place.supply.sum() == place.demand.sum()
    drawing = pictures.plans(place)
    checked({"plans": drawing}, filled=())
    cost = np.linalg.norm(place.agents[:, None] - place.targets, axis=2)
    cheapest = min(permutations(range(5)), key=lambda columns: cost[range(5), columns].sum())
    assert moved(drawing, "Equal masses", place) == pytest.approx(np.eye(5)[list(cheapest)])
    assert drawing.figure.axes[0].get_xlabel().endswith("5 of 5 as assigned")
    for entropy in pictures.ENTROPIES:
        soft = moved(drawing, f"Equal masses, entropy {entropy:g}", place)
        assert soft.sum(axis=0) == pytest.approx(np.ones(5), abs=1e-3)
        assert np.count_nonzero(soft > 0.01) > 5
    unequal = moved(drawing, "Unequal masses", place)
    assert unequal.sum(axis=1) == pytest.approx(place.supply)
    assert unequal.sum(axis=0) == pytest.approx(place.demand)
    part = moved(drawing, "Scarce: cheapest part", place)
    assert part.sum(axis=1) == pytest.approx(place.supply)
    assert np.all(part.sum(axis=0) <= np.ceil(pictures.SHORT * place.demand) + 1e-9)
    priced = moved(drawing, "Scarce: priced marginals", place)
    assert (priced * cost).sum() / priced.sum() == pytest.approx(
        float(drawing.figure.axes[5].get_xlabel().split()[0]), abs=6e-4
    )


def test_lines_are_as_wide_as_the_mass_and_a_layout_follows_from_its_seed():
    place = pictures.layout(0)
    assert np.array_equal(place.agents, pictures.layout(0).agents)
    assert not np.array_equal(place.agents, pictures.layout(1).agents)
    drawing = pictures.plans(place)
    matrix, lines = moved(drawing, "Unequal masses", place), drawing.figure.axes[3].get_lines()
    unit = max(place.supply.max(), place.demand.max())
    assert [line.get_linewidth() for line in lines] == pytest.approx(pictures.WIDEST * matrix[matrix > 0] / unit)


def test_a_layout_with_more_agents_than_targets_is_refused():
    place = pictures.layout(0)
    few = pictures.Layout(place.agents, place.targets[:4], place.supply, place.demand[:4])
    with pytest.raises(BadInput, match="got 6 and 4"):
        pictures.plans(few)


# ---- distances ---------------------------------------------------------------------------------------------------


def test_distances_are_over_their_value_where_supports_first_do_not_overlap():
    found = {"comparison": {"disjoint supports": {"_shift": SHIFT, "_transport": 3 * SHIFT,
                                                  "_variation": np.array([2.0, 4.0, 4.0])}}}  # fmt: skip
    rows = [("comparison", "moves", seed, "euclidean_ratio", 2.0) for seed in (5, 6)]
    drawing = pictures.distances(table_of(rows), found)
    found = {place: part["middle"].tolist() for place, part in drawing.data.groupby(["panel", "line"])}
    assert found == {("overlap", "transport"): [0.5, 1.0, 2.0], ("overlap", "variation"): [0.5, 1.0, 1.0],
                     ("moves", "euclidean"): [2.0]}  # fmt: skip
    assert set(drawing.used["seed"]) == {5}  # nothing is drawn: one seed says it all


def test_consequences_have_a_panel_for_every_concentration_from_sure_to_even():
    rows = [("consequences", f"concentration {c:g}", seed, metric, c + seed) for c in (1.0, 0.2) for seed in (0, 1, 2)
            for metric in ("divergence", "euclidean")]  # fmt: skip
    drawing = pictures.consequences(table_of(rows))
    assert [ax.get_title(loc="left") for ax in drawing.figure.axes] == ["Dirichlet 0.2", "Dirichlet 1"]
    assert drawing.data.groupby(["concentration", "arm"])["middle"].first().to_dict() == pytest.approx(
        {(0.2, "divergence"): 1.2, (0.2, "euclidean"): 1.2, (1.0, "divergence"): 2.0, (1.0, "euclidean"): 2.0}
    )


def test_null_distances_are_lines_over_the_number_of_features():
    rows = [("null", f"{name}, {features} features, {samples} samples", seed, metric, features * samples + seed)
            for name in ("exact", "gaussian divergence") for features in (18, 2) for samples in (8, 4)
            for seed in (0, 2) for metric in ("share", "signal")]  # fmt: skip
    data = pictures.null(table_of(rows)).data
    one = data.query("line == 'gaussian divergence' and samples == 4 and metric == 'share'")
    assert one[["x", "middle"]].to_numpy().tolist() == [[2.0, 9.0], [18.0, 73.0]]


# ---- allocation and energy ---------------------------------------------------------------------------------------


def test_ways_to_allocate_stand_in_order_with_their_variants_and_times_are_milliseconds():
    arms = ("scarce, unbalanced, price 10", "scarce, unbalanced, price 3", "units, greed", "scarce, unbalanced")
    rows = [("allocation", arm, seed, metric, 0.002 + 0.002 * seed) for arm in arms for seed in (0, 1)
            for metric in ("cost_ratio", "unmet", "fairness", "seconds")]  # fmt: skip
    drawing = allocation.allocation(table_of(rows))
    names = [text.get_text() for text in drawing.figure.axes[0].get_yticklabels()]
    assert names == ["cheapest pair first", "unbalanced", "unbalanced, price 3", "unbalanced, price 10"]
    found = {(row.market, row.way, row.quantity): row.middle for row in drawing.data.itertuples()}
    assert found["units", "greed", "time [ms]"] == pytest.approx(3.0)
    assert found["scarce", "unbalanced", "unmet demand [%]"] == pytest.approx(0.3)
    assert found["scarce", "unbalanced, price 3", "Jain index"] == pytest.approx(0.003)


def test_fleets_are_compared_with_the_plain_one_seed_by_seed():
    rows = []
    for seed, level in enumerate((1.0, 10.0, 3.0)):
        for dispatch, energy, far in (("distance", 1.0, 1.0), ("energy weight 0.5", 0.8, 1.1), ("effort 0.5", 0.4, 2.0),
                                      ("greedy", 1.5, 3.0)):  # fmt: skip
            rows += [("fleet", f"moving, {dispatch}", seed, "energy", level * energy),
                     ("fleet", f"moving, {dispatch}", seed, "distance", level * far)]  # fmt: skip
    rows += [("fleet", "moving, greedy", 3, "energy", 99.0), ("fleet", "alike, greedy", 0, "energy", 1.0)]
    drawing = allocation.energy_front(table_of(rows))
    effort = drawing.data.query("kind == 'effort'")
    assert set(drawing.data["fleet"]) == {"moving"}  # the other has no plain fleet to compare with
    assert effort[["value", "energy", "distance"]].to_numpy().tolist() == [
        pytest.approx([0.5, 0.4, 2.0]), pytest.approx([1.0, 1.0, 1.0])]  # fmt: skip
    weight = drawing.data.query("kind == 'energy weight'").iloc[0]
    assert weight[["energy", "energy_low", "energy_high", "distance"]].tolist() == pytest.approx([0.8, 0.8, 0.8, 1.1])
    assert drawing.data.query("kind == 'greedy'")["distance"].tolist() == pytest.approx([3.0])


# ---- alignment on the voter network ------------------------------------------------------------------------------


def test_loss_is_a_percentage_and_its_price_starts_at_zero():
    rows = [("voter_optimum", f"different goals, {kind}, beta {beta:g}", seed, metric, scale * beta)
            for kind, scale in (("transport", 1.0), ("jeffreys", 0.5)) for beta in (1.0, 0.0, 0.1) for seed in (0, 1)
            for metric in ("loss", "apart")]  # fmt: skip
    drawing = voter.alignment_optimum(table_of(rows))
    data = drawing.data.query("divergence == 'jeffreys' and metric == 'loss'")
    assert data[["x", "middle"]].to_numpy().tolist() == [pytest.approx(row) for row in ([0, 0], [0.1, 5], [1, 50])]
    low, high = drawing.figure.axes[0].get_xlim()
    assert low < 0.0
    assert high > 1.0
    assert set(drawing.used["seed"]) == {0}


def test_training_is_the_mean_over_seeds_and_dashes_say_what_alignment_is_to():
    left = {"left": np.array([[1.0, 0.4], [1.0, 0.2]]), "_iteration": np.array([0, 5])}
    names = ("changed goals, plain, beta 0", "changed goals, plain, each other, beta 1",
             "changed goals, plain, own past, beta 1", "same goals, normalised, shared",
             "same goals, plain, jeffreys, beta 1")  # fmt: skip
    drawing = voter.alignment_training(table_of([]), {"voter_training": dict.fromkeys(names, left)})
    drawing.figure.draw_without_rendering()
    last = drawing.data[drawing.data["x"] == 5]
    assert last["middle"].tolist() == pytest.approx([0.3] * 5)
    assert set(zip(last["line"], last["goal"], last["step"], strict=True)) == {
        (name, *name.split(", ")[:2]) for name in names
    }
    assert [voter._parts(name)[2:] for name in names] == [("", 0.0), ("", 1.0), ("own past", 1.0), ("", None),
                                                          ("jeffreys", 1.0)]  # fmt: skip
    titles = [ax.get_title(loc="left") for ax in drawing.figure.axes]
    assert titles[0] == "same goals, plain steps"
