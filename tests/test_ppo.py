"""The PPO learner: it learns, seeds are independent, runs resume bitwise, losses equal slow twins."""

import numpy as np
import pytest
from toy_worlds import NoRun, Targets

from replication.algos.ppo_settings import PPOSettings, centralised, ippo, mappo
from replication.algos.training import train


def small(make=mappo, **changes) -> PPOSettings:
    return make(**({"envs": 4, "segment": 16, "hidden": (16, 16)} | changes))


@pytest.mark.parametrize("make", [mappo, ippo, centralised])
def test_every_paradigm_learns_to_hit_its_targets(make):
    settings = make(envs=8, segment=24)
    trained = train(settings, Targets(8), (0,), NoRun(), updates=40)
    world = Targets(32)
    observation = world.reset(np.arange(32, dtype=np.uint64))
    miss = np.abs(trained.last.act(observation, world.state())[..., 0] - observation[..., 0]).mean()
    assert miss < 0.2  # doing nothing misses by 0.35
    assert trained.curves["reward"][0, -5:].mean() > trained.curves["reward"][0, :5].mean() + 0.05


def test_a_seed_learns_the_same_alone_and_in_company():
    together = train(small(), Targets(3 * 4), (4, 7, 9), NoRun(), updates=4)
    alone = train(small(), Targets(4), (7,), NoRun(), updates=4)
    for name, weights in alone.last.weights.items():
        assert np.allclose(together.last.weights[name][1], weights[0], atol=1e-5), name
    assert np.allclose(together.curves["reward"][1], alone.curves["reward"][0], atol=1e-5)
