"""CUDA kernels of `fastgan_kernels.spectral`: a thread a column, or a block a row; one block for what is left."""

from __future__ import annotations

import math

from numba import cuda, float32

from .. import spectral
from ..dispatch import launched
from .device import TOGETHER, added, launch, launch_over

_LEAST = float32(1e-12)


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


@cuda.jit
def to_length_one(values, inverse):
    """Divide a vector by its length, whose inverse is kept if there is room; one block."""
    square = float32(0)
    for i in range(cuda.threadIdx.x, values.size, TOGETHER):
        square += values[i] * values[i]
    factor = float32(1) / max(math.sqrt(added(square)), _LEAST)
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
