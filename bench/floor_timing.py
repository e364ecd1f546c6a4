"""How the floor's pieces of work are timed: see `bench.floor`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

SLICE = 0.001
"""Seconds, at least one repetition, that a piece of work is repeated for."""

SLICES = 3
"""Of them in a round; the least counts, so that a floor is not raised by what disturbs it."""


def timed(function: Callable[..., None], arrays: Any, times: dict[Any, int], key: Any) -> float:
    """Seconds of one repetition in the quickest slice; how many a slice holds is kept in `times`."""
    function(*arrays, 1)
    if key not in times:
        count, elapsed = 1, 0.0
        while elapsed < SLICE / 4:
            count *= 4
            started = time.perf_counter()
            function(*arrays, count)
            elapsed = time.perf_counter() - started
        times[key] = max(1, math.ceil(SLICE / elapsed * count))
    slices = []
    for _ in range(SLICES):
        started = time.perf_counter()
        function(*arrays, times[key])
        slices.append(time.perf_counter() - started)
    return min(slices) / times[key]


def way_of(how: str, threads: int) -> str:
    """Name of a way to do a piece of work."""
    return f"{how}, {threads} thread{'s' * (threads > 1)}"
