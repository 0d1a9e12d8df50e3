"""Judging a policy or a controller: the same days, start states and order for every method, so that days pair up."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import replication
from replication.envs.voltage_control import BAND, VoltageControlSettings
from replication.seeding import keys

METRICS = ("reward", "controllable", "out_of_band", "line_loss_mw", "mean_abs_q_mvar", "voltage_deviation", "destroyed")
DAY = 480  # steps of 3 minutes
SLOTS = 48  # half-hours of a day in the mean day profiles
SEASONS = {"summer": (6, 7, 8), "winter": (12, 1, 2)}
Act = Callable[[Any], np.ndarray]


@dataclass(frozen=True)
class Outcome:
    """What came out, one row per seed.

    Attributes:
        daily: metric -> (S, D) mean over the steps of each day; a day cut short by a collapse counts its lost steps
            as uncontrolled, at the last reward seen.
        mean_action: (S,) mean of a / c over days, steps and agents.
        profiles: name -> (S, 2, 48) mean over summer and winter days by half-hour.
        outside: (S, n, 24) share of steps in which a bus is out of the band, by hour.
    """

    daily: dict[str, np.ndarray]
    mean_action: np.ndarray
    profiles: dict[str, np.ndarray]
    outside: np.ndarray

    def scores(self, prefix: str = "") -> dict[str, np.ndarray]:
        """Metric -> (S,) mean over days."""
        means = {prefix + name: values.mean(axis=1) for name, values in self.daily.items()}
        return means | {prefix + "mean_action": self.mean_action}

    def curves(self) -> dict[str, np.ndarray]:
        """Day, profile and bus arrays to be stored beside the scores."""
        kept = ("reward", "controllable", "line_loss_mw", "mean_abs_q_mvar")
        days = {f"daily_{name}": self.daily[name] for name in kept}
        return days | {f"profile_{name}": values for name, values in self.profiles.items()} | {"outside": self.outside}


def day_world(name: str, environment: VoltageControlSettings, split: str, days: int, seeds: int = 1):
    """World with `seeds * days` lanes of 24 h without noise, and the window of each lane; days spread over the year."""
    settings = environment.but(split=split, horizon=DAY, noise_level=0.0).plain()
    world = replication.make(name, num_envs=seeds * days, **settings)
    chosen = np.linspace(0, len(world.windows) - 1, days).round().astype(np.int64)
    return world, np.tile(chosen, seeds)


def start(world: Any, windows: np.ndarray, days: int) -> np.ndarray:
    """Reset to the start states that every method shares (A-11); returns the first observation."""
    episode_keys = keys("evaluation episodes", count=days)
    return world.reset(np.tile(episode_keys, len(windows) // days), windows=windows)


def evaluate(world: Any, windows: np.ndarray, act: Act, seeds: int = 1, detail: bool = True) -> Outcome:
    """Drive every lane through its day with `act(world) -> actions (E, A, 1)` and average.

    Args:
        world, windows: from `day_world`.
        act: the controller; it may read anything the world exposes.
        seeds: lanes are laid out as (seed, day).
        detail: whether to gather day profiles and bus-by-hour shares.
    """
    days = len(windows) // seeds
    start(world, windows, days)
    totals = {name: np.zeros(world.num_envs) for name in METRICS}
    gathered = _Detail(world, windows, days) if detail else None
    action_sum, alive = np.zeros(world.num_envs), np.ones(world.num_envs, dtype=bool)
    last = dict.fromkeys(METRICS, np.zeros(world.num_envs))
    for t in range(world.horizon):  # one step less than a day where the shipped code counts
        actions = act(world)
        action_sum += actions.mean(axis=(1, 2)) / world.action_high
        _, reward, terminated, _, info = world.step(actions)
        now = info | {"reward": reward.mean(axis=1)}
        last = {name: np.where(alive, now[name], last[name]) for name in METRICS}
        last["controllable"] = np.where(alive, last["controllable"], 0.0)
        for name in METRICS:
            totals[name] += last[name]
        if gathered:
            gathered.add(t, now)
        alive &= ~terminated
    daily = {name: (total / world.horizon).reshape(seeds, days) for name, total in totals.items()}
    profiles, outside = gathered.result(seeds) if gathered else ({}, np.zeros((seeds, 0, 24)))
    return Outcome(daily, (action_sum / world.horizon).reshape(seeds, days).mean(axis=1), profiles, outside)


class _Detail:
    """Half-hour profiles by season and out-of-band shares by bus and hour."""

    NAMES = ("q_mvar", "lowest_voltage", "highest_voltage", "line_loss_mw", "pv_mw")

    def __init__(self, world: Any, windows: np.ndarray, days: int) -> None:
        self.world, self.days = world, days
        months = _months(world.windows[windows])
        self.season = [np.isin(months, wanted) for wanted in SEASONS.values()]
        self.sums = {name: np.zeros((world.num_envs, SLOTS)) for name in self.NAMES}
        self.outside = np.zeros((world.num_envs, world.feeder.num_buses, 24), dtype=np.float32)

    def add(self, t: int, info: dict[str, np.ndarray]) -> None:
        voltage, slot = self.world.voltage, t * SLOTS // DAY
        values = (self.world.q_mvar.sum(axis=1), voltage.min(axis=1), voltage.max(axis=1), info["line_loss_mw"],
                  self.world.last_pv_mw.sum(axis=1))  # fmt: skip
        for name, value in zip(self.NAMES, values, strict=True):
            self.sums[name][:, slot] += value * SLOTS / DAY
        self.outside[:, :, t * 24 // DAY] += (np.abs(voltage - 1.0) > BAND) * (24 / DAY)

    def result(self, seeds: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        profiles = {name: self._by_season(values, seeds) for name, values in self.sums.items()}
        return profiles, self.outside.reshape(seeds, self.days, -1, 24).mean(axis=1)

    def _by_season(self, values: np.ndarray, seeds: int) -> np.ndarray:
        """(E, 48) -> (S, 2, 48) means; a season without a day gives NaN."""
        rows = values.reshape(seeds, self.days, SLOTS)
        seasons = [mask.reshape(seeds, self.days)[0] for mask in self.season]
        return np.stack(
            [rows[:, mask].mean(axis=1) if mask.any() else np.full((seeds, SLOTS), np.nan) for mask in seasons], axis=1
        )


def _months(starts: np.ndarray) -> np.ndarray:
    """Calendar month 1..12 of start steps in the shipped year."""
    days = np.datetime64("2016-01-01") + starts // DAY
    return days.astype("datetime64[M]").astype(np.int64) % 12 + 1
