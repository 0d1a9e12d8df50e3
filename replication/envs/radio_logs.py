"""Logged radio episodes: what they depend on, how their observations are read, their scores, rewards for another λ.

Logs are those of `replication.data.offline.OfflineData`: weights (K, T, J) before each TTI, served (K, T, I) user or -1
and rates (K, T, I) [b/s/Hz] of the served users, 0 where an AP is off.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from replication.data.offline import OfflineData
from replication.envs.radio import Radio
from replication.envs.radio_settings import RadioSettings
from replication.envs.radio_view import NOBODY
from replication.settings import BadInput

LOGS = ("weights", "served", "rates")
# what only says how a step is paid or an episode judged, and what a valid action never touches
REWARD_ONLY = ("fairness", "reward", "reward_scale", "sum_weight", "tail_weight", "tail_percentile", "invalid")


def environment(world: Radio) -> dict[str, Any]:
    """What shapes the transitions of a radio world: its name and all settings but those of reward and score.

    Two worlds with equal answers log interchangeable data; `replication.settings.digest` of it is what data carry.
    """
    shaping = world.settings.plain() | {"warm_up": world.warm_up}
    if world.settings.layout != "fixed":
        del shaping["layout_seed"]
    return {"world": world.name} | {name: value for name, value in shaping.items() if name not in REWARD_ONLY}


def observation_card(world: Radio) -> dict[str, Any]:
    """Names of the observed numbers, whose user each is of, and the grid coverage is counted on.

    The grid is SINR and weight of an AP's first rank, over [0, 1] or over the settings' ranges if numbers are as they
    are. See `replication.data.offline_card`.
    """
    s, aps = world.settings, world.num_agents
    kinds = ("SINR", "weight", "SNR")[: 3 if s.observe_snr else 2]
    own = [(f"{kind} of rank {n}", n) for kind in kinds for n in range(1, s.top_users + 1)]
    names, held_by = [name for name, _ in own], [[[i, n] for _, n in own] for i in range(aps)]
    if s.observe_others:
        others = [[j for j in range(aps) if j != i] for i in range(aps)]
        names += [f"{name} of other AP {place}" for place in range(1, aps) for name, _ in own]
        held_by = [held_by[i] + [[j, n] for j in others[i] for _, n in own] for i in range(aps)]
    if s.observe_activity:
        names += ["own activity"] + [f"activity of other AP {place}" for place in range(1, aps)]
        held_by = [row + [[-1, -1]] * aps for row in held_by]
    affine = s.encoding == "affine"
    ranges = ((0.0, 1.0), (0.0, 1.0)) if affine else (s.sinr_range, s.weight_range)
    grid = [[0, *ranges[0]], [s.top_users, *ranges[1]]]
    return {"names": names, "held_by": held_by, "grid": grid}


def rates_of_served(rates: np.ndarray, served: np.ndarray) -> np.ndarray:
    """(..., I) rate [b/s/Hz] of the user every AP served, from the rates (..., J) of all; 0 where it was off."""
    found = np.take_along_axis(rates, np.maximum(served, 0), axis=-1)
    return np.where(served >= 0, found, 0.0)


def team_rewards(data: OfflineData, settings: RadioSettings) -> np.ndarray:
    """(K, T) unscaled team reward that a world with these reward settings pays for the logged steps.

    Source: 2501.12991, second hand: Σ_j w_j^λ C_j; the utility gain is ours (A-220), as in `radio_kernel.pay`.
    """
    weights, rates, served = (np.asarray(data.logs[name]) for name in ("weights", "rates", "served"))
    if settings.reward == "weighted_rate":
        own = rates_of_served(weights.astype(np.float64), served)
        return np.sum(np.where(served >= 0, own, 1.0) ** settings.fairness * rates, axis=-1)
    reward = np.empty(rates.shape[:2])
    for episode in range(len(reward)):  # one at a time: all users at once would take gigabytes
        reward[episode] = _utility_gain(weights[episode].astype(np.float64), rates[episode], served[episode], settings)
    return reward


def relabel(data: OfflineData, settings: RadioSettings) -> OfflineData:
    """The same steps with the rewards of `settings`: its fairness λ, its form of reward and its scale.

    Raises:
        BadInput: the data have no radio logs, or `settings` move averages otherwise than when they were logged.
    """
    missing = [name for name in LOGS if name not in data.logs]
    if missing:
        raise BadInput(f"data without the logs {', '.join(missing)} cannot be relabelled; log {', '.join(LOGS)}")
    logged = data.card.get("environment", {})
    for name in ("smoothing", "average_floor"):
        if name in logged and logged[name] != getattr(settings, name):
            given = f"{name} {getattr(settings, name)!r}"
            raise BadInput(
                f"data were logged with {name} {logged[name]!r}, asked to relabel with {given}; collect anew"
            )
    scale = settings.reward_scale or 1.0 / data.logs["weights"].shape[-1]
    reward = (scale * team_rewards(data, settings)).astype(np.float32)
    paid = {"fairness": settings.fairness, "form": settings.reward, "scale": scale}
    return replace(data, reward=reward, card={**data.card, "paid": paid}).measured()


def scores(data: OfflineData, settings: RadioSettings) -> dict[str, list[float]]:
    """Score, sum rate, tail rate and least rate [b/s/Hz] of every episode, from its logs, as the world gives them."""
    rows = [_scores_of(data, episode, settings) for episode in range(data.episodes)]
    return {name: [row[name] for row in rows] for name in ("score", "sum_rate", "tail_rate", "min_rate")}


def _scores_of(data: OfflineData, episode: int, settings: RadioSettings) -> dict[str, float]:
    weights, served, rates = (data.logs[name][episode] for name in LOGS)
    users = weights.shape[-1]
    on = served >= 0
    total = np.bincount(served[on].astype(np.int64), weights=rates[on].astype(np.float64), minlength=users)
    time = np.sum(weights > 0, axis=0)
    if not time.any():
        return {"score": 0.0, "sum_rate": 0.0, "tail_rate": 0.0, "min_rate": 0.0}
    mean = total[time > 0] / time[time > 0]
    tail = float(np.percentile(mean, settings.tail_percentile))
    share = 1.0 / users if settings.sum_weight is None else settings.sum_weight
    score = share * float(mean.sum()) + settings.tail_weight * tail
    return {"score": score, "sum_rate": float(mean.sum()), "tail_rate": tail, "min_rate": float(mean.min())}


def _utility_gain(weights: np.ndarray, rates: np.ndarray, served: np.ndarray, settings: RadioSettings) -> np.ndarray:
    """(T,) gain of the fair utility of the average rates over η in every TTI of one episode."""
    there = weights > 0
    before = 1.0 / np.where(there, weights, 1.0)
    rate = np.zeros_like(weights)
    steps, aps = np.nonzero(served != NOBODY)
    rate[steps, served[steps, aps]] = rates[steps, aps]
    after = np.maximum(before + settings.smoothing * (rate - before), settings.average_floor)
    gain = _utility(after, settings.fairness) - _utility(before, settings.fairness)
    return np.sum(np.where(there, gain, 0.0), axis=-1) / settings.smoothing


def _utility(average: np.ndarray, fairness: float) -> np.ndarray:
    return np.log(average) if fairness == 1.0 else average ** (1.0 - fairness) / (1.0 - fairness)
