"""A player: its parameters as one flat vector, the table that finds each layer in it, and its optimiser's state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from fastgan.errors import UserError
from fastgan_kernels import (
    ACTIVATIONS,
    LEAKY_RELU,
    RELU,
    adam,
    begin_update,
    conditional_backward,
    conditional_forward,
    dense_backward,
    dense_forward,
    grouped_softmax,
    grouped_softmax_backward,
    rmsprop,
    sgd,
)

ADAM, SGD, RMSPROP = range(3)
OPTIMISERS = {"adam": ADAM, "sgd": SGD, "rmsprop": RMSPROP}

# Columns of a network's layer table.
INPUTS, OUTPUTS, WEIGHTS, BIAS, ACTIVATION, UNITS = range(6)


class Optimiser(NamedTuple):
    """Constants of one player's optimiser; what changes from update to update stands in `Network`."""

    code: int
    initial_rate: float
    beta1: float
    beta2: float
    momentum: float
    rho: float
    epsilon: float
    decay_start: float  # training steps
    decay_steps: float  # training steps; 0: no decay


class Network(NamedTuple):
    """A dense network as flat buffers; every buffer is allocated once.

    Parameters
    ----------
    layers : (layers, 6) int64: inputs (labels included), outputs, offsets of weights and bias, activation, and the
        units of all layers before it, which places its activations in the arena
    params, grads, mean, square : (n,) float32: parameters, gradients, optimiser moments (momentum's velocity is mean)
    outputs, deltas : (max_rows * units,) float32: each layer's outputs, and the loss's gradient there
    rate : (1,) float32, learning rate of the newest update
    updates : (1,) int64, updates made
    slope : of leaky ReLU below zero
    softmax_group : columns in each group of a final softmax; 0 without one
    """

    layers: np.ndarray
    params: np.ndarray
    grads: np.ndarray
    mean: np.ndarray
    square: np.ndarray
    outputs: np.ndarray
    deltas: np.ndarray
    rate: np.ndarray
    updates: np.ndarray
    max_rows: int
    slope: float
    softmax_group: int
    optimiser: Optimiser


def aligned(size: int) -> np.ndarray:
    """Zeros, (size,) float32, at a multiple of 64 bytes: the same products wherever the buffer lands."""
    try:
        raw = np.zeros(size * 4 + 64, np.uint8)
    except (MemoryError, ValueError, OverflowError):
        raise UserError(
            f"{size} float32 numbers do not fit into memory; give narrower layers or a smaller batch_size"
        ) from None
    start = -raw.ctypes.data % 64
    return raw[start : start + size * 4].view(np.float32)


def build_network(
    widths: Sequence[int],
    activations: Sequence[str],
    *,
    max_rows: int,
    slope: float,
    optimiser: Optimiser,
    softmax_group: int = 0,
) -> Network:
    """Lay out a network with these layer widths (inputs first) and the activation of each layer after the inputs."""
    rows = []
    offset = units = 0
    for inputs, outputs, activation in zip(widths[:-1], widths[1:], activations, strict=True):
        bias = offset + inputs * outputs
        rows.append((inputs, outputs, offset, bias, ACTIVATIONS[activation], units))
        offset = bias + outputs
        units += outputs
    params = aligned(offset)
    return Network(
        layers=np.array(rows, np.int64),
        params=params,
        grads=aligned(offset),
        mean=aligned(offset),
        square=aligned(offset),
        outputs=aligned(max_rows * units),
        deltas=aligned(max_rows * units),
        rate=np.zeros(1, np.float32),
        updates=np.zeros(1, np.int64),
        max_rows=max_rows,
        slope=slope,
        softmax_group=softmax_group,
        optimiser=optimiser,
    )


def initialise(net: Network, method: str, std: float, random: np.random.Generator) -> None:
    """Draw the weights: `he` (He et al. 2015, eq. 10), `glorot` (Glorot and Bengio 2010, eq. 16) or `normal`.

    Biases are zero. He's variance is ``2 / inputs`` under relu and leaky relu and ``1 / inputs`` otherwise.
    """
    for layer in range(len(net.layers)):
        w, b = weights(net, net.params, layer)
        inputs, outputs = w.shape
        rectified = net.layers[layer, ACTIVATION] in (RELU, LEAKY_RELU)
        if method == "glorot":
            limit = np.sqrt(6 / (inputs + outputs))
            w[...] = random.uniform(-limit, limit, w.shape)
        else:
            spread = np.sqrt((2 if rectified else 1) / inputs) if method == "he" else std
            w[...] = random.normal(0, spread, w.shape)
        b[...] = 0


@register_jitable(no_cfunc_wrapper=True)
def weights(net, vector, layer):
    """Views of one layer's weights (inputs, outputs) and bias (outputs,) in `vector`."""
    inputs, outputs = net.layers[layer, INPUTS], net.layers[layer, OUTPUTS]
    start, bias = net.layers[layer, WEIGHTS], net.layers[layer, BIAS]
    return vector[start:bias].reshape((inputs, outputs)), vector[bias : bias + outputs]


@register_jitable(no_cfunc_wrapper=True)
def layer_rows(net, arena, layer, rows):
    """View of one layer's first `rows` rows in an arena: (rows, outputs)."""
    outputs = net.layers[layer, OUTPUTS]
    start = net.layers[layer, UNITS] * net.max_rows
    return arena[start : start + rows * outputs].reshape((rows, outputs))


@register_jitable(no_cfunc_wrapper=True)
def last_delta(net, rows):
    """Where the loss writes its gradient at the network's output: (rows, outputs)."""
    return layer_rows(net, net.deltas, len(net.layers) - 1, rows)


@register_jitable(no_cfunc_wrapper=True)
def forward(net, x, labels):
    """Run the network on x (rows, inputs), conditional on labels (rows,) unless size 0; a view of its output."""
    rows = x.shape[0]
    source = x
    for layer in range(len(net.layers)):
        w, b = weights(net, net.params, layer)
        activation = net.layers[layer, ACTIVATION]
        y = layer_rows(net, net.outputs, layer, rows)
        if layer == 0 and labels.size > 0:
            conditional_forward(x, labels, w, b, activation, net.slope, y)
        else:
            dense_forward(source, w, b, activation, net.slope, y)
        source = y
    if net.softmax_group > 0:
        grouped_softmax(source, net.softmax_group)
    return source


@register_jitable(no_cfunc_wrapper=True)
def backward(net, x, labels, learn, dx):
    """Gradients from the output's delta down: of the parameters if `learn`, of x into `dx` unless that is size 0."""
    rows = x.shape[0]
    last = len(net.layers) - 1
    if net.softmax_group > 0:
        y = layer_rows(net, net.outputs, last, rows)
        grouped_softmax_backward(y, last_delta(net, rows), net.softmax_group)
    for layer in range(last, -1, -1):
        w, _ = weights(net, net.params, layer)
        dw, db = weights(net, net.grads, layer)
        if not learn:
            dw, db = dw[:0], db[:0]
        activation = net.layers[layer, ACTIVATION]
        y, dy = layer_rows(net, net.outputs, layer, rows), layer_rows(net, net.deltas, layer, rows)
        if layer > 0:
            below = layer_rows(net, net.outputs, layer - 1, rows)
            dbelow = layer_rows(net, net.deltas, layer - 1, rows)
            dense_backward(below, w, y, dy, activation, net.slope, dw, db, dbelow)
        elif labels.size > 0:
            conditional_backward(x, labels, y, dy, activation, net.slope, dw, db)
        else:
            dense_backward(x, w, y, dy, activation, net.slope, dw, db, dx)


@register_jitable(no_cfunc_wrapper=True)
def update(net, step):
    """One step of the network's optimiser along its gradients."""
    rule = net.optimiser
    begin_update(net.rate, net.updates, step, rule.initial_rate, rule.decay_start, rule.decay_steps)
    if rule.code == ADAM:
        adam(
            net.params,
            net.grads,
            net.mean,
            net.square,
            net.rate,
            net.updates,
            rule.beta1,
            rule.beta2,
            rule.epsilon,
        )
    elif rule.code == SGD:
        sgd(net.params, net.grads, net.mean, net.rate, rule.momentum)
    else:
        rmsprop(net.params, net.grads, net.square, net.rate, rule.rho, rule.epsilon)
