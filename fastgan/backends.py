"""The machines a step runs on: chosen once, said aloud, and never swapped silently."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastgan.errors import UserError, nearest

NAMES = ("auto", "numpy", "cpu", "cuda")


@dataclass(frozen=True)
class Backend:
    """What runs the steps.

    Parameters
    ----------
    name : "numpy" or "cpu"
    description : what to tell the user, such as ``cpu (numba 0.68, 2 threads)``
    perform : `fastgan.step.perform`, interpreted or compiled
    ready : whether the first call is quick, because nothing is left to compile
    """

    name: str
    description: str
    perform: Callable[..., None]
    ready: Callable[[], bool]


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
    limit_threads(threads)
    plural = "thread" if threads == 1 else "threads"
    if name == "numpy":
        return Backend("numpy", f"numpy ({np.__version__}, {threads} {plural})", _interpreted(), lambda: True)
    import numba

    perform = _compiled_perform()
    reason = f" - {cuda_problem()}" if name == "auto" else ""
    description = f"cpu (numba {numba.__version__}, {threads} {plural}){reason}"
    return Backend("cpu", description, perform, functools.partial(_is_ready, perform))


def cuda_problem() -> str:
    """Why the cuda backend cannot be had here, in a few words."""
    return "this version of fastgan has no CUDA backend yet"


def available_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def limit_threads(threads: int) -> None:
    """Set the threads of every BLAS in the process: NumPy's, and SciPy's, which compiled code calls."""
    import scipy.linalg.cython_blas  # noqa: F401, loads the BLAS whose threads are set
    import threadpoolctl

    threadpoolctl.threadpool_limits(threads, user_api="blas")


def _interpreted() -> Callable[..., None]:
    from fastgan.step import perform

    return perform


@functools.cache
def _compiled_perform() -> Any:
    """One dispatcher a process: every GAN shares what is compiled."""
    from fastgan import networks, step
    from fastgan.compiled import compiled

    return compiled(step.entry, parts=[*vars(networks), *vars(step)])


def _is_ready(dispatcher: Any) -> bool:
    from fastgan.compiled import is_cached

    return bool(dispatcher.signatures) or is_cached(dispatcher)
