"""Random numbers as a function: Philox4x32-10 keyed by the seed, counted by (index, stream, step).

Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3". There is no generator state: element i of a draw
is word ``i % 4`` of the block whose counter is ``(i // 4, stream, step low, step high)``. The words are the same bits on
every backend; floats made from them may differ by rounding. A longer draw begins with the shorter one.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .dispatch import LOOPS, compiled, op
from .elementary import cos_sin_turns, log

_MULTIPLIER_0, _MULTIPLIER_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL_0, _WEYL_1 = np.uint32(0x9E3779B9), np.uint32(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_UNIT = np.float32(2.0**-24)
_ROUNDS = 10


def key_of(seed: int) -> np.ndarray:
    """Philox key of a seed in [0, 2^64): (2,) uint32, low word first."""
    return np.array([seed & 0xFFFFFFFF, seed >> 32], np.uint32)


@njit(**LOOPS)
def philox(c0, c1, c2, c3, k0, k1):
    """One block of Philox4x32-10: four uint32 words from a counter of four and a key of two."""
    for _ in range(_ROUNDS):
        product_0 = _MULTIPLIER_0 * np.uint64(c0)
        product_1 = _MULTIPLIER_1 * np.uint64(c2)
        high_0, low_0 = np.uint32(product_0 >> _SHIFT), np.uint32(product_0)
        high_1, low_1 = np.uint32(product_1 >> _SHIFT), np.uint32(product_1)
        c0, c1, c2, c3 = np.uint32(high_1 ^ c1 ^ k0), low_1, np.uint32(high_0 ^ c3 ^ k1), low_0
        k0, k1 = np.uint32(k0 + _WEYL_0), np.uint32(k1 + _WEYL_1)
    return c0, c1, c2, c3


def philox_words(count: int, key: np.ndarray, step: int, stream: int) -> np.ndarray:
    """Reference: the first `count` words of a draw, (count,) uint32."""
    blocks = -(-count // 4)
    c0 = np.arange(blocks, dtype=np.uint64)
    c1 = np.full(blocks, stream, np.uint64)
    c2 = np.full(blocks, step & 0xFFFFFFFF, np.uint64)
    c3 = np.full(blocks, step >> 32, np.uint64)
    k0, k1 = int(key[0]), int(key[1])
    for _ in range(_ROUNDS):
        product_0, product_1 = _MULTIPLIER_0 * c0, _MULTIPLIER_1 * c2
        c0, c1 = (product_1 >> _SHIFT) ^ c1 ^ np.uint64(k0), product_1 & _LOW
        c2, c3 = (product_0 >> _SHIFT) ^ c3 ^ np.uint64(k1), product_0 & _LOW
        k0, k1 = (k0 + int(_WEYL_0)) & 0xFFFFFFFF, (k1 + int(_WEYL_1)) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=1).astype(np.uint32).ravel()[:count]


@njit(**LOOPS)
def _unit(word):
    """A word as a float32 in [0, 1): its upper 24 bits."""
    return np.float32(np.int32(word >> np.uint32(8))) * _UNIT


@njit(**LOOPS)
def _box_muller(word_0, word_1):
    """Two standard normal float32 from two words; the first uniform is in (0, 1], so that its log is finite."""
    radius = np.sqrt(np.float32(-2.0) * log(_unit(word_0) + _UNIT))
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
    out[...] = _as_units(philox_words(out.size, key, int(step[0]), stream)).reshape(out.shape)


@compiled(uniform)
def _uniform_cpu(out, key, step, stream):
    flat = out.reshape(-1)
    whole = flat[: flat.size // 4 * 4].reshape((-1, 4))
    k0, k1, c1 = key[0], key[1], np.uint32(stream)
    c2, c3 = np.uint32(step[0]), np.uint32(step[0] >> 32)
    for block in range(whole.shape[0]):
        w0, w1, w2, w3 = philox(np.uint32(block), c1, c2, c3, k0, k1)
        whole[block, 0] = _unit(w0)
        whole[block, 1] = _unit(w1)
        whole[block, 2] = _unit(w2)
        whole[block, 3] = _unit(w3)
    rest = flat[whole.size :]
    words = philox(np.uint32(whole.shape[0]), c1, c2, c3, k0, k1)
    for i in range(rest.size):
        rest[i] = _unit(words[i])


@op
def normal(out: np.ndarray, key: np.ndarray, step: np.ndarray, stream: int) -> None:
    """Standard normal numbers by Box and Muller 1958; at most 5.8 from zero. Arguments as `uniform`.

    Words (w0, w1) of each pair give ``r cos(2 pi u)``, ``r sin(2 pi u)`` with ``r = sqrt(-2 ln u0)``.
    """
    pairs = _as_units(philox_words(-(-out.size // 2) * 2, key, int(step[0]), stream)).reshape(-1, 2)
    radius = np.sqrt(np.float32(-2) * np.log(pairs[:, 0] + _UNIT))
    angle = np.float32(2 * np.pi) * pairs[:, 1]
    both = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).ravel()
    out[...] = both[: out.size].reshape(out.shape)


@compiled(normal)
def _normal_cpu(out, key, step, stream):
    flat = out.reshape(-1)
    whole = flat[: flat.size // 4 * 4].reshape((-1, 4))
    k0, k1, c1 = key[0], key[1], np.uint32(stream)
    c2, c3 = np.uint32(step[0]), np.uint32(step[0] >> 32)
    for block in range(whole.shape[0]):
        w0, w1, w2, w3 = philox(np.uint32(block), c1, c2, c3, k0, k1)
        whole[block, 0], whole[block, 1] = _box_muller(w0, w1)
        whole[block, 2], whole[block, 3] = _box_muller(w2, w3)
    rest = flat[whole.size :]
    w0, w1, w2, w3 = philox(np.uint32(whole.shape[0]), c1, c2, c3, k0, k1)
    last = _box_muller(w0, w1) + _box_muller(w2, w3)
    for i in range(rest.size):
        rest[i] = last[i]


@op
def integers(out: np.ndarray, bound: int, key: np.ndarray, step: np.ndarray, stream: int) -> None:
    """Integers in [0, bound), the upper half of word * bound; bias below bound / 2^32.

    Parameters
    ----------
    out : (n,) int64, written
    bound : in [1, 2^32]
    key, step, stream : as `uniform`
    """
    words = philox_words(out.size, key, int(step[0]), stream)
    out[:] = (words.astype(np.uint64) * np.uint64(bound)) >> _SHIFT


@compiled(integers)
def _integers_cpu(out, bound, key, step, stream):
    k0, k1, c1 = key[0], key[1], np.uint32(stream)
    c2, c3 = np.uint32(step[0]), np.uint32(step[0] >> 32)
    for block in range((out.size + 3) // 4):
        words = philox(np.uint32(block), c1, c2, c3, k0, k1)
        part = out[4 * block : 4 * block + 4]
        for i in range(part.size):
            part[i] = np.int64((np.uint64(words[i]) * np.uint64(bound)) >> _SHIFT)
