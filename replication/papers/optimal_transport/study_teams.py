"""Settings of the learning experiments: which world, which scripted controller or learner, how it is judged."""

from typing import Any

from replication.algos.team_settings import TeamSettings
from replication.settings import Settings, setting

FIRST = "suggested in a summary of 2401.10949"


class NavigationStudy(Settings):
    """What every study has: a world, and episodes it is judged on."""

    world: str = setting("navigation/spread3", "task and number of agents", origin=FIRST)
    options: dict[str, Any] = setting({}, "settings of the world that differ from the task's own", origin=FIRST)
    test_episodes: int = setting(
        500, "episodes of every seed, the same for all methods", unit="episode", origin="ours (A-360)", ge=1
    )


class ScriptedStudy(NavigationStudy):
    """A scripted controller."""

    controller: str = setting("hungarian_dynamic", "who drives the agents", origin=FIRST)


class TeamStudy(NavigationStudy):
    """A team that learns, with looks at validation episodes on the way."""

    learner: TeamSettings = setting(TeamSettings(), "learner of the team", origin=f"{FIRST}; ours (A-316)")
    updates: int = setting(300, "segments it learns from", unit="update", origin="ours (A-362)", ge=1)
    looks: int = setting(20, "looks at the validation episodes", unit="look", origin="ours (A-360)", ge=1)
    validation_episodes: int = setting(
        100, "episodes of every seed for the curves and the best look", unit="episode", origin="ours (A-360)", ge=1
    )
