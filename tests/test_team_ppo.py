"""The team's update: gradients equal autograd's and losses their loops; nets serve their agents; values know ends."""

import numpy as np
import pytest
import torch
from oracles import team as slow
from oracles.team_worlds import Levels, Signals, Steady

from replication.algos.alignment_settings import AlignmentSettings
from replication.algos.fast_mlp import sizes
from replication.algos.nets import Network, forward, views
from replication.algos.team_kernels import choice_gradient, critic_gradient, draw, gaussian_gradient
from replication.algos.team_mlp import outputs_of
from replication.algos.team_nets import Layout
from replication.algos.team_ppo import TeamLearner
from replication.algos.team_rollout import TeamCollector
from replication.algos.team_settings import TeamSettings
from replication.algos.team_view import View, assigned, joined

SMALL = {"envs": 3, "segment": 8, "hidden": (12, 16), "entropy": 0.03}
VISITS = AlignmentSettings(kind="ot_barycenter", features=(4, 5))
VARIANTS = {
    "independent": (Signals, TeamSettings(**SMALL)),
    "shared": (Signals, TeamSettings(**SMALL, nets="shared", activation="tanh")),
    "with numbers": (Signals, TeamSettings(**SMALL, nets="shared_id", critic_sees="state")),
    "continuous": (Levels, TeamSettings(**SMALL, activation="tanh")),
    "continuous with numbers": (Levels, TeamSettings(**SMALL, nets="shared_id")),
    "quantiles": (Signals, TeamSettings(**SMALL, critic="quantile", quantiles=5, huber_delta=0.4)),
    "two values": (Signals, TeamSettings(**SMALL, alignment=VISITS, huber_delta=0.4)),
}


def prepared(name):
    """Learner of two seeds with moved weights, one segment's samples, and a minibatch."""
    make, settings = VARIANTS[name]
    world = make(2 * settings.envs)
    learner, collector = TeamLearner(settings, world, (0, 1)), TeamCollector(settings, world, (0, 1))
    segment = collector.collect(learner.policy(), 0)
    samples = learner._samples(segment, 0)
    rng = np.random.default_rng(0)
    for trained in (learner.actor, learner.critics["critic"]):  # ratios that leave their clips
        trained.flat += torch.from_numpy(rng.normal(0.0, 0.2, trained.flat.shape)).to(torch.float32)
    part = np.stack([rng.permutation(settings.envs * settings.segment)[:17] for _ in range(2)])
    return learner, samples, part


def rows_of(learner, part):
    """(G, m) rows of each network for the samples `part` (S, m)."""
    rows = learner.layout.rows
    wide = (part[:, :, None] * rows + np.arange(rows)).reshape(len(part), -1)
    return np.repeat(wide, learner.layout.nets, axis=0)


def twin(trained, inputs):
    """Float64 leaves and outputs (G, m, outputs) by autograd."""
    flat = trained.flat.double()
    leaves = {name: view.clone().requires_grad_() for name, view in views(trained.network, flat).items()}
    kinds = trained.network.rows
    shaped = torch.from_numpy(inputs.astype(np.float64)).view(len(flat), -1, kinds, inputs.shape[-1])
    out, _ = forward(trained.network, leaves, shaped)
    return leaves, out.reshape(len(flat), -1, out.shape[-1])


def expect_gradient(trained, leaves, loss):
    found = torch.autograd.grad(loss.sum(), list(leaves.values()))
    whole = torch.cat([slope.reshape(len(slope), -1) for slope in found], dim=1)
    assert torch.allclose(trained.gradient.double(), whole, atol=1e-5 * float(whole.abs().max()) + 1e-7)
    assert float(whole.abs().max()) > 1e-3


@pytest.mark.parametrize("name", ["independent", "shared", "with numbers", "continuous", "continuous with numbers"])
def test_actor_gradients_equal_autograd_and_losses_their_loops(name):
    learner, samples, part = prepared(name)
    s, rows = learner.settings, rows_of(learner, part)
    row = np.arange(len(rows))[:, None]
    leaves, out = twin(learner.actor, samples.seen[row, rows])
    drawn, old, gain = (torch.from_numpy(a[row, rows]) for a in (samples.drawn, samples.old, samples.gain))
    found = np.empty((len(rows), 3))
    weights = learner._weights(learner.actor)
    if learner.discrete:
        data = samples.seen, samples.mask, samples.drawn, samples.old, samples.gain, part
        choice_gradient(*weights, *data, s.clip, s.entropy, found)
        allowed = samples.mask[row, rows]
        logs = torch.log_softmax(out.masked_fill(~torch.from_numpy(allowed), -torch.inf), dim=-1)
        taken = logs.gather(2, drawn[..., None])[..., 0]
        entropy = -(logs.exp() * logs.masked_fill(~torch.from_numpy(allowed), 0.0)).sum(-1)
    else:
        gaussian_gradient(
            *weights, samples.seen, samples.drawn, samples.old, samples.gain, part, s.clip, s.entropy, found
        )
        log_std = leaves["log_std"].repeat(1, out.shape[1] // leaves["log_std"].shape[1], 1)
        normal = torch.distributions.Normal(out, log_std.exp())
        taken, entropy = normal.log_prob(drawn).sum(-1), normal.entropy().sum(-1)
    ratio = torch.exp(taken - old)
    surrogate = -torch.minimum(ratio * gain, ratio.clamp(1 - s.clip, 1 + s.clip) * gain)
    expect_gradient(learner.actor, leaves, (surrogate - s.entropy * entropy).mean(dim=1))
    for g in range(len(rows)):
        rest = drawn[g].tolist(), old[g].tolist(), gain[g].tolist(), s.clip, s.entropy
        if learner.discrete:
            expected = slow.choice_loss(out[g].tolist(), allowed[g].tolist(), *rest)
        else:
            expected = slow.gaussian_loss(out[g].tolist(), log_std[g].tolist(), *rest)
        assert found[g] == pytest.approx(expected, abs=1e-5)
        assert 0 < found[g, 1] < 1


@pytest.mark.parametrize("name", ["independent", "with numbers", "quantiles", "two values"])
def test_critic_gradients_equal_autograd_and_losses_their_loops(name):
    learner, samples, part = prepared(name)
    delta, rows = learner.settings.huber_delta, rows_of(learner, part)
    row = np.arange(len(rows))[:, None]
    critic = list(learner.critics.values())[-1]  # that of alignment where there is one
    target = np.random.default_rng(1).normal(size=samples.target[-1].shape).astype(np.float32)
    loss = np.empty(len(rows))
    critic_gradient(*learner._weights(critic), samples.critic_sees, target, part, delta, loss)
    leaves, out = twin(critic, samples.critic_sees[row, rows])
    goal = torch.from_numpy(target[row, rows])[..., None].double().repeat_interleave(learner.quantiles, dim=-1)
    huber = torch.nn.functional.huber_loss(out, goal, reduction="none", delta=delta)
    if learner.quantiles > 1:
        level = (torch.arange(learner.quantiles) + 0.5) / learner.quantiles
        huber = (level - (goal < out).double()).abs() * huber / delta
    expect_gradient(critic, leaves, huber.mean(dim=(1, 2)))
    assert loss == pytest.approx(huber.mean(dim=(1, 2)).tolist(), abs=1e-5)
    if learner.quantiles > 1:
        for g in range(len(rows)):
            assert loss[g] == pytest.approx(
                slow.quantile_loss(out[g].tolist(), goal[g, :, 0].tolist(), delta), abs=1e-5
            )


def test_draws_follow_the_probabilities_and_never_leave_what_is_allowed():
    logits = np.tile(np.array([1.0, -0.5, 0.3, 9.0], np.float32), (40_000, 1))
    allowed = np.ones(logits.shape, dtype=bool)
    allowed[:, 3] = False
    action, log_probability = np.empty(len(logits), np.int64), np.empty(len(logits), np.float32)
    uniform = (np.arange(len(logits)) + 0.5) / len(logits)
    draw(logits, allowed, uniform, action, log_probability)
    chances = slow.softmax(logits[0].tolist(), allowed[0].tolist())
    assert np.bincount(action, minlength=4) / len(action) == pytest.approx(chances, abs=1e-4)
    assert np.exp(log_probability[[0, -1]]) == pytest.approx([chances[0], chances[2]], rel=1e-5)
    draw(logits[:1], allowed[:1], np.array([np.nextafter(1.0, 0.0)]), action[:1], log_probability[:1])
    assert action[0] == 2


@pytest.mark.parametrize("kind", ["independent", "shared", "shared_id"])
def test_each_net_serves_its_agents(kind):
    layout, rng = Layout(kind, 3), np.random.default_rng(0)
    values = rng.normal(size=(2, 5, 4, 3, 2)).astype(np.float32)
    grouped = layout.group(values)
    assert grouped.shape == ((6, 20, 2) if kind == "independent" else (2, 60, 2))
    assert np.array_equal(layout.ungroup(grouped, 5, 4), values)
    learner = TeamLearner(TeamSettings(nets=kind, last_layer_gain=1.0), Signals(2), (0, 1))
    seen = np.repeat(rng.normal(size=(2, 1, 1, 6)).astype(np.float32), 3, axis=2)
    out = learner.policy().outputs(seen)[:, 0]
    assert np.allclose(out[:, 0], out[:, 1], atol=1e-6) == (kind == "shared")
    assert not np.allclose(out[0], out[1], atol=1e-3)  # seeds differ
    if kind == "independent":
        one = {name: view[4:5] for name, view in views(learner.actor.network, learner.actor.flat).items()}
        alone, _ = forward(learner.actor.network, one, torch.from_numpy(seen[1:, :, :1].copy()))
        assert np.allclose(alone.numpy().ravel(), out[1, 1], atol=1e-5)  # seed 1, agent 1 is net 4


@pytest.mark.parametrize(
    ("terminates", "time_limit", "value"),
    [(False, "truncation", 10.0), (True, "truncation", 2.629), (False, "terminal", 2.629)],
)
@pytest.mark.parametrize("critic", ["value", "quantile"])
def test_values_reach_past_a_time_limit_but_not_past_an_end(terminates, time_limit, value, critic):
    """Reward 1 for ever at gamma 0.9 is worth 10; to an unforeseen end in one to five steps 2.629 on average."""
    settings = TeamSettings(envs=4, segment=10, gamma=0.9, gae_lambda=1.0, time_limit=time_limit, hidden=(8, 8))
    settings = settings.but(critic_time=False, nets="shared", critic=critic, quantiles=4)
    world = Steady(4, horizon=5, terminates=terminates)
    learner, collector = TeamLearner(settings, world, (0,)), TeamCollector(settings, world, (0,))
    for update in range(120):
        segment = collector.collect(learner.policy(), update)
        learner.update(segment, update, 3e-3)
    learned = learner.returns[0].to_returns(learner.value(joined(segment.seen, segment.extra))[..., 0])
    assert learned.mean() == pytest.approx(value, rel=0.06)


def test_critics_may_see_the_state_and_the_time():
    world = Signals(2)
    world.reset(np.arange(2, dtype=np.uint64))
    view = View.of(TeamSettings(critic_sees="state"))
    seen = joined(view.actor(world), view.extra(world, np.array([0.25, 0.5])))
    assert seen.shape == (2, 3, view.critic_size(world)) == (2, 3, 6 + 6 + 1)
    assert np.array_equal(seen[1, 2], [*world.seen[1, 2], *world.state()[1], 0.5])


def test_the_assigned_target_is_the_cheapest_one():
    world = Signals(5)
    world.reset(np.arange(5, dtype=np.uint64))
    found = assigned(world)
    for lane in range(5):
        places, targets = world.positions[lane], world.targets()[lane]
        order = slow.cheapest_assignment(places.tolist(), targets.tolist())
        assert np.allclose(found[lane], targets[list(order)] - places, atol=1e-6)
    assert View.of(TeamSettings(assignment=True)).actor(world).shape == (5, 3, 8)


def test_relu_and_tanh_nets_answer_as_the_reference():
    rng = np.random.default_rng(3)
    for activation in ("relu", "tanh"):
        network = Network(1, 5, 3, (7, 9), activation)
        flat = rng.normal(size=(2, network.size)).astype(np.float32)
        inputs = rng.normal(size=(2, 500, 5)).astype(np.float32)
        out = outputs_of(flat, sizes(network), activation == "relu", inputs)
        named = views(network, torch.from_numpy(flat))
        expected, _ = forward(network, named, torch.from_numpy(inputs)[:, :, None])
        assert np.allclose(out, expected[:, :, 0].numpy(), atol=1e-4)
