"""CUDA kernels of `fastgan_kernels.layers`: a network of narrow layers in one launch; see `narrow`."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numba import cuda, float32

from .. import layers as network
from ..activations import activated, passed_on
from ..dispatch import launched
from ..penalty import curved
from .device import launch
from .narrow import (
    HIGH,
    THREADS,
    bounds,
    held_down,
    held_up,
    is_narrow,
    make_down,
    make_look,
    make_up,
    one_after_the_other,
    rows_of_block,
    way_down,
)
from .table import Layer, layers_of

__all__ = ["HIGH", "is_narrow", "make_backward", "make_forward", "make_tangent"]

_device = cuda.jit(device=True)


def _forward_layer(layer: Layer, high: int, place: int, labelled: bool) -> tuple[Any, Any]:
    """Make the part of a layer that asks for weights and bias, kept from `place` on, and the one that runs it."""
    columns, bias, activation, units = layer.outputs, layer.bias, layer.activation, layer.units
    fetch_weights, multiply, add_up = make_up(layer, high, place)
    bias_place = place + held_up(layer)

    @_device
    def fetch(params, held):
        fetch_weights(params, held)
        held[bias_place] = params[bias + min(cuda.threadIdx.x & (THREADS - 1), columns - 1)]

    @_device
    def run(held, given, values, parts, outputs, top, rows, max_rows, first, slope):
        thread = cuda.threadIdx.x & (THREADS - 1)
        multiply(held, values, parts)
        if thread < columns:
            for r in range(high):
                total = add_up(parts, r, held[bias_place])
                if labelled:
                    total += given[r]
                total = activated(total, activation, slope)
                values[r * THREADS + thread] = total
                if top + r < rows:
                    outputs[units * max_rows + (first + top + r) * columns + thread] = total
        cuda.syncthreads()

    return fetch, run


@functools.cache
def make_forward(layers: tuple[Layer, ...], read: int, high: int) -> Any:
    """Make the kernel ``(x, labels, params, slope, max_rows, first, outputs)`` of one network for x of `read` columns.

    Its arguments are those of `layers.layers_forward`, slope float32 and whole numbers int64. Of the first layer's
    inputs, those after the columns of x are one-hot labels. A block has `narrow.THREADS` threads and `high` rows of x.
    """
    labelled, classes_at, width = read < layers[0].inputs, layers[0].weights, layers[0].outputs
    layers = (layers[0]._replace(inputs=read), *layers[1:])
    place, fetches, runs = 0, [], []
    for index, layer in enumerate(layers):
        fetch, run = _forward_layer(layer, high, place, labelled and index == 0)
        fetches.append(fetch)
        runs.append(run)
        place += held_up(layer) + 1
    size, held_size = high * THREADS, place
    fetch_all, run_all = one_after_the_other(fetches), one_after_the_other(runs)

    @cuda.jit(**bounds(held_size))
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


def _tangent_layer(layer: Layer, high: int, place: int, index: int, smooth: bool) -> tuple[Any, Any, Any]:
    """Make the parts of a layer that ask for weights and for its outputs, and the one that carries tangents up."""
    columns, activation, units = layer.outputs, layer.activation, layer.units
    fetch, multiply, add_up = make_up(layer, high, place)

    @_device
    def run(held, seen, bent, values, parts, outputs, curvature, top, rows, max_rows, points, first, slope):
        thread = cuda.threadIdx.x & (THREADS - 1)
        multiply(held, values, parts)
        if thread < columns:
            for r in range(high):
                total, y, row = add_up(parts, r, float32(0)), seen[index * high + r], top + r
                if smooth and row < rows:
                    change = total * bent[index * high + r] * curved(y, activation)
                    curvature[units * max_rows + (points + row) * columns + thread] = change
                total = passed_on(y, total, activation, slope)
                values[r * THREADS + thread] = total
                if row < rows:
                    outputs[units * max_rows + (first + row) * columns + thread] = total
        cuda.syncthreads()

    return fetch, make_look(units, columns, high, index), run


@functools.cache
def make_tangent(layers: tuple[Layer, ...], smooth: bool, high: int) -> Any:
    """Make the kernel ``(x, params, deltas, slope, max_rows, points, first, outputs, curvature)`` of hidden layers.

    Its arguments are those of `layers.layers_tangent`; curvature is written if `smooth`. Blocks as `make_forward`.
    """
    place, fetches, looks, runs = 0, [], [], []
    for index, layer in enumerate(layers):
        fetch, look, run = _tangent_layer(layer, high, place, index, smooth)
        fetches.append(fetch)
        looks.append(look)
        runs.append(run)
        place += held_up(layer)
    size, held_size, seen_size, read = high * THREADS, place, len(layers) * high, layers[0].inputs
    bent_size = seen_size if smooth else 1
    fetch_all, look_all, run_all = (one_after_the_other(each) for each in (fetches, looks, runs))

    @cuda.jit(**bounds(held_size + seen_size + bent_size))
    def tangent(x, params, deltas, slope, max_rows, points, first, outputs, curvature):
        values = cuda.shared.array(size, float32)
        parts = cuda.shared.array(size, float32)
        held = cuda.local.array(held_size, float32)
        seen = cuda.local.array(seen_size, float32)
        bent = cuda.local.array(bent_size, float32)
        thread, rows, top = cuda.threadIdx.x & (THREADS - 1), x.shape[0], cuda.blockIdx.x * high
        fetch_all(params, held)
        look_all(outputs, seen, top, rows, max_rows, points)
        if smooth:
            look_all(deltas, bent, top, rows, max_rows, first)
        if thread < read:
            for r in range(high):
                values[r * THREADS + thread] = x[min(top + r, rows - 1), thread]
        cuda.syncthreads()
        run_all(
            held, seen, bent, values, parts, outputs, curvature, top, rows, max_rows, points, first, slope
        )

    return tangent


def _backward_layer(
    layer: Layer, below: Layer | None, high: int, place: int, index: int, wide: int, smooth: bool
) -> tuple[Any, Any]:
    """Make the part of a layer that asks for weights, and the one that carries deltas down to the one below."""
    inputs, onto = layer.inputs, below is None  # the network's input
    units, activation = (below.units, below.activation) if below else (0, 0)
    fetch, multiply, add_up = make_down(layer, place, wide)

    @_device
    def run(held, seen, bent, values, parts, deltas, dx, top, rows, max_rows, first, slope):
        thread = cuda.threadIdx.x & (THREADS - 1)
        for r in range(high):
            multiply(held, values, parts, r)
            if thread < inputs:
                total = add_up(parts)
                if not onto:
                    total = passed_on(seen[index * high + r], total, activation, slope)
                    if smooth:
                        total += bent[index * high + r]
                if top + r < rows:
                    if onto:
                        dx[top + r, thread] = total
                    else:
                        deltas[units * max_rows + (first + top + r) * inputs + thread] = total
                values[r * THREADS + thread] = total
            cuda.syncthreads()

    return fetch, run


@_device
def _look_at_nothing(arena, seen, top, rows, max_rows, start):
    pass


@functools.cache
def make_backward(layers: tuple[Layer, ...], onto_input: bool, smooth: bool, high: int) -> Any:
    """Make the kernel ``(deltas, params, outputs, slope, max_rows, points, first, rows, curvature, dx)`` of a network.

    Its arguments are those of `layers.layers_backward_rows`; dx is written if `onto_input`, and curvature read if
    `smooth`. Blocks as `make_forward`.
    """
    place, parts_size = 0, 1
    fetches: list[Any] = []
    looks: list[Any] = [_look_at_nothing]
    runs: list[Any] = []
    for index in range(len(layers) - 1, -1 if onto_input else 0, -1):
        layer, below = layers[index], layers[index - 1] if index else None
        wide = (1 << way_down(layer)[0]) + 1  # so that neighbours begin in other banks
        parts_size = max(parts_size, layer.inputs * wide)
        if below:
            looks.append(make_look(below.units, below.outputs, high, len(runs)))
        fetch, run = _backward_layer(layer, below, high, place, len(runs), wide, smooth)
        fetches.append(fetch)
        runs.append(run)
        place += held_down(layer)
    size, held_size, seen_size = high * THREADS, place, len(runs) * high
    bent_size = seen_size if smooth else 1
    fetch_all, look_all, run_all = (one_after_the_other(each) for each in (fetches, looks, runs))
    units, columns = layers[-1].units, layers[-1].outputs

    @cuda.jit(**bounds(held_size + seen_size + bent_size, alone=smooth))
    def backward(deltas, params, outputs, slope, max_rows, points, first, rows, curvature, dx):
        values = cuda.shared.array(size, float32)
        parts = cuda.shared.array(parts_size, float32)
        held = cuda.local.array(held_size, float32)
        seen = cuda.local.array(seen_size, float32)
        bent = cuda.local.array(bent_size, float32)
        thread, top = cuda.threadIdx.x & (THREADS - 1), cuda.blockIdx.x * high
        fetch_all(params, held)
        look_all(outputs, seen, top, rows, max_rows, points)
        if smooth:
            look_all(curvature, bent, top, rows, max_rows, points)
        if thread < columns:
            for r in range(high):
                at = units * max_rows + (first + min(top + r, rows - 1)) * columns
                values[r * THREADS + thread] = deltas[at + thread]
        cuda.syncthreads()
        run_all(held, seen, bent, values, parts, deltas, dx, top, rows, max_rows, first, slope)

    return backward


@launched(network.layers_forward)
def _layers_forward(x, labels, layers, params, slope, max_rows, first, outputs):
    known, high = layers_of(layers), rows_of_block(len(x))
    if not is_narrow(known, high, lambda layer: held_up(layer) + 1):
        network.layers_forward.dispatch(object)(x, labels, layers, params, slope, max_rows, first, outputs)
    elif len(x) > 0:
        numbers = np.float32(slope), np.int64(max_rows), np.int64(first)
        kernel = make_forward(known, x.shape[1], high)
        launch(kernel, -(-len(x) // high), THREADS, x, labels, params, *numbers, outputs)


@launched(network.layers_tangent)
def _layers_tangent(x, layers, params, deltas, slope, max_rows, points, first, outputs, curvature):
    known, high, smooth = layers_of(layers)[:-1], rows_of_block(len(x)), curvature.size > 0
    if not known or len(x) == 0:
        return
    if not is_narrow(known, high, lambda layer: held_up(layer) + (1 + smooth) * high):
        network.layers_tangent.dispatch(object)(
            x, layers, params, deltas, slope, max_rows, points, first, outputs, curvature
        )
        return
    numbers = np.float32(slope), *np.array([max_rows, points, first], np.int64)
    kernel = make_tangent(known, smooth, high)
    launch(kernel, -(-len(x) // high), THREADS, x, params, deltas, *numbers, outputs, curvature)


@launched(network.layers_backward_rows)
def _layers_backward_rows(
    deltas, layers, params, outputs, slope, max_rows, points, first, rows, curvature, dx
):
    known, high, smooth = layers_of(layers), rows_of_block(rows), curvature.size > 0
    crossed = known if dx.size > 0 else known[1:]
    if rows == 0 or not crossed:
        return
    if not is_narrow(crossed, high, lambda layer: held_down(layer) + (1 + smooth) * high):
        network.layers_backward_rows.dispatch(object)(
            deltas, layers, params, outputs, slope, max_rows, points, first, rows, curvature, dx
        )
        return
    numbers = np.float32(slope), *np.array([max_rows, points, first, rows], np.int64)
    kernel = make_backward(known, dx.size > 0, smooth, high)
    launch(kernel, -(-rows // high), THREADS, deltas, params, outputs, *numbers, curvature, dx)
