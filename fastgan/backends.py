"""The machines a step runs on: chosen once, said aloud, and never swapped silently."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgan.errors import UserError, nearest

NAMES = ("auto", "numpy", "cpu", "cuda")


class Backend:
    """What runs the steps, with a number of BLAS threads that it leaves to nobody else.

    Parameters
    ----------
    description : what to tell the user, such as ``cpu (numba 0.68, 2 threads)``
    function : `fastgan.step.perform`, interpreted or compiled
    threads : threads of every BLAS in the process while a step runs: NumPy's, and SciPy's, which compiled code calls
    """

    def __init__(self, description: str, function: Callable[..., None], threads: int):
        import scipy.linalg.cython_blas  # noqa: F401, loads the BLAS whose threads are set
        import threadpoolctl

        self.description = description
        self.function = function
        self.threads = threads
        self._blas = threadpoolctl.ThreadpoolController().select(user_api="blas")

    @property
    def name(self) -> str:
        """The first word of the description."""
        return self.description.split()[0]

    def perform(self, *arguments: Any) -> None:
        """Call `fastgan.step.perform`."""
        with self._blas.limit(limits=self.threads):
            self.function(*arguments)

    def ready(self) -> bool:
        """Whether the first call is quick, because nothing is left to compile."""
        from fastgan.compiled import is_cached

        signatures = getattr(self.function, "signatures", True)
        return bool(signatures) or is_cached(self.function)


def choose_backend(name: str, threads: int) -> Backend:
    """Return the backend of this name; "auto" is the fastest that works here.

    Parameters
    ----------
    name : "auto", "numpy", "cpu" or "cuda"
    threads : BLAS threads

    Raises
    ------
    UserError
        If the backend asked for cannot be had.
    """
    if name not in NAMES:
        raise UserError(f"backend is {name!r}{nearest(name, NAMES)}; it must be one of {', '.join(NAMES)}")
    if name == "cuda":
        raise UserError(f"backend is 'cuda' but {cuda_problem()}; use backend = 'cpu'")
    plural = "thread" if threads == 1 else "threads"
    if name == "numpy":
        from fastgan.step import perform

        return Backend(f"numpy ({np.__version__}, {threads} {plural})", perform, threads)
    import numba

    reason = f" - {cuda_problem()}" if name == "auto" else ""
    description = f"cpu (numba {numba.__version__}, {threads} {plural}){reason}"
    return Backend(description, _compiled_perform(), threads)


def cuda_problem() -> str:
    """Why the cuda backend cannot be had here, in a few words."""
    return "this version of fastgan has no CUDA backend yet"


def available_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def _compiled_perform() -> Any:
    """One dispatcher a process: every GAN shares what is compiled."""
    from fastgan import networks, step
    from fastgan.compiled import compiled

    return compiled(step.entry, parts=[*vars(networks), *vars(step)])
