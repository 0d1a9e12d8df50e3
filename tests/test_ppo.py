"""The PPO learner: it learns, knows where values end, keeps seeds apart, and its parts equal slow twins."""

import numpy as np
import pytest
import torch
from oracles import ppo as slow
from ppo_kinds import as_shipped, centralised, ippo
from toy_worlds import Constant, Deposit, Interrupted, KeptRun, NoRun, Targets, evaluate

from replication.algos import advantages, batches
from replication.algos.losses import log_density, surrogate_loss, value_loss
from replication.algos.nets import Network
from replication.algos.optimisers import Trainable
from replication.algos.ppo import Face, Learner
from replication.algos.ppo_settings import AS_SHIPPED, PPOSettings, mappo
from replication.algos.rollout import Collector
from replication.algos.training import train
from replication.settings import BadInput


def small(make=mappo, **changes) -> PPOSettings:
    return make(**({"envs": 4, "segment": 16, "hidden": (16, 16), "backpropagation_steps": 4} | changes))


@pytest.mark.parametrize("make", [mappo, ippo, centralised])
def test_every_paradigm_learns_to_hit_its_targets(make):
    trained = train(make(envs=8, segment=24, learning_rate=2e-3), Targets(8), (0,), NoRun(), updates=40)
    world = Targets(32)
    sums = evaluate(trained.last, world, np.arange(32, dtype=np.uint64))
    miss = (sums["miss"] / sums["steps"]).mean()
    assert miss < 0.25  # doing nothing misses by 0.45
    assert np.all(sums["steps"] == world.horizon)


@pytest.mark.parametrize(("gamma", "sign"), [(0.0, -1.0), (0.99, 1.0)])
def test_foresight_is_a_plain_value_of_gamma(gamma, sign):
    settings = ippo(envs=8, segment=16, gamma=gamma, learning_rate=3e-3, learning_rate_end=3e-3)
    trained = train(settings, Deposit(8), (0,), NoRun(), updates=25)
    first_action = trained.last.act(Deposit(1).reset(np.zeros(1, dtype=np.uint64)))[0, 0, 0]
    assert sign * first_action > 0.3


@pytest.mark.parametrize(
    ("terminates", "time_limit", "value"),
    [(False, "truncation", 10.0), (True, "truncation", 2.629), (False, "terminal", 2.629)],
)
def test_values_reach_past_a_time_limit_but_not_past_an_end(terminates, time_limit, value):
    """Reward 1 for ever at gamma 0.9 is worth 10; to an unforeseen end in one to five steps 2.629 on average."""
    settings = mappo(envs=4, segment=20, gamma=0.9, gae_lambda=1.0, time_limit=time_limit, input_scaling="none")
    settings = settings.but(learning_rate=3e-3, learning_rate_end=3e-3, hidden=(8,))
    world = Constant(4, horizon=5, terminates=terminates)
    learner, collector = Learner(settings, Face.of(world), (0,)), Collector(settings, world, (0,))
    for update in range(60):
        segment = collector.collect(learner.policy(collector.inputs), update)
        learner.update(segment, update, 3e-3)
    learned = learner.returns.to_returns(learner.value(segment.critic_input))
    assert np.allclose(learned, value, rtol=0.06)


VARIANTS = {
    "mappo": small(),
    "ippo": small(ippo),
    "centralised": small(centralised),
    "all observations": small(actor_sees="all", critic_sees="all"),
    "own rewards": small(shared_reward=False, critic_sees="state"),
    "recurrent": small(recurrent=True),
    "as shipped": small(as_shipped, batch_size=8, epochs=3),
    "windows": small(minibatch_rule="consecutive", batch_size=8),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_seed_learns_the_same_alone_and_in_company(name):
    settings = VARIANTS[name]
    together = train(settings, Targets(3 * 4), (4, 7, 9), NoRun(), updates=3)
    alone = train(settings, Targets(4), (7,), NoRun(), updates=3)
    for weight, values in alone.last.weights.items():
        assert np.allclose(together.last.weights[weight][1], values[0], atol=1e-5), weight
    for curve in ("reward", "mean_tanh_action", "miss"):
        assert np.allclose(together.curves[curve][1], alone.curves[curve][0], atol=1e-5)
    assert not np.allclose(together.last.weights["weight0"][0], together.last.weights["weight0"][1])


@pytest.mark.parametrize("name", ["mappo", "recurrent", "as shipped"])
def test_an_interrupted_run_resumes_bitwise(name):
    def judge(policy):
        return {"score": -np.abs(policy.weights["bias_out"]).sum(axis=(1, 2))}

    def finish(run):
        return train(VARIANTS[name], Targets(2 * 4), (0, 1), run, updates=6, evaluate=judge, evaluate_every=2)

    straight = finish(NoRun())
    broken = KeptRun(stop_after=3)
    with pytest.raises(Interrupted):
        finish(broken)
    broken.stop_after = None
    resumed = finish(broken)
    assert [step for step, _ in broken.logged] == [2, 4, 6]
    assert straight.curves.keys() == resumed.curves.keys()
    for curve, values in straight.curves.items():
        assert np.array_equal(values, resumed.curves[curve]), curve
    for one, other in ((straight.last, resumed.last), (straight.best, resumed.best)):
        for weight, values in one.arrays().items():
            assert np.array_equal(values, other.arrays()[weight]), weight


def test_each_seed_keeps_its_own_best_policy():
    seen = []

    def judge(policy):
        seen.append(policy)
        return {"score": np.array([[9.0, 9.0], [1.0, 5.0], [2.0, 4.0], [0.0, 6.0]][len(seen) - 1])}

    trained = train(small(), Targets(2 * 4), (0, 1), NoRun(), updates=3, evaluate=judge, evaluate_every=1)
    assert trained.best_update.tolist() == [2, 3]  # the untrained policy's 9 does not count
    for weight, values in trained.best.weights.items():
        assert np.array_equal(values[0], seen[2].weights[weight][0])
        assert np.array_equal(values[1], seen[3].weights[weight][1])
    assert trained.curves["evaluated_score"].shape == (2, 4)
    assert trained.curves["_evaluated_at"].tolist() == [0, 1, 2, 3]
    assert trained.curves["_steps"].tolist() == [64, 128, 192]


@pytest.mark.parametrize("device", ["cpu"] + ["cuda"] * torch.cuda.is_available())
@pytest.mark.parametrize("name", VARIANTS)
def test_one_update_agrees_over_devices_and_precisions(name, device):
    """From equal weights and one batch; the reference is float64 on the CPU."""
    reference = _one_update(VARIANTS[name].but(precision="float64"))
    other = _one_update(VARIANTS[name].but(device=device))
    assert np.abs(reference - other).max() < 1e-4
    start = _one_update(VARIANTS[name].but(learning_rate=1e-12, learning_rate_end=1e-12))
    assert np.abs(start - other).max() > 1e-4  # the update moves the weights by more than the tolerance


def _one_update(settings):
    world = Targets(2 * 4)
    learner, collector = Learner(settings, Face.of(world), (0, 1)), Collector(settings, world, (0, 1))
    learner.update(collector.collect(learner.policy(collector.inputs), 0), 0, settings.learning_rate)
    return np.concatenate([part.flat.cpu().double().numpy() for part in (learner.actor, learner.critic)], axis=1)


def test_advantages_equal_the_double_sum():
    rng = np.random.default_rng(0)
    reward, value, after = rng.normal(size=(3, 2, 3, 20, 2))
    ended, cut = rng.random((2, 2, 3, 20)) < 0.15
    cut |= ended
    fast = advantages.gae(reward, value, after, ended, cut, 0.9, 0.7)
    for s, e, c in np.ndindex(2, 3, 2):
        at = (s, e, slice(None))
        twin = slow.gae(reward[at][:, c], value[at][:, c], after[at][:, c], ended[at], cut[at], 0.9, 0.7)
        assert np.allclose(fast[s, e, :, c], twin, atol=1e-12)


def test_surrogate_and_value_loss_equal_their_loops():
    rng = np.random.default_rng(1)
    mean, point, old, gain = rng.normal(size=(4, 2, 30, 1))
    log_std = np.array([0.3, -0.4])
    tensors = [torch.from_numpy(a[..., None]) for a in (point, mean)]
    new = log_density(*tensors, torch.from_numpy(log_std).view(2, 1, 1, 1))
    loss = surrogate_loss(new - torch.from_numpy(old), torch.from_numpy(gain), 0.2)
    for clip, kind in ((None, "huber"), (0.3, "huber"), (0.6, "squared")):
        settings = mappo(value_clip=clip, value_loss=kind, huber_delta=0.5, value_coefficient=2.0)
        value = value_loss(*(torch.from_numpy(a) for a in (mean, gain, old)), settings)
        for s in range(2):
            penalty = (lambda x: x**2) if kind == "squared" else (lambda x: slow.huber(x, 0.5))
            twin = slow.value_loss(mean[s, :, 0], gain[s, :, 0], old[s, :, 0], penalty, clip)
            assert float(value[s]) == pytest.approx(2 * twin, abs=1e-12)
    for s in range(2):
        new_log = [
            slow.gaussian_log_density(x, m, np.exp(log_std[s]))
            for x, m in zip(point[s, :, 0], mean[s, :, 0], strict=True)
        ]
        assert np.allclose(new[s, :, 0], new_log, atol=1e-12)
        assert float(loss[s]) == pytest.approx(-slow.surrogate(new_log, old[s, :, 0], gain[s, :, 0], 0.2), abs=1e-12)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("rule", ["adam", "rmsprop"])
def test_steps_and_clipping_go_seed_by_seed(rule, compiled):
    rng = np.random.default_rng(2)
    network = Network(rows=1, inputs=1, outputs=1, hidden=(1,))
    start = rng.normal(size=(2, network.size))
    gradients = rng.normal(size=(4, 2, network.size)) * np.array([[5.0], [0.01]])
    trained = Trainable(network, torch.from_numpy(start.copy()), rule)
    assert trained.compiled  # on the CPU
    trained.compiled = compiled
    taken = []
    for gradient in gradients:
        trained.gradient.copy_(torch.from_numpy(gradient))
        norms = trained.clip(1.0).numpy()
        assert np.allclose(norms, np.linalg.norm(gradient, axis=1))
        taken.append(trained.gradient.numpy().copy())
        trained.step(1e-2)
    assert np.allclose(np.linalg.norm(taken[0], axis=1), [1.0, np.linalg.norm(gradients[0, 1])])
    for s, p in np.ndindex(2, network.size):
        twin = getattr(slow, rule)(start[s, p], [g[s, p] for g in taken], 1e-2)
        assert float(trained.flat[s, p]) == pytest.approx(twin, abs=1e-12)


def test_return_scale_forgets_and_is_undone():
    scale = advantages.ReturnScale(2, decay=0.5, enabled=True)
    returns = np.array([[1.0, 3.0], [10.0, 10.0]]).reshape(2, 1, 2, 1)
    assert np.array_equal(scale.to_scaled(returns), returns)
    scale.update(returns)
    assert np.allclose(scale.to_scaled(returns)[0].ravel(), [-1.0, 1.0])
    scale.update(returns + 4.0)
    mean, _ = scale.mean_and_deviation
    assert mean.ravel() == pytest.approx([(0.5 * 2 + 6) / 1.5, (0.5 * 10 + 14) / 1.5])
    assert np.allclose(scale.to_returns(scale.to_scaled(returns)), returns)


def _steps(rng, settings, rows=3):
    lanes = (2, 1, 8)
    one_row = rng.normal(size=(*lanes, 1, 4))
    terminated = rng.random(lanes) < 0.2
    return batches.Steps(
        actor_input=rng.normal(size=(*lanes, rows, 4)),
        critic_input=one_row,
        pre_tanh=rng.normal(size=(*lanes, rows, 1)),
        mean=rng.normal(size=(*lanes, rows, 1)),
        reward=rng.normal(size=(*lanes, rows)),
        terminated=terminated,
        cut=terminated | (rng.random(lanes) < 0.2),
        value=rng.normal(size=(*lanes, 1)),
        next_critic_input=one_row,
        next_value=rng.normal(size=(*lanes, 1)),
        memory=None,
        keeps_memory=None,
    )


@pytest.mark.parametrize("time_limit", ["truncation", "terminal"])
@pytest.mark.parametrize("normalisation", ["none", "batch"])
def test_targets_equal_their_loops(time_limit, normalisation):
    rng = np.random.default_rng(3)
    settings = mappo(time_limit=time_limit, reward_normalisation=normalisation, value_normalisation="none")
    scale = advantages.ReturnScale(2, 0.9, enabled=False)
    steps, std = _steps(rng, settings), np.full((2, 3, 1), 0.7)
    batch = batches.learnable(settings, steps, std, scale, new=True)
    ahead = batches.learnable(settings.but(value_target="one_step"), steps, std, scale, new=True)
    for s in range(2):
        reward = [sum(agents) / 3 for agents in steps.reward[s, 0]]
        reward = slow.batch_norm(reward) if normalisation == "batch" else reward
        ended = steps.cut[s, 0] if time_limit == "terminal" else steps.terminated[s, 0]
        value, after = steps.value[s, 0, :, 0], steps.next_value[s, 0, :, 0]
        gain = slow.gae(reward, value, after, ended, steps.cut[s, 0], 0.99, 0.95)
        assert np.allclose(batch.target[s, :, 0], np.array(gain) + value, atol=1e-10)
        scaled = (np.array(gain) - np.mean(gain)) / np.std(gain)
        assert np.allclose(batch.advantage[s], scaled[:, None], atol=1e-6)
        one_step = ahead.target[s, :, 0] + 0.99 * ahead.goes_on[s, :, 0] * after
        assert np.allclose(one_step, [r + 0.99 * a * (not e) for r, a, e in zip(reward, after, ended, strict=True)])
        for t, i in np.ndindex(8, 3):
            density = slow.gaussian_log_density(steps.pre_tanh[s, 0, t, i, 0], steps.mean[s, 0, t, i, 0], 0.7)
            assert batch.old_log_probability[s, t, i] == pytest.approx(density, abs=1e-9)
    normalised = batches.batch_normalised(batch)
    assert np.allclose(normalised.advantage[0, :, 1], slow.batch_norm(list(batch.advantage[0, :, 1])), atol=1e-6)


def test_one_step_targets_are_the_same_returns_under_any_scale():
    rng = np.random.default_rng(4)
    settings = mappo(value_target="one_step")
    scale = advantages.ReturnScale(2, 0.9, enabled=True)
    scale.update(rng.normal(3.0, 2.0, size=(2, 50)))
    steps = _steps(rng, settings)
    batch = batches.learnable(settings, steps, np.ones((2, 3, 1)), scale, new=False)
    target = batch.target + 0.99 * batch.goes_on * batches.flat(steps.next_value)
    reward = batches.flat(steps.reward.mean(axis=-1, keepdims=True))
    plain = reward + 0.99 * batch.goes_on * batches.flat(scale.to_returns(steps.next_value))
    assert np.allclose(scale.to_returns(target[:, None])[:, 0], plain)


@pytest.mark.parametrize(("mean", "low", "high"), [(0.0, 0.015, 0.030), (0.55, -0.080, -0.008)])
def test_the_stored_action_defect_drifts_to_a_root_between_zero_and_a_half(mean, low, high):
    """Clip 0.6, deviation 1, advantages that say nothing: the shipped ratio pushes the mean, the right one does not."""
    slopes = {}
    rng = np.random.default_rng(5)
    draws = rng.normal(mean, 1.0, size=(1, 1, 200_000, 1, 1))
    shipped = as_shipped()
    for settings in (shipped, mappo(clip=0.6)):
        steps = _steps(rng, settings)
        steps.pre_tanh, steps.mean = draws, np.full_like(draws, mean)
        point, old = batches.behaviour(settings, steps, np.ones((1, 1, 1)), rows=1)
        center = torch.full((1, 1, 1, 1), mean, dtype=torch.float64, requires_grad=True)
        log_ratio = log_density(torch.from_numpy(batches.flat(point)), center, torch.zeros_like(center))
        log_ratio = log_ratio - torch.from_numpy(batches.flat(old))
        losses = [surrogate_loss(log_ratio, sign * torch.ones_like(log_ratio), settings.clip) for sign in (1.0, -1.0)]
        slopes[settings.ratio] = -torch.autograd.grad(0.5 * sum(losses).sum(), center)[0].item()
    assert low < slopes["stored_action"] < high
    assert abs(slopes["log_probability"]) < 1e-6


def test_every_defect_is_one_setting_of_its_own():
    for name, value in AS_SHIPPED.items():
        changed = mappo(**{name: value} | ({"hidden": (64, 64)} if name == "recurrent" else {}))
        others = {n: v for n, v in changed.plain().items() if n != name}
        assert others == {n: v for n, v in mappo().plain().items() if n != name}
    assert as_shipped().but(**{name: getattr(mappo(), name) for name in AS_SHIPPED}) == mappo()


def test_bad_input_is_one_line():
    with pytest.raises(BadInput, match="num_envs=8"):
        train(small(), Targets(5), (0, 1), NoRun(), updates=1)
    world = Targets(4)
    world.action_kind = "discrete"
    with pytest.raises(BadInput, match="continuous"):
        train(small(), world, (0,), NoRun(), updates=1)
    for wrong in (
        {"hidden": ()},
        {"minibatches": 999999},
        {"recurrent": True, "backpropagation_steps": 7},
        {"clip": 2},
    ):
        with pytest.raises(BadInput, match="PPOSettings"):
            mappo(**wrong)
    if not torch.cuda.is_available():
        with pytest.raises(BadInput, match="cuda"):
            train(small(device="cuda"), Targets(4), (0,), NoRun(), updates=1)
