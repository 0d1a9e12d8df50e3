"""Choice of gain, relaxation and dead band of droops, on training days only.

Criterion: the highest share of steps with every bus inside the band; among rules within 0.001 of it, the
smallest line loss. `python -m replication.envs.droop_tuning [FEEDER ...]` prints the best rules of each feeder, from
which `local_rules.TUNED` was typed (about 1, 3 and 5 minutes for the three feeders).
"""

import itertools
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from replication.envs.barriers import BAND
from replication.envs.grid_controllers import Controller, make_controller
from replication.envs.grid_scenarios import Scenarios, of_steps
from replication.envs.local_rules import ConvergedDroopSettings, converged_droop, loop_gain
from replication.envs.registry import make
from replication.seeding import keys
from replication.settings import BadInput, choose

GAINS = (5.0, 7.33, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0)
RELAXATIONS = (0.1, 0.2, 0.3, 0.5)
DEAD_BANDS = (0.0, 0.01, 0.02, 0.025, 0.03, 0.035, 0.04)
TIE = 0.001  # of the share of controllable steps
WINDOWS = {"case33": 192, "case141": 96, "case322": 48}  # training days tried on each feeder
SHOWN = 5  # rules printed of each kind


def roll_out(
    world: Any, controller: Controller, lane_keys: np.ndarray, windows: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """One episode per lane: `reward` and every metric of `info`, each (E, T).

    Lanes whose episode ends early go on with the grid of the step before and count as uncontrolled there.
    """
    world.reset(lane_keys, windows=windows)
    controller.reset(world)
    curves: dict[str, list[np.ndarray]] = {}
    for _ in range(world.horizon):
        _, reward, _, _, info = world.step(controller.act(world))
        for name, values in {"reward": reward[:, 0], **info}.items():
            curves.setdefault(name, []).append(np.array(values))
    return {name: np.stack(values, axis=1) for name, values in curves.items()}


def tune_droop(
    world: Any,
    *,
    gains: Sequence[float] = GAINS,
    relaxations: Sequence[float] = RELAXATIONS,
    dead_bands: Sequence[float] = DEAD_BANDS,
) -> list[dict[str, float]]:
    """Score every droop of one update per step on evenly spread windows of a training world, best first.

    Args:
        world: a voltage-control world with split "train"; its num_envs is the number of windows.

    Returns:
        rows with gain, relaxation, dead_band, controllable, line_loss_mw.

    Raises:
        BadInput: a world that does not run on training days.
    """
    windows = _spread_windows(world)
    lane_keys = keys("droop tuning", count=world.num_envs)
    rows = []
    for gain, relaxation, dead_band in itertools.product(gains, relaxations, dead_bands):
        rule = {"gain": gain, "relaxation": relaxation, "dead_band": dead_band}
        curves = roll_out(world, make_controller(world, "droop_dead_band", **rule), lane_keys, windows)
        rows.append(rule | {name: float(curves[name].mean()) for name in ("controllable", "line_loss_mw")})
    return ranked(rows)


def tune_converged_droop(
    world: Any, *, gains: Sequence[float] = GAINS, dead_bands: Sequence[float] = DEAD_BANDS, stride: int = 8
) -> list[dict[str, float]]:
    """Score converged droops on every `stride`-th sample of the same windows, without noise, best first.

    Returns:
        rows with gain, dead_band, controllable, line_loss_mw.
    """
    starts = world.windows[_spread_windows(world)]
    steps = (starts[:, None] + np.arange(1, world.horizon + 1, stride)).ravel()
    scenarios = of_steps(world.feeder, world.profiles, steps)
    rows = []
    for gain, dead_band in itertools.product(gains, dead_bands):
        q, _ = converged_droop(scenarios, ConvergedDroopSettings(gain=gain, dead_band=dead_band))
        rows.append({"gain": gain, "dead_band": dead_band} | score(scenarios, q))
    return ranked(rows)


def score(scenarios: Scenarios, q_mvar: np.ndarray) -> dict[str, float]:
    """Mean controllable share and line loss [MW] of dispatches (B, a)."""
    flow = scenarios.flow(q_mvar)
    inside = np.all(np.abs(flow.voltage - 1.0) <= BAND, axis=1)
    loss = flow.losses_mw[:, scenarios.feeder.is_line].sum(axis=1)
    return {"controllable": float(inside.mean()), "line_loss_mw": float(loss.mean())}


def _spread_windows(world: Any) -> np.ndarray:
    if world.settings.split != "train":
        raise BadInput(f"droops are tuned on training days, got a world with split {world.settings.split!r}")
    return np.linspace(0, len(world.windows) - 1, world.num_envs).round().astype(np.int64)


def ranked(rows: Iterable[dict[str, float]]) -> list[dict[str, float]]:
    """Rows by the criterion of the module: those tied for the best share by line loss, then the others by share."""
    by_share = sorted(rows, key=lambda row: -row["controllable"])
    tied = [row for row in by_share if row["controllable"] >= by_share[0]["controllable"] - TIE]
    return sorted(tied, key=lambda row: row["line_loss_mw"]) + by_share[len(tied) :]


def table(world: Any, rows: Sequence[dict[str, float]]) -> str:
    """The best rows in words, with the relaxation above which a fleet of such droops hunts on the unloaded feeder."""
    lines = ["  gain  relaxation  dead band  controllable  line loss [MW]  hunts above relaxation"]
    for row in rows[:SHOWN]:
        limit = 2.0 / (1.0 + loop_gain(world.feeder, row["gain"]))
        relaxation = f"{row['relaxation']:10g}" if "relaxation" in row else f"{'any':>10}"
        lines.append(f"{row['gain']:6g}  {relaxation}  {row['dead_band']:9g}  {row['controllable']:12.5f}  "
                     f"{row['line_loss_mw']:14.6f}  {limit:22.3f}")  # fmt: skip
    return "\n".join(lines)


def main(feeders: Sequence[str]) -> None:
    """Print the best droops of both kinds for some feeders, or for all three."""
    for name in [choose("feeder", feeder, WINDOWS) for feeder in feeders] or WINDOWS:
        world = make(f"voltage/{name}", num_envs=WINDOWS[name], split="train")
        print(f"{name}, one update per step:\n{table(world, tune_droop(world))}", flush=True)
        print(f"{name}, converged:\n{table(world, tune_converged_droop(world))}", flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except BadInput as error:
        sys.exit(str(error))
