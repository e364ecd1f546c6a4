"""One op, one definition: a generic function whose versions stand side by side.

An op is a `functools.singledispatch` function. Its body is the NumPy reference; `compiled(op)` names the
version that Numba compiles wherever an `njit` function calls the op; `launched(op)` the one that launches CUDA kernels,
which `fastgan_kernels.cuda` registers for device arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from typing import Any, TypeVar

from numba.extending import overload

Function = TypeVar("Function", bound=Callable[..., Any])

op = singledispatch

# What Numba compiles for each op, and what launches its CUDA kernels: for tests that compare the versions.
COMPILED: dict[Callable[..., Any], Callable[..., Any]] = {}
LAUNCHED: dict[Callable[..., Any], Callable[..., Any]] = {}

# How Numba compiles them. error_model="numpy" is what lets LLVM vectorise a loop with a division. NaN and infinity
# keep their meaning (no nnan, ninf), so that a diverged training is seen; sums may be reordered, to vectorise.
LOOPS: dict[str, Any] = {
    "error_model": "numpy",
    "fastmath": {"reassoc", "contract", "arcp", "nsz"},
    "no_cfunc_wrapper": True,  # nobody calls one through a C pointer
}


def compiled(reference: Callable[..., Any]) -> Callable[[Function], Function]:
    """Register the decorated function as what Numba compiles for the op `reference`."""

    def register(function: Function) -> Function:
        COMPILED[reference] = function
        overload(reference, jit_options=LOOPS, strict=False)(lambda *types: function)
        return function

    return register


def launched(reference: Callable[..., Any]) -> Callable[[Function], Function]:
    """Register the decorated function as what launches the CUDA kernels of the op `reference`."""

    def register(function: Function) -> Function:
        LAUNCHED[reference] = function
        return function

    return register
