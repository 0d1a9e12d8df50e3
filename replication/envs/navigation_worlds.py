"""Names of the cooperative-navigation worlds and how each is built."""

import re
from typing import Any

from replication.envs.navigation import FEWEST_AGENTS, MOST_AGENTS, Navigation
from replication.envs.navigation_settings import TASK_SETTINGS, task_settings
from replication.settings import BadInput, suggest

WORLDS = tuple(f"navigation/{task}{{agents}}" for task in TASK_SETTINGS)


def make(name: str, *, num_envs: int = 1, **settings: Any) -> Navigation:
    """Build a navigation world such as "navigation/spread3"; `settings` are those of `NavigationSettings`.

    Raises:
        BadInput: unknown task, fewer than 2 or more than 100 agents, unknown setting or value.
    """
    task, agents = parse(name)
    if "task" in settings:
        raise BadInput(f"the task is part of a world's name, got {name!r} with task={settings['task']!r}; leave it out")
    return Navigation(name, agents, task_settings(task, **settings), num_envs)


def parse(name: str) -> tuple[Any, int]:
    """Task and number of agents of a world's name."""
    given = name.partition("/")[2]
    found = re.fullmatch(r"([a-z]+)(\d+)", given)
    if not found or found.group(1) not in TASK_SETTINGS:
        known = [f"{task}3" for task in TASK_SETTINGS]
        raise BadInput(
            f"unknown navigation world {given!r}{suggest(given, known)}; known: {', '.join(TASK_SETTINGS)}, each "
            f"followed by the number of agents ({FEWEST_AGENTS} to {MOST_AGENTS})"
        )
    return found.group(1), int(found.group(2))


def make_controller(world: Navigation, name: str, **settings: Any):
    """Scripted controller `name` for a navigation world."""
    from replication.envs.navigators import make_controller as build

    return build(world, name, **settings)
