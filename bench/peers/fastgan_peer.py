"""fastgan itself: the compiled step, and the same step interpreted on NumPy arrays."""

from __future__ import annotations

import numpy as np

from bench.problem import Problem, perform_roles
from fastgan.state import STATISTICS
from fastgan.step import TRAIN
from fastgan.trainer import Trainer


class _Fastgan:
    backend = ""

    def __init__(self, problem: Problem, threads: int):
        settings = problem.size.settings(backend=self.backend, threads=threads, seed=problem.knobs["seed"])
        self.trainer = Trainer(settings, problem.size.dataset(), keep_history=False)
        self.trainer.compile()
        self.description = self.trainer.backend.description
        self.problem = problem
        self.gan = self.trainer.gan  # asked for once: whoever asks may change it, so that it is copied again
        self.chunk = 1

    def gradients(self) -> dict[str, np.ndarray]:
        """Its own noise is the problem's: the same seed gives the same numbers on every backend."""
        data, half = self.trainer.dataset, self.problem.size.half
        found = perform_roles(self.trainer, data.array[:half], data.labels[:half])
        return {role: gradient for role, (gradient, _) in found.items()}

    def run(self, steps: int) -> None:
        statistics = np.zeros((steps, len(STATISTICS)), np.float32)
        data = self.trainer.dataset
        self.trainer.backend.perform(TRAIN, self.gan, data.array, data.labels, statistics)
        if not np.isfinite(statistics).all():
            raise FloatingPointError("the training diverged")


class Compiled(_Fastgan):
    """`backend = "cpu"`: all of it one call."""

    backend = "cpu"


class Interpreted(_Fastgan):
    """`backend = "numpy"`: plain NumPy, an op at a time."""

    backend = "numpy"


class Cuda(_Fastgan):
    """`backend = "cuda"`: a step is one launch of a graph."""

    backend = "cuda"
