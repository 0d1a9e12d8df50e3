"""Two levels of agents: groups with a barycenter each, and the barycenter of those.

Source: 2401.10949, scalable learning: agents are partitioned, aligned inside groups and then between groups. For
Gaussians that commute and on lines (means of means) both levels give the flat barycenter, and the mean W_2^2 to it
splits exactly into what is inside groups and between them; in general neither holds.
"""

from dataclasses import dataclass

import numpy as np

from replication.algos.transport_barycenters import Barycenter, barycenter
from replication.algos.transport_plans import ground_cost, plan
from replication.algos.transport_settings import TransportSettings, check_agents, check_samples
from replication.settings import BadInput

_EXACT = TransportSettings(method="exact")


@dataclass(frozen=True)
class Grouped:
    """Barycenters of two levels.

    Attributes:
        top: barycenter of the groups' barycenters.
        groups: (G, m, d) points of the groups' barycenters.
        inside: mean W_2^2 of the agents to their group's barycenter.
        between: mean W_2^2 of the groups' barycenters to the top.
    """

    top: Barycenter
    groups: np.ndarray
    inside: float
    between: float


def nearby_groups(points: np.ndarray, size: int) -> np.ndarray:
    """(A / size, size) agents in groups of equal size, by halving along the widest axis again and again.

    Args:
        points: (A, d) where the agents are. size: a divisor of A.
    """
    points = check_samples(points, "points")
    if size < 1 or len(points) % size:
        raise BadInput(f"groups of equal size need a divisor of {len(points)} agents, got {size}")
    return np.array(_halved(points, np.arange(len(points)), len(points) // size))


def _halved(points: np.ndarray, members: np.ndarray, groups: int) -> list[np.ndarray]:
    if groups == 1:
        return [np.sort(members)]
    axis = int(np.ptp(points[members], axis=0).argmax())
    order = members[np.argsort(points[members, axis], kind="stable")]
    cut = len(members) // groups * (groups // 2)
    return [*_halved(points, order[:cut], groups // 2), *_halved(points, order[cut:], groups - groups // 2)]


def grouped_barycenter(samples: np.ndarray, groups: np.ndarray, settings: TransportSettings | None = None) -> Grouped:
    """Barycenter of the barycenters of groups of agents.

    Source: 2401.10949, scalable learning: inside groups first, then between groups.

    Args:
        samples: (A, m, d) of all agents.
        groups: (G, k) which agents are together, every agent once, at least two groups of at least two.

    Raises:
        BadInput: groups that are no partition, or as `barycenter`.
        NotConverged: one of the barycenters.
    """
    samples, groups = check_agents(samples), np.asarray(groups)
    if groups.ndim != 2 or min(groups.shape) < 2 or not np.array_equal(np.sort(groups, None), np.arange(len(samples))):
        raise BadInput(f"groups must hold each of {len(samples)} agents once, in 2 or more rows of 2 or more")
    settings = settings or _EXACT
    lower = np.stack([barycenter(samples[members], settings).points for members in groups])
    top = barycenter(lower, settings)
    inside = [spread(samples[members], points) for members, points in zip(groups, lower, strict=True)]
    return Grouped(top, lower, float(np.mean(inside)), spread(lower, top.points))


def spread(samples: np.ndarray, points: np.ndarray) -> float:
    """Mean W_2^2 from the samples (A, m, d) of all agents to points (k, d): what a barycenter makes least."""
    return float(np.mean([plan(ground_cost(points, rows, 2), settings=_EXACT).cost for rows in samples]))
