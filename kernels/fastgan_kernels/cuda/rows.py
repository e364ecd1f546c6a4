"""CUDA kernels of `fastgan_kernels.rows`: a thread an element."""

from __future__ import annotations

from numba import cuda, float32

from .. import rows
from ..dispatch import launched
from .device import launch_over


@cuda.jit
def gather_rows(data, indices, scale, shift, out):
    """`rows.gather_rows`; neighbours read neighbours, and each row's index once a cache line."""
    place = cuda.grid(1)
    columns = out.shape[1]
    i, j = place // columns, place % columns
    if i < out.shape[0]:
        out[i, j] = float32(data[indices[i], j]) * scale[j] + shift[j]


@launched(rows.gather_rows)
def _gather_rows(data, indices, scale, shift, out):
    launch_over(gather_rows, out.size, data, indices, scale, shift, out)


@cuda.jit
def gather_labels(labels, indices, out):
    """`rows.gather_labels`."""
    i = cuda.grid(1)
    if i < out.size:
        out[i] = labels[indices[i]]


@launched(rows.gather_labels)
def _gather_labels(labels, indices, out):
    launch_over(gather_labels, out.size, labels, indices, out)


@cuda.jit
def one_hot_rows(data, indices, vocabulary, out):
    """`rows.one_hot_rows`."""
    place = cuda.grid(1)
    columns = out.shape[1]
    i, j = place // columns, place % columns
    if i < out.shape[0]:
        out[i, j] = float32(1) if data[indices[i], j // vocabulary] == j % vocabulary else float32(0)


@launched(rows.one_hot_rows)
def _one_hot_rows(data, indices, vocabulary, out):
    launch_over(one_hot_rows, out.size, data, indices, vocabulary, out)


@cuda.jit
def copy(source, out):
    """`rows.copy`, of flat arrays."""
    i = cuda.grid(1)
    if i < out.size:
        out[i] = source[i]


@launched(rows.copy)
def _copy(source, out):
    launch_over(copy, out.size, source.reshape(-1), out.reshape(-1))
