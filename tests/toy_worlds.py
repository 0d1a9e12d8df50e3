"""Small worlds with known answers, with the face every world has."""

import numpy as np
import torch


class Targets:
    """Each agent must place its action on a number it sees; a pure function of (episode key, step)."""

    action_kind, action_size, action_low, action_high = "continuous", 1, -0.8, 0.8

    def __init__(self, num_envs: int, num_agents: int = 3, horizon: int = 12) -> None:
        self.num_envs, self.num_agents, self.horizon = num_envs, num_agents, horizon
        self.observation_size = 4  # target, two distractors, a padding column that never moves
        self.state_size = num_agents * self.observation_size
        self.keys = np.zeros(num_envs, dtype=np.uint64)
        self.time = np.zeros(num_envs, dtype=np.int64)
        self.observation = np.zeros((num_envs, num_agents, self.observation_size))

    def _draw(self, lanes) -> None:
        channels = np.arange(1.0, 1.0 + self.num_agents * 3).reshape(self.num_agents, 3)
        for lane in lanes:
            phase = float(self.keys[lane] % np.uint64(9973)) + 17.0 * self.time[lane]
            self.observation[lane, :, :3] = 0.7 * np.sin(channels**2 + phase * np.sqrt(channels))

    def reset(self, seeds, where=None) -> np.ndarray:
        where = np.ones(self.num_envs, dtype=bool) if where is None else where
        self.keys[where], self.time[where] = np.asarray(seeds)[where], 0
        self._draw(np.flatnonzero(where))
        return self.observation

    def step(self, actions):
        miss = np.abs(actions[..., 0] - self.observation[..., 0])
        reward = np.repeat(-np.square(miss).mean(axis=1, keepdims=True), self.num_agents, axis=1)
        self.time += 1
        self._draw(range(self.num_envs))
        truncated = self.time >= self.horizon
        return self.observation, reward, np.zeros_like(truncated), truncated, {"miss": miss.mean(axis=1)}

    def state(self) -> np.ndarray:
        return self.observation.reshape(self.num_envs, -1)

    def snapshot(self) -> dict:
        return {"keys": self.keys.copy(), "time": self.time.copy(), "observation": self.observation.copy()}

    def restore(self, snapshot: dict) -> None:
        for name, array in snapshot.items():
            getattr(self, name)[:] = array


class Deposit:
    """Two steps: the first action costs what the second step pays back twice, so only foresight pays."""

    action_kind, action_size, action_low, action_high = "continuous", 1, -1.0, 1.0
    num_agents, observation_size, state_size, horizon = 1, 2, 2, 2

    def __init__(self, num_envs: int) -> None:
        self.num_envs = num_envs
        self.time, self.paid = np.zeros(num_envs, dtype=np.int64), np.zeros(num_envs)

    def _observe(self) -> np.ndarray:
        return np.stack([self.time == 0, np.where(self.time == 1, self.paid, 0.0)], axis=-1)[:, None]

    def reset(self, seeds, where=None) -> np.ndarray:
        where = np.ones(self.num_envs, dtype=bool) if where is None else where
        self.time[where], self.paid[where] = 0, 0.0
        return self._observe()

    def step(self, actions):
        first = self.time == 0
        reward = np.where(first, -actions[:, 0, 0], 2.0 * self.paid)
        self.paid = np.where(first, actions[:, 0, 0], self.paid)
        self.time += 1
        terminated = self.time >= 2
        return self._observe(), reward[:, None], terminated, np.zeros_like(terminated), {}

    def state(self) -> np.ndarray:
        return self._observe()[:, 0]


class Constant:
    """Reward 1 at every step, nothing to see; ends after `horizon` steps by time limit or for good."""

    action_kind, action_size, action_low, action_high = "continuous", 1, -1.0, 1.0
    num_agents, observation_size, state_size = 1, 1, 1

    def __init__(self, num_envs: int, horizon: int, terminates: bool) -> None:
        self.num_envs, self.horizon, self.terminates = num_envs, horizon, terminates
        self.time = np.zeros(num_envs, dtype=np.int64)

    def reset(self, seeds, where=None) -> np.ndarray:
        self.time[np.ones(self.num_envs, dtype=bool) if where is None else where] = 0
        return np.ones((self.num_envs, 1, 1))

    def step(self, actions):
        self.time += 1
        over, never = self.time >= self.horizon, np.zeros(self.num_envs, dtype=bool)
        ends = (over, never) if self.terminates else (never, over)
        return np.ones((self.num_envs, 1, 1)), np.ones((self.num_envs, 1)), *ends, {}

    def state(self) -> np.ndarray:
        return np.ones((self.num_envs, 1))


class NoRun:
    """A run that keeps nothing."""

    def log(self, step, **numbers) -> None:
        pass

    def checkpoint(self, step, make_state) -> None:
        pass

    def progress(self, fraction) -> None:
        assert 0 < fraction <= 1

    def restore(self) -> None:
        return None


class Interrupted(Exception):
    pass


class KeptRun(NoRun):
    """Keeps the last checkpoint as plain arrays, and can stop training after an update."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.saved, self.stop_after, self.logged = None, stop_after, []

    def log(self, step, **numbers) -> None:
        self.logged.append((step, numbers))

    def checkpoint(self, step, make_state) -> None:
        self.saved = _plain(make_state())
        if step == self.stop_after:
            raise Interrupted

    def restore(self):
        return self.saved


def _plain(value):
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, torch.Tensor):
        return value.numpy(force=True).copy()
    return value.copy() if isinstance(value, np.ndarray) else value


def evaluate(policy, world, seeds, **reset):
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
