"""Numbers below 1.2e-38, which many processors handle in microcode, a hundred times as long: taken as 0 for a while.

Softmaxes that are sure, gradients of a discriminator that wins and moments that fade are full of them.
"""

from __future__ import annotations

import platform
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

FLUSH_RESULTS, READ_AS_ZERO = 1 << 15, 1 << 6
"""Bits of MXCSR, the control register of x86's vector units (Intel's manual, volume 1, 10.2.3)."""

_X86 = platform.machine() in ("x86_64", "AMD64")


def _move(builder: Any, instruction: str, memory: Any) -> None:
    """Store the calling thread's control register to memory, or load it from there."""
    kind = ir.FunctionType(ir.VoidType(), [ir.IntType(8).as_pointer()])
    builder.call(builder.module.declare_intrinsic(f"llvm.x86.sse.{instruction}", (), kind), [memory])


@intrinsic
def flush_subnormals(typing: Any) -> Any:
    """Let the calling thread take subnormal numbers as 0, those it reads and those that come out.

    Returns what `restore_subnormals` wants; from compiled code alone. Elsewhere than on x86 they cost little, so that
    nothing is done.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        before = ir.Constant(ir.IntType(32), 0)
        if _X86:
            word = builder.alloca(ir.IntType(32))
            memory = builder.bitcast(word, ir.IntType(8).as_pointer())
            _move(builder, "stmxcsr", memory)
            before = builder.load(word)
            builder.store(
                builder.or_(before, ir.Constant(ir.IntType(32), FLUSH_RESULTS | READ_AS_ZERO)), word
            )
            _move(builder, "ldmxcsr", memory)
        return before

    return types.uint32(), generate


@intrinsic
def restore_subnormals(typing: Any, before: Any) -> Any:
    """Let the calling thread take subnormal numbers as it did before `flush_subnormals`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if _X86:
            word = builder.alloca(ir.IntType(32))
            builder.store(arguments[0], word)
            _move(builder, "ldmxcsr", builder.bitcast(word, ir.IntType(8).as_pointer()))
        return context.get_dummy_value()

    return types.void(types.uint32), generate
