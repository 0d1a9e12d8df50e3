"""Logging whole episodes of a radio world, under a behaviour or beside an online learner."""

from collections.abc import Callable
from typing import Any

import numpy as np

import replication
from replication.algos.discrete_policy import DiscretePolicy
from replication.data.offline import OfflineData
from replication.envs import radio_logs
from replication.envs.radio import Radio
from replication.envs.radio_settings import RadioSettings
from replication.seeding import keys, stream

LANES = 256  # episodes side by side: the quickest on one core

# (world, draws (E, A, 2) uniform in [0, 1)) -> valid actions (E, A, 1)
Behaviour = Callable[[Radio, np.ndarray], np.ndarray]


class EpisodeLog:
    """Arrays of K episodes of a world, filled step by step."""

    def __init__(self, world: Radio, episodes: int) -> None:
        steps, agents = (episodes, world.horizon), world.num_agents
        seen = (episodes, world.horizon + 1, agents)
        self.observation = np.zeros((*seen, world.observation_size), np.float32)
        self.mask = np.zeros((*seen, world.action_size), bool)
        self.action = np.zeros((*steps, agents), np.int8)
        self.reward = np.zeros(steps, np.float32)
        self.terminated = np.zeros(steps, bool)
        self.logs: dict[str, np.ndarray] = {
            "weights": np.zeros((*steps, world.num_users), np.float32),
            "served": np.zeros((*steps, agents), np.int16),
            "rates": np.zeros((*steps, agents), np.float32),
        }

    def see(self, rows: slice, step: int, observation: np.ndarray, mask: np.ndarray) -> None:
        """What the episodes `rows` show before step number `step`; number T is after the last one."""
        self.observation[rows, step], self.mask[rows, step] = observation, mask

    def add(self, rows: slice, step: int, action: np.ndarray, reward: np.ndarray, terminated: np.ndarray,
            info: dict[str, np.ndarray]) -> None:  # fmt: skip
        """What was done in a step and what came of it."""
        self.action[rows, step], self.reward[rows, step] = action[..., 0], reward[:, 0]
        self.terminated[rows, step] = terminated
        self.logs["weights"][rows, step], self.logs["served"][rows, step] = info["weights"], info["served"]
        self.logs["rates"][rows, step] = radio_logs.rates_of_served(info["rates"], info["served"])

    def data(self, card: dict[str, Any]) -> OfflineData:
        """The episodes with a card."""
        return OfflineData(self.observation, self.mask, self.action, self.reward, self.terminated, self.logs, card)


class ReplayLog:
    """`record` of online training: keeps the last episodes of every lane.

    All lanes of a radio world start and end together, so the training is blocks of one episode per lane.
    """

    def __init__(self, world: Radio, blocks: int, kept: int) -> None:
        self.log = EpisodeLog(world, kept * world.num_envs)
        self._lanes, self._horizon, self._first = world.num_envs, world.horizon, blocks - kept

    def __call__(self, step: Any) -> None:
        block, place = divmod(step.step - 1, self._horizon)
        if block < self._first:
            return
        rows = slice((block - self._first) * self._lanes, (block - self._first + 1) * self._lanes)
        self.log.see(rows, place, step.observation, step.mask)
        self.log.add(rows, place, step.action, step.reward, step.terminated, step.info)
        if place == self._horizon - 1:
            self.log.see(rows, self._horizon, step.next_observation, step.next_mask)


def collect(name: str, environment: RadioSettings, behaviour: Behaviour, episodes: int, purpose: str,
            seed: int) -> EpisodeLog:  # fmt: skip
    """Log `episodes` episodes; number k depends on (purpose, seed, k) only, not on how many are collected.

    Layouts and channels come from streams of their own, which no evaluation uses.
    """
    lane_keys = [keys(f"{purpose} layouts", seed, number, count=1)[0] for number in range(episodes)]
    log: EpisodeLog | None = None
    for first in range(0, episodes, LANES):
        numbers = range(first, min(first + LANES, episodes))
        world = replication.make(name, num_envs=len(numbers), **environment.plain())
        log = log or EpisodeLog(world, episodes)
        shape = (world.horizon, world.num_agents, 2)
        draws = np.stack([stream(f"{purpose} draws", seed, k).random(shape, dtype=np.float32) for k in numbers])
        _play(world, behaviour, np.array([lane_keys[k] for k in numbers], np.uint64), draws, log, first)
    assert log is not None
    return log


def _play(world: Radio, behaviour: Behaviour, lane_keys: np.ndarray, draws: np.ndarray, log: EpisodeLog,
          first: int) -> None:  # fmt: skip
    rows = slice(first, first + world.num_envs)
    observation = world.reset(lane_keys)
    for step in range(world.horizon):
        log.see(rows, step, observation, world.action_mask())
        action = behaviour(world, draws[:, step])
        observation, reward, terminated, _, info = world.step(action)
        log.add(rows, step, action, reward, terminated, info)
    log.see(rows, world.horizon, observation, world.action_mask())


def random_actions(world: Radio, draws: np.ndarray) -> np.ndarray:
    """Uniform among the valid actions, every AP on its own."""
    mask = world.action_mask()
    place = (draws[..., 1] * mask.sum(axis=2)).astype(np.int64)  # which of the valid actions, from 0
    return (mask.cumsum(axis=2) <= place[..., None]).sum(axis=2, keepdims=True)


def noisy(act: Callable[[Radio], np.ndarray], share: float) -> Behaviour:
    """`act`, but every AP takes a random valid action with probability `share`."""

    def behave(world: Radio, draws: np.ndarray) -> np.ndarray:
        return np.where(draws[..., :1] < share, random_actions(world, draws), act(world))

    return behave


def sampling(policy: DiscretePolicy) -> Behaviour:
    """Draws from the probabilities of a policy."""

    def behave(world: Radio, draws: np.ndarray) -> np.ndarray:
        return policy.sample(world.observation(), world.action_mask(), draws[..., 0])

    return behave


def greedy(policy: DiscretePolicy, share: float) -> Behaviour:
    """The best actions of a policy, but random ones with probability `share`, AP by AP."""
    return noisy(lambda world: policy.act(world.observation(), world.action_mask()), share)


class Explorer:
    """A behaviour as something that plays: it draws from a stream of every seed, lanes being laid out (seed, lane)."""

    def __init__(self, behaviour: Behaviour, seeds: tuple[int, ...]) -> None:
        self._behaviour, self._seeds = behaviour, seeds

    def reset(self, world: Any) -> None:
        """Start the streams anew."""
        self._generators = [stream("behaviour draws", seed) for seed in self._seeds]

    def act(self, world: Any) -> np.ndarray:
        """(E, A, 1) actions for the coming TTI."""
        shape = (world.num_envs // len(self._seeds), world.num_agents, 2)
        return self._behaviour(world, np.concatenate([generator.random(shape) for generator in self._generators]))
