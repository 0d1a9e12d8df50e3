"""Figures of the radio study's sweeps and extensions: drawn from full, small and empty tables, paired by seed."""

import re

import numpy as np
import pandas
import pytest
from figure_checks import checked, table_of

from replication.drawing import levels, rows_entering
from replication.papers.radio_resource import arms
from replication.papers.radio_resource import figures_costs as costs
from replication.papers.radio_resource import figures_elsewhere as elsewhere
from replication.papers.radio_resource import figures_gap as gap
from replication.papers.radio_resource import figures_paired as paired
from replication.papers.radio_resource import figures_sweeps as sweeps
from replication.seeding import stream

pytestmark = pytest.mark.usefixtures("close_figures")

JUDGED = ("score", "sum_rate", "tail_rate")
LEARNED = (*JUDGED, "validation_score", "overestimation")
ARMS = {
    "schedulers": (arms.scheduler_arms, JUDGED),
    "lambda_oracle": (arms.oracle_arms, JUDGED),
    "elsewhere": (arms.elsewhere_scheduler_arms, JUDGED),
    "behaviour": (arms.behaviour_arms, JUDGED),
    "quality_size": (arms.quality_size_arms, LEARNED),
    "sizes": (arms.size_arms, LEARNED),
    "updates": (arms.update_arms, LEARNED),
    "sources": (arms.source_arms, LEARNED),
    "alpha": (arms.alpha_arms, LEARNED),
    "fairness": (arms.fairness_arms, LEARNED),
    "complexity": (arms.complexity_arms, tuple(costs.COSTS)),
    "gap": (arms.gap_arms, LEARNED),
    "coupling": (arms.coupling_arms, LEARNED),
    "fixed_layout": (arms.fixed_layout_arms, LEARNED),
    "transfer": (arms.transfer_arms, (*LEARNED, *(f"{place}: score" for place in arms.elsewhere()))),
}
FIGURES = (
    sweeps.size_curve,
    sweeps.quality_and_size,
    sweeps.alpha_sweep,
    costs.fairness_frontier,
    costs.complexity,
    gap.gap,
    gap.coupling,
    elsewhere.transfer,
    elsewhere.layouts,
)
REFERENCES = {"schedulers", "behaviour"}


def made_up(profile, seeds):
    """A score table with every arm of the profile and positive numbers without meaning."""
    draw = stream("made-up radio scores", seeds)
    rows = []
    for experiment, (arms_of, metrics) in ARMS.items():
        for arm in arms_of(profile):
            for metric in metrics:
                values = 1.2 * draw.lognormal(0, 0.1, seeds)
                rows += [(experiment, arm, seed, metric, value) for seed, value in enumerate(values)]
    return table_of(rows)


def scores_of(values, metric="score"):
    """Rows from (experiment, arm) -> values of the seeds 0, 1 ..."""
    return [(*place, seed, metric, float(v)) for place, given in values.items() for seed, v in enumerate(given)]


def every(table):
    """All drawings of a table, as they can be saved."""
    return checked({draw.__name__: draw(table) for draw in FIGURES}, filled=())


def test_every_learner_of_the_full_profile_is_in_some_picture():
    drawings = every(made_up("full", 2))
    assert all(len(drawing.used) and len(drawing.data) for drawing in drawings.values())
    used = pandas.concat([drawing.used for drawing in drawings.values()])
    drawn = set(zip(used["experiment"], used["arm"], strict=True))
    wanted = {(e, arm) for e, (arms_of, _) in ARMS.items() if e not in REFERENCES for arm in arms_of("full")}
    left_out = {arm for _, arm in wanted - drawn}
    assert {arm for arm in left_out if arm.startswith("ITLinQ") or arm.endswith(" m")} == set()
    assert {e for e, _ in wanted - drawn} == {"elsewhere"}  # other schedulers where only the ratio to ITLinQ is drawn


@pytest.mark.parametrize(("profile", "seeds"), [("smoke", 1), ("quick", 2)])
def test_every_figure_is_drawn_from_the_few_arms_of_smaller_profiles(profile, seeds):
    drawings = every(made_up(profile, seeds))
    empty = {name for name, drawing in drawings.items() if not len(drawing.data)}
    assert empty == {"transfer", "layouts"}  # both rest on schedulers of the full profile alone


def test_every_figure_is_drawn_before_anything_has_run():
    assert not any(len(drawing.data) for drawing in every(table_of([])).values())


def test_ratios_are_of_the_same_seed():
    rows = [("x", "a", seed, "score", 2.0 * (seed + 1)) for seed in (3, 1, 5)]
    rows += [("schedulers", "ITLinQ", seed, "score", seed + 1.0) for seed in (0, 1, 2, 3)]
    table = table_of(rows)
    assert paired.ratios(table, ("x", "a")).tolist() == [2.0, 2.0]
    assert paired.ratios(table, ("x", "missing")).size == paired.ratios(table, ("x", "a"), ("x", "none")).size == 0
    used = rows_entering(table, [("x", "a")], [paired.ITLINQ], ["score"])
    assert sorted(used[used["arm"] == "ITLinQ"]["seed"]) == [1, 3]


def test_levels_are_means_over_the_seeds_of_the_learners():
    table = table_of(scores_of({("sizes", "20000"): [1, 2], paired.TDM: [3, 5, 100], paired.ITLINQ: [1, 1, 100]}))
    assert levels(table, {"TDM": paired.TDM, "none": ("x", "y")}, [("sizes", "20000")]) == {"TDM": 4.0}
    drawn = sweeps.size_curve(table).figure.axes[0].get_lines()
    assert 4.0 in [np.unique(line.get_ydata()).item() for line in drawn if len(set(line.get_ydata())) == 1]


def test_sizes_are_in_order_and_equal_passes_end_at_the_usual_run():
    values = {("sizes", "320000"): [4, 5, 6], ("sizes", "20000"): [1, 2, 3], ("sources", "data seed 1"): [8, 8, 8],
              ("updates", "three times as long"): [7, 7, 7], ("updates", "20000, equal passes"): [1, 1, 1]}  # fmt: skip
    data = sweeps.size_curve(table_of(scores_of(values))).data
    found = {name: part[["x", "middle"]].to_numpy().tolist() for name, part in data.groupby("line")}
    assert found == {"CTDE": [[20_000, 2], [320_000, 5]], "equal passes": [[20_000, 1], [320_000, 5]],
                     "three times as long": [[320_000, 7]], "data seed": [[1, 8]]}  # fmt: skip


def test_cells_hold_the_paired_ratio_and_half_its_interval():
    values = {("quality_size", "CTDE, mixed, 5000"): [1, 2, 4, 8], paired.ITLINQ: [1, 2, 4, 4],
              ("quality_size", "independent, random, 20000"): [3, 3, 3, 3]}  # fmt: skip
    drawing = sweeps.quality_and_size(table_of(scores_of(values)))
    data = drawing.data.set_index("paradigm")
    assert data.loc["CTDE", "middle"] == 1.25
    half = 0.5 * (data.loc["CTDE", "high"] - data.loc["CTDE", "low"])
    shown = [text.get_text() for text in drawing.figure.axes[0].texts]
    assert shown == ["1.250", f"± {half:.3f}"]
    image = np.asarray(drawing.figure.axes[0].images[0].get_array().filled(np.nan))
    assert image[1, 0] == 1.25
    assert np.isnan(image).sum() == 3
    assert not drawing.figure.axes[1].images


def test_the_weight_zero_stands_apart():
    values = {("alpha", f"alpha {alpha:g}"): [alpha, alpha + 1] for alpha in (0, 0.01, 1)}
    rows = scores_of(values) + scores_of(values, "overestimation")
    drawing = sweeps.alpha_sweep(table_of(rows))
    for ax, metric in zip(drawing.figure.axes, ("score", "overestimation"), strict=True):
        (joined,) = [line for line in ax.get_lines() if line.get_label() == "CTDE"]
        assert joined.get_xdata().tolist() == [0.01, 1.0]
        assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "0.01", "1"]
        data = drawing.data[drawing.data["metric"] == metric]
        assert data[["x", "middle"]].to_numpy().tolist() == [[0, 0.5], [0.01, 0.51], [1, 1.5]]


def test_the_exponent_with_the_best_mean_validation_score_is_marked():
    validation = {
        ("fairness", "lambda 0"): [9, 0],
        ("fairness", "lambda 0.4"): [5, 6],
        ("fairness", "lambda 1"): [5, 5],
    }
    judged = [*validation, ("lambda_oracle", "lambda 0.4"), ("schedulers", "random")]
    rates = {place: [12.0 + number] * 2 for number, place in enumerate(judged)}
    tails = {place: [0.1 * number] * 2 for number, place in enumerate(judged)}
    rows = scores_of(validation, "validation_score") + scores_of(rates, "sum_rate") + scores_of(tails, "tail_rate")
    drawing = costs.fairness_frontier(table_of(rows))
    left, right = drawing.figure.axes
    assert [text.get_text() for text in right.texts] == ["chosen: 0.4"]
    points = drawing.data[drawing.data["panel"] == "rates"]
    assert points["line"].tolist() == ["random", "CTDE", "CTDE", "CTDE", "oracle, top 3"]
    assert points["exponent"].tolist()[1:] == [0, 0.4, 1, 0.4]
    named = {text.get_text(): text.xy for text in left.texts}
    assert len(named) > 2
    for text, (sum_rate, tail_rate) in named.items():
        assert float(re.fullmatch(r"score (\S+)", text)[1]) == pytest.approx(sum_rate / 24 + 3 * tail_rate)


def test_costs_are_the_given_ones_and_equal_lines_share_their_name():
    outputs = {"CTDE": (8, 16), "CTDE, shared": (8, 16), "independent": (8, 16), "centralised": (16, 256)}
    rows = [("complexity", f"{kind}, {count} APs, {width} wide", 0, "outputs", float(value))
            for kind, values in outputs.items() for count, value in zip((2, 4), values, strict=True)
            for width in (64, 256)]  # fmt: skip
    rows += [("complexity", "centralised, 2 APs, 256 wide", 0, "update_ms", 3.0)]
    rows += [("complexity", f"CTDE, {count} APs, 256 wide", 0, "update_ms", 2.0) for count in (2, 4)]
    drawing = costs.complexity(table_of(rows))
    by_metric = {ax.get_ylabel(): ax for ax in drawing.figure.axes}
    names = {text.get_text() for text in by_metric["outputs"].texts}
    assert names == {"centralised", "CTDE\nindependent\nCTDE, shared"}
    (early,) = [text for text in by_metric[costs.COSTS["update_ms"]].texts if text.get_text() == "centralised"]
    assert early.xy == (2.0, 3.0)  # at its own end, not at the axes'
    hub = drawing.data.query("metric == 'outputs' and line == 'centralised' and width == 64")
    assert hub[["x", "middle"]].to_numpy().tolist() == [[2, 16], [4, 256]]


def test_the_share_closed_is_between_base_and_the_oracle_of_the_same_seed():
    values = {("gap", "sees SNR"): [1.5, 4], ("gap", "base"): [1, 2], paired.ORACLE: [2, 6], paired.ITLINQ: [1, 2]}
    table = table_of(scores_of(values))
    assert gap.closed_share(table, "sees SNR").tolist() == [0.5, 0.5]
    assert gap.closed_share(table, "base").size == 0
    drawing = gap.gap(table)
    ax = drawing.figure.axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["base", "sees SNR"]
    assert [text.get_text() for text in ax.texts] == ["50 %   [50, 50]", "gap closed"]
    lines = sorted(
        line.get_xdata()[0] for line in ax.get_lines() if len(set(line.get_xdata())) == 1 < len(line.get_xdata())
    )
    assert {1.0, 1.15, 2.5} <= set(lines)
    assert drawing.data.set_index(["panel", "line"])["middle"].to_dict() == pytest.approx(
        {("ratio", "base"): 1.0, ("ratio", "sees SNR"): 1.75, ("share closed", "sees SNR"): 0.5}
    )


def test_the_usual_side_comes_from_the_usual_schedulers():
    values = {("coupling", f"{name}, {side} m"): [value, 2 * value] for side in (500, 100)
              for name, value in (("CTDE", side / 100 + 1), ("centralised", side / 100))}  # fmt: skip
    values |= {("elsewhere", "ITLinQ, 100 m"): [3, 3], paired.ITLINQ: [7, 7]}
    data = gap.coupling(table_of(scores_of(values))).data
    found = {names: part[["x", "middle"]].to_numpy().tolist() for names, part in data.groupby(["panel", "line"])}
    assert found["score", "ITLinQ"] == [[100, 3], [500, 7]]
    assert found["relative to centralised", "CTDE"] == [[100, 2], [500, 1.2]]


def test_transfer_is_relative_to_itlinq_of_the_same_place():
    places = {"churn": 2.0, "eta 0.05, 0 m/s": 4.0, "eta 0.002, 0 m/s": 8.0}
    rows = scores_of({("elsewhere", f"ITLinQ, {place}"): [value, 2 * value] for place, value in places.items()})
    for place in places:
        rows += scores_of({("transfer", "CTDE"): [8, 16]}, f"{place}: score")
    drawing = elsewhere.transfer(table_of(rows))
    found = {names: part["middle"].tolist() for names, part in drawing.data.groupby(["panel", "line"])}
    assert found == {("CTDE", "come and go"): [4.0], ("step", "SAC, 0 m/s"): [1.0, 2.0]}
    assert set(drawing.used["metric"]) == {"score", *(f"{place}: score" for place in places)}


def test_one_layout_has_its_own_itlinq():
    values = {("coupling", "CTDE, 500 m"): [2, 2], ("fixed_layout", "CTDE"): [6, 6], paired.ITLINQ: [1, 1],
              ("elsewhere", "ITLinQ, fixed"): [2, 2]}  # fmt: skip
    data = elsewhere.layouts(table_of(scores_of(values))).data
    assert data[["panel", "middle"]].to_numpy().tolist() == [["Layouts redrawn", 2.0], ["One fixed layout", 3.0]]
