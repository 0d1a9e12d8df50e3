"""Agreement on an average, or on a Wasserstein barycenter, by talking to neighbours only.

A round is one message from every agent to each of its neighbours. What an average of numbers needs is linear and its
limit is the exact mean; the barycenters of diagonal Gaussians and of distributions on lines are such means (of means
and deviations, of quantiles). Samples in several dimensions agree too, but on a point that need not be the barycenter.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse.csgraph import connected_components

from replication.algos.transport_plans import ground_cost
from replication.algos.transport_settings import check_agents, check_samples
from replication.settings import BadInput

Step = Callable[[np.ndarray, np.ndarray], np.ndarray]
Measure = Callable[[np.ndarray], float]


@dataclass(frozen=True)
class Gossip:
    """What gossip leaves.

    Attributes:
        values: (A, ...) what every agent holds at the end.
        apart: (rounds + 1,) largest disagreement, as a share of that at the start.
        messages: sent by all agents together.
        busiest: messages sent and received by the agent with most of them.
    """

    values: np.ndarray
    apart: np.ndarray
    messages: int
    busiest: int

    @property
    def rounds(self) -> int:
        """Rounds done."""
        return len(self.apart) - 1


def nearest_graph(points: np.ndarray, neighbours: int) -> np.ndarray:
    """(A, A) bool: who talks to whom if each talks to its nearest others, both ways, joined up if that falls apart.

    Separate parts are joined by the shortest edges between them.

    Args:
        points: (A, d) where the agents are. neighbours: from 1 to A - 1.
    """
    points = check_samples(points, "points")
    if not 1 <= neighbours < len(points):
        raise BadInput(f"neighbours must be from 1 to {len(points) - 1} among {len(points)} agents, got {neighbours}")
    apart = ground_cost(points, points, 1)
    np.fill_diagonal(apart, np.inf)
    near = np.zeros(apart.shape, dtype=bool)
    np.put_along_axis(near, np.argsort(apart, axis=1, kind="stable")[:, :neighbours], True, axis=1)
    near |= near.T
    while True:
        parts, part = connected_components(near, directed=False)
        if parts == 1:
            return near
        between = np.where(part[:, None] != part, apart, np.inf)
        i, j = np.unravel_index(between.argmin(), between.shape)
        near[i, j] = near[j, i] = True


def ring_graph(agents: int) -> np.ndarray:
    """(A, A) bool: everyone talks to the one before and the one after."""
    far = np.abs(np.subtract.outer(np.arange(agents), np.arange(agents)))
    return (far == 1) | ((far == agents - 1) & (far > 0))


def metropolis_weights(graph: np.ndarray) -> np.ndarray:
    """(A, A) weights of a round: 1 / (1 + larger degree of the two) per neighbour, the rest to oneself.

    Symmetric with rows of sum 1, so the mean never moves; every agent needs only its neighbours' degrees.

    Source: Xiao, Boyd and Lall (2005), "A scheme for robust distributed sensor fusion based on average consensus".

    Raises:
        BadInput: not a symmetric graph without loops, or not connected, so that no agreement could come about.
    """
    graph = np.asarray(graph)
    if graph.ndim != 2 or graph.dtype != bool or np.any(graph != graph.T) or np.any(np.diag(graph)):
        raise BadInput("a graph must be a symmetric (A, A) table of true and false without loops")
    parts = connected_components(graph, directed=False)[0]
    if parts != 1:
        raise BadInput(f"agents who never hear of each other cannot agree: the graph has {parts} parts; join them")
    degree = graph.sum(axis=1)
    weights = np.where(graph, 1.0 / (1.0 + np.maximum.outer(degree, degree)), 0.0)
    return weights + np.diag(1.0 - weights.sum(axis=1))


def average(values: np.ndarray, graph: np.ndarray, *, tolerance: float = 0.01, max_rounds: int = 10_000) -> Gossip:
    """Linear averaging between neighbours, x <- W x with `metropolis_weights`, until all agents agree.

    Agreement is seen from outside: agents themselves would have to fix the number of rounds beforehand.

    Source: Xiao and Boyd (2004), "Fast linear iterations for distributed averaging".

    Args:
        values: (A, ...) numbers of every agent.
        graph: (A, A) bool, who talks to whom.
        tolerance: share of the first disagreement that may be left.
        max_rounds: where to stop without agreement; see `apart`.

    Raises:
        BadInput: fewer than two agents, NaN, a graph that does not fit or is not connected.
    """
    values = np.asarray(values, dtype=np.float64)
    if len(values) < 2 or not np.isfinite(values).all():
        raise BadInput(f"gossip needs finite values of at least 2 agents, got shape {values.shape}")
    return _talk(values, graph, lambda held, weights: np.tensordot(weights, held, 1), _apart, tolerance, max_rounds)


def consensus(samples: np.ndarray, graph: np.ndarray, *, tolerance: float = 0.01, max_rounds: int = 1000) -> Gossip:
    """Samples (A, m, d) that move towards those of the neighbours until all agree.

    In a round every point moves to the weighted mean of the points it is matched with in the cheapest assignments
    (squared distance) to the neighbours' samples. On a line that is linear averaging of the quantiles.

    Source: Bishop and Doucet (2014), arXiv 1404.0145: every agent takes the weighted barycenter of its neighbours; its
    inner iteration is cut to one step here (A-341).

    Args, Raises: as `average`; agreement is in W_2 to the first agent.
    """
    samples = check_agents(samples)
    return _talk(samples, graph, _towards_neighbours, _clouds_apart, tolerance, max_rounds)


def _talk(held: np.ndarray, graph: np.ndarray, step: Step, measure: Measure, tolerance: float, rounds: int) -> Gossip:
    weights, degree = metropolis_weights(graph), np.asarray(graph).sum(axis=1)
    if len(held) != len(weights):
        raise BadInput(f"the graph is of {len(weights)} agents, the values are of {len(held)}; give one row per agent")
    first = measure(held)
    apart = [1.0 if first > 0 else 0.0]
    while apart[-1] > tolerance and len(apart) <= rounds:
        held = step(held, weights)
        apart.append(measure(held) / first)
    done = len(apart) - 1
    return Gossip(held, np.array(apart), int(done * degree.sum()), int(2 * done * degree.max()))


def _towards_neighbours(samples: np.ndarray, weights: np.ndarray) -> np.ndarray:
    moved = np.zeros_like(samples)
    for agent, rows in enumerate(samples):
        for other in np.flatnonzero(weights[agent]):
            matched = slice(None) if other == agent else _match(rows, samples[other])
            moved[agent] += weights[agent, other] * samples[other][matched]
    return moved


def _match(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    return linear_sum_assignment(ground_cost(rows, others, 2))[1]


def _apart(held: np.ndarray) -> float:
    """Largest distance of an agent from the mean of all."""
    flat = held.reshape(len(held), -1)
    return float(np.linalg.norm(flat - flat.mean(axis=0), axis=1).max())


def _clouds_apart(samples: np.ndarray) -> float:
    """Largest W_2 of an agent's points from those of the first agent."""
    far = [np.square(rows[_match(samples[0], rows)] - samples[0]).sum(axis=1).mean() for rows in samples[1:]]
    return float(np.sqrt(np.max(far)))
