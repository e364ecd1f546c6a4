"""CUDA kernels of `fastgan_kernels.embedding`: a thread an element of what is written."""

from __future__ import annotations

from numba import cuda, float32

from .. import embedding
from ..dispatch import launched
from .device import launch_over


@cuda.jit
def embed_labels(x, labels, table, out):
    """`embedding.embed_labels`."""
    place, width, split = cuda.grid(1), out.shape[1], x.shape[1]
    i, j = place // width, place % width
    if i < out.shape[0]:
        out[i, j] = x[i, j] if j < split else table[labels[i], j - split]


@launched(embedding.embed_labels)
def _embed_labels(x, labels, table, out):
    launch_over(embed_labels, out.size, x, labels, table, out)


@cuda.jit
def embed_labels_backward(dout, labels, first, dtable):
    """`embedding.embed_labels_backward`: each thread looks at all rows, for a table is small and a batch not long."""
    place, width = cuda.grid(1), dtable.shape[1]
    c, j = place // width, place % width
    if c < dtable.shape[0]:
        column = dout.shape[1] - width + j
        total = float32(0)
        for i in range(labels.size):
            if labels[i] == first + c:
                total += dout[i, column]
        dtable[c, j] = total


@launched(embedding.embed_labels_backward)
def _embed_labels_backward(dout, labels, first, dtable):
    launch_over(embed_labels_backward, dtable.size, dout, labels, first, dtable)
