"""What a user waits for: the import, and the first step with and without kept machine code, in fresh processes."""

from __future__ import annotations

import pytest

from bench.child import said
from bench.conftest import add_row
from bench.rounds import Summary

IMPORT = """
import json, time
started = time.perf_counter()
import fastgan
print(json.dumps({"seconds": time.perf_counter() - started}))
"""

# From `import fastgan` on, which is not counted: NumPy and the rows are there.
FIRST_STEP = """
import json, time
import numpy as np
import fastgan
rows = np.random.default_rng(0).uniform(-1, 1, (1000, 8)).astype(np.float32)
started = time.perf_counter()
fastgan.GAN(backend="cpu").fit(rows, steps=1)
print(json.dumps({"seconds": time.perf_counter() - started}))
"""

WAITS = {"import": (IMPORT, 9), "first step, cold": (FIRST_STEP, 3), "first step, cached": (FIRST_STEP, 7)}


@pytest.mark.parametrize("wait", WAITS)
def test_startup(wait, results, replay, tmp_path):
    program, rounds = WAITS[wait]
    cold = wait.endswith("cold")
    if not cold:
        said(program, FASTGAN_CACHE=str(tmp_path))  # reads the files once, and keeps machine code
    folders = [tmp_path / str(each) if cold else tmp_path for each in range(rounds)]
    seconds = [said(program, FASTGAN_CACHE=str(folder))["seconds"] for folder in folders]
    add_row(
        results, "start-up", wait, "fastgan", Summary.of([1e3 * each for each in seconds]), rounds, unit="ms"
    )
    replay("start-up", seconds)
