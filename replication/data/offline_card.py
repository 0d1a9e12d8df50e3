"""What a card says of offline data beyond where they are from: scores, actions, coverage and a fitted normaliser.

A world may describe its observation under "observation" in the card (`radio_logs.observation_card` does):

    held_by   (A, F, 2) agent and action whose validity tells that the number is of somebody; -1, -1: always
    grid      [[feature, low, high], ...] the numbers, and their ranges, whose cells coverage is counted on
"""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from replication.data.offline import OfflineData

BINS = 10  # per number of the coverage grid
MOST_JOINT_ACTIONS = 2**16  # beyond, joint actions are not counted


def measured(data: "OfflineData") -> dict[str, Any]:
    """The parts of a card that follow from the data; `OfflineData.take` and `offline.write` renew them."""
    mean, factor = normaliser(data)
    return {
        "transitions": data.size,
        "scores": scores(data.card.get("episodes", {})),
        "reward": {"mean": float(data.reward.mean()), "episode_spread": _spread(data.reward.mean(axis=1))},
        "actions": actions(data),
        "coverage": coverage(data),
        "normaliser": {"mean": mean.tolist(), "factor": factor.tolist()},
    }


def normaliser(data: "OfflineData") -> tuple[np.ndarray, np.ndarray]:
    """Mean and factor (A, F) float64 that standardise the observations: scaled = (raw - mean) * factor.

    Over all observations an action was taken on. Where the card's "held_by" names the action that stands for a
    number's user, only steps in which that action is valid count: the zeros that fill empty ranks shift nothing. The
    factor is one over the standard deviation, and 1 for a number that never moves.
    """
    mean, factor = np.zeros((data.num_agents, data.features)), np.ones((data.num_agents, data.features))
    held_by = data.card.get("observation", {}).get("held_by")
    for agent, feature in np.ndindex(*mean.shape):
        column = data.observation[:, :-1, agent, feature].astype(np.float64)
        other, action = held_by[agent][feature] if held_by is not None else (-1, -1)
        if action >= 0:
            column = column[data.mask[:, :-1, other, action]]
        if column.size:
            mean[agent, feature], deviation = column.mean(), column.std()
            if deviation > 1e-6 * (1.0 + abs(mean[agent, feature])):
                factor[agent, feature] = 1.0 / deviation
    return mean, factor


def actions(data: "OfflineData") -> list[list[float]]:
    """(A, U) share of every action, agent by agent."""
    counts = [np.bincount(data.action[:, :, i].ravel(), minlength=data.action_size) for i in range(data.num_agents)]
    return [(count / data.size).tolist() for count in counts]


def coverage(data: "OfflineData") -> dict[str, Any]:
    """How much of a coarse grid of local states and actions the data hold.

    The local state of an agent is binned by `BINS` equal steps per number of the card's "grid", what lies outside
    going to the edge; without a grid, the first two numbers over their range in the data.

    Returns:
        "bins" and "grid"; "states" and "state_actions", shares of cells seen at least once, means over agents;
        "actions_per_state", the mean share of actions seen in a seen state; "joint_actions", the share of joint actions
        seen (none if they are too many to count).
    """
    grid = data.card.get("observation", {}).get("grid") or _own_grid(data)
    shares = np.array([_cells_seen(data, agent, grid) for agent in range(data.num_agents)]).mean(axis=0)
    joint = None
    if data.action_size**data.num_agents <= MOST_JOINT_ACTIONS:
        joint = len(np.unique(joint_actions(data))) / data.action_size**data.num_agents
    named = dict(zip(("states", "state_actions", "actions_per_state"), shares.tolist(), strict=True))
    return {"bins": BINS, "grid": grid, **named, "joint_actions": joint}


def joint_actions(data: "OfflineData") -> np.ndarray:
    """(K, T) code of the joint action: Σ_i a_i U^(A-1-i), the first agent being the most significant digit."""
    powers = data.action_size ** np.arange(data.num_agents - 1, -1, -1, dtype=np.int64)
    return data.action.astype(np.int64) @ powers


def scores(table: dict[str, list]) -> dict[str, dict[str, float]]:
    """Mean and spread (standard deviation) over episodes of every column of numbers."""
    columns = {name: np.asarray(column) for name, column in table.items() if not name.endswith("key")}
    numbers = {name: column for name, column in columns.items() if column.dtype.kind in "if" and column.size}
    return {name: {"mean": float(column.mean()), "spread": _spread(column)} for name, column in numbers.items()}


def _spread(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0


def _own_grid(data: "OfflineData") -> list[list[float]]:
    columns = [data.observation[..., feature] for feature in range(min(2, data.features))]
    return [[feature, float(column.min()), float(column.max())] for feature, column in enumerate(columns)]


def _cells_seen(data: "OfflineData", agent: int, grid: list[list[float]]) -> tuple[float, float, float]:
    cell = np.zeros((data.episodes, data.horizon), np.int64)
    for feature, low, high in grid:
        place = (data.observation[:, :-1, agent, int(feature)] - low) * (BINS / max(high - low, 1e-12))
        cell = cell * BINS + np.clip(place, 0, BINS - 1).astype(np.int64)
    states = BINS ** len(grid)
    seen = np.bincount(
        (cell * data.action_size + data.action[:, :, agent]).ravel(), minlength=states * data.action_size
    )
    tried = seen.reshape(states, data.action_size) > 0
    visited = tried.any(axis=1)
    return visited.mean(), tried.mean(), tried[visited].mean()
