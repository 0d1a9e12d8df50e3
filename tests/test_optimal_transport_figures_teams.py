"""Figures of learning teams: drawn from full, small and empty tables, paired by seed, with the given numbers."""

from itertools import combinations

import numpy as np
import pandas
import pytest
from figure_checks import checked, table_of
from matplotlib.colors import to_rgb

from replication.drawing import by_seed
from replication.papers.optimal_transport import arms_adaptation, arms_teams
from replication.papers.optimal_transport import figures_adaptation as adaptation
from replication.papers.optimal_transport import figures_alignment as alignment
from replication.papers.optimal_transport import figures_paired as paired
from replication.papers.optimal_transport import figures_teams as teams
from replication.papers.optimal_transport import figures_variants as variants
from replication.seeding import stream

pytestmark = pytest.mark.usefixtures("close_figures")

PLAYED = ("score", "visits_within", "visits_pooled")
LEARNED = (*PLAYED, "area", "steps_to_080", "diversity", "seconds")
AFTER = ("before", "drop", "regret", "recovered_after", "recovered", "final")
ARMS = {
    "scripted": (arms_teams.scripted_arms, PLAYED),
    "teams": (arms_teams.team_arms, LEARNED),
    "controls": (arms_teams.control_arms, LEARNED),
    "team_sizes": (arms_teams.team_size_arms, LEARNED),
    "continuous": (arms_teams.continuous_arms, LEARNED),
    "tasks": (arms_teams.task_arms, LEARNED),
    "tuning": (arms_teams.tuning_arms, LEARNED),
    "beta": (arms_teams.beta_arms, LEARNED),
    "frequency": (arms_teams.frequency_arms, LEARNED),
    "ablation": (arms_teams.ablation_arms, LEARNED),
    "factorial": (arms_teams.factorial_arms, LEARNED),
    "many_agents": (arms_teams.many_agents_arms, LEARNED),
    "adaptation": (arms_adaptation.adaptation_arms, AFTER),
}
NOT_LEARNED = {"random", "no operation", "hungarian static"}  # controllers that are no level of any picture
LOOKED_AT, STEPS = np.array([0, 10, 20]), 1600 * np.arange(1, 21)


def made_up(profile, seeds):
    """A score table and curves with every arm of the profile and positive numbers without meaning."""
    draw = stream("made-up team scores", seeds)
    rows, curves = [], {}
    for experiment, (arms_of, metrics) in ARMS.items():
        for arm in arms_of(profile):
            for metric in metrics:
                values = 0.7 * draw.lognormal(0, 0.1, seeds)
                rows += [(experiment, arm, seed, metric, value) for seed, value in enumerate(values)]
            curves.setdefault(experiment, {})[arm] = one_curve(draw.random((seeds, 3)))
    return table_of(rows), curves


def one_curve(values):
    return {"evaluated_score": np.asarray(values), "_evaluated_at": LOOKED_AT, "_steps": STEPS}


def scores_of(values, metric="score", first=0):
    """Rows from (experiment, arm) -> values of the seeds first, first + 1 ..."""
    return [(*place, seed, metric, float(v)) for place, given in values.items() for seed, v in enumerate(given, first)]


def every(table, curves):
    """All drawings, as they can be saved."""
    drawings = {
        "gate": teams.gate(table, curves),
        "learning_curves": teams.learning_curves(table, curves),
        "forest": teams.forest(table),
        "many_agents": teams.many_agents(table, curves),
        "alike": alignment.alike(table),
        "tuning": alignment.tuning(table),
        "beta": alignment.beta(table),
        "frequency": alignment.frequency(table, curves),
        "tasks": variants.tasks(table),
        "ablation": variants.ablation(table),
        "factorial": variants.factorial(table),
        "recovery": adaptation.recovery(table, curves),
        "responses": adaptation.responses(table),
    }
    return checked(drawings, filled=())


def lines_at(ax, value, axis="y"):
    """Whether a straight line goes through the axes at a value."""
    drawn = [line.get_ydata() if axis == "y" else line.get_xdata() for line in ax.get_lines()]
    return any(len(np.unique(at)) == 1 and len(at) == 2 and at[0] == pytest.approx(value) for at in drawn)


def test_every_arm_of_the_full_profile_is_in_some_picture():
    drawings = every(*made_up("full", 1))
    assert all(len(drawing.used) and len(drawing.data) for drawing in drawings.values())
    used = pandas.concat([drawing.used for drawing in drawings.values()])
    drawn = set(zip(used["experiment"], used["arm"], strict=True))
    wanted = {(experiment, arm) for experiment, (arms_of, _) in ARMS.items() for arm in arms_of("full")}
    left_out = wanted - drawn
    assert {experiment for experiment, _ in left_out} == {"scripted"}
    assert {arm.partition(", ")[2] for _, arm in left_out if arm.startswith("3")} == NOT_LEARNED


@pytest.mark.parametrize(("profile", "seeds"), [("smoke", 1), ("quick", 2)])
def test_every_figure_is_drawn_from_the_few_arms_of_smaller_profiles(profile, seeds):
    drawings = every(*made_up(profile, seeds))
    left_out = {name for name, drawing in drawings.items() if not len(drawing.data)}
    assert left_out == {name for name, (arms_of, _) in ARMS.items() if not arms_of(profile)} & set(drawings)


def test_every_figure_is_drawn_before_anything_has_run():
    assert not any(len(drawing.data) for drawing in every(table_of([]), {}).values())


def test_arms_of_one_picture_are_told_apart():
    sets = [*(("independent", *names) for names in teams.PANELS.values()), arms_teams.SIX, teams.GATED]
    looks = [[paired.LOOKS[name] for name in names] for names in sets] + [list(adaptation.LOOKS.values())]
    for names in looks:
        for one, other in combinations(names, 2):
            apart = np.abs(np.subtract(to_rgb(one.colour), to_rgb(other.colour))).max()
            assert apart > 0.1, (one.label, other.label)
            assert one.label != other.label


def test_every_arm_of_the_main_world_has_a_panel():
    shown = {name for names in teams.PANELS.values() for name in names} | {"independent"}
    assert shown == {*arms_teams.team_arms("full"), *arms_teams.control_arms("full")} == set(arms_teams.LEARNERS)


def test_differences_are_of_the_same_seed():
    table = table_of(scores_of({("x", "a"): [3, 5, 9]}, first=1) + scores_of({("x", "b"): [7, 1, 2]}))
    assert paired.differences(table, ("x", "a"), ("x", "b"), "score").tolist() == [2, 3]
    assert paired.differences(table, ("x", "a"), ("x", "none"), "score").size == 0


def test_the_gate_shows_every_seed_over_agent_steps_between_levels_of_the_same_seeds():
    values = np.array([[0.0, 0.4, 0.7], [0.1, 0.5, 0.8], [0.2, 0.9, 0.9]])
    curves = {"teams": {"independent": one_curve(values)}, "controls": {"centralised critic": one_curve(values[:1])}}
    rows = scores_of({("teams", "independent"): [0.7, 0.8, 0.9], ("scripted", "3 agents, greedy"): [0.4, 0.5, 0.6, 9]})
    drawing = teams.gate(table_of(rows), curves)
    own, critic = (ax for ax in drawing.figure.axes if ax.get_visible())
    assert own.texts[0].get_text() == "2 of 3 end above the gate"
    assert critic.texts[0].get_text() == "0 of 1 end above the gate"
    assert lines_at(own, 0.5)  # greedy without the seed that the teams do not have
    assert lines_at(own, teams.GATE)
    thick = max(own.get_lines(), key=lambda line: line.get_linewidth())
    assert thick.get_ydata().tolist() == [0.1, 0.5, 0.8]
    assert thick.get_xdata().tolist() == [0, 3 * 16_000, 3 * 32_000]
    assert len(drawing.data) == 9 + 3


def test_learning_curves_are_means_and_independent_nets_are_in_every_panel():
    values = np.array([[0.0, 0.4, 0.6], [0.0, 0.6, 1.0]])
    arms = {"teams": ("independent", "OT actions", "KL"), "controls": ("assignment in view",)}
    curves = {experiment: {name: one_curve(values) for name in names} for experiment, names in arms.items()}
    data = teams.learning_curves(table_of([]), curves).data
    by_panel = {panel: list(dict.fromkeys(part["line"])) for panel, part in data.groupby("panel", sort=False)}
    assert list(by_panel.values()) == [["independent", name] for name in ("OT actions", "KL", "assignment in view")]
    assert data["middle"].tolist() == pytest.approx([0.0, 0.5, 0.8] * 6)


def test_the_forest_is_sorted_by_paired_differences_to_independent_nets_of_the_same_task():
    values = {("teams", "independent"): [1, 2, 3], ("teams", "KL"): [1.1, 2.1, 3.1],
              ("controls", "diversity"): [1.5, 3], ("tasks", "rendezvous, independent"): [5, 5],
              ("tasks", "rendezvous, sharing"): [4, 4],
              ("tasks", "formation, sharing"): [4, 4]}  # fmt: skip
    rows = [row for metric in teams.EFFECTS for row in scores_of(values, metric)]
    drawing = teams.forest(table_of(rows))
    first = drawing.figure.axes[0]
    labels = [label.get_text() for label in first.get_yticklabels()]
    assert labels == ["Spread, 3 agents", "diversity", "KL", "Rendezvous", "sharing"]
    data = drawing.data[drawing.data["metric"] == "score"].set_index(["task", "line"])
    assert data["middle"].to_dict() == pytest.approx(
        {("Spread, 3 agents", "KL"): 0.1, ("Spread, 3 agents", "diversity"): 0.75, ("Rendezvous", "sharing"): -1.0}
    )
    assert data["n"].tolist() == [3, 2, 2]
    beside = {text.xy[1]: text.get_text() for text in drawing.figure.axes[-1].texts}
    assert beside == {0: "n", 1: "2", 2: "3", 4: "2"}
    (dot,) = [line for line in first.get_lines() if list(line.get_xdata()) == pytest.approx([0.75])]
    assert list(dot.get_ydata()) == [1.0]


def test_time_of_an_update_is_seconds_over_updates():
    table = table_of(scores_of({("many_agents", "6 agents, sharing"): [4, 6]}, "seconds")
                     + scores_of({("many_agents", "6 agents, sharing"): [1, 2]}))  # fmt: skip
    data = teams.many_agents(table, {"many_agents": {"6 agents, sharing": one_curve(np.zeros((2, 3)))}}).data
    assert data[["x", "middle"]].to_numpy().tolist() == [[6, 1.5], [6, 250.0]]
    assert len(teams.many_agents(table, {}).data) == 1


def test_dots_are_seeds_that_have_both_and_stars_are_controllers():
    rows = scores_of({("teams", "KL"): [1, 2, 3]}) + scores_of({("teams", "KL"): [5, 6]}, "visits_within", first=1)
    for metric, value in (("score", 0.5), ("visits_within", 0.9)):
        rows += scores_of({("scripted", "3 agents, greedy"): [value, value + 0.1]}, metric)
    data = alignment.alike(table_of(rows)).data
    assert data[["arm", "x", "score"]].to_numpy().tolist() == [
        ["KL", 5, 2], ["KL", 6, 3], ["greedy", pytest.approx(0.95), pytest.approx(0.55)],
    ]  # fmt: skip


def test_failures_are_counted_at_the_largest_strength_of_each_kind():
    values = {("beta", "KL, beta 0.1"): [0.4, 0.4, 0.4], ("beta", "KL, beta 1"): [0.49, 0.5, 0.2],
              ("beta", "averaging, beta 0.003"): [0.9, 0.9]}  # fmt: skip
    drawing = alignment.beta(table_of(scores_of(values, first=1000)))
    texts = {ax.get_title("left"): [text.get_text() for text in ax.texts] for ax in drawing.figure.axes}
    assert texts["KL"] == ["2 of 3 fail at 1"]
    assert texts["averaging"] == ["0 of 2 fail at 0.003"]
    assert drawing.data[["line", "x", "middle"]].to_numpy().tolist()[:2] == [
        ["KL", 0.1, pytest.approx(0.4)], ["KL", 1.0, pytest.approx(1.19 / 3)],
    ]  # fmt: skip


def test_the_level_without_alignment_is_drawn_beside_every_strength():
    values = {
        ("beta", "KL, beta 0.1"): [0.4, 0.6],
        ("beta", "KL, beta 1"): [0.5, 0.1],
        ("beta", "independent"): [0.7, 0.9],
    }
    panel = alignment.beta(table_of(scores_of(values, first=1000))).figure.axes[0]
    assert lines_at(panel, 0.8)


def test_a_line_of_the_tuning_is_a_rate_over_its_minibatches():
    values = {("tuning", "sharing, rate 0.003, 16 minibatches"): [0.4, 0.6],
              ("tuning", "sharing, rate 0.003, 8 minibatches"): [0.1, 0.2],
              ("tuning", "sharing with numbers, rate 0.006, 8 minibatches"): [0.3, 0.3]}  # fmt: skip
    data = alignment.tuning(table_of(scores_of(values, "area", first=1000))).data
    assert data[["team", "line", "x", "middle"]].to_numpy().tolist() == [
        ["sharing", "rate 0.003", 8, pytest.approx(0.15)], ["sharing", "rate 0.003", 16, pytest.approx(0.5)],
        ["sharing with numbers", "rate 0.006", 8, pytest.approx(0.3)],
    ]  # fmt: skip


def test_rates_are_lines_of_their_own_and_scores_are_drawn_over_mean_seconds():
    values = {("frequency", "every 10"): [1, 2], ("frequency", "every 1"): [4, 6], ("teams", "independent"): [3, 5, 90],
              ("frequency", "every 10, double rate"): [7, 9]}  # fmt: skip
    rows = scores_of(values, "area") + scores_of({("frequency", "every 10"): [30, 50]}, "seconds")
    curves = {"frequency": {"every 10": one_curve([[0, 1, 2], [0, 1, 4]]), "every 1": one_curve([[0, 1, 2]])}}
    drawing = alignment.frequency(table_of(rows), curves)
    found = {
        names: part[["x", "middle"]].to_numpy().tolist() for names, part in drawing.data.groupby(["metric", "line"])
    }
    assert found == {("area", "K"): [[1, 5], [10, 1.5]], ("area", "double"): [[10, 8]],
                     ("over time", "every 10"): [[0, 0], [20, 1], [40, 3]]}  # fmt: skip
    area = drawing.figure.axes[0]
    assert lines_at(area, 4.0)  # independent nets of the same two seeds
    assert lines_at(area, 5.0 - alignment.TOLERATED)


def test_variants_stand_in_the_order_of_their_area_beside_the_base_of_the_same_seeds():
    values = {("ablation", "base"): [1, 2], ("ablation", "fading"): [3, 4], ("teams", "independent"): [7, 8, 100]}
    drawing = variants.ablation(table_of(scores_of(values, "area") + scores_of(values)))
    area = drawing.figure.axes[0]
    assert [label.get_text() for label in area.get_yticklabels()] == ["fading", "base"]
    assert lines_at(area, 1.5, "x")
    assert lines_at(area, 7.5, "x")
    assert drawing.data["middle"].tolist() == [3.5, 1.5] * 2


def factorial_table(value, seeds=3, names=arms_teams.FACTORS):
    """Scores `value(factors, seed)` of every subset of the factors."""
    subsets = [chosen for size in range(len(names) + 1) for chosen in combinations(names, size)]
    return table_of([("factorial", " + ".join(chosen) or "none", seed, "score", value(set(chosen), seed))
                     for chosen in subsets for seed in range(seeds)])  # fmt: skip


def worth(factors, seed):
    """0.5 for sharing, -0.2 for transport, and 0.3 more (times the seed) where both are; seeds differ, too."""
    both = 0.3 * seed * ({"sharing", "transport"} <= factors)
    return seed + 0.5 * ("sharing" in factors) - 0.2 * ("transport" in factors) + both


def test_contrasts_give_back_known_effects_and_interactions_of_every_seed():
    table = factorial_table(worth)
    arms = {frozenset(set(arm.split(" + ")) - {"none"}): ("factorial", arm) for arm in table["arm"].unique()}
    cells = {chosen: by_seed(table, place, "score").to_numpy() for chosen, place in arms.items()}
    found = {chosen: values.round(12).tolist() for chosen, values in variants.contrasts(cells).items()}
    assert len(found) == 4 + 6
    assert found[("sharing",)] == [0.5, 0.65, 0.8]
    assert found[("transport",)] == [-0.2, -0.05, 0.1]
    assert found["transport", "sharing"] == [0.0, 0.3, 0.6]
    for chosen in (("sharing",), ("transport",), ("transport", "sharing")):
        del found[chosen]
    assert np.abs(list(found.values())).max() < 1e-12
    del cells[frozenset({"sharing"})]
    assert variants.contrasts(cells) == {}


def test_the_factorial_shows_cells_and_effects():
    drawing = variants.factorial(factorial_table(worth))
    data = drawing.data.set_index(["panel", "line"])["middle"]
    assert data["cells", "none"] == 1.0
    assert data["cells", "transport + sharing"] == pytest.approx(1.6)
    assert data["effects", "transport × sharing"] == pytest.approx(0.3)
    left, right = drawing.figure.axes
    numbers = {text.xy: text.get_text() for text in left.texts}
    assert (numbers[0, 0], numbers[1, 1], numbers[0, 1]) == ("1.00", "1.60", "1.50")  # (column, row)
    assert [label.get_text() for label in left.get_xticklabels()] == ["neither", "transport", "assignment", "both"]
    assert [label.get_text() for label in right.get_yticklabels()][:5] == [*arms_teams.FACTORS, "transport × sharing"]


def test_fewer_factors_make_a_smaller_factorial():
    data = variants.factorial(factorial_table(worth, names=("transport", "sharing"))).data
    assert data[data["panel"] == "effects"]["line"].tolist() == ["transport", "sharing", "transport × sharing"]


def test_all_tasks_together_are_of_the_seeds_that_all_have():
    values = {("teams", "independent"): [1, 2, 3, 99], ("continuous", "independent"): [3, 4, 5],
              ("tasks", "formation, independent"): [5, 6, 7], ("teams", "KL"): [1, 1]}  # fmt: skip
    data = variants.tasks(table_of(scores_of(values))).data
    (together,) = data[data["task"] == "all"].to_dict("records")
    assert (together["line"], together["n"]) == ("independent", 3)
    assert together["middle"] == pytest.approx(np.mean([3, 3, 4, 5, 5]))  # 1 2 3 3 4 5 5 6 7 less two at either end
    assert data[data["line"] == "KL"]["task"].tolist() == ["Spread, 3 agents"]


def test_recovery_has_a_panel_per_change_and_others_for_what_is_unusual():
    names = ("mirrored, none", "partner, none", "partner, rate up with distance", "partner, reset optimiser",
             "partner, aligned anew")  # fmt: skip
    curves = {"adaptation": {name: one_curve([[0.5, 0.7, 0.9], [0.3, 0.5, 0.7]]) for name in names}}
    table = table_of(scores_of({("adaptation", name): [0.8, 1.0] for name in names}, "before"))
    drawing = adaptation.recovery(table, curves)
    shown = {panel: list(dict.fromkeys(part["line"])) for panel, part in drawing.data.groupby("panel", sort=False)}
    assert shown == {
        "Another partner": ["none", "rate up with distance"],
        "Another partner, other signals": ["rate up with distance", "reset optimiser"],
        "Another partner, aligned teams": ["aligned anew"],
        "Mirrored partner": ["none"],
    }
    assert drawing.data[["x", "middle"]].to_numpy()[:3].tolist() == [[0, 0.4], [10, 0.6], [20, pytest.approx(0.8)]]
    assert lines_at(drawing.figure.axes[0], 0.9)


def test_responses_are_compared_with_none_of_the_same_seed_and_aligned_teams_with_nobody():
    regret = {"weak, none": [0.4, 0.6], "weak, higher rate": [0.3, 0.4, 9], "drift, none": [0.1, 0.1],
              "partner, none": [0.5, 0.5], "partner, aligned anew": [0.2, 0.2]}  # fmt: skip
    rows = scores_of({("adaptation", arm): values for arm, values in regret.items()}, "regret")
    for metric, values in (("recovered_after", [5, 10]), ("recovered", [1, 0])):
        rows += scores_of({("adaptation", arm): values for arm in regret}, metric)
    drawing = adaptation.responses(table_of(rows))
    data = drawing.data.set_index(["metric", "change", "line"])["middle"]
    assert data["saved"].to_dict() == {("weak", "higher rate"): pytest.approx(-0.15)}
    assert set(data["recovered_after"].index.get_level_values("change")) == {"weak", "partner"}
    beside = [text.get_text() for text in drawing.figure.axes[-1].texts]
    assert sorted(beside) == ["", *["1 of 2"] * 4, "recovered"]
