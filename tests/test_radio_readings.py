"""Numbers behind the sentences of the radio notebook: known tables give known ratios, gates, spells and contrasts."""

import numpy as np
import pytest
from figure_checks import table_of

from replication.papers.radio_resource import arms, readings
from replication.papers.radio_resource import figures_learning as learning
from replication.papers.radio_resource.experiments import EXPERIMENTS
from replication.papers.radio_resource.figures_paired import ITLINQ, ORACLE

ARMS = {(one.name, arm): settings for one in EXPERIMENTS for arm, settings in one.arms("full").items()}
RANDOM, RANDOM_DATA = ("schedulers", "random"), ("paradigms", "CTDE on random")


def table(values):
    """From (experiment, arm) or (experiment, arm, metric) -> values of the seeds 0, 1 ..."""
    return table_of([(*place[:2], seed, place[2] if len(place) > 2 else "score", float(value))
                     for place, given in values.items() for seed, value in enumerate(given)])  # fmt: skip


def test_every_arm_that_is_read_is_one_of_the_full_profile():
    pairs = (readings.IMITATION | readings.LUCK | readings.EXPONENTS).values()
    read = {arm for first, _, second, _ in pairs for arm in (first, second)}
    read |= {*readings.REACH.values(), *readings.DRAWN_AND_LIKELIEST.values()}
    read |= {("schedulers", name) for name in readings.CALIBRATION}
    read |= {(experiment, name) for names in readings.CONTRASTS.values() for name in names if name
             for experiment in ("wide", "paradigms")}  # fmt: skip
    assert read - set(ARMS) == set()
    assert {("wide", name) for name in learning.WIDE} - set(ARMS) == set()
    sampled = {first for first, metric, _, _ in pairs if metric.startswith("sampled_")}
    assert all(ARMS[place].sampled for place in sampled)


def test_ratios_are_of_the_same_seed_and_tell_interval_and_number():
    found = table({("paradigms", "CTDE"): [2.0, 8.0], ("learners", "cloning"): [1.0, 2.0, 9.0],
                   ("learners", "cloning", "sampled_score"): [2.0, 8.0]})  # fmt: skip
    rows = {row["ratio"]: row["mean"] for row in readings.compared(found, readings.IMITATION)}
    assert rows["CTDE / cloning"] == "3.0 [2.0, 4.0], n = 2"
    assert rows["CTDE / cloning that draws"] == "1, n = 2"
    assert set(rows) == {"CTDE / cloning", "CTDE / cloning that draws"}


@pytest.mark.parametrize("score, verdict", [([1.2, 1.3], "yes"), ([1.1, 1.12], "no"), ([1.1, 1.3], "open")])
def test_the_claimed_gain_is_reached_if_the_whole_interval_says_so(score, verdict):
    rows = readings.reach(table({readings.CTDE: score, ITLINQ: [1.0, 1.0], ORACLE: [1.4, 1.8]}))
    assert [(row["learner"], row["1.15 or more"]) for row in rows] == [("CTDE on SAC data", verdict)]


def test_the_way_to_the_oracle_is_between_schedulers_of_the_same_seed():
    found = table({readings.CTDE: [1.2, 2.6], ITLINQ: [1.0, 2.0], ORACLE: [1.4, 4.0]})
    assert readings.way_to_the_oracle(found, readings.CTDE) == pytest.approx([0.5, 0.3])
    assert readings.reach(found)[0]["way from ITLinQ to the oracle [%]"].startswith("40 [30, 50]")


def gate_values(changed=None):
    """A table in which every gate is met, but for what is changed."""
    values = {("schedulers", name): [score, score] for name, score in readings.CALIBRATION.items()}
    itlinq = readings.CALIBRATION["ITLinQ"]
    values |= {ORACLE: [1.4 * itlinq, 1.41 * itlinq], RANDOM_DATA: [1.2, 1.25], ("online", "DQN"): [1.22, 1.23],
               ("learners", "cloning sac-final", "sampled_score"): [1.3, 1.3],
               readings.BEHAVIOUR: [1.29, 1.31]}  # fmt: skip
    return table(values | (changed or {}))


def test_gates_that_hold_are_met():
    rows = readings.gates(gate_values())
    assert [row["met"] for row in rows] == ["yes"] * 6
    assert all("n = 2" in row["found"] for row in rows)


@pytest.mark.parametrize("gate, place, values", [
    ("greedy rate / its calibration", ("schedulers", "greedy rate"), [1.09, 1.09]),
    ("greedy rate / its calibration", ("schedulers", "greedy rate"), [0.9, 0.93]),
    ("oracle / ITLinQ", ("schedulers", "oracle"), [1.72, 2.0]),
    ("oracle of the ranked three / ITLinQ", ORACLE, [1.5, 1.7]),
    ("CTDE on random data / random actions", RANDOM_DATA, [1.0, 1.3]),
    ("online DQN / ITLinQ", ("online", "DQN"), [1.2, 1.3]),
    ("clone that draws / SAC behaviour", ("learners", "cloning sac-final", "sampled_score"), [1.3, 1.36]),
])  # fmt: skip
def test_a_gate_that_does_not_hold_is_not_met(gate, place, values):
    missed = [row["gate"] for row in readings.gates(gate_values({place: values})) if row["met"] == "no"]
    assert any(name.startswith(gate) for name in missed)


def test_gates_show_what_has_run():
    assert readings.gates(table({})) == []
    rows = readings.gates(table({RANDOM: [1.1], RANDOM_DATA: [1.2]}))
    assert [row["found"] for row in rows] == ["0.9892, n = 1", "1.091, n = 1"]


def test_spells_are_counted_within_a_seed_and_an_access_point():
    off = np.zeros((2, 6, 2), bool)
    off[0, [0, 1, 4], 0] = True
    off[0, 3:, 1] = True
    off[1, 0, 0] = True
    assert sorted(readings.spells_of(off)) == [1, 1, 2, 3]
    served = np.where(off, -1, 5)
    row, always = readings.silence({"a": {"b": {"served": served}, "c": {"served": 0 * served}}},
                                   {"one": ("a", "b"), "on": ("a", "c"), "absent": ("a", "d")})  # fmt: skip
    assert (row["share off"], row["mean spell [TTI]"], row["of it in spells of 1 or 2"]) == ("0.292", "1.8", "57%")
    assert (always["share off"], always["mean spell [TTI]"]) == ("0.000", "")


def test_widths_are_compared_on_the_seeds_that_both_have():
    values = {(experiment, "CTDE"): [factor * seed for seed in range(1, count + 1)]
              for experiment, factor, count in (("paradigms", 2.0, 4), ("wide", 3.0, 2))}  # fmt: skip
    values[ITLINQ] = [1.0, 1.0, 1.0, 1.0]
    assert readings.widths(table(values)) == [
        {"ratio": "CTDE / ITLinQ", "64 wide": "3.0 [2.0, 4.0], n = 2", "256 wide": "4.5 [3.0, 6.0], n = 2"}
    ]
    assert readings.widths(table({ITLINQ: [1.0]})) == []


def test_the_primary_contrasts_are_those_that_are_repeated():
    assert {name for names in readings.CONTRASTS.values() for name in names} - {""} == set(arms.wide_arms("full"))
