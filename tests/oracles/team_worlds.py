"""Small worlds for teams with known answers: choices and continuous actions, with all that a world offers."""

import numpy as np


class Signals:
    """Each agent must name the choice it is shown; choice 0 is never allowed, episodes end at a time limit.

    Places of agents and targets are there for what looks at them; they follow from the episode key.
    """

    name, action_kind, action_size = "toy/signals", "discrete", 4

    def __init__(self, num_envs: int, num_agents: int = 3, horizon: int = 4, terminates: bool = False) -> None:
        self.num_envs, self.num_agents, self.horizon, self.terminates = num_envs, num_agents, horizon, terminates
        self.observation_size, self.state_size = 6, 2 * num_agents
        self.keys, self.time = np.zeros(num_envs, dtype=np.uint64), np.zeros(num_envs, dtype=np.int64)
        self.seen = np.zeros((num_envs, num_agents, 6), dtype=np.float32)
        self.shown = np.zeros((num_envs, num_agents), dtype=np.int64)

    def _draw(self) -> None:
        phase = (self.keys % np.uint64(9973)).astype(np.float64) + 0.37 * self.time
        channels = np.arange(1.0, 1.0 + 3 * self.num_agents).reshape(self.num_agents, 3)
        draws = np.modf(np.abs(1e4 * np.sin(channels * 1.7 + 7.3 * phase[:, None, None])))[0]  # in [0, 1)
        self.shown[:] = 1 + (3 * draws[..., 0]).astype(np.int64)
        self.seen[:, :, :4] = np.eye(4)[self.shown]
        self.seen[:, :, 4:] = 2 * draws[..., 1:] - 1

    def reset(self, seeds, where=None) -> np.ndarray:
        where = np.ones(self.num_envs, dtype=bool) if where is None else where
        self.keys[where], self.time[where] = np.asarray(seeds)[where], 0
        self._draw()
        return self.seen

    def observation(self) -> np.ndarray:
        return self.seen

    def state(self) -> np.ndarray:
        return self.seen[:, :, 4:].reshape(self.num_envs, -1)

    def action_mask(self) -> np.ndarray:
        allowed = np.ones((self.num_envs, self.num_agents, self.action_size), dtype=bool)
        allowed[:, :, 0] = False
        return allowed

    @property
    def positions(self) -> np.ndarray:
        return self.seen[:, :, 4:].astype(np.float64)

    @property
    def velocities(self) -> np.ndarray:
        return np.zeros_like(self.positions)

    def targets(self) -> np.ndarray:
        return -self.positions[:, ::-1]

    def step(self, actions):
        assert not np.any(actions == 0)  # never allowed
        hit = (actions[..., 0] == self.shown).astype(np.float64)
        self.time += 1
        self._draw()
        over, never = self.time >= self.horizon, np.zeros(self.num_envs, dtype=bool)
        terminated, truncated = (over, never) if self.terminates else (never, over)
        return self.seen, hit, terminated, truncated, {"hits": hit.mean(axis=1)}

    def snapshot(self) -> dict:
        return {"keys": self.keys.copy(), "time": self.time.copy()}

    def restore(self, snapshot: dict) -> None:
        self.keys[:], self.time[:] = snapshot["keys"], snapshot["time"]
        self._draw()


class Levels(Signals):
    """The same with one continuous action: agents must place it on the last number they see, halved."""

    action_kind, action_size, action_low, action_high = "continuous", 1, -1.0, 1.0

    def step(self, actions):
        miss = np.abs(actions[..., 0] - 0.5 * self.seen[:, :, 5])
        seen, _, terminated, truncated, _ = super().step(np.ones((self.num_envs, self.num_agents, 1)))
        return seen, -np.square(miss), terminated, truncated, {"hits": -miss.mean(axis=1)}


class Steady(Signals):
    """Reward 1 for ever, whatever is done."""

    def step(self, actions):
        seen, hit, *rest = super().step(actions)
        return seen, np.ones_like(hit), *rest
