"""Noise on what the discriminator sees, or on logits of tokens, less and less of it.

Sønderby et al. 2017, arXiv 1610.04490, section 2.5; Arjovsky and Bottou 2017, arXiv 1701.04862, section 3.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .dispatch import LOOPS, compiled, op
from .philox import LANES, normal, normal_values, philox

TILE = 4 * LANES
GROUP = 8
"""Rows that share tiles of 64 elements: threads may cut a batch between groups, and each element keeps its bits."""
_LOW, _SHIFT = np.uint64(0xFFFFFFFF), np.uint64(32)


@njit(**LOOPS)
def deviation_left(deviation, decay_steps, step):
    """Standard deviation after some steps: falling in a straight line to zero, or constant where decay_steps is 0."""
    if decay_steps > 0:
        return deviation * max(0.0, 1.0 - step / decay_steps)
    return deviation


def tiles_of(columns: int) -> int:
    """Tiles of one group of rows."""
    return -(-GROUP * columns // TILE)


@op
def add_noise(
    x: np.ndarray,
    deviation: float,
    decay_steps: float,
    key: np.ndarray,
    step: np.ndarray,
    stream: int,
    first: int,
) -> None:
    """Add normal noise: ``x += deviation * max(0, 1 - step / decay_steps) * normal``.

    Each group of 8 rows of the batch begins a tile of 64 numbers of its own in the draw that `normal` makes.

    Parameters
    ----------
    x : (rows, columns) float32, updated in place; row i is row ``first + i`` of the batch
    deviation : at least 0
    decay_steps : training steps; 0: no decay
    key : (2,) uint32, from `key_of`
    step : (1,) int64, training steps made
    stream : in [0, 2^32)
    first : a multiple of 8
    """
    rows, columns = x.shape
    groups, width = -(-rows // GROUP), TILE * tiles_of(columns)
    drawn = np.empty((first // GROUP + groups, width), np.float32)
    normal(drawn, key, step, stream)
    noise = drawn[first // GROUP :, : GROUP * columns].reshape(-1, columns)[:rows]
    x += x.dtype.type(deviation_left.py_func(deviation, decay_steps, int(step[0]))) * noise


_tiles_cpu = njit(**LOOPS)(tiles_of)


@compiled(add_noise)
def _add_noise_cpu(x, deviation, decay_steps, key, step, stream, first):
    left = np.float32(deviation_left(deviation, decay_steps, step[0]))
    if left == 0:  # for good: nothing need be drawn
        return
    rows, columns = x.shape
    tiles = _tiles_cpu(columns)
    for row in range(0, rows, GROUP):
        group = x[row : min(row + GROUP, rows)].reshape(-1)
        _add_to_group(group, left, LANES * tiles * ((first + row) // GROUP), key, step, stream)


@njit(**LOOPS)
def _add_to_group(flat, left, block, key, step, stream):
    """Add noise from some block on."""
    k0, k1, c1 = np.uint64(key[0]), np.uint64(key[1]), np.uint64(stream)
    c2, c3 = np.uint64(step[0]) & _LOW, np.uint64(step[0]) >> _SHIFT
    whole = flat.size // TILE
    for tile in range(whole):
        part = flat[TILE * tile : TILE * (tile + 1)]
        part_0, part_1 = part[:LANES], part[LANES : 2 * LANES]
        part_2, part_3 = part[2 * LANES : 3 * LANES], part[3 * LANES :]
        for lane in range(LANES):
            words = philox(np.uint64(block + LANES * tile + lane), c1, c2, c3, k0, k1)
            drawn = normal_values(words[0], words[1], words[2], words[3], np.uint64(0))
            part_0[lane] += left * drawn[0]
            part_1[lane] += left * drawn[1]
            part_2[lane] += left * drawn[2]
            part_3[lane] += left * drawn[3]
    rest = flat[TILE * whole :]
    for i in range(rest.size):
        words = philox(np.uint64(block + LANES * whole + i % LANES), c1, c2, c3, k0, k1)
        drawn = normal_values(words[0], words[1], words[2], words[3], np.uint64(0))
        rest[i] += left * drawn[i // LANES]
