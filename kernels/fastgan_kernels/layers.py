"""All layers of a plain dense network at once, on its flat buffers: what a machine with many threads does best.

A network is a table of layers, one vector of parameters, and arenas for what its layers make of some rows. Each op does
what a loop over the layers does with the ops of `dense`, and its reference is that loop.
"""

from __future__ import annotations

import numpy as np
from numba.extending import register_jitable

from .activations import LINEAR
from .dense import (
    activation_backward,
    conditional_backward_weights,
    conditional_forward,
    dense_backward_rows,
    dense_backward_weights,
    dense_forward,
    dense_tangent,
)
from .dispatch import compiled, op
from .optimisers import adam
from .penalty import activation_curvature, add

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
    curvature: np.ndarray,
    dx: np.ndarray,
) -> None:
    """Carry the last layer's deltas down: ``dz_(l-1) = (dz_l w_l^T) activation'(y_(l-1)) + c_(l-1)``.

    At the end ``dx = dz_0 w_0^T``.

    Parameters
    ----------
    deltas : (max_rows * units,) float32, the arena: the last layer's deltas are read, those of the others written
    layers, params, slope : as `layers_forward`
    outputs : (max_rows * units,) float32, what the layers made
    max_rows, points, first, rows : rows of the arenas; where `rows` of them begin in outputs, and in deltas
    curvature : (max_rows * units,) float32, the c of the rows from `points` on, or size 0: none
    dx : (rows, inputs) float32, written, or size 0: not wanted
    """
    last = len(layers) - 1
    dz = arena_rows(layers, deltas, max_rows, last, first, rows)
    for layer in range(last, 0, -1):
        w, _ = layer_parameters(layers, params, layer)
        below = arena_rows(layers, outputs, max_rows, layer - 1, points, rows)
        dbelow = arena_rows(layers, deltas, max_rows, layer - 1, first, rows)
        dense_backward_rows(dz, w, below, layers[layer - 1, ACTIVATION], slope, dbelow)
        if curvature.size > 0:
            add(arena_rows(layers, curvature, max_rows, layer - 1, points, rows), dbelow)
        dz = dbelow
    if dx.size > 0:
        w, _ = layer_parameters(layers, params, 0)
        dense_backward_rows(dz, w, dx[:0], LINEAR, slope, dx)


compiled(layers_backward_rows)(layers_backward_rows.dispatch(object))


@register_jitable
def layer_tangent(dx, w, y, dz, activation, slope, dy, curvature):
    """Carry a tangent dx up one layer, into dy; where its activation is smooth, write the curvature; else size 0."""
    if curvature.size > 0:
        dense_tangent(dx, w, y[:0], activation, slope, dy)
        activation_curvature(y, dz, dy, activation, curvature)
        activation_backward(y, dy, activation, slope)
    else:
        dense_tangent(dx, w, y, activation, slope, dy)


@op
def layers_tangent(
    x: np.ndarray,
    layers: np.ndarray,
    params: np.ndarray,
    deltas: np.ndarray,
    slope: float,
    max_rows: int,
    points: int,
    first: int,
    outputs: np.ndarray,
    curvature: np.ndarray,
) -> None:
    """Carry tangents up to the last hidden layer: ``t_l = (t_(l-1) w_l) activation'(y_l)``; see `penalty`.

    Parameters
    ----------
    x : (rows, inputs) float32, the tangents at the network's input
    layers, params, slope : as `layers_forward`
    deltas : (max_rows * units,) float32, the slope's, of the rows from `first` on
    max_rows, points, first : rows of the arenas, where the points begin at which the slope was taken, and the
        tangents; these are other rows
    outputs : (max_rows * units,) float32: what the layers made of the points is read, the tangents are written
    curvature : (max_rows * units,) float32, ``c_l = (t_(l-1) w_l) dz_l activation''(y_l) / activation'(y_l)``, written
        in the rows from `points` on; or size 0: no activation is smooth
    """
    rows = len(x)
    for layer in range(len(layers) - 1):
        w, _ = layer_parameters(layers, params, layer)
        y = arena_rows(layers, outputs, max_rows, layer, points, rows)
        dz = arena_rows(layers, deltas, max_rows, layer, first, rows)
        dy = arena_rows(layers, outputs, max_rows, layer, first, rows)
        bent = arena_rows(layers, curvature, max_rows, layer, points, rows if curvature.size > 0 else 0)
        layer_tangent(x, w, y, dz, layers[layer, ACTIVATION], slope, dy, bent)
        x = dy


compiled(layers_tangent)(layers_tangent.dispatch(object))


@op
def layers_gradient(
    grads: np.ndarray,
    layers: np.ndarray,
    x: np.ndarray,
    labels: np.ndarray,
    outputs: np.ndarray,
    deltas: np.ndarray,
    max_rows: int,
    biased: int,
) -> None:
    """Every layer's gradient: ``dw_l = y_(l-1)^T dz_l`` over all rows, ``db_l = sum dz_l`` over the first `biased`.

    Parameters
    ----------
    grads : (n,) float32, written
    layers, x, labels : as `layers_forward`
    outputs, deltas : (max_rows * units,) float32, arenas whose first rows are those of x
    max_rows : rows that the arenas have room for
    biased : rows that count for the biases; those of a penalty do not, but must be finite
    """
    rows, none = len(x), labels[:0]
    for layer in range(len(layers)):
        dw, db = layer_parameters(layers, grads, layer)
        dz = arena_rows(layers, deltas, max_rows, layer, 0, rows)
        given = labels if layer == 0 else none
        if layer > 0:
            x = arena_rows(layers, outputs, max_rows, layer - 1, 0, rows)
        if biased < rows:
            dense_backward_weights(x[:biased], dz[:biased], dw[:0], db, 0)
            db = db[:0]
        if given.size > 0:
            conditional_backward_weights(x, given, dz, dw, db, 0)
        else:
            dense_backward_weights(x, dz, dw, db, 0)


compiled(layers_gradient)(layers_gradient.dispatch(object))


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
    biased: int,
    rate: np.ndarray,
    updates: np.ndarray,
    beta1: float,
    beta2: float,
    epsilon: float,
) -> None:
    """Every layer's gradient over all rows, as `layers_gradient`, and Adam's step along it.

    Parameters
    ----------
    params, mean, square : (n,) float32, in place, as `adam`
    grads : (n,) float32, written
    layers, x, labels : as `layers_forward`
    outputs, deltas, max_rows, biased : as `layers_gradient`
    rate, updates, beta1, beta2, epsilon : as `adam`
    """
    layers_gradient(grads, layers, x, labels, outputs, deltas, max_rows, biased)
    adam(params, grads, mean, square, rate, updates, beta1, beta2, epsilon)


compiled(layers_adam)(layers_adam.dispatch(object))
