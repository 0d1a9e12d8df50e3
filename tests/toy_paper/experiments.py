"""A toy paper: a cheap loop with checkpoints, logs and random draws, to test the machinery with."""

import os
import time
from pathlib import Path

import numpy as np

from replication.orchestration import Experiment, Result, Run
from replication.seeding import stream
from replication.settings import Settings, setting


class Walk(Settings):
    """Settings of a random walk."""

    steps: int = setting(20, "steps of the walk", unit="step", origin="made up", gt=0)
    drift: float = setting(0.1, "mean of a step", origin="made up")
    pause: float = setting(0.0, "pause per step", unit="s", origin="made up")
    fail_at: int = setting(-1, "step at which the walk raises an error", unit="step", origin="made up")


def walk(settings: Walk, seeds: tuple[int, ...], run: Run) -> Result:
    """Walk `steps` steps for each seed; the state is kept in checkpoints."""
    rng, position, path = stream("toy walk", *seeds), np.zeros(len(seeds)), np.zeros((len(seeds), 0))
    start = 0
    if (state := run.restore()) is not None:
        rng, position, path, start = state["rng"], state["position"], state["path"], state["step"]
    for step in range(start, settings.steps):
        _note_step(step, seeds)
        if step == settings.fail_at:
            raise ZeroDivisionError(f"the walk fell over at step {step}")
        position = position + settings.drift + rng.normal(size=len(seeds))
        path = np.concatenate([path, position[:, None]], axis=1)
        time.sleep(settings.pause)
        run.log(step, mean=position.mean())
        done = step + 1
        run.checkpoint(done, lambda: {"rng": rng, "position": position, "path": path, "step": done})  # noqa: B023
        run.progress(done / settings.steps)
    scores = {"end": position, "highest": path.max(axis=1)}
    return Result(scores, {"path": path, "_step": np.arange(settings.steps)}, {"weight": position}, {"kind": "walk"})


def _note_step(step: int, seeds: tuple[int, ...]) -> None:
    """Write each computed step to the file named in TOY_TRACE, so that tests can count repeated work."""
    if trace := os.environ.get("TOY_TRACE"):
        with Path(trace).open("a") as file:
            file.write(f"{os.getpid()} {seeds[0]} {step}\n")


def arms(profile: str) -> dict[str, Walk]:
    """Two drifts; the full profile walks longer. TOY_PAUSE slows every step down."""
    base = Walk(steps={"smoke": 3, "quick": 10, "full": 40}[profile], pause=float(os.environ.get("TOY_PAUSE", "0")))
    return {"slow": base, "fast drift": base.but(drift=0.5)}


def broken_arms(profile: str) -> dict[str, Walk]:
    """One arm fails at its fifth step, the other one is sound."""
    return {"sound": Walk(steps=8), "broken": Walk(steps=8, fail_at=4)}


WALK = Experiment(
    paper="toy",
    name="walk",
    version=1,
    settings_class=Walk,
    arms=arms,
    seeds=lambda profile: tuple(range({"smoke": 2, "quick": 5, "full": 10}[profile])),
    function=walk,
    cost=lambda settings: float(settings.steps),
)
BROKEN = Experiment("toy", "broken", 1, Walk, broken_arms, lambda profile: (0, 1), walk)
EXPERIMENTS = (WALK, BROKEN)
