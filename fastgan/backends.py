"""The machines a step runs on: chosen once, said aloud, and never swapped silently."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fastgan.errors import UserError, nearest

NAMES = ("auto", "numpy", "cpu", "cuda")

_LIMITED = threading.RLock()
if hasattr(os, "register_at_fork"):  # the thread that held it stays behind
    os.register_at_fork(after_in_child=_LIMITED._at_fork_reinit)  # type: ignore[attr-defined]


class Backend:
    """What runs the steps: this one interprets them, with a number of BLAS threads that it leaves to nobody else.

    Parameters
    ----------
    description : what to tell the user, such as ``cpu (numba 0.68, 2 threads)``
    function : `fastgan.step.perform`, interpreted or compiled
    threads : 0 leaves the number to the backend
    """

    def __init__(self, description: str, function: Callable[..., None], threads: int):
        self.description = description
        self.function = function
        self.threads = threads
        self._in_use = threading.RLock()

    @contextlib.contextmanager
    def only_here(self) -> Iterator[None]:
        """A context that one thread at a time may be in; `UserError` for another, whose steps would wait for ever."""
        if not self._in_use.acquire(blocking=False):
            raise UserError("this GAN is being trained by another thread; give each thread a GAN of its own")
        try:
            yield
        finally:
            self._in_use.release()

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy of a GAN has a backend of its own, threads included."""
        return choose_backend, (self.name, self.threads)

    @property
    def name(self) -> str:
        """The first word of the description."""
        return self.description.split()[0]

    def perform(
        self, action: int, gan: Any, data: np.ndarray, labels: np.ndarray, statistics: np.ndarray
    ) -> None:
        """Call `fastgan.step.perform`."""
        with blas_threads(self.threads or 1):
            self.function(action, gan, data, labels, statistics)

    def ready(self) -> bool:
        """Whether the first call is quick, because nothing is left to compile."""
        return True

    def fetch(self, gan: Any, to_change: bool = True) -> None:
        """Bring the GAN's arrays up to date, where steps run elsewhere; whoever asked may then change them, or not."""

    def broken(self, gan: Any) -> str:
        """The first array that the next step depends on and that is not finite, as checkpoints name it; or nothing."""
        from fastgan.state import lasting

        return next((name for name, array in lasting(gan).items() if not np.isfinite(array).all()), "")


class CompiledBackend(Backend):
    """Runs compiled steps on threads of its own, the same bytes with any number of them."""

    _crew: Any = None

    def perform(
        self, action: int, gan: Any, data: np.ndarray, labels: np.ndarray, statistics: np.ndarray
    ) -> None:
        """Call `fastgan.step.perform` on every thread."""
        if self._crew is None or self._crew.gan is not gan:
            from fastgan.crew import Crew

            self._crew = Crew(self.function, gan, self.threads, available_cores())
        self._crew.perform(action, data, labels, statistics)

    def ready(self) -> bool:
        """Whether the first call is quick, because nothing is left to compile."""
        from fastgan.compiled import is_cached

        return bool(self.function.signatures) or is_cached(self.function)  # type: ignore[attr-defined]


@contextlib.contextmanager
def blas_threads(number: int) -> Iterator[None]:
    """A context in which NumPy's matrix products take so many threads: more than one must first be woken.

    The number is the whole process's, so that one thread at a time is in such a context.
    """
    blas = _blas()
    with _LIMITED, blas.limit(limits=number) if blas else contextlib.nullcontext():
        yield


@functools.cache
def _blas() -> Any:
    """What sets the threads; None in an interpreter for gpu-check, which may lack it."""
    try:
        import threadpoolctl
    except ModuleNotFoundError:
        return None
    return threadpoolctl.ThreadpoolController().select(user_api="blas")


def choose_backend(name: str, threads: int, captured: bool = True) -> Backend:
    """Return the backend of this name; "auto" is the fastest that works here.

    Parameters
    ----------
    name : "auto", "numpy", "cpu" or "cuda"
    threads : a fixed number, of the cores at most, or 0 for the number that the backend finds best
    captured : on "cuda", launch a step as one graph; else kernel by kernel

    Raises
    ------
    UserError
        If the backend asked for cannot be had.
    """
    if name not in NAMES:
        raise UserError(f"backend is {name!r}{nearest(name, NAMES)}; it must be one of {', '.join(NAMES)}")
    problem = cuda_problem() if name in ("auto", "cuda") else ""
    if name == "cuda" and problem:
        raise UserError(f"backend is 'cuda' but {problem}; use backend = 'cpu'")
    if name == "cuda" or (name == "auto" and not problem):
        from fastgan.cuda import CudaBackend
        from fastgan.cuda_probe import describe, look

        return CudaBackend(describe(look()), captured)
    if name == "numpy":
        from fastgan.step import perform

        return Backend(f"numpy ({np.__version__}, {_counted(threads or 1)})", perform, threads)
    import numba

    reason = f" - {_why_not(problem)}" if name == "auto" else ""
    cores = available_cores()
    description = f"cpu (numba {numba.__version__}, {_counted(min(threads or cores, cores))}){reason}"
    return CompiledBackend(description, _compiled_perform(), threads)


def _counted(threads: int) -> str:
    return f"{threads} thread{'s' * (threads != 1)}"


def _why_not(problem: str) -> str:
    """Why "auto" has no CUDA: in three words where no driver is loaded, for then nobody misses it."""
    from fastgan.cuda_probe import look

    return f"no cuda: {problem}" if look().loaded else "no CUDA device"


def cuda_problem() -> str:
    """Why the cuda backend cannot be had here, in a few words; nothing where it can."""
    from fastgan.cuda_probe import explain, look

    return explain(look())


def available_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def _compiled_perform() -> Any:
    """One dispatcher a process: every GAN shares what is compiled."""
    from fastgan import step
    from fastgan.compiled import compiled

    return compiled(step.entry)
