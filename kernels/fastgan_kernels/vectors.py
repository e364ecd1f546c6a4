"""What vector code is made of: the processor's registers, pointers, memory on the stack, and LLVM's instructions.

Counts and strides are in elements.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, codegen, config, types
from numba.core.errors import TypingError
from numba.core.types import CPointer  # type: ignore[attr-defined]
from numba.extending import intrinsic


def _target() -> tuple[int, int]:
    """Bytes of a vector register, and rows of a tile: eight need more than sixteen registers, four need eleven."""
    features = config.CPU_FEATURES if config.CPU_FEATURES is not None else codegen.get_host_cpu_features()
    has = features.split(",")
    if "+avx512f" in has:
        return 64, 8
    if "+avx" in has:
        return 32, 4
    return 16, 8 if platform.machine() in ("arm64", "aarch64") else 4


VECTOR, ROWS = _target()
SCRATCH = 2048  # vectors: 128 KB at most, for which the stack of a helper thread has room
INT, INT32 = ir.IntType(64), ir.IntType(32)
_FUSED = ("contract",)


@intrinsic
def pointer(typing: Any, array: Any, offset: Any) -> Any:
    """Pointer to the element `offset` places after the first of a contiguous array; other arrays do not compile."""
    if array.layout != "C":
        raise TypingError(f"fastgan_kernels needs contiguous arrays, not {array}; copy them")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(array)(context, builder, arguments[0]).data
        return builder.gep(data, [arguments[1]])

    return CPointer(array.dtype)(array, types.intp), generate


@intrinsic
def after(typing: Any, start: Any, offset: Any) -> Any:
    """`offset` elements after a pointer."""
    return start(start, types.intp), lambda context, builder, signature, args: builder.gep(args[0], [args[1]])


@intrinsic
def lanes(typing: Any, start: Any) -> Any:
    """Elements in a vector register, a constant."""
    return types.intp(start), lambda context, builder, signature, args: INT(lanes_of(context, start))


@intrinsic
def scratch(typing: Any, start: Any) -> Any:
    """Memory on the stack for SCRATCH vectors of the pointer's type; the caller is never inlined."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.function.attributes.add("noinline")  # else its frame would be that of its caller's loop
        element = context.get_data_type(start.dtype)
        size = SCRATCH * lanes_of(context, start)
        with builder.goto_entry_block():  # not cgutils.alloca_once: it would write zeros at every call
            memory = builder.alloca(ir.ArrayType(element, size))
            memory.align = VECTOR
        return builder.bitcast(memory, element.as_pointer())

    return start(start), generate


@intrinsic
def prefetch(typing: Any, start: Any) -> Any:
    """Ask for a cache line that is read soon."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emit_prefetch(builder, arguments[0])
        return context.get_dummy_value()

    return types.void(start), generate


@intrinsic
def prefetch_row(typing: Any, array: Any, row: Any) -> Any:
    """Ask for the first cache line of a row of any array, which is read soon."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(array)(context, builder, arguments[0])
        distance = builder.mul(arguments[1], builder.extract_value(data.strides, 0))
        emit_prefetch(builder, cgutils.pointer_add(builder, data.data, distance))
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


def emit_prefetch(builder: Any, start: Any) -> None:
    """Emit what `prefetch` does."""
    where = builder.bitcast(start, ir.IntType(8).as_pointer())
    operands = [where, INT32(0), INT32(2), INT32(1)]  # to read, into level 2, as data
    kind = ir.FunctionType(ir.VoidType(), [operand.type for operand in operands])
    builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0"), operands)


def lanes_of(context: Any, start: Any) -> int:
    """Elements in a vector register, for a pointer's type."""
    return VECTOR // context.get_abi_sizeof(context.get_data_type(start.dtype))


class Vectors:
    """Emits instructions on vectors of `lanes` elements of the type that `start` points to."""

    def __init__(self, context: Any, builder: Any, start: Any, lanes: int):
        self.builder, self.lanes = builder, lanes
        self.element = context.get_data_type(start.dtype)
        self.size = context.get_abi_sizeof(self.element)
        self.type = ir.VectorType(self.element, lanes)
        self.mask_type = ir.VectorType(ir.IntType(1), lanes)
        self.zero = ir.Constant(self.type, [0.0] * lanes)
        self.undefined = ir.Constant(self.type, ir.Undefined)

    def rows(self, start: Any, stride: Any, count: int, limit: Any) -> list[Any]:
        """Pointers to `count` rows; past `limit` rows the last one again, which is then computed alike."""
        last, rows = self.builder.sub(limit, INT(1)), []
        for row in range(count):
            inside = self.builder.icmp_signed("<", INT(row), last)
            place = self.builder.select(inside, INT(row), last) if row else INT(0)
            rows.append(self.builder.gep(start, [self.builder.mul(place, stride)]))
        return rows

    def mask(self, count: Any) -> Any:
        """The first `count` lanes."""
        limit = self.splat(self.builder.trunc(count, INT32))
        return self.builder.icmp_signed("<", ir.Constant(limit.type, list(range(self.lanes))), limit)

    def splat(self, scalar: Any) -> Any:
        empty = ir.Constant(ir.VectorType(scalar.type, self.lanes), ir.Undefined)
        first = self.builder.insert_element(empty, scalar, INT32(0))
        return self.shuffle(first, empty, [0] * self.lanes)

    def shuffle(self, a: Any, b: Any, places: list[int]) -> Any:
        return self.builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(INT32, len(places)), places))

    def load(self, start: Any, mask: Any = None) -> Any:
        where = self.builder.bitcast(start, self.type.as_pointer())
        if mask is None:
            return self.builder.load(where, align=self.size)
        arguments = [where, INT32(self.size), mask, self.zero]
        return self.builder.call(self._masked("load", self.type, arguments), arguments)

    def store(self, value: Any, start: Any, mask: Any = None) -> None:
        where = self.builder.bitcast(start, self.type.as_pointer())
        if mask is None:
            self.builder.store(value, where, align=self.size)
        else:
            arguments = [value, where, INT32(self.size), mask]
            self.builder.call(self._masked("store", ir.VoidType(), arguments), arguments)

    def _masked(self, verb: str, result: Any, arguments: list[Any]) -> Any:
        name = f"llvm.masked.{verb}.v{self.lanes}f{8 * self.size}.p0"
        kind = ir.FunctionType(result, [argument.type for argument in arguments])
        return cgutils.get_or_insert_function(self.builder.module, kind, name)

    def zipped(self, vectors: list[Any], times: int) -> list[Any]:
        """The elements of all vectors, as one sequence: its halves zipped so many times."""
        half = len(vectors) // 2
        sides = [
            [i + lane for i in range(start, start + self.lanes // 2) for lane in (0, self.lanes)]
            for start in (0, self.lanes // 2)
        ]
        for _ in range(times):
            vectors = [
                self.shuffle(vectors[i], vectors[i + half], side) for i in range(half) for side in sides
            ]
        return vectors

    def add_product(self, total: Any, a: Any, b: Any) -> Any:
        return self.builder.fadd(total, self.builder.fmul(a, b, flags=_FUSED), flags=_FUSED)

    def loop(
        self, stop: Any, step: int, carried: list[Any], body: Callable[[Any, list[Any]], list[Any]]
    ) -> Any:
        """``for k in range(0, stop, step): carried = body(k, carried)``, for at least one turn; the last `carried`."""
        builder, before = self.builder, self.builder.block
        block, done = builder.append_basic_block("loop"), builder.append_basic_block("done")
        builder.branch(block)
        builder.position_at_end(block)
        k = builder.phi(INT)
        values = [builder.phi(value.type) for value in carried]
        results = body(k, values)
        following = builder.add(k, INT(step))
        for phi, start, result in zip([k, *values], [INT(0), *carried], [following, *results], strict=True):
            phi.add_incoming(start, before)
            phi.add_incoming(result, builder.block)
        back = builder.cbranch(builder.icmp_signed("<", following, stop), block, done)
        back.set_metadata("llvm.loop", self._not_unrolled())
        builder.position_at_end(done)
        return results

    def _not_unrolled(self) -> Any:
        """Name of a loop that is long enough: unrolled, it would be slower to compile and no faster to run."""
        module = self.builder.module
        unroll = module.add_metadata([ir.MetaDataString(module, "llvm.loop.unroll.disable")])
        name = ir.MDValue(module, [], name=str(len(module.metadata)))
        name.operands = (name, unroll)  # LLVM tells loops apart by a node that names itself
        return name

    def either(self, condition: Any, value: Callable[[], list[Any]], otherwise: list[Any]) -> list[Any]:
        """``value() if condition else otherwise``."""
        builder, before = self.builder, self.builder.block
        with builder.if_then(condition):
            values = value()
            inside = builder.block
        merged = []
        for one, other in zip(values, otherwise, strict=True):
            phi = builder.phi(one.type)
            phi.add_incoming(one, inside)
            phi.add_incoming(other, before)
            merged.append(phi)
        return merged
