"""Each op of fastgan_kernels, its reference on NumPy and its compiled version, by turns: one BLAS thread."""

from __future__ import annotations

import pytest

from bench.conftest import add_row
from bench.floor_timing import timed
from bench.ops import OPS, SHAPES, arguments, compiled, interpreted
from bench.rounds import Summary, ratios

ROUNDS = 9
BACKENDS = {"compiled": compiled, "numpy": interpreted}


@pytest.fixture(scope="module")
def measured(results):
    """Seconds of each round of both versions: ``measured(op, shape)``, each pair measured once."""
    import scipy.linalg.cython_blas  # noqa: F401
    import threadpoolctl

    made = {}

    def once(name, shape):
        if (name, shape) not in made:
            values = {backend: tuple(arguments(name, shape).values()) for backend in BACKENDS}
            seconds = {backend: [] for backend in BACKENDS}
            times = {}
            with threadpoolctl.threadpool_limits(1, user_api="blas"):
                for _ in range(ROUNDS):
                    for backend, make in BACKENDS.items():
                        seconds[backend].append(timed(make(name), values[backend], times, backend))
            made[name, shape] = seconds
            for backend, each in seconds.items():
                figures = Summary.of([1e6 * s for s in each])
                ratio = ratios(each, seconds["compiled"])
                add_row(results, "op", f"{name} {shape}", backend, figures, ROUNDS, ratio=ratio)
        return made[name, shape]

    return once


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", OPS)
def test_op(name, shape, backend, measured, replay):
    replay(f"{name}, {shape}", measured(name, shape)[backend])
