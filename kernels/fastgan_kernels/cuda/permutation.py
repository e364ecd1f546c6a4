"""CUDA kernel of `fastgan_kernels.permutation`: a thread a row, which walks by itself."""

from __future__ import annotations

import numpy as np
from numba import cuda, int64, uint64

from .. import permutation
from ..dispatch import launched
from ..permutation import half_bits, walk
from ..philox import philox
from .device import launch_over

_LOW, _SHIFT = np.uint64(0xFFFFFFFF), np.uint64(32)


@cuda.jit
def shuffled_rows(out, rows, bits, per_step, offset, key, step, stream):
    """`permutation.shuffled_rows`; each thread makes the round keys of its pass: cheaper than to share them."""
    i = cuda.grid(1)
    if i < out.size:
        place = step[0] * per_step + offset + i
        epoch = uint64(place // rows)
        low, high = epoch & _LOW, epoch >> _SHIFT
        k0, k1, c1 = uint64(key[0]), uint64(key[1]), uint64(stream)
        a, b = philox(uint64(0), c1, low, high, k0, k1), philox(uint64(1), c1, low, high, k0, k1)
        # The simulator's whole numbers have no type of their own.
        keys = (
            *(uint64(a[0]), uint64(a[1]), uint64(a[2]), uint64(a[3])),
            *(uint64(b[0]), uint64(b[1]), uint64(b[2]), uint64(b[3])),
        )
        value = uint64(walk(uint64(place % rows), bits, keys))
        while value >= uint64(rows):
            value = uint64(walk(value, bits, keys))
        out[i] = int64(value)


@launched(permutation.shuffled_rows)
def _shuffled_rows(out, rows, per_step, offset, key, step, stream):
    bits = np.uint64(half_bits(rows))
    launch_over(shuffled_rows, out.size, out, rows, bits, per_step, offset, key, step, stream)
