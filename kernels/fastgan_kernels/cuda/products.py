"""The tiled matrix product that the dense kernels are made of.

A block of threads makes one tile of ``c = a @ b``. In turns, its threads bring a slice of a's rows and of b's columns
into shared memory, while the next slice is on its way, and each thread adds that slice's products to its own few sums,
in registers. Where a tile is small, its threads form groups that share the depth, whose sums are added in their order
at the end. Nothing is added atomically, so the same shapes give the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from numba import cuda, float32, uint32

from .device import SIMULATED

ALIGNMENT = None if SIMULATED else 16
"""Bytes to which shared memory is aligned, so that a thread's neighbouring numbers are read at once."""

WARP = 1 if SIMULATED else 32
"""Threads that a card runs together anyway."""

AT_ONCE = 4
"""Numbers that one instruction reads, at most."""

PAD = AT_ONCE
"""Numbers by which rows in shared memory are longer, so that they begin in other banks."""


class Tile(NamedTuple):
    """How one block makes its tile.

    Parameters
    ----------
    rows, columns : of the tile
    depth : of the slice that one group has in shared memory
    high, wide : rows and columns of one thread, next to each other
    groups : of threads that share the depth, at most
    """

    rows: int
    columns: int
    depth: int
    high: int
    wide: int
    groups: int

    @property
    def each(self) -> int:
        """Threads of a group."""
        return (self.rows // self.high) * (self.columns // self.wide)

    def threads(self, depth: int) -> int:
        """Threads of a block: no more groups than a product's depth has slices, but whole warps."""
        needed = max(1, -(-depth // self.depth), WARP // self.each)
        return min(self.groups, needed) * self.each

    def blocks(self, rows: int, columns: int) -> tuple[int, int]:
        """Grid for a result of so many rows and columns: rows first, of which there may be more than 65,535 tiles."""
        return -(-rows // self.rows), -(-columns // self.columns)


LARGE = Tile(64, 32, 16, 8, 4, 4)
MIDDLE = Tile(32, 32, 16, 8, 4, 8)
SMALL = Tile(16, 16, 32, 4, 2, 8)
TINY = Tile(8, 8, 16, 2, 2, 16)

TILES = (LARGE, MIDDLE, SMALL, TINY)
"""From the fewest reads to the most blocks; measured, see ``bench/NOTES.md``."""

ENOUGH = 96
"""Blocks that keep a card busy: it has some hundred multiprocessors."""


def tile_for(rows: int, columns: int) -> Tile:
    """The first of `TILES` with `ENOUGH` blocks; where none has, the smallest."""
    for tile in TILES:
        if math.prod(tile.blocks(rows, columns)) >= ENOUGH:
            return tile
    return TILES[-1]


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
    rows, columns = tile.rows, tile.columns

    @cuda.jit(device=True)
    def left_of(given, row, k):
        a, _, c, _, labels, inputs, first, _, _ = given
        return left(a, c, labels, inputs, first, row, k)

    @cuda.jit(device=True)
    def right_of(given, k, column):
        return right(given[1], k, column)

    @cuda.jit(device=True)
    def store_to(total, given, row, column):
        _, b, c, extra, labels, inputs, _, activation, slope = given
        store(total, b, c, extra, labels, inputs, row, column, activation, slope)

    finish = make_finish(tile, store_to)
    make_tile = make_tile_product(
        tile, left_of, right_of, finish, left_along=left_along, right_along=right_along
    )

    @cuda.jit
    def product(m, n, depth, a, b, c, extra, labels, inputs, first, activation, slope):
        given = (a, b, c, extra, labels, inputs, first, activation, slope)
        make_tile(m, n, depth, cuda.blockIdx.x * rows, cuda.blockIdx.y * columns, given)

    return product


def make_finish(tile: Tile, store: Callable[..., Any]) -> Any:
    """Make the last part of a tile product, ``(shared, m, n, top, side, given)``, of a device function for each sum.

    That is ``store(total, given, row, column)``; neighbouring threads have neighbours of a row.
    """
    size, columns = tile.rows * tile.columns, tile.columns
    each_bits, column_bits = (n.bit_length() - 1 for n in (tile.each, columns))

    @cuda.jit(device=True)
    def finish(shared, m, n, top, side, given):
        for place in range(cuda.threadIdx.x, size, cuda.blockDim.x):
            total = shared[place]
            for other in range(1, cuda.blockDim.x >> each_bits):
                total += shared[other * size + place]
            row, column = top + (place >> column_bits), side + (place & (columns - 1))
            if row < m and column < n:
                store(total, given, uint32(row), uint32(column))

    return finish


def make_tile_product(
    tile: Tile,
    left: Callable[..., Any],
    right: Callable[..., Any],
    finish: Callable[..., Any],
    *,
    left_along: bool,
    right_along: bool,
) -> Any:
    """Make the device function ``(m, n, depth, top, side, given)`` of the tile whose first element is (top, side).

    All threads of a block call it, `Tile.threads` of them, with the same arguments.

    Parameters
    ----------
    left, right : device functions ``(given, row, k)`` and ``(given, k, column)``: an element of either side
    finish : device function ``(shared, m, n, top, side, given)``, as `make_finish` makes it: a group's sums lie in
        shared memory row by row, those of one group after those of another
    left_along, right_along : whether neighbours in memory are neighbours along the depth
    """
    rows, columns, deep, high, wide, groups = tile
    each, across = tile.each, columns // wide
    left_row, right_row = rows + PAD, columns + PAD
    left_slice, right_slice = deep * left_row, deep * right_row
    lefts_each, rights_each = rows * deep // each, columns * deep // each
    left_line, right_line = deep if left_along else rows, deep if right_along else columns
    left_step, right_step = each // left_line, each // right_line
    size, own = rows * columns, high * wide
    room = groups * max(left_slice + right_slice, size)
    # All of these are powers of 2, and what bits cut out is known not to be negative, which as an index is cheaper.
    each_bits, across_bits = each.bit_length() - 1, across.bit_length() - 1
    left_bits, right_bits = left_line.bit_length() - 1, right_line.bit_length() - 1
    add_slice = make_slice(high, wide, deep, left_row, right_row)

    @cuda.jit(device=True)
    def tile_product(m, n, depth, top, side, given):
        shared = cuda.shared.array(room, float32, ALIGNMENT)
        coming_lefts = cuda.local.array(lefts_each, float32)
        coming_rights = cuda.local.array(rights_each, float32)
        sums = cuda.local.array(own, float32)
        thread, group = cuda.threadIdx.x & (each - 1), cuda.threadIdx.x >> each_bits & (groups - 1)
        active = cuda.blockDim.x >> each_bits
        x, y = (thread & (across - 1)) * wide, (thread >> across_bits) * high
        lefts, rights = group * left_slice, groups * left_slice + group * right_slice
        # A thread brings every so many-th element of a line along memory, from a line, row or column, to others.
        left_place, left_start = thread & (left_line - 1), thread >> left_bits
        right_place, right_start = thread & (right_line - 1), thread >> right_bits
        for i in range(own):
            sums[i] = float32(0)
        last_row, last_column, last = uint32(m - 1), uint32(n - 1), uint32(max(depth, 1) - 1)
        stride = active * deep
        for start in range(-stride, depth, stride):  # the first turn only asks for what the second needs
            base = start + group * deep
            if start >= 0:
                for p in range(lefts_each):
                    line = left_start + p * left_step
                    k, i = (left_place, line) if left_along else (line, left_place)
                    value = coming_lefts[p] if uint32(base + k) <= last else float32(0)
                    shared[lefts + k * left_row + i] = value
                for p in range(rights_each):
                    line = right_start + p * right_step
                    k, j = (right_place, line) if right_along else (line, right_place)
                    value = coming_rights[p] if uint32(base + k) <= last else float32(0)
                    shared[rights + k * right_row + j] = value
                cuda.syncthreads()
            base += stride
            if start + stride < depth:
                # Past an edge the last element is read again; such a row or column is not stored, and the rest is 0.
                for p in range(lefts_each):
                    line = left_start + p * left_step
                    k, i = (left_place, line) if left_along else (line, left_place)
                    k, i = min(uint32(base + k), last), min(uint32(top + i), last_row)
                    coming_lefts[p] = left(given, uint32(i), uint32(k))
                for p in range(rights_each):
                    line = right_start + p * right_step
                    k, j = (right_place, line) if right_along else (line, right_place)
                    k, j = min(uint32(base + k), last), min(uint32(side + j), last_column)
                    coming_rights[p] = right(given, uint32(k), uint32(j))
            if start >= 0:
                add_slice(sums, shared, lefts + y, rights + x)
                cuda.syncthreads()
        for i in range(high):
            for j in range(wide):
                shared[group * size + (y + i) * columns + x + j] = sums[i * wide + j]
        cuda.syncthreads()
        finish(shared, m, n, top, side, given)

    return tile_product


def make_slice(high: int, wide: int, deep: int, left_row: int, right_row: int) -> Callable[..., None]:
    """Make ``(sums, shared, left, right)``, which adds a slice's products to a thread's `high` times `wide` sums.

    Row k of the thread's part of the slice begins at ``shared[left + k * left_row]`` and ``shared[right + k *
    right_row]``. Written as instructions, since of Numba's loop LLVM makes one that reads number by number.
    """
    if SIMULATED:

        def add_slice(sums, shared, left, right):
            for k in range(deep):
                one, other = left + k * left_row, right + k * right_row
                for i in range(high):
                    for j in range(wide):
                        sums[i * wide + j] += shared[one + i] * shared[other + j]

        return add_slice

    from llvmlite import ir
    from numba.cuda import types
    from numba.cuda.extending import intrinsic

    @intrinsic
    def add_products(typing: Any, sums: Any, shared: Any, left: Any, right: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind, index = ir.FloatType(), ir.IntType(64)
            totals, data = (
                context.make_array(signature.args[i])(context, builder, arguments[i]).data for i in (0, 1)
            )
            left_start, right_start = (builder.gep(data, [each]) for each in arguments[2:])
            places = [builder.gep(totals, [index(i)]) for i in range(high * wide)]
            results = [builder.load(place) for place in places]

            def numbers(start: Any, offset: int, count: int) -> list[Any]:
                found, once = [], min(count, AT_ONCE)
                for first in range(offset, offset + count, once):
                    place = builder.bitcast(
                        builder.gep(start, [index(first)]), ir.VectorType(kind, once).as_pointer()
                    )
                    vector = builder.load(place, align=4 * once)
                    found += [builder.extract_element(vector, ir.IntType(32)(i)) for i in range(once)]
                return found

            for k in range(deep):
                ones, others = (
                    numbers(left_start, k * left_row, high),
                    numbers(right_start, k * right_row, wide),
                )
                pairs = [(one, other) for one in ones for other in others]
                results = [
                    builder.fma(one, other, total) for (one, other), total in zip(pairs, results, strict=True)
                ]
            for place, total in zip(places, results, strict=True):
                builder.store(total, place)
            return context.get_dummy_value()

        return types.void(sums, shared, types.int64, types.int64), generate

    return add_products
