"""What changes for a trained team: agent 0 becomes another or acts otherwise, or the world does.

Source: 2401.10949, non-stationarity; the changes are ours (A-380). A replaced agent does not learn; agents in another
world all do.
"""

from typing import Any

import numpy as np

import replication
from replication.algos.team_policy import Player, TeamPolicy
from replication.algos.team_training import TeamLoop
from replication.papers.optimal_transport.plans_detection import MIRRORED, PARTNER
from replication.papers.optimal_transport.study_adaptation import OTHER_WORLDS, REPLACED, AdaptationStudy
from replication.settings import BadInput

SCRIPTED = {"random": "random", "no operation": "no_operation"}


def world_of(study: AdaptationStudy, lanes: int, *, changed: bool) -> Any:
    """The study's world before or after the change.

    Raises:
        BadInput: the world's moves cannot be reversed or scripted one by one.
    """
    other = OTHER_WORLDS.get(study.change, {}) if changed else {}
    world = replication.make(study.world, num_envs=lanes, **{**study.options, **other})
    if world.action_kind != "discrete":
        raise BadInput(f"changes of agents need discrete actions, got {world.action_kind!r}; use actions='discrete'")
    return world


class Change:
    """A change that has happened to a loop: agent 0 is frozen where it is replaced, and its actions are.

    Attributes:
        before, after: (P,) weights of agent 0's actor in its own and in the other team; `after` None if none is needed.
    """

    def __init__(self, study: AdaptationStudy, loop: TeamLoop, after: np.ndarray | None) -> None:
        self.name, self.loop, self.after = study.change, loop, after
        self.before = self._weights().copy()
        script = SCRIPTED.get(study.change)
        self.script = replication.controller(loop.collector.world, script) if script else None
        if study.change in REPLACED:
            loop.learner.frozen = (PARTNER,)
        self.move(0.0)

    def _weights(self) -> np.ndarray:
        """(P,) view of agent 0's actor; a team of one seed has a row per agent."""
        return self.loop.learner.policy().flat[PARTNER]

    def move(self, share: float) -> None:
        """Agent 0 as it is when `share` of the time after the change is over; only a drift moves on."""
        if self.name == "partner":
            self._weights()[:] = self.after
        elif self.name == "drift" and self.after is not None:
            self._weights()[:] = self.after if share == 1.0 else self.before + share * (self.after - self.before)

    def taken(self, world: Any, actions: np.ndarray) -> np.ndarray:
        """The actions (E, A, 1) really taken where these were chosen."""
        if self.name == "mirrored":
            actions = actions.copy()
            actions[:, PARTNER] = MIRRORED[actions[:, PARTNER]]
        elif self.script is not None:
            actions = actions.copy()
            actions[:, PARTNER] = self.script.act(world)[:, PARTNER]
        return actions


class Played:
    """A team under a change as a controller, greedy; without a change it is just the team."""

    def __init__(self, policy: TeamPolicy, change: Change | None) -> None:
        self.player, self.change = Player(policy), change

    def reset(self, world: Any) -> None:
        """Start of episodes."""
        self.player.reset(world)

    def act(self, world: Any) -> np.ndarray:
        """Actions (E, A, 1) really taken."""
        actions = self.player.act(world)
        return actions if self.change is None else self.change.taken(world, actions)
