"""CUDA kernels of `fastgan_kernels.columns`: a thread an element of what is written."""

from __future__ import annotations

from numba import cuda

from .. import columns
from ..dispatch import launched
from .device import launch_over


@cuda.jit
def join_columns(left, right, out):
    """`columns.join_columns`."""
    place, width, split = cuda.grid(1), out.shape[1], left.shape[1]
    i, j = place // width, place % width
    if i < out.shape[0]:
        out[i, j] = left[i, j] if j < split else right[i, j - split]


@launched(columns.join_columns)
def _join_columns(left, right, out):
    launch_over(join_columns, out.size, left, right, out)


@cuda.jit
def take_columns(joined, first, out):
    """`columns.take_columns`."""
    place, width = cuda.grid(1), out.shape[1]
    i, j = place // width, place % width
    if i < out.shape[0]:
        out[i, j] = joined[i, first + j]


@launched(columns.take_columns)
def _take_columns(joined, first, out):
    launch_over(take_columns, out.size, joined, first, out)


@cuda.jit
def add_columns(joined, first, out):
    """`columns.add_columns`."""
    place, width = cuda.grid(1), out.shape[1]
    i, j = place // width, place % width
    if i < out.shape[0]:
        out[i, j] += joined[i, first + j]


@launched(columns.add_columns)
def _add_columns(joined, first, out):
    launch_over(add_columns, out.size, joined, first, out)
