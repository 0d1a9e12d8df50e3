"""Two-hidden-layer ReLU networks by hand: passes, slopes and Adam, one network at a time so that it stays in cache.

N networks of one seed lie in rows of a flat array (N, P); network n reads the inputs n mod M, so twin critics read the
same rows. Matrix products go to BLAS, everything else is elementwise.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from replication import seeding

CONTRACT = {"contract"}  # a * b + c in one rounding
Sizes = tuple[int, ...]  # features, first and second hidden layer, outputs


class Layers(NamedTuple):
    """Views of one network's weights, or of their slopes."""

    weight0: np.ndarray  # (features, h0)
    bias0: np.ndarray  # (h0,)
    weight1: np.ndarray  # (h0, h1)
    bias1: np.ndarray  # (h1,)
    weight_out: np.ndarray  # (h1, outputs)
    bias_out: np.ndarray  # (outputs,)


class Room(NamedTuple):
    """Room for the activations of N networks and the slopes of one."""

    first: np.ndarray  # (N, rows, h0)
    second: np.ndarray  # (N, rows, h1)
    out: np.ndarray  # (N, rows, outputs)
    slope_out: np.ndarray  # (N, rows, outputs)
    slope_second: np.ndarray  # (rows, h1)
    slope_first: np.ndarray  # (rows, h0)


def room_for(nets: int, rows: int, sizes: Sizes) -> Room:
    """Fresh room."""
    _, h0, h1, outputs = sizes
    shapes = (nets, rows, h0), (nets, rows, h1), (nets, rows, outputs), (nets, rows, outputs), (rows, h1), (rows, h0)
    return Room(*(np.zeros(shape, np.float32) for shape in shapes))


def weight_count(sizes: Sizes) -> int:
    """Number P of weights of one network."""
    features, h0, h1, outputs = sizes
    return (features + 1) * h0 + (h0 + 1) * h1 + (h1 + 1) * outputs


def initial_weights(sizes: Sizes, nets: int, seeds: tuple[int, ...], purpose: str) -> np.ndarray:
    """(S, nets, P) first weights, uniform within one over the root of the number of inputs, as torch.nn.Linear."""
    flat = np.empty((len(seeds), nets, weight_count(sizes)), np.float32)
    for row, seed in enumerate(seeds):
        generator = seeding.stream(purpose, seed)
        for net in range(nets):
            w = layers(flat[row, net], sizes)
            for matrix, bias in ((w.weight0, w.bias0), (w.weight1, w.bias1), (w.weight_out, w.bias_out)):
                bound = 1.0 / np.sqrt(len(matrix))
                matrix[:] = generator.uniform(-bound, bound, matrix.shape)
                bias[:] = generator.uniform(-bound, bound, bias.shape)
    return flat


@njit(cache=True, error_model="numpy")
def layers(flat, sizes):
    """`Layers` of one network's weights (P,)."""
    features, h0, h1, outputs = sizes
    a = features * h0
    b = a + h0
    c = b + h0 * h1
    d = c + h1
    e = d + h1 * outputs
    return Layers(
        flat[:a].reshape(features, h0),
        flat[a:b],
        flat[b:c].reshape(h0, h1),
        flat[c:d],
        flat[d:e].reshape(h1, outputs),
        flat[e:],
    )


@njit(cache=True, error_model="numpy", fastmath=CONTRACT)
def _add_bias_relu(x, bias):
    for r in range(len(x)):
        line = x[r]
        for j in range(line.size):
            line[j] = max(line[j] + bias[j], np.float32(0.0))


@njit(cache=True, error_model="numpy", fastmath=CONTRACT)
def _add_bias(x, bias):
    for r in range(len(x)):
        line = x[r]
        for j in range(line.size):
            line[j] += bias[j]


@njit(cache=True, error_model="numpy")
def _forward(w, x, first, second, out):
    np.dot(x, w.weight0, first)
    _add_bias_relu(first, w.bias0)
    np.dot(first, w.weight1, second)
    _add_bias_relu(second, w.bias1)
    np.dot(second, w.weight_out, out)
    _add_bias(out, w.bias_out)


@njit(cache=True, error_model="numpy")
def forward(flat, sizes, x, room):
    """Outputs of every network into `room.out`, with what `backward` needs; flat (N, P), x (M, rows, features)."""
    for n in range(len(flat)):
        _forward(layers(flat[n], sizes), x[n % len(x)], room.first[n], room.second[n], room.out[n])


@njit(cache=True, error_model="numpy")
def glance(flat, sizes, x, room, out):
    """Outputs of every network into `out` (N, rows, outputs) without disturbing the activations in `room`."""
    for n in range(len(flat)):
        _forward(layers(flat[n], sizes), x[n % len(x)], room.slope_first, room.slope_second, out[n])


@njit(cache=True, error_model="numpy", fastmath=CONTRACT)
def _through_relu(slope, activation, bias_slope):
    """slope <- slope where the unit was active, else 0; and its sum over rows into bias_slope."""
    bias_slope[:] = np.float32(0.0)
    for r in range(len(slope)):
        line, value = slope[r], activation[r]
        for j in range(line.size):
            line[j] = line[j] if value[j] > np.float32(0.0) else np.float32(0.0)
            bias_slope[j] += line[j]


@njit(cache=True, error_model="numpy")
def backward(flat, gradient, sizes, x, room):
    """Slopes of all weights into `gradient` (N, P), given `room.slope_out` after a `forward` with the same x."""
    for n in range(len(flat)):
        w, g = layers(flat[n], sizes), layers(gradient[n], sizes)
        slope_out, slope_second, slope_first = room.slope_out[n], room.slope_second, room.slope_first
        np.dot(room.second[n].T, slope_out, g.weight_out)
        g.bias_out[:] = np.float32(0.0)
        for r in range(len(slope_out)):
            for o in range(slope_out.shape[1]):
                g.bias_out[o] += slope_out[r, o]
        np.dot(slope_out, w.weight_out.T, slope_second)
        _through_relu(slope_second, room.second[n], g.bias1)
        np.dot(room.first[n].T, slope_second, g.weight1)
        np.dot(slope_second, w.weight1.T, slope_first)
        _through_relu(slope_first, room.first[n], g.bias0)
        np.dot(x[n % len(x)].T, slope_first, g.weight0)


class Nets:
    """N networks of S seeds with their slopes, Adam's moments and, if asked for, a slowly following target copy."""

    def __init__(self, sizes: Sizes, nets: int, seeds: tuple[int, ...], purpose: str, target: bool = False) -> None:
        self.sizes = sizes
        self.flat = initial_weights(sizes, nets, seeds, purpose)
        self.gradient, self.first, self.second = (np.zeros_like(self.flat) for _ in range(3))
        self.target = self.flat.copy() if target else self.flat[:, :0].copy()
        self.steps = 0

    def step(self, learning_rate: float, clip: float, target_rate: float) -> None:
        """One step of Adam (0.9, 0.999, 1e-8) along each network's clipped gradient, and of the target after it.

        Source: Adam 1412.6980, algorithm 1.
        """
        self.steps += 1
        rate, inverse = learning_rate / (1 - 0.9**self.steps), (1 - 0.999**self.steps) ** -0.5
        numbers = (np.float32(number) for number in (rate, inverse, clip, target_rate))
        _step(self.flat, self.gradient, self.first, self.second, self.target, *numbers)

    def state(self) -> dict:
        """Everything a checkpoint needs."""
        names = ("flat", "first", "second", "target")
        return {name: getattr(self, name) for name in names} | {"steps": self.steps}

    def restore(self, state: dict) -> None:
        """Continue from `state()`; arrays keep their place in memory."""
        for name in ("flat", "first", "second", "target"):
            getattr(self, name)[:] = state[name]
        self.steps = int(state["steps"])


@njit(cache=True, error_model="numpy")
def _step(flat, gradient, first, second, target, rate, inverse, clip, target_rate):
    for s in range(len(flat)):
        for n in range(flat.shape[1]):
            norm = np.sqrt(np.dot(gradient[s, n], gradient[s, n]))
            factor = clip / norm if norm > clip else np.float32(1.0)
            _adam(flat[s, n], gradient[s, n], first[s, n], second[s, n], factor, rate, inverse)
            if target.shape[1]:
                _follow(target[s, n], flat[s, n], target_rate)


@njit(cache=True, error_model="numpy", fastmath=CONTRACT)
def _adam(weight, slope, mean, square, factor, rate, inverse):
    fresh, keep, new, tiny = np.float32(0.1), np.float32(0.999), np.float32(0.001), np.float32(1e-8)
    for p in range(weight.size):
        along = factor * slope[p]
        mean[p] += fresh * (along - mean[p])
        square[p] = keep * square[p] + new * along * along
        weight[p] -= rate * mean[p] / (np.sqrt(square[p]) * inverse + tiny)


@njit(cache=True, error_model="numpy", fastmath=CONTRACT)
def _follow(target, weight, share):
    for p in range(weight.size):
        target[p] += share * (weight[p] - target[p])
