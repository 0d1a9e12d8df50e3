"""Figures of scaling and detection: from full, small and empty tables, with the given numbers, all arms told apart."""

from itertools import combinations

import numpy as np
import pandas
import pytest
from figure_checks import checked, table_of
from matplotlib.colors import to_rgb

from replication.drawing import COLUMNS
from replication.papers.optimal_transport import arms_plans as arms
from replication.papers.optimal_transport import figures_detection, figures_scaling
from replication.seeding import stream

pytestmark = pytest.mark.usefixtures("close_figures")

ARMS = {
    "distance_scaling": arms.distance_scaling_arms,
    "assignment_scaling": arms.assignment_scaling_arms,
    "barycenters": arms.barycenter_arms,
    "messages": arms.message_arms,
    "detection": arms.detection_arms,
}
MEASURED = ("seconds", "megabytes", "error", "ranks", "messages", "busiest")
DETECTED = ("area", "delay", "missed", "false_alarms")
RATES = np.linspace(0, 1, 101)


def made_up(profile, seeds):
    """A score table and curves with every arm of the profile and positive numbers without meaning."""
    draw = stream("made-up scaling scores", seeds)
    rows, curves = [], {}
    for experiment, arms_of in ARMS.items():
        for arm, study in arms_of(profile).items():
            scales = experiment != "detection"
            measured = [f"{name}{end}" for name in MEASURED for end in ("", "_exponent")] if scales else DETECTED
            rows += [(experiment, arm, s, name, draw.uniform(0, 1), "key") for name in measured for s in range(seeds)]
            one = {"detections": np.sort(draw.uniform(0, 1, (seeds, 101))), "_false_alarms": RATES}
            if scales:
                one = {name: draw.lognormal(-3, 1, (seeds, len(study.sizes))) for name in MEASURED}
                one["_sizes"] = np.array(study.sizes)
            curves.setdefault(experiment, {})[arm] = one
    return pandas.DataFrame(rows, columns=COLUMNS), curves


def every(table, curves):
    """All drawings of the two modules."""
    return {
        "distance_scaling": figures_scaling.distance_scaling(table, curves),
        "distance_samples": figures_scaling.distance_samples(table, curves),
        "assignment_scaling": figures_scaling.assignment_scaling(table, curves),
        "barycenters": figures_scaling.barycenters(table, curves),
        "messages": figures_scaling.messages(table, curves),
        "detection": figures_detection.detection(table, curves),
        "false_alarms": figures_detection.false_alarms(table),
        "detection_windows": figures_detection.detection_windows(table),
    }


def names_of(ax):
    return [text.get_text() for text in ax.texts if text.get_gid() == "direct-label"]


def test_every_arm_of_the_full_profile_is_in_some_picture():
    drawings = every(*made_up("full", 2))
    checked(drawings)
    used = pandas.concat([drawing.used for drawing in drawings.values()])
    wanted = {(experiment, arm) for experiment, arms_of in ARMS.items() for arm in arms_of("full")}
    assert wanted - set(zip(used["experiment"], used["arm"], strict=True)) == set()


def test_names_with_long_exponents_end_inside_the_page():
    table, curves = made_up("full", 2)
    for one in curves["assignment_scaling"].values():
        one["failed"] = np.full((4, len(one["_sizes"])), 0.12)
    draw = (figures_scaling.distance_scaling, figures_scaling.assignment_scaling, figures_scaling.barycenters,
            figures_scaling.messages)  # fmt: skip
    for figure in (one(table, curves).figure for one in draw):
        figure.draw_without_rendering()
        ends = [text.get_window_extent().x1 for ax in figure.axes for text in ax.texts if text.get_text()]
        assert len(ends) > 6
        assert max(ends) <= figure.bbox.x1


@pytest.mark.parametrize("profile", ["smoke", "quick"])
def test_every_figure_is_drawn_from_the_few_arms_of_smaller_profiles_with_one_seed(profile):
    drawings = every(*made_up(profile, 1))
    checked(drawings, filled=set(drawings) - {"distance_samples", "detection_windows"})


def test_every_figure_is_drawn_before_anything_has_run_and_before_curves_are_there():
    checked(every(table_of([]), {}), filled=())
    checked(every(made_up("smoke", 2)[0], {}), filled=("detection", "false_alarms"))


@pytest.mark.parametrize("names", ["PAIRS", "ASSIGNMENTS", "BARYCENTERS", "MESSAGES", "LOOKS"])
def test_methods_of_one_picture_are_told_apart(names):
    home = figures_detection if names == "LOOKS" else figures_scaling
    for one, other in combinations(getattr(home, names).values(), 2):
        apart = np.abs(np.subtract(to_rgb(one.colour), to_rgb(other.colour))).max()
        assert apart > 0.1 or one.marker != other.marker or one.dash != other.dash, (one.label, other.label)
        assert one.label != other.label


def scaled(values, **more):
    return {"seconds": np.asarray(values, float), "_sizes": np.array([2, 8, 16])} | more


def test_the_exponent_of_the_score_table_stands_behind_the_name():
    rows = [("distance_scaling", "exact", s, "seconds_exponent", value) for s, value in enumerate((1.9, 2.0, 2.1))]
    rows += [("distance_scaling", "sliced", 0, "seconds_exponent", 1.5)]
    one = {"exact": scaled(np.ones((3, 3))), "sliced": scaled(np.ones((1, 3))), "barycenter": scaled(np.ones((1, 3)))}
    drawing = figures_scaling.distance_scaling(table_of(rows), {"distance_scaling": one})
    names = sorted(names_of(drawing.figure.axes[0]) or names_of(drawing.figure.axes[-1]))
    assert names[0] == "barycenter"
    assert names[1].startswith("exact, assignment  2.00 [1.9")
    assert names[2] == "sliced  1.50"
    row = drawing.data[(drawing.data["panel"] == "seconds_exponent") & (drawing.data["line"] == "exact")]
    assert row[["middle", "n"]].to_numpy() == pytest.approx(np.array([[2.0, 3.0]]))


def test_times_are_in_milliseconds_over_the_sizes_and_what_failed_is_left_out_and_named():
    one = scaled([[0.1, 0.2, np.nan], [0.3, 0.4, 0.5]], failed=np.array([[0, 0, 1.0], [0, 0, 0]]))
    drawing = figures_scaling.assignment_scaling(table_of([]), {"assignment_scaling": {"sinkhorn": one}})
    data = drawing.data.set_index("x")
    assert data["middle"].to_dict() == pytest.approx({2.0: 200.0, 8.0: 300.0, 16.0: 500.0})
    drawing.figure.draw_without_rendering()
    assert [name for ax in drawing.figure.axes for name in names_of(ax)] == ["Sinkhorn, 17% lost"]
    assert drawing.caption.endswith("lost: did not converge")


def test_a_method_that_never_converged_is_no_line():
    one = {"failed": np.ones((2, 3)), "_sizes": np.array([2, 8, 16])}
    drawing = figures_scaling.assignment_scaling(table_of([]), {"assignment_scaling": {"sinkhorn": one}})
    drawing.figure.draw_without_rendering()
    assert drawing.data.empty


def test_errors_too_small_for_the_axis_are_drawn_at_its_floor():
    one = scaled(np.ones((2, 3)), error=np.array([[0.0, 1e-16, 0.5], [0.0, 0.0, 0.7]]))
    drawing = figures_scaling.distance_scaling(table_of([]), {"distance_scaling": {"programme": one}})
    errors = drawing.data[drawing.data["panel"] == "error"]
    assert errors["middle"].tolist() == pytest.approx([1e-3, 1e-3, 0.6])


def detected(change, name, **scores):
    return [("detection", f"{change}, {name}", s, metric, value + 0.1 * s) for metric, value in scores.items()
            for s in range(2)]  # fmt: skip


def test_detectors_have_the_same_row_for_every_change_and_the_given_numbers():
    rows = detected("greedy to random", "exact", area=0.5, delay=3.0)
    rows += detected("greedy to random", "sliced", area=0.7, delay=2.0)
    rows += detected("fixed role to greedy", "sliced", area=0.8, delay=5.0)
    rows += detected("fixed role to greedy", "exact", area=0.6, delay=6.0)
    roc = {"detections": np.tile(np.sqrt(RATES), (2, 1)), "_false_alarms": RATES}
    drawing = figures_detection.detection(table_of(rows), {"detection": {"greedy to random, exact": roc}})
    data = drawing.data[drawing.data["panel"] != "roc"].set_index(["panel", "change", "line"])["middle"]
    assert data["area", "fixed role to greedy", "sliced"] == pytest.approx(0.85)
    assert data["delay", "greedy to random", "exact"] == pytest.approx(3.05)
    curve = drawing.data[drawing.data["panel"] == "roc"].set_index("x")["middle"]
    assert curve[[0.0, 0.01, 0.25, 1.0]].tolist() == pytest.approx([0.0, 0.1, 0.5, 1.0])
    drawing.figure.draw_without_rendering()
    labels = [[text.get_text() for text in ax.get_yticklabels()] for ax in drawing.figure.axes[2:]]
    assert labels[0] == labels[2] == [figures_detection.LOOKS[name].label for name in ("sliced", "exact")]


def test_the_usual_window_lies_between_the_others_and_other_windows_are_no_change_of_their_own():
    usual = figures_detection.DEFAULT.window
    rows = detected("greedy to random", "sliced", area=0.7, delay=2.0, false_alarms=0.01)
    for window in (1, 16):
        rows += detected("greedy to random", f"sliced, window {window}", area=0.1 * window, delay=1, false_alarms=0.0)
    rows += detected("greedy to random", "exact", area=0.9, delay=1.0, false_alarms=0.0)
    data = figures_detection.detection_windows(table_of(rows)).data
    assert set(data["line"]) == {"sliced"}
    assert data[data["panel"] == "area"][["x", "middle"]].to_numpy() == pytest.approx(
        np.array([[1, 0.15], [usual, 0.75], [16, 1.65]])
    )
    areas = figures_detection.detection(table_of(rows), {}).data
    assert areas[areas["panel"] == "area"]["middle"].tolist() == pytest.approx([0.75, 0.95])


def test_false_alarms_are_those_of_one_change_for_each_behaviour_before():
    rows = detected("greedy to random", "sliced", false_alarms=0.02)
    rows += detected("greedy to mirrored", "sliced", false_alarms=0.02)
    rows += detected("fixed role to greedy", "sliced", false_alarms=0.3)
    drawing = figures_detection.false_alarms(table_of(rows))
    assert sorted(zip(drawing.data["change"], drawing.data["middle"], strict=True)) == [
        ("fixed role", pytest.approx(0.35)),
        ("greedy", pytest.approx(0.07)),
    ]
    assert set(drawing.used["arm"]) == {"greedy to random, sliced", "fixed role to greedy, sliced"}
