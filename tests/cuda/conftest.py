"""What makes the simulator quick."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="package")
def _threads_take_turns_often() -> Iterator[None]:
    """Simulated threads wait for one that polls, which Python else lets poll for 5 ms at a time."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)
