"""Discrete policies: they mask, scale, draw by their probabilities, and give one agent its own part."""

from itertools import product

import numpy as np
import pytest
from toy_offline import random_batch

from replication.algos.cql import CQL
from replication.algos.cql_settings import CQLSettings
from replication.algos.discrete_policy import (
    joint_digits,
    joint_mask,
    load_discrete_policy,
    save_discrete_policy,
    softmax,
)
from replication.algos.relu_mlp import layers
from replication.algos.scaling import LEAST_DEVIATION, Scaling, fit_scaling, no_scaling, padding
from replication.settings import BadInput

AGENTS, FEATURES, ACTIONS, SEEDS, LANES = 3, 4, 3, (0, 5), 10
KINDS = {
    "ctde": {},
    "shared": {"share_weights": True},
    "centralised": {"paradigm": "centralised"},
    "dqn": {"backbone": "dqn"},
}


def policy(scale=2.0, **changes):
    rng = np.random.default_rng(0)
    shape = (len(SEEDS), AGENTS, FEATURES)
    inputs = Scaling(rng.normal(size=shape).astype(np.float32), rng.uniform(0.5, 2, shape).astype(np.float32))
    learner = CQL(CQLSettings(hidden=(7, 6), **changes), AGENTS, FEATURES, ACTIONS, SEEDS, inputs)
    learner.actor.flat *= scale
    return learner.policy()


def seen():
    batch = random_batch(seeds=1, samples=LANES, rng=3)
    return batch.observation[0], batch.mask[0]


def by_hand(one, lane, observation):
    """Outputs of every head for one lane, one network at a time."""
    s, heads = lane // (LANES // len(SEEDS)), 1 if one.centralised else AGENTS
    scaled = ((observation[lane] - one.scaling.mean[s]) * one.scaling.factor[s]).astype(np.float64)
    rows = []
    for head in range(heads):
        x = scaled.reshape(-1) if one.centralised else scaled[head]
        outputs = ACTIONS**AGENTS if one.centralised else ACTIONS
        w = layers(one.weights[s, head % one.weights.shape[1]].astype(np.float64), (len(x), 7, 6, outputs))
        x = np.maximum(x @ w.weight0 + w.bias0, 0)
        x = np.maximum(x @ w.weight1 + w.bias1, 0)
        rows.append(x @ w.weight_out + w.bias_out)
    return np.array(rows)


@pytest.mark.parametrize("kind", KINDS)
def test_values_are_those_of_each_seeds_own_networks(kind):
    one, (observation, _) = policy(**KINDS[kind]), seen()
    values = one.values(observation)
    for lane in range(LANES):
        assert np.allclose(values[lane], by_hand(one, lane, observation), atol=1e-5)
    assert np.ptp(values, axis=0).min() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_greedy_actions_are_the_best_valid_ones(kind):
    one, (observation, mask) = policy(**KINDS[kind]), seen()
    actions, changed = one.act(observation, mask), 0
    assert actions.shape == (LANES, AGENTS, 1)
    assert actions.dtype == np.int64
    for lane in range(LANES):
        values = by_hand(one, lane, observation)
        if one.centralised:
            every = list(product(range(ACTIONS), repeat=AGENTS))
            allowed = [n for n, joint in enumerate(every) if all(mask[lane, a, u] for a, u in enumerate(joint))]
            best = max(allowed, key=lambda n, v=values: v[0, n])
            assert tuple(actions[lane, :, 0]) == every[best]
            changed += best != values[0].argmax()
        else:
            for a in range(AGENTS):
                allowed = np.flatnonzero(mask[lane, a])
                assert actions[lane, a, 0] == allowed[values[a, allowed].argmax()]
                changed += actions[lane, a, 0] != values[a].argmax()
    assert changed > 0  # the mask decides somewhere


@pytest.mark.parametrize("kind", ["ctde", "shared", "centralised"])
def test_drawn_actions_have_the_policys_probabilities(kind):
    one, (observation, mask) = policy(**KINDS[kind]).seed(0), seen()
    observation, mask = observation[:1], mask[:1]
    if kind == "centralised":
        valid = joint_mask(mask)[:, None]
    else:
        valid = mask
    chances = softmax(np.where(valid, one.values(observation), -np.inf))[0]
    count = 4000
    uniforms = np.random.default_rng(1).random((count, AGENTS))
    drawn = one.sample(np.repeat(observation, count, axis=0), np.repeat(mask, count, axis=0), uniforms)[..., 0]
    if kind == "centralised":
        number = drawn @ ACTIONS ** np.arange(AGENTS - 1, -1, -1)
        shares = np.bincount(number, minlength=ACTIONS**AGENTS)[None] / count
    else:
        shares = np.stack([np.bincount(drawn[:, a], minlength=ACTIONS) for a in range(AGENTS)]) / count
    assert np.allclose(shares, chances, atol=0.035)
    assert (shares[chances == 0] == 0).all()
    assert (chances == 0).any()


def test_extreme_uniforms_still_draw_valid_actions():
    one, (observation, _) = policy(), seen()
    mask = np.zeros((LANES, AGENTS, ACTIONS), bool)
    mask[..., 1] = True
    for uniform in (0.0, np.nextafter(1.0, 0.0)):
        uniforms = np.full((LANES, AGENTS), uniform)
        assert (one.sample(observation, mask, uniforms) == 1).all()
    assert (one.sample(observation, np.ones_like(mask), np.zeros((LANES, AGENTS))) == 0).all()
    last = one.sample(observation, np.ones_like(mask), np.full((LANES, AGENTS), np.nextafter(1.0, 0.0)))
    assert (last == ACTIONS - 1).all()


@pytest.mark.parametrize("kind", ["ctde", "shared", "dqn"])
def test_an_agents_own_policy_acts_as_it_does_in_the_team(kind):
    one, (observation, mask) = policy(**KINDS[kind]), seen()
    together = one.act(observation, mask)
    for a in range(AGENTS):
        own = one.agent(a)
        assert own.num_agents == own.weights.shape[1] == 1
        assert np.array_equal(own.act(observation[:, a : a + 1], mask[:, a : a + 1]), together[:, a : a + 1])
    with pytest.raises(BadInput, match="centralised"):
        policy(paradigm="centralised").agent(0)


@pytest.mark.parametrize("kind", KINDS)
def test_files_seeds_and_copies_keep_the_policy(kind, tmp_path):
    one, (observation, mask) = policy(**KINDS[kind]), seen()
    actions = one.act(observation, mask)
    save_discrete_policy(tmp_path / "p", one)
    again = load_discrete_policy(tmp_path / "p")
    assert np.array_equal(again.values(observation), one.values(observation))
    assert (again.outputs, again.centralised, again.hidden) == (one.outputs, one.centralised, one.hidden)
    half = LANES // 2
    for s in range(2):
        part = slice(s * half, (s + 1) * half)
        assert np.array_equal(one.seed(s).act(observation[part], mask[part]), actions[part])
    kept = one.copy()
    one.weights[:] = 0.0
    assert np.array_equal(kept.act(observation, mask), actions)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.json", "p.safetensors"]


def test_joint_actions_are_numbered_as_they_are_read():
    every = np.array(list(product(range(3), repeat=4)))
    assert np.array_equal(joint_digits(np.arange(81), 4, 3), every)
    mask = np.random.default_rng(0).random((5, 4, 3)) < 0.5
    for row, joint in zip(mask, joint_mask(mask), strict=True):
        assert joint.tolist() == [all(row[a, u] for a, u in enumerate(actions)) for actions in every]


def test_bad_input_is_one_line(tmp_path):
    one, (observation, mask) = policy(), seen()
    with pytest.raises(BadInput, match="multiple of 2"):
        one.act(observation[:3], mask[:3])
    with pytest.raises(BadInput, match=r"\(lanes, 3, 4\)"):
        one.act(observation[:, :2], mask[:, :2])
    with pytest.raises(BadInput, match="act"):
        policy(backbone="dqn").sample(observation, mask, np.zeros((LANES, AGENTS)))
    with pytest.raises(BadInput, match="no policy file"):
        load_discrete_policy(tmp_path / "none")
    save_discrete_policy(tmp_path / "p", one)
    (tmp_path / "p.json").write_text('{"format": 99}')
    with pytest.raises(BadInput, match="format 99"):
        load_discrete_policy(tmp_path / "p")
    weights = tmp_path / "p.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    with pytest.raises(BadInput, match="damaged"):
        load_discrete_policy(tmp_path / "p")


def padded(rng, count=500):
    """Two agents; features 0 and 2 belong to action 1, 1 and 3 to action 2, 4 to nobody and is often zero."""
    observation = rng.normal(5.0, 2.0, (count, 2, 5)).astype(np.float32)
    observation[..., 4] = rng.random((count, 2)) < 0.5
    mask = np.ones((count, 2, 3), bool)
    mask[:, 0, 2] = rng.random(count) < 0.7
    mask[:, 0, 1] = mask[:, 0, 2] | (rng.random(count) < 0.5)
    missing = np.zeros(observation.shape, bool)
    for feature, action in ((0, 1), (2, 1), (1, 2), (3, 2)):
        missing[..., feature] = ~mask[..., action]
    observation[missing] = 0.0
    return observation, mask, missing


def test_padding_is_found_and_left_out_of_the_fit():
    rng = np.random.default_rng(4)
    observation, mask, missing = padded(rng)
    assert np.array_equal(padding(observation, mask), missing)
    assert missing[:, 0].any()
    scaling = fit_scaling([(observation, mask)])
    for a, f in np.ndindex(2, 5):
        values = observation[:, a, f][~missing[:, a, f]].astype(np.float64)
        assert scaling.mean[0, a, f] == pytest.approx(values.mean(), rel=1e-5)
        assert 1.0 / scaling.factor[0, a, f] == pytest.approx(values.std(), rel=1e-4)
    shared = fit_scaling([(observation, mask)], shared=True)
    values = observation[..., 1][~missing[..., 1]].astype(np.float64)
    assert shared.mean[0, :, 1] == pytest.approx([values.mean()] * 2, rel=1e-5)
    assert 1.0 / shared.factor[0, :, 1] == pytest.approx([values.std()] * 2, rel=1e-4)


def test_a_feature_that_stands_still_is_not_blown_up_and_seeds_keep_apart():
    rng = np.random.default_rng(5)
    observation, mask, _ = padded(rng)
    observation[:, 1, 0] = 3.0
    scaling = fit_scaling([(observation, mask), (2 * observation, mask)])
    assert scaling.factor[0, 1, 0] == pytest.approx(1.0 / LEAST_DEVIATION)
    assert np.allclose(scaling.mean[1], 2 * scaling.mean[0], rtol=1e-5)
    assert np.array_equal(scaling.seed(1).mean[0], scaling.mean[1])
    plain = no_scaling(2, 3, 4)
    assert (plain.mean == 0).all()
    assert (plain.factor == 1).all()
