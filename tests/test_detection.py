"""Change detection against slow twins; statistics of equal and of different samples; thresholds, delays, bad input."""

import numpy as np
import pytest
from oracles import detection as slow
from oracles.transport import linear_programme
from refusals import refused

from replication.algos import detection
from replication.algos import detection_statistics as statistics
from replication.algos.detection_statistics import CHOICE_STATISTICS, FEATURE_STATISTICS
from replication.algos.transport_closed_forms import directions
from replication.seeding import stream


def two_samples(*numbers, features=3, sizes=(24, 10)):
    rng = stream("detection samples", *numbers)
    return rng.normal(size=(sizes[0], features)), rng.normal(0.5, 1.5, (2, sizes[1], features))


def test_windows_are_the_right_episodes():
    streams = stream("detection windows").normal(size=(2, 7, 3, 1))
    found = detection.window_statistics(streams, 3, 2, statistics.mean_shift)
    expected = slow.window_statistics(streams, 3, 2, lambda x, y: abs(x.mean() - y.mean()))
    assert found.shape == (2, 3)
    assert found == pytest.approx(expected)


def test_windows_of_choices_keep_their_order_of_axes():
    choices = stream("detection choices").integers(0, 5, (2, 6, 4))
    found = detection.window_statistics(choices, 2, 3, statistics.choice_variation)

    def variation(x, y):
        return 0.5 * sum(abs(np.mean(x == k) - np.mean(y == k)) for k in range(5))

    assert found == pytest.approx(slow.window_statistics(choices, 2, 3, variation))


@pytest.mark.parametrize("both", [True, False])
def test_cumulative_sums_equal_the_loop(both):
    scores = stream("detection scores").normal(size=(3, 20))
    found = detection.cumulative_sums(scores, 6, 0.3, both=both)
    for row, one in zip(found, scores, strict=True):
        assert row == pytest.approx(slow.cumulative_sum(one, 6, 0.3, both))


def test_cumulative_sums_see_a_drop_and_only_with_both_a_rise():
    scores = stream("detection scores").normal(size=(1, 40))
    scores[:, 20:] += 3.0
    assert detection.cumulative_sums(scores, 20, both=True)[0, -1] > 20
    assert detection.cumulative_sums(scores, 20, both=False)[0, -1] == 0.0


def test_permutation_test_equals_the_loop():
    rng = stream("detection embeddings")
    streams = rng.normal(size=(2, 9, 3)) * [1.0, 5.0, 0.1]
    found = detection.permutation_test(streams, 4, 2, 15, np.random.default_rng(5))
    again = np.random.default_rng(5)
    orders = [again.permutation(np.arange(6)) for _ in range(15)]
    for row, one in zip(found, streams, strict=True):
        scaled = one / one[:4].std(axis=0)
        expected = [slow.permutation_value(scaled[:4], scaled[end - 2 : end], orders) for end in range(6, 10)]
        assert row == pytest.approx(expected)


def test_permutation_test_is_calibrated_and_sees_a_change():
    streams = stream("detection embeddings", 1).normal(size=(200, 12, 2))
    quiet = detection.permutation_test(streams, 8, 4, 39, np.random.default_rng(0))[:, 0]
    assert np.mean(quiet >= 0.9) == pytest.approx(0.1, abs=0.06)
    streams[:, 8:] += 3.0
    assert np.all(detection.permutation_test(streams[:20], 8, 4, 39, np.random.default_rng(0)) > 0.9)


def test_axis_distances_equal_the_loop():
    rng = stream("detection axes")
    x, y = rng.normal(size=(4, 6, 3)), rng.normal(size=(4, 4, 3))
    expected = [np.mean([slow.line_distance(a[:, k], b[:, k]) for k in range(3)]) for a, b in zip(x, y, strict=True)]
    assert detection.axis_distances(x, y) == pytest.approx(expected)


def test_area_and_curve_equal_the_count_over_pairs():
    rng = stream("detection areas")
    quiet, changed = rng.integers(0, 6, 15), rng.integers(2, 9, 11)
    false_alarms, detections, area = detection.roc(quiet, changed)
    assert area == pytest.approx(slow.area(quiet, changed))
    assert np.trapezoid(detections, false_alarms) == pytest.approx(area)
    for threshold in range(9):
        assert slow.rates(quiet, changed, threshold) in [
            (pytest.approx(x), pytest.approx(y)) for x, y in zip(false_alarms, detections, strict=True)
        ]
    assert (false_alarms[-1], detections[-1]) == (1.0, 1.0)


def test_threshold_and_delays():
    quiet = np.arange(100.0)
    assert np.mean(quiet > detection.alarm_threshold(quiet, 0.05)) == pytest.approx(0.05)
    assert detection.alarm_threshold(quiet, 0.0) == 99.0
    rows = np.array([[0.0, 2, 0], [3, 0, 0], [0, 0, 0]])
    assert detection.delays(rows, 1.0).tolist() == [2.0, 1.0, np.inf]


def test_log_likelihoods_equal_the_loop():
    rng = stream("detection model")
    cells, choices = rng.integers(0, 3, (2, 6, 5)), rng.integers(0, 2, (2, 6, 5))
    found = detection.log_likelihoods(cells, choices, 4, (3, 2))
    expected = [
        [slow.log_likelihood(cells[k], choices[k], episode, 4, (3, 2)) for episode in range(6)] for k in range(2)
    ]
    assert found == pytest.approx(np.array(expected))


def test_sliced_equals_the_loop_and_exact_the_assignment():
    reference, windows = two_samples(0)
    lines = directions(3, 16, 0)
    assert statistics.sliced(reference, windows) == pytest.approx([slow.sliced(reference, y, lines) for y in windows])
    x, others = statistics.thinned(reference, windows)
    even = np.full(len(x), 1.0 / len(x))
    expected = [linear_programme(((x[:, None] - y) ** 2).sum(axis=2), even, even)[0] ** 0.5 for y in others]
    assert statistics.exact(reference, windows) == pytest.approx(expected)


def test_mean_discrepancy_equals_the_loop():
    reference, windows = two_samples(1)
    x, others = statistics.thinned(reference, windows)
    apart = [np.sum((x[i] - x[j]) ** 2) for i in range(len(x)) for j in range(i)]
    expected = [slow.mean_discrepancy(x, y, np.median(apart)) for y in others]
    assert statistics.mean_discrepancy(reference, windows) == pytest.approx(expected)


def test_gaussian_statistics_of_known_fits():
    unit = np.array([[-1.0], [1.0]])  # mean 0, deviation 1
    windows = np.stack([unit + 3.0, 2.0 * unit])
    assert statistics.gaussian(unit, windows) == pytest.approx([3.0, 1.0])
    assert statistics.gaussian_divergence(unit, windows) == pytest.approx([9.0, 0.5 * (0.25 + 4.0) - 1.0])


def test_choice_statistics_of_sure_moves():
    left, right, stay = (np.full((1, 8), k) for k in (1, 2, 0))
    for other, apart in ((right, 2.0), (stay, 1.0)):
        assert statistics.choice_distance(left[0], other) == pytest.approx([apart])
        assert statistics.choice_variation(left[0], other) == pytest.approx([1.0])
    assert statistics.choice_divergence(left[0], right) == pytest.approx(statistics.choice_divergence(left[0], stay))
    assert statistics.choice_divergence(left[0], left) == pytest.approx([0.0])


@pytest.mark.parametrize("name", FEATURE_STATISTICS)
def test_every_statistic_of_features_is_larger_behind_a_change(name):
    rng = stream("detection shifts")
    reference, quiet = rng.normal(size=(200, 4)), rng.normal(size=(20, 50, 4))
    changed = rng.normal(1.0, 1.0, (20, 50, 4))
    area = detection.roc(*(FEATURE_STATISTICS[name](reference, windows) for windows in (quiet, changed)))[2]
    assert area > 0.95


@pytest.mark.parametrize("name", CHOICE_STATISTICS)
def test_every_statistic_of_choices_is_larger_behind_a_change(name):
    rng = stream("detection shifts")
    reference, quiet = rng.integers(0, 5, 400), rng.integers(0, 5, (20, 50))
    changed = rng.choice(5, (20, 50), p=[0.6, 0.1, 0.1, 0.1, 0.1])
    area = detection.roc(*(CHOICE_STATISTICS[name](reference, windows) for windows in (quiet, changed)))[2]
    assert area > 0.95


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: detection.window_statistics(np.zeros((1, 4, 2, 1)), 3, 2, statistics.sliced), "fit into 4 episodes"),
        (lambda: detection.window_statistics(np.full((1, 4, 2, 1), np.nan), 2, 1, statistics.sliced), "finite"),
        (lambda: detection.cumulative_sums(np.zeros((1, 4)), 1), "from 2 to 3"),
        (lambda: detection.roc(np.zeros(0), np.ones(2)), "0 quiet and 2 changed"),
        (lambda: detection.alarm_threshold(np.ones(3), 1.0), "rate in \\[0, 1\\)"),
    ],
)
def test_bad_input_is_one_line(call, words):
    with refused(words):
        call()
