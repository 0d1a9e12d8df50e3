"""Judging schedulers and policies: a seed has layouts and channels of its own, the same ones for every method."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

import replication
from replication.envs import schedulers
from replication.envs.radio import Radio
from replication.envs.radio_settings import RadioSettings
from replication.seeding import keys, stream

MEANS = ("score", "sum_rate", "tail_rate", "min_rate", "silent")
QUANTILES = np.linspace(0.0, 1.0, 101)
WATCHED = 200  # TTIs of a seed's first layout of which the schedule is kept


class Acts(Protocol):
    """What drives a world: a scheduler, or a `Driver`."""

    def reset(self, world: Any) -> None: ...
    def act(self, world: Any) -> np.ndarray: ...


class Driver:
    """A learned policy as a scheduler; `sampled` draws from its probabilities instead of taking the best action."""

    def __init__(self, policy: Any, seeds: tuple[int, ...], sampled: bool = False) -> None:
        self.policy, self.seeds, self.sampled = policy, seeds, sampled

    def reset(self, world: Any) -> None:
        self._generators = [stream("sampled actions", seed) for seed in self.seeds]

    def act(self, world: Any) -> np.ndarray:
        observation, mask = world.observation(), world.action_mask()
        if not self.sampled:
            return self.policy.act(observation, mask)
        lanes = world.num_envs // len(self.seeds)
        uniforms = [generator.random((lanes, world.num_agents)) for generator in self._generators]
        return self.policy.sample(observation, mask, np.concatenate(uniforms))


@dataclass(frozen=True)
class Outcome:
    """What came out.

    Attributes:
        layouts: name -> (S, L) per layout: score, sum_rate, tail_rate, min_rate [b/s/Hz], silent share, reward (scaled,
            mean per TTI).
        rates: (S, L J) mean rate [b/s/Hz] of every user of every layout.
        served: (S, T', I) user that every AP serves in the first TTIs of the first layout, -1: off.
    """

    layouts: dict[str, np.ndarray]
    rates: np.ndarray
    served: np.ndarray

    def scores(self, prefix: str = "") -> dict[str, np.ndarray]:
        """Metric -> (S,): means over layouts, and the 5 % quantile of all users of all layouts together."""
        means = {prefix + name: values.mean(axis=1) for name, values in self.layouts.items()}
        return means | {prefix + "pooled_tail_rate": np.nanpercentile(self.rates, 5.0, axis=1)}

    def curves(self) -> dict[str, np.ndarray]:
        """Score of every layout (S, L), quantiles 0, 1 ... 100 % of the users' rates (S, 101), and `served`."""
        quantiles = np.nanquantile(self.rates, QUANTILES, axis=1).T
        return {"layout_score": self.layouts["score"], "rate_quantiles": quantiles, "served": self.served}


def layout_world(name: str, environment: RadioSettings, seeds: tuple[int, ...], layouts: int) -> Radio:
    """A world with `layouts` lanes for every seed."""
    return replication.make(name, num_envs=len(seeds) * layouts, **environment.plain())


def judge(world: Radio, acts: Acts, seeds: tuple[int, ...], split: str, by_rank: bool = True) -> Outcome:
    """One episode in every lane.

    Args:
        world: from `layout_world`, lanes laid out as (seed, layout).
        split: "validation" or "test": layouts and channels follow from it and the seed.
        by_rank: act through the agents' actions, not through the users a scheduler names.
    """
    layouts = world.num_envs // len(seeds)
    lane_keys = np.concatenate([keys(f"radio {split} layouts", seed, count=layouts) for seed in seeds])
    played = schedulers.play(world, acts, lane_keys, by_rank=by_rank, watched=WATCHED)
    kept = {name: played[name] for name in MEANS} | {"reward": world.reward_scale * played["team_reward"]}
    shaped = {name: values.reshape(len(seeds), layouts) for name, values in kept.items()}
    return Outcome(shaped, played["mean_rates"].reshape(len(seeds), -1), played["served"][::layouts])
