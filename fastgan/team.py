"""The threads that make a step together: shares of rows, then of parameters, and a place to meet in between."""

from __future__ import annotations

import platform
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic, overload

from fastgan.compiled import part

# Rows are shared out in groups, so that each thread's products have whole tiles.
GROUP = 8

# Places in `Team.meetings`, each on a cache line of its own.
ARRIVALS, CANCELLED = 0, 16

# Looks at the count of arrivals before a thread lets others have its core: some 20 microseconds.
_PATIENCE = 2000


class Team(NamedTuple):
    """One thread's place in its team.

    Parameters
    ----------
    rank : in [0, size)
    size : threads
    meetings : (32,) int64, shared: how many threads have come to a meeting so far, and whether the call is cancelled
    """

    rank: int
    size: int
    meetings: np.ndarray


def alone() -> Team:
    """Return a team of one thread."""
    return Team(0, 1, np.zeros(32, np.int64))


def team_of(size: int) -> list[Team]:
    """Return the places of `size` threads that share their meetings."""
    meetings = np.zeros(32, np.int64)
    return [Team(rank, size, meetings) for rank in range(size)]


@part
def share(rows, team):
    """First row, and the row after the last, of this thread's share of `rows`."""
    groups = -(-rows // GROUP)
    first = groups * team.rank // team.size * GROUP
    stop = groups * (team.rank + 1) // team.size * GROUP
    return min(first, rows), min(stop, rows)


def meet(team: Team) -> bool:
    """Wait until every thread of the team is here; False where the call was cancelled instead.

    What each wrote before is seen by all after. A thread alone never waits, and a team exists in compiled code only.
    """
    return True


@overload(meet, strict=False)
def _meet(team: Any) -> Any:
    return lambda team: team.size == 1 or _wait(team.meetings, team.size)


@njit(no_cfunc_wrapper=True)
def _wait(meetings, size):
    # Nobody comes to the next meeting before all have come to this one, so the count never has to be set back.
    everyone = (_arrive(meetings, ARRIVALS) // size + 1) * size
    looks = 0
    while _look(meetings, ARRIVALS) < everyone:
        if _look(meetings, CANCELLED):
            return False
        looks += 1
        if looks < _PATIENCE:
            _pause()
        else:
            _yield_core()
    return True


def _address(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Address of an element of the int64 array."""
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    return builder.gep(array.data, [arguments[1]])


@intrinsic
def _arrive(typing_context, array, place):
    """Count one more at a place, for all threads to see; the count before."""

    def generate(context, builder, signature, arguments):
        one = ir.Constant(ir.IntType(64), 1)
        return builder.atomic_rmw("add", _address(context, builder, signature, arguments), one, "seq_cst")

    return types.int64(array, place), generate


@intrinsic
def _look(typing_context, array, place):
    """What stands at a place now."""

    def generate(context, builder, signature, arguments):
        return builder.load_atomic(_address(context, builder, signature, arguments), "seq_cst", 8)

    return types.int64(array, place), generate


@intrinsic
def _pause(typing_context):
    """Tell the core that this is a waiting loop."""

    def generate(context, builder, signature, arguments):
        if platform.machine() in ("x86_64", "AMD64"):
            pause = builder.module.declare_intrinsic(
                "llvm.x86.sse2.pause", (), ir.FunctionType(ir.VoidType(), ())
            )
            builder.call(pause, ())
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def _yield_core(typing_context):
    """Let another thread or process have this core, as the system offers it."""
    name = "SwitchToThread" if platform.system() == "Windows" else "sched_yield"

    def generate(context, builder, signature, arguments):
        from numba.core import cgutils

        function_type = ir.FunctionType(ir.IntType(32), ())
        builder.call(cgutils.get_or_insert_function(builder.module, function_type, name), ())
        return context.get_dummy_value()

    return types.void(), generate
