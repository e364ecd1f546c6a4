"""The activations of a dense layer: one table of names and codes, values and derivatives.

A derivative is computed from the activation's output y alone, so that a layer keeps one array a row.

=============  ====  ========================  =====================
name           code  y                         dy/dz from y
=============  ====  ========================  =====================
linear         0     z                         1
relu           1     max(z, 0)                 1 if y > 0 else 0
leaky_relu     2     z if z > 0 else slope z   1 if y > 0 else slope
tanh           3     tanh z                    1 - y^2
sigmoid        4     1 / (1 + e^-z)            y (1 - y)
=============  ====  ========================  =====================
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .dispatch import LOOPS
from .elementary import sigmoid, tanh

LINEAR, RELU, LEAKY_RELU, TANH, SIGMOID = range(5)

ACTIVATIONS: dict[str, int] = {
    "linear": LINEAR,
    "relu": RELU,
    "leaky_relu": LEAKY_RELU,
    "tanh": TANH,
    "sigmoid": SIGMOID,
}

_ZERO, _ONE = np.float32(0), np.float32(1)


@njit(error_model="numpy")
def activated(z: np.float32, activation: int, slope: np.float32) -> np.float32:
    """Value of an activation at one float32, for kernels that have one a thread.

    Loops of the CPU choose the activation outside (`activate_cpu`): inside, LLVM vectorises none, and a small step
    takes 2.5 times as long.
    """
    if activation == RELU:
        return _ZERO if z < _ZERO else z
    if activation == LEAKY_RELU:
        return z if z > _ZERO else z * slope
    if activation == TANH:
        return tanh(z)
    if activation == SIGMOID:
        return sigmoid(z)
    return z


@njit(error_model="numpy")
def passed_on(y: np.float32, dy: np.float32, activation: int, slope: np.float32) -> np.float32:
    """Gradient at an activation's input, from its value y and the gradient dy there."""
    if activation == RELU:
        return dy if y > _ZERO else _ZERO
    if activation == LEAKY_RELU:
        return dy if y > _ZERO else dy * slope
    if activation == TANH:
        return dy * (_ONE - y * y)
    if activation == SIGMOID:
        return dy * (y * (_ONE - y))
    return dy


def activate(y: np.ndarray, b: np.ndarray, activation: int, slope: float) -> None:
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
def activate_cpu(y, b, activation, slope):
    """`activate` as a loop to compile."""
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
