"""Quadratic programs by trying every set of active constraints: slow and obvious."""

import itertools

import numpy as np


def minimum(hessian, gradient, rows, bounds):
    """Least value of 1/2 x'Hx + g'x subject to rows @ x >= bounds; infinity if nothing is feasible."""
    n, best = len(gradient), np.inf
    for size in range(min(n, len(bounds)) + 1):
        for active in itertools.combinations(range(len(bounds)), size):
            held = rows[list(active)]
            matrix = np.block([[hessian, -held.T], [held, np.zeros((size, size))]])
            right = np.concatenate([-gradient, bounds[list(active)]])
            if np.linalg.matrix_rank(matrix) < n + size:
                continue
            x = np.linalg.solve(matrix, right)[:n]
            if np.all(rows @ x >= bounds - 1e-9):
                best = min(best, 0.5 * x @ hessian @ x + gradient @ x)
    return best
