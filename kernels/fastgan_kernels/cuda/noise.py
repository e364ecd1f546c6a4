"""CUDA kernels of `fastgan_kernels.noise`: a thread a block of four normal numbers."""

from __future__ import annotations

import numpy as np
from numba import cuda, float32, int64, uint64

from .. import noise
from ..dispatch import launched
from ..philox import LANES, normal_values, philox
from .device import launch_over

_LOW, _SHIFT = np.uint64(0xFFFFFFFF), np.uint64(32)


@cuda.jit
def add_noise(x, deviation, decay_steps, key, step, stream, first, tiles):
    """`noise.add_noise`, of which `first` is the first group and has so many tiles."""
    thread, columns = cuda.grid(1), x.shape[1]
    tile = thread // LANES
    group = tile // tiles
    place = tile % tiles * noise.TILE + thread % LANES
    if group * noise.GROUP < x.shape[0]:
        left = deviation
        if decay_steps > float32(0):
            left *= max(float32(0), float32(1) - float32(step[0]) / decay_steps)
        if left == float32(0):  # for good: nothing need be drawn
            return
        now, block = uint64(step[0]), uint64(first * tiles * LANES + thread)
        words = philox(block, uint64(stream), now & _LOW, now >> _SHIFT, uint64(key[0]), uint64(key[1]))
        drawn = normal_values(words[0], words[1], words[2], words[3], uint64(0))
        for word in range(4):
            i = place + word * LANES
            row = group * noise.GROUP + i // columns
            if i < noise.GROUP * columns and row < x.shape[0]:
                x[row, i % columns] += left * drawn[word]


@launched(noise.add_noise)
def _add_noise(x, deviation, decay_steps, key, step, stream, first):
    tiles = noise.tiles_of(x.shape[1])
    threads = -(-len(x) // noise.GROUP) * tiles * LANES
    deviation, decay_steps = np.array([deviation, decay_steps], np.float32)
    numbers = int64(first // noise.GROUP), int64(tiles)
    launch_over(add_noise, threads, x, deviation, decay_steps, key, step, np.uint64(stream), *numbers)
