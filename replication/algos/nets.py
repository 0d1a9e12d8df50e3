"""Networks with a leading seed axis: shapes, initial weights and the forward pass, in torch and in numpy.

Weights of all seeds sit in one (S, P) array; named views of shape (S, ...) are cut from it, so gradient clipping,
optimisers and checkpoints see one array. A one-hot agent id at the input is the same as one first-layer bias per
agent, which is how it is stored (`bias0` has one row per agent).
"""

from dataclasses import dataclass
from math import prod

import numpy as np
import torch

from replication import seeding

Arrays = dict[str, np.ndarray]
Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Network:
    """A perceptron applied to `rows` inputs (one per agent, or one for all) that share everything but `bias0`."""

    rows: int
    inputs: int
    outputs: int
    hidden: tuple[int, ...]
    activation: str = "tanh"
    layer_norm: bool = False
    recurrent: bool = False
    learned_std: bool = False

    @property
    def memory(self) -> int:
        """Size of the recurrent state of one row; 0 without one."""
        return self.hidden[-1] if self.recurrent else 0

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name -> shape of every weight of one seed."""
        sizes = (self.inputs, *self.hidden)
        plain = len(self.hidden) - self.recurrent
        shapes: dict[str, tuple[int, ...]] = {}
        for layer in range(plain):
            shapes[f"weight{layer}"] = (sizes[layer], sizes[layer + 1])
            shapes[f"bias{layer}"] = (self.rows if layer == 0 else 1, sizes[layer + 1])
        if self.layer_norm:
            shapes |= {"norm_gain": (1, self.hidden[0]), "norm_shift": (1, self.hidden[0])}
        if self.recurrent:
            shapes |= {"gru_input": (sizes[plain], 3 * self.memory), "gru_input_bias": (1, 3 * self.memory)}
            shapes |= {"gru_memory": (self.memory, 3 * self.memory), "gru_memory_bias": (1, 3 * self.memory)}
        shapes |= {"weight_out": (self.hidden[-1], self.outputs), "bias_out": (1, self.outputs)}
        if self.learned_std:
            shapes["log_std"] = (self.rows, self.outputs)
        return shapes

    @property
    def size(self) -> int:
        """Number of weights of one seed."""
        return sum(prod(shape) for shape in self.shapes().values())

    @property
    def plain_layers(self) -> int:
        """Hidden layers that are not recurrent."""
        return len(self.hidden) - self.recurrent


def views(network: Network, flat):
    """Named views (S, *shape) of the weights in `flat` (S, P), a numpy array or a tensor."""
    named, start = {}, 0
    for name, shape in network.shapes().items():
        end = start + prod(shape)
        named[name] = flat[:, start:end].reshape(len(flat), *shape)
        start = end
    return named


def orthogonal(generator: np.random.Generator, rows: int, columns: int, gain: float) -> np.ndarray:
    """(rows, columns) matrix with orthonormal rows or columns, times `gain`."""
    tall = generator.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(tall)
    q = q * np.sign(np.diag(r))
    return gain * (q if rows >= columns else q.T)


def initial_weights(
    network: Network, seeds: tuple[int, ...], purpose: str, *, rule: str, last_gain: float, std: float = 1.0
) -> np.ndarray:
    """(S, P) first weights; each seed's depend on (purpose, seed) only.

    `rule` "orthogonal": gain sqrt(2) inside, `last_gain` at the end, zero biases. "normal": weights N(0, 0.1),
    biases and recurrent weights uniform in +-1/sqrt(inputs), as in the MAPDN code.
    """
    flat = np.empty((len(seeds), network.size))
    for row, seed in enumerate(seeds):
        named = views(network, flat[row : row + 1])
        generator = seeding.stream(purpose, seed)
        for name, view in named.items():
            view[0] = _initial(network, name, view.shape[1:], generator, rule, last_gain, std)
        if rule == "orthogonal" and network.rows > 1:  # the one-hot columns belong to the first layer's matrix
            joint = orthogonal(generator, network.inputs + network.rows, network.hidden[0], np.sqrt(2.0))
            named["weight0"][0], named["bias0"][0] = joint[: network.inputs], joint[network.inputs :]
    return flat


def _initial(network, name, shape, generator, rule, last_gain, std):
    if name == "log_std":
        return np.full(shape, np.log(std))
    if name.startswith("norm_"):
        return np.full(shape, float(name == "norm_gain"))
    bound = 1.0 / np.sqrt(network.memory if "gru" in name else _fan_in(network, name))
    if "bias" in name:
        return np.zeros(shape) if rule == "orthogonal" else _biases(network, name, shape, generator, bound)
    if rule == "normal":
        return generator.uniform(-bound, bound, shape) if "gru" in name else generator.normal(0.0, 0.1, shape)
    if "gru" in name:
        return np.concatenate([orthogonal(generator, shape[0], shape[1] // 3, 1.0) for _ in range(3)], axis=1)
    return orthogonal(generator, *shape, last_gain if name == "weight_out" else np.sqrt(2.0))


def _fan_in(network: Network, name: str) -> int:
    layer = name.removeprefix("weight").removeprefix("bias")
    if layer == "_out":
        return network.hidden[-1]
    return network.inputs if layer == "0" else network.hidden[int(layer) - 1]


def _biases(network, name, shape, generator, bound):
    bias = generator.uniform(-bound, bound, (1, shape[1]))
    if name == "bias0" and network.rows > 1:  # one bias plus the weights of the one-hot columns
        return bias + generator.normal(0.0, 0.1, shape)
    return bias


def forward(network: Network, weights: Tensors, inputs: torch.Tensor, memory: torch.Tensor | None = None):
    """(S, n, rows, inputs) -> outputs (S, n, rows, outputs) and the new memory (S, n, rows, memory) or None."""
    seeds, n, rows, _ = inputs.shape
    activation = torch.tanh if network.activation == "tanh" else torch.relu
    x = inputs.reshape(seeds, n * rows, -1)
    for layer in range(network.plain_layers):
        x = torch.bmm(x, weights[f"weight{layer}"]).view(seeds, n, rows, -1) + weights[f"bias{layer}"].unsqueeze(1)
        if layer == 0 and network.layer_norm:
            x = torch.nn.functional.layer_norm(x, x.shape[-1:])
            x = x * weights["norm_gain"].unsqueeze(1) + weights["norm_shift"].unsqueeze(1)
        x = activation(x).view(seeds, n * rows, -1)
    if network.recurrent and memory is not None:
        x = _gru(network, weights, x, memory.reshape(seeds, n * rows, -1))
        memory = x.view(seeds, n, rows, -1)
    out = torch.baddbmm(weights["bias_out"], x, weights["weight_out"])
    return out.view(seeds, n, rows, -1), memory


def _gru(network: Network, weights: Tensors, x: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
    from_input = torch.baddbmm(weights["gru_input_bias"], x, weights["gru_input"]).chunk(3, dim=-1)
    from_memory = torch.baddbmm(weights["gru_memory_bias"], memory, weights["gru_memory"]).chunk(3, dim=-1)
    reset = torch.sigmoid(from_input[0] + from_memory[0])
    update = torch.sigmoid(from_input[1] + from_memory[1])
    candidate = torch.tanh(from_input[2] + reset * from_memory[2])
    return (1 - update) * candidate + update * memory
