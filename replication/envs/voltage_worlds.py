"""Names of the voltage-control worlds and how each is built."""

import re
from typing import Any

from replication.envs import feeder
from replication.envs.feeder import Feeder
from replication.envs.voltage_control import VoltageControl, VoltageControlSettings
from replication.settings import BadInput, suggest

WORLDS = ("voltage/case33", "voltage/case141", "voltage/case322", "voltage/synthetic-{agents}")
CASES = ("case33", "case141", "case322")
FEEDER_SETTINGS: dict[str, dict[str, Any]] = {"case322": {"load_scale": 0.6}}  # coincident peak near 1.5 MW


def make(name: str, *, num_envs: int = 1, **settings: Any) -> VoltageControl:
    """Build a voltage-control world by name; `settings` are those of `VoltageControlSettings`."""
    return VoltageControl(name, feeder_named(name.partition("/")[2]), settings_of(name, **settings), num_envs)


def settings_of(name: str, **settings: Any) -> VoltageControlSettings:
    """Settings of the world `name`: the feeder's own defaults, then `settings`."""
    return VoltageControlSettings(**(FEEDER_SETTINGS.get(name.partition("/")[2], {}) | settings))


def feeder_named(case: str) -> Feeder:
    """Feeder "case33", "case141", "case322" or "synthetic-<agents>"."""
    synthetic = re.fullmatch(r"synthetic-(\d+)", case)
    if synthetic:
        return feeder.synthetic(int(synthetic.group(1)))
    if case not in CASES:
        known = f"{', '.join(CASES)}, or synthetic-<agents> such as synthetic-10"
        raise BadInput(f"unknown feeder {case!r}{suggest(case, CASES)}; known: {known}")
    return getattr(feeder, case)()


def make_controller(world: VoltageControl, name: str, **settings: Any):
    """Scripted controller `name` for a voltage-control world."""
    from replication.envs.grid_controllers import make_controller as build

    return build(world, name, **settings)
