"""Collecting a team's experience: one world whose lanes are (seed, env), keyed episodes and keyed draws."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from replication import seeding
from replication.algos.nets import Arrays
from replication.algos.team_policy import TeamPolicy
from replication.algos.team_settings import TeamSettings, check_team
from replication.algos.team_view import View, joined
from replication.algos.transport_rewards import assignment_potential
from replication.settings import BadInput

Interference = Callable[[Any, np.ndarray], np.ndarray]  # (world, actions (E, A, .)) -> the actions really taken


@dataclass
class TeamSegment:
    """`T` steps of every lane; axes (seed, env, time, agent, feature)."""

    seen: np.ndarray  # (S, E, T, A, F) actors' inputs
    extra: np.ndarray  # (S, E, T, X) what critics see beside them
    mask: np.ndarray | None  # (S, E, T, A, U) allowed choices, of discrete actions
    drawn: np.ndarray  # (S, E, T, A) choices, or (S, E, T, A, U) points before tanh
    log_probability: np.ndarray  # (S, E, T, A)
    reward: np.ndarray  # (S, E, T, A)
    terminated: np.ndarray  # (S, E, T)
    truncated: np.ndarray  # (S, E, T)
    before: np.ndarray | None  # (S, E, T) shaping potential before each step
    after: np.ndarray | None  # (S, E, T) and after it, before any reset
    last: np.ndarray  # (S, E, A, F + X) critics' inputs after the last step and its resets
    finals: dict[int, np.ndarray]  # step -> (S, E, A, F + X) before resets, where a lane was cut
    numbers: Arrays = field(default_factory=dict)  # (S,) means over lanes and steps, for curves

    @property
    def cut(self) -> np.ndarray:
        return self.terminated | self.truncated


class TeamCollector:
    """Steps the world for all seeds and starts a new keyed episode wherever one ended.

    `interfere`, where set, replaces the chosen actions by those really taken, for instance another partner's.
    """

    def __init__(self, settings: TeamSettings, world, seeds: tuple[int, ...]) -> None:
        lanes = len(seeds) * settings.envs
        if world.num_envs != lanes:
            raise BadInput(
                f"the world has {world.num_envs} lanes, but {len(seeds)} seeds x {settings.envs} envs need {lanes}; "
                f"make it with num_envs={lanes}"
            )
        check_team(world.num_agents, settings)
        self.shaped = settings.alignment.kind == "ot_potential"
        if self.shaped and not hasattr(world, "targets"):
            raise BadInput(f"kind 'ot_potential' needs a world with targets, got {world.name!r}")
        self.settings, self.world, self.seeds, self.view = settings, world, seeds, View.of(settings)
        self.discrete = world.action_kind == "discrete"
        self.interfere: Interference | None = None
        self.episodes = np.zeros((len(seeds), settings.envs), dtype=np.int64)
        self.age = np.zeros(lanes, dtype=np.int64)
        self._begin(np.ones(lanes, dtype=bool))

    def _begin(self, where: np.ndarray) -> None:
        """Start the next episode of the lanes `where` (S * E,); keys depend on (seed, env, episode) only."""
        keys = np.zeros(self.world.num_envs, dtype=np.uint64)
        for lane in np.flatnonzero(where):
            row, env = divmod(int(lane), self.settings.envs)
            keys[lane] = seeding.keys("team episodes", self.seeds[row], env, int(self.episodes[row, env]), count=1)[0]
        self.episodes.reshape(-1)[where] += 1
        self.age[where] = 0
        self.world.reset(keys, where=where)

    def collect(self, policy: TeamPolicy, update: int) -> TeamSegment:
        """One segment under `policy`; the draws depend on (seed, update) only."""
        noise = self._noise(policy, update)
        steps: list[Arrays] = []
        finals: dict[int, np.ndarray] = {}
        for t in range(self.settings.segment):
            steps.append(self._one_step(policy, noise[:, :, t]))
            over = steps[-1]["terminated"] | steps[-1]["truncated"]
            if over.any():
                if self.settings.time_limit == "truncation":
                    finals[t] = self._critic_sees()
                self._begin(over)
        return self._segment(steps, finals)

    def _one_step(self, policy: TeamPolicy, noise: np.ndarray) -> Arrays:
        """Step the world once; returns arrays (S * E, ...) of what was seen, done and paid."""
        seen, extra = self._look()
        now: Arrays = {"seen": seen, "extra": extra}
        if self.discrete:
            now["mask"] = self.world.action_mask()
        if self.shaped:
            now["before"] = assignment_potential(self.world.positions, self.world.targets())
        mask = self._parted(now["mask"]) if self.discrete else None
        drawn, log_probability = policy.sample(self._parted(seen), mask, noise)
        action = policy.to_action(drawn)
        if self.interfere is not None:
            action = self.interfere(self.world, action)
        _, reward, terminated, truncated, info = self.world.step(action)
        self.age += 1
        if self.shaped:
            now["after"] = assignment_potential(self.world.positions, self.world.targets())
        flat = (len(seen), *drawn.shape[2:])
        now |= {"drawn": drawn.reshape(flat), "log_probability": log_probability.reshape(len(seen), -1)}
        now |= {"reward": reward.astype(np.float32), "terminated": terminated, "truncated": truncated}
        now |= {f"info {name}": values for name, values in info.items() if np.ndim(values) == 1}
        return {name: np.array(values) for name, values in now.items()}  # worlds may use their arrays again

    def _look(self) -> tuple[np.ndarray, np.ndarray]:
        share = np.minimum(self.age / self.world.horizon, 1.0)
        return self.view.actor(self.world), self.view.extra(self.world, share)

    def _critic_sees(self) -> np.ndarray:
        return self._parted(joined(*self._look()))

    def _parted(self, values: np.ndarray) -> np.ndarray:
        """(S * E, ...) -> (S, E, ...)."""
        return values.reshape(len(self.seeds), self.settings.envs, *values.shape[1:])

    def _segment(self, steps: list[Arrays], finals: dict[int, np.ndarray]) -> TeamSegment:
        kept = {name: self._parted(np.stack([step[name] for step in steps], axis=1)) for name in steps[0]}
        metrics = {name.removeprefix("info "): kept.pop(name) for name in list(kept) if name.startswith("info ")}
        numbers = {"reward": kept["reward"]} | metrics
        means = {name: array.reshape(len(array), -1).mean(axis=1, dtype=np.float64) for name, array in numbers.items()}
        optional: dict[str, Any] = {name: kept.pop(name, None) for name in ("mask", "before", "after")}
        return TeamSegment(**kept, **optional, last=self._critic_sees(), finals=finals, numbers=means)

    def _noise(self, policy: TeamPolicy, update: int) -> np.ndarray:
        """(S, E, T, A) uniform numbers for choices, (S, E, T, A, U) normal ones for continuous actions."""
        shape = (self.settings.envs, self.settings.segment, self.world.num_agents)
        streams = [seeding.stream("team exploration", seed, update) for seed in self.seeds]
        if self.discrete:
            return np.stack([rng.random(shape) for rng in streams])
        return np.stack([rng.standard_normal((*shape, policy.action_size), np.float32) for rng in streams])

    def snapshot(self) -> dict:
        """World and episode counters, enough to go on bitwise."""
        return {"world": self.world.snapshot(), "episodes": self.episodes.copy(), "age": self.age.copy()}

    def restore(self, snapshot: dict) -> None:
        """Continue from `snapshot()`."""
        self.world.restore(snapshot["world"])
        self.episodes[:] = snapshot["episodes"]
        self.age[:] = snapshot["age"]
