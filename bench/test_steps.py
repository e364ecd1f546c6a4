"""Whole training steps at four sizes: fastgan, its peers and the floor, by turns."""

from __future__ import annotations

import pytest

from bench.rounds import OURS
from bench.sizes import STEPS

CONTENDERS = (
    OURS,
    "fastgan numpy",
    "torch eager",
    "torch.compile",
    "jax jit",
    "jax scan",
    "keras",
    "keras predict",
    "keras jax",
)


@pytest.mark.parametrize("contender", [*CONTENDERS, "floor"])
@pytest.mark.parametrize("size", STEPS)
def test_step(size, contender, contested, results, replay):
    found = contested("step", size, STEPS[size], CONTENDERS, floor=True)
    if contender not in found:
        pytest.skip(results.missing.get(contender, "its contest failed"))
    each = found[contender]
    replay(f"step, {size}", each.seconds, threads=each.threads, description=each.description)
