"""Comparisons name a direction: an obvious winner is tried both ways round."""

import numpy as np
import pytest
from oracles import statistics as oracle

from replication.seeding import stream
from replication.settings import BadInput
from replication.stats import comparisons


def rng(*numbers):
    return stream("test of comparisons", *numbers)


WEAK = rng(1).normal(0.0, 1.0, size=12)
STRONG = rng(2).normal(5.0, 1.0, size=10)


def test_independent_difference_has_a_direction():
    up = comparisons.a_minus_b(STRONG, WEAK, rng=rng())
    down = comparisons.a_minus_b(WEAK, STRONG, rng=rng())
    assert up.low > 3.0
    assert down.high < -3.0
    assert up.value == pytest.approx(STRONG.mean() - WEAK.mean())
    assert down.value == pytest.approx(-up.value)


def test_pairing_removes_what_the_pairs_share():
    shared = rng(5).normal(0.0, 10.0, size=15)
    a, b = shared + 0.5 + 0.1 * rng(6).normal(size=15), shared
    paired = comparisons.paired_a_minus_b(a, b, rng=rng())
    apart = comparisons.a_minus_b(a, b, rng=rng())
    assert paired.low > 0.3
    assert apart.low < 0.0 < apart.high
    assert comparisons.paired_a_minus_b(b, a, rng=rng()).high < -0.3
    with pytest.raises(BadInput, match="equal lengths, got 15 and 14"):
        comparisons.paired_a_minus_b(a, b[:14], rng=rng())


def test_fixed_arm_is_not_resampled():
    against_number = comparisons.a_minus_b(STRONG, np.array([2.0]), rng=rng(7))
    assert against_number.value == pytest.approx(STRONG.mean() - 2.0)
    low, high = oracle.percentile_interval(STRONG - 2.0, np.mean, rng(8))
    assert (against_number.low, against_number.high) == pytest.approx((low, high), abs=0.15)


def test_day_pairing_has_a_direction_and_finds_a_small_steady_gain():
    weather = rng(9).normal(0.0, 5.0, size=(1, 60))
    better = weather + 0.3 + 0.1 * rng(10).normal(size=(8, 60))
    up = comparisons.a_minus_b_by_day(better, weather, rng=rng())
    down = comparisons.a_minus_b_by_day(weather, better, rng=rng())
    assert up.low > 0.2
    assert down.high < -0.2
    assert up.sample == "n = 8 seeds x 60 days"
    alone = comparisons.a_minus_b_by_day(weather + 1.0, weather, rng=rng())
    assert (alone.value, alone.sample) == (pytest.approx(1.0), "n = 60 days")


def test_crossed_interval_agrees_with_the_slow_one():
    seed_effect = rng(11).normal(0.0, 1.0, size=(9, 1))
    a = seed_effect + rng(12).normal(0.5, 1.0, size=(9, 25))
    b = rng(13).normal(0.0, 1.0, size=(6, 25))
    found = comparisons.a_minus_b_by_day(a, b, rng=rng(14))
    low, high = oracle.crossed_difference_interval(a, b, rng(15), resamples=1000)
    assert found.value == pytest.approx(a.mean() - b.mean())
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.12)


def test_crossed_interval_does_not_mistake_days_for_seeds():
    """Three seeds that disagree stay uncertain however many days each is tested on."""
    values = np.array([[0.0], [1.0], [2.0]]) + 0.01 * rng(16).normal(size=(3, 400))
    found = comparisons.by_day(values, rng=rng(17))
    assert found.high - found.low > 0.5


def test_paired_seeds_by_day():
    luck = rng(18).normal(0.0, 5.0, size=(7, 1))
    a, b = luck + rng(19).normal(0.4, 0.1, size=(7, 30)), luck + rng(20).normal(0.0, 0.1, size=(7, 30))
    assert comparisons.a_minus_b_by_day(a, b, rng=rng(), paired_seeds=True).low > 0.3
    assert comparisons.a_minus_b_by_day(a, b, rng=rng()).low < 0.0
    with pytest.raises(BadInput, match="30 and 29 days"):
        comparisons.a_minus_b_by_day(a, b[:, :29], rng=rng())
