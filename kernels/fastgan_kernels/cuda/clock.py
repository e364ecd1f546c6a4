"""CUDA kernels of `fastgan_kernels.clock`."""

from __future__ import annotations

import numpy as np
from numba import cuda

from .. import clock
from ..dispatch import launched
from .device import launch, launch_over


@cuda.jit
def count_step(clock, statistics, ring):
    """`clock.count_step`, by one block: all its threads read the clock before one writes it."""
    now = clock[0]
    cuda.syncthreads()
    if ring.shape[0] > 0:
        for j in range(cuda.threadIdx.x, ring.shape[1], cuda.blockDim.x):
            ring[now % ring.shape[0], j] = statistics[j]
    if cuda.threadIdx.x == 0:
        clock[0] = now + 1


@launched(clock.count_step)
def _count_step(clock, statistics, ring):
    launch(count_step, 1, 32, clock, statistics, ring)


@cuda.jit
def slot_rows(out, slots, per_step, offset, step):
    """`clock.slot_rows`, a thread a row."""
    i = cuda.grid(1)
    if i < out.size:
        out[i] = step[0] % slots * per_step + offset + i


@launched(clock.slot_rows)
def _slot_rows(out, slots, per_step, offset, step):
    launch_over(slot_rows, out.size, out, np.int64(slots), np.int64(per_step), np.int64(offset), step)
