"""What the nets of a team see of a world: observations, the assigned target, global state, time."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from replication.algos.team_settings import TeamSettings
from replication.envs.navigators import HungarianDynamic, HungarianSettings
from replication.settings import BadInput


@dataclass(frozen=True)
class View:
    """Inputs of actors and critics, (E, A, features) float32."""

    assignment: bool
    state: bool
    time: bool

    @staticmethod
    def of(settings: TeamSettings) -> "View":
        return View(settings.assignment, settings.critic_sees == "state", settings.critic_time)

    def actor_size(self, world) -> int:
        """Features of an actor's input."""
        return world.observation_size + 2 * self.assignment

    def critic_size(self, world) -> int:
        """Features of a critic's input."""
        return self.actor_size(world) + self.state * world.state_size + self.time

    def actor(self, world) -> np.ndarray:
        """(E, A, F) a copy of what actors see now; the assigned target is relative to the agent."""
        observation = np.array(world.observation(), dtype=np.float32)
        if not self.assignment:
            return observation
        return np.concatenate([observation, assigned(world)], axis=-1, dtype=np.float32)

    def extra(self, world, share: np.ndarray) -> np.ndarray:
        """(E, X) what critics see beside the actor's input: global state, share of the horizon gone by (E,)."""
        parts = [np.asarray(world.state())] if self.state else []
        parts += [share[:, None]] if self.time else []
        return np.concatenate(parts, axis=1, dtype=np.float32) if parts else np.zeros((len(share), 0), np.float32)


def assigned(world: Any) -> np.ndarray:
    """(E, A, 2) where the cheapest assignment of agents to targets sends each agent, relative to the agent.

    Raises:
        BadInput: a world without targets, or with fewer targets than agents.
    """
    if not hasattr(world, "targets"):
        raise BadInput(f"world {world.name!r} has no targets to assign; use assignment=False")
    columns = HungarianDynamic(world, HungarianSettings()).choices(world)
    return np.take_along_axis(world.targets(), columns[:, :, None], axis=1) - world.positions


def joined(seen: np.ndarray, extra: np.ndarray) -> np.ndarray:
    """Critic inputs (..., A, F + X) of actor inputs (..., A, F) and extras (..., X)."""
    if not extra.shape[-1]:
        return seen
    shape = (*seen.shape[:-1], extra.shape[-1])
    return np.concatenate([seen, np.broadcast_to(extra[..., None, :], shape)], axis=-1)
