"""The device as the kernels see it: its arrays, the stream they are launched on, and how many threads.

Under Numba's simulator (``NUMBA_ENABLE_CUDASIM=1``) an array is a NumPy array of a class of its own, and kernels run as
Python threads.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numba import config, cuda, float32

SIMULATED = bool(config.ENABLE_CUDASIM)
if not SIMULATED:
    config.CUDA_LOW_OCCUPANCY_WARNINGS = 0  # small layers have small grids
    config.CUDA_ARRAY_INTERFACE_SYNC = 0  # a launch waits for nothing; a capture could not

PIECE = 2**26
"""Bytes of one copy to the device."""

THREADS = 128
"""Of a block, where each thread has an element of its own."""


TOGETHER = 16 if SIMULATED else 128
"""Of a block whose threads add something up together; to wait for each other takes simulated threads long."""


@cuda.jit(device=True)
def added(value):
    """Sum of a value over the threads of the block, for all of them; always in the same order."""
    sums = cuda.shared.array(TOGETHER, float32)
    thread = cuda.threadIdx.x
    sums[thread] = value
    cuda.syncthreads()
    half = TOGETHER // 2
    while half > 0:
        if thread < half:
            sums[thread] += sums[thread + half]
        cuda.syncthreads()
        half //= 2
    total = sums[0]
    cuda.syncthreads()  # the next sum is made in the same place
    return total


class SimulatedArray(np.ndarray):
    """Stands for a device array under the simulator."""


def array_type() -> type:
    """The class of device arrays: CuPy's, or `SimulatedArray`."""
    if SIMULATED:
        return SimulatedArray
    import cupy

    return cupy.ndarray


def to_device(array: np.ndarray) -> Any:
    """A copy of an array on the device."""
    there = empty_like(array)
    copy_to(there, array)
    return there


def copy_to(array: Any, values: np.ndarray) -> None:
    """Overwrite a device array; large ones go in pieces, since CuPy keeps as much pinned memory as one copy needs."""
    if SIMULATED:
        array[...] = values
        return
    rows = max(1, PIECE * len(values) // max(1, values.nbytes))
    for first in range(0, len(values), rows):
        array[first : first + rows].set(np.ascontiguousarray(values[first : first + rows], array.dtype))
    wait()  # a device that reads the host's memory by itself may be reading yet


def empty_like(array: np.ndarray) -> Any:
    """A device array of the same shape and dtype, in the device's byte order, that nobody wrote yet."""
    dtype = array.dtype.newbyteorder("=")
    if SIMULATED:
        return np.empty(array.shape, dtype).view(SimulatedArray)
    import cupy

    return cupy.empty(array.shape, dtype)


def to_host(array: Any) -> np.ndarray:
    """Copy a device array to the host; waits for what is still to be written to it on the current stream."""
    return np.array(array) if SIMULATED else array.get()


def launch(kernel: Any, blocks: Any, threads: Any, *arguments: Any) -> None:
    """Launch a kernel on CuPy's current stream."""
    if not SIMULATED:
        # The driver's binding takes Python's whole numbers alone.
        grid = tuple(map(int, blocks)) if isinstance(blocks, tuple) else int(blocks)
        _configured(kernel, grid, int(threads), _current_stream())(*arguments)
        return
    # The simulator refuses arrays whose memory has gaps: these are copied, there and back.
    whole = [np.ascontiguousarray(each) if _has_gaps(each) else each for each in arguments]
    kernel[blocks, threads](*whole)
    for each, copy in zip(arguments, whole, strict=True):
        if copy is not each:
            each[...] = copy


def _has_gaps(value: Any) -> bool:
    return isinstance(value, np.ndarray) and not value.flags.c_contiguous


def launch_over(kernel: Any, count: int, *arguments: Any) -> None:
    """Launch a kernel with a thread for each of `count` elements, if any; the last block has threads without one."""
    if count > 0:
        threads = min(THREADS, count if SIMULATED else -(-count // 32) * 32)
        launch(kernel, -(-count // threads), threads, *arguments)


@functools.cache
def _configured(kernel: Any, blocks: Any, threads: int, stream: Any) -> Any:
    """Made once for each grid, since to make it takes longer than to launch it."""
    return kernel[blocks, threads, stream]


def _current_stream() -> Any:
    import cupy

    return _external(cupy.cuda.get_current_stream().ptr)


@functools.cache
def _external(pointer: int) -> Any:
    """Made once a stream, since to make it takes longer than to launch on it."""
    return cuda.external_stream(pointer)


def wait() -> None:
    """Wait for what was asked for on CuPy's current stream."""
    if not SIMULATED:
        import cupy

        cupy.cuda.get_current_stream().synchronize()


def device_number() -> int:
    """CuPy's current device."""
    if SIMULATED:
        return 0
    import cupy

    return int(cupy.cuda.runtime.getDevice())


@functools.cache
def no_labels() -> Any:
    """The labels of rows without classes: (0,) int64."""
    return to_device(np.zeros(0, np.int64))
