"""Optimal transport between agents: distances of all pairs, their floor, and (from the siblings) plans and barycenters.

Source: 2401.10949, area 1: W_p between the distributions agents induce. A solver that did not converge leaves a NaN in
its pair that no mean takes in, and the pair is named.
"""

import itertools
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from replication.algos.transport_barycenters import Barycenter, barycenter
from replication.algos.transport_closed_forms import directions, line_cost
from replication.algos.transport_plans import Plan, assignment, cost_scale, entropic, ground_cost, plan, self_potential
from replication.algos.transport_settings import NotConverged, TransportSettings, check_agents, check_samples
from replication.settings import BadInput

FLAT = 1e-7  # share of a covariance's trace added to its diagonal where its root could not be taken
__all__ = [
    "Barycenter",
    "Distances",
    "NotConverged",
    "Plan",
    "TransportSettings",
    "assignment",
    "barycenter",
    "distance",
    "ground_cost",
    "null_distance",
    "pairwise_distances",
    "plan",
]
_SCALE_SAMPLES = 256  # samples of the pool from which the entropy's scale is taken


@dataclass(frozen=True)
class Distances:
    """Distances between all pairs of agents.

    Attributes:
        values: (A, A) symmetric, 0 on the diagonal, NaN where the solver did not converge.
        failed: pairs (i, j), i < j, whose solver did not converge; report them.
    """

    values: np.ndarray
    failed: tuple[tuple[int, int], ...]

    def mean(self) -> float:
        """Mean over the pairs that converged.

        Raises:
            NotConverged: no pair did.
        """
        pairs = self.values[np.triu_indices(len(self.values), 1)]
        if np.isnan(pairs).all():
            raise NotConverged(f"none of {len(pairs)} pairs converged; raise regularisation or max_iterations")
        return float(np.nanmean(pairs))


def distance(
    x: np.ndarray, y: np.ndarray, settings: TransportSettings | None = None, *, eps: float | None = None
) -> float:
    """W_p between two equally weighted samples (n, d) and (m, d), by the method of the settings.

    "sinkhorn" gives the p-th root of the debiased divergence (Feydy et al. 2019), "sliced" SW_p, "gaussian" W_2 of
    fitted Gaussians.

    Args:
        eps: absolute weight of the entropy; by default the settings' share of the median cost between x and y.

    Raises:
        BadInput: NaN, different features, or method "unbalanced", which is no distance.
        NotConverged: the answer missed the tolerance.
    """
    settings = settings or TransportSettings()
    x, y = check_samples(x, "first samples"), check_samples(y, "second samples")
    if x.shape[1] != y.shape[1]:
        raise BadInput(f"both samples need the same features, got {x.shape[1]} and {y.shape[1]}")
    if settings.method == "unbalanced":
        raise BadInput("samples are compared by exact, gaussian, sinkhorn or sliced, got method 'unbalanced'")
    costs = {"exact": _exact, "gaussian": _gaussian, "sliced": _sliced, "sinkhorn": _divergence}
    value = costs[settings.method](x, y, settings, eps)
    return max(value, 0.0) ** (1.0 / (2 if settings.method == "gaussian" else settings.power))


def pairwise_distances(samples: np.ndarray, settings: TransportSettings | None = None) -> Distances:
    """Distances between the samples (A, m, d) of all pairs of agents.

    The lines of "sliced" and the entropy of "sinkhorn" are the same for all pairs.

    Source: 2401.10949, policy alignment: the penalty is a sum of these over pairs.

    Raises:
        BadInput: fewer than two agents, unequal shapes, NaN features.
    """
    settings = settings or TransportSettings()
    samples = check_agents(samples)
    if settings.method == "sliced":
        return Distances(_all_sliced(samples, settings), ())
    eps = _pooled_entropy(samples, settings) if settings.method == "sinkhorn" else None
    values, failed = np.zeros((len(samples), len(samples))), []
    for i, j in itertools.combinations(range(len(samples)), 2):
        try:
            values[i, j] = values[j, i] = distance(samples[i], samples[j], settings, eps=eps)
        except NotConverged:
            values[i, j] = values[j, i] = np.nan
            failed.append((i, j))
    return Distances(values, tuple(failed))


def null_distance(samples: np.ndarray, rng: np.random.Generator, settings: TransportSettings | None = None) -> float:
    """Mean pairwise distance after the agents' labels are shuffled over all samples (A, m, d).

    What sampling alone makes of agents that do not differ: the floor under `pairwise_distances`, which in many
    dimensions can be most of it. The same shuffle is the placebo of alignment.
    """
    samples = check_agents(samples)
    pooled = samples.reshape(-1, samples.shape[-1])
    return pairwise_distances(rng.permutation(pooled).reshape(samples.shape), settings).mean()


def _exact(x: np.ndarray, y: np.ndarray, settings: TransportSettings, _: float | None) -> float:
    cost = ground_cost(x, y, settings.power)
    if len(x) != len(y):
        return plan(cost, settings=settings).value
    return float(cost[linear_sum_assignment(cost)].mean())  # equal masses: a permutation is optimal


def _sliced(x: np.ndarray, y: np.ndarray, settings: TransportSettings, _: float | None) -> float:
    lines = directions(x.shape[1], settings.projections, settings.projection_seed)
    return float(line_cost(x @ lines, y @ lines, settings.power).mean())


def _all_sliced(samples: np.ndarray, settings: TransportSettings) -> np.ndarray:
    lines = directions(samples.shape[2], settings.projections, settings.projection_seed)
    placed = np.sort(samples @ lines, axis=1)
    values = np.zeros((len(samples), len(samples)))
    for i in range(len(samples) - 1):
        gaps = np.abs(placed[i + 1 :] - placed[i]) ** settings.power
        values[i, i + 1 :] = values[i + 1 :, i] = gaps.mean(axis=(1, 2)) ** (1.0 / settings.power)
    return values


def _divergence(x: np.ndarray, y: np.ndarray, settings: TransportSettings, eps: float | None) -> float:
    between = ground_cost(x, y, settings.power)
    eps = settings.regularisation * cost_scale(between) if eps is None else eps
    a, b = (np.full(count, 1.0 / count) for count in between.shape)
    own = sum(self_potential(ground_cost(z, z, settings.power), settings, eps).mean() for z in (x, y))
    return entropic(between, a, b, settings, eps).value - float(own)


def _pooled_entropy(samples: np.ndarray, settings: TransportSettings) -> float:
    pooled = samples.reshape(-1, samples.shape[-1])
    some = pooled[:: max(1, len(pooled) // _SCALE_SAMPLES)]
    return settings.regularisation * cost_scale(ground_cost(some, some, settings.power))


def _gaussian(x: np.ndarray, y: np.ndarray, settings: TransportSettings, _: float | None) -> float:
    if min(len(x), len(y)) < 2:
        raise BadInput(f"a Gaussian is fitted to at least 2 samples, got {len(x)} and {len(y)}")
    fits = [np.atleast_2d(np.cov(z.T)) for z in (x, y)]
    means = x.mean(axis=0), y.mean(axis=0)
    value = _bures(*means, *fits)
    if not np.isfinite(value):  # roots of a flat covariance fail for eigenvalues a rounding below 0
        value = _bures(*means, *(fit + FLAT * np.trace(fit) * np.eye(len(fit)) for fit in fits))
    if not np.isfinite(value):
        raise NotConverged("the Bures-Wasserstein distance is not a number; give more samples than features")
    return value**2


def _bures(mean_x: np.ndarray, mean_y: np.ndarray, cov_x: np.ndarray, cov_y: np.ndarray) -> float:
    import ot

    try:
        with np.errstate(invalid="ignore"):
            return float(ot.gaussian.bures_wasserstein_distance(mean_x, mean_y, cov_x, cov_y))
    except np.linalg.LinAlgError:
        return np.nan
