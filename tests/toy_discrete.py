"""Small worlds with discrete actions and known answers, with the face every world has."""

import numpy as np


class Picks:
    """Each agent must take the valid action with the largest number it sees; a pure function of (episode key, step).

    Observation: a number in (0, 1) per action, 0 for the last action where it is invalid, and the share of the episode
    that is over. The team's reward is the share of agents that are right.
    """

    action_kind, action_size, num_agents, observation_size, state_size = "discrete", 3, 2, 4, 8

    def __init__(self, num_envs: int, horizon: int = 5, terminates: bool = False) -> None:
        self.num_envs, self.horizon, self.terminates = num_envs, horizon, terminates
        self.keys, self.time = np.zeros(num_envs, dtype=np.uint64), np.zeros(num_envs, dtype=np.int64)

    def observation(self) -> np.ndarray:
        phase = (self.keys % np.uint64(9973)).astype(np.float64)[:, None, None] + 17.0 * self.time[:, None, None]
        channels = np.arange(1.0, 7.0).reshape(2, 3)
        seen = np.empty((self.num_envs, 2, 4), np.float32)
        seen[..., :3] = 0.5 + 0.49 * np.sin(channels**2 + phase * np.sqrt(channels))
        seen[..., :3] *= self.action_mask()
        seen[..., 3] = self.time[:, None] / self.horizon
        return seen

    def action_mask(self) -> np.ndarray:
        mask = np.ones((self.num_envs, 2, 3), dtype=bool)
        mask[:, 0, 2] = self.keys % np.uint64(2) == 0
        return mask

    def reset(self, seeds, where=None) -> np.ndarray:
        where = np.ones(self.num_envs, dtype=bool) if where is None else where
        self.keys[where], self.time[where] = np.asarray(seeds)[where], 0
        return self.observation()

    def step(self, actions):
        assert np.take_along_axis(self.action_mask(), actions, axis=2).all()
        right = actions[..., 0] == self.observation()[..., :3].argmax(axis=2)
        reward = np.repeat(right.mean(axis=1, keepdims=True), 2, axis=1)
        self.time += 1
        over, never = self.time >= self.horizon, np.zeros(self.num_envs, dtype=bool)
        ends = (over, never) if self.terminates else (never, over)
        info = {"right": right.mean(axis=1), "final_time": np.where(over, self.time, 0), "actions": actions[..., 0]}
        return self.observation(), reward, *ends, info

    def state(self) -> np.ndarray:
        return self.observation().reshape(self.num_envs, -1)

    def snapshot(self) -> dict:
        return {"keys": self.keys.copy(), "time": self.time.copy()}

    def restore(self, snapshot: dict) -> None:
        self.keys[:], self.time[:] = snapshot["keys"], snapshot["time"]


class Same(Picks):
    """One agent that sees nothing and is paid 1 at every step."""

    num_agents, observation_size, state_size = 1, 1, 1

    def observation(self) -> np.ndarray:
        return np.ones((self.num_envs, 1, 1), np.float32)

    def action_mask(self) -> np.ndarray:
        return np.ones((self.num_envs, 1, 3), dtype=bool)

    def step(self, actions):
        _, _, terminated, truncated, _ = super().step(actions)
        return self.observation(), np.ones((self.num_envs, 1)), terminated, truncated, {}
