"""Playing and remembering: a player explores, a replay keeps each seed's last transitions and gives random ones back.

Source: Mnih et al. 2015 (Nature 518), "experience replay". Each seed draws from its own stream, so what it learns from
does not depend on which seeds run beside it.
"""

from typing import Any, NamedTuple

import numpy as np

from replication import seeding
from replication.algos.cql import Batch
from replication.algos.discrete_policy import DiscretePolicy
from replication.algos.online_settings import OnlineSettings
from replication.settings import BadInput


class StepRecord(NamedTuple):
    """One vector step of all E = S * envs lanes, in the order (seed, lane)."""

    step: int  # vector steps done, this one included: 1, 2, ...
    observation: np.ndarray  # (E, A, F) before the step
    mask: np.ndarray  # (E, A, U) before the step
    action: np.ndarray  # (E, A, 1)
    reward: np.ndarray  # (E, A) as the world pays it
    terminated: np.ndarray  # (E,)
    truncated: np.ndarray  # (E,)
    info: dict[str, np.ndarray]
    next_observation: np.ndarray  # (E, A, F) after the step, before ended lanes start anew
    next_mask: np.ndarray  # (E, A, U) likewise

    def transitions(self) -> dict[str, np.ndarray]:
        """What a replay keeps of it: one row per lane; the team's reward is the mean over the agents'."""
        names = ("observation", "mask", "next_observation", "next_mask", "terminated")
        kept = {name: getattr(self, name) for name in names}
        return kept | {"action": self.action[..., 0], "reward": self.reward.mean(axis=1)}


class Player:
    """Plays the world for all seeds and starts a new keyed episode wherever one ended."""

    def __init__(self, settings: OnlineSettings, world: Any, seeds: tuple[int, ...]) -> None:
        needed = len(seeds) * settings.envs
        if world.num_envs != needed:
            raise BadInput(
                f"the world has {world.num_envs} lanes, but {len(seeds)} seeds x {settings.envs} envs need {needed}; "
                f"make it with num_envs={needed}"
            )
        if world.action_kind != "discrete":
            raise BadInput(f"this learner needs discrete actions, the world's are {world.action_kind!r}")
        self.settings, self.world, self.seeds, self.step = settings, world, seeds, 0
        self.episodes = np.zeros((len(seeds), settings.envs), dtype=np.int64)
        self._begin(np.ones(world.num_envs, dtype=bool))

    def _begin(self, where: np.ndarray) -> None:
        """Start the next episode of the lanes `where` (E,) is true; keys depend on (seed, lane, episode) only."""
        keys = np.zeros(self.world.num_envs, dtype=np.uint64)
        for place in np.flatnonzero(where):
            row, lane = divmod(int(place), self.settings.envs)
            episode = int(self.episodes[row, lane])
            keys[place] = seeding.keys("online training episodes", self.seeds[row], lane, episode, count=1)[0]
            self.episodes[row, lane] += 1
        self._look(self.world.reset(keys, where=where))

    def _look(self, observation: np.ndarray) -> None:
        self.observation, self.mask = np.array(observation, np.float32), np.array(self.world.action_mask())

    def advance(self, policy: DiscretePolicy | None) -> StepRecord:
        """One vector step under `policy`, or of random valid actions without one."""
        before, mask = self.observation, self.mask
        action = self._explore(policy)
        observation, reward, terminated, truncated, info = self.world.step(action)
        self._look(observation)
        self.step += 1
        ends = np.array(reward), np.array(terminated), np.array(truncated)
        done = StepRecord(self.step, before, mask, action, *ends, info, self.observation, self.mask)
        if (terminated | truncated).any():
            self._begin(terminated | truncated)
        return done

    def _explore(self, policy: DiscretePolicy | None) -> np.ndarray:
        """(E, A, 1) actions; the draws depend on (seed, step) only."""
        shape = (self.settings.envs, self.world.num_agents, 2)
        draws = np.concatenate([seeding.stream("exploration", s, self.step).random(shape) for s in self.seeds])
        if policy is not None and self.settings.learner.backbone == "sac":
            return policy.sample(self.observation, self.mask, draws[..., 0])
        random = random_valid(self.mask, draws[..., 1])
        if policy is None:
            return random
        greedy = policy.act(self.observation, self.mask)
        return np.where(draws[..., :1] < self.settings.epsilon(self.step), random, greedy)

    def snapshot(self) -> dict:
        """Enough to go on bitwise."""
        kept = {"world": self.world.snapshot(), "episodes": self.episodes.copy(), "step": self.step}
        return kept | {"observation": self.observation, "mask": self.mask}

    def restore(self, saved: dict) -> None:
        """Continue from a `snapshot`."""
        self.world.restore(saved["world"])
        self.episodes[:], self.step = saved["episodes"], int(saved["step"])
        self.observation, self.mask = np.array(saved["observation"]), np.array(saved["mask"])


def random_valid(mask: np.ndarray, uniforms: np.ndarray) -> np.ndarray:
    """Actions (E, A, 1), uniform among the valid ones of mask (E, A, U), from uniforms (E, A) in [0, 1)."""
    place = (uniforms * mask.sum(axis=-1)).astype(np.int64)
    return (mask.cumsum(axis=-1) <= place[..., None]).sum(axis=-1, keepdims=True)


class ReplayBuffer:
    """Transitions of S seeds with `lanes` lanes each; a vector step adds one transition per lane.

    A transition holds what was seen before and after the step, so an episode cut by a time limit keeps its last
    observation and is bootstrapped through; `terminated` marks the real ends.

    Attributes:
        capacity: transitions kept per seed, a whole number of vector steps.
        added: vector steps added so far, those overwritten included.
    """

    def __init__(self, seeds: tuple[int, ...], lanes: int, capacity: int, agents: int, features: int, actions: int):
        if capacity < lanes:
            raise BadInput(f"a replay of {capacity} transitions cannot hold one step of {lanes} lanes; give more")
        self.seeds, self.lanes, self.capacity, self.added = seeds, lanes, capacity - capacity % lanes, 0
        room = (len(seeds), self.capacity)
        self.observation = np.zeros((*room, agents, features), np.float32)
        self.next_observation = np.zeros_like(self.observation)
        self.mask = np.zeros((*room, agents, actions), bool)
        self.next_mask = np.zeros_like(self.mask)
        self.action = np.zeros((*room, agents), np.int8 if actions <= 128 else np.int64)
        self.reward = np.zeros(room, np.float32)
        self.terminated = np.zeros(room, bool)

    @property
    def filled(self) -> int:
        """Transitions per seed there are."""
        return min(self.added * self.lanes, self.capacity)

    def add(self, transitions: dict[str, np.ndarray]) -> None:
        """Add one vector step: name -> (S * lanes, ...), lanes in the order (seed, lane)."""
        start = self.added * self.lanes % self.capacity
        for name, kept in self._kept().items():
            kept[:, start : start + self.lanes] = transitions[name].reshape(
                len(self.seeds), self.lanes, *kept.shape[2:]
            )
        self.added += 1

    def sample(self, update: int, size: int) -> Batch:
        """`size` transitions of every seed; which ones depends on (seed, update) and on how many there are only."""
        draws = [seeding.stream("replay", seed, update).integers(self.filled, size=size) for seed in self.seeds]
        return self.take(np.stack(draws))

    def take(self, places: np.ndarray) -> Batch:
        """The transitions at `places` (S, B) of each seed."""
        seed = np.arange(len(self.seeds))[:, None]
        taken = {name: kept[seed, places] for name, kept in self._kept().items()}
        taken["action"] = taken["action"].astype(np.int64)
        taken["terminated"] = taken["terminated"].astype(np.float32)
        return Batch(**taken)

    def snapshot(self) -> dict:
        """What `restore` needs.

        What is seen after a step is mostly seen before the next one, so it is saved only where it is not: half the
        size. A float32 observation of 4 agents and 6 numbers makes about 125 bytes per transition.
        """
        saved = {name: kept[:, : self.filled].copy() for name, kept in self._kept().items()}
        for name in ("observation", "mask"):
            after = saved.pop(f"next_{name}")
            other = np.any(after != self._following(saved[name]), axis=(2, 3))
            saved[f"cut_{name}"], saved[f"last_{name}"] = np.flatnonzero(other), after[other]
        return saved | {"added": self.added}

    def restore(self, saved: dict) -> None:
        """Continue from a `snapshot` of a buffer of the same shape."""
        self.added = int(saved["added"])
        if saved["reward"].shape != (len(self.seeds), self.filled):
            given = f"a replay snapshot of {saved['reward'].shape} transitions"
            raise BadInput(f"{given} does not fit one of {(len(self.seeds), self.filled)}; restore with equal settings")
        for name in ("observation", "mask", "action", "reward", "terminated"):
            self._kept()[name][:, : self.filled] = saved[name]
        for name in ("observation", "mask"):
            after = self._following(np.asarray(saved[name]))
            after.reshape(-1, *after.shape[2:])[saved[f"cut_{name}"]] = saved[f"last_{name}"]
            self._kept()[f"next_{name}"][:, : self.filled] = after

    def _following(self, seen: np.ndarray) -> np.ndarray:
        """What is in the place of the same lane one vector step later; a new array."""
        return np.roll(seen, -self.lanes, axis=1)

    def _kept(self) -> dict[str, np.ndarray]:
        return {
            "observation": self.observation, "mask": self.mask, "action": self.action, "reward": self.reward,
            "next_observation": self.next_observation, "next_mask": self.next_mask, "terminated": self.terminated,
        }  # fmt: skip
