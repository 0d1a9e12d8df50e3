"""Teams trained to their plateau: grown once, kept beside the runs, shared by all arms that ask for the same ones.

A team of one seed is one file that holds the whole state of its training and what was seen of its behaviour at the
plateau, so that an arm goes on exactly where the training stopped.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import replication
from replication.algos.team_training import TeamLoop
from replication.envs.navigators import distances
from replication.orchestration import checkpoint, project
from replication.orchestration.lock import Lock
from replication.papers.optimal_transport.plans_detection import PARTNER
from replication.papers.optimal_transport.study_adaptation import GrownStudy
from replication.seeding import stream
from replication.settings import digest

VERSION = 1  # raised by hand when growing means something else; teams are then grown anew
WAIT = 0.5  # seconds between looks at a team that another process grows
DEPENDS = ("world", "options", "learner", "updates", "plateau")

Taken = Callable[[Any, np.ndarray], np.ndarray]  # (world, chosen actions) -> the actions really taken


@dataclass(frozen=True)
class Seen:
    """What was seen of a team, one row per update.

    Attributes:
        partner: (T, E, d) agent 0 at one moment of each lane, as in `whereabouts`.
        team: (T, E, d) the same of one agent drawn from all.
        reward: (T,) mean reward per step.
    """

    partner: np.ndarray
    team: np.ndarray
    reward: np.ndarray


@dataclass(frozen=True)
class Grown:
    """A team at its plateau: the state of its `TeamLoop`, and what was seen in the updates of the plateau."""

    state: dict
    seen: Seen

    def actor(self, agent: int) -> np.ndarray:
        """(P,) weights of an agent's actor."""
        return np.asarray(self.state["learner"]["actor"]["flat"])[agent]


class Watch:
    """Sees where agents are and how they move while a loop collects; set it as the collector's interference.

    One random moment of every episode is kept, so that what is kept is independent given the policies (A-382).
    """

    def __init__(self, taken: Taken | None = None) -> None:
        self.taken, self.steps = taken, list[np.ndarray]()
        self.rows: dict[str, list] = {"partner": [], "team": [], "reward": []}

    def __call__(self, world: Any, actions: np.ndarray) -> np.ndarray:
        self.steps.append(whereabouts(world))
        return actions if self.taken is None else self.taken(world, actions)

    def keep(self, seed: int, update: int, reward: float) -> None:
        """Keep one moment of every lane of the segment just collected."""
        steps, self.steps = np.stack(self.steps), []
        draw = stream("watched moments", seed, update)
        lanes = np.arange(steps.shape[1])
        moment, agent = (draw.integers(count, size=len(lanes)) for count in (len(steps), steps.shape[2]))
        self.rows["partner"].append(steps[moment, lanes, PARTNER])
        self.rows["team"].append(steps[moment, lanes, agent])
        self.rows["reward"].append(reward)

    def seen(self) -> Seen:
        """Everything kept so far."""
        return Seen(**{name: np.array(rows) for name, rows in self.rows.items()})


def whereabouts(world: Any) -> np.ndarray:
    """(E, A, T + 2) float32 distance of every agent to every target, and its velocity.

    Which target an agent goes to tells its role, which positions alone and the nearest target do not (A-382).
    """
    return np.concatenate([distances(world), world.velocities], axis=-1, dtype=np.float32)


def teams_folder(runs: str | Path = "runs") -> Path:
    """Where grown teams are kept: "teams" in the runs' folder, which REPLICATION_RUNS moves."""
    return project.runs_folder(runs) / "teams"


def grown(study: GrownStudy, seed: int, folder: Path | None = None) -> Grown:
    """The team of `seed` at its plateau; grows it first unless it is kept.

    Several processes may ask at once: one grows, the others wait. A process that is killed leaves no team.

    Args:
        study: what does not change the team, for instance what it is judged on, does not matter.
        folder: of all teams; absent: `teams_folder()`.
    """
    folder = teams_folder() if folder is None else Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{key(study)}-{seed}.safetensors"
    while (kept := checkpoint.load(path)) is None:
        lock = Lock(path.with_suffix(".lock"))
        if not lock.acquire():
            time.sleep(WAIT)
            continue
        try:
            if checkpoint.load(path) is None:
                checkpoint.save(path, grow(study, seed))
        finally:
            lock.release()
    return Grown(kept[0]["loop"], Seen(**kept[0]["seen"]))


def key(study: GrownStudy) -> str:
    """12 hexadecimal digits that change with whatever a team depends on beside its seed."""
    plain = study.plain()
    return digest({"version": VERSION, **{name: plain[name] for name in DEPENDS}})


def grow(study: GrownStudy, seed: int) -> dict:
    """Train one team to its plateau; returns its loop's state and what was seen at the plateau."""
    world = replication.make(study.world, num_envs=study.learner.envs, **study.options)
    loop, watch = TeamLoop(study.learner, world, (seed,), study.updates), Watch()
    while loop.done < study.updates:
        loop.advance()
    loop.collector.interfere = watch
    while loop.done < study.updates + study.plateau:
        loop.advance()
        watch.keep(seed, loop.done, float(loop.rows["reward"][-1][0]))
    return {"loop": loop.state() | {"rows": {}}, "seen": vars(watch.seen())}
