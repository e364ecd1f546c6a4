"""How the floor's pieces of work are timed: see `bench.floor`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

SLICE = 0.002
"""Seconds that each piece of work is repeated for in a round."""


def timed(function: Callable[..., None], arrays: Any, times: dict[Any, int], key: Any) -> float:
    """Seconds of one repetition, of as many as `SLICE` holds; how many that is is kept in `times`."""
    function(*arrays, 1)
    if key not in times:
        count, elapsed = 1, 0.0
        while elapsed < SLICE / 4:
            count *= 4
            started = time.perf_counter()
            function(*arrays, count)
            elapsed = time.perf_counter() - started
        times[key] = max(1, math.ceil(SLICE / elapsed * count))
    started = time.perf_counter()
    function(*arrays, times[key])
    return (time.perf_counter() - started) / times[key]


def way_of(how: str, threads: int) -> str:
    """Name of a way to do a piece of work."""
    return f"{how}, {threads} thread{'s' * (threads > 1)}"
