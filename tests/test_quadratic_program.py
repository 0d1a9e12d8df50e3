"""The compiled quadratic program: optimality conditions, brute force, degenerate and contradictory constraints."""

import numpy as np
import pytest
from oracles.quadratic_program import minimum

from replication.envs.quadratic_program import solve_quadratic
from replication.seeding import stream


def program(rng, n, m):
    """A random feasible program."""
    square = rng.normal(size=(n + 2, n))
    rows = rng.normal(size=(m, n))
    bounds = rows @ rng.normal(size=n) - rng.uniform(0.0, 1.0, m) * (rng.random(m) < 0.7)
    return square.T @ square + 1e-3 * np.eye(n), 3.0 * rng.normal(size=n), rows, bounds


def solved(hessian, gradient, rows, bounds):
    x, multipliers = np.empty(len(gradient)), np.empty(len(bounds))
    found = solve_quadratic(hessian, gradient, rows, bounds, 1e-10, x, multipliers)
    return found, x, multipliers


def largest_violation(hessian, gradient, rows, bounds, x, multipliers):
    """Of the optimality conditions: stationarity, feasibility, complementarity, dual signs."""
    slack = rows @ x - bounds
    return max(
        np.abs(hessian @ x + gradient - rows.T @ multipliers).max(),
        np.max(-slack, initial=0.0),
        np.max(np.abs(slack * multipliers), initial=0.0),
        np.max(-multipliers, initial=0.0),
    )


@pytest.mark.parametrize("seed", range(4))
def test_meets_the_optimality_conditions(seed):
    rng = stream("quadratic programs", seed)
    for _ in range(100):
        case = program(rng, int(rng.integers(1, 12)), int(rng.integers(0, 40)))
        found, x, multipliers = solved(*case)
        assert found
        assert largest_violation(*case, x, multipliers) < 1e-7


def test_reaches_the_minimum_found_by_trying_all_active_sets():
    rng = stream("quadratic programs", 9)
    for _ in range(20):
        hessian, gradient, rows, bounds = program(rng, 3, 6)
        _, x, _ = solved(hessian, gradient, rows, bounds)
        value = 0.5 * x @ hessian @ x + gradient @ x
        assert value == pytest.approx(minimum(hessian, gradient, rows, bounds), abs=1e-8)


def test_repeated_and_opposed_constraints_are_no_obstacle():
    hessian, gradient = np.eye(2), np.array([-1.0, -2.0])
    rows = np.array([[1.0, 1.0], [1.0, 1.0], [2.0, 2.0], [-1.0, -1.0]])
    found, x, multipliers = solved(hessian, gradient, rows, np.array([4.0, 4.0, 8.0, -4.0]))
    assert found
    np.testing.assert_allclose(x, [1.5, 2.5], atol=1e-9)
    assert np.all(multipliers >= 0.0)


def test_contradictory_constraints_are_reported():
    found, _, _ = solved(np.eye(1), np.zeros(1), np.array([[1.0], [-1.0]]), np.array([1.0, 0.0]))
    assert not found
