"""The pieces of matrix products that must stay in vector registers, written as LLVM instructions.

Numba's loops cannot say "these sixteen vectors stay in registers"; each function here is one such piece, and
`products` drives them. They take pointers, counts and strides, the last two in elements. A product and its addition
may be fused into one rounding; nothing else is reordered but in `_dot_tile`, whose order is fixed too.
"""

from __future__ import annotations

from typing import Any

from numba.core import types
from numba.extending import intrinsic

from .vectors import INT, INT32, ROWS, Vectors, emit_prefetch, lanes_of


def _tile(rows: int, vectors: int, part: int) -> Any:
    """Make the intrinsic ``c = a @ b``, or ``c += a @ b`` where `more`, for one tile of c.

    The tile has `limit` of at most `rows` rows, and `vectors` full vectors of columns, or, where vectors is 0, `cols`
    of at most ``lanes // part`` columns. a (rows, depth) has strides `row` and `step`, b (depth, columns) has
    contiguous rows at a distance of `wide`. On the way, two full vectors ask for as many columns `ahead`, rows of which
    are `far` apart, ``pace / 256`` rows for each row of b.
    """

    @intrinsic
    def tile(
        typing: Any,
        c: Any,
        ldc: Any,
        a: Any,
        row: Any,
        step: Any,
        b: Any,
        wide: Any,
        depth: Any,
        limit: Any,
        cols: Any,
        more: Any,
        ahead: Any,
        far: Any,
        pace: Any,
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            c, ldc, a, row, step, b, wide, depth, limit, cols, more, ahead, far, pace = arguments
            v = Vectors(
                context, builder, signature.args[0], max(lanes_of(context, signature.args[0]) // part, 2)
            )
            mask = None if vectors else v.mask(cols)
            columns = [INT(i * v.lanes) for i in range(max(vectors, 1))]
            outs = [builder.gep(out, [j]) for out in v.rows(c, ldc, rows, limit) for j in columns]
            lefts = v.rows(a, row, rows, limit)
            rights = [builder.gep(b, [j]) for j in columns]

            def body(k: Any, totals: list[Any]) -> list[Any]:
                at, above = builder.mul(k, step), builder.mul(k, wide)
                right = [v.load(builder.gep(p, [above]), mask) for p in rights]
                if vectors == 2:
                    coming = builder.mul(builder.lshr(builder.mul(k, pace), INT(8)), far)
                    for j in columns:
                        emit_prefetch(builder, builder.gep(ahead, [builder.add(coming, j)]))
                results = []
                for i, left in enumerate(lefts):
                    factor = v.splat(builder.load(builder.gep(left, [at])))
                    for j, r in enumerate(right):
                        results.append(v.add_product(totals[i * len(right) + j], factor, r))
                return results

            start = v.either(more, lambda: [v.load(out, mask) for out in outs], [v.zero] * len(outs))
            for total, out in zip(v.loop(depth, 1, start, body), outs, strict=True):
                v.store(total, out, mask)
            return context.get_dummy_value()

        number = types.intp
        strides, counts = [number] * 2, [number] * 3
        next_ones = [b, number, number]
        return types.void(c, number, a, *strides, b, number, *counts, types.boolean, *next_ones), generate

    return tile


wide_tile, narrow_tile, thin_tile = (_tile(ROWS, *kind) for kind in ((2, 1), (0, 1), (0, 2)))
wide_pair, narrow_pair, thin_pair = (_tile(2, *kind) for kind in ((2, 1), (0, 1), (0, 2)))


@intrinsic
def transpose_tile(typing: Any, out: Any, wide: Any, b: Any, ldb: Any, depth: Any, limit: Any) -> Any:
    """``out = b.T`` for b of `limit` rows and `depth` columns, each at most a vector's lanes.

    out has a vector's lanes in both directions, all of them written: what is not b's is zero, or b's last row again.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        out, wide, b, ldb, depth, limit = arguments
        v = Vectors(context, builder, signature.args[0], lanes_of(context, signature.args[0]))
        starts = v.rows(b, ldb, v.lanes, limit)
        full = builder.icmp_signed(">=", depth, INT(v.lanes))
        mask = v.mask(depth)
        with builder.if_else(full) as (yes, no):
            with yes:
                whole = [v.load(p) for p in starts]
                whole_block = builder.block
            with no:
                partial = [v.load(p, mask) for p in starts]
                partial_block = builder.block
        rows = []
        for one, other in zip(whole, partial, strict=True):
            phi = builder.phi(v.type)
            phi.add_incoming(one, whole_block)
            phi.add_incoming(other, partial_block)
            rows.append(phi)
        rows = v.zipped(rows, v.lanes.bit_length() - 1)
        for i, row in enumerate(rows):
            v.store(row, builder.gep(out, [builder.mul(INT(i), wide)]))
        return context.get_dummy_value()

    return types.void(out, types.intp, b, types.intp, types.intp, types.intp), generate


def _turned_tile(vectors: int) -> Any:
    """Make the intrinsic ``c = (a @ b).T`` for `limit` of at most ROWS rows of a, `cols` of at most `vectors` of b.

    The tile is computed as `_tile` does, for contiguous rows of a, and turned in registers. On the way, two vectors
    ask for the ROWS rows of a that follow, each of AVX-512's cache lines of float32 twice.
    """

    @intrinsic
    def tile(
        typing: Any, c: Any, ldc: Any, a: Any, lda: Any, b: Any, wide: Any, depth: Any, limit: Any, cols: Any
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            c, ldc, a, lda, b, wide, depth, limit, cols = arguments
            v = Vectors(context, builder, signature.args[0], lanes_of(context, signature.args[0]))
            lefts = v.rows(a, lda, ROWS, limit)
            rights = [builder.gep(b, [INT(i * v.lanes)]) for i in range(vectors)]

            def body(k: Any, totals: list[Any]) -> list[Any]:
                above = builder.mul(k, wide)
                if vectors == 2:  # one has loads enough
                    row = builder.add(builder.and_(k, INT(ROWS - 1)), INT(ROWS))
                    coming = builder.add(builder.mul(row, lda), builder.and_(k, INT(-2 * ROWS)))
                    emit_prefetch(builder, builder.gep(a, [coming]))
                right = [v.load(builder.gep(p, [above])) for p in rights]
                factors = [v.splat(builder.load(builder.gep(left, [k]))) for left in lefts]
                pairs = [(factor, r) for r in right for factor in factors]
                return [v.add_product(total, *pair) for total, pair in zip(totals, pairs, strict=True)]

            totals = v.loop(depth, 1, [v.zero] * (vectors * ROWS), body)
            outs = v.rows(c, ldc, vectors * v.lanes, cols)
            part = Vectors(context, builder, signature.args[0], min(ROWS, v.lanes))
            pieces = []  # of a row of c, each of part.lanes elements
            for i in range(0, vectors * ROWS, ROWS):
                for turned in v.zipped(totals[i : i + ROWS], ROWS.bit_length() - 1):
                    for j in range(0, v.lanes, part.lanes):
                        pieces.append(v.shuffle(turned, v.undefined, list(range(j, j + part.lanes))))
            each = ROWS // part.lanes  # pieces of one row
            with builder.if_else(builder.icmp_signed("==", limit, INT(ROWS))) as (all_rows, some):
                for branch, masked in ((all_rows, False), (some, True)):
                    with branch:
                        for i in range(each):
                            start = INT(i * part.lanes)
                            mask = part.mask(builder.sub(limit, start)) if masked else None
                            for out, piece in zip(outs, pieces[i::each], strict=True):
                                part.store(piece, builder.gep(out, [start]), mask)
            return context.get_dummy_value()

        numbers = [types.intp] * 4
        return types.void(c, types.intp, a, types.intp, b, *numbers), generate

    return tile


turned_tile, turned_wide_tile = _turned_tile(1), _turned_tile(2)


def _dot_tile(columns: int, zipped: bool = False) -> Any:
    """Make the intrinsic ``c = a @ b.T`` for `limit` of at most ROWS rows of a (limit, depth), and b (columns, depth).

    Where `zipped`, b's two rows lie element by element next to each other, as the columns of a matrix do. Lane l adds
    up the products l, l + lanes, ... of its row, then neighbours are added pair by pair.
    """

    @intrinsic
    def tile(
        typing: Any, c: Any, ldc: Any, a: Any, lda: Any, b: Any, ldb: Any, depth: Any, limit: Any
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            c, ldc, a, lda, b, ldb, depth, limit = arguments
            v = Vectors(context, builder, signature.args[0], lanes_of(context, signature.args[0]))
            lefts = v.rows(a, lda, ROWS, limit)
            even, odd = (list(range(start, 2 * v.lanes, 2)) for start in (0, 1))

            def factors(k: Any, rest: Any) -> list[Any]:
                if not zipped:
                    starts = [
                        builder.gep(b, [builder.add(k, builder.mul(INT(j), ldb))]) for j in range(columns)
                    ]
                    return [v.load(start, None if rest is None else v.mask(rest)) for start in starts]
                pair, two = [], INT(2)
                for j in (0, v.lanes):
                    mask = None if rest is None else v.mask(builder.sub(builder.mul(rest, two), INT(j)))
                    pair.append(v.load(builder.gep(b, [builder.add(builder.mul(k, two), INT(j))]), mask))
                return [v.shuffle(pair[0], pair[1], even), v.shuffle(pair[0], pair[1], odd)]

            def body(k: Any, totals: list[Any], rest: Any = None) -> list[Any]:
                right, mask = factors(k, rest), None if rest is None else v.mask(rest)
                left = [v.load(builder.gep(p, [k]), mask) for p in lefts]
                pairs = [(a, b) for a in left for b in right]
                return [v.add_product(total, *pair) for total, pair in zip(totals, pairs, strict=True)]

            whole = builder.and_(depth, INT(-v.lanes))
            rest = builder.sub(depth, whole)
            sums = [v.zero] * (ROWS * columns)
            some, more = (builder.icmp_signed(">", count, INT(0)) for count in (whole, rest))
            sums = v.either(some, lambda: v.loop(whole, v.lanes, sums, body), sums)
            sums = v.either(more, lambda: body(whole, sums, rest), sums)
            for _ in range(v.lanes.bit_length() - 1):
                if len(sums) == 1:
                    sums = [sums[0], v.undefined]
                pairs = zip(sums[::2], sums[1::2], strict=True)
                sums = [builder.fadd(v.shuffle(a, b, even), v.shuffle(a, b, odd)) for a, b in pairs]
            results = ROWS * columns
            whole_rows = builder.icmp_signed("==", limit, INT(ROWS))
            joined = builder.and_(whole_rows, builder.icmp_signed("==", ldc, INT(columns)))
            with builder.if_else(joined) as (together, apart):
                with together:
                    part = Vectors(context, builder, signature.args[0], min(v.lanes, results))
                    for i, total in enumerate(sums):
                        some_lanes = v.shuffle(total, v.undefined, list(range(part.lanes)))
                        part.store(some_lanes, builder.gep(c, [INT(i * part.lanes)]))
                with apart:
                    rows = v.rows(c, ldc, ROWS, limit)
                    outs = [builder.gep(row, [INT(j)]) for row in rows for j in range(columns)]
                    for i, out in enumerate(outs):
                        builder.store(builder.extract_element(sums[i // v.lanes], INT32(i % v.lanes)), out)
            return context.get_dummy_value()

        return types.void(c, types.intp, a, types.intp, b, *[types.intp] * 3), generate

    return tile


dot_tile, dot_pair_tile, dot_zipped_tile = _dot_tile(1), _dot_tile(2), _dot_tile(2, zipped=True)
