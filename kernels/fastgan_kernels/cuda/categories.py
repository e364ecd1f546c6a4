"""CUDA kernel of `fastgan_kernels.categories`: a thread a block of four draws."""

from __future__ import annotations

import math

import numpy as np
from numba import cuda, float32, int64, uint64

from .. import categories as _module
from ..dispatch import launched
from ..philox import LANES, philox, uniform_values
from .device import launch_over
from .philox import LOW, SHIFT


@cuda.jit
def one_hot_draws(out, categories, value, key, step, stream):
    """`categories.one_hot_draws` of a flat array."""
    block, now = cuda.grid(1), uint64(step[0])
    place = block // LANES * 4 * LANES + block % LANES
    if place * categories < out.size:
        words = philox(uint64(block), uint64(stream), now & LOW, now >> SHIFT, uint64(key[0]), uint64(key[1]))
        units = uniform_values(words[0], words[1], words[2], words[3], uint64(0))
        for word in range(4):
            start = (place + word * LANES) * categories
            if start < out.size:
                drawn = int64(units[word] * float32(categories))
                for category in range(categories):
                    out[start + category] = value if category == drawn else float32(0)


@launched(_module.one_hot_draws)
def _one_hot_draws(out, categories, key, step, stream):
    blocks = -(-(out.size // categories) // (4 * LANES)) * LANES
    value = np.float32(math.sqrt(categories))
    launch_over(
        one_hot_draws, blocks, out.reshape(-1), int64(categories), value, key, step, np.uint64(stream)
    )
