"""Wasserstein barycenters: of samples with a free support, of Gaussians, of histograms on fixed points.

Source: Cuturi and Doucet (2014), Alvarez-Esteban et al. (2016); a team's strategy in 2506.12497 is such a barycenter of
the agents' visits, with entropy.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import sqrtm

from replication.algos.transport_plans import ground_cost, plan
from replication.algos.transport_settings import (
    NotConverged,
    TransportSettings,
    check_agents,
    check_cost,
    check_masses,
    check_samples,
)
from replication.settings import BadInput

_STILL = 1e-12  # mean squared displacement, as a share of the samples' variance, at which the points have settled
_ERROR = 1e-6  # of a Gaussian barycenter's fixed point and of a histogram's mass


@dataclass(frozen=True)
class Barycenter:
    """A barycenter whose points have settled: equally weighted points (k, d), and the rounds it took."""

    points: np.ndarray
    rounds: int


def barycenter(
    samples: np.ndarray, settings: TransportSettings | None = None, start: np.ndarray | None = None
) -> Barycenter:
    """Points with a least mean W_2^2 to the samples of all agents, by alternating plans and means.

    "exact" uses exact plans; "sinkhorn" entropic ones, which draw the points together. The objective is not convex in
    the points, so the start matters.

    Source: Cuturi and Doucet (2014), algorithm 2 with fixed equal weights.

    Args:
        samples: (A, m, d) equally weighted samples.
        start: (k, d) first points; by default m of the agents' samples, taken from them in turn.

    Raises:
        BadInput: fewer than two agents, NaN, power other than 2, a method without barycenter.
        NotConverged: a plan missed its tolerance, or the points still moved after `max_iterations` rounds.
    """
    settings = settings or TransportSettings(method="exact")
    samples = check_agents(samples)
    if settings.power != 2 or settings.method not in ("exact", "sinkhorn"):
        raise BadInput(
            f"a barycenter of samples needs power 2 and method exact or sinkhorn, got {settings.power} and "
            f"{settings.method!r}"
        )
    agents, count, features = samples.shape
    turn = np.arange(count)
    points = samples[turn % agents, turn] if start is None else check_samples(start, "start")
    if points.shape[1] != features:
        raise BadInput(f"start must have {features} features, got {points.shape[1]}")
    still = _STILL * max(float(samples.reshape(-1, features).var(axis=0).sum()), np.finfo(float).tiny)
    for rounds in range(1, settings.max_iterations + 1):
        moved = np.zeros_like(points)
        for rows in samples:
            matrix = plan(ground_cost(points, rows, 2), settings=settings).matrix
            moved += matrix @ rows / matrix.sum(axis=1, keepdims=True) / agents
        displacement = float(np.square(moved - points).sum(axis=1).mean())
        points = moved
        if displacement <= still:
            return Barycenter(points, rounds)
    raise NotConverged(f"the barycenter's points still moved by {displacement:.1e} after {rounds} rounds; allow more")


def gaussian_barycenter(means: np.ndarray, covariances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (d,) and covariance (d, d) of the W_2 barycenter of Gaussians.

    Source: Agueh and Carlier (2011): C = mean of (C^1/2 C_i C^1/2)^1/2, which is checked.

    Args:
        means: (A, d). covariances: (A, d, d), positive definite.

    Raises:
        BadInput: fewer than two Gaussians, wrong shapes, or a covariance that is not positive definite.
        NotConverged: the fixed point was missed.
    """
    import ot

    means = check_samples(means, "means")
    covariances = np.asarray(covariances, dtype=np.float64)
    if len(means) < 2 or covariances.shape != (*means.shape, means.shape[1]):
        raise BadInput(f"need means (A, d) and covariances (A, d, d), got {means.shape} and {covariances.shape}")
    if not np.isfinite(covariances).all() or np.linalg.eigvalsh(covariances).min() <= 0:
        raise BadInput("covariances must be positive definite; add a small multiple of the identity")
    mean, covariance = ot.gaussian.bures_wasserstein_barycenter(means, covariances)
    root = np.real(sqrtm(covariance))
    expected = np.mean([np.real(sqrtm(root @ one @ root)) for one in covariances], axis=0)
    error = np.abs(expected - covariance).max() / np.abs(covariance).max()
    if not error <= _ERROR:
        raise NotConverged(f"the Gaussian barycenter misses its fixed point by {error:.1e}; widen flat covariances")
    return mean, covariance


def histogram_barycenter(histograms: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """Masses (n,) with a least mean transport cost to all histograms (A, n) on the same n points.

    An exact linear programme of A n^2 unknowns: for small alphabets, such as a networked MDP's local states.

    Source: Agueh and Carlier (2011), discrete form; POT `ot.lp.barycenter`.

    Raises:
        BadInput: fewer than two histograms, wrong shapes, unequal masses.
        NotConverged: the linear programme gave up.
    """
    import ot

    cost = check_cost(cost)
    if len(histograms) < 2:
        raise BadInput(f"a comparison of agents needs at least 2 of them, got {len(histograms)}")
    rows = np.array([check_masses(row, len(cost), "a histogram") for row in histograms])
    if np.ptp(rows.sum(axis=1)) > 1e-9 * rows.sum(axis=1).max():
        raise BadInput(f"histograms need equal masses, got {rows.sum(axis=1).tolist()[:8]}; normalise them")
    masses, log = ot.lp.barycenter(np.ascontiguousarray(rows.T), cost, log=True)
    if log.status != 0 or abs(masses.sum() - rows[0].sum()) > _ERROR * rows[0].sum():
        raise NotConverged(f"the linear programme of the barycenter gave up: {log.message}")
    return np.maximum(masses, 0.0)
