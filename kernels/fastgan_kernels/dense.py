"""The dense layer: y = activation(x W + b), and its gradients; plain, or conditional on a class label."""

from __future__ import annotations

import numpy as np
from numba import njit

from .activations import LEAKY_RELU, RELU, SIGMOID, TANH, activate, activate_cpu
from .dispatch import compiled, op
from .products import product, product_nt, product_tn


@op
def activation_backward(y: np.ndarray, dy: np.ndarray, activation: int, slope: float) -> None:
    """Gradient at an activation's input, in place: ``dz = dy * activation'(y)``.

    Parameters
    ----------
    y : (rows, outputs) float32, what the activation made
    dy : (rows, outputs) float32, the loss's gradient at y; becomes dz
    activation, slope : as `dense_forward`
    """
    if activation == RELU:
        dy[...] = np.where(y > 0, dy, 0)
    elif activation == LEAKY_RELU:
        dy *= np.where(y > 0, y.dtype.type(1), y.dtype.type(slope))
    elif activation == TANH:
        dy *= 1 - y * y
    elif activation == SIGMOID:
        dy *= y * (1 - y)


@compiled(activation_backward)
def _activation_backward_cpu(y, dy, activation, slope):
    slope = y.dtype.type(slope)
    zero, one = y.dtype.type(0), y.dtype.type(1)
    for i in range(dy.shape[0]):
        out = y[i]
        delta = dy[i]
        if activation == RELU:
            for j in range(delta.size):
                delta[j] = delta[j] if out[j] > zero else zero
        elif activation == LEAKY_RELU:
            for j in range(delta.size):
                delta[j] = delta[j] if out[j] > zero else delta[j] * slope
        elif activation == TANH:
            for j in range(delta.size):
                delta[j] *= one - out[j] * out[j]
        elif activation == SIGMOID:
            for j in range(delta.size):
                delta[j] *= out[j] * (one - out[j])


@op
def dense_forward(
    x: np.ndarray, w: np.ndarray, b: np.ndarray, activation: int, slope: float, y: np.ndarray
) -> None:
    """Dense layer: ``y = activation(x @ w + b)``.

    Parameters
    ----------
    x : (rows, inputs) float32
    w : (inputs, outputs) float32
    b : (outputs,) float32
    activation : code of `activations.ACTIVATIONS`
    slope : of leaky ReLU below zero; other activations do not read it
    y : (rows, outputs) float32, written; must not overlap x
    """
    np.matmul(x, w, out=y)
    activate(y, b, activation, slope)


@compiled(dense_forward)
def _dense_forward_cpu(x, w, b, activation, slope, y):
    product(x, w, y)
    activate_cpu(y, b, activation, slope)


@op
def dense_backward_rows(
    dz: np.ndarray, w: np.ndarray, below: np.ndarray, activation: int, slope: float, dx: np.ndarray
) -> None:
    """Gradient at a layer's input, and on through the activation below: ``dx = (dz @ w.T) * activation'(below)``.

    Threads may share the rows: a row's bits do not depend on what other rows there are.

    Parameters
    ----------
    dz : (rows, outputs) float32, the loss's gradient at x @ w + b
    w : (inputs, outputs) float32
    below : (rows, inputs) float32, the layer's input as an activation made it, or size 0: there is none
    activation, slope : of the layer below, as `dense_forward`
    dx : (rows, inputs) float32, written
    """
    np.matmul(dz, w.T, out=dx)
    if below.size:
        activation_backward(below, dx, activation, slope)


@compiled(dense_backward_rows)
def _dense_backward_rows_cpu(dz, w, below, activation, slope, dx):
    product_nt(dz, w, dx)
    if below.size:
        activation_backward(below, dx, activation, slope)


@op
def dense_tangent(
    dx: np.ndarray, w: np.ndarray, y: np.ndarray, activation: int, slope: float, dy: np.ndarray
) -> None:
    """How a layer's outputs move when its inputs move by dx: ``dy = (dx @ w) * activation'(y)``.

    Parameters
    ----------
    dx : (rows, inputs) float32
    w : (inputs, outputs) float32
    y : (rows, outputs) float32, what the layer made, or size 0: leave its activation out
    activation, slope : as `dense_forward`
    dy : (rows, outputs) float32, written
    """
    np.matmul(dx, w, out=dy)
    if y.size:
        activation_backward(y, dy, activation, slope)


@compiled(dense_tangent)
def _dense_tangent_cpu(dx, w, y, activation, slope, dy):
    product(dx, w, dy)
    if y.size:
        activation_backward(y, dy, activation, slope)


@op
def dense_backward_weights(x: np.ndarray, dz: np.ndarray, dw: np.ndarray, db: np.ndarray, first: int) -> None:
    """Gradient of a block of a layer's parameters: ``dw = x[:, first : first + len(dw)].T @ dz``, ``db = sum dz``.

    Threads may share the blocks: the bits do not depend on how the weights are cut. The bias's rows are added in their
    order.

    Parameters
    ----------
    x : (rows, inputs) float32
    dz : (rows, outputs) float32, the loss's gradient at x @ w + b
    dw : (any number of inputs, outputs) float32, written, or size 0
    db : (outputs,) float32, written, or size 0
    first : input that the first row of dw belongs to
    """
    if dw.size:
        np.matmul(x[:, first : first + len(dw)].T, dz, out=dw)
    if db.size:
        np.sum(dz, axis=0, out=db)


@compiled(dense_backward_weights)
def _dense_backward_weights_cpu(x, dz, dw, db, first):
    if dw.size:
        product_tn(x, dz, dw, first)
    add_rows(dz, 0, db)


@njit(error_model="numpy", fastmath=False)
def add_rows(z, first, total):
    """``total = sum over rows of z``, of as many columns from `first` on, in the rows' order, so without fastmath."""
    total[:] = 0
    if total.size > 0:
        columns, start = np.uint64(total.size), np.uint64(first)  # unsigned: no index counts from the end
        for i in range(z.shape[0]):
            row = z[i]
            for j in range(columns):
                total[j] += row[start + j]


@op
def dense_backward(
    x: np.ndarray,
    w: np.ndarray,
    y: np.ndarray,
    dy: np.ndarray,
    activation: int,
    slope: float,
    dw: np.ndarray,
    db: np.ndarray,
    dx: np.ndarray,
) -> None:
    """Gradients of a dense layer: ``dz = dy * activation'(y)``, ``dw = x.T @ dz``, ``db = sum dz``, ``dx = dz @ w.T``.

    dw and db, and dx, are computed only where asked for: pass arrays of size 0 where they are not wanted.

    Parameters
    ----------
    x, w, y, activation, slope : as `dense_forward` saw and left them
    dy : (rows, outputs) float32, the loss's gradient at y; becomes dz in place
    dw : (inputs, outputs) float32, written, or size 0
    db : (outputs,) float32, written, or size 0
    dx : (rows, inputs) float32, written, or size 0
    """
    activation_backward(y, dy, activation, slope)
    if dx.size:
        dense_backward_rows(dy, w, dx[:0], activation, slope, dx)
    if dw.size or db.size:
        dense_backward_weights(x, dy, dw, db, 0)


@compiled(dense_backward)
def _dense_backward_cpu(x, w, y, dy, activation, slope, dw, db, dx):
    activation_backward(y, dy, activation, slope)
    if dx.size:
        dense_backward_rows(dy, w, dx[:0], activation, slope, dx)
    if dw.size or db.size:
        dense_backward_weights(x, dy, dw, db, 0)


@op
def conditional_forward(
    x: np.ndarray,
    labels: np.ndarray,
    w: np.ndarray,
    b: np.ndarray,
    activation: int,
    slope: float,
    y: np.ndarray,
) -> None:
    """Dense layer whose input ends in a one-hot label.

    ``y = activation(x @ w[:inputs] + w[inputs + label] + b)``.

    The label's row of w is gathered; the one-hot columns and their products are never formed.

    Parameters
    ----------
    x : (rows, inputs) float32
    labels : (rows,) integers in [0, classes)
    w : (inputs + classes, outputs) float32
    b, activation, slope, y : as `dense_forward`
    """
    inputs = x.shape[1]
    np.matmul(x, w[:inputs], out=y)
    y += w[inputs + labels]
    activate(y, b, activation, slope)


@compiled(conditional_forward)
def _conditional_forward_cpu(x, labels, w, b, activation, slope, y):
    inputs = x.shape[1]
    product(x, w[:inputs], y)
    for i in range(y.shape[0]):
        row, label_row = y[i], w[inputs + labels[i]]
        for j in range(row.size):
            row[j] += label_row[j]
    activate_cpu(y, b, activation, slope)


@op
def conditional_backward_weights(
    x: np.ndarray, labels: np.ndarray, dz: np.ndarray, dw: np.ndarray, db: np.ndarray, first: int
) -> None:
    """`dense_backward_weights` of a conditional layer: ``dw[inputs + c - first] = sum of dz over rows of label c``.

    Rows of a label are added in their order.

    Parameters
    ----------
    x : (rows, inputs) float32
    labels : (rows,) integers in [0, classes)
    dz : (rows, outputs) float32, the loss's gradient before the activation
    dw : (any number of inputs and classes, outputs) float32, written
    db : (outputs,) float32, written, or size 0
    first : input that the first row of dw belongs to; classes come after x's inputs
    """
    split = min(max(x.shape[1] - first, 0), len(dw))
    dense_backward_weights(x, dz, dw[:split], db, first)
    dw[split:] = 0
    places = x.shape[1] + labels - first
    inside = (places >= split) & (places < len(dw))
    np.add.at(dw, places[inside], dz[inside])


@compiled(conditional_backward_weights)
def _conditional_backward_weights_cpu(x, labels, dz, dw, db, first):
    split = min(max(x.shape[1] - first, 0), dw.shape[0])
    if split > 0:
        product_tn(x, dz, dw[:split], first)
    dw[split:] = 0
    for i in range(dz.shape[0]):
        place = x.shape[1] + labels[i] - first
        if split <= place < dw.shape[0]:
            _add(dw[place], dz[i])
    add_rows(dz, 0, db)


@njit(error_model="numpy", fastmath=False)
def _add(total, row):
    """``total += row``, in no order but that of the calls."""
    for j in range(total.size):
        total[j] += row[j]


@op
def conditional_backward(
    x: np.ndarray,
    labels: np.ndarray,
    y: np.ndarray,
    dy: np.ndarray,
    activation: int,
    slope: float,
    dw: np.ndarray,
    db: np.ndarray,
) -> None:
    """Gradients of `conditional_forward`: as `dense_backward`, and ``dw[inputs + c] = sum of dz over rows of label c``.

    Parameters
    ----------
    x, labels, y, activation, slope : as `conditional_forward` saw and left them
    dy : (rows, outputs) float32, the loss's gradient at y; becomes dz in place
    dw : (inputs + classes, outputs) float32, written, or size 0
    db : (outputs,) float32, written, or size 0
    """
    activation_backward(y, dy, activation, slope)
    if dw.size or db.size:
        conditional_backward_weights(x, labels, dy, dw, db, 0)


@compiled(conditional_backward)
def _conditional_backward_cpu(x, labels, y, dy, activation, slope, dw, db):
    activation_backward(y, dy, activation, slope)
    if dw.size or db.size:
        conditional_backward_weights(x, labels, dy, dw, db, 0)
