"""CUDA kernels of `fastgan_kernels.spectral`: a thread a column, or a block a row; one block for what is left.

Those of all layers of a network find the layer that a block works for in its table.
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


@cuda.jit
def column_sums(w, u, v):
    """``v = w^T u``; neighbours read neighbours."""
    j = cuda.grid(1)
    if j < v.size:
        total = float32(0)
        for i in range(u.size):
            total += w[i, j] * u[i]
        v[j] = total


@cuda.jit
def row_sums(a, b, out, one_row):
    """``out_i = sum_j a_ij b_ij``, or b_0j where b has one row; a block a row."""
    i, total = cuda.blockIdx.x, float32(0)
    for j in range(cuda.threadIdx.x, a.shape[1], TOGETHER):
        total += a[i, j] * b[0 if one_row else i, j]
    total = added(total)
    if cuda.threadIdx.x == 0:
        out[i] = total


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
def to_length_one(values, inverse):
    """Divide a vector by its length, whose inverse is kept if there is room; one block."""
    factor = _inverse_root(added(_squares(values, 0, values.size)))
    for i in range(cuda.threadIdx.x, values.size, TOGETHER):
        values[i] *= factor
    if cuda.threadIdx.x == 0 and inverse.size > 0:
        inverse[0] = factor


@launched(spectral.power_iteration)
def _power_iteration(w, u, v, inverse):
    launch_over(column_sums, v.size, w, u, v)
    launch(to_length_one, 1, TOGETHER, v, inverse[:0])
    launch(row_sums, len(w), TOGETHER, w, v.reshape(1, -1), u, True)
    launch(to_length_one, 1, TOGETHER, u, inverse)


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
def project(dw, u, v, inverse, sums):
    """``dw = (dw - sum(sums) u v^T) * inverse``, a block a row."""
    i, total = cuda.blockIdx.x, float32(0)
    for k in range(cuda.threadIdx.x, sums.size, TOGETHER):
        total += sums[k]
    shift = added(total) * u[i]
    for j in range(cuda.threadIdx.x, dw.shape[1], TOGETHER):
        dw[i, j] = (dw[i, j] - shift * v[j]) * inverse[0]


@launched(spectral.spectral_backward)
def _spectral_backward(dw, scaled, u, v, inverse, sums):
    launch(row_sums, len(dw), TOGETHER, dw, scaled, sums, False)
    launch(project, len(dw), TOGETHER, dw, u, v, inverse, sums)


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


@launched(spectral.layers_spectral_scale)
def _layers_spectral_scale(params, layers, left, right, inverse, scaled):
    known = layers_of(layers)
    table, rows = _table(known), sum(_rows(known))
    launch(layers_column_sums, sum(_groups(known)), TOGETHER, params, table, left, right)
    launch(layers_row_sums, rows, TOGETHER, params, table, left, right)
    launch(layers_scale, rows, TOGETHER, params, table, left, scaled)
    launch(layers_to_length_one, len(known), TOGETHER, table, left, right, inverse)


@launched(spectral.layers_spectral_backward)
def _layers_spectral_backward(grads, layers, scaled, left, right, inverse, sums):
    known = layers_of(layers)
    table, rows = _table(known), sum(_rows(known))
    launch(layers_scaled_sums, rows, TOGETHER, grads, table, scaled, sums)
    launch(layers_project, rows, TOGETHER, grads, table, left, right, inverse, sums)
