"""CUDA kernels of `fastgan_kernels.normalisation`: a thread an element, or a block adds up rows or columns."""

from __future__ import annotations

import numpy as np
from numba import cuda, float32

from .. import normalisation
from ..activations import activated
from ..dispatch import launched
from ..normalisation import centred, inverse_deviation, moved, normalised, unbiased
from .device import TOGETHER, added, launch, launch_over

COLUMNS = TOGETHER // 8
"""Of a block that adds up rows: neighbours in memory. Its other threads share the rows."""


@cuda.jit(device=True)
def _added_rows(value):
    """Sum of a value over the threads of a block that have the same column; always in the same order."""
    sums = cuda.shared.array(TOGETHER, float32)
    thread = cuda.threadIdx.x
    sums[thread] = value
    cuda.syncthreads()
    total = float32(0)
    for other in range(thread % COLUMNS, TOGETHER, COLUMNS):
        total += sums[other]
    cuda.syncthreads()  # the next sum is made in the same place
    return total


@cuda.jit
def batch_moments(z, first, stop, epsilon, mean, variance, inverse):
    """`normalisation.batch_moments`, a block some columns."""
    column = first + COLUMNS * cuda.blockIdx.x + cuda.threadIdx.x % COLUMNS
    start, rows, total = cuda.threadIdx.x // COLUMNS, z.shape[0], float32(0)
    mine = rows if column < stop else 0  # a thread without a column has no rows either
    for i in range(start, mine, TOGETHER // COLUMNS):
        total += z[i, column]
    middle, total = _added_rows(total) / float32(rows), float32(0)
    for i in range(start, mine, TOGETHER // COLUMNS):
        distance = z[i, column] - middle
        total += distance * distance
    spread = _added_rows(total) / float32(rows)
    if start == 0 and column < stop:
        mean[column], variance[column] = middle, spread
        inverse[column] = inverse_deviation(spread, epsilon)


@launched(normalisation.batch_moments)
def _batch_moments(z, first, stop, epsilon, mean, variance, inverse):
    arrays = mean, variance, inverse
    _launch_over_columns(batch_moments, z, first, stop, np.float32(epsilon), *arrays, count=stop - first)


def _launch_over_columns(kernel, *arguments, count):
    if count > 0:
        launch(kernel, -(-count // COLUMNS), TOGETHER, *arguments)


@cuda.jit
def norm_parameter_gradients(normed, dy, first, stop, dscale, dshift):
    """`normalisation.norm_parameter_gradients`, a block some columns."""
    column = first + COLUMNS * cuda.blockIdx.x + cuda.threadIdx.x % COLUMNS
    start, total, products = cuda.threadIdx.x // COLUMNS, float32(0), float32(0)
    mine = dy.shape[0] if column < stop else 0
    for i in range(start, mine, TOGETHER // COLUMNS):
        delta = dy[i, column]
        total += delta
        products += delta * normed[i, column]
    total, products = _added_rows(total), _added_rows(products)
    if start == 0 and column < stop:
        dscale[column], dshift[column] = products, total


@launched(normalisation.norm_parameter_gradients)
def _norm_parameter_gradients(normed, dy, first, stop, dscale, dshift):
    _launch_over_columns(
        norm_parameter_gradients, normed, dy, first, stop, dscale, dshift, count=stop - first
    )


@cuda.jit
def batch_norm_forward(normed, mean, inverse, scale, shift, activation, slope, y):
    """`normalisation.batch_norm_forward`."""
    place = cuda.grid(1)
    i, j = place // y.shape[1], place % y.shape[1]
    if i < y.shape[0]:
        value = normalised(normed[i, j], mean[j], inverse[j])
        normed[i, j] = value
        y[i, j] = activated(scale[j] * value + shift[j], activation, slope)


@launched(normalisation.batch_norm_forward)
def _batch_norm_forward(normed, mean, inverse, scale, shift, activation, slope, y):
    numbers = np.int32(activation), np.float32(slope)
    launch_over(batch_norm_forward, y.size, normed, mean, inverse, scale, shift, *numbers, y)


@cuda.jit
def layer_norm_forward(normed, epsilon, scale, shift, activation, slope, inverse, y):
    """`normalisation.layer_norm_forward`, a block a row."""
    i, columns, total = cuda.blockIdx.x, y.shape[1], float32(0)
    for j in range(cuda.threadIdx.x, columns, TOGETHER):
        total += normed[i, j]
    mean, total = added(total) / float32(columns), float32(0)
    for j in range(cuda.threadIdx.x, columns, TOGETHER):
        distance = normed[i, j] - mean
        total += distance * distance
    factor = inverse_deviation(added(total) / float32(columns), epsilon)
    for j in range(cuda.threadIdx.x, columns, TOGETHER):
        value = normalised(normed[i, j], mean, factor)
        normed[i, j] = value
        y[i, j] = activated(scale[j] * value + shift[j], activation, slope)
    if cuda.threadIdx.x == 0:
        inverse[i] = factor


@launched(normalisation.layer_norm_forward)
def _layer_norm_forward(normed, epsilon, scale, shift, activation, slope, inverse, y):
    if len(y) > 0:
        epsilon, slope = np.array([epsilon, slope], np.float32)
        numbers = np.int32(activation), slope
        launch(layer_norm_forward, len(y), TOGETHER, normed, epsilon, scale, shift, *numbers, inverse, y)


@cuda.jit
def batch_norm_backward(normed, dy, inverse, scale, dscale, dshift, share):
    """`normalisation.batch_norm_backward`, with ``1 / rows``."""
    place = cuda.grid(1)
    i, j = place // dy.shape[1], place % dy.shape[1]
    if i < dy.shape[0]:
        dy[i, j] = centred(
            normed[i, j], dy[i, j], share * dshift[j], share * dscale[j], scale[j] * inverse[j]
        )


@launched(normalisation.batch_norm_backward)
def _batch_norm_backward(normed, dy, inverse, scale, dscale, dshift, rows):
    share = np.float32(1 / rows)
    launch_over(batch_norm_backward, dy.size, normed, dy, inverse, scale, dscale, dshift, share)


@cuda.jit
def layer_norm_backward(normed, dy, inverse, scale):
    """`normalisation.layer_norm_backward`, a block a row."""
    i, columns, total, products = cuda.blockIdx.x, dy.shape[1], float32(0), float32(0)
    for j in range(cuda.threadIdx.x, columns, TOGETHER):
        g = scale[j] * dy[i, j]
        total += g
        products += g * normed[i, j]
    mean, slant = added(total) / float32(columns), added(products) / float32(columns)
    for j in range(cuda.threadIdx.x, columns, TOGETHER):
        dy[i, j] = centred(normed[i, j], scale[j] * dy[i, j], mean, slant, inverse[i])


@launched(normalisation.layer_norm_backward)
def _layer_norm_backward(normed, dy, inverse, scale):
    if len(dy) > 0:
        launch(layer_norm_backward, len(dy), TOGETHER, normed, dy, inverse, scale)


@cuda.jit
def update_running(mean, variance, keep, momentum, factor, running_mean, running_variance):
    """`normalisation.update_running`, with ``1 - momentum`` and what makes the variance unbiased."""
    j = cuda.grid(1)
    if j < mean.size:
        running_mean[j] = moved(running_mean[j], mean[j], keep, momentum)
        running_variance[j] = moved(running_variance[j], factor * variance[j], keep, momentum)


@launched(normalisation.update_running)
def _update_running(mean, variance, momentum, rows, running_mean, running_variance):
    numbers = np.array([1 - momentum, momentum, unbiased(rows)], np.float32)
    launch_over(update_running, mean.size, mean, variance, *numbers, running_mean, running_variance)


@cuda.jit
def running_inverse(variance, epsilon, inverse):
    """`normalisation.running_inverse`."""
    j = cuda.grid(1)
    if j < inverse.size:
        inverse[j] = inverse_deviation(variance[j], epsilon)


@launched(normalisation.running_inverse)
def _running_inverse(variance, epsilon, inverse):
    launch_over(running_inverse, inverse.size, variance, np.float32(epsilon), inverse)
