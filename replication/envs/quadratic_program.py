"""A small strictly convex quadratic program, solved by the dual active-set method in compiled code.

    minimise 1/2 x'Hx + g'x   subject to  C x >= b

Source: Goldfarb and Idnani, "A numerically stable dual method for solving strictly convex quadratic programs",
Mathematical Programming 27 (1983). It starts from the unconstrained minimum and adds violated constraints
one by one, so few active constraints among many cost little: the case of voltage limits on a feeder.
"""

import numpy as np
from numba import njit

_TINY = 1e-14


@njit(cache=True)
def _factor(hessian, transform):
    """Fill `transform` with the inverse transpose of the Cholesky factor of `hessian`."""
    n = len(hessian)
    lower = np.linalg.cholesky(hessian)
    transform[:] = 0.0
    for column in range(n):  # inverse of a triangular matrix, written transposed
        transform[column, column] = 1.0 / lower[column, column]
        for row in range(column + 1, n):
            total = 0.0
            for k in range(column, row):
                total += lower[row, k] * transform[column, k]
            transform[column, row] = -total / lower[row, row]


@njit(cache=True)
def _rotate(first, second):
    """Cosine and sine that turn (first, second) into (length, 0)."""
    length = np.hypot(first, second)
    if length < _TINY:
        return 1.0, 0.0
    return first / length, second / length


@njit(cache=True)
def _add_constraint(transform, upper, projected, count):
    """Append the constraint with `projected` = transform' normal to the factor `upper` of the active set."""
    n = len(transform)
    for k in range(n - 1, count, -1):
        cosine, sine = _rotate(projected[k - 1], projected[k])
        projected[k - 1] = cosine * projected[k - 1] + sine * projected[k]
        projected[k] = 0.0
        for row in range(n):
            left, right = transform[row, k - 1], transform[row, k]
            transform[row, k - 1] = cosine * left + sine * right
            transform[row, k] = cosine * right - sine * left
    for row in range(count + 1):
        upper[row, count] = projected[row]


@njit(cache=True)
def _drop_constraint(transform, upper, active, duals, count, position):
    """Remove the active constraint at `position` and restore the triangular factor."""
    n = len(transform)
    for column in range(position, count - 1):
        active[column] = active[column + 1]
        duals[column] = duals[column + 1]
        for row in range(count):
            upper[row, column] = upper[row, column + 1]
    for k in range(position, count - 1):
        cosine, sine = _rotate(upper[k, k], upper[k + 1, k])
        for column in range(k, count - 1):
            top, bottom = upper[k, column], upper[k + 1, column]
            upper[k, column] = cosine * top + sine * bottom
            upper[k + 1, column] = cosine * bottom - sine * top
        for row in range(n):
            left, right = transform[row, k], transform[row, k + 1]
            transform[row, k] = cosine * left + sine * right
            transform[row, k + 1] = cosine * right - sine * left


@njit(cache=True)
def _most_violated(rows, bounds, x, tolerance):
    worst, which = -tolerance, -1
    for m in range(len(bounds)):
        slack = -bounds[m]
        for k in range(len(x)):
            slack += rows[m, k] * x[k]
        if slack < worst:
            worst, which = slack, m
    return which, worst


@njit(cache=True)
def _primal_direction(transform, normal, count, projected, step):
    """Fill d = transform' normal and the direction that keeps the active constraints; return normal' step."""
    n, curvature = len(transform), 0.0
    step[:] = 0.0
    for k in range(n):
        projected[k] = 0.0
        for row in range(n):
            projected[k] += transform[row, k] * normal[row]
    for k in range(count, n):
        curvature += projected[k] * projected[k]
        for row in range(n):
            step[row] += transform[row, k] * projected[k]
    return curvature


@njit(cache=True)
def _dual_step(upper, projected, duals, count, direction):
    """Fill `direction` = R^-1 d and return the longest step that keeps the duals nonnegative, and who blocks."""
    longest, blocker = np.inf, -1
    for k in range(count - 1, -1, -1):
        total = projected[k]
        for column in range(k + 1, count):
            total -= upper[k, column] * direction[column]
        direction[k] = total / upper[k, k]
    for k in range(count):
        if direction[k] > _TINY and duals[k] / direction[k] < longest:
            longest, blocker = duals[k] / direction[k], k
    return longest, blocker


@njit(cache=True)
def solve_quadratic(hessian, gradient, rows, bounds, tolerance, x, multipliers):
    """Solve the program of the module's docstring; fills `x` (n,) and `multipliers` (m,) >= 0.

    Args:
        hessian: (n, n) symmetric positive definite.
        gradient: (n,).
        rows, bounds: (m, n) and (m,), the constraints rows @ x >= bounds.
        tolerance: largest violation accepted.

    Returns:
        True if a solution was found, False if the constraints contradict each other or the method stalls.
    """
    n = len(gradient)
    transform, upper = np.empty((n, n)), np.zeros((n, n))
    active, duals = np.empty(n + 1, dtype=np.int64), np.zeros(n + 1)
    projected, direction, step = np.empty(n), np.zeros(n), np.empty(n)
    _factor(hessian, transform)
    x[:] = -(transform @ (transform.T @ gradient))
    multipliers[:] = 0.0
    count = 0
    for _ in range(20 * (n + 5)):
        entering, slack = _most_violated(rows, bounds, x, tolerance)
        if entering < 0:
            for k in range(count):
                multipliers[active[k]] = duals[k]
            return True
        duals[count] = 0.0
        while True:
            curvature = _primal_direction(transform, rows[entering], count, projected, step)
            longest, blocker = _dual_step(upper, projected, duals, count, direction)
            full = -slack / curvature if curvature > _TINY else np.inf
            length = min(longest, full)
            if not np.isfinite(length):
                return False
            if full < np.inf:
                x += length * step
                slack += length * curvature
            for k in range(count):
                duals[k] -= length * direction[k]
            duals[count] += length
            if full <= longest:
                _add_constraint(transform, upper, projected, count)
                active[count] = entering
                count += 1
                break
            entered = duals[count]
            _drop_constraint(transform, upper, active, duals, count, blocker)
            count -= 1
            duals[count] = entered
    return False
