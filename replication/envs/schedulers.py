"""Scripted schedulers of the radio worlds, from random to the myopic oracle, and one episode of play.

Source: the names are those of arXiv 2501.12991 (second hand), the rules those of the public code of the problem's
origin (Resilient_RRM_GNN, baselines.py and data_creation.py) or ours (A-217, A-218, A-222). A scheduler names a user
for every AP: `users(world)`; `act(world)` says the same as actions, where a user beyond the top N becomes rank 1.
"""

import math
from typing import Any, ClassVar, Literal

import numpy as np
from numba import njit

from replication.seeding import mix, uniform
from replication.settings import Settings, choose, setting

NOBODY = -1
CANDIDATES = setting(
    "all", "users to choose from: all of an AP, or its top N as the agents have them", origin="ours (A-222)"
)


class WideSettings(Settings):
    """Settings of a scheduler that can choose beyond the top N."""

    candidates: Literal["all", "top"] = CANDIDATES


class RandomSettings(Settings):
    """Settings of the random scheduler."""

    seed: int = setting(0, "which random sequence", origin="ours (A-217)", ge=0)


class ItlinqSettings(Settings):
    """Settings of the ITLinQ condition: strongest INR at most M SNR^η."""

    margin: float = setting(25.0, "M", unit="dB", origin="Resilient_RRM_GNN code, baselines.py")
    exponent: float = setting(0.5, "η", origin="Resilient_RRM_GNN code, baselines.py", ge=0)


class Scheduler:
    """What every scheduler offers; it keeps nothing from TTI to TTI."""

    settings_class: ClassVar[type[Settings]] = Settings

    def __init__(self, world: Any, settings: Any) -> None:
        self.settings = settings

    def reset(self, world: Any) -> None:
        """Forget earlier episodes."""

    def users(self, world: Any) -> np.ndarray:
        """(E, I) user every AP serves in the coming TTI, -1: off."""
        raise NotImplementedError

    def act(self, world: Any) -> np.ndarray:
        """(E, I, 1) actions: the rank of the user if it is among the top N, else rank 1; 0: off."""
        users = self.users(world)[:, :, None]
        found = world.ranked == users
        rank = np.where(found.any(axis=2), found.argmax(axis=2), 0) + 1
        return np.where(users >= 0, rank[:, :, None], 0)


class RandomWalk(Scheduler):
    """Every AP draws uniformly from its valid actions; a function of seed, episode key, TTI and AP."""

    settings_class = RandomSettings

    def users(self, world: Any) -> np.ndarray:
        users = np.empty((world.num_envs, world.num_agents), np.int64)
        _draw(world.lane_keys, world.lane_steps, self.settings.seed, world.ranked, users)
        return users


class FullReuse(Scheduler):
    """Every AP is on and serves its user with the largest proportional-fair factor."""

    def users(self, world: Any) -> np.ndarray:
        return np.ascontiguousarray(world.ranked[:, :, 0])


class TdmUsers(Scheduler):
    """One AP on per TTI: all users in turn, equal time for each."""

    def users(self, world: Any) -> np.ndarray:
        turn = world.lane_steps % world.num_users
        serving = np.take_along_axis(world.serving, turn[:, None], axis=1)
        return np.where(serving == np.arange(world.num_agents), turn[:, None], NOBODY)


class TdmAccessPoints(Scheduler):
    """One AP on per TTI: all APs in turn, each serving its user with the largest proportional-fair factor."""

    def users(self, world: Any) -> np.ndarray:
        turn = world.lane_steps % world.num_agents
        return np.where(turn[:, None] == np.arange(world.num_agents), world.ranked[:, :, 0], NOBODY)


class Itlinq(Scheduler):
    """Full reuse, thinned: AP by AP, best factor first, one is on if it neither hears nor does too much harm."""

    settings_class = ItlinqSettings

    def users(self, world: Any) -> np.ndarray:
        users = np.ascontiguousarray(world.ranked[:, :, 0])
        factor = world.weights * np.log2(1.0 + world.known_sinr)
        itlinq(world.gains, factor, 10.0 ** (self.settings.margin / 10.0), self.settings.exponent, users)
        return users


class GreedyRate(Scheduler):
    """Every AP is on and serves its user with the best rate now; a reference for the sum rate alone."""

    settings_class = WideSettings

    def users(self, world: Any) -> np.ndarray:
        allowed = candidates(world, self.settings.candidates)
        value = np.where(allowed, world.known_sinr[:, None, :], -1.0)
        return np.where(allowed.any(axis=2), value.argmax(axis=2), NOBODY)


class MyopicOracle(Scheduler):
    """The joint choice with the largest reward of this TTI, all channels known."""

    settings_class = WideSettings

    def users(self, world: Any) -> np.ndarray:
        users = np.empty((world.num_envs, world.num_agents), np.int64)
        value = world.weights**world.settings.fairness
        best_patterns(world.gains, value, candidates(world, self.settings.candidates), users)
        return users


def candidates(world: Any, which: str) -> np.ndarray:
    """(E, I, J) whether AP i may serve user j: any of its own, or only those it ranks in its top N."""
    if which == "all":
        return world.serving[:, None, :] == np.arange(world.num_agents)[:, None]
    return (world.ranked[:, :, :, None] == np.arange(world.num_users)).any(axis=2)


@njit(cache=True, error_model="numpy")
def itlinq(gain, factor, margin, exponent, users):
    """Switch off those of users (E, I) that fail the ITLinQ condition.

    Source: Resilient_RRM_GNN, baselines.py: in the order of falling factors, an AP is on if the strongest INR it
    receives from the APs already on and the strongest it causes at their users are both at most M SNR^η.
    """
    aps = users.shape[1]
    on, order = np.zeros(aps, np.bool_), np.zeros(aps, np.int64)
    for lane in range(users.shape[0]):
        count = 0
        for i in range(aps):
            on[i] = False
            if users[lane, i] < 0:
                continue
            place = count
            while place > 0 and factor[lane, users[lane, order[place - 1]]] < factor[lane, users[lane, i]]:
                order[place] = order[place - 1]
                place -= 1
            order[place], count = i, count + 1
        for i in order[:count]:
            worst = 0.0
            for k in order[:count]:
                if on[k]:
                    worst = max(worst, gain[lane, k, users[lane, i]], gain[lane, i, users[lane, k]])
            on[i] = worst <= margin * gain[lane, i, users[lane, i]] ** exponent
        for i in range(aps):
            users[lane, i] = users[lane, i] if on[i] else NOBODY


@njit(cache=True, error_model="numpy")
def best_patterns(gain, value, allowed, users):
    """Write to users (E, I) the choice that maximises Σ value_j C_j over all joint choices.

    A user's rate depends on the other APs through their being on or off only, so the 2^I patterns of activity with the
    best user of every active AP are enough: 2^I I J rates instead of (J + 1)^I.
    """
    aps, count = gain.shape[1:]
    choice = np.empty(aps, np.int64)
    for lane in range(gain.shape[0]):
        best = -1.0
        for pattern in range(1 << aps):
            total = 0.0
            for i in range(aps):
                choice[i] = NOBODY
                if not pattern >> i & 1:
                    continue
                top = 0.0
                for j in range(count):
                    if allowed[lane, i, j]:
                        interference = 0.0
                        for k in range(aps):
                            if k != i and pattern >> k & 1:
                                interference += gain[lane, k, j]
                        here = value[lane, j] * math.log2(1.0 + gain[lane, i, j] / (1.0 + interference))
                        if here > top:
                            top, choice[i] = here, j
                total += top
            if total > best:
                best = total
                users[lane] = choice


@njit(cache=True)
def _draw(keys, steps, seed, ranked, users):
    salt = mix(np.uint64(seed) + np.uint64(0x7363686564756C65))  # keeps clear of the world's own draws
    for lane in range(users.shape[0]):
        for i in range(users.shape[1]):
            valid = 0
            while valid < ranked.shape[2] and ranked[lane, i, valid] >= 0:
                valid += 1
            choice = int(uniform(keys[lane] ^ salt, steps[lane], i) * (valid + 1))
            users[lane, i] = ranked[lane, i, choice - 1] if choice > 0 else NOBODY


SCHEDULERS: dict[str, type[Scheduler]] = {
    "random": RandomWalk,
    "full_reuse": FullReuse,
    "tdm_users": TdmUsers,
    "tdm_access_points": TdmAccessPoints,
    "itlinq": Itlinq,
    "greedy_rate": GreedyRate,
    "myopic_oracle": MyopicOracle,
}


def make_controller(world: Any, name: str, **settings: Any) -> Scheduler:
    """Scheduler `name` of `SCHEDULERS` for a radio world.

    Raises:
        BadInput: unknown scheduler, unknown setting, or a value out of range.
    """
    kind = SCHEDULERS[choose("scheduler", name, SCHEDULERS)]
    return kind(world, kind.settings_class(**settings))


def play(
    world: Any, scheduler: Any, keys: np.ndarray, by_rank: bool = False, watched: int = 0
) -> dict[str, np.ndarray]:
    """One episode per lane under a scheduler, or under anything else with `reset(world)` and `act(world)`.

    Args:
        keys: (E,) uint64 episode keys; equal keys give equal layouts and channels to every scheduler.
        by_rank: play its actions, the best the agents' top N allow, instead of the users it names.
        watched: in how many first TTIs to note who is served.

    Returns:
        name -> (E,): score, sum_rate, tail_rate, min_rate of the episode [b/s/Hz], and per TTI team_reward,
        total_rate, silent; "mean_rates" (E, J); "served" (E, watched, I), the user an AP serves or -1.
    """
    world.reset(keys)
    scheduler.reset(world)
    sums = {name: np.zeros(world.num_envs) for name in ("team_reward", "total_rate", "silent")}
    served = np.empty((world.num_envs, min(watched, world.horizon), world.num_agents), np.int64)
    for t in range(world.horizon):
        result = world.step(scheduler.act(world)) if by_rank else world.step_users(scheduler.users(world))
        for name in sums:
            sums[name] += result[4][name]
        if t < served.shape[1]:
            served[:, t] = result[4]["served"]
    means = {name: total / world.horizon for name, total in sums.items()}
    finals = {name: result[4][f"final_{name}"] for name in ("score", "sum_rate", "tail_rate", "min_rate")}
    return finals | means | {"mean_rates": world.mean_rates, "served": served}
