"""CUDA kernels of `fastgan_kernels.spectral`, of all layers of a network at once; one layer is a network too.

A block finds the layer that it works for in the network's table.
"""

from __future__ import annotations

import math
from typing import Any

from numba import cuda, float32

from .. import spectral
from ..dispatch import launched
from ..layers import BIAS, INPUTS, OUTPUTS, UNITS, WEIGHTS
from .device import TOGETHER, added, launch, launch_over
from .table import Layer, layer_of, layers_of, on_device

_LEAST = float32(1e-12)

ABOVE, COLUMNS_BEFORE = UNITS + 1, UNITS + 2
"""Columns of the table of layers on the device: inputs of the layers before, and their groups of `ACROSS` outputs."""

ACROSS = TOGETHER // 4
"""Columns that a block adds up, by four groups of threads."""


@cuda.jit(device=True)
def _squares(values, start, size):
    """What one thread of a block adds to the squared length of a part of a vector."""
    total = float32(0)
    for i in range(start + cuda.threadIdx.x, start + size, TOGETHER):
        total += values[i] * values[i]
    return total


@cuda.jit(device=True)
def _inverse_root(square):
    return float32(1) / max(math.sqrt(square), _LEAST)


@cuda.jit
def spectral_scale(w, inverse, out):
    """`spectral.spectral_scale` of flat arrays."""
    i = cuda.grid(1)
    if i < out.size:
        out[i] = w[i] * inverse[0]


@launched(spectral.spectral_scale)
def _spectral_scale(w, inverse, out):
    launch_over(spectral_scale, out.size, w.reshape(-1), inverse, out.reshape(-1))


@cuda.jit
def layers_column_sums(params, table, left, right):
    """``v = w^T u`` of every layer, a block for `ACROSS` columns of one; v is not divided by its length yet."""
    sums = cuda.shared.array(TOGETHER, float32)
    layer, group = layer_of(table, COLUMNS_BEFORE, cuda.blockIdx.x)
    rows, columns, start, above = (
        table[layer, INPUTS],
        table[layer, OUTPUTS],
        table[layer, WEIGHTS],
        table[layer, ABOVE],
    )
    thread = cuda.threadIdx.x
    j = group * ACROSS + thread % ACROSS
    total = float32(0)
    for i in range(thread // ACROSS, rows, TOGETHER // ACROSS):
        total += params[start + i * columns + min(j, columns - 1)] * left[above + i]
    sums[thread] = total
    cuda.syncthreads()
    if thread < ACROSS and j < columns:
        for other in range(thread + ACROSS, TOGETHER, ACROSS):
            total += sums[other]
        right[table[layer, UNITS] + j] = total


@cuda.jit
def layers_row_sums(params, table, left, right):
    """``u = w v / |v|`` of every layer, a block a row; u is not divided by its length yet."""
    layer, i = layer_of(table, ABOVE, cuda.blockIdx.x)
    columns, units, total = table[layer, OUTPUTS], table[layer, UNITS], float32(0)
    row = table[layer, WEIGHTS] + i * columns
    for j in range(cuda.threadIdx.x, columns, TOGETHER):
        total += params[row + j] * right[units + j]
    total = added(total)
    square = added(_squares(right, units, columns))
    if cuda.threadIdx.x == 0:
        left[cuda.blockIdx.x] = total * _inverse_root(square)


@cuda.jit
def layers_scale(params, table, left, scaled):
    """``scaled = w / |u|`` of every layer, a block a row, the first of which brings the bias along."""
    layer, i = layer_of(table, ABOVE, cuda.blockIdx.x)
    columns, row = table[layer, OUTPUTS], table[layer, WEIGHTS] + i * table[layer, OUTPUTS]
    factor = _inverse_root(added(_squares(left, table[layer, ABOVE], table[layer, INPUTS])))
    for j in range(cuda.threadIdx.x, columns, TOGETHER):
        scaled[row + j] = params[row + j] * factor
        if i == 0:
            scaled[table[layer, BIAS] + j] = params[table[layer, BIAS] + j]


@cuda.jit
def layers_to_length_one(table, left, right, inverse):
    """Divide each layer's u and v by their lengths, and keep one over that of u; a block a layer."""
    layer = cuda.blockIdx.x
    above, units = table[layer, ABOVE], table[layer, UNITS]
    factor = _inverse_root(added(_squares(left, above, table[layer, INPUTS])))
    for i in range(cuda.threadIdx.x, table[layer, INPUTS], TOGETHER):
        left[above + i] *= factor
    if cuda.threadIdx.x == 0:
        inverse[layer] = factor
    factor = _inverse_root(added(_squares(right, units, table[layer, OUTPUTS])))
    for j in range(cuda.threadIdx.x, table[layer, OUTPUTS], TOGETHER):
        right[units + j] *= factor


@cuda.jit
def layers_scaled_sums(grads, table, scaled, sums):
    """``sums_i = sum_j dw_ij scaled_ij`` of every layer, a block a row."""
    layer, i = layer_of(table, ABOVE, cuda.blockIdx.x)
    columns, total = table[layer, OUTPUTS], float32(0)
    row = table[layer, WEIGHTS] + i * columns
    for j in range(cuda.threadIdx.x, columns, TOGETHER):
        total += grads[row + j] * scaled[row + j]
    total = added(total)
    if cuda.threadIdx.x == 0:
        sums[cuda.blockIdx.x] = total


@cuda.jit
def layers_project(grads, table, left, right, inverse, sums):
    """``dw = (dw - sum(sums) u v^T) * inverse`` of every layer, a block a row."""
    layer, i = layer_of(table, ABOVE, cuda.blockIdx.x)
    columns, units, total = table[layer, OUTPUTS], table[layer, UNITS], float32(0)
    row, above = table[layer, WEIGHTS] + i * columns, table[layer, ABOVE]
    for k in range(cuda.threadIdx.x, table[layer, INPUTS], TOGETHER):
        total += sums[above + k]
    shift = added(total) * left[above + i]
    for j in range(cuda.threadIdx.x, columns, TOGETHER):
        grads[row + j] = (grads[row + j] - shift * right[units + j]) * inverse[layer]


def _rows(layers: tuple[Layer, ...]) -> list[int]:
    """Blocks that work for a row of each layer's weights."""
    return [layer.inputs for layer in layers]


def _groups(layers: tuple[Layer, ...]) -> list[int]:
    """Blocks that add up the columns of each layer."""
    return [-(-layer.outputs // ACROSS) for layer in layers]


def _table(layers: tuple[Layer, ...]) -> Any:
    return on_device(layers, _rows(layers), _groups(layers))


def _one_layer(inputs: int, outputs: int) -> tuple[Layer, ...]:
    """A network of one layer, whose weights (inputs, outputs) are all of its vector."""
    return (Layer(inputs, outputs, 0, inputs * outputs, 0, 0),)


def _iterate(params: Any, layers: tuple[Layer, ...], left: Any, right: Any) -> None:
    """``v = w^T u / |w^T u|`` and ``u = w v``, whose lengths nobody has divided by yet."""
    launch(layers_column_sums, sum(_groups(layers)), TOGETHER, params, _table(layers), left, right)
    launch(layers_row_sums, sum(_rows(layers)), TOGETHER, params, _table(layers), left, right)


def _project(grads: Any, layers: tuple[Layer, ...], scaled: Any, *state: Any) -> None:
    """Take the singular vectors' part out of the gradients; state is left, right, inverse and sums."""
    table, rows = _table(layers), sum(_rows(layers))
    launch(layers_scaled_sums, rows, TOGETHER, grads, table, scaled, state[-1])
    launch(layers_project, rows, TOGETHER, grads, table, *state)


@launched(spectral.power_iteration)
def _power_iteration(w, u, v, inverse):
    layer = _one_layer(*w.shape)
    _iterate(w.reshape(-1), layer, u, v)
    launch(layers_to_length_one, 1, TOGETHER, _table(layer), u, v, inverse)


@launched(spectral.spectral_backward)
def _spectral_backward(dw, scaled, u, v, inverse, sums):
    _project(dw.reshape(-1), _one_layer(*dw.shape), scaled.reshape(-1), u, v, inverse, sums)


@launched(spectral.layers_spectral_scale)
def _layers_spectral_scale(params, layers, left, right, inverse, scaled):
    known = layers_of(layers)
    table = _table(known)
    _iterate(params, known, left, right)
    launch(layers_scale, sum(_rows(known)), TOGETHER, params, table, left, scaled)
    launch(layers_to_length_one, len(known), TOGETHER, table, left, right, inverse)


@launched(spectral.layers_spectral_backward)
def _layers_spectral_backward(grads, layers, scaled, left, right, inverse, sums):
    _project(grads, layers_of(layers), scaled, left, right, inverse, sums)
