"""Collecting experience: numpy policy, one world whose lanes are (seed, env), keyed episodes and keyed noise."""

from dataclasses import dataclass, field

import numpy as np

from replication import seeding
from replication.algos.inputs import Inputs, fit_inputs, no_scaling
from replication.algos.policy import Policy
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
        self.dtype = np.dtype(settings.precision)
        self.episodes = np.zeros((len(seeds), settings.envs), dtype=np.int64)
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
        segment = self._empty(policy)
        noise = self._noise(policy, update)
        totals = _Totals()
        if segment.memory is not None and self.memory is None:
            self.memory = np.zeros(segment.memory[:, :, 0].shape, dtype=self.dtype)
        for t in range(self.settings.segment):
            segment.actor_input[:, :, t] = self._seen(self.settings.actor_sees)
            segment.critic_input[:, :, t] = self._seen(self.settings.critic_sees)
            if segment.memory is not None:
                segment.memory[:, :, t] = self.memory
            mean, self.memory = policy.mean(segment.actor_input[:, :, t], self.memory)
            segment.mean[:, :, t] = mean
            segment.pre_tanh[:, :, t] = mean + segment.std[:, None] * noise[:, :, t]
            self._step(policy.to_action(segment.pre_tanh[:, :, t]), t, segment, totals)
        segment.last_critic_input = self._seen(self.settings.critic_sees)
        segment.numbers = totals.means(len(self.seeds)) | _numbers(segment)
        return segment

    def _step(self, action: np.ndarray, t: int, segment: Segment, totals: "_Totals") -> None:
        lanes = (len(self.seeds), self.settings.envs)
        action = action.reshape(self.world.num_envs, self.world.num_agents, -1)
        observation, reward, terminated, truncated, info = self.world.step(action)
        segment.reward[:, :, t] = reward.reshape(*lanes, -1)
        segment.terminated[:, :, t] = terminated.reshape(lanes)
        segment.truncated[:, :, t] = truncated.reshape(lanes)
        totals.add(info)
        done = terminated | truncated
        self._look(observation)
        if done.any():
            segment.final_critic_input[t] = self._seen(self.settings.critic_sees)
            self._begin(done.copy())

    def _noise(self, policy: Policy, update: int) -> np.ndarray:
        shape = (self.settings.envs, self.settings.segment, policy.num_agents, policy.action_size)
        draws = [seeding.stream("exploration noise", s, update).standard_normal(shape, np.float32) for s in self.seeds]
        return np.stack(draws).astype(self.dtype, copy=False)

    def _empty(self, policy: Policy) -> Segment:
        lanes, time = (len(self.seeds), self.settings.envs), self.settings.segment
        actor, critic = (self._seen(sees).shape[2:] for sees in (self.settings.actor_sees, self.settings.critic_sees))
        agents = (self.world.num_agents,)
        acting = (*agents, policy.action_size)
        network = policy.network

        def empty(*shape: int, dtype=self.dtype) -> np.ndarray:
            return np.empty((*lanes, time, *shape), dtype)

        return Segment(
            actor_input=empty(*actor),
            critic_input=empty(*critic),
            last_critic_input=np.empty(0),
            final_critic_input={},
            pre_tanh=empty(*acting),
            mean=empty(*acting),
            std=policy.std.astype(self.dtype),
            reward=empty(*agents),
            terminated=empty(dtype=bool),
            truncated=empty(dtype=bool),
            memory=empty(network.rows, network.memory) if network.recurrent else None,
        )

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
        self.sums: dict[str, np.ndarray] = {}

    def add(self, info: dict) -> None:
        self.steps += 1
        for name, values in info.items():
            if name not in self.sums and np.ndim(values) == 1:
                self.sums[name] = np.zeros(len(values))
            if name in self.sums:
                self.sums[name] += values

    def means(self, seeds: int) -> dict[str, np.ndarray]:
        return {name: total.reshape(seeds, -1).mean(axis=1) / self.steps for name, total in self.sums.items()}


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


def evaluate(policy: Policy, world, seeds: np.ndarray, **reset) -> dict[str, np.ndarray]:
    """Sums over one greedy episode per lane.

    The lanes belong to the policy's S seeds in equal blocks; use the same episode keys in every block to compare
    seeds on the same episodes. A lane stops counting once its episode is over.

    Args:
        seeds: (E,) episode keys. reset: further arguments of the world's `reset`, for instance `windows`.

    Returns:
        name -> (S, E / S, ...) sums of the world's metrics, of "reward" (mean over agents), and "steps" counted.
    """
    observation = world.reset(seeds, **reset)
    policy.reset()
    alive = np.ones(world.num_envs, dtype=bool)
    sums: dict[str, np.ndarray] = {"steps": np.zeros(world.num_envs)}
    while alive.any():
        state = world.state() if policy.sees == "state" else None
        observation, reward, terminated, truncated, info = world.step(policy.act(observation, state))
        sums["steps"] += alive
        for name, values in {"reward": reward.mean(axis=-1), **info}.items():
            counted = np.where(alive.reshape(-1, *[1] * (np.ndim(values) - 1)), values, 0.0)
            sums[name] = sums.get(name, 0.0) + counted
        alive &= ~(terminated | truncated)
    return {name: np.reshape(total, (policy.num_seeds, -1, *total.shape[1:])) for name, total in sums.items()}
