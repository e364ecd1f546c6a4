"""Waiting until this process computes no more: threads of a BLAS spin for some 0.1 s after their last product."""

from __future__ import annotations

import time

LOOK = 0.01
"""Seconds between two looks at the processor time used."""

QUIET = 0.03
"""Of a core; on busy cores a thread that spins, and yields, gets little more."""

MOST = 0.5
"""Seconds to wait at most."""


def settle() -> None:
    """Return when two looks in a row found this process quiet."""
    end, quiet = time.perf_counter() + MOST, 0
    while quiet < 2 and time.perf_counter() < end:
        used, started = time.process_time(), time.perf_counter()
        time.sleep(LOOK)
        share = (time.process_time() - used) / (time.perf_counter() - started)
        quiet = quiet + 1 if share < QUIET else 0
