"""What makes the simulator quick, and its shared arrays shared."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from numba import config


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """On a card, all tests of this folder that launch kernels are ones for a GPU."""
    if not config.ENABLE_CUDASIM:
        for item in items:
            if item.path.parent == Path(__file__).parent and item.path.name != "test_compile.py":
                item.add_marker(pytest.mark.gpu)


class Once(dict[Any, Any]):
    """A dict in which whoever is first told that a key is missing sets it before anybody else may look."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def get(self, key: Any) -> Any:  # type: ignore[override]
        self._lock.acquire()
        found = super().get(key)
        if found is not None:
            self._lock.release()
        return found

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        self._lock.release()


@pytest.fixture(autouse=True, scope="package")
def _simulated_threads() -> Iterator[None]:
    """Simulated threads wait for one that polls, which Python else lets poll for 5 ms at a time.

    And where two of them reach ``cuda.shared.array`` at once, the simulator gives each an array of its own.
    """
    if not config.ENABLE_CUDASIM:
        yield
        return
    from numba.cuda.simulator.kernelapi import FakeCUDAShared

    make = FakeCUDAShared.__init__

    def make_once(self: Any, dynamic_bytes: int) -> None:
        make(self, dynamic_bytes)
        self._allocations = Once()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    FakeCUDAShared.__init__ = make_once
    yield
    FakeCUDAShared.__init__ = make
    sys.setswitchinterval(interval)
