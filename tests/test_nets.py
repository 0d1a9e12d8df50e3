"""Seed-axis networks: shapes, first weights, the numpy twin, saved policies and input scaling."""

import json

import numpy as np
import pytest
import torch
from ppo_kinds import as_shipped, centralised
from toy_worlds import NoRun, Targets, evaluate

from replication.algos.inputs import fit_inputs
from replication.algos.nets import Network, forward, initial_weights, views
from replication.algos.policy import Acting, build_policy, forward_numpy, load_policy, save_policy
from replication.algos.ppo_settings import PPOSettings, mappo
from replication.algos.training import train
from replication.settings import BadInput

NETWORKS = {
    "plain": Network(rows=3, inputs=5, outputs=2, hidden=(8, 6), learned_std=True),
    "relu": Network(rows=1, inputs=5, outputs=4, hidden=(8,), activation="relu"),
    "layer norm": Network(rows=3, inputs=5, outputs=1, hidden=(8, 6), activation="relu", layer_norm=True),
    "recurrent": Network(rows=3, inputs=5, outputs=1, hidden=(8, 6), recurrent=True, layer_norm=True),
}


def random_weights(network: Network, seeds: int = 2) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(seeds, network.size))


@pytest.mark.parametrize("name", NETWORKS)
def test_numpy_and_torch_agree_and_seeds_do_not_mix(name):
    network = NETWORKS[name]
    flat, rng = random_weights(network), np.random.default_rng(1)
    inputs, memory = rng.normal(size=(2, 7, network.rows, 5)), rng.normal(size=(2, 7, network.rows, network.memory))
    fast, fast_memory = forward_numpy(network, views(network, flat), inputs.copy(), memory)
    tensors = {key: torch.from_numpy(view) for key, view in views(network, flat).items()}
    slow, slow_memory = forward(network, tensors, torch.from_numpy(inputs), torch.from_numpy(memory))
    assert fast.shape == (2, 7, network.rows, network.outputs)
    assert np.allclose(fast, slow, atol=1e-12)
    if network.recurrent:
        assert np.allclose(fast_memory, slow_memory, atol=1e-12)
    alone, _ = forward_numpy(network, views(network, flat[1:]), inputs[1:].copy(), memory[1:])
    assert np.allclose(alone[0], fast[1], atol=1e-12)


def test_forward_equals_torchs_own_layers():
    network = NETWORKS["recurrent"]
    flat = random_weights(network, 1)
    w = {name: torch.from_numpy(view[0]) for name, view in views(network, flat).items()}
    first, cell, last = torch.nn.Linear(5 + 3, 8), torch.nn.GRUCell(8, 6), torch.nn.Linear(6, 1)
    norm = torch.nn.LayerNorm(8)
    values = {
        first.weight: torch.cat([w["weight0"], w["bias0"]]).T,  # the last three columns take the one-hot agent id
        first.bias: torch.zeros(8),
        norm.weight: w["norm_gain"][0],
        norm.bias: w["norm_shift"][0],
        cell.weight_ih: w["gru_input"].T,
        cell.weight_hh: w["gru_memory"].T,
        cell.bias_ih: w["gru_input_bias"][0],
        cell.bias_hh: w["gru_memory_bias"][0],
        last.weight: w["weight_out"].T,
        last.bias: w["bias_out"][0],
    }
    for module in (first, cell, last, norm):
        module.double()
    with torch.no_grad():
        for parameter, value in values.items():
            parameter.copy_(value)
        inputs, memory = torch.randn(4, 3, 5, dtype=torch.float64), torch.randn(4, 3, 6, dtype=torch.float64)
        with_id = torch.cat([inputs, torch.eye(3, dtype=torch.float64).expand(4, 3, 3)], dim=-1)
        hidden = torch.tanh(norm(first(with_id))).reshape(12, 8)
        expected = last(cell(hidden, memory.reshape(12, 6))).reshape(4, 3, 1)
    out, _ = forward_numpy(network, views(network, flat), inputs.numpy()[None], memory.numpy()[None])
    assert np.allclose(out[0], expected, atol=1e-12)


def test_first_weights_are_orthogonal_small_at_the_end_and_a_function_of_the_seed():
    network = NETWORKS["plain"]
    flat = initial_weights(network, (3, 8), "actor weights", rule="orthogonal", last_gain=0.01, std=0.37)
    named = views(network, flat)
    joint = np.concatenate([named["weight0"][0], named["bias0"][0]])
    assert np.allclose(joint @ joint.T, 2 * np.eye(8), atol=1e-12)
    assert np.allclose(named["weight_out"][1].T @ named["weight_out"][1], 1e-4 * np.eye(2), atol=1e-12)
    assert np.allclose(np.exp(named["log_std"]), 0.37)
    assert not named["bias1"].any()
    alone = initial_weights(network, (8,), "actor weights", rule="orthogonal", last_gain=0.01, std=0.37)
    assert np.array_equal(alone[0], flat[1])
    assert not np.array_equal(flat[0], flat[1])


def test_normal_first_weights_have_deviation_a_tenth():
    network = Network(rows=1, inputs=100, outputs=1, hidden=(100,))
    named = views(network, initial_weights(network, (0,), "critic weights", rule="normal", last_gain=1.0))
    assert named["weight0"].std() == pytest.approx(0.1, rel=0.05)
    assert np.abs(named["bias0"]).max() <= 0.1
    assert named["bias0"].std() == pytest.approx(0.1 / np.sqrt(3), rel=0.2)


def test_inputs_are_standardised_and_still_columns_are_left_alone():
    rng = np.random.default_rng(2)
    observations = rng.normal(5.0, 3.0, size=(2, 400, 3, 4))
    observations[..., 3] = 7.0
    states = rng.normal(-1.0, 0.5, size=(2, 400, 2))
    inputs = fit_inputs(observations, states, np.float64)
    own = inputs.see("own", observations.reshape(-1, 3, 4), None)
    assert own.shape == (2, 400, 3, 4)
    assert np.allclose(own.mean(axis=1), 0, atol=1e-9)
    assert np.allclose(own[..., :3].std(axis=1), 1)
    assert not own[..., 3].any()
    assert np.array_equal(inputs.see("all", observations.reshape(-1, 3, 4), None), own.reshape(2, 400, 1, 12))
    assert np.allclose(inputs.see("state", observations.reshape(-1, 3, 4), states.reshape(-1, 2)).std(axis=1), 1)
    with pytest.raises(BadInput, match="state"):
        inputs.see("state", observations.reshape(-1, 3, 4), None)


def small(make=mappo, **changes) -> PPOSettings:
    return make(**({"envs": 4, "segment": 16, "hidden": (16, 16), "backpropagation_steps": 4} | changes))


@pytest.mark.parametrize("settings", [small(), small(centralised), small(as_shipped, batch_size=8)])
def test_a_saved_policy_drives_a_world_without_the_trainer(settings, tmp_path):
    policy = train(settings, Targets(2 * 4), (0, 1), NoRun(), updates=2).last
    save_policy(tmp_path / "policy", policy)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["policy.json", "policy.safetensors"]
    loaded = load_policy(tmp_path / "policy")
    keys = np.tile(np.arange(3, dtype=np.uint64), 2)
    scores = [evaluate(p, Targets(6), keys) for p in (policy, loaded)]
    for name, values in scores[0].items():
        assert np.array_equal(values, scores[1][name]), name
    one = evaluate(loaded.seed(1), Targets(3), keys[:3])
    assert np.allclose(one["reward"], scores[0]["reward"][1:], atol=1e-5)
    assert not np.allclose(scores[0]["reward"][0], scores[0]["reward"][1])
    rebuilt = build_policy(policy.arrays(), json.loads(json.dumps(policy.card())))
    assert np.array_equal(evaluate(rebuilt, Targets(6), keys)["reward"], scores[0]["reward"])


@pytest.mark.parametrize("settings", [small(), small(centralised), small(actor_sees="all")])
def test_compiled_acting_equals_numpy(settings):
    policy = train(settings, Targets(2 * 4), (0, 1), NoRun(), updates=2).last
    world, noise = Targets(2 * 4), np.random.default_rng(3).normal(size=(2, 4, 5, 3, 1)).astype(np.float32)
    fast, slow = Acting(policy, noise), Acting(policy, noise)
    assert fast.compiled
    slow.compiled = False
    observation = world.reset(np.arange(8, dtype=np.uint64))
    for t in range(5):
        actions, twin = (acting.act(t, observation, world.state())[0] for acting in (fast, slow))
        assert np.allclose(actions, twin, atol=1e-6)
        observation = world.step(actions)[0]
    for name in ("actor_input", "mean", "pre_tanh"):
        assert np.allclose(getattr(fast, name), getattr(slow, name), atol=1e-6), name
    assert np.array_equal(fast.actor_input, slow.actor_input)
    assert np.allclose(fast.pre_tanh - fast.mean, np.moveaxis(noise, 2, 0), atol=1e-6)


def test_actions_stay_in_the_worlds_range_and_a_recurrent_policy_forgets():
    policy = train(small(recurrent=True, initial_std=1.0), Targets(4), (0,), NoRun(), updates=1).last
    policy.weights["weight_out"] = policy.weights["weight_out"] * 1e4
    world = Targets(4)
    observation = world.reset(np.arange(4, dtype=np.uint64)).copy()
    first = policy.act(observation)
    assert first.shape == (4, 3, 1)
    assert np.abs(first).max() <= 0.8
    assert np.abs(first).max() > 0.7
    second = policy.act(observation)
    policy.reset(where=np.array([True, False, True, False]))
    third = policy.act(observation)
    assert np.allclose(third[::2], first[::2])
    assert not np.allclose(second, first)
    assert not np.allclose(third[1::2], first[1::2])


def test_wrong_files_and_lanes_are_one_line(tmp_path):
    with pytest.raises(BadInput, match="no policy file"):
        load_policy(tmp_path / "nothing")
    policy = train(small(), Targets(2 * 4), (0, 1), NoRun(), updates=1).last
    with pytest.raises(BadInput, match="3 lanes"):
        policy.act(np.zeros((3, 3, 4)))
    with pytest.raises(BadInput, match="format"):
        build_policy(policy.arrays(), policy.card() | {"format": 99})
