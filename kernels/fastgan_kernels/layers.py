"""All layers of a plain dense network at once, on its flat buffers: what a machine with many threads does best.

A network is a table of layers, one vector of parameters, and arenas for what its layers make of some rows. Each op does
what a loop over the layers does with the ops of `dense`, and its reference is that loop.
"""

from __future__ import annotations

import numpy as np
from numba.extending import register_jitable

from .activations import LINEAR
from .dense import (
    conditional_backward_weights,
    conditional_forward,
    dense_backward_rows,
    dense_backward_weights,
    dense_forward,
)
from .dispatch import compiled, op
from .optimisers import adam

INPUTS, OUTPUTS, WEIGHTS, BIAS, ACTIVATION, UNITS = range(6)
"""Columns of a table of layers, (layers, 6 or more) int64: inputs (one-hot labels included), outputs, where weights
(inputs, outputs) and bias (outputs,) begin in the vector, the activation's code, and the outputs of all layers before,
which place the layer's rows in an arena. A layer's bias follows its weights."""


@register_jitable
def layer_parameters(layers, vector, layer):
    """Views of one layer's weights (inputs, outputs) and bias (outputs,) in a vector like the parameters."""
    inputs, outputs = layers[layer, INPUTS], layers[layer, OUTPUTS]
    start, bias = layers[layer, WEIGHTS], layers[layer, BIAS]
    return vector[start:bias].reshape((inputs, outputs)), vector[bias : bias + outputs]


@register_jitable
def arena_rows(layers, arena, max_rows, layer, first, rows):
    """View of what one layer has of `rows` rows, from row `first` on, in an arena of `max_rows`: (rows, outputs)."""
    outputs = layers[layer, OUTPUTS]
    start = layers[layer, UNITS] * max_rows + first * outputs
    return arena[start : start + rows * outputs].reshape((rows, outputs))


@op
def layers_forward(
    x: np.ndarray,
    labels: np.ndarray,
    layers: np.ndarray,
    params: np.ndarray,
    slope: float,
    max_rows: int,
    first: int,
    outputs: np.ndarray,
) -> None:
    """Run every layer: ``y_0 = activation(x w_0 + b_0)``, ``y_l = activation(y_(l-1) w_l + b_l)``.

    Parameters
    ----------
    x : (rows, inputs) float32
    labels : (rows,) integers, whose one-hot vectors the first layer reads after x; size 0: none
    layers : the table, `INPUTS` and so on
    params : (n,) float32
    slope : of leaky ReLU below zero
    max_rows, first : rows that the arena has room for, and that of them where x begins
    outputs : (max_rows * units,) float32, the arena: each layer's outputs of these rows are written
    """
    rows = len(x)
    for layer in range(len(layers)):
        w, b = layer_parameters(layers, params, layer)
        y = arena_rows(layers, outputs, max_rows, layer, first, rows)
        if layer == 0 and labels.size > 0:
            conditional_forward(x, labels, w, b, layers[layer, ACTIVATION], slope, y)
        else:
            dense_forward(x, w, b, layers[layer, ACTIVATION], slope, y)
        x = y


compiled(layers_forward)(layers_forward.dispatch(object))


@op
def layers_backward_rows(
    deltas: np.ndarray,
    layers: np.ndarray,
    params: np.ndarray,
    outputs: np.ndarray,
    slope: float,
    max_rows: int,
    points: int,
    first: int,
    rows: int,
    dx: np.ndarray,
) -> None:
    """Carry the last layer's deltas down: ``dz_(l-1) = (dz_l w_l^T) activation'(y_(l-1))``, and ``dx = dz_0 w_0^T``.

    Parameters
    ----------
    deltas : (max_rows * units,) float32, the arena: the last layer's deltas are read, those of the others written
    layers, params, slope : as `layers_forward`
    outputs : (max_rows * units,) float32, what the layers made
    max_rows, points, first, rows : rows of the arenas; where `rows` of them begin in outputs, and in deltas
    dx : (rows, inputs) float32, written, or size 0: not wanted
    """
    last = len(layers) - 1
    dz = arena_rows(layers, deltas, max_rows, last, first, rows)
    for layer in range(last, 0, -1):
        w, _ = layer_parameters(layers, params, layer)
        below = arena_rows(layers, outputs, max_rows, layer - 1, points, rows)
        dbelow = arena_rows(layers, deltas, max_rows, layer - 1, first, rows)
        dense_backward_rows(dz, w, below, layers[layer - 1, ACTIVATION], slope, dbelow)
        dz = dbelow
    if dx.size > 0:
        w, _ = layer_parameters(layers, params, 0)
        dense_backward_rows(dz, w, dx[:0], LINEAR, slope, dx)


compiled(layers_backward_rows)(layers_backward_rows.dispatch(object))


@op
def layers_adam(
    params: np.ndarray,
    grads: np.ndarray,
    mean: np.ndarray,
    square: np.ndarray,
    layers: np.ndarray,
    x: np.ndarray,
    labels: np.ndarray,
    outputs: np.ndarray,
    deltas: np.ndarray,
    max_rows: int,
    rate: np.ndarray,
    updates: np.ndarray,
    beta1: float,
    beta2: float,
    epsilon: float,
) -> None:
    """Every layer's gradient over all rows, ``dw_l = y_(l-1)^T dz_l`` and ``db_l = sum dz_l``, and Adam's step.

    Parameters
    ----------
    params, mean, square : (n,) float32, in place, as `adam`
    grads : (n,) float32, written
    layers, x, labels : as `layers_forward`
    outputs, deltas : (max_rows * units,) float32, arenas whose first rows are those of x
    rate, updates, beta1, beta2, epsilon : as `adam`
    """
    rows, none = len(x), labels[:0]
    for layer in range(len(layers)):
        dw, db = layer_parameters(layers, grads, layer)
        dz = arena_rows(layers, deltas, max_rows, layer, 0, rows)
        given = labels if layer == 0 else none
        if layer > 0:
            x = arena_rows(layers, outputs, max_rows, layer - 1, 0, rows)
        if given.size > 0:
            conditional_backward_weights(x, given, dz, dw, db, 0)
        else:
            dense_backward_weights(x, dz, dw, db, 0)
    adam(params, grads, mean, square, rate, updates, beta1, beta2, epsilon)


compiled(layers_adam)(layers_adam.dispatch(object))
