"""The tiled matrix product that the dense kernels are made of.

A block of threads makes one tile of ``c = a @ b``. In turns, its threads bring a slice of a's rows and of b's columns
into shared memory, and each thread adds that slice's products to its own few sums, in registers. Where a tile is small,
its threads form groups that share the depth, whose sums are added in their order at the end. Nothing is added
atomically, so the same shapes give the same bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import cuda, float32, int32


class Tile(NamedTuple):
    """How one block makes its tile.

    Parameters
    ----------
    rows, columns : of the tile
    depth : of the slice that one group has in shared memory
    high, wide : rows and columns of one thread
    groups : of threads that share the depth
    """

    rows: int
    columns: int
    depth: int
    high: int
    wide: int
    groups: int

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return self.groups * (self.rows // self.high) * (self.columns // self.wide)

    def blocks(self, rows: int, columns: int) -> tuple[int, int]:
        """Grid for a result of so many rows and columns."""
        return -(-columns // self.columns), -(-rows // self.rows)


LARGE = Tile(64, 64, 16, 4, 4, 1)
MIDDLE = Tile(32, 32, 16, 2, 2, 1)
SMALL = Tile(16, 16, 16, 2, 2, 4)
TINY = Tile(8, 8, 8, 2, 2, 2)

TILES = (LARGE, MIDDLE, SMALL, TINY)
"""From the fewest reads to the most blocks."""

ENOUGH = 96
"""Blocks that keep a card busy: it has some hundred multiprocessors."""


def tile_for(rows: int, columns: int) -> Tile:
    """The first of `TILES` with `ENOUGH` blocks; where none has, the one that makes the most of few threads."""
    for tile in TILES[:-1]:
        across, down = tile.blocks(rows, columns)
        if across * down >= ENOUGH:
            return tile
    return TINY if min(rows, columns) <= TINY.rows else SMALL


def make_product(
    tile: Tile,
    left: Callable[..., Any],
    right: Callable[..., Any],
    store: Callable[..., Any],
    *,
    left_along: bool,
    right_along: bool,
) -> Any:
    """Make the kernel ``(m, n, depth, a, b, c, extra, labels, inputs, first, activation, slope)`` of one tile.

    Parameters
    ----------
    left : device function ``(a, c, labels, inputs, first, row, k)``: an element of the left side
    right : device function ``(b, k, column)``: an element of the right side
    store : device function ``(total, b, c, extra, labels, inputs, row, column, activation, slope)``
    left_along, right_along : whether neighbours in memory are neighbours along the depth
    """
    rows, columns, deep, high, wide, groups = map(np.int32, tile)
    across, down = columns // wide, rows // high
    each = across * down
    # Shapes are made of plain whole numbers.
    shares, slice_depth, left_rows, right_columns = tile.groups, tile.depth, tile.rows + 1, tile.columns + 1
    own_rows, own_columns, all_sums = tile.high, tile.wide, tile.rows * tile.columns if tile.groups > 1 else 1

    @cuda.jit
    def product(m, n, depth, a, b, c, extra, labels, inputs, first, activation, slope):
        lefts = cuda.shared.array((shares, slice_depth, left_rows), float32)
        rights = cuda.shared.array((shares, slice_depth, right_columns), float32)
        others = cuda.shared.array((shares, all_sums), float32)
        sums = cuda.local.array((own_rows, own_columns), float32)
        group = int32(cuda.threadIdx.x // each)
        thread = int32(cuda.threadIdx.x % each)
        x, y = int32(thread % across), int32(thread // across)
        top, side = int32(cuda.blockIdx.y * rows), int32(cuda.blockIdx.x * columns)
        for i in range(high):
            for j in range(wide):
                sums[i, j] = float32(0)
        for start in range(0, depth, groups * deep):
            base = int32(start + group * deep)
            for place in range(thread, rows * deep, each):
                i = int32(place // deep if left_along else place % rows)
                k = int32(place % deep if left_along else place // rows)
                value = float32(0)
                if top + i < m and base + k < depth:
                    value = left(a, c, labels, inputs, first, int32(top + i), int32(base + k))
                lefts[group, k, i] = value
            for place in range(thread, columns * deep, each):
                j = int32(place // deep if right_along else place % columns)
                k = int32(place % deep if right_along else place // columns)
                value = float32(0)
                if side + j < n and base + k < depth:
                    value = right(b, int32(base + k), int32(side + j))
                rights[group, k, j] = value
            cuda.syncthreads()
            for k in range(deep):
                for i in range(high):
                    for j in range(wide):
                        sums[i, j] += lefts[group, k, y + i * down] * rights[group, k, x + j * across]
            cuda.syncthreads()
        if groups > 1:
            for i in range(high):
                for j in range(wide):
                    others[group, (y + i * down) * columns + x + j * across] = sums[i, j]
            cuda.syncthreads()
        if group == 0:
            for i in range(high):
                for j in range(wide):
                    row, column = int32(y + i * down), int32(x + j * across)
                    total = sums[i, j]
                    for other in range(1, groups):
                        total += others[other, row * columns + column]
                    row, column = int32(top + row), int32(side + column)
                    if row < m and column < n:
                        store(total, b, c, extra, labels, inputs, row, column, activation, slope)

    return product
