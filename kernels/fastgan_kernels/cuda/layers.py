"""CUDA kernels of `fastgan_kernels.layers`: a network of narrow layers in one launch, a block for a few of its rows.

The rows of a batch do not meet before a gradient is made. So a block carries its own through all layers, in shared
memory; its threads read a layer's weights together, each those of one output and of a part of the inputs.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import cuda, float32, uint32, uint64

from .. import layers as network
from ..activations import activated, passed_on
from ..dispatch import launched
from ..layers import ACTIVATION, BIAS, INPUTS, OUTPUTS, UNITS, WEIGHTS
from ..optimisers import adam_one
from .device import SIMULATED, launch, to_device
from .optimisers import adam_constants
from .products import ENOUGH, TILES, Tile, make_tile_product

THREADS = 16 if SIMULATED else 512
"""Of a block; no layer may be wider."""

MOST_WEIGHTS = 2**15
"""Of a layer: with more, that every block reads all of them takes longer than a launch for each layer."""

AHEAD = 2 if SIMULATED else 16
"""Weights that a thread asks for at once."""

MOST_SHARES = 16
"""Threads that share the depth of one sum, at most; their parts are added up one after the other."""

HIGH = (1, 2, 4)
"""Rows of a block: as few as keep the card full."""

FULL = 132
"""Blocks that fill a card."""

ROOM = 8320
"""Numbers of a slice of weights in shared memory: 64 rows of 128, and one more for each row, so that banks differ."""

# Columns that the table has on the device beside the host's: the bits of powers of 2 that hold a layer's outputs, and
# the rows of its weights in a slice.
OUTPUT_BITS, SLICE_BITS = UNITS + 1, UNITS + 2


def is_narrow(layers: np.ndarray) -> bool:
    """Whether one launch for all layers is faster than one for each."""
    widest, most = layers[:, [INPUTS, OUTPUTS]].max(), (layers[:, INPUTS] * layers[:, OUTPUTS]).max()
    return bool(widest <= THREADS and most <= MOST_WEIGHTS)


def _room(high: int) -> int:
    """Numbers of a slice of weights: beside those of many rows there is less room."""
    return ROOM if high < HIGH[-1] else ROOM // 2


def _make_forward(high: int) -> Any:
    values_size, parts_size = high * THREADS, high * THREADS

    @cuda.jit
    def forward(x, labels, table, params, slope, max_rows, first, outputs):
        values = cuda.shared.array(values_size, float32)
        parts = cuda.shared.array(parts_size, float32)
        coming = cuda.local.array(AHEAD, float32)
        sums = cuda.local.array(high, float32)
        thread, rows, top = cuda.threadIdx.x, x.shape[0], cuda.blockIdx.x * high
        read = x.shape[1]
        for r in range(high):
            if thread < read:
                values[r * THREADS + thread] = x[min(top + r, rows - 1), thread]
        cuda.syncthreads()
        for layer in range(table.shape[0]):
            columns, start = table[layer, OUTPUTS], table[layer, WEIGHTS]
            bits, units = table[layer, OUTPUT_BITS], table[layer, UNITS] * max_rows
            shares = min(MOST_SHARES, THREADS >> bits)
            column, share = thread & ((1 << bits) - 1), thread >> bits
            for r in range(high):
                sums[r] = float32(0)
            if column < columns and share < shares:
                for base in range(share, read, shares * AHEAD):
                    for p in range(AHEAD):
                        k = min(base + p * shares, read - 1)
                        coming[p] = params[uint64(start + k * columns + column)]
                    for p in range(AHEAD):
                        k = base + p * shares
                        if k < read:
                            for r in range(high):
                                sums[r] += values[uint32(r * THREADS + k)] * coming[p]
            for r in range(high):
                parts[r * THREADS + thread] = sums[r]
            cuda.syncthreads()
            if thread < columns:
                bias = params[table[layer, BIAS] + thread]
                for r in range(high):
                    row = top + r
                    total = bias
                    for other in range(shares):
                        total += parts[r * THREADS + (other << bits) + thread]
                    if layer == 0 and labels.size > 0:
                        total += params[start + (read + labels[min(row, rows - 1)]) * columns + thread]
                    total = activated(total, table[layer, ACTIVATION], slope)
                    values[r * THREADS + thread] = total
                    if row < rows:
                        outputs[units + (first + row) * columns + thread] = total
            cuda.syncthreads()
            read = columns

    return forward


def _make_backward(high: int) -> Any:
    values_size, both_size, room = high * THREADS, 2 * high * THREADS, _room(high)

    @cuda.jit
    def backward(deltas, table, params, outputs, slope, max_rows, points, first, rows, dx):
        weights = cuda.shared.array(room, float32)
        carried = cuda.shared.array(both_size, float32)
        parts = cuda.shared.array(values_size, float32)
        coming = cuda.local.array(AHEAD, float32)
        sums = cuda.local.array(high, float32)
        thread, top = cuda.threadIdx.x, cuda.blockIdx.x * high
        last, above, below = table.shape[0] - 1, 0, values_size
        columns = table[last, OUTPUTS]
        for r in range(high):
            if thread < columns:
                row = min(top + r, rows - 1)
                place = table[last, UNITS] * max_rows + (first + row) * columns + thread
                carried[r * THREADS + thread] = deltas[place]
        for layer in range(last, -1 if dx.size > 0 else 0, -1):
            columns, start = table[layer, OUTPUTS], table[layer, WEIGHTS]
            inputs = table[layer - 1, OUTPUTS] if layer > 0 else dx.shape[1]
            units = table[max(layer - 1, 0), UNITS] * max_rows
            bits, slice_bits = table[layer, OUTPUT_BITS], table[layer, SLICE_BITS]
            column, line, lines = thread & ((1 << bits) - 1), thread >> bits, THREADS >> bits
            wide = columns | 1
            unit, share = thread & ((1 << slice_bits) - 1), thread >> slice_bits
            shares = min(MOST_SHARES, THREADS >> slice_bits)
            for base in range(0, inputs, 1 << slice_bits):
                count = min(1 << slice_bits, inputs - base)
                for some in range(line, count, lines * AHEAD):
                    if column < columns:
                        for p in range(AHEAD):
                            k = min(some + p * lines, count - 1)
                            coming[p] = params[uint64(start + (base + k) * columns + column)]
                        for p in range(AHEAD):
                            k = some + p * lines
                            if k < count:
                                weights[uint32(k * wide + column)] = coming[p]
                cuda.syncthreads()
                for r in range(high):
                    sums[r] = float32(0)
                if unit < count and share < shares:
                    for j in range(share, columns, shares):
                        weight = weights[uint32(unit * wide + j)]
                        for r in range(high):
                            sums[r] += carried[uint32(above + r * THREADS + j)] * weight
                for r in range(high):
                    parts[r * THREADS + thread] = sums[r]
                cuda.syncthreads()
                if thread < count:
                    for r in range(high):
                        row, k = top + r, base + thread
                        total = float32(0)
                        for other in range(shares):
                            total += parts[r * THREADS + (other << slice_bits) + thread]
                        if row < rows:
                            if layer > 0:
                                y = outputs[units + (points + row) * inputs + k]
                                total = passed_on(y, total, table[layer - 1, ACTIVATION], slope)
                                deltas[units + (first + row) * inputs + k] = total
                            else:
                                dx[row, k] = total
                        carried[below + r * THREADS + k] = total
                cuda.syncthreads()
            above, below = below, above

    return backward


FORWARD = {high: _make_forward(high) for high in HIGH}
BACKWARD = {high: _make_backward(high) for high in HIGH}
"""The raw kernels, by rows of a block."""


def rows_of_block(rows: int) -> int:
    """One of `HIGH`."""
    return next((high for high in HIGH if -(-rows // high) <= FULL), HIGH[-1])


@functools.lru_cache(maxsize=256)
def _there(layers: bytes, columns: Callable[..., list[list[int]]], *given: Any) -> Any:
    """A table of layers with more columns, on the device: made once, for a captured step may not copy from the host."""
    table = np.frombuffer(layers, np.int64).reshape(-1, UNITS + 1)
    return to_device(np.column_stack([table, columns(table, *given)]))


def _table(layers: np.ndarray, columns: Callable[..., list[list[int]]], *given: Any) -> Any:
    return _there(layers[:, : UNITS + 1].tobytes(), columns, *given)


def _bits(table: np.ndarray, room: int) -> list[list[int]]:
    """`OUTPUT_BITS` and `SLICE_BITS`: a slice has no more rows than the layer, than threads, and than fit."""
    return [
        [
            (outputs - 1).bit_length(),
            min(
                (inputs - 1).bit_length(),
                (room // (outputs | 1)).bit_length() - 1,
                THREADS.bit_length() - 1,
            ),
        ]
        for inputs, outputs in table[:, [INPUTS, OUTPUTS]].tolist()
    ]


@launched(network.layers_forward)
def _layers_forward(x, labels, layers, params, slope, max_rows, first, outputs):
    if is_narrow(layers):
        high = rows_of_block(len(x))
        numbers = np.float32(slope), np.int64(max_rows), np.int64(first)
        launch(
            FORWARD[high],
            -(-len(x) // high),
            THREADS,
            x,
            labels,
            _table(layers, _bits, ROOM),
            params,
            *numbers,
            outputs,
        )
        return
    network.layers_forward.dispatch(object)(x, labels, layers, params, slope, max_rows, first, outputs)


@launched(network.layers_backward_rows)
def _layers_backward_rows(deltas, layers, params, outputs, slope, max_rows, points, first, rows, dx):
    if is_narrow(layers):
        high = rows_of_block(rows)
        table = _table(layers, _bits, _room(high))
        numbers = np.float32(slope), *np.array([max_rows, points, first, rows], np.int64)
        launch(BACKWARD[high], -(-rows // high), THREADS, deltas, table, params, outputs, *numbers, dx)
        return
    network.layers_backward_rows.dispatch(object)(
        deltas, layers, params, outputs, slope, max_rows, points, first, rows, dx
    )


BLOCKS = UNITS + 1
"""Column of the table of `ADAM`: tiles of the layers before."""


@cuda.jit(device=True)
def _input(given, row, k):
    """Input `row` of row k: a number, the one-hot label's or, past the last, the bias's, which is always 1."""
    x, labels, outputs, _, inputs, _, below, _ = given[0]
    if row >= inputs:
        return float32(1)
    if below >= 0:
        return outputs[uint64(below + k * inputs + row)]
    if row < x.shape[1]:
        return x[k, row]
    return float32(1) if labels[k] == row - x.shape[1] else float32(0)


@cuda.jit(device=True)
def _delta(given, k, column):
    _, _, _, deltas, _, columns, _, above = given[0]
    return deltas[uint64(above + k * columns + column)]


@cuda.jit(device=True)
def _move(total, given, row, column):
    """Adam's step along the gradient `total` of one parameter; a layer's bias follows the weights' last row."""
    start, columns = given[2], given[0][5]
    params, grads, mean, square = given[1]
    i = uint64(start + row * columns + column)
    grads[i] = total
    params[i], mean[i], square[i] = adam_one(params[i], total, mean[i], square[i], *given[3])


def _make_adam(tile: Tile) -> Any:
    rows, columns = tile.rows, tile.columns
    make_tile = make_tile_product(tile, _input, _delta, _move, left_along=False, right_along=False)

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
        rate,
        updates,
        log1,
        log2,
        constants,
    ):
        layer = 0
        while layer < table.shape[0] - 1 and cuda.blockIdx.x >= table[layer + 1, BLOCKS]:
            layer += 1
        inputs, width = table[layer, INPUTS], table[layer, OUTPUTS]
        across = -(-width // columns)
        block = cuda.blockIdx.x - table[layer, BLOCKS]
        top, side = block // across * rows, block % across * columns
        below = table[layer - 1, UNITS] * max_rows if layer > 0 else -1
        above = table[layer, UNITS] * max_rows
        t = float32(updates[0])
        size = float32(rate[0] / -math.expm1(t * log1))
        correction = float32(float32(1) / math.sqrt(-math.expm1(t * log2)))
        given = (
            (x, labels, outputs, deltas, inputs, width, below, above),
            (params, grads, mean, square),
            table[layer, WEIGHTS],
            (size, correction, *constants),
        )
        make_tile(inputs + 1, width, x.shape[0], top, side, given)

    return adam


ADAM = {tile: _make_adam(tile) for tile in TILES}
"""The raw kernels, by tile: gradient and Adam's step of every layer, a block a tile."""


def _tiles(layers: np.ndarray, tile: Tile) -> list[int]:
    """Tiles of each layer's weights and bias."""
    sizes = layers[:, [INPUTS, OUTPUTS]].tolist()
    return [math.prod(tile.blocks(inputs + 1, outputs)) for inputs, outputs in sizes]


def tile_of(layers: np.ndarray) -> Tile:
    """The first of `TILES` that all layers together have enough of, or the smallest."""
    return next((tile for tile in TILES if sum(_tiles(layers, tile)) >= ENOUGH), TILES[-1])


def _tiles_before(table: np.ndarray, tile: Tile) -> list[list[int]]:
    """`BLOCKS`."""
    return np.cumsum([0, *_tiles(table, tile)])[:-1, None].tolist()


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
    rate,
    updates,
    beta1,
    beta2,
    epsilon,
):
    tile = tile_of(layers)
    table = _table(layers, _tiles_before, tile)
    numbers = np.int64(max_rows), rate, updates, *adam_constants(beta1, beta2, epsilon)
    arrays = params, grads, mean, square, table, x, labels, outputs, deltas
    launch(ADAM[tile], sum(_tiles(layers, tile)), tile.threads(len(x)), *arrays, *numbers)
