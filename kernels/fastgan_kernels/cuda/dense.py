"""CUDA kernels of `fastgan_kernels.dense`: tiled products that end with bias and activation, or with a derivative."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cuda, float32

from .. import dense
from ..activations import LINEAR, activated, passed_on
from ..dispatch import launched
from .device import launch, launch_over, no_labels
from .products import TILES, Tile, make_product, tile_for

_device = cuda.jit(device=True)


@_device
def _element(a, c, labels, inputs, first, row, k):
    return a[row, k]


@_device
def _weight(b, k, column):
    return b[k, column]


@_device
def _weight_turned(b, k, column):
    return b[column, k]


@_device
def _layer(total, b, c, extra, labels, inputs, row, column, activation, slope):
    """``y = activation(total + w[inputs + label] + bias)``."""
    if labels.size > 0:
        total += b[inputs + labels[row], column]
    c[row, column] = activated(total + extra[column], activation, slope)


@_device
def _delta(total, b, c, extra, labels, inputs, row, column, activation, slope):
    """``dx = total * activation'(below)``, or total where there is nothing below."""
    if extra.size > 0:
        total = passed_on(extra[row, column], total, activation, slope)
    c[row, column] = total


@_device
def _input(a, c, labels, inputs, first, row, k):
    """Input `first` + row of row k: a number, the one-hot label's, or, past the last, the bias's, which is always 1."""
    if row >= c.shape[0]:
        return float32(1)
    place = first + row
    if place < inputs:
        return a[k, place]
    return float32(1) if labels[k] == place - inputs else float32(0)


@_device
def _gradient(total, b, c, extra, labels, inputs, row, column, activation, slope):
    """``dw = total``, and db in the row after its last."""
    if row < c.shape[0]:
        c[row, column] = total
    else:
        extra[column] = total


FORWARD = {
    tile: make_product(tile, _element, _weight, _layer, left_along=True, right_along=False) for tile in TILES
}
BACKWARD_ROWS = {
    tile: make_product(tile, _element, _weight_turned, _delta, left_along=True, right_along=True)
    for tile in TILES
}
TANGENT = {
    tile: make_product(tile, _element, _weight, _delta, left_along=True, right_along=False) for tile in TILES
}
BACKWARD_WEIGHTS = {
    tile: make_product(tile, _input, _weight, _gradient, left_along=False, right_along=False)
    for tile in TILES
}
"""The raw kernels, by tile; `make_product` names their arguments."""


def _multiply(
    kernels: dict[Tile, Any],
    m: int,
    n: int,
    depth: int,
    *arrays: Any,
    inputs: int = 0,
    first: int = 0,
    activation: int = LINEAR,
    slope: float = 0.0,
) -> None:
    """Launch a product with the tile for its shape; arrays are a, b, c, extra and labels."""
    if m > 0 and n > 0:
        tile = tile_for(m, n)
        grid, threads = tile.blocks(m, n), tile.threads(depth)
        m, n, depth, inputs, first, activation = np.array([m, n, depth, inputs, first, activation], np.int32)
        arguments = *arrays, inputs, first, activation, np.float32(slope)
        launch(kernels[tile], grid, threads, m, n, depth, *arguments)


@cuda.jit
def activation_backward(y, dy, activation, slope):
    """`dense.activation_backward` of flat arrays, a thread an element."""
    i = cuda.grid(1)
    if i < dy.size:
        dy[i] = passed_on(y[i], dy[i], activation, slope)


@launched(dense.activation_backward)
def _activation_backward(y, dy, activation, slope):
    if activation != LINEAR:
        numbers = np.int32(activation), np.float32(slope)
        launch_over(activation_backward, dy.size, y.reshape(-1), dy.reshape(-1), *numbers)


@launched(dense.dense_forward)
def _dense_forward(x, w, b, activation, slope, y):
    _multiply(FORWARD, *y.shape, x.shape[1], x, w, y, b, no_labels(), activation=activation, slope=slope)


@launched(dense.conditional_forward)
def _conditional_forward(x, labels, w, b, activation, slope, y):
    known = {"inputs": x.shape[1], "activation": activation, "slope": slope}
    _multiply(FORWARD, *y.shape, x.shape[1], x, w, y, b, labels, **known)


@launched(dense.dense_backward_rows)
def _dense_backward_rows(dz, w, below, activation, slope, dx):
    known = {"activation": activation, "slope": slope}
    _multiply(BACKWARD_ROWS, *dx.shape, dz.shape[1], dz, w, dx, below, no_labels(), **known)


@launched(dense.dense_tangent)
def _dense_tangent(dx, w, y, activation, slope, dy):
    known = {"activation": activation, "slope": slope}
    _multiply(TANGENT, *dy.shape, dx.shape[1], dx, w, dy, y, no_labels(), **known)


@launched(dense.dense_backward_weights)
def _dense_backward_weights(x, dz, dw, db, first):
    _backward_weights(x, no_labels(), dz, dw, db, first)


@launched(dense.conditional_backward_weights)
def _backward_weights(x, labels, dz, dw, db, first):
    m = len(dw) + (db.size > 0)
    rows, columns = dz.shape
    _multiply(BACKWARD_WEIGHTS, m, columns, rows, x, dz, dw, db, labels, inputs=x.shape[1], first=first)


@launched(dense.dense_backward)
def _dense_backward(x, w, y, dy, activation, slope, dw, db, dx):
    _activation_backward(y, dy, activation, slope)
    _dense_backward_rows(dy, w, dx[:0], activation, slope, dx)
    _backward_weights(x, no_labels(), dy, dw, db, 0)


@launched(dense.conditional_backward)
def _conditional_backward(x, labels, y, dy, activation, slope, dw, db):
    _activation_backward(y, dy, activation, slope)
    _backward_weights(x, labels, dy, dw, db, 0)
