"""CUDA kernels of `fastgan_kernels.penalty`: a thread an element, or a row's threads together where they add up."""

from __future__ import annotations

import math

import numpy as np
from numba import cuda, float32

from .. import penalty
from ..dispatch import launched
from ..penalty import curved, slope_terms
from .device import TOGETHER, added, launch, launch_over


@cuda.jit
def mix_rows(a, b, weights, out):
    """`penalty.mix_rows`."""
    place = cuda.grid(1)
    columns = out.shape[1]
    i, j = place // columns, place % columns
    if i < out.shape[0]:
        out[i, j] = (a[i, j] - b[i, j]) * weights[i] + b[i, j]


@launched(penalty.mix_rows)
def _mix_rows(a, b, weights, out):
    launch_over(mix_rows, out.size, a, b, weights, out)


@cuda.jit
def first_column(out, value):
    """`penalty.first_column`."""
    place = cuda.grid(1)
    columns = out.shape[1]
    i, j = place // columns, place % columns
    if i < out.shape[0]:
        out[i, j] = value if j == 0 else float32(0)


@launched(penalty.first_column)
def _first_column(out, value):
    launch_over(first_column, out.size, out, np.float32(value))


@cuda.jit
def slope_penalty(slopes, centre, one_sided, weight, every, step, batch, losses):
    """`penalty.slope_penalty`, a block a row."""
    i, square = cuda.blockIdx.x, float32(0)
    for j in range(cuda.threadIdx.x, slopes.shape[1], TOGETHER):
        square += slopes[i, j] * slopes[i, j]
    square = added(square)
    if step[0] % every != 0:
        weight = float32(0)
    value, factor = slope_terms(square, centre, one_sided, weight)
    for j in range(cuda.threadIdx.x, slopes.shape[1], TOGETHER):
        slopes[i, j] *= factor / batch
    if cuda.threadIdx.x == 0:
        losses[0, i] = value
        losses[1, i] = math.sqrt(square) if weight > float32(0) else float32(0)


@launched(penalty.slope_penalty)
def _slope_penalty(slopes, centre, one_sided, weight, every, step, batch, losses):
    if len(slopes) > 0:
        centre, weight, batch = np.array([centre, weight * every, batch], np.float32)
        numbers = centre, bool(one_sided), weight, np.int32(every)
        launch(slope_penalty, len(slopes), TOGETHER, slopes, *numbers, step, batch, losses)


@cuda.jit
def activation_curvature(y, dz, tangent, activation, curvature):
    """`penalty.activation_curvature` of flat arrays."""
    i = cuda.grid(1)
    if i < y.size:
        curvature[i] = tangent[i] * dz[i] * curved(y[i], activation)


@launched(penalty.activation_curvature)
def _activation_curvature(y, dz, tangent, activation, curvature):
    flat = [each.reshape(-1) for each in (y, dz, tangent)]
    launch_over(activation_curvature, y.size, *flat, np.int32(activation), curvature.reshape(-1))


@cuda.jit
def add(source, out):
    """`penalty.add` of flat arrays."""
    i = cuda.grid(1)
    if i < out.size:
        out[i] += source[i]


@launched(penalty.add)
def _add(source, out):
    launch_over(add, out.size, source.reshape(-1), out.reshape(-1))


@launched(penalty.due)
def _due(step, every):
    return True
