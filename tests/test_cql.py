"""The offline learner: losses and slopes equal slow twins, masks matter, seeds keep apart, steps are Adam's."""

from itertools import product

import numpy as np
import pytest
import torch
from oracles import cql as slow
from refusals import refused
from toy_offline import random_batch

from replication.algos.cql import CQL
from replication.algos.cql_kernels import exp32
from replication.algos.cql_settings import CQLSettings
from replication.algos.relu_mlp import Nets, layers
from replication.algos.scaling import Scaling
from replication.settings import BadInput

PARADIGMS = ("ctde", "independent", "centralised")
BACKBONES = ("dqn", "sac", "iql", "bc")
AGENTS, FEATURES, ACTIONS, SEEDS = 3, 4, 3, (3, 8)
VARIANTS = {f"{b} {p}": {"backbone": b, "paradigm": p} for b, p in product(BACKBONES, PARADIGMS)}
VARIANTS |= {f"{name}, shared": v | {"share_weights": True} for name, v in VARIANTS.items() if "cen" not in name}
VARIANTS |= {
    "dqn, plain maximum": {"backbone": "dqn", "double": False},
    "dqn, lse only": {"backbone": "dqn", "penalty": "lse_only", "conservatism": 0.3},
    "sac, lse only": {"penalty": "lse_only"},
    "dqn, no conservatism": {"backbone": "dqn", "conservatism": 0.0},
    "sac, entropy backed up": {"entropy_backup": True, "temperature": 0.5},
    "sac, joint, entropy backed up": {"entropy_backup": True, "temperature": 0.5, "paradigm": "centralised"},
    "iql, steep": {"backbone": "iql", "expectile": 0.9, "advantage_temperature": 20.0},
}


def learner(scale=2.0, **changes) -> CQL:
    """Two seeds with moved targets and outputs that differ by more than a little."""
    settings = CQLSettings(**({"hidden": (8, 5)} | changes))
    rng = np.random.default_rng(1)
    shape = (len(SEEDS), AGENTS, FEATURES)
    inputs = Scaling(rng.normal(size=shape).astype(np.float32), rng.uniform(0.3, 2.0, shape).astype(np.float32))
    made = CQL(settings, AGENTS, FEATURES, ACTIONS, SEEDS, inputs)
    for part in made.parts.values():
        part.flat *= scale
        part.target[:] = part.flat[:, : part.target.shape[1]] + rng.normal(0, 0.3, part.target.shape)
    return made


def tensors(flat, sizes):
    """Networks (N, P) as dicts of float64 tensors that autograd knows."""
    nets = []
    for row in flat.astype(np.float64):
        named = layers(row, sizes)._asdict()
        nets.append({name: torch.from_numpy(view.copy()).requires_grad_() for name, view in named.items()})
    return nets


def twin(made: CQL, batch, s: int):
    """Mean losses of seed `s` by the oracle, and its networks, whose `grad` is that of their own loss."""
    parts = {name: tensors(part.flat[s], part.sizes) for name, part in made.parts.items()}
    known = dict(parts)
    if "critic" in parts:
        known["target"] = tensors(made.parts["critic"].target[s], made.parts["critic"].sizes)
    shift, factor = (torch.from_numpy(a[s].astype(np.float64)) for a in (made.inputs.mean, made.inputs.factor))
    rows = []
    for b in range(batch.reward.shape[1]):
        sample = [torch.from_numpy(np.array(array[s, b])) for array in batch]
        for i in (0, 4):
            sample[i] = (sample[i].double() - shift) * factor
        rows.append(slow.losses(made.settings, known, sample, made.beta[s].astype(np.float64)))
    means = {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}
    for name, nets in parts.items():
        weights = [w for net in nets for w in net.values()]
        for w, slope in zip(weights, torch.autograd.grad(means[name], weights, retain_graph=True), strict=True):
            w.grad = slope
    return {name: mean.item() for name, mean in means.items()}, parts


@pytest.mark.parametrize("name", VARIANTS)
def test_losses_and_slopes_equal_autograd_in_double_precision(name):
    made, batch = learner(**VARIANTS[name]), random_batch()
    made.differentiate(batch)
    gradients = {part: made.parts[part].gradient.copy() for part in made.parts}
    numbers = made.update(batch)
    made = learner(**VARIANTS[name])
    for s in range(2):
        means, parts = twin(made, batch, s)
        names = {"actor": "actor_loss", "value": "value_loss", "td_loss": "td_loss"}
        names |= {"conservative": "conservative", "entropy": "entropy"}
        for loss, number in names.items():
            if loss in means and number in numbers:
                assert numbers[number][s] == pytest.approx(means[loss], rel=1e-4), number
        if "critic" in means:
            assert numbers["critic_loss"][s] * made.settings.critics == pytest.approx(means["critic"], rel=1e-4)
        for part, nets in parts.items():
            for n, net in enumerate(nets):
                exact = np.concatenate([w.grad.numpy().ravel() for w in net.values()])
                assert np.linalg.norm(exact) > 1e-3
                distance = np.linalg.norm(gradients[part][s, n] - exact)
                assert distance < 1e-4 * np.linalg.norm(exact), (part, n)


def test_the_variants_reach_the_corners():
    """Advantage weights are cut at 100, and double and plain maxima differ: else the test above could not tell."""
    steep = learner(**VARIANTS["iql, steep"])
    steep.differentiate(random_batch())
    assert 0.01 < (steep.weight > 99.99).mean() < 0.9
    losses = [learner(backbone="dqn", double=d).update(random_batch())["td_loss"] for d in (True, False)]
    assert np.abs(losses[0] - losses[1]).min() > 1e-3


@pytest.mark.parametrize("shared", [True, False])
def test_the_joint_penalty_is_the_sum_of_the_agents_penalties(shared):
    made, batch = learner(backbone="dqn", share_weights=shared), random_batch()
    for s in range(2):
        nets = tensors(made.parts["critic"].flat[s], made.parts["critic"].sizes)
        total = 0.0
        for b in range(24):
            seen = (batch.observation[s, b] - made.inputs.mean[s]) * made.inputs.factor[s]
            q = slow.outputs(nets, 0, list(torch.from_numpy(seen).double()), shared)
            valid = slow.valid_choices(batch.mask[s, b], joint=False)
            total += slow.joint_penalty(q, valid, batch.action[s, b].tolist()).item() / 24
        assert learner(backbone="dqn", share_weights=shared).update(batch)["conservative"][s] == pytest.approx(
            total, rel=1e-4
        )


@pytest.mark.parametrize("name", [name for name in VARIANTS if "shared" not in name])
def test_outputs_of_invalid_actions_have_no_part_in_anything(name):
    """Agent 1 may never take its last action; whatever the networks say of it, nothing else changes."""
    batch = random_batch()
    for mask in (batch.mask, batch.next_mask):
        mask[:, :, 1, -1] = False
    batch.action[:, :, 1] = np.minimum(batch.action[:, :, 1], 1) * batch.mask[:, :, 1, 1]
    found = []
    for raised in (0.0, 200.0, -200.0):
        made = learner(**VARIANTS[name])
        for part_name, part in made.parts.items():
            if part_name != "value":
                for flat in (part.flat, part.target):
                    _raise(made, flat, part.sizes, raised)
        actions = [made.policy().act(batch.observation[:, b], batch.mask[:, b]) for b in range(24)]
        assert np.take_along_axis(batch.mask, np.stack(actions, axis=1), axis=3).all()
        found.append((made.update(batch), np.stack(actions), made))
    for numbers, actions, other in found[1:]:
        assert np.array_equal(actions, found[0][1])
        for number, values in found[0][0].items():
            assert np.allclose(values, numbers[number], rtol=1e-5, atol=1e-7), number
        for part in other.parts:
            assert np.allclose(other.parts[part].gradient, found[0][2].parts[part].gradient, rtol=1e-4, atol=1e-6)


def _raise(made, flat, sizes, by):
    """Add `by` to the outputs for every choice in which agent 1 takes its last action."""
    rows = flat.reshape(-1, flat.shape[-1])
    if made.joint:
        hit = np.indices((ACTIONS,) * AGENTS)[1].ravel() == ACTIONS - 1
        for row in rows:
            layers(row, sizes).bias_out[hit] += np.float32(by)
    else:
        for row in rows[1::AGENTS]:
            layers(row, sizes).bias_out[-1] += np.float32(by)


def test_steps_are_adams_and_targets_follow():
    """Each network's gradient is clipped and stepped on its own."""
    rng = np.random.default_rng(2)
    nets = Nets((2, 3, 4, 2), 2, (0, 1), "test", target=True)
    start, target = nets.flat.copy(), nets.target.astype(np.float64)
    assert np.array_equal(target, start)
    scale = np.array([3.0, 0.01, 1.0, 1e-3]).reshape(2, 2, 1)
    gradients = rng.normal(size=(5, *nets.flat.shape)) * scale
    for step, gradient in enumerate(gradients, start=1):
        nets.gradient[:] = gradient
        nets.step(1e-2, 1.5, 0.1)
        for s, n in np.ndindex(2, 2):
            before, slopes = torch.from_numpy(start[s, n].astype(np.float64)), torch.from_numpy(gradients[:step, s, n])
            exact = slow.adam(before, slopes, 1e-2, largest=1.5).numpy()
            assert np.allclose(nets.flat[s, n], exact, atol=1e-6)
            target[s, n] += 0.1 * (exact - target[s, n])
    assert np.allclose(nets.target, target, atol=1e-6)
    assert (np.abs(nets.flat - start).mean(axis=2) > 0.01).all()


@pytest.mark.parametrize(("target", "sign"), [(0.99, 1.0), (0.05, -1.0)])
@pytest.mark.parametrize("shared", [True, False])
def test_the_temperature_seeks_the_entropy_target(target, sign, shared):
    made = learner(scale=4.0, entropy_target=target, share_weights=shared, temperature=0.2)
    batch = random_batch()
    before = made.beta.astype(np.float64)
    logits = [made.policy().values(batch.observation[:, b]) for b in range(24)]
    gaps = np.zeros((2, AGENTS))
    for s, b, a in np.ndindex(2, 24, AGENTS):
        log_chance = slow.log_policy(torch.from_numpy(logits[b][s, a]), np.flatnonzero(batch.mask[s, b, a])).double()
        entropy = -float((log_chance.exp() * log_chance).sum())
        gaps[s, a] += (entropy - target * np.log(len(log_chance))) / 24
    made.update(batch)
    assert np.allclose(made.surplus, gaps.mean(axis=1, keepdims=True) if shared else gaps, rtol=1e-4, atol=1e-6)
    slopes = [made.surplus * before]
    for _ in range(2):
        last = made.beta.astype(np.float64)
        made.update(batch)
        slopes.append(made.surplus * last)
    exact = slow.adam(torch.from_numpy(np.log(before)), torch.from_numpy(np.array(slopes)), 5e-4).exp().numpy()
    assert np.allclose(made.beta, exact, rtol=1e-6)
    assert (sign * (made.beta - before) > 0).all()
    fixed = learner()
    fixed.update(batch)
    assert (fixed.beta == np.float32(0.01)).all()


@pytest.mark.parametrize("name", VARIANTS)
def test_a_seed_learns_the_same_alone_and_in_company(name):
    settings, batch = CQLSettings(hidden=(8, 5), **VARIANTS[name]), random_batch(seeds=3)
    ones = Scaling(*np.ones((2, 3, AGENTS, FEATURES), np.float32))
    together = CQL(settings, AGENTS, FEATURES, ACTIONS, (4, 7, 9), ones)
    alone = CQL(settings, AGENTS, FEATURES, ACTIONS, (7,), ones.seed(1))
    for _ in range(3):
        together.update(batch)
        alone.update(type(batch)(*(array[1:2] for array in batch)))
    for part, nets in together.parts.items():
        assert np.array_equal(nets.flat[1], alone.parts[part].flat[0])
        assert not np.allclose(nets.flat[0], nets.flat[1])
    assert np.array_equal(together.policy().seed(1).weights, alone.policy().weights)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_batches_may_change_their_size_and_state_is_complete(backbone):
    made, other = learner(backbone=backbone, entropy_target=0.5), learner(backbone=backbone, entropy_target=0.5)
    for samples in (24, 5, 30):
        made.update(random_batch(samples=samples))
    other.restore(made.state())
    for learned in (made, other):
        learned.update(random_batch(samples=9, rng=5))
    assert np.array_equal(made.policy().weights, other.policy().weights)
    assert np.array_equal(made.beta, other.beta)


def test_fewer_than_all_losses_of_a_backbone_never_learn():
    """Every network moves in an update."""
    for name, values in VARIANTS.items():
        made = learner(**values)
        before = {part: nets.flat.copy() for part, nets in made.parts.items()}
        made.update(random_batch())
        for part, nets in made.parts.items():
            assert (np.abs(nets.flat - before[part]).max(axis=2) > 1e-5).all(), (name, part)


def test_the_polynomial_exp_is_exp():
    x = np.linspace(-87.0, 0.0, 20_001, dtype=np.float32)
    found = np.array([exp32(value) for value in x[::200]])
    assert np.allclose(found, np.exp(x[::200].astype(np.float64)), rtol=5e-7)


def test_bad_input_is_one_line():
    inputs = Scaling(*np.ones((2, 1, 6, 2), np.float32))
    with pytest.raises(BadInput, match="at most 5 agents; use 'ctde'"):
        CQL(CQLSettings(paradigm="centralised"), 6, 2, 4, (0,), inputs)
    with pytest.raises(BadInput, match=r"\(1, 3, 2\)"):
        CQL(CQLSettings(), 3, 2, 4, (0,), inputs)
    for wrong in ({"conservatism": -1.0}, {"hidden": (64,)}, {"discount": 1.0}, {"backbone": "ppo"}):
        with refused("CQLSettings"):
            CQLSettings(**wrong)
    with pytest.raises(BadInput, match="temperature"):
        CQLSettings(entropy_target=0.5, temperature=0.0)
