"""CUDA kernels of `fastgan_kernels.maxout`: a thread a unit; the width of z says how many pieces it has."""

from __future__ import annotations

from numba import cuda, float32

from ..dispatch import launched
from ..maxout import beats
from ..maxout import maxout as _op
from ..maxout import maxout_backward as _backward_op
from ..maxout import maxout_tangent as _tangent_op
from .device import launch_over


@cuda.jit(device=True)
def _highest(z, i, j, outputs):
    """Column of the highest piece of unit j in row i."""
    best, column = z[i, j], j
    for other in range(j + outputs, z.shape[1], outputs):
        piece = z[i, other]
        if beats(piece, best):
            best, column = piece, other
    return column


@cuda.jit
def maxout(z, y):
    """`maxout.maxout`."""
    place, outputs = cuda.grid(1), y.shape[1]
    i, j = place // outputs, place % outputs
    if i < y.shape[0]:
        y[i, j] = z[i, _highest(z, i, j, outputs)]


@launched(_op)
def _maxout(z, pieces, y):
    launch_over(maxout, y.size, z, y)


@cuda.jit
def maxout_backward(z, dy, dz):
    """`maxout.maxout_backward`."""
    place, outputs = cuda.grid(1), dy.shape[1]
    i, j = place // outputs, place % outputs
    if i < dy.shape[0]:
        column = _highest(z, i, j, outputs)
        for other in range(j, z.shape[1], outputs):
            dz[i, other] = dy[i, j] if other == column else float32(0)


@launched(_backward_op)
def _maxout_backward(z, pieces, dy, dz):
    launch_over(maxout_backward, dy.size, z, dy, dz)


@cuda.jit
def maxout_tangent(z, dz, dy):
    """`maxout.maxout_tangent`."""
    place, outputs = cuda.grid(1), dy.shape[1]
    i, j = place // outputs, place % outputs
    if i < dy.shape[0]:
        dy[i, j] = dz[i, _highest(z, i, j, outputs)]


@launched(_tangent_op)
def _maxout_tangent(z, pieces, dz, dy):
    launch_over(maxout_tangent, dy.size, z, dz, dy)
