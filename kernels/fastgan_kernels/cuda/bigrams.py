"""CUDA kernels of `fastgan_kernels.bigrams`: a thread an element of what is written."""

from __future__ import annotations

import math

import numpy as np
from numba import cuda, float32

from ..bigrams import bigrams as _op
from ..bigrams import bigrams_backward as _backward_op
from ..bigrams import bigrams_tangent as _tangent_op
from ..dispatch import launched
from .device import launch_over


@cuda.jit
def bigrams(x, vocabulary, root, out):
    """`bigrams.bigrams`; `root` is that of the vocabulary."""
    place, width, columns = cuda.grid(1), out.shape[1], x.shape[1]
    i, j = place // width, place % width
    if i < out.shape[0]:
        if j < columns:
            out[i, j] = x[i, j]
        else:
            first, second = _pair(j - columns, vocabulary)
            out[i, j] = root * x[i, first] * x[i, second]


@cuda.jit
def bigrams_tangent(read, dx, vocabulary, root, out):
    """`bigrams.bigrams_tangent`."""
    place, width, columns = cuda.grid(1), out.shape[1], dx.shape[1]
    i, j = place // width, place % width
    if i < out.shape[0]:
        if j < columns:
            out[i, j] = dx[i, j]
        else:
            first, second = _pair(j - columns, vocabulary)
            out[i, j] = root * (dx[i, first] * read[i, second] + read[i, first] * dx[i, second])


@cuda.jit(device=True)
def _pair(place, vocabulary):
    """Columns of the two tokens whose product has this place among the bigrams."""
    row, second = place // vocabulary, place % vocabulary
    return row, (row // vocabulary + 1) * vocabulary + second


@cuda.jit
def bigrams_backward(read, dread, vocabulary, root, dx):
    """`bigrams.bigrams_backward`."""
    place, columns = cuda.grid(1), dx.shape[1]
    i, j = place // columns, place % columns
    if i < dx.shape[0]:
        token, k = j // vocabulary, j % vocabulary
        total = float32(0)
        if token < columns // vocabulary - 1:
            start = columns + j * vocabulary
            for m in range(vocabulary):
                total += dread[i, start + m] * read[i, (token + 1) * vocabulary + m]
        if token > 0:
            before = (token - 1) * vocabulary
            for m in range(vocabulary):
                total += dread[i, columns + (before + m) * vocabulary + k] * read[i, before + m]
        dx[i, j] = dread[i, j] + root * total


def _root(vocabulary):
    return np.float32(math.sqrt(vocabulary))


@launched(_op)
def _bigrams(x, vocabulary, out):
    launch_over(bigrams, out.size, x, vocabulary, _root(vocabulary), out)


@launched(_tangent_op)
def _bigrams_tangent(read, dx, vocabulary, out):
    launch_over(bigrams_tangent, out.size, read, dx, vocabulary, _root(vocabulary), out)


@launched(_backward_op)
def _bigrams_backward(read, dread, vocabulary, dx):
    launch_over(bigrams_backward, dx.size, read, dread, vocabulary, _root(vocabulary), dx)
