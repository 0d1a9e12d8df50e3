"""The blocked update computes what autograd computes, whatever the blocks."""

import numpy as np
import pytest
import torch
from ppo_kinds import as_shipped, centralised, ippo
from toy_worlds import Targets

from replication.algos import fast_mlp, fast_ppo
from replication.algos.batches import learnable, steps_of
from replication.algos.minibatches import gather
from replication.algos.ppo import Face, Learner
from replication.algos.ppo_settings import mappo
from replication.algos.rollout import Collector
from replication.settings import BadInput

SMALL = {"envs": 4, "segment": 16, "hidden": (16, 24), "initial_std": 0.6}
VARIANTS = {
    "mappo": mappo(**SMALL),
    "ippo, squared, clipped values": ippo(**SMALL, value_loss="squared", value_clip=0.05, value_coefficient=2.0),
    "centralised, entropy": centralised(**SMALL, entropy=0.05),
    "fixed std, stored action": mappo(**SMALL, std="fixed", ratio="stored_action", log_probability_at="squashed"),
    "head per agent, steep huber": mappo(**SMALL, shared_reward=False, huber_delta=0.3, actor_sees="all"),
}


def prepared(settings, precision, path):
    """Learner of two seeds with moved weights, one segment's samples, and a minibatch."""
    settings = settings.but(precision=precision, update_path=path)
    world = Targets(2 * 4)
    learner, collector = Learner(settings, Face.of(world), (0, 1)), Collector(settings, world, (0, 1))
    segment = collector.collect(learner.policy(collector.inputs), 0)
    samples = learnable(settings, steps_of(settings, segment, learner.value), segment.std, learner.returns, True)
    rng = np.random.default_rng(0)
    for trained in (learner.actor, learner.critic):  # ratios and values that leave their clips
        trained.flat += torch.from_numpy(rng.normal(0.0, 0.2, trained.flat.shape)).to(trained.flat.dtype)
    part = np.stack([rng.permutation(4 * 16)[:37] for _ in range(2)])
    return learner, samples, part


@pytest.mark.parametrize("block", [1, 50, 512])
@pytest.mark.parametrize("name", VARIANTS)
def test_gradients_equal_autograd_in_double_precision(name, block, monkeypatch):
    monkeypatch.setattr(fast_ppo, "BLOCK", block)
    exact, samples, part = prepared(VARIANTS[name], "float64", "autograd")
    batch = gather(samples, part).to(torch.device("cpu"))
    critic_loss, (actor_loss, clipped) = exact.critic_loss(batch), exact.actor_loss(batch)
    exact.critic.differentiate(critic_loss)
    exact.actor.differentiate(actor_loss)
    fast, samples, part = prepared(VARIANTS[name], "float32", "blocked")
    fast_critic = fast_ppo.critic_gradient(fast.critic, samples, part, fast.settings)
    fast_actor, fast_clipped = fast_ppo.actor_gradient(fast.actor, samples, part, fast.settings)
    assert np.allclose(fast_critic, critic_loss.detach(), rtol=1e-5)
    assert np.allclose(fast_actor, actor_loss.detach(), rtol=1e-4, atol=1e-6)
    assert np.allclose(fast_clipped, clipped)
    assert 0.05 < fast_clipped.min() < 0.95
    for one, other in ((fast.critic, exact.critic), (fast.actor, exact.actor)):
        distance = (one.gradient.double() - other.gradient).norm(dim=1)
        assert (distance / other.gradient.norm(dim=1)).max() < 1e-5


@pytest.mark.parametrize("name", VARIANTS)
def test_a_whole_update_is_the_same_both_ways(name):
    weights = []
    for path in ("autograd", "automatic"):
        settings = VARIANTS[name].but(update_path=path)
        world = Targets(2 * 4)
        learner, collector = Learner(settings, Face.of(world), (0, 1)), Collector(settings, world, (0, 1))
        assert learner.blocked == (path == "automatic")
        for update in range(2):
            learner.update(collector.collect(learner.policy(collector.inputs), update), update, 1e-3)
        weights.append(np.concatenate([learner.actor.flat.numpy(), learner.critic.flat.numpy()], axis=1))
    assert np.abs(weights[0] - weights[1]).max() < 1e-4


def test_what_does_not_fit_goes_through_autograd():
    face = Face.of(Targets(4))
    unfit = [as_shipped(), mappo(hidden=(8,)), mappo(activation="relu"), mappo(precision="float64")]
    unfit += [mappo(value_target="one_step"), mappo(minibatch_rule="consecutive"), mappo(advantage="batch_norm")]
    for settings in unfit:
        assert not Learner(settings, face, (0,)).blocked
        with pytest.raises(BadInput, match="automatic"):
            Learner(settings.but(update_path="blocked"), face, (0,))


def test_the_polynomial_tanh_is_tanh():
    x = np.linspace(-12, 12, 100_001, dtype=np.float32)
    assert np.abs(fast_mlp.tanh_in_place(x.copy()) - np.tanh(x.astype(np.float64))).max() < 5e-7
    small = np.array([1e-20, -1e-6, 0.0], dtype=np.float32)
    assert np.allclose(fast_mlp.tanh_in_place(small.copy()), small, rtol=1e-6, atol=0)
