"""The dense layer: y = activation(x W + b), and its gradients; plain, or conditional on a class label."""

from __future__ import annotations

import numpy as np
from numba import njit

from .activations import LEAKY_RELU, RELU, SIGMOID, TANH
from .dispatch import LOOPS, compiled, op
from .elementary import sigmoid, tanh


def _activate(y: np.ndarray, b: np.ndarray, activation: int, slope: float) -> None:
    """Reference: ``y = activation(y + b)`` in place."""
    y += b
    if activation == RELU:
        np.maximum(y, 0, out=y)
    elif activation == LEAKY_RELU:
        y[...] = np.where(y > 0, y, y * y.dtype.type(slope))
    elif activation == TANH:
        np.tanh(y, out=y)
    elif activation == SIGMOID:
        with np.errstate(over="ignore"):
            y[...] = 1 / (1 + np.exp(-y))


@njit(**LOOPS)
def _activate_cpu(y, b, activation, slope):
    slope = y.dtype.type(slope)
    zero = y.dtype.type(0)
    for i in range(y.shape[0]):
        row = y[i]
        if activation == RELU:
            for j in range(row.size):
                z = row[j] + b[j]
                row[j] = zero if z < zero else z
        elif activation == LEAKY_RELU:
            for j in range(row.size):
                z = row[j] + b[j]
                row[j] = z if z > zero else z * slope
        elif activation == TANH:
            for j in range(row.size):
                row[j] = tanh(row[j] + b[j])
        elif activation == SIGMOID:
            for j in range(row.size):
                row[j] = sigmoid(row[j] + b[j])
        else:
            for j in range(row.size):
                row[j] += b[j]


def _deactivate(y: np.ndarray, dy: np.ndarray, activation: int, slope: float, db: np.ndarray) -> None:
    """Reference: gradient at the activation's input, in place, and its sum over rows where asked for."""
    if activation == RELU:
        dy[...] = np.where(y > 0, dy, 0)
    elif activation == LEAKY_RELU:
        dy *= np.where(y > 0, y.dtype.type(1), y.dtype.type(slope))
    elif activation == TANH:
        dy *= 1 - y * y
    elif activation == SIGMOID:
        dy *= y * (1 - y)
    if db.size:
        np.sum(dy, axis=0, out=db)


@njit(**LOOPS)
def _deactivate_cpu(y, dy, activation, slope, db):
    slope = y.dtype.type(slope)
    zero, one = y.dtype.type(0), y.dtype.type(1)
    db[:] = 0
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
        for j in range(db.size):
            db[j] += delta[j]


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
    _activate(y, b, activation, slope)


@compiled(dense_forward)
def _dense_forward_cpu(x, w, b, activation, slope, y):
    np.dot(x, w, y)
    _activate_cpu(y, b, activation, slope)


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

    Each result is computed only where asked for: pass an array of size 0 for one that is not wanted.

    Parameters
    ----------
    x, w, y, activation, slope : as `dense_forward` saw and left them
    dy : (rows, outputs) float32, the loss's gradient at y; becomes dz in place
    dw : (inputs, outputs) float32, written, or size 0
    db : (outputs,) float32, written, or size 0
    dx : (rows, inputs) float32, written, or size 0
    """
    _deactivate(y, dy, activation, slope, db)
    if dw.size:
        np.matmul(x.T, dy, out=dw)
    if dx.size:
        np.matmul(dy, w.T, out=dx)


@compiled(dense_backward)
def _dense_backward_cpu(x, w, y, dy, activation, slope, dw, db, dx):
    _deactivate_cpu(y, dy, activation, slope, db)
    if dw.size:
        np.dot(x.T, dy, dw)
    if dx.size:
        np.dot(dy, w.T, dx)


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
    _activate(y, b, activation, slope)


@compiled(conditional_forward)
def _conditional_forward_cpu(x, labels, w, b, activation, slope, y):
    inputs = x.shape[1]
    np.dot(x, w[:inputs], y)
    for i in range(y.shape[0]):
        row, label_row = y[i], w[inputs + labels[i]]
        for j in range(row.size):
            row[j] += label_row[j]
    _activate_cpu(y, b, activation, slope)


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
    _deactivate(y, dy, activation, slope, db)
    if dw.size:
        inputs = x.shape[1]
        np.matmul(x.T, dy, out=dw[:inputs])
        dw[inputs:] = 0
        np.add.at(dw, inputs + labels, dy)


@compiled(conditional_backward)
def _conditional_backward_cpu(x, labels, y, dy, activation, slope, dw, db):
    _deactivate_cpu(y, dy, activation, slope, db)
    if dw.size:
        inputs = x.shape[1]
        np.dot(x.T, dy, dw[:inputs])
        dw[inputs:] = 0
        for i in range(dy.shape[0]):
            label_row, delta = dw[inputs + labels[i]], dy[i]
            for j in range(delta.size):
                label_row[j] += delta[j]
