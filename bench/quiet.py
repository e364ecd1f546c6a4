"""Waiting until this process computes no more: threads of a BLAS spin for some 0.1 s after their last product."""

from __future__ import annotations

import time

LOOK = 0.01
"""Seconds between two looks at the processor time used."""

MOST = 0.5
"""Seconds to wait at most."""


def settle() -> None:
    """Return when less than a tenth of a core was used for `LOOK` seconds."""
    end = time.perf_counter() + MOST
    while time.perf_counter() < end:
        used, started = time.process_time(), time.perf_counter()
        time.sleep(LOOK)
        if time.process_time() - used < 0.1 * (time.perf_counter() - started):
            return
