"""The floor's half that runs on PyTorch's matrix products: see `bench.floor`."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from bench.floor import products
from bench.floor_timing import timed, way_of
from bench.problem import Problem
from bench.quiet import settle


def multiply(a: torch.Tensor, b: torch.Tensor, out: torch.Tensor, times: int) -> None:
    """``out = a @ b``."""
    for _ in range(times):
        torch.mm(a, b, out=out)


class Torch:
    """Measures as a contender does: in a process of its own, in every round."""

    chunk = 1
    description = f"torch {torch.__version__}"

    def __init__(self, problem: Problem, threads: int):
        self.threads = threads
        self.pieces = []
        for each in products(problem.size):
            a, b, out = (torch.from_numpy(np.asarray(x)) for x in each.operands())
            self.pieces.append(
                (each.key, (a.T if each.kind == "tn" else a, b.T if each.kind == "nt" else b, out))
            )
        self.times: dict[Any, int] = {}

    def gradients(self) -> dict[str, Any]:
        """It has none."""
        return {}

    def run(self, steps: int) -> None:
        """See how long each piece takes."""
        self.measure()

    def measure(self) -> dict[str, dict[str, float]]:
        """Seconds of each product on one thread and on all."""
        found: dict[str, dict[str, float]] = {}
        with torch.no_grad():
            for count in sorted({1, self.threads}):
                torch.set_num_threads(count)
                way = way_of("torch.mm", count)
                for work, operands in self.pieces:
                    found.setdefault(work, {})[way] = timed(multiply, operands, self.times, (work, way))
                settle()
        return found
