"""Small worlds with known answers, with the face every world has."""

import numpy as np


class Targets:
    """Each agent must place its action on a number it sees; a pure function of (episode key, step)."""

    action_kind, action_size, action_low, action_high = "continuous", 1, -0.8, 0.8

    def __init__(self, num_envs: int, num_agents: int = 3, horizon: int = 12, noise_features: int = 2) -> None:
        self.num_envs, self.num_agents, self.horizon = num_envs, num_agents, horizon
        self.observation_size = 1 + noise_features + 1  # target, distractors, a padding column that never moves
        self.state_size = num_agents * self.observation_size
        self.keys = np.zeros(num_envs, dtype=np.uint64)
        self.time = np.zeros(num_envs, dtype=np.int64)
        self.observation = np.zeros((num_envs, num_agents, self.observation_size))

    def _draw(self, lanes) -> None:
        for lane in lanes:
            generator = np.random.default_rng([int(self.keys[lane]), int(self.time[lane])])
            self.observation[lane, :, :-1] = generator.uniform(-0.7, 0.7, (self.num_agents, self.observation_size - 1))

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


class NoRun:
    """A run that keeps nothing."""

    def log(self, step, **numbers) -> None:
        pass

    def checkpoint(self, step, make_state) -> None:
        pass

    def restore(self) -> None:
        return None
