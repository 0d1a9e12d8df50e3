"""Write `tests/fixtures/d3rlpy_discrete_cql.npz`: losses, gradients and steps of d3rlpy on one case.

Runs in the environment that benchmarks/README.md describes under "Peers with an environment of their own":

    $REPLICATION_PEER_PYTHON benchmarks/peers/d3rlpy_fixture.py

Its DiscreteCQL with one agent, two ReLU layers, double DQN, a batch with terminals, every action valid. Weights are
stored as (inputs, outputs). d3rlpy's TD loss is the mean Huber loss with threshold 1; every |TD error| here is below 1,
so that it is 0.5 * mean(TD error^2). Its loss is that plus alpha * mean(logsumexp_a Q(s, a) - Q(s, a_data)).
The target is copied after every optimiser step, that is a soft update of rate 1.
"""

from itertools import pairwise
from pathlib import Path

import d3rlpy
import numpy as np
import torch

FIXTURE = Path(__file__).resolve().parents[2] / "tests" / "fixtures" / "d3rlpy_discrete_cql.npz"
SAMPLES, FEATURES, HIDDEN, ACTIONS = 48, 6, (24, 16), 4
ALPHA, GAMMA, STEPS, LEARNING_RATE = 0.7, 0.9, 5, 5e-4
Arrays = dict[str, np.ndarray]


def weights(generator: np.random.Generator) -> Arrays:
    """Random weights of one network, (inputs, outputs) and (outputs,) each."""
    sizes, named = (FEATURES, *HIDDEN, ACTIONS), {}
    for place, (rows, columns) in enumerate(pairwise(sizes)):
        layer = "_out" if place == len(HIDDEN) else str(place)
        named[f"weight{layer}"] = generator.normal(0.0, 0.8 / np.sqrt(rows), (rows, columns)).astype(np.float32)
        named[f"bias{layer}"] = generator.normal(0.0, 0.02, columns).astype(np.float32)
    return named


def transitions(generator: np.random.Generator) -> Arrays:
    """One batch; every sixth transition ends its episode."""
    return {
        "observation": generator.normal(size=(SAMPLES, FEATURES)).astype(np.float32),
        "action": generator.integers(0, ACTIONS, SAMPLES),
        "reward": generator.uniform(-0.1, 0.2, SAMPLES).astype(np.float32),
        "next_observation": generator.normal(size=(SAMPLES, FEATURES)).astype(np.float32),
        "terminated": (np.arange(SAMPLES) % 6 == 5).astype(np.float32),
    }


def learner(online: Arrays, target: Arrays):
    """d3rlpy's DiscreteCQL with these weights; Adam as it is by default."""
    encoder = d3rlpy.models.VectorEncoderFactory(hidden_units=list(HIDDEN), activation="relu")
    config = d3rlpy.algos.DiscreteCQLConfig(
        learning_rate=LEARNING_RATE,
        encoder_factory=encoder,
        batch_size=SAMPLES,
        gamma=GAMMA,
        alpha=ALPHA,
        target_update_interval=1,
    )
    made = config.create()
    made.create_impl((FEATURES,), ACTIONS)
    for modules, named in ((made.impl.modules.q_funcs, online), (made.impl.modules.targ_q_funcs, target)):
        for name, parameter in parameters(modules).items():
            parameter.data.copy_(torch.from_numpy(named[name].T))
    return made


def parameters(modules) -> dict[str, torch.nn.Parameter]:
    """d3rlpy's parameters by our names."""
    (network,) = modules
    linear = [layer for layer in network.modules() if isinstance(layer, torch.nn.Linear)]
    linear.sort(key=lambda layer: layer.out_features == ACTIONS)  # the output layer is listed by itself
    layers = zip((*map(str, range(len(HIDDEN))), "_out"), linear, strict=True)
    return {f"{kind}{name}": getattr(layer, kind) for name, layer in layers for kind in ("weight", "bias")}


def mini_batch(batch: Arrays) -> d3rlpy.dataset.TransitionMiniBatch:
    column = {name: batch[name].astype(np.float32)[:, None] for name in ("action", "reward", "terminated")}
    return d3rlpy.dataset.TransitionMiniBatch(
        observations=batch["observation"],
        actions=column["action"],
        rewards=column["reward"],
        next_observations=batch["next_observation"],
        next_actions=np.zeros_like(column["action"]),
        terminals=column["terminated"],
        intervals=np.ones_like(column["reward"]),
        transitions=[],
    )


def plain(named: dict[str, torch.Tensor]) -> Arrays:
    return {name: tensor.detach().numpy().T.copy() for name, tensor in named.items()}


def values(named: Arrays, x: np.ndarray) -> np.ndarray:
    """(B, ACTIONS) of the network with these weights."""
    for layer in ("0", "1"):
        x = np.maximum(x @ named[f"weight{layer}"] + named[f"bias{layer}"], 0.0)
    return x @ named["weight_out"] + named["bias_out"]


def check(batch: Arrays, online: Arrays, target: Arrays) -> None:
    """The case must stay where the Huber loss is quadratic."""
    rows, following = np.arange(SAMPLES), batch["next_observation"]
    best = values(online, following).argmax(axis=1)
    aim = batch["reward"] + GAMMA * (1.0 - batch["terminated"]) * values(target, following)[rows, best]
    error = values(online, batch["observation"])[rows, batch["action"]] - aim
    assert np.abs(error).max() < 1.0, f"a TD error of {np.abs(error).max()} leaves the quadratic part"


def main() -> None:
    torch.set_num_threads(1)
    generator = np.random.default_rng(20259)
    online, target, batch = weights(generator), weights(generator), transitions(generator)
    both = (values(named, batch["next_observation"]).argmax(axis=1) for named in (online, target))
    assert np.mean(np.not_equal(*both)) > 0.2, "online and target network must often prefer different actions"
    made, losses, slopes = learner(online, target), [], {}
    networks = made.impl.modules.q_funcs, made.impl.modules.targ_q_funcs
    for _ in range(STEPS):
        check(batch, *(plain(parameters(modules)) for modules in networks))
        losses.append(made.update(mini_batch(batch)))
        first = {name: parameter.grad for name, parameter in parameters(networks[0]).items()}
        slopes = slopes or plain(first)
    after = plain(parameters(networks[0]))
    groups = {"online": online, "target": target, "gradient": slopes, "after": after}
    kept = {f"{group}.{name}": array for group, arrays in groups.items() for name, array in arrays.items()}
    kept |= batch | {name: np.array([row[name] for row in losses]) for name in losses[0]}
    kept |= {"alpha": np.array(ALPHA), "gamma": np.array(GAMMA), "learning_rate": np.array(LEARNING_RATE)}
    FIXTURE.parent.mkdir(exist_ok=True)
    np.savez_compressed(FIXTURE, **kept)
    print(f"{FIXTURE.name}: {FIXTURE.stat().st_size:,} bytes, d3rlpy {d3rlpy.__version__}, torch {torch.__version__}")


if __name__ == "__main__":
    main()
