"""Peak resident memory of whole trainings on the command line, each in a fresh process.

The times in pytest-benchmark's table are those of the runs; the memory is in the results and in ``extra_info``. A
memory map's pages count, though the system takes them back when it needs them.
"""

from __future__ import annotations

import numpy as np
import pytest

from bench.child import used
from bench.conftest import add_row
from bench.rounds import Summary
from fastgan.data.fashion_mnist import system_folder

ROUNDS = 3
RUNS = {
    "digits": ["digits"],
    "ring": ["ring"],
    "fashion-mnist": ["fashion-mnist", "--epochs", "2", "--set", "run.samples_every=1"],
    "10^7 rows of 8 float32": ["--steps", "2000"],
}


@pytest.mark.parametrize("run", RUNS)
def test_memory(run, results, replay, benchmark, tmp_path):
    arguments = list(RUNS[run])
    if run == "fashion-mnist" and system_folder() is None:
        pytest.skip("Fashion-MNIST is not installed (Debian: dataset-fashion-mnist)")
    if run not in ("digits", "ring", "fashion-mnist"):
        array = np.lib.format.open_memmap(tmp_path / "rows.npy", "w+", np.float32, (10**7, 8))
        for start in range(0, len(array), 10**6):
            array[start : start + 10**6] = np.random.default_rng(start).uniform(-1, 1, (10**6, 8))
        array.flush()
        arguments += ["--data", str(tmp_path / "rows.npy")]
    made = [
        used("-m", "fastgan", "train", *arguments, "--log", "quiet", "--out", tmp_path / str(each))
        for each in range(ROUNDS)
    ]
    peaks, seconds = zip(*made, strict=True)
    add_row(results, "memory", run, "fastgan", Summary.of(peaks), ROUNDS, unit="MB")
    replay("memory", seconds, peak_MB=round(max(peaks)))
