"""PettingZoo Parallel face of any world: one lane, dictionaries per agent.

For tools that speak PettingZoo; the batched face of the world itself is far faster.
"""

from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

from replication.seeding import keys


class Parallel(ParallelEnv):
    """PettingZoo `ParallelEnv` around a world built with `num_envs=1`.

    Args:
        world: any world of this package with one lane.
    """

    metadata: ClassVar[dict[str, Any]] = {"name": "replication", "render_modes": []}
    render_mode = None

    def __init__(self, world: Any) -> None:
        if world.num_envs != 1:
            raise ValueError(
                f"the PettingZoo face needs num_envs=1, got {world.num_envs}; build the world with one lane"
            )
        self.world = world
        self.possible_agents = [f"agent_{i}" for i in range(world.num_agents)]
        self.agents: list[str] = []
        self._episode, self._seed = 0, 0
        self._observations = {name: self._box() for name in self.possible_agents}
        self._actions = {name: self._action_space(i) for i, name in enumerate(self.possible_agents)}

    def observation_space(self, agent: str) -> spaces.Box:
        """Box of the agent's padded observation."""
        return self._observations[agent]

    def action_space(self, agent: str) -> spaces.Space:
        """Box [low, high] or Discrete."""
        return self._actions[agent]

    def reset(self, seed: int | None = None, options: dict | None = None):
        """Start an episode; the same seed gives the same episode, no seed the next one."""
        if seed is not None:
            self._seed, self._episode = int(seed), 0
        observation = self.world.reset(keys("pettingzoo episodes", self._seed, self._episode, count=1))
        self._episode += 1
        self.agents = list(self.possible_agents)
        return self._by_agent(observation[0]), {name: {} for name in self.agents}

    def step(self, actions: dict[str, Any]):
        """One step; an agent's entry may be an array of its action space or a plain number."""
        dtype = np.float64 if self.world.action_kind == "continuous" else np.int64
        joint = np.array([np.reshape(actions[name], -1) for name in self.agents], dtype=dtype)[None]
        observation, reward, terminated, truncated, info = self.world.step(joint)
        names, ended = self.agents, bool(terminated[0] or truncated[0])
        infos = {name: {key: values[0] for key, values in info.items()} for name in names}
        result = (
            self._by_agent(observation[0]),
            {name: float(reward[0, i]) for i, name in enumerate(names)},
            {name: bool(terminated[0]) for name in names},
            {name: bool(truncated[0]) for name in names},
            infos,
        )
        self.agents = [] if ended else names
        return result

    def state(self) -> np.ndarray:
        """Global state of the lane."""
        return self.world.state()[0].copy()

    def _by_agent(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        return {name: rows[i].astype(np.float32) for i, name in enumerate(self.possible_agents)}

    def _box(self) -> spaces.Box:
        return spaces.Box(-np.inf, np.inf, (self.world.observation_size,), np.float32)

    def _action_space(self, index: int) -> spaces.Space:
        if self.world.action_kind == "discrete":
            return spaces.Discrete(self.world.action_size)
        low, high = np.float32(self.world.action_low), np.float32(self.world.action_high)
        return spaces.Box(low, high, (self.world.action_size,), np.float32, seed=index)
