"""Collecting experience: numpy policy, one world whose lanes are (seed, env), keyed episodes and keyed noise."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from replication import seeding
from replication.algos.inputs import Inputs, fit_inputs, no_scaling
from replication.algos.nets import Arrays
from replication.algos.policy import Acting, Policy
from replication.algos.ppo_settings import PPOSettings
from replication.settings import BadInput


@dataclass
class Segment:
    """`T` steps of every lane; axes (seed, env, time, agent or row, feature)."""

    actor_input: np.ndarray  # (S, E, T, rows, features), scaled
    critic_input: np.ndarray  # (S, E, T, rows, features), scaled
    last_critic_input: np.ndarray  # (S, E, rows, features) after the last step and its resets
    final_critic_input: dict[int, np.ndarray]  # step -> (S, E, rows, features) before resets, where a lane was cut
    pre_tanh: np.ndarray  # (S, E, T, A, action_size) the Gaussian draw u
    mean: np.ndarray  # (S, E, T, A, action_size) its mean
    std: np.ndarray  # (S, A, action_size) its deviation
    reward: np.ndarray  # (S, E, T, A)
    terminated: np.ndarray  # (S, E, T)
    truncated: np.ndarray  # (S, E, T)
    memory: np.ndarray | None = None  # (S, E, T, rows, memory) the actor's state before each step
    numbers: dict[str, np.ndarray] = field(default_factory=dict)  # (S,) means over lanes and steps, for curves


class Collector:
    """Steps the world for all seeds and starts a new keyed episode wherever one ended."""

    def __init__(self, settings: PPOSettings, world, seeds: tuple[int, ...]) -> None:
        if world.num_envs != len(seeds) * settings.envs:
            raise BadInput(
                f"the world has {world.num_envs} lanes, but {len(seeds)} seeds x {settings.envs} envs need "
                f"{len(seeds) * settings.envs}; make it with num_envs={len(seeds) * settings.envs}"
            )
        if world.action_kind != "continuous":
            raise BadInput(f"this learner needs continuous actions, the world's are {world.action_kind!r}")
        self.settings, self.world, self.seeds = settings, world, seeds
        self.lanes = (len(seeds), settings.envs)
        self.dtype = np.dtype(settings.precision)
        self.episodes = np.zeros(self.lanes, dtype=np.int64)
        self.needs_state = "state" in (settings.actor_sees, settings.critic_sees)
        self.inputs = self._inputs()
        self.observation: np.ndarray = np.empty(0)
        self.state: np.ndarray | None = None
        self.memory: np.ndarray | None = None
        self._begin(np.ones(world.num_envs, dtype=bool))

    def _inputs(self) -> Inputs:
        world, seeds = self.world, len(self.seeds)
        if self.settings.input_scaling == "none":
            shape = (world.num_agents, world.observation_size)
            return no_scaling(seeds, shape, world.state_size, self.dtype.type)
        observations, states = _random_samples(world, self.seeds, self.settings.envs, self.settings.scaling_steps)
        return fit_inputs(observations, states, self.dtype.type)

    def _begin(self, where: np.ndarray) -> None:
        """Start the next episode of the lanes `where` (S * E,) is true; keys depend on (seed, env, episode) only."""
        keys = np.zeros(self.world.num_envs, dtype=np.uint64)
        for lane in np.flatnonzero(where):
            row, env = divmod(int(lane), self.settings.envs)
            episode = int(self.episodes[row, env])
            keys[lane] = seeding.keys("training episodes", self.seeds[row], env, episode, count=1)[0]
            self.episodes[row, env] += 1
        observation = self.world.reset(keys, where=where)
        if self.memory is not None:
            self.memory.reshape(self.world.num_envs, -1)[where] = 0
        self._look(observation)

    def _look(self, observation: np.ndarray) -> None:
        self.observation = observation
        self.state = self.world.state() if self.needs_state else None

    def _seen(self, sees: str) -> np.ndarray:
        return self.inputs.see(sees, self.observation, self.state)

    def collect(self, policy: Policy, update: int) -> Segment:
        """One segment under `policy`; the noise depends on (seed, update) only."""
        std = policy.std.astype(self.dtype)
        acting = Acting(policy, std[:, None, None] * self._noise(policy, update))
        if policy.network.recurrent and self.memory is None:
            self.memory = np.zeros((*self.lanes, policy.network.rows, policy.network.memory), dtype=self.dtype)
        kept, totals, finals = self._room(), _Totals(), {}
        for t in range(self.settings.segment):
            kept["critic_raw"][t] = self._critic_raw()
            if self.memory is not None:
                kept["memory"][t] = self.memory
            action, self.memory = acting.act(t, self.observation, self.state, self.memory)
            if self._step(action, t, kept, totals):
                finals[t] = self._seen(self.settings.critic_sees)
                self._begin(kept["terminated"][t] | kept["truncated"][t])
        kept |= {"actor_input": acting.actor_input, "mean": acting.mean, "pre_tanh": acting.pre_tanh}
        segment = self._segment(kept, finals, std)
        segment.numbers = totals.means(len(self.seeds)) | _numbers(segment)
        return segment

    def _step(self, action: np.ndarray, t: int, kept: Arrays, totals: "_Totals") -> bool:
        """Step the world and keep what it returns; whether an episode ended."""
        observation, kept["reward"][t], terminated, truncated, info = self.world.step(action)
        kept["terminated"][t], kept["truncated"][t] = terminated, truncated
        totals.add(info)
        self._look(observation)
        return bool(np.count_nonzero(terminated) or np.count_nonzero(truncated))

    def _critic_raw(self) -> np.ndarray:
        """What the critic sees, to be scaled for all steps at once."""
        raw: Any = self.state if self.settings.critic_sees == "state" else self.observation
        return raw

    def _room(self) -> Arrays:
        """Arrays for what every step leaves, (T, S * E, ...), the memory (T, S, E, ...)."""
        time, lanes, raw = self.settings.segment, self.world.num_envs, self._critic_raw()
        room = {"critic_raw": np.empty((time, *raw.shape), raw.dtype)}
        room["reward"] = np.empty((time, lanes, self.world.num_agents), self.dtype)
        room |= {name: np.empty((time, lanes), dtype=bool) for name in ("terminated", "truncated")}
        if self.memory is not None:
            room["memory"] = np.empty((time, *self.memory.shape), self.dtype)
        return room

    def _segment(self, kept: Arrays, finals: dict[int, np.ndarray], std: np.ndarray) -> Segment:
        """What was kept, with time behind the lanes and the critic's inputs scaled."""
        for name in ("critic_raw", "reward", "terminated", "truncated"):
            kept[name] = kept[name].reshape(len(kept[name]), *self.lanes, *kept[name].shape[2:])
        arrays: dict[str, Any] = {name: np.ascontiguousarray(np.moveaxis(a, 0, 2)) for name, a in kept.items()}
        return Segment(
            critic_input=self.inputs.scale(self.settings.critic_sees, arrays.pop("critic_raw")),
            last_critic_input=self._seen(self.settings.critic_sees),
            final_critic_input=finals,
            std=std,
            **arrays,
        )

    def _noise(self, policy: Policy, update: int) -> np.ndarray:
        shape = (self.settings.envs, self.settings.segment, policy.num_agents, policy.action_size)
        draws = [seeding.stream("exploration noise", s, update).standard_normal(shape, np.float32) for s in self.seeds]
        return np.stack(draws).astype(self.dtype, copy=False)

    def snapshot(self) -> dict:
        """World, episode counters and current inputs, enough to go on bitwise."""
        held = {"observation": self.observation, "state": self.state, "memory": self.memory}
        held = {name: np.array(value) for name, value in held.items() if value is not None}
        return {
            "world": self.world.snapshot(),
            "episodes": self.episodes.copy(),
            "inputs": self.inputs.arrays(),
            **held,
        }

    def restore(self, snapshot: dict) -> None:
        """Continue from `snapshot()`."""
        self.world.restore(snapshot["world"])
        self.episodes[:] = snapshot["episodes"]
        self.inputs = Inputs(**{name: np.asarray(array) for name, array in snapshot["inputs"].items()})
        self.observation = np.array(snapshot["observation"])
        self.state = np.array(snapshot["state"]) if "state" in snapshot else None
        self.memory = np.array(snapshot["memory"]) if "memory" in snapshot else None


class _Totals:
    """Sums over steps of the world's scalar metrics, per lane."""

    def __init__(self) -> None:
        self.steps = 0
        self.names: list[str] = []
        self.sums = np.zeros(0)  # (names, lanes)

    def add(self, info: dict) -> None:
        if self.steps == 0:
            self.names = [name for name, values in info.items() if np.ndim(values) == 1]
        news = np.array([info[name] for name in self.names], dtype=np.float64)
        self.sums = self.sums + news if self.steps else news
        self.steps += 1

    def means(self, seeds: int) -> dict[str, np.ndarray]:
        totals = zip(self.names, self.sums, strict=True)
        return {name: total.reshape(seeds, -1).mean(axis=1) / self.steps for name, total in totals}


def _numbers(segment: Segment) -> dict[str, np.ndarray]:
    squashed = np.tanh(segment.mean.astype(np.float64))
    numbers = {
        "reward": segment.reward,
        "mean_tanh_action": squashed,
        "mean_abs_tanh_action": np.abs(squashed),
        "std": segment.std,
    }
    return {name: array.reshape(len(array), -1).mean(axis=1, dtype=np.float64) for name, array in numbers.items()}


def _random_samples(world, seeds: tuple[int, ...], envs: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Observations (S, N, A, F) and states (S, N, Z) of `steps` random-action steps of at least 16 episodes a seed."""
    observations, states = [], []
    for start in range(-(-16 // envs)):
        keys = [seeding.keys("input statistics episodes", seed, start, count=envs) for seed in seeds]
        observation = world.reset(np.concatenate(keys))
        for step in range(steps):
            observations.append(np.array(observation).reshape(len(seeds), envs, *observation.shape[1:]))
            states.append(np.array(world.state()).reshape(len(seeds), envs, -1))
            shape = (envs, world.num_agents, world.action_size)
            draws = [seeding.stream("input statistics actions", s, start, step).random(shape) for s in seeds]
            actions = world.action_low + (world.action_high - world.action_low) * np.concatenate(draws)
            observation, _, terminated, truncated, _ = world.step(actions)
            if terminated.any() or truncated.any():
                break
    return np.concatenate(observations, axis=1), np.concatenate(states, axis=1)
