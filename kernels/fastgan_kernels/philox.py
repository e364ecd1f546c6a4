"""Random numbers as a function: Philox4x32-10 keyed by the seed, counted by (index, stream, step).

Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3". There is no generator state: a block of
four words has the counter ``(block, stream, step low, step high)``. A draw lays 16 blocks side by side, so that
vectors make them: element i is word ``i % 64 // 16`` of block ``i // 64 * 16 + i % 16``. The words are the same
bits on every backend; floats made from them may differ by rounding. A longer draw begins with the shorter one.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from .dispatch import LOOPS, compiled, op
from .elementary import cos_sin_turns, log

_MULTIPLIER_0, _MULTIPLIER_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL_0, _WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_UNIT = np.float32(2.0**-24)
_ROUNDS = 10
LANES = 16


def key_of(seed: int) -> np.ndarray:
    """Philox key of a seed in [0, 2^64): (2,) uint32, low word first."""
    return np.array([seed & 0xFFFFFFFF, seed >> 32], np.uint32)


# Words are uint64 below 2^32, and rounds are inlined and written out: only so does LLVM vectorise over blocks.
@njit(forceinline=True, **LOOPS)
def _round(c0, c1, c2, c3, k0, k1):
    product_0, product_1 = _MULTIPLIER_0 * c0, _MULTIPLIER_1 * c2
    return (
        (product_1 >> _SHIFT) ^ c1 ^ k0,
        product_1 & _LOW,
        (product_0 >> _SHIFT) ^ c3 ^ k1,
        product_0 & _LOW,
    )


@njit(forceinline=True, **LOOPS)
def _two_rounds(c0, c1, c2, c3, k0, k1):
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
    return _round(c0, c1, c2, c3, (k0 + _WEYL_0) & _LOW, (k1 + _WEYL_1) & _LOW)


@njit(forceinline=True, **LOOPS)
def philox(c0, c1, c2, c3, k0, k1):
    """One block of Philox4x32-10: four words from a counter of four and a key of two, each a uint64."""
    two, four, six, eight = np.uint64(2), np.uint64(4), np.uint64(6), np.uint64(8)
    c0, c1, c2, c3 = _two_rounds(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3 = _two_rounds(c0, c1, c2, c3, (k0 + two * _WEYL_0) & _LOW, (k1 + two * _WEYL_1) & _LOW)
    c0, c1, c2, c3 = _two_rounds(c0, c1, c2, c3, (k0 + four * _WEYL_0) & _LOW, (k1 + four * _WEYL_1) & _LOW)
    c0, c1, c2, c3 = _two_rounds(c0, c1, c2, c3, (k0 + six * _WEYL_0) & _LOW, (k1 + six * _WEYL_1) & _LOW)
    return _two_rounds(c0, c1, c2, c3, (k0 + eight * _WEYL_0) & _LOW, (k1 + eight * _WEYL_1) & _LOW)


def philox_blocks(count: int, key: np.ndarray, step: int, stream: int) -> np.ndarray:
    """Reference: the first `count` blocks, (count, 4) uint32."""
    c0 = np.arange(count, dtype=np.uint64)
    c1 = np.full(count, stream, np.uint64)
    c2 = np.full(count, step & 0xFFFFFFFF, np.uint64)
    c3 = np.full(count, step >> 32, np.uint64)
    k0, k1 = int(key[0]), int(key[1])
    for _ in range(_ROUNDS):
        product_0, product_1 = _MULTIPLIER_0 * c0, _MULTIPLIER_1 * c2
        c0, c1 = (product_1 >> _SHIFT) ^ c1 ^ np.uint64(k0), product_1 & _LOW
        c2, c3 = (product_0 >> _SHIFT) ^ c3 ^ np.uint64(k1), product_0 & _LOW
        k0, k1 = (k0 + int(_WEYL_0)) & 0xFFFFFFFF, (k1 + int(_WEYL_1)) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=1).astype(np.uint32)


def _tiles(size: int, key: np.ndarray, step: np.ndarray, stream: int) -> np.ndarray:
    """Reference: the words of a draw, (tiles, 4, 16) uint32, at least `size` in all."""
    tiles = -(-size // (4 * LANES))
    blocks = philox_blocks(LANES * tiles, key, int(step[0]), stream)
    return blocks.reshape(tiles, LANES, 4).transpose(0, 2, 1)


def _loop(values):
    """Compile a draw whose elements ``values(w0, w1, w2, w3, bound)`` come from one block."""

    @njit(**LOOPS)
    def draw(out, bound, key, step, stream):
        flat = out.reshape(-1)
        k0, k1, c1 = np.uint64(key[0]), np.uint64(key[1]), np.uint64(stream)
        c2, c3 = np.uint64(step[0]) & _LOW, np.uint64(step[0]) >> _SHIFT
        tiles = flat.size // (4 * LANES)
        for tile in range(tiles):
            part = flat[4 * LANES * tile : 4 * LANES * (tile + 1)]
            part_0, part_1 = part[:LANES], part[LANES : 2 * LANES]
            part_2, part_3 = part[2 * LANES : 3 * LANES], part[3 * LANES :]
            for lane in range(LANES):
                w0, w1, w2, w3 = philox(np.uint64(LANES * tile + lane), c1, c2, c3, k0, k1)
                part_0[lane], part_1[lane], part_2[lane], part_3[lane] = values(w0, w1, w2, w3, bound)
        rest = flat[4 * LANES * tiles :]
        for i in range(rest.size):
            w0, w1, w2, w3 = philox(np.uint64(LANES * tiles + i % LANES), c1, c2, c3, k0, k1)
            rest[i] = values(w0, w1, w2, w3, bound)[i // LANES]

    return draw


def _compile(reference, values):
    """Compile the draw `reference`, which has no bound."""
    fill = _loop(values)

    @compiled(reference)
    def draw(out, key, step, stream):
        fill(out, 0, key, step, stream)


@njit(forceinline=True, **LOOPS)
def _unit(word):
    """A word as a float32 in [0, 1): its upper 24 bits."""
    return np.float32(np.int32(word >> np.uint64(8))) * _UNIT


@njit(forceinline=True, **LOOPS)
def _box_muller(word_0, word_1):
    """Two standard normal float32 from two words; the first uniform is in (0, 1], so that its log is finite."""
    radius = math.sqrt(np.float32(-2.0) * log(_unit(word_0) + _UNIT))
    cosine, sine = cos_sin_turns(_unit(word_1))
    return radius * cosine, radius * sine


def _as_units(words: np.ndarray) -> np.ndarray:
    return (words >> np.uint32(8)).astype(np.float32) * _UNIT


@op
def uniform(out: np.ndarray, key: np.ndarray, step: np.ndarray, stream: int) -> None:
    """Uniform numbers in [0, 1), multiples of 2^-24.

    Parameters
    ----------
    out : float32 of any shape, C-contiguous, written
    key : (2,) uint32, from `key_of`
    step : (1,) int64, at least 0
    stream : in [0, 2^32); draws with different streams or steps are independent
    """
    units = _as_units(_tiles(out.size, key, step, stream))
    out[...] = units.ravel()[: out.size].reshape(out.shape)


@njit(forceinline=True, **LOOPS)
def uniform_values(w0, w1, w2, w3, bound):
    """Four elements of `uniform` from one block of words."""
    return _unit(w0), _unit(w1), _unit(w2), _unit(w3)


_compile(uniform, uniform_values)


@op
def normal(out: np.ndarray, key: np.ndarray, step: np.ndarray, stream: int) -> None:
    """Standard normal numbers by Box and Muller 1958; at most 5.8 from zero. Arguments as `uniform`.

    Words 0 and 1 of a block give ``r cos(2 pi u1)`` and ``r sin(2 pi u1)`` with ``r = sqrt(-2 ln u0)``; 2 and 3 too.
    """
    units = _as_units(_tiles(out.size, key, step, stream))
    radius = np.sqrt(np.float32(-2) * np.log(units[:, ::2] + _UNIT))
    angle = np.float32(2 * np.pi) * units[:, 1::2]
    units[:, ::2], units[:, 1::2] = radius * np.cos(angle), radius * np.sin(angle)
    out[...] = units.ravel()[: out.size].reshape(out.shape)


@njit(forceinline=True, **LOOPS)
def normal_values(w0, w1, w2, w3, bound):
    """Four elements of `normal` from one block of words."""
    return _box_muller(w0, w1) + _box_muller(w2, w3)


_compile(normal, normal_values)


@op
def signs(out: np.ndarray, key: np.ndarray, step: np.ndarray, stream: int) -> None:
    """Draw -1 or 1, as likely as each other: 1 where the upper bit of a word is set. Arguments as `uniform`."""
    words = _tiles(out.size, key, step, stream).ravel()[: out.size].reshape(out.shape)
    out[...] = np.where(words >> np.uint32(31), 1, -1)


@njit(forceinline=True, **LOOPS)
def _sign(word):
    return np.float32(2 * np.int32(word >> np.uint64(31)) - 1)


@njit(forceinline=True, **LOOPS)
def sign_values(w0, w1, w2, w3, bound):
    """Four elements of `signs` from one block of words."""
    return _sign(w0), _sign(w1), _sign(w2), _sign(w3)


_compile(signs, sign_values)


@op
def integers(out: np.ndarray, bound: int, key: np.ndarray, step: np.ndarray, stream: int) -> None:
    """Integers in [0, bound), the upper half of word * bound; bias below bound / 2^32.

    Parameters
    ----------
    out : (n,) int64, written
    bound : in [1, 2^32]
    key, step, stream : as `uniform`
    """
    words = _tiles(out.size, key, step, stream).ravel()[: out.size]
    out[:] = (words.astype(np.uint64) * np.uint64(bound)) >> _SHIFT


@njit(forceinline=True, **LOOPS)
def _below(word, bound):
    return np.int64((word * np.uint64(bound)) >> _SHIFT)


@njit(forceinline=True, **LOOPS)
def integer_values(w0, w1, w2, w3, bound):
    """Four elements of `integers` from one block of words."""
    return _below(w0, bound), _below(w1, bound), _below(w2, bound), _below(w3, bound)


_fill_integers = _loop(integer_values)


@compiled(integers)
def _integers_cpu(out, bound, key, step, stream):
    _fill_integers(out, bound, key, step, stream)
