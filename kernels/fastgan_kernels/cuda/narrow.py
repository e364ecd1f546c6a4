"""Parts of the kernels that run a network of narrow layers in one launch, a block for a few of its rows.

The rows of a batch do not meet before a gradient is made, so a block carries its own through all layers, in shared
memory. What waits is memory, not arithmetic: each thread asks for its weights of all layers at once and holds them in
registers. Kernels are made for one network, whose sizes are constants in them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from numba import cuda, float32

from .device import SIMULATED
from .table import Layer

THREADS = 8 if SIMULATED else 512
"""Of a block; no layer may be wider."""

MOST_HELD = {1: 80, 2: 56, 4: 56}
"""Numbers that a thread holds in registers, at most, by rows of a block: for all it may have 128."""

MOST_LAYERS = 8
"""Of a network: kernels of deeper ones take long to compile."""

MOST_OF_TWO = 48
"""Of these, at most, where two blocks may share a multiprocessor, and a thread has 64 registers."""

MOST_SHARES = 16
"""Threads that share the depth of one sum, at most; their parts are added up one after the other."""

MOST_PARTS = 8192
"""Numbers of the parts in shared memory, at most."""

HIGH = tuple(MOST_HELD)
"""Rows of a block: as few as keep the card full."""

FULL = 132
"""Blocks that fill a card."""

_device = cuda.jit(device=True)


def way_up(layer: Layer) -> tuple[int, int, int]:
    """Bits of the power of 2 that holds the outputs, threads that share one of them, and weights of a thread."""
    bits = (layer.outputs - 1).bit_length()
    shares = min(MOST_SHARES, THREADS >> bits)
    return bits, shares, -(-layer.inputs // shares)


def way_down(layer: Layer) -> tuple[int, int, int]:
    """Bits of the threads that share an input, next to each other; inputs of a thread, and weights for each."""
    room = (MOST_PARTS // layer.inputs).bit_length() - 2
    bits = min((layer.outputs - 1).bit_length(), room, 2 if SIMULATED else 5)
    return bits, -(-layer.inputs // (THREADS >> bits)), -(-layer.outputs >> bits)


def held_up(layer: Layer) -> int:
    """Weights that a thread holds on the way up."""
    return way_up(layer)[2]


def held_down(layer: Layer) -> int:
    """Weights that a thread holds on the way down."""
    _, some, each = way_down(layer)
    return some * each


def is_narrow(layers: Sequence[Layer], high: int, held: Callable[[Layer], int]) -> bool:
    """Whether one launch runs these layers: whether a thread can hold all that it is to hold, so much of each."""
    if len(layers) > MOST_LAYERS or max(max(layer.inputs, layer.outputs) for layer in layers) > THREADS:
        return False
    return sum(map(held, layers)) <= MOST_HELD[high]


def bounds(held: int, alone: bool = False) -> dict[str, Any]:
    """What tells the compiler how many registers there are for a thread that holds so many numbers.

    They are those of a block that has a multiprocessor `alone` where two would have too few: the compiler may spill
    some for a second block's sake. With curvature it did so with fewer numbers, too.
    """
    alone = alone or held > MOST_OF_TWO
    return {} if SIMULATED else {"launch_bounds": (THREADS, 1) if alone else THREADS}


def rows_of_block(rows: int) -> int:
    """One of `HIGH`."""
    return next((high for high in HIGH if -(-rows // high) <= FULL), HIGH[-1])


def one_after_the_other(parts: Sequence[Any]) -> Any:
    """Make one device function that calls all of these with its arguments."""
    if len(parts) == 1:
        return parts[0]
    first, others = parts[0], one_after_the_other(parts[1:])

    @_device
    def both(*given):
        first(*given)
        others(*given)

    return both


def make_look(units: int, columns: int, high: int, index: int) -> Any:
    """Make ``(arena, seen, top, rows, max_rows, start)``, which asks for a thread's column of a layer in an arena.

    The block's rows, from `top` of `rows` on, lie `start` rows further there; they are kept from ``index * high`` on.
    """

    @_device
    def look(arena, seen, top, rows, max_rows, start):
        for r in range(high):
            at = units * max_rows + (start + min(top + r, rows - 1)) * columns
            seen[index * high + r] = arena[at + min(cuda.threadIdx.x & (THREADS - 1), columns - 1)]

    return look


def make_up(layer: Layer, high: int, place: int) -> tuple[Any, Any, Any]:
    """Make the parts of a product ``values @ w``; neighbouring threads make neighbouring outputs.

    They are ``fetch(params, held)``, which asks for weights, kept from `place` on; ``multiply(held, values, parts)``,
    after which all threads have met; and ``add_up(parts, r, total)``, total and the sum of row r at a thread's column.
    """
    inputs, columns, start = layer.inputs, layer.outputs, layer.weights
    bits, shares, each = way_up(layer)
    mask, last = (1 << bits) - 1, columns - 1

    @_device
    def fetch(params, held):
        column, share = min(cuda.threadIdx.x & mask, last), cuda.threadIdx.x >> bits & (shares - 1)
        for p in range(each):
            held[place + p] = params[start + min(share + p * shares, inputs - 1) * columns + column]

    @_device
    def multiply(held, values, parts):
        thread = cuda.threadIdx.x & (THREADS - 1)
        share = thread >> bits & (shares - 1)
        for r in range(high):
            total = float32(0)
            for p in range(each):
                if (p + 1) * shares <= inputs or share + p * shares < inputs:
                    total += values[r * THREADS + share + p * shares] * held[place + p]
            parts[r * THREADS + thread] = total
        cuda.syncthreads()

    @_device
    def add_up(parts, r, total):
        for other in range(shares):
            total += parts[r * THREADS + (other << bits) + (cuda.threadIdx.x & (THREADS - 1))]
        return total

    return fetch, multiply, add_up


def make_down(layer: Layer, place: int, wide: int) -> tuple[Any, Any, Any]:
    """Make the parts of a product ``values @ w.T`` of one row, as `make_up`; `parts` has rows of `wide` numbers.

    `multiply` has the row after `parts`.
    """
    inputs, columns, start = layer.inputs, layer.outputs, layer.weights
    bits, some, each = way_down(layer)
    lanes, lines, mask = 1 << bits, THREADS >> bits, (1 << bits) - 1

    @_device
    def fetch(params, held):
        lane, line = cuda.threadIdx.x & mask, cuda.threadIdx.x >> bits & (lines - 1)
        for i in range(some):
            row = start + min(line + i * lines, inputs - 1) * columns
            for j in range(each):
                held[place + i * each + j] = params[row + min(lane + j * lanes, columns - 1)]

    @_device
    def multiply(held, values, parts, r):
        thread = cuda.threadIdx.x & (THREADS - 1)
        lane, line = thread & mask, thread >> bits
        for i in range(some):
            total = float32(0)
            for j in range(each):
                if (j + 1) * lanes <= columns or lane + j * lanes < columns:
                    total += values[r * THREADS + lane + j * lanes] * held[place + i * each + j]
            if (i + 1) * lines <= inputs or line + i * lines < inputs:
                parts[(line + i * lines) * wide + lane] = total
        cuda.syncthreads()

    @_device
    def add_up(parts):
        total = float32(0)
        for other in range(lanes):
            total += parts[(cuda.threadIdx.x & (THREADS - 1)) * wide + other]
        return total

    return fetch, multiply, add_up
