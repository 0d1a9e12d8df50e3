"""Forward and backward passes of two-hidden-layer networks, tanh or ReLU, block by block.

The tanh half is `fast_mlp`'s own; weights of one network lie in the order of `Network.shapes`.
"""

import numpy as np
from numba import njit

from replication.algos.fast_mlp import BLOCK, CONTRACT, add_bias_tanh, blocks, layers, through_tanh


@njit(cache=True, error_model="numpy", fastmath=CONTRACT)
def add_bias_relu(x, bias):
    """x[r] <- max(x[r] + bias[r mod rows], 0) in place; x (n, width), bias (rows, width)."""
    rows = len(bias)
    for r in range(len(x)):
        line, shift = x[r], bias[r % rows]
        for j in range(line.size):
            line[j] = max(line[j] + shift[j], np.float32(0.0))


@njit(cache=True, error_model="numpy", fastmath=CONTRACT)
def through_relu(slope, activation, bias_slope):
    """slope[r] *= (activation[r] > 0) in place, and its sum into bias_slope[r mod rows]."""
    rows = len(bias_slope)
    for r in range(len(slope)):
        line, value, total = slope[r], activation[r], bias_slope[r % rows]
        for j in range(line.size):
            line[j] = line[j] if value[j] > 0 else np.float32(0.0)
            total[j] += line[j]


@njit(cache=True, error_model="numpy")
def activate(x, bias, relu):
    """Add the bias and apply the activation, in place."""
    if relu:
        add_bias_relu(x, bias)
    else:
        add_bias_tanh(x, bias)


@njit(cache=True, error_model="numpy")
def through(slope, activation, bias_slope, relu):
    """Pass slopes back through the activation, in place, and add them up for the bias."""
    if relu:
        through_relu(slope, activation, bias_slope)
    else:
        through_tanh(slope, activation, bias_slope)


@njit(cache=True, error_model="numpy")
def forward_rows(w, b, count, relu):
    """Outputs of the first `count` rows of `b.inputs` into `b.out`."""
    np.dot(b.inputs[:count], w.weight0, b.first[:count])
    activate(b.first[:count], w.bias0, relu)
    np.dot(b.first[:count], w.weight1, b.second[:count])
    activate(b.second[:count], w.bias1.reshape(1, -1), relu)
    np.dot(b.second[:count], w.weight_out, b.out[:count])
    b.out[:count] += w.bias_out


@njit(cache=True, error_model="numpy")
def backward_rows(w, b, g, count, relu):
    """Add the slopes of the weights, given `b.slope_out` of the first `count` rows, to `g`."""
    np.dot(b.second[:count].T, b.slope_out[:count], b.weight_out)
    g.weight_out[:] += b.weight_out
    for r in range(count):
        for o in range(b.slope_out.shape[1]):
            g.bias_out[o] += b.slope_out[r, o]
    np.dot(b.slope_out[:count], w.weight_out.T, b.slope_second[:count])
    through(b.slope_second[:count], b.second[:count], g.bias1.reshape(1, -1), relu)
    np.dot(b.first[:count].T, b.slope_second[:count], b.weight1)
    g.weight1[:] += b.weight1
    np.dot(b.slope_second[:count], w.weight1.T, b.slope_first[:count])
    through(b.slope_first[:count], b.first[:count], g.bias0, relu)
    np.dot(b.inputs[:count].T, b.slope_first[:count], b.weight0)
    g.weight0[:] += b.weight0


@njit(cache=True, error_model="numpy")
def outputs_of(flat, size, relu, inputs):
    """Outputs (G, n, outputs) of every network for inputs (G, n, features); row r is of kind r mod rows."""
    out = np.empty((*inputs.shape[:2], size[4]), np.float32)
    step = max(1, BLOCK // size[1]) * size[1]
    room = blocks(min(step, inputs.shape[1]), size)
    for g in range(len(flat)):
        w = layers(flat[g], size)
        for start in range(0, inputs.shape[1], step):
            count = min(step, inputs.shape[1] - start)
            room.inputs[:count] = inputs[g, start : start + count]
            forward_rows(w, room, count, relu)
            out[g, start : start + count] = room.out[:count]
    return out


@njit(cache=True, error_model="numpy")
def weight_slopes(flat, gradient, size, relu, inputs, slope_out):
    """Add to `gradient` (G, P) the slopes of the weights, given those of the outputs (G, n, outputs) at `inputs`."""
    step = max(1, BLOCK // size[1]) * size[1]
    room = blocks(min(step, inputs.shape[1]), size)
    for g in range(len(flat)):
        w, slopes = layers(flat[g], size), layers(gradient[g], size)
        for start in range(0, inputs.shape[1], step):
            count = min(step, inputs.shape[1] - start)
            room.inputs[:count] = inputs[g, start : start + count]
            forward_rows(w, room, count, relu)
            room.slope_out[:count] = slope_out[g, start : start + count]
            backward_rows(w, room, slopes, count, relu)
