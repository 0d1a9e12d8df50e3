"""Offline data for other libraries: arrays for d3rlpy's MDPDataset, and Minari datasets."""

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from replication.data.offline import OfflineData
from replication.data.offline_card import joint_actions
from replication.settings import BadInput

if TYPE_CHECKING:
    from minari import MinariDataset


def to_d3rlpy(data: OfflineData, joint: bool = True, agent: int = 0) -> dict[str, np.ndarray]:
    """Arrays under the names that `d3rlpy.dataset.MDPDataset(**arrays, action_size=...)` takes; N = K T rows.

    d3rlpy has no place for what follows the last step of an episode that the time limit cut, so it forms no transition
    from that step; nor does it know masks. Both stay in `OfflineData`.

    Args:
        joint: all agents as one: observations side by side and the code of the joint action, Σ_i a_i U^(A-1-i);
            otherwise those of `agent` alone. The reward is the team's in both.

    Returns:
        observations (N, A F) or (N, F) float32, actions (N, 1) int64, rewards (N, 1), terminals (N,) and timeouts (N,)
        float32.
    """
    if joint:
        seen, actions = data.observation[:, :-1].reshape(data.size, -1), joint_actions(data)
    else:
        seen, actions = data.observation[:, :-1, _agent(data, agent)], data.action[:, :, agent]
    timeouts = np.zeros((data.episodes, data.horizon), np.float32)
    timeouts[:, -1] = 1.0
    return {
        "observations": np.array(seen.reshape(data.size, -1), np.float32),
        "actions": np.array(actions.reshape(-1, 1), np.int64),
        "rewards": np.array(data.reward.reshape(-1, 1), np.float32),
        "terminals": data.terminated.ravel().astype(np.float32),
        "timeouts": timeouts.ravel() * ~data.terminated.ravel(),
    }


def to_minari(data: OfflineData, name: str, **about: Any) -> "MinariDataset":
    """A Minari dataset, kept where Minari keeps its own (MINARI_DATASETS_PATH).

    Observations (T + 1, A F) are those of all agents side by side, actions (T, A) one number per agent, rewards the
    team's; infos hold the action_mask (T + 1, A, U) and the logs, their last row repeated. Needs `minari[hdf5]`.

    Args:
        name: Minari's name, for instance "radio/4x24/random-v0".
        about: what Minari notes besides, for instance author or code_permalink.

    Raises:
        BadInput: minari is not installed.
    """
    try:
        import h5py  # noqa: F401 - what minari stores with
        import minari
    except ImportError:
        raise BadInput("to_minari needs the package minari; install it with: pip install 'minari[hdf5]'") from None
    from gymnasium.spaces import Box, MultiDiscrete

    size = data.num_agents * data.features
    behaviour = str(data.card.get("behaviour", {}).get("tier", "not said"))
    world, key = (
        data.card.get("environment", {}).get("world", "not said"),
        data.card.get("environment_digest", "not said"),
    )
    said = {"algorithm_name": behaviour, "description": f"world {world}, environment {key}, behaviour {behaviour}"}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`eval_env`|env_spec")  # these worlds are no Gymnasium environments
        return minari.create_dataset_from_buffers(
            name,
            [_episode(data, episode) for episode in range(data.episodes)],
            observation_space=Box(-np.inf, np.inf, (size,), np.float32),
            action_space=MultiDiscrete([data.action_size] * data.num_agents),
            **{**said, **about},
        )


def _episode(data: OfflineData, episode: int):
    from minari.data_collector import EpisodeBuffer

    truncated = np.zeros(data.horizon, bool)
    truncated[-1] = not data.terminated[episode, -1]
    logs = {name: np.concatenate([log[episode], log[episode, -1:]]) for name, log in data.logs.items()}
    return EpisodeBuffer(
        id=episode,
        observations=data.observation[episode].reshape(data.horizon + 1, -1),
        actions=data.action[episode].astype(np.int64),
        rewards=data.reward[episode],
        terminations=data.terminated[episode],
        truncations=truncated,
        infos={"action_mask": data.mask[episode], **logs},
    )


def _agent(data: OfflineData, agent: int) -> int:
    if not 0 <= agent < data.num_agents:
        raise BadInput(f"agent must be from 0 to {data.num_agents - 1}, got {agent}")
    return agent
