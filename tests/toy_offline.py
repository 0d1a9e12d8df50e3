"""Small offline data with known answers."""

import numpy as np

from replication.algos.cql import Batch
from replication.data.offline import OfflineData


def random_batch(seeds=2, samples=24, agents=3, features=4, actions=3, rng=0) -> Batch:
    """Random transitions; the first action is always valid, every logged action is, and some transitions end."""
    rng = np.random.default_rng(rng)
    lead = (seeds, samples, agents)
    masks = rng.random((2, *lead, actions)) < 0.6
    masks[..., 0] = True
    return Batch(
        observation=rng.normal(0.3, 2.0, (*lead, features)).astype(np.float32),
        mask=masks[0],
        action=np.argmax(rng.random((*lead, actions)) * masks[0], axis=-1),
        reward=rng.normal(size=lead[:2]).astype(np.float32),
        next_observation=rng.normal(size=(*lead, features)).astype(np.float32),
        next_mask=masks[1],
        terminated=(rng.random(lead[:2]) < 0.3).astype(np.float32),
    )


def random_data(episodes=6, horizon=7, agents=2, features=3, actions=3, rng=0) -> OfflineData:
    """Random episodes."""
    rng = np.random.default_rng(rng)
    lead = (episodes, horizon + 1, agents)
    mask = rng.random((*lead, actions)) < 0.7
    mask[..., 0] = True
    return OfflineData(
        observation=rng.normal(size=(*lead, features)).astype(np.float32),
        mask=mask,
        action=np.argmax(rng.random((*lead, actions)) * mask, axis=-1)[:, :-1].astype(np.int8),
        reward=rng.normal(size=lead[:2])[:, :-1].astype(np.float32),
        terminated=np.zeros((episodes, horizon), bool),
    )


PAYOFF = np.array([[10.0, 2.0, 0.0], [2.0, 4.0, 3.0], [0.0, 3.0, 1.0]]) / 10.0  # of two agents' meanings; best: both 0


def coordination(rng, episodes=40, horizon=25, act=None) -> OfflineData:
    """Two agents, each shown a number c in {0, 1, 2}, mean (action - c) mod 3 and are paid together.

    The observation is c in one-hot form and a padding column; with c = 2, action 1 (meaning 2) is invalid.
    `act(c (..., A), mask)` gives the logged actions; uniform over valid ones if absent.
    """
    lead = (episodes, horizon + 1, 2)
    shown = rng.integers(0, 3, lead)
    mask = np.ones((*lead, 3), bool)
    mask[..., 1] = shown != 2
    action = np.argmax(rng.random(mask.shape) * mask, axis=-1) if act is None else act(shown, mask)
    meaning = (action - shown) % 3
    seen = np.concatenate([np.eye(3)[shown], np.zeros((*lead, 1))], axis=-1)
    return OfflineData(
        observation=seen.astype(np.float32),
        mask=mask,
        action=action[:, :-1].astype(np.int8),
        reward=PAYOFF[meaning[..., 0], meaning[..., 1]][:, :-1].astype(np.float32),
        terminated=np.zeros((episodes, horizon), bool),
    )
