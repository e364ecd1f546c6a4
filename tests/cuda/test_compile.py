"""Every kernel compiles for real cards, without one: no spills, no stack, no float64, few enough registers."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from ..commands import environment

MOST_REGISTERS = 128
"""Of a thread: two blocks of 256 then share a multiprocessor's 65,536."""

LARGE_TILES, MOST_OF_LARGE_TILES = (" 64x32", " 32x32"), 160
"""Products whose threads have 8 x 4 sums each; there are few such blocks, one for a multiprocessor."""

ALL_REGISTERS = 65_536
"""Of a multiprocessor, and so of a block; a thread's are given out by eights."""

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None,
    reason="numba-cuda is not installed (pip install 'numba-cuda[cu12]')",
)


@pytest.fixture(scope="module")
def rows():
    """What the assembler says of each kernel, from a process in which Numba does not simulate."""
    given = environment() | {"NUMBA_ENABLE_CUDASIM": "0", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.cuda.compile_kernels"],
        env=given,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_kernel_compiles_to_lean_code(rows):
    assert len(rows) >= 2 * 30
    for row in rows:
        assert row["stack"] == row["spilled"] == 0, row
        assert not row["float64"], row
        large = any(tile in row["kernel"] for tile in LARGE_TILES)
        assert 0 < row["registers"] <= (MOST_OF_LARGE_TILES if large else MOST_REGISTERS), row
        assert -(-row["registers"] // 8) * 8 * row["threads"] <= ALL_REGISTERS, row


def test_both_capabilities_are_compiled_for(rows):
    assert {tuple(row["capability"]) for row in rows} == {(8, 0), (9, 0)}
