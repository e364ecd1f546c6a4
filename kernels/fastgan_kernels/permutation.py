"""Epochs without replacement as a keyed bijection of [0, rows): no permutation array, so any step can be resumed.

A balanced Feistel network on the smallest even number of bits that hold rows - 1, walked along its cycle
until it falls below rows (Black and Rogaway 2002, "Ciphers with arbitrary finite domains", section 3); at
most 4 walks are expected. Its round function multiplies and folds the half, with a round key from Philox,
twice.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .dispatch import LOOPS, compiled, op
from .philox import philox, philox_blocks

_ROUNDS = 8
_MULTIPLIER = np.uint64(0xD256D193)
_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)


def half_bits(rows: int) -> int:
    """Bits in each half of the Feistel network for a domain of `rows`, at least 1."""
    return max(1, -(-int(rows - 1).bit_length() // 2))


def round_keys(key: np.ndarray, epoch: int, stream: int) -> np.ndarray:
    """Reference: the (8,) uint64 round keys of one epoch."""
    return philox_blocks(_ROUNDS // 4, key, epoch, stream).astype(np.uint64).ravel()


def _mix(half, round_key):
    """Round function: after a single multiplication the orders of few rows were far from equally likely."""
    product = (half ^ round_key) * _MULTIPLIER
    product = (((product >> _SHIFT) ^ product) & _LOW) * _MULTIPLIER
    return (product >> _SHIFT) ^ product


_mix_one = njit(**LOOPS)(_mix)


def permute(indices: np.ndarray, rows: int, keys: np.ndarray) -> np.ndarray:
    """Reference: images of (n,) indices in [0, rows) under the bijection with these round keys."""
    bits = np.uint64(half_bits(rows))
    mask = np.uint64((1 << int(bits)) - 1)
    result = indices.astype(np.uint64)
    walking = np.ones(len(result), bool)
    while walking.any():
        left, right = result[walking] >> bits, result[walking] & mask
        for round_key in keys:
            left, right = right, left ^ (_mix(right, round_key) & mask)
        result[walking] = (left << bits) | right
        walking = result >= rows
    return result.astype(np.int64)


@op
def shuffled_rows(
    out: np.ndarray, rows: int, per_step: int, offset: int, key: np.ndarray, step: np.ndarray, stream: int
) -> None:
    """Row indices of one step when every row is seen once in each pass over the data.

    Place p = ``step * per_step + offset + i`` is index ``p % rows`` of pass ``p // rows``; each pass has its
    own bijection.

    Parameters
    ----------
    out : (n,) int64, written: row indices in [0, rows)
    rows : in [1, 2^62]
    per_step : indices that one step uses in all
    offset : the first of these that are wanted here
    key, step, stream : as `philox.uniform`
    """
    places = int(step[0]) * per_step + offset + np.arange(out.size)
    for epoch in np.unique(places // rows):
        here = places // rows == epoch
        out[here] = permute(places[here] % rows, rows, round_keys(key, int(epoch), stream))


@njit(**LOOPS)
def walk(value, bits, keys):
    """One walk: the image of `value` in the domain of 2 * bits bits."""
    mask = (np.uint64(1) << bits) - np.uint64(1)
    left, right = value >> bits, value & mask
    for r in range(_ROUNDS):
        left, right = right, left ^ (_mix_one(right, keys[r]) & mask)
    return (left << bits) | right


@njit(**LOOPS)
def _permute(out, rows, bits, keys):
    """Images of the indices in `out`, in place: all walk once, then those that are outside again, side by side."""
    outside = out.size
    first = True
    while outside > 0:
        outside = 0
        for i in range(out.size):
            value = np.uint64(out[i])
            walked = walk(value, bits, keys)
            value = walked if first or value >= np.uint64(rows) else value
            out[i] = np.int64(value)
            outside += value >= np.uint64(rows)
        first = False


@compiled(shuffled_rows)
def _shuffled_rows_cpu(out, rows, per_step, offset, key, step, stream):
    bits = np.uint64(1)
    while np.uint64(rows - 1) >> (np.uint64(2) * bits):
        bits += np.uint64(1)
    k0, k1, c1 = np.uint64(key[0]), np.uint64(key[1]), np.uint64(stream)
    zero, one = np.uint64(0), np.uint64(1)
    place = step[0] * per_step + offset
    start = 0
    while start < out.size:  # a pass over the data at a time
        epoch = place // rows
        low, high = np.uint64(epoch) & _LOW, np.uint64(epoch) >> _SHIFT
        keys = philox(zero, c1, low, high, k0, k1) + philox(one, c1, low, high, k0, k1)
        stop = min(out.size, start + rows - place % rows)
        part = out[start:stop]
        for i in range(part.size):
            part[i] = place % rows + i
        _permute(part, rows, bits, keys)
        place += stop - start
        start = stop
