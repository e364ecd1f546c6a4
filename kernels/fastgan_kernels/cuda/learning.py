"""CUDA kernels of `layers_gradient` and `layers_adam` of `fastgan_kernels.layers`: one launch for all layers.

It has a block for each tile of each layer's weights and bias. Adam's threads ask for the parameters and moments that
they move before they make the gradient, or all at once after it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import cuda, float32, uint64

from .. import layers as network
from ..dispatch import launched
from ..layers import INPUTS, OUTPUTS, UNITS, WEIGHTS
from ..optimisers import adam_one
from .device import launch
from .optimisers import adam_constants
from .products import Tile, make_finish, make_tile_product
from .table import Layer, layer_of, layers_of, on_device

TILES = (
    Tile(64, 64, 16, 4, 4, 1),
    Tile(32, 32, 16, 4, 4, 2),
    Tile(16, 16, 16, 4, 2, 2),
    Tile(8, 8, 16, 2, 2, 2),
)
"""From the fewest reads to the most blocks. A batch has few rows, so that few groups of threads have a part of them."""

ENOUGH = 256
"""Blocks that keep a card busy: each waits for memory more often than one of a product, so that more are wanted."""

MOST_EARLY = 4
"""Parameters of a thread that it asks for before it makes their gradient; more would take too many registers."""

BLOCKS = UNITS + 1
"""Column of the table of layers on the device: tiles of the layers before."""

_device = cuda.jit(device=True)


@_device
def _input(given, row, k):
    """Input `row` of row k: a number, the one-hot label's or, past the last, the bias's: 1 where the row counts."""
    x, labels, outputs, _, inputs, _, below, _, biased = given[0]
    if row >= inputs:
        return float32(1) if k < biased else float32(0)
    if below >= 0:
        return outputs[uint64(below + k * inputs + row)]
    if row < x.shape[1]:
        return x[k, row]
    return float32(1) if labels[k] == row - x.shape[1] else float32(0)


@_device
def _delta(given, k, column):
    _, _, _, deltas, _, columns, _, above, _ = given[0]
    return deltas[uint64(above + k * columns + column)]


@_device
def _sides(layer, table, x, labels, outputs, deltas, max_rows, biased):
    """What `_input` and `_delta` read of a layer."""
    below = table[layer - 1, UNITS] * max_rows if layer > 0 else -1
    above = table[layer, UNITS] * max_rows
    return x, labels, outputs, deltas, table[layer, INPUTS], table[layer, OUTPUTS], below, above, biased


@_device
def _store(total, given, row, column):
    _, grads, width, start = given
    grads[uint64(start + row * width + column)] = total


def make_gradient(tile: Tile) -> Any:
    """Make the kernel of one tile: a block a tile, `BLOCKS` of them before a layer's.

    Its arguments are those of `layers.layers_gradient`, the table with `BLOCKS` on the device and whole numbers int64.
    A block has ``groups * each`` threads of the tile.
    """
    rows, columns = tile.rows, tile.columns
    finish = make_finish(tile, _store)
    make_tile = make_tile_product(tile, _input, _delta, finish, left_along=False, right_along=False)

    @cuda.jit
    def gradient(grads, table, x, labels, outputs, deltas, max_rows, biased):
        layer, block = layer_of(table, BLOCKS, cuda.blockIdx.x)
        inputs, width, start = table[layer, INPUTS], table[layer, OUTPUTS], table[layer, WEIGHTS]
        across = -(-width // columns)
        top, side = block // across * rows, block % across * columns
        given = _sides(layer, table, x, labels, outputs, deltas, max_rows, biased), grads, width, start
        make_tile(inputs + 1, width, x.shape[0], top, side, given)

    return gradient


def make_adam(tile: Tile) -> Any:
    """Make the kernel of one tile: a block a tile, `BLOCKS` of them before a layer's.

    Its arguments are those of `layers.layers_adam`, as `make_gradient` has them, and in the place of the betas and
    epsilon what `optimisers.adam_constants` makes of them.
    """
    rows, columns, groups = tile.rows, tile.columns, tile.groups
    size, threads = rows * columns, tile.groups * tile.each
    own = size // threads
    column_bits, thread_bits = columns.bit_length() - 1, threads - 1
    early = own <= MOST_EARLY

    @_device
    def place_of(p, m, n, top, side, start):
        """Where in the vectors the thread's p-th parameter lies, or -1; a layer's bias follows its last row."""
        place = (cuda.threadIdx.x & thread_bits) + p * threads
        row, column = top + (place >> column_bits), side + (place & (columns - 1))
        return start + row * n + column if row < m and column < n else -1

    @_device
    def look(m, n, top, side, start, vectors, old):
        for p in range(own):
            i = uint64(max(place_of(p, m, n, top, side, start), 0))
            old[0][p], old[1][p], old[2][p] = vectors[0][i], vectors[2][i], vectors[3][i]

    @_device
    def finish(shared, m, n, top, side, given):
        _, vectors, old, start, constants = given
        params, grads, mean, square = vectors
        old_params, old_mean, old_square = old
        if not early:
            look(m, n, top, side, start, vectors, old)
        for p in range(own):
            place = (cuda.threadIdx.x & thread_bits) + p * threads
            total = shared[place]
            for group in range(1, groups):
                total += shared[group * size + place]
            i = place_of(p, m, n, top, side, start)
            if i >= 0:
                grads[uint64(i)] = total
                moved = adam_one(old_params[p], total, old_mean[p], old_square[p], *constants)
                params[uint64(i)], mean[uint64(i)], square[uint64(i)] = moved

    make_tile = make_tile_product(tile, _input, _delta, finish, left_along=False, right_along=False)

    @cuda.jit
    def adam(
        params,
        grads,
        mean,
        square,
        table,
        x,
        labels,
        outputs,
        deltas,
        max_rows,
        biased,
        rate,
        updates,
        log1,
        log2,
        constants,
    ):
        old_params = cuda.local.array(own, float32)
        old_mean = cuda.local.array(own, float32)
        old_square = cuda.local.array(own, float32)
        t, size = float32(updates[0]), rate[0]
        layer, block = layer_of(table, BLOCKS, cuda.blockIdx.x)
        inputs, width, start = table[layer, INPUTS], table[layer, OUTPUTS], table[layer, WEIGHTS]
        across = -(-width // columns)
        top, side = block // across * rows, block % across * columns
        vectors, old = (params, grads, mean, square), (old_params, old_mean, old_square)
        if early:
            look(inputs + 1, width, top, side, start, vectors, old)
        size = float32(size / -math.expm1(t * log1))
        correction = float32(float32(1) / math.sqrt(-math.expm1(t * log2)))
        given = (
            _sides(layer, table, x, labels, outputs, deltas, max_rows, biased),
            vectors,
            old,
            start,
            (size, correction, *constants),
        )
        make_tile(inputs + 1, width, x.shape[0], top, side, given)

    return adam


GRADIENT = {tile: make_gradient(tile) for tile in TILES}
ADAM = {tile: make_adam(tile) for tile in TILES}
"""The raw kernels, by tile."""


def tiles_of(layers: tuple[Layer, ...], tile: Tile) -> list[int]:
    """Tiles of each layer's weights and bias."""
    return [math.prod(tile.blocks(layer.inputs + 1, layer.outputs)) for layer in layers]


def tile_of(layers: tuple[Layer, ...]) -> Tile:
    """The first of `TILES` that all layers together have enough of, or the smallest."""
    return next((tile for tile in TILES if sum(tiles_of(layers, tile)) >= ENOUGH), TILES[-1])


def _launch(kernels: dict[Tile, Any], layers: np.ndarray, before: Any, *after: Any) -> None:
    """Launch a kernel with its arguments before and after the table."""
    known = layers_of(layers)
    tile = tile_of(known)
    blocks = tiles_of(known, tile)
    table = on_device(known, blocks)
    launch(kernels[tile], sum(blocks), tile.groups * tile.each, *before, table, *after)


@launched(network.layers_gradient)
def _layers_gradient(grads, layers, x, labels, outputs, deltas, max_rows, biased):
    numbers = np.int64(max_rows), np.int64(biased)
    _launch(GRADIENT, layers, (grads,), x, labels, outputs, deltas, *numbers)


@launched(network.layers_adam)
def _layers_adam(
    params,
    grads,
    mean,
    square,
    layers,
    x,
    labels,
    outputs,
    deltas,
    max_rows,
    biased,
    rate,
    updates,
    beta1,
    beta2,
    epsilon,
):
    vectors, read = (params, grads, mean, square), (x, labels, outputs, deltas)
    numbers = np.int64(max_rows), np.int64(biased), rate, updates
    _launch(ADAM, layers, vectors, *read, *numbers, *adam_constants(beta1, beta2, epsilon))
