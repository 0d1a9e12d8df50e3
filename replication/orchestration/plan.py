"""What a run is: an experiment's arms, their blocks of seeds, and the key that names each block."""

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from replication.orchestration import project
from replication.settings import PROFILES, BadInput, Profile, Settings, choose, digest

BLOCK = 5  # seeds per run: 0-4, 5-9, ...; more seeds add blocks and never change the old ones


@dataclass(frozen=True)
class Result:
    """What an experiment function returns for one block of S seeds.

    Attributes:
        scores: metric -> (S,) one number per seed.
        curves: name -> array whose first axis is the seed, unless the name starts with "_" (shared
            by all seeds, for instance "_step"); in the committed copy the following axis is thinned.
        policy: name -> array of a trained policy, kept beside the result but not committed.
        policy_card: what is needed to drive the policy, JSON-ready.
    """

    scores: dict[str, np.ndarray]
    curves: dict[str, np.ndarray] = field(default_factory=dict)
    policy: dict[str, np.ndarray] | None = None
    policy_card: dict[str, Any] | None = None


class Run(Protocol):
    """The only ties of an experiment function to the store."""

    def log(self, step: int, **numbers: float) -> None:
        """Append one line of metrics."""

    def checkpoint(self, step: int, make_state: Callable[[], dict]) -> None:
        """Offer to save: call it often, `make_state` is called only when a save is due.

        The state is a nested dict of numpy arrays, torch tensors, numpy generators and plain values.
        """

    def restore(self) -> dict | None:
        """The latest saved state, or None for a fresh start."""

    def progress(self, fraction: float) -> None:
        """Say how far the run is, from 0 to 1."""


@dataclass(frozen=True)
class Experiment:
    """A named experiment of a paper.

    Attributes:
        paper: folder name of the paper.
        name: short name, unique in the paper.
        version: raised by hand when the meaning of the code changes; old results are then redone.
        settings_class: class of the arms' settings.
        arms: profile -> {label: settings}.
        seeds: profile -> seeds.
        function: (settings, seeds of one block, run) -> Result.
        cost: settings -> abstract units of work per seed; `plan` learns the seconds per unit.
        needs: data files, relative to the folder that holds the package; their content enters the key.
    """

    paper: str
    name: str
    version: int
    settings_class: type[Settings]
    arms: Callable[[Profile], dict[str, Any]]
    seeds: Callable[[Profile], tuple[int, ...]]
    function: Callable[[Any, tuple[int, ...], Run], Result]
    cost: Callable[[Any], float] | None = None
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunSpec:
    """One run: an arm's settings with one block of seeds. Equal keys mean equal results.

    The key holds what decides a result: the function with its version, settings, seeds and data. Two
    experiments of a paper that ask for the same run share it, whatever they call it.
    """

    paper: str
    experiment: str
    version: int
    arm: str
    settings: dict[str, Any]
    seeds: tuple[int, ...]
    data: str
    function: str
    cost: float | None = None

    @property
    def key(self) -> str:
        """12 hexadecimal digits of everything a result depends on; names of experiment and arm are no part of it."""
        return digest(
            {
                "paper": self.paper,
                "function": self.function,
                "version": self.version,
                "settings": self.settings,
                "seeds": list(self.seeds),
                "data": self.data,
            }
        )

    @property
    def name(self) -> str:
        """Readable name: experiment, arm and seeds."""
        seeds = f"s{self.seeds[0]}" if len(self.seeds) == 1 else f"s{self.seeds[0]}-{self.seeds[-1]}"
        return f"{slug(self.experiment)}-{slug(self.arm)}-{seeds}"


def slug(text: str) -> str:
    """`text` with everything but letters, digits, dot, plus and underscore made a dash, at most 60 characters."""
    return re.sub(r"[^A-Za-z0-9._+]+", "-", text).strip("-.")[:60] or "x"


def blocks(seeds: Iterable[int]) -> list[tuple[int, ...]]:
    """Seeds in their fixed blocks of `BLOCK`, in order."""
    wanted = list(seeds)
    if any(int(seed) != seed or seed < 0 for seed in wanted) or len(set(wanted)) < len(wanted):
        raise BadInput(f"seeds must be different whole numbers >= 0, got {wanted}")
    grouped: dict[int, list[int]] = {}
    for seed in sorted(int(seed) for seed in wanted):
        grouped.setdefault(seed // BLOCK, []).append(seed)
    return [tuple(group) for group in grouped.values()]


def wanted_seeds(experiment: Experiment, profile: Profile, seeds: int = 0) -> tuple[int, ...]:
    """The first `seeds` seeds, or the profile's own ones for 0."""
    if seeds < 0:
        raise BadInput(f"seeds must be a number >= 0 (0 = as many as the profile says), got {seeds}")
    return tuple(range(seeds)) if seeds else tuple(experiment.seeds(profile))


def specs(experiment: Experiment, profile: Profile, seeds: int = 0) -> list[RunSpec]:
    """All runs of `experiment` at `profile`: every arm with every block of seeds."""
    choose("profile", profile, PROFILES)
    data = data_digest(experiment.needs)
    return [
        RunSpec(
            experiment.paper,
            experiment.name,
            experiment.version,
            label,
            settings.plain(),
            block,
            data,
            experiment.function.__qualname__,
            experiment.cost(settings) * len(block) if experiment.cost else None,
        )
        for label, settings in experiment.arms(profile).items()
        for block in blocks(wanted_seeds(experiment, profile, seeds))
    ]


def varying(experiment: Experiment, profile: Profile) -> dict[str, dict[str, Any]]:
    """Arm label -> the settings that differ between the experiment's arms."""
    flat = {label: settings.flat() for label, settings in experiment.arms(profile).items()}
    names = [name for row in flat.values() for name in row]
    differing = [name for name in dict.fromkeys(names) if len({repr(row.get(name)) for row in flat.values()}) > 1]
    return {label: {name: row.get(name) for name in differing} for label, row in flat.items()}


def data_digest(needs: tuple[str, ...]) -> str:
    """12 hexadecimal digits of the content of the data files an experiment needs; "" for none."""
    if not needs:
        return ""
    return digest({name: _file_digest(project.PACKAGE.parent / name, name) for name in needs})


def _file_digest(path: Path, name: str) -> str:
    if not path.is_file():
        raise BadInput(f"data file {name!r} is missing; restore it from the repository")
    stat = path.stat()
    return _digest_of(path, stat.st_mtime_ns, stat.st_size)


@cache
def _digest_of(path: Path, _modified: int, _size: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
