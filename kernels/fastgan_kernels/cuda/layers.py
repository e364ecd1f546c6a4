"""CUDA kernels of `fastgan_kernels.layers`: a network of narrow layers in one launch, a block for a few of its rows.

The rows of a batch do not meet before a gradient is made, so a block carries its own through all layers, in shared
memory. What waits is memory, not arithmetic: each thread asks for its weights of all layers at once and holds them in
registers. Kernels are made for one network, whose sizes are constants in them.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
from numba import cuda, float32

from .. import layers as network
from ..activations import activated, passed_on
from ..dispatch import launched
from ..layers import UNITS
from .device import SIMULATED, launch

THREADS = 16 if SIMULATED else 512
"""Of a block; no layer may be wider."""

MOST_HELD = {1: 80, 2: 56, 4: 56}
"""Numbers that a thread holds in registers, at most, by rows of a block: for all it may have 128."""

MOST_LAYERS = 8
"""Of a network: kernels of deeper ones take long to compile."""

BOUNDED: dict[str, Any] = {} if SIMULATED else {"launch_bounds": THREADS}
"""What tells the compiler how many registers there are."""

MOST_SHARES = 16
"""Threads that share the depth of one sum, at most; their parts are added up one after the other."""

MOST_PARTS = 8192
"""Numbers of the parts in shared memory, at most."""

HIGH = tuple(MOST_HELD)
"""Rows of a block: as few as keep the card full."""

FULL = 132
"""Blocks that fill a card."""

_device = cuda.jit(device=True)


class Layer(NamedTuple):
    """A row of the table of layers, and how the threads of a block share the layer."""

    inputs: int
    outputs: int
    weights: int
    bias: int
    activation: int
    units: int

    @property
    def forward(self) -> tuple[int, int, int]:
        """Bits of the power of 2 that holds the outputs, threads that share one of them, and weights of a thread."""
        bits = (self.outputs - 1).bit_length()
        shares = min(MOST_SHARES, THREADS >> bits)
        return bits, shares, -(-self.inputs // shares)

    @property
    def backward(self) -> tuple[int, int, int]:
        """Bits of the threads that share an input, next to each other; inputs of a thread, and weights for each."""
        room = (MOST_PARTS // self.inputs).bit_length() - 2
        bits = min((self.outputs - 1).bit_length(), room, 2 if SIMULATED else 5)
        return bits, -(-self.inputs // (THREADS >> bits)), -(-self.outputs >> bits)

    def held(self, high: int) -> tuple[int, int]:
        """Numbers that a thread holds of this layer: weights and a bias, and, backward, weights and what it made."""
        _, _, each = self.forward
        _, some, of_each = self.backward
        return each + 1, some * of_each + high


def layers_of(table: np.ndarray) -> tuple[Layer, ...]:
    """A table of layers as constants."""
    return tuple(Layer(*row) for row in table[:, : UNITS + 1].tolist())


def is_narrow(layers: tuple[Layer, ...], high: int) -> bool:
    """Whether one launch runs all layers: whether the threads of a block can hold all weights."""
    if len(layers) > MOST_LAYERS or max(max(layer.inputs, layer.outputs) for layer in layers) > THREADS:
        return False
    return max(map(sum, zip(*(layer.held(high) for layer in layers), strict=True))) <= MOST_HELD[high]


def _forward_layer(layer: Layer, high: int, place: int, labelled: bool) -> tuple[Any, Any]:
    """Make the part of a layer that asks for weights, kept from `place` on, and the one that runs it."""
    inputs, columns, start, bias, activation, units = layer
    bits, shares, each = layer.forward
    mask, last = (1 << bits) - 1, columns - 1

    @_device
    def fetch(params, held):
        column, share = min(cuda.threadIdx.x & mask, last), cuda.threadIdx.x >> bits & (shares - 1)
        for p in range(each):
            held[place + p] = params[start + min(share + p * shares, inputs - 1) * columns + column]
        held[place + each] = params[bias + min(cuda.threadIdx.x & (THREADS - 1), last)]

    @_device
    def run(held, given, values, parts, outputs, top, rows, max_rows, first, slope):
        thread = cuda.threadIdx.x & (THREADS - 1)
        share = thread >> bits & (shares - 1)
        for r in range(high):
            total = float32(0)
            for p in range(each):
                if (p + 1) * shares <= inputs or share + p * shares < inputs:
                    total += values[r * THREADS + share + p * shares] * held[place + p]
            parts[r * THREADS + thread] = total
        cuda.syncthreads()
        if thread < columns:
            for r in range(high):
                total = held[place + each]
                for other in range(shares):
                    total += parts[r * THREADS + (other << bits) + thread]
                if labelled:
                    total += given[r]
                total = activated(total, activation, slope)
                values[r * THREADS + thread] = total
                if top + r < rows:
                    outputs[units * max_rows + (first + top + r) * columns + thread] = total
        cuda.syncthreads()

    return fetch, run


def _one_after_the_other(parts: list[Any]) -> Any:
    """Make one device function that calls all of these with its arguments."""
    if len(parts) == 1:
        return parts[0]
    first, others = parts[0], _one_after_the_other(parts[1:])

    @_device
    def both(*given):
        first(*given)
        others(*given)

    return both


@functools.cache
def make_forward(layers: tuple[Layer, ...], read: int, high: int) -> Any:
    """Make the kernel ``(x, labels, params, slope, max_rows, first, outputs)`` of one network for x of `read` columns.

    Its arguments are those of `layers.layers_forward`, slope float32 and whole numbers int64. Of the first layer's
    inputs, those after the columns of x are one-hot labels. A block has `THREADS` threads and `high` rows of x.
    """
    labelled, classes_at, width = read < layers[0].inputs, layers[0].weights, layers[0].outputs
    layers = (layers[0]._replace(inputs=read), *layers[1:])
    place, fetches, runs = 0, [], []
    for index, layer in enumerate(layers):
        fetch, run = _forward_layer(layer, high, place, labelled and index == 0)
        fetches.append(fetch)
        runs.append(run)
        place += layer.forward[2] + 1
    size, held_size = high * THREADS, place
    fetch_all, run_all = _one_after_the_other(fetches), _one_after_the_other(runs)

    @cuda.jit(**BOUNDED)
    def forward(x, labels, params, slope, max_rows, first, outputs):
        values = cuda.shared.array(size, float32)
        parts = cuda.shared.array(size, float32)
        held = cuda.local.array(held_size, float32)
        given = cuda.local.array(high, float32)
        thread, rows, top = cuda.threadIdx.x & (THREADS - 1), x.shape[0], cuda.blockIdx.x * high
        fetch_all(params, held)
        for r in range(high):
            row = min(top + r, rows - 1)
            if thread < read:
                values[r * THREADS + thread] = x[row, thread]
            if labelled:
                given[r] = params[classes_at + (read + labels[row]) * width + min(thread, width - 1)]
        cuda.syncthreads()
        run_all(held, given, values, parts, outputs, top, rows, max_rows, first, slope)

    return forward


def _backward_layer(
    layer: Layer, below: Layer | None, high: int, place: int, index: int, wide: int
) -> tuple[Any, Any, Any]:
    """Make the parts of a layer that ask for weights and for outputs below, and the one that carries deltas down."""
    inputs, columns, start = layer.inputs, layer.outputs, layer.weights
    bits, some, each = layer.backward
    lanes, lines, mask = 1 << bits, THREADS >> bits, (1 << bits) - 1
    units, activation = (below.units, below.activation) if below else (0, 0)
    onto = below is None  # the network's input

    @_device
    def fetch(params, held):
        lane, line = cuda.threadIdx.x & mask, cuda.threadIdx.x >> bits & (lines - 1)
        for i in range(some):
            row = start + min(line + i * lines, inputs - 1) * columns
            for j in range(each):
                held[place + i * each + j] = params[row + min(lane + j * lanes, columns - 1)]

    @_device
    def look(outputs, seen, top, rows, max_rows, points):
        if not onto:
            for r in range(high):
                at = units * max_rows + (points + min(top + r, rows - 1)) * inputs
                seen[index * high + r] = outputs[at + min(cuda.threadIdx.x & (THREADS - 1), inputs - 1)]

    @_device
    def run(held, seen, values, parts, deltas, dx, top, rows, max_rows, first, slope):
        thread = cuda.threadIdx.x & (THREADS - 1)
        lane, line = thread & mask, thread >> bits
        for r in range(high):
            for i in range(some):
                total = float32(0)
                for j in range(each):
                    if (j + 1) * lanes <= columns or lane + j * lanes < columns:
                        total += values[r * THREADS + lane + j * lanes] * held[place + i * each + j]
                if (i + 1) * lines <= inputs or line + i * lines < inputs:
                    parts[(line + i * lines) * wide + lane] = total
            cuda.syncthreads()
            if thread < inputs:
                total = float32(0)
                for other in range(lanes):
                    total += parts[thread * wide + other]
                if not onto:
                    total = passed_on(seen[index * high + r], total, activation, slope)
                if top + r < rows:
                    if onto:
                        dx[top + r, thread] = total
                    else:
                        deltas[units * max_rows + (first + top + r) * inputs + thread] = total
                values[r * THREADS + thread] = total
            cuda.syncthreads()

    return fetch, look, run


@functools.cache
def make_backward(layers: tuple[Layer, ...], onto_input: bool, high: int) -> Any:
    """Make the kernel ``(deltas, params, outputs, slope, max_rows, points, first, rows, dx)`` of one network.

    Its arguments are those of `layers.layers_backward_rows`; dx is written if `onto_input`. Blocks as `make_forward`.
    """
    place, parts_size = 0, 1
    fetches: list[Any] = []
    looks: list[Any] = []
    runs: list[Any] = []
    for index in range(len(layers) - 1, -1 if onto_input else 0, -1):
        layer = layers[index]
        bits, some, each = layer.backward
        wide = (1 << bits) + 1  # so that neighbours begin in other banks
        parts_size = max(parts_size, layer.inputs * wide)
        fetch, look, run = _backward_layer(
            layer, layers[index - 1] if index else None, high, place, len(runs), wide
        )
        fetches.append(fetch)
        looks.append(look)
        runs.append(run)
        place += some * each
    size, held_size, seen_size = high * THREADS, place, len(runs) * high
    fetch_all, look_all, run_all = (_one_after_the_other(each) for each in (fetches, looks, runs))
    units, columns = layers[-1].units, layers[-1].outputs

    @cuda.jit(**BOUNDED)
    def backward(deltas, params, outputs, slope, max_rows, points, first, rows, dx):
        values = cuda.shared.array(size, float32)
        parts = cuda.shared.array(parts_size, float32)
        held = cuda.local.array(held_size, float32)
        seen = cuda.local.array(seen_size, float32)
        thread, top = cuda.threadIdx.x & (THREADS - 1), cuda.blockIdx.x * high
        fetch_all(params, held)
        look_all(outputs, seen, top, rows, max_rows, points)
        if thread < columns:
            for r in range(high):
                at = units * max_rows + (first + min(top + r, rows - 1)) * columns
                values[r * THREADS + thread] = deltas[at + thread]
        cuda.syncthreads()
        run_all(held, seen, values, parts, deltas, dx, top, rows, max_rows, first, slope)

    return backward


def rows_of_block(rows: int) -> int:
    """One of `HIGH`."""
    return next((high for high in HIGH if -(-rows // high) <= FULL), HIGH[-1])


@launched(network.layers_forward)
def _layers_forward(x, labels, layers, params, slope, max_rows, first, outputs):
    known, high = layers_of(layers), rows_of_block(len(x))
    if not is_narrow(known, high):
        network.layers_forward.dispatch(object)(x, labels, layers, params, slope, max_rows, first, outputs)
    elif len(x) > 0:
        numbers = np.float32(slope), np.int64(max_rows), np.int64(first)
        kernel = make_forward(known, x.shape[1], high)
        launch(kernel, -(-len(x) // high), THREADS, x, labels, params, *numbers, outputs)


@launched(network.layers_backward_rows)
def _layers_backward_rows(deltas, layers, params, outputs, slope, max_rows, points, first, rows, dx):
    known, high = layers_of(layers), rows_of_block(rows)
    if not is_narrow(known, high):
        network.layers_backward_rows.dispatch(object)(
            deltas, layers, params, outputs, slope, max_rows, points, first, rows, dx
        )
    elif rows > 0 and (len(known) > 1 or dx.size > 0):  # a single layer has none below it
        numbers = np.float32(slope), *np.array([max_rows, points, first, rows], np.int64)
        kernel = make_backward(known, dx.size > 0, high)
        launch(kernel, -(-rows // high), THREADS, deltas, params, outputs, *numbers, dx)
