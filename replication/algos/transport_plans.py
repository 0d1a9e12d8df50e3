"""Transport plans, each checked before it is returned.

Source: 2401.10949, area 2 (plans between supplies and demands); the solvers are POT's and SciPy's, the entropic one
our own. Marginals are checked, or the optimality condition where marginals are only priced; a solver that did not get
there raises `NotConverged`.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from replication.algos.transport_kernel import self_sinkhorn, sinkhorn
from replication.algos.transport_settings import (
    NotConverged,
    TransportSettings,
    check_balance,
    check_cost,
    check_masses,
)
from replication.settings import BadInput

EXACT_ERROR = 1e-9  # largest marginal error of a linear programme, as a share of the mass
LEAST_PIVOTS = 1_000_000  # of the linear programme, POT's own default


@dataclass(frozen=True)
class Plan:
    """A checked transport plan.

    Attributes:
        matrix: (n, m) mass moved from source i to target j.
        cost: sum of mass times cost, without any regularisation.
        value: the objective that was minimised, entropy and prices of marginals included.
        source, target: (n,), (m,) dual potentials; the source's has (weighted) mean 0 when balanced.
        error: largest marginal error (sum over a side, over the mass), or optimality error when unbalanced.
    """

    matrix: np.ndarray
    cost: float
    value: float
    source: np.ndarray
    target: np.ndarray
    error: float


def ground_cost(x: np.ndarray, y: np.ndarray, power: int) -> np.ndarray:
    """(n, m) Euclidean distances to the power 1 or 2 between samples (n, d) and (m, d)."""
    if x.shape[1] != y.shape[1]:
        raise BadInput(f"both samples need the same features, got {x.shape[1]} and {y.shape[1]}")
    squared = np.zeros((len(x), len(y)))
    for feature in range(x.shape[1]):  # exact zeros for equal points, unlike the expanded square
        squared += np.subtract.outer(x[:, feature], y[:, feature]) ** 2
    return squared if power == 2 else np.sqrt(squared)


def plan(
    cost: np.ndarray,
    a: np.ndarray | None = None,
    b: np.ndarray | None = None,
    settings: TransportSettings | None = None,
) -> Plan:
    """Cheapest way to move masses a (n,) onto b (m,) at cost (n, m).

    Methods "exact", "sinkhorn" and "unbalanced" of the settings; masses are uniform if absent. Unbalanced masses may
    differ, and what is missing or left over costs `marginal_price` times its Kullback-Leibler divergence.

    Source: Kantorovich (1942); Cuturi (2013) for the entropy; Chizat et al. (2018) for priced marginals.

    Raises:
        BadInput: NaN or negative cost, wrong masses, unequal masses for a balanced method.
        NotConverged: the answer missed the tolerance.
    """
    settings = settings or TransportSettings(method="exact")
    cost = check_cost(cost)
    a, b = check_masses(a, len(cost), "masses a"), check_masses(b, cost.shape[1], "masses b")
    solvers = {"exact": _exact, "sinkhorn": entropic, "unbalanced": _unbalanced}
    if settings.method not in solvers:
        raise BadInput(f"a plan comes from {', '.join(sorted(solvers))}, got method {settings.method!r}")
    if settings.method != "unbalanced":
        check_balance(a, b)
    return solvers[settings.method](cost, a, b, settings)


def assignment(cost: np.ndarray) -> np.ndarray:
    """(n,) column of every row in the cheapest one-to-one assignment, cost (n, m) with n <= m.

    Equal masses make this the exact plan (Birkhoff), at a fraction of its time.
    """
    cost = check_cost(cost)
    if len(cost) > cost.shape[1]:
        raise BadInput(
            f"a balanced assignment needs a target for every agent, got {len(cost)} agents and {cost.shape[1]} "
            "targets; repeat targets that take several agents, or use plan(..., method='unbalanced')"
        )
    return linear_sum_assignment(cost)[1]


def entropic(
    cost: np.ndarray, a: np.ndarray, b: np.ndarray, settings: TransportSettings, eps: float | None = None
) -> Plan:
    """Entropic plan with an absolute weight `eps`, by default the settings' share of the median cost."""
    eps = settings.regularisation * cost_scale(cost) if eps is None else eps
    source, target = np.zeros(len(a)), np.zeros(len(b))
    steps, error = sinkhorn(cost, a, b, eps, settings.tolerance, settings.max_iterations, source, target)
    _expect_small(error, steps, settings)
    matrix = a[:, None] * b * np.exp((source[:, None] + target - cost) / eps)
    value = float(a @ source + b @ target)
    return checked(matrix, cost, a, b, value, source, target, 2.0 * settings.tolerance)


def self_potential(cost: np.ndarray, settings: TransportSettings, eps: float) -> np.ndarray:
    """Potential (n,) of entropic transport from equally weighted points to themselves; twice its mean is the value.

    Raises:
        NotConverged: the marginal error missed the tolerance.
    """
    potential, even = np.zeros(len(cost)), np.full(len(cost), 1.0 / len(cost))
    steps, error = self_sinkhorn(cost, even, eps, settings.tolerance, settings.max_iterations, potential)
    _expect_small(error, steps, settings)
    return potential


def _expect_small(error: float, steps: int, settings: TransportSettings) -> None:
    if not error <= settings.tolerance:
        raise NotConverged(
            f"Sinkhorn reached a marginal error of {error:.1e} after {steps} iterations, asked for "
            f"{settings.tolerance:g}; raise regularisation or max_iterations"
        )


def _exact(cost: np.ndarray, a: np.ndarray, b: np.ndarray, settings: TransportSettings) -> Plan:
    import ot

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its words are in the status
        solved = ot.solve(cost, a, b, max_iter=max(settings.max_iterations, LEAST_PIVOTS))
    if solved.status != "Converged":
        raise NotConverged(f"the linear programme stopped early ({solved.status}); fewer samples, or raise the limit")
    source, target = solved.potentials
    return checked(solved.plan, cost, a, b, float(solved.value_linear), source, target, EXACT_ERROR)


def _unbalanced(cost: np.ndarray, a: np.ndarray, b: np.ndarray, settings: TransportSettings) -> Plan:
    import ot

    if a.min() <= 0 or b.min() <= 0:
        raise BadInput("unbalanced transport needs masses > 0 everywhere; leave empty places out")
    eps, price = (share * cost_scale(cost) for share in (settings.regularisation, settings.marginal_price))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the condition below decides
        solved = ot.solve(cost, a, b, reg=eps, unbalanced=price, max_iter=settings.max_iterations, tol=1e-12)
    matrix = solved.plan
    moved = matrix.sum(axis=1), matrix.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        source, target = -price * np.log(moved[0] / a), -price * np.log(moved[1] / b)
        optimal = a[:, None] * b * np.exp((source[:, None] + target - cost) / eps)
        error = float(np.abs(matrix - optimal).sum() / matrix.sum())
    if not error <= settings.tolerance:
        raise NotConverged(
            f"unbalanced transport reached an optimality error of {error:.1e}, asked for {settings.tolerance:g}; "
            "raise regularisation or max_iterations"
        )
    spent = float((matrix * cost).sum())
    value = spent + eps * _divergence(matrix, np.outer(a, b))
    value += price * (_divergence(moved[0], a) + _divergence(moved[1], b))
    return Plan(matrix, spent, value, source, target, error)


def checked(
    matrix: np.ndarray,
    cost: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    value: float,
    source: np.ndarray,
    target: np.ndarray,
    allowed: float,
) -> Plan:
    """The plan, once its marginals are right; potentials are shifted to a source mean of 0."""
    error = max(np.abs(matrix.sum(axis=1) - a).sum(), np.abs(matrix.sum(axis=0) - b).sum()) / a.sum()
    if not error <= allowed:
        raise NotConverged(
            f"a plan's marginals are off by {error:.1e} of the mass, allowed are {allowed:g}; "
            "raise regularisation, tolerance or max_iterations"
        )
    centre = float(a @ source) / a.sum()
    return Plan(matrix, float((matrix * cost).sum()), value, source - centre, target + centre, float(error))


def _divergence(p: np.ndarray, q: np.ndarray) -> float:
    """Kullback-Leibler divergence of masses that need not sum to one: sum of p log(p / q) - p + q."""
    logs = np.log(np.where(p > 0, p, 1.0) / q)
    return float((p * logs - p + q).sum())


def cost_scale(cost: np.ndarray) -> float:
    """Median cost, or the mean where half of all costs are zero, or 1 where all are."""
    return float(np.median(cost)) or float(cost.mean()) or 1.0
