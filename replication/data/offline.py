"""Offline multi-agent data: whole episodes of logged steps, as npz shards with a manifest and a card.

    folder/
        card.json                 environment and its digest, behaviour, seeds, scores, what is in the data
        episodes-0000.npz ...     the episodes in order, a few dozen per shard, not compressed
        manifest.json             sizes and the SHA-256 of every other file; written last

To bring data of your own, fill an `OfflineData` (one row per episode, all of equal length) and write it:

    card = {"environment": radio_logs.environment(world), "observation": radio_logs.observation_card(world),
            "behaviour": {"tier": "mine"}}
    write("my-data", OfflineData(observation, mask, action, reward, terminated, logs, card))

with `radio_logs` from `replication.envs`. Only the arrays and "environment" are needed; the logs let rewards be changed
later. `replicate dataset --check my-data --world radio/4x24` then says whether the data are sound and of that world,
and `replication.algos.offline_training.train_offline` learns from them.
"""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from replication.data import offline_files as files
from replication.data.offline_card import measured
from replication.settings import BadInput, digest
from replication.writing import new_folder

SHARD_BYTES = 32 * 2**20  # about; a shard holds whole episodes
STEPS = ("action", "reward", "terminated")  # one row per step; observation and mask have one more


@dataclass(frozen=True, eq=False)
class OfflineData:
    """K whole episodes of T steps of A agents with F numbers observed and U actions each.

    Attributes:
        observation: (K, T + 1, A, F) float32; the last row is what follows the last step.
        mask: (K, T + 1, A, U) bool, which actions are valid.
        action: (K, T, A) int8.
        reward: (K, T) float32, the team's, as the world pays it.
        terminated: (K, T) bool, where the episode truly ended; an end by the time limit is none: bootstrap through it.
        logs: name -> (K, T, ...) what else was logged; radio: weights (K, T, J), served (K, T, A), rates (K, T, A).
        card: what the data are: "environment" (what shapes transitions), its "environment_digest", "behaviour", ...;
            "episodes" maps names to lists of K numbers, for instance scores.
    """

    observation: np.ndarray
    mask: np.ndarray
    action: np.ndarray
    reward: np.ndarray
    terminated: np.ndarray
    logs: dict[str, np.ndarray] = field(default_factory=dict)
    card: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.observation.ndim != 4 or self.action.ndim != 3:
            raise BadInput("offline data need observation (K, T+1, A, F) and action (K, T, A), got "
                           f"{self.observation.shape} and {self.action.shape}")  # fmt: skip
        steps, agents = self.action.shape[:2], self.num_agents
        expected = {"action": (*steps, agents), "reward": steps, "terminated": steps}
        expected["observation"] = (steps[0], steps[1] + 1, agents, self.features)
        expected["mask"] = (*expected["observation"][:3], self.action_size)
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise BadInput(f"offline data: {name} must have shape {shape}, got {getattr(self, name).shape}")
        for name, array in self.logs.items():
            if array.shape[:2] != steps:
                raise BadInput(f"offline data: log {name!r} must start with {steps}, got {array.shape}")

    @property
    def episodes(self) -> int:
        """Number of episodes K."""
        return self.action.shape[0]

    @property
    def horizon(self) -> int:
        """Steps of an episode T."""
        return self.action.shape[1]

    @property
    def size(self) -> int:
        """Number of transitions K T."""
        return self.episodes * self.horizon

    @property
    def num_agents(self) -> int:
        """Number of agents A."""
        return self.observation.shape[2]

    @property
    def features(self) -> int:
        """Numbers an agent observes F."""
        return self.observation.shape[3]

    @property
    def action_size(self) -> int:
        """Number of actions of an agent U."""
        return self.mask.shape[-1]

    def take(self, episodes: np.ndarray) -> "OfflineData":
        """The episodes with these numbers, in this order."""
        chosen = np.asarray(episodes)
        if chosen.ndim != 1 or chosen.dtype.kind not in "iu" or not len(chosen):
            raise BadInput(f"episodes must be a list of whole numbers, got {chosen.dtype} {chosen.shape}")
        if chosen.min() < 0 or chosen.max() >= self.episodes:
            given = f"{chosen.min()} to {chosen.max()}"
            raise BadInput(f"episodes must be from 0 to {self.episodes - 1}, got {given}")
        arrays = {name: getattr(self, name)[chosen] for name in ("observation", "mask", *STEPS)}
        logs = {name: array[chosen] for name, array in self.logs.items()}
        table = {name: [column[k] for k in chosen] for name, column in self.card.get("episodes", {}).items()}
        return replace(self, **arrays, logs=logs, card={**self.card, "episodes": table}).measured()

    def measured(self) -> "OfflineData":
        """The same data, the card saying anew what follows from them: scores, actions, coverage, normaliser."""
        return replace(self, card={**self.card, **measured(self)})


def load(path: str | Path, environment: dict[str, Any] | None = None, *, episodes: int | None = None) -> OfflineData:
    """Read a dataset, every file read being checked against the manifest.

    Args:
        path: folder that `write` made.
        environment: what the data must have been logged in, for instance `radio_logs.environment(world)`; absent:
            anything goes.
        episodes: read only the first so many; absent: all.

    Raises:
        BadInput: no dataset, a missing, cut or altered file, or data of another environment.
    """
    folder = Path(path)
    manifest = files.read_manifest(folder)
    card = files.read_card(folder, manifest)
    if environment is not None:
        require_environment(folder, card, environment)
    wanted = manifest["episodes"] if episodes is None else episodes
    if not 1 <= wanted <= manifest["episodes"]:
        raise BadInput(f"dataset {folder.name} has {manifest['episodes']} episodes, asked for {wanted}")
    parts, found = [], 0
    for said in manifest["shards"]:
        if found < wanted:
            parts.append(files.read_npz(folder, said))
            found += said["episodes"]
    data = _joined(folder, parts, card, manifest["action_size"])
    return data if wanted == manifest["episodes"] else data.take(np.arange(wanted))


def write(path: str | Path, data: OfflineData) -> None:
    """Write a dataset to a new folder, whole or not at all; the card is completed with what follows from the data.

    Raises:
        BadInput: the folder exists, the data are not sound (see `check`), or the disk is full.
    """
    folder = Path(path)
    if folder.exists():
        raise BadInput(f"{str(folder)!r} exists already; give another folder or delete it")
    check(data)
    with files.one_line_when_full(folder), new_folder(folder) as unfinished:
        _write_files(unfinished, data)


def check(data: OfflineData) -> None:
    """Raise `BadInput` unless every number is finite and every logged action was valid when it was taken."""
    if data.size == 0 or data.num_agents == 0:
        raise BadInput(f"offline data are empty: {data.episodes} episodes of {data.horizon} steps")
    for name in ("observation", "reward"):
        if not np.isfinite(getattr(data, name)).all():
            raise BadInput(f"offline data: {name} holds numbers that are not finite")
    action, most = np.asarray(data.action), data.action_size
    if action.dtype.kind not in "iu" or action.min() < 0 or action.max() >= most:
        raise BadInput(f"offline data: actions must be whole numbers from 0 to {most - 1}")
    chosen = action.astype(np.intp)[..., None]
    valid = np.take_along_axis(data.mask[:, :-1], chosen, axis=-1)[..., 0]
    if not valid.all():
        episode, step, agent = (int(n) for n in np.argwhere(~valid)[0])
        where = f"action {action[episode, step, agent]} of agent {agent} in step {step} of episode {episode}"
        raise BadInput(f"offline data: {where} is not valid under its mask; log the mask the action was taken under")


def require_environment(folder: Path, card: dict[str, Any], environment: dict[str, Any]) -> None:
    """Raise `BadInput` unless the card says the data are of this environment; the message names what differs."""
    if card.get("environment_digest") == digest(environment):
        return
    theirs = card.get("environment", {})
    names = [name for name in {**theirs, **environment} if theirs.get(name) != environment.get(name)]
    differ = ", ".join(f"{name} {theirs.get(name)!r} instead of {environment.get(name)!r}" for name in names[:3])
    raise BadInput(f"dataset {folder.name} is of another environment: {differ or 'its digest differs'}; collect anew")


def _write_files(folder: Path, data: OfflineData) -> None:
    environment = data.card.get("environment", {})
    card = {**data.measured().card, "environment": environment, "environment_digest": digest(environment)}
    shards: list[dict[str, Any]] = []
    rows = max(1, SHARD_BYTES // max(1, _episode_bytes(data)))
    for first in range(0, data.episodes, rows):
        path = folder / f"episodes-{len(shards):04d}.npz"
        some = slice(first, min(first + rows, data.episodes))
        files.write_npz(path, _shard(data, some))
        shards.append(files.entry(path) | {"episodes": some.stop - some.start})
    files.write_text(folder / "card.json", json.dumps(card, indent=1, ensure_ascii=False) + "\n")
    sizes = {"episodes": data.episodes, "horizon": data.horizon, "action_size": data.action_size}
    files.write_manifest(folder, sizes, shards)


def _shard(data: OfflineData, some: slice) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {
        "observation": data.observation[some].astype(np.float32, copy=False),
        "mask": np.packbits(data.mask[some].astype(bool, copy=False), axis=-1),
        "action": data.action[some].astype(np.int8),
        "reward": data.reward[some].astype(np.float32, copy=False),
        "terminated": data.terminated[some].astype(bool, copy=False),
    }
    return arrays | {f"log_{name}": array[some] for name, array in data.logs.items()}


def _episode_bytes(data: OfflineData) -> int:
    arrays = [data.observation, data.action, data.reward, *data.logs.values()]
    return sum(array.nbytes for array in arrays) // data.episodes


def _joined(folder: Path, parts: list[dict[str, np.ndarray]], card: dict[str, Any], action_size: int) -> OfflineData:
    try:
        arrays = {name: np.concatenate([part.pop(name) for part in parts]) for name in list(parts[0])}
        arrays["mask"] = np.unpackbits(arrays["mask"], axis=-1, count=action_size).astype(bool)
        logs = {name.removeprefix("log_"): arrays.pop(name) for name in list(arrays) if name.startswith("log_")}
        return OfflineData(**arrays, logs=logs, card=card)
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"dataset {folder.name}: its shards do not fit together ({error}); write it anew") from None
