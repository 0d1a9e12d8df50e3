"""Score tables and interval estimates against slow twins and known answers."""

import numpy as np
import pytest
from oracles import statistics as oracle

from replication.seeding import stream
from replication.settings import BadInput
from replication.stats import intervals


def rng(*numbers):
    return stream("test of statistics", *numbers)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 10, 20])
def test_interquartile_mean_equals_its_definition(n):
    values = rng(n).normal(size=n)
    assert intervals.iqm(values) == pytest.approx(oracle.interquartile_mean(values))


def test_interquartile_mean_ignores_one_wild_seed():
    values = np.array([1.0, 1.1, 0.9, 1.0, 1.05, 0.95, 1.0, 1e6])
    assert intervals.iqm(values) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("statistic", ["mean", "iqm", "median"])
def test_interval_agrees_with_the_slow_bootstrap(statistic):
    values = rng(1).normal(3.0, 1.0, size=20)
    slow = {"mean": np.mean, "median": np.median, "iqm": oracle.interquartile_mean}[statistic]
    found = intervals.interval(values, rng=rng(2), statistic=statistic, method="percentile")
    low, high = oracle.percentile_interval(values, slow, rng(3))
    assert found.value == pytest.approx(slow(values))
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.06)
    assert found.n == 20


def test_bias_corrected_interval_follows_the_skew():
    values = np.exp(rng(4).normal(size=20))
    plain = intervals.interval(values, rng=rng(5), method="percentile")
    corrected = intervals.interval(values, rng=rng(5))
    assert corrected.high > plain.high
    assert corrected.low > plain.low


def test_interval_covers_the_truth_about_as_often_as_documented():
    draws = rng(6).normal(size=(300, 20))
    found = [intervals.interval(draw, rng=rng(7, k)) for k, draw in enumerate(draws)]
    covered = np.mean([estimate.low <= 0.0 <= estimate.high for estimate in found])
    assert 0.88 <= covered <= 0.98


def test_generator_matters_and_equal_generators_agree():
    values = rng(8).normal(size=10)
    first, again, other = (intervals.interval(values, rng=rng(seed)) for seed in (1, 1, 2))
    assert first == again
    assert (first.low, first.high) != (other.low, other.high)


def test_one_value_has_no_interval_and_equal_values_have_a_point():
    single = intervals.interval(np.array([2.0]), rng=rng())
    assert np.isnan(single.low)
    assert np.isnan(single.high)
    assert single.text() == "2, n = 1"
    same = intervals.interval(np.full(5, 0.25), rng=rng())
    assert (same.low, same.high) == (0.25, 0.25)


def test_bca_without_an_answer_falls_back_to_the_percentile_interval():
    found = intervals.interval(np.array([0.0] * 9 + [1.0]), rng=rng(), statistic="iqm")
    assert 0.0 <= found.low <= found.high <= 1.0


@pytest.mark.parametrize("values", [[], [1.0, np.nan], [np.inf, 0.0]])
def test_values_that_cannot_be_judged_are_refused(values):
    with pytest.raises(BadInput):
        intervals.interval(np.array(values), rng=rng())


def test_unknown_statistic_is_one_clear_line():
    with pytest.raises(BadInput, match=r"unknown statistic 'iqr'.*known: iqm, mean, median"):
        intervals.interval(np.arange(4.0), rng=rng(), statistic="iqr")


def test_stratified_interval_never_mixes_tasks():
    tasks = np.array([[0.0, 100.0]] * 6)  # two tasks without any spread inside them
    found = intervals.stratified(tasks, rng=rng(), statistic="mean")
    assert (found.low, found.value, found.high) == (50.0, 50.0, 50.0)


def test_stratified_interval_agrees_with_the_slow_one():
    tasks = [rng(1, k).normal(k, 1.0, size=8 + k) for k in range(3)]
    found = intervals.stratified(tasks, rng=rng(2))
    pooled = np.concatenate(tasks)
    low, high = oracle.stratified_percentile_interval(tasks, oracle.interquartile_mean, rng(3))
    assert found.value == pytest.approx(oracle.interquartile_mean(pooled))
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.06)


def test_band_is_the_interval_of_every_point():
    curves = rng(1).normal(size=(12, 4)) + np.arange(4.0)
    band = intervals.band(curves, rng=rng(2))
    assert np.allclose(band.middle, curves.mean(axis=0))
    for t in range(4):
        low, high = oracle.percentile_interval(curves[:, t], np.mean, rng(3, t))
        assert (band.low[t], band.high[t]) == pytest.approx((low, high), abs=0.08)
    single = intervals.band(curves[:1], rng=rng())
    assert np.array_equal(single.low, curves[0])


def test_slopes_recover_a_power_law_per_seed():
    x = np.array([10.0, 30.0, 100.0])
    exponents = np.array([-0.5, -0.4, -0.6, -0.55])
    y = 3.0 * x[None, :] ** exponents[:, None]
    assert np.allclose(intervals.slopes(x, y), exponents)
    noisy = y * np.exp(0.3 * rng(1).normal(size=y.shape))
    assert np.allclose(intervals.slopes(x, noisy), [oracle.log_log_slope(x, row) for row in noisy])
    found = intervals.slope_interval(x, y, rng=rng(2))
    assert found.low < -0.5 < found.high
    assert found.n == 4


def test_slopes_refuse_zeros_and_a_single_x():
    with pytest.raises(BadInput, match="positive"):
        intervals.slopes(np.array([1.0, 2.0]), np.array([[0.0, 1.0]]))
    with pytest.raises(BadInput, match="two different x"):
        intervals.slopes(np.array([2.0, 2.0]), np.array([[1.0, 1.0]]))


def test_estimate_text_has_the_decimals_its_interval_deserves():
    assert intervals.Estimate(0.99104, 0.99021, 0.99213, 10).text() == "0.9910 [0.9902, 0.9921], n = 10"
    assert intervals.Estimate(1234.5, 1100.2, 1400.9, 5).text() == "1234 [1100, 1401], n = 5"
    assert intervals.Estimate(-0.001, -0.12, 0.11, 5).text() == "0.00 [-0.12, 0.11], n = 5"
