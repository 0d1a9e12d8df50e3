"""Cooperative navigation: N discs on a plane cover landmarks, meet, form a circle, or meet demands.

Source: mpe2 1.1.1, simple_spread_v3 and simple_formation_v1, equal trajectory by trajectory (the position moves with
the velocity from before the step). arXiv 2401.10949 has no experiments; a summary of it suggests the task, no numbers.
"""

import math
from typing import Any

import numpy as np

from replication.envs import navigation_kernel as kernel
from replication.envs.navigation_settings import NavigationSettings
from replication.envs.navigation_tasks import CIRCLE_RADIUS, CIRCLE_REACH, TASK_CODES, circle
from replication.settings import BadInput

FEWEST_AGENTS, MOST_AGENTS = 2, 100
ACTION_SIZES = {"discrete": 5, "continuous": 5, "force": 2}
BASE_AGENTS = 3  # the crowd the published arena was made for


class Navigation:
    """`num_envs` arenas side by side; see the module docstring for the source.

    Observation (E, A, F) float32: own velocity and position, landmarks relative (nearest first if limited), demands
    (supply), other agents relative, optional zeros and time. State (E, Z) float32: positions, velocities, landmarks,
    demands (supply), share of the horizon gone by. Actions: int64 (E, A, 1) in 0..4, or (E, A, 5) in [0, 1], or
    (E, A, 2) in [-1, 1]. Reward (E, A) float64. All lengths are in arena units of mpe2.
    """

    def __init__(self, name: str, num_agents: int, settings: NavigationSettings, num_envs: int) -> None:
        if not FEWEST_AGENTS <= num_agents <= MOST_AGENTS:
            raise BadInput(f"navigation needs {FEWEST_AGENTS} to {MOST_AGENTS} agents, got {num_agents}")
        self.name, self.num_agents, self.settings, self.num_envs = name, num_agents, settings, num_envs
        s = settings
        alone = s.task in ("rendezvous", "formation")
        self.num_landmarks = 1 if alone else (s.landmarks or num_agents)
        self.horizon = s.horizon
        self.action_kind = "discrete" if s.actions == "discrete" else "continuous"
        self.action_size = ACTION_SIZES[s.actions]
        self.action_low, self.action_high = (-1.0 if s.actions == "force" else 0.0), 1.0
        shrink = math.sqrt(BASE_AGENTS / num_agents)
        self.half_width = 1.0 / shrink if s.scaling == "arena" else 1.0
        self.radius = np.resize(s.radius, num_agents) * (shrink if s.scaling == "radius" else 1.0)
        self.sensitivity = np.resize(s.sensitivity, num_agents).astype(np.float64)
        self.circle_radius = CIRCLE_RADIUS * self.half_width
        self._with_demand = s.task == "supply"
        self.observation_size, self.state_size = self._sizes()
        self._allocate()

    def _sizes(self) -> tuple[int, int]:
        s, agents, marks = self.settings, self.num_agents, self.num_landmarks
        seen_marks = marks if s.landmark_neighbours is None else s.landmark_neighbours
        seen_agents = agents - 1 if s.agent_neighbours is None else s.agent_neighbours
        per_mark, per_agent = 2 + self._with_demand, 4 if s.messages else 2
        observation = 4 + per_mark * seen_marks + per_agent * seen_agents + s.observe_time
        return observation, 4 * agents + per_mark * marks + 1

    def _allocate(self) -> None:
        s, agents, marks = self.settings, self.num_agents, self.num_landmarks
        lanes = min(kernel.LANES, self.num_envs)
        tiles = -(-self.num_envs // lanes)
        self._keys = np.zeros(self.num_envs, dtype=np.uint64)
        self._memory = (
            np.zeros((tiles, lanes), dtype=np.int64),
            np.zeros((tiles, agents, 2, lanes)),
            np.zeros((tiles, agents, 2, lanes)),
            np.zeros((tiles, marks, 2, lanes)),
            np.zeros((tiles, marks, lanes), dtype=np.int64),
        )
        room = max(agents, marks, s.agent_neighbours or 0, s.landmark_neighbours or 0)
        tiled = (np.zeros((agents, 2, lanes)), np.zeros((agents, lanes)), *np.zeros((3, lanes)))
        alone = (np.zeros((agents, 2)), np.zeros((marks, 2)), np.zeros(room, dtype=np.int64), np.zeros(room))
        self._scratch = (tiled, alone)
        self._rows = tiles * lanes
        self._force = np.zeros((self._rows, agents, 2))
        self._observation = np.zeros((self._rows, agents, self.observation_size), dtype=np.float32)
        self._motion = (s.time_step, s.damping, s.integration == "new_velocity")
        self._goal = (TASK_CODES[s.task], s.local_ratio, s.reward == "openai", s.energy_price, s.capture_radius,
                      self.circle_radius, s.contact)  # fmt: skip
        near_agents, near_landmarks = (
            -1 if count is None else count for count in (s.agent_neighbours, s.landmark_neighbours)
        )
        self._view = (near_agents, near_landmarks, s.messages, s.observe_time, self._with_demand)
        reach = self.half_width * (CIRCLE_REACH if s.task == "formation" else 1.0)
        self._arena = (self.half_width, reach, s.initial_speed)

    def reset(self, seeds: np.ndarray, where: np.ndarray | None = None) -> np.ndarray:
        """Start episodes.

        Args:
            seeds: (E,) uint64 episode keys: positions, landmarks, first velocities and demands follow from them.
            where: (E,) bool, lanes to start; all if absent.

        Returns:
            (E, A, F) observation.
        """
        seeds = np.asarray(seeds)
        whole = seeds.dtype.kind == "u" or (seeds.dtype.kind == "i" and not np.any(seeds < 0))
        if seeds.shape != (self.num_envs,) or not whole:
            raise BadInput(f"seeds must be ({self.num_envs},) whole numbers >= 0, got {seeds.dtype} {seeds.shape}")
        fresh = np.ones(self.num_envs, dtype=bool) if where is None else np.asarray(where, dtype=bool)
        if fresh.shape != (self.num_envs,):
            raise BadInput(f"where must have shape ({self.num_envs},), got {fresh.shape}")
        self._keys[fresh] = seeds.astype(np.uint64)[fresh]
        kernel.reset_tiles(self._keys, fresh, self._goal[0], self._arena, self._view, self.horizon, self._memory,
                           self._scratch[1], self._observation)  # fmt: skip
        return self.observation()

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """Apply the actions of all agents; see the class for their form.

        `info` holds (E,) arrays: distance (the team's cost, minus the global reward), collisions (ordered pairs of
        discs that overlap), coverage (share of targets with an agent within the capture radius), energy (sum of
        squared forces), success (1 at full coverage), final_coverage (coverage where the episode ends, else 0).
        """
        to_force = kernel.force_of_choices if self.action_kind == "discrete" else kernel.force_of_numbers
        to_force(self._checked(actions), self.sensitivity, self._force[: self.num_envs])
        reward, metrics = np.empty((self._rows, self.num_agents)), np.empty((len(kernel.METRICS), self._rows))
        kernel.step_tiles(self._force, self.radius, self._motion, self._goal, self._view, self.horizon, self._memory,
                          self._scratch, reward, metrics, self._observation)  # fmt: skip
        info = dict(zip(kernel.METRICS, metrics[:, : self.num_envs], strict=True))
        truncated = self.lane_steps >= self.horizon
        terminated = np.zeros_like(truncated)
        if self.settings.terminate_on_success:
            terminated = (info["success"] > 0) & ~truncated
        info["final_coverage"] = np.where(terminated | truncated, info["coverage"], 0.0)
        return self.observation(), reward[: self.num_envs], terminated, truncated, info

    def _checked(self, actions: np.ndarray) -> np.ndarray:
        actions = np.asarray(actions)
        discrete = self.action_kind == "discrete"
        expected = (self.num_envs, self.num_agents, 1 if discrete else self.action_size)
        if actions.shape != expected:
            raise BadInput(f"actions must have shape {expected} (env, agent, action), got {actions.shape}")
        if discrete and actions.dtype.kind not in "iu":
            raise BadInput(f"discrete actions must be whole numbers 0 to {self.action_size - 1}, got {actions.dtype}")
        actions = actions.astype(np.int64 if discrete else np.float64, copy=False)
        low, high = (0, self.action_size - 1) if discrete else (self.action_low - 1e-6, self.action_high + 1e-6)
        least, largest = actions.min(), actions.max()
        if not (least >= low and largest <= high):  # also refuses NaN
            raise BadInput(f"actions must lie in [{low:g}, {high:g}], got {least:g} to {largest:g}")
        return np.ascontiguousarray(actions)

    def targets(self) -> np.ndarray:
        """(E, T, 2) places where an agent is wanted now.

        The landmarks (spread), the one landmark for every agent (rendezvous), the circle (formation), or each
        landmark as often as it demands (supply).
        """
        positions, landmarks = self.positions, self.landmarks
        if self.settings.task == "rendezvous":
            return np.repeat(landmarks, self.num_agents, axis=1)
        if self.settings.task == "formation":
            places = np.empty_like(positions)
            for lane in range(self.num_envs):
                circle(positions[lane], landmarks[lane, 0], self.circle_radius, places[lane])
            return places
        if self._with_demand:
            wanted = zip(landmarks, self.demands, strict=True)
            return np.stack([np.repeat(marks, units, axis=0) for marks, units in wanted])
        return landmarks

    def observation(self) -> np.ndarray:
        """(E, A, F) observation after the last reset or step."""
        return self._observation[: self.num_envs]

    def state(self) -> np.ndarray:
        """(E, Z) global state: positions, velocities, landmarks, demands (supply), share of the horizon gone by."""
        parts = [array.reshape(self.num_envs, -1) for array in (self.positions, self.velocities, self.landmarks)]
        parts += [self.demands] * self._with_demand
        share = np.minimum(self.lane_steps / self.horizon, 1.0)
        return np.concatenate([*parts, share[:, None]], axis=1, dtype=np.float32)

    def action_mask(self) -> np.ndarray:
        """(E, A, action_size) all true: every action is always allowed."""
        return np.ones((self.num_envs, self.num_agents, self.action_size), dtype=bool)

    def snapshot(self) -> dict[str, np.ndarray]:
        """Everything a later `restore` needs to continue bit by bit."""
        return {name: array.copy() for name, array in self._kept().items()}

    def restore(self, saved: dict[str, np.ndarray]) -> None:
        """Continue from a `snapshot` of a world with the same settings and num_envs."""
        for name, array in self._kept().items():
            if name not in saved or saved[name].shape != array.shape:
                raise BadInput(
                    f"snapshot does not fit: {name} should have shape {array.shape}; restore into an equal world"
                )
            array[...] = saved[name]

    @property
    def positions(self) -> np.ndarray:
        """(E, A, 2) positions of the agents."""
        return self._places(1)

    @property
    def velocities(self) -> np.ndarray:
        """(E, A, 2) velocities of the agents."""
        return self._places(2)

    @property
    def landmarks(self) -> np.ndarray:
        """(E, M, 2) positions of the landmarks."""
        return self._places(3)

    @property
    def demands(self) -> np.ndarray:
        """(E, M) agents each landmark wants."""
        return self._memory[4].transpose(0, 2, 1).reshape(self._rows, -1)[: self.num_envs].copy()

    @property
    def lane_keys(self) -> np.ndarray:
        """(E,) uint64 episode keys of the running episodes."""
        return self._keys.copy()

    @property
    def lane_steps(self) -> np.ndarray:
        """(E,) steps done in the running episodes."""
        return self._memory[0].reshape(-1)[: self.num_envs].copy()

    def _places(self, part: int) -> np.ndarray:
        tiled = self._memory[part]
        return tiled.transpose(0, 3, 1, 2).reshape(self._rows, -1, 2)[: self.num_envs].copy()

    def _kept(self) -> dict[str, Any]:
        names = ("step", "position", "velocity", "landmarks", "demand")
        memory = dict(zip(names, self._memory, strict=True))
        return memory | {"keys": self._keys, "observation": self._observation}
