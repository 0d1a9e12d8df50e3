"""Barrier functions: published values, symmetry, shape, and the printed formula."""

import numpy as np
import pytest
from oracles.barriers import barrier as printed

from replication.envs.barriers import BARRIER_CODES, barrier, barrier_value
from replication.settings import BadInput


def test_bowl_has_the_known_values():
    below_edge, above_edge = np.nextafter(1.05, 0.0), 1.05 + 1e-12
    voltages = np.array([1.0, 1.01, 1.025, below_edge, above_edge, 1.06, 1.10])
    known = [0.000106, 0.000305, 0.001333, 0.004794, 0.005000, 0.025, 0.105]
    np.testing.assert_allclose(barrier("bowl", voltages), known, atol=6e-7)


def test_bowl_jumps_at_the_edge_of_the_band():
    inside, outside = barrier("bowl", np.array([1.0 - 0.05 + 1e-9, 1.0 - 0.05 - 1e-9]))
    assert outside - inside == pytest.approx(2.06e-4, abs=1e-6)


def test_bump_has_the_known_values():
    np.testing.assert_allclose(
        barrier("bump", np.array([1.0, 0.95, 1.05, 0.9, 1.1])), [0, 0.0046, 0.0046, 0.055, 0.055], atol=5e-4
    )
    assert barrier("bump", np.array([3.0, 3.5])).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("name", BARRIER_CODES)
def test_agrees_with_the_printed_formula(name):
    voltages = np.linspace(0.4, 1.6, 4001)
    slow = np.array([printed(name, float(v)) for v in voltages])
    np.testing.assert_allclose(barrier(name, voltages), slow, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", BARRIER_CODES)
def test_is_symmetric_nonnegative_and_grows_away_from_one(name):
    deviation = np.linspace(0.0, 0.3, 301) + 1e-9
    above, below = barrier(name, 1.0 + deviation), barrier(name, 1.0 - deviation)
    np.testing.assert_allclose(above, below, atol=1e-12)
    assert np.all(above >= 0.0)
    assert np.all(np.diff(above) >= 0.0)


def test_courant_beltrami_is_free_inside_the_band():
    assert barrier("courant_beltrami", np.array([0.951, 1.0, 1.049])).tolist() == [0.0, 0.0, 0.0]


def test_keeps_the_shape_and_matches_the_scalar_function():
    voltages = np.linspace(0.9, 1.1, 12, dtype=np.float32).reshape(3, 4)
    costs = barrier("l2", voltages)
    assert costs.shape == (3, 4)
    assert costs.dtype == np.float64
    assert costs[1, 2] == barrier_value(BARRIER_CODES["l2"], np.float64(voltages[1, 2]))


def test_an_unknown_name_is_one_clear_line():
    with pytest.raises(BadInput, match="did you mean bowl"):
        barrier("bowll", np.ones(3))
