"""CUDA kernels of `fastgan_kernels.softmax`: a thread a group of columns."""

from __future__ import annotations

from numba import cuda, float32

from .. import softmax
from ..dispatch import launched
from ..elementary import exp
from .device import launch_over


@cuda.jit
def grouped_softmax(parts):
    """`softmax.grouped_softmax` of parts (groups, columns)."""
    i = cuda.grid(1)
    if i < parts.shape[0]:
        highest = parts[i, 0]
        for k in range(1, parts.shape[1]):
            highest = max(highest, parts[i, k])
        total = float32(0)
        for k in range(parts.shape[1]):
            value = exp(parts[i, k] - highest)
            parts[i, k] = value
            total += value
        for k in range(parts.shape[1]):
            parts[i, k] /= total


@launched(softmax.grouped_softmax)
def _grouped_softmax(y, group):
    parts = y.reshape(-1, group)
    launch_over(grouped_softmax, len(parts), parts)


@cuda.jit
def grouped_softmax_backward(parts, deltas):
    """`softmax.grouped_softmax_backward` of parts and deltas (groups, columns)."""
    i = cuda.grid(1)
    if i < parts.shape[0]:
        mean = float32(0)
        for k in range(parts.shape[1]):
            mean += parts[i, k] * deltas[i, k]
        for k in range(parts.shape[1]):
            deltas[i, k] = parts[i, k] * (deltas[i, k] - mean)


@launched(softmax.grouped_softmax_backward)
def _grouped_softmax_backward(y, dy, group):
    parts, deltas = y.reshape(-1, group), dy.reshape(-1, group)
    launch_over(grouped_softmax_backward, len(parts), parts, deltas)
