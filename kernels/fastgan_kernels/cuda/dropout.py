"""CUDA kernels of `fastgan_kernels.dropout`: a thread a block of four words, which is eight elements."""

from __future__ import annotations

import numpy as np
from numba import cuda, uint64

from ..dispatch import launched
from ..dropout import HALVES, TILE, halves, keeping_scale, kept, least_kept
from ..dropout import dropout as _op
from ..philox import LANES, philox
from .device import launch_over

_LOW, _SHIFT = np.uint64(0xFFFFFFFF), np.uint64(32)


@cuda.jit
def dropout(y, start, first_block, least, scale, key, step, stream, out):
    """`dropout.dropout` of flat arrays, of which the first element is element `start` of the batch."""
    block = first_block + cuda.grid(1)
    place = block // LANES * TILE + block % LANES - start
    if place < out.size:
        now = uint64(step[0])
        numbers = halves(
            *philox(uint64(block), stream, now & _LOW, now >> _SHIFT, uint64(key[0]), uint64(key[1]))
        )
        for half in range(HALVES):
            i = place + LANES * half
            if 0 <= i < out.size:
                out[i] = kept(y[i], numbers[half], least, scale)


@launched(_op)
def _dropout(y, rate, key, step, stream, first, out):
    start, least = first * y.shape[1], least_kept(rate)
    first_block = start // TILE * LANES
    blocks = -(-(start + y.size) // TILE) * LANES - first_block
    places = np.array([start, first_block], np.int64)
    number = np.uint64(least), np.float32(keeping_scale(least))
    launch_over(
        dropout, blocks, y.reshape(-1), *places, *number, key, step, np.uint64(stream), out.reshape(-1)
    )
