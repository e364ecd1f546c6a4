"""Dropout: Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting".

In the inverted form, so that nothing has to be scaled where nothing is dropped. Which elements are kept is a function
of (seed, step, stream, row, column), so a backward pass makes the same mask again, and threads may share the rows.

An element takes 16 bits of Philox. A tile is 128 elements of the batch, in its order, row after row, from 16 blocks
side by side: element i has half ``i % 128 // 16`` of block ``i // 128 * 16 + i % 16``, whose eight halves are the lower
and the upper one of each word.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .dispatch import LOOPS, compiled, op
from .philox import LANES, philox, philox_blocks
from .rows import copy

HALVES = 8  # of a block
TILE = HALVES * LANES
_NUMBERS = 2**16  # that a half can be
_LOW, _SHIFT = np.uint64(0xFFFFFFFF), np.uint64(32)
_LOW_HALF, _HALF_SHIFT = np.uint64(0xFFFF), np.uint64(16)
_LANES, _HALVES = np.uint64(LANES), np.uint64(HALVES)
_ZERO = np.float32(0)


def least_kept(rate: float) -> int:
    """The least of the numbers in [0, 2^16) that keep their element."""
    return int(rate * _NUMBERS + 0.5)


def keeping_scale(least: int) -> float:
    """What makes the expected value of a kept or dropped element its own."""
    return _NUMBERS / (_NUMBERS - least)


_least_cpu, _scale_cpu = njit(**LOOPS)(least_kept), njit(**LOOPS)(keeping_scale)


@njit(forceinline=True, **LOOPS)
def halves(w0, w1, w2, w3):
    """Eight numbers in [0, 2^16) from a block of four words, each a uint64."""
    return (
        w0 & _LOW_HALF,
        w0 >> _HALF_SHIFT,
        w1 & _LOW_HALF,
        w1 >> _HALF_SHIFT,
        w2 & _LOW_HALF,
        w2 >> _HALF_SHIFT,
        w3 & _LOW_HALF,
        w3 >> _HALF_SHIFT,
    )


@njit(forceinline=True, **LOOPS)
def kept(value, half, least, scale):
    """An element after dropout."""
    return value * scale if half >= least else _ZERO


@op
def dropout(
    y: np.ndarray, rate: float, key: np.ndarray, step: np.ndarray, stream: int, first: int, out: np.ndarray
) -> None:
    """Zero each element with probability `rate`, and divide the others by ``1 - rate``.

    Called with the same key, step, stream and rows on a gradient, it passes on what was kept.

    Parameters
    ----------
    y : (rows, columns) float32; row i is row ``first + i`` of the batch
    rate : in [0, 1 - 2^-17), rounded to a multiple of 2^-16
    key : (2,) uint32, from `key_of`
    step : (1,) int64, at least 0
    stream : in [0, 2^32)
    first : at least 0; the batch has fewer than 2^35 elements
    out : (rows, columns) float32, written; may be y
    """
    least, start = least_kept(rate), first * y.shape[1]
    blocks = philox_blocks(-(-(start + y.size) // TILE) * LANES, key, int(step[0]), stream)
    tiles = np.stack([blocks & 0xFFFF, blocks >> 16], axis=2).reshape(-1, LANES, HALVES).swapaxes(1, 2)
    numbers = tiles.ravel()[start : start + y.size].reshape(y.shape)
    out[...] = np.where(numbers >= least, y * y.dtype.type(keeping_scale(least)), 0)


@compiled(dropout)
def _dropout_cpu(y, rate, key, step, stream, first, out):
    if y.ctypes.data != out.ctypes.data:
        copy(y, out)
    least = _least_cpu(rate)
    scale = out.dtype.type(_scale_cpu(least))
    _drop(out.reshape(-1), first * out.shape[1], np.uint64(least), scale, key, step, stream)


# In place, for only so does LLVM know that no store changes what is loaded next. With unsigned indices, since of a
# signed one it is asked whether it counts from the end.
@njit(**LOOPS)
def _drop(flat, start, least, scale, key, step, stream):
    """Dropout of some elements of a batch, of which the first is element `start`."""
    k0, k1, c1 = np.uint64(key[0]), np.uint64(key[1]), np.uint64(stream)
    c2, c3 = np.uint64(step[0]) & _LOW, np.uint64(step[0]) >> _SHIFT
    for tile in range(start // TILE, (start + flat.size + TILE - 1) // TILE):
        c0, place = np.uint64(LANES * tile), TILE * tile - start
        if place >= 0 and place + TILE <= flat.size:
            part = flat[place : place + TILE]
            for lane in range(_LANES):
                numbers = halves(*philox(c0 + lane, c1, c2, c3, k0, k1))
                for half in range(_HALVES):
                    i = lane + _LANES * half
                    part[i] = kept(part[i], numbers[half], least, scale)
        else:  # rows begin or end within the tile
            low, high = np.uint64(max(0, -place)), np.uint64(min(TILE, flat.size - place))
            origin = np.uint64(place)
            for lane in range(_LANES):
                numbers = halves(*philox(c0 + lane, c1, c2, c3, k0, k1))
                for half in range(_HALVES):
                    i = lane + _LANES * half
                    if low <= i < high:
                        flat[origin + i] = kept(flat[origin + i], numbers[half], least, scale)
