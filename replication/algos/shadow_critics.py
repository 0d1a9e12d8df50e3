"""Truncated shadow-Q estimates: what agent j expects of its shadow reward, given (s, a) within κ hops of it.

Three estimators. Reward-to-go needs no table; its mean per visited (s, a) of the neighbourhood is kept in a sparse
table; temporal differences fill a dense table of all (|S| |A|)^|N_j| entries. Values are for the discounted sum of
the shadow reward from the pair (s^h, a^h) on, without any factor 1 - γ.
"""

from dataclasses import dataclass

import numpy as np

from replication.algos import shadow_kernels as kernels
from replication.algos.truncated_pg_settings import TruncatedPGSettings
from replication.envs.network_kernel import Trajectories
from replication.settings import BadInput

DENSE_LIMIT = 2**20  # entries per agent of a dense table
LARGEST_CODE = (
    2.0**62
)  # beyond it, keys of sparse tables are 64-bit hashes: any two of a million meet with odds of 3e-8


@dataclass(frozen=True)
class Values:
    """Truncated shadow-Q values looked up along trajectories.

    Attributes:
        q: (B, H, n).
        visited: (n,) number of (s, a) of each neighbourhood that the critic has met; None for dense tables.
    """

    q: np.ndarray
    visited: np.ndarray | None


def dense_entries(near: np.ndarray, states: int, actions: int) -> np.ndarray:
    """(n,) sizes (|S| |A|)^|N_i| of dense tables on the neighbourhoods (n, m) padded with -1; inf beyond floats."""
    with np.errstate(over="ignore"):
        return float(states * actions) ** (near >= 0).sum(axis=1)


def check_dense(near: np.ndarray, states: int, actions: int) -> None:
    """Raise a one-line `BadInput` if a dense table would exceed 2^20 entries for some agent."""
    size = dense_entries(near, states, actions).max()
    if size > DENSE_LIMIT:
        raise BadInput(
            f"critic 'td' would need a table of {size:.6g} entries per agent, the limit is {DENSE_LIMIT}; "
            "take critic 'visited_average' or 'reward_to_go', or a smaller kappa"
        )


def td_table(
    trajectories: Trajectories, reward: np.ndarray, members: np.ndarray, settings: TruncatedPGSettings
) -> np.ndarray:
    """(copies, entries) dense table of one agent after temporal differences over all trajectories.

    Source: Qu, Wierman and Li (2020), Algorithm 1 [verified]: Q(z) ← (1 - α_t) Q(z) + α_t [r + γ Q(z')] with
    α_t = h / (t + t0), z the (s, a) of the neighbourhood, from Q = 0, along one trajectory; here along many, one
    after the other, t running on.

    Args:
        trajectories: where to learn from.
        reward: (S, A) shadow reward of the agent.
        members: agents of its neighbourhood, itself first, without padding.
        settings: discount, step rule, twin tables.
    """
    states, actions = indices(trajectories)
    alphabet, options = reward.shape
    entries = (alphabet * options) ** len(members)
    gain, delay = td_steps(settings, entries)
    tables = np.zeros((2 if settings.twin else 1, entries))
    form = alphabet, options, gain, delay, settings.td_clock == "visits"
    kernels.td_tables(states, actions, shift_of(settings), reward, settings.discount, members, *form, tables)
    return tables


def td_steps(settings: TruncatedPGSettings, entries: int) -> tuple[float, float]:
    """(h, t0) of the step sizes; by default the least that Qu et al. allow if every entry is visited alike.

    Source: Qu, Wierman and Li (2020), Algorithm 1 and its bound [verified]: h >= max(2, 1/(1 - √γ)) / σ and t0 >= 2 h,
    here with σ = 1 / entries.
    """
    share = 1.0 if settings.td_clock == "visits" else float(entries)
    gain = settings.td_gain or share * max(2.0, 1.0 / (1.0 - settings.discount**0.5))
    return gain, settings.td_delay or 2.0 * gain


def td_values(
    learn: Trajectories, at: Trajectories, reward: np.ndarray, near: np.ndarray, settings: TruncatedPGSettings
) -> Values:
    """Values from dense tables learnt on `learn`, along `at`.

    Raises:
        BadInput: if a table would be too large.
    """
    alphabet, options = reward.shape[1:]
    check_dense(near, alphabet, options)
    states, actions = indices(at)
    q = np.empty((len(near), *steps_of(at, settings)))
    for agent, row in enumerate(near):
        members = row[row >= 0]
        table = td_table(learn, reward[agent], members, settings)
        kernels.look_up_dense(table, states, actions, members, alphabet, options, q[agent])
    return Values(np.ascontiguousarray(np.moveaxis(q, 0, 2)), None)


def visited_values(
    learn: Trajectories, at: Trajectories, reward: np.ndarray, near: np.ndarray, settings: TruncatedPGSettings
) -> Values:
    """Values along `at` from the mean reward-to-go on `learn` of each visited (s, a) of the neighbourhood.

    Visits count with γ^h, so that the means are those under the discounted occupancy, and the missing end of a
    trajectory counts little. A key that was not met takes the agent's mean.
    """
    (states, actions), (at_states, at_actions) = indices(learn), indices(at)
    alphabet, options = reward.shape[1:]
    shift = shift_of(settings)
    weights = settings.discount ** np.arange(states.shape[1] - shift)
    visits, copies = states.shape[0] * len(weights), 2 if settings.twin else 1
    q, visited = np.empty((len(near), *steps_of(at, settings))), np.empty(len(near), np.int64)
    entries = dense_entries(near, alphabet, options)
    for agent, row in enumerate(near):
        members, form = row[row >= 0], (alphabet, options, bool(entries[agent] > LARGEST_CODE))
        capacity = 2 ** int(np.ceil(np.log2(2.0 * min(visits, entries[agent]))))
        keys, used = np.zeros(capacity, np.uint64), np.zeros(capacity, np.bool_)
        sums, masses = np.zeros((2, copies, capacity))
        visited[agent] = kernels.average_visited(
            states, actions, shift, reward[agent], settings.discount, weights, members, form, keys, used, sums, masses
        )
        mean = sums.sum() / masses.sum()
        kernels.look_up_visited(at_states, at_actions, members, form, keys, used, sums, masses, mean, q[agent])
    return Values(np.ascontiguousarray(np.moveaxis(q, 0, 2)), visited)


def indices(trajectories: Trajectories) -> tuple[np.ndarray, np.ndarray]:
    """States and actions as uint8, (B, H, n) each."""
    states, actions = (np.ascontiguousarray(part) for part in (trajectories.states, trajectories.actions))
    return states.view(np.uint8), actions.view(np.uint8)


def shift_of(settings: TruncatedPGSettings) -> int:
    """1 if rewards are recorded after the step, else 0."""
    return int(settings.recorded == "after")


def steps_of(trajectories: Trajectories, settings: TruncatedPGSettings) -> tuple[int, int]:
    """(B, steps that count) of trajectories."""
    lanes, horizon, _ = trajectories.states.shape
    return lanes, horizon - shift_of(settings)
