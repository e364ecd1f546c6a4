"""How a step's time grows: with the batch, the width of the layers, the rows of the data, and the threads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.conftest import add_row
from bench.problem import make_problem
from bench.rounds import OURS, Summary, Worker, by_turns, check_idle, estimate, ratios, thread_counts
from bench.sizes import FASHION, FASHION_L, GRID2, SEQ8
from fastgan.backends import available_cores

PEERS = (OURS, "torch eager", "torch.compile", "jax jit", "jax scan", "keras", "keras jax")
ROUNDS, SECONDS = 5, 0.15
"""Fewer and shorter than for the table of whole steps: there are many points."""

BATCHES = {
    f"batch {rows}": replace(GRID2, name=f"batch-{rows}", batch_size=rows)
    for rows in (16, 32, 64, 128, 256, 512, 1024)
}
WIDTHS = {
    f"width {width}": replace(
        GRID2, name=f"width-{width}", generator=(width, width), discriminator=(width, width)
    )
    for width in (32, 64, 128, 256, 512, 1024, 2048)
}
CURVES = {"batch": BATCHES, "width": WIDTHS}


@pytest.mark.parametrize("contender", PEERS)
@pytest.mark.parametrize(
    ("curve", "point"), [(curve, point) for curve, points in CURVES.items() for point in points]
)
def test_peers(curve, point, contender, contested, results, replay):
    """Two hidden layers of 128 and a batch of 64, but for what is varied."""
    found = contested(curve, point, CURVES[curve][point], PEERS, rounds=ROUNDS, seconds=SECONDS)
    if contender not in found:
        pytest.skip(results.missing.get(contender, "its contest failed"))
    replay(point, found[contender].seconds, threads=found[contender].threads)


@pytest.fixture(scope="module")
def compared(results):
    """Rounds of fastgan alone at several points: ``compared(curve, {label: (file, threads)})``; ratios to the first."""
    made = {}

    def once(curve, points):
        if curve not in made:
            workers = {
                label: Worker(OURS, file, threads).start() for label, (file, threads) in points.items()
            }
            try:
                steps = estimate(list(workers.values()))
                turns = {label: (worker, steps[worker]) for label, worker in workers.items()}
                found = by_turns(turns, 9, SECONDS)
                check_idle(list(workers.values()))
            finally:
                for worker in workers.values():
                    worker.close()
            made[curve] = found
            first = next(iter(found.values()))
            for label, seconds in found.items():
                figures = Summary.of([1e6 * each for each in seconds])
                threads = points[label][1]
                add_row(
                    results, curve, label, OURS, figures, 9, threads=threads, ratio=ratios(seconds, first)
                )
        return made[curve]

    return once


ROWS = {f"rows {rows:,}": rows for rows in (10**3, 10**4, 10**5, 10**6, 10**7)}


@pytest.fixture(scope="module")
def mapped_rows(tmp_path_factory):
    """A problem for each number of rows, which a memory map reads."""
    folder, problems = tmp_path_factory.mktemp("rows"), {}
    for label, rows in ROWS.items():
        file = folder / f"{rows}.npy"
        array = np.lib.format.open_memmap(file, "w+", np.float32, (rows, SEQ8.columns))
        random = np.random.default_rng(0)
        for start in range(0, rows, 10**6):
            part = array[start : start + 10**6]
            part[...] = random.uniform(-1, 1, part.shape)
        array.flush()
        problems[label] = folder / f"{rows}.npz", 1
        make_problem(replace(SEQ8, rows=rows, mapped=str(file)), problems[label][0])
    return problems


@pytest.mark.parametrize("label", ROWS)
def test_rows(label, mapped_rows, compared, replay):
    """seq8 on more and more rows; from 10^7 on, 320 MB, they stay on disk."""
    replay("rows", compared("rows", mapped_rows)[label], threads=1)


@pytest.mark.parametrize("threads", thread_counts(available_cores()))
@pytest.mark.parametrize("size", [SEQ8, FASHION, FASHION_L], ids=lambda size: size.name)
def test_threads(size, threads, compared, replay, tmp_path_factory):
    file = tmp_path_factory.mktemp("threads") / "problem.npz"
    make_problem(size, file)
    counts = thread_counts(available_cores())
    found = compared(f"threads, {size.name}", {f"{count} threads": (file, count) for count in counts})
    replay(f"threads, {size.name}", found[f"{threads} threads"], threads=threads)
