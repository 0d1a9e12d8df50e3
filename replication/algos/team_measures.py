"""What a team did and how alike its members are: returns, distances between policies, distances between visits.

Source: mean pairwise distance of policies: System Neural Diversity (Bettini et al. 2023), here with W_1 for choices;
distances of visits: 2401.10949, area 1, over all episodes and within each.
"""

from dataclasses import dataclass

import numpy as np

from replication.algos.alignment_kernel import TRANSPORT, compare_choices, compare_gaussians
from replication.algos.nets import Arrays
from replication.algos.team_policy import Player, TeamPolicy
from replication.algos.transport_closed_forms import directions
from replication.algos.transport_points import extreme_potentials, move_metric


@dataclass(frozen=True)
class Played:
    """One episode per lane; the lanes of a seed stand together.

    Attributes:
        sums: name -> (S, n) sums over each episode of "return" (mean over agents) and of the world's metrics.
        seen: (S, n, T, A, F) what the actors saw. mask: (S, n, T, A, U) what was allowed, None if continuous.
        alive: (S, n, T) whether the episode was still running.
    """

    sums: Arrays
    seen: np.ndarray
    mask: np.ndarray | None
    alive: np.ndarray


def play_team(policy: TeamPolicy, world, keys: np.ndarray, draws: int | None = None) -> Played:
    """Play one episode per lane.

    Args:
        keys: (n,) uint64 episode keys, the same for every seed; the world has S * n lanes.
        draws: number of the random sequence of stochastic execution; None for the likeliest actions.
    """
    player, seeds = Player(policy, draws), policy.num_seeds
    world.reset(np.tile(keys, seeds))
    player.reset(world)
    running = np.ones(world.num_envs, dtype=bool)
    sums: Arrays = {}
    kept: dict[str, list[np.ndarray]] = {"seen": [], "mask": [], "alive": []}
    while running.any():
        kept["seen"].append(policy.view.actor(world))
        kept["alive"].append(running.copy())
        if policy.discrete:
            kept["mask"].append(world.action_mask())
        _, reward, terminated, truncated, info = world.step(player.act(world))
        for name, values in {"return": reward.mean(axis=1), **info}.items():
            if np.ndim(values) == 1:
                sums[name] = sums.get(name, 0.0) + np.where(running, values, 0.0)
        running = running & ~(terminated | truncated)
    parted = {name: np.stack(steps, axis=1) for name, steps in kept.items() if steps}
    parted = {name: array.reshape(seeds, -1, *array.shape[1:]) for name, array in parted.items()}
    totals = {name: total.reshape(seeds, -1) for name, total in sums.items()}
    return Played(totals, parted["seen"], parted.get("mask"), parted["alive"])


def policy_diversity(policy: TeamPolicy, played: Played, metric: str = "euclidean", most: int = 2000) -> np.ndarray:
    """(S,) mean pairwise distance between the agents' policies where the team went.

    W_1 between choices under the metric of the moves (or "equal"); W_2 between Gaussians before tanh, as the root of
    the mean of its square. Every agent answers the observations of all agents.

    Args:
        most: observations per seed, evenly spread over those there are.
    """
    places = np.argwhere(played.alive[0])
    agents, features = played.seen.shape[-2:]
    rows = played.seen[:, places[:, 0], places[:, 1]].reshape(len(played.seen), -1, features)
    step = max(1, rows.shape[1] // most)
    probes = np.repeat(rows[:, ::step, None], agents, axis=2)
    distance = np.empty(len(probes))
    if played.mask is None:
        mean, log_std = policy.outputs(probes), np.ascontiguousarray(policy.log_std())
        slopes = np.empty_like(mean), np.empty_like(log_std)
        compare_gaussians(TRANSPORT, mean, log_std, mean, log_std, *slopes, distance)
        return np.sqrt(distance)
    allowed = played.mask[:, places[:, 0], places[:, 1]].reshape(len(rows), -1, played.mask.shape[-1])
    wide = np.repeat(allowed[:, ::step, None], agents, axis=2)
    chances = policy.probabilities(probes, wide)
    ground = 1.0 - np.eye(chances.shape[-1]) if metric == "equal" else move_metric(metric)
    compare_choices(
        TRANSPORT, chances, chances, extreme_potentials(ground), np.empty(chances.shape, np.float32), distance
    )
    return distance


def visit_distances(
    played: Played, features: tuple[int, ...] = (0, 1, 2, 3), projections: int = 16, most: int = 100
) -> Arrays:
    """Sliced W_2 between agents' visits, mean over pairs (root of the mean square), in pooled deviations.

    Args:
        features: columns of the observation that are compared. most: episodes per seed that are used.

    Returns:
        "visits_pooled", "visits_within": (S,), of all episodes together, and within each.
    """
    lines = directions(len(features), projections, 0)
    found: dict[str, list[float]] = {"visits_pooled": [], "visits_within": []}
    for seen, alive in zip(played.seen[:, :most], played.alive[:, :most], strict=True):
        visits = seen[..., features].astype(np.float64)
        pool = visits[alive].reshape(-1, len(features))
        deviation = pool.std(axis=0)
        placed = (visits / np.where(deviation > 0, deviation, 1.0)) @ lines  # (n, T, A, L)
        found["visits_pooled"].append(_spread(placed[alive]))
        within = [_spread(one[on]) ** 2 for one, on in zip(placed, alive, strict=True)]
        found["visits_within"].append(float(np.mean(within)) ** 0.5)
    return {name: np.array(values) for name, values in found.items()}


def _spread(placed: np.ndarray) -> float:
    """Root of the mean over pairs of agents of W_2 squared on lines; `placed` (m, A, L).

    On a line, the mean square distance of pairs is 2 A / (A - 1) times that to the barycenter.
    """
    ranked = np.sort(placed, axis=0)
    agents = ranked.shape[1]
    square = np.square(ranked - ranked.mean(axis=1, keepdims=True)).mean()
    return float(np.sqrt(2.0 * agents / (agents - 1) * square)) if agents > 1 else 0.0
