"""Matrix products for compiled code: faster than BLAS at a dense GAN's shapes, and the same bits however split.

Each element of a result is added up in one order, which the shape of the weights alone decides: not the number of
rows, nor where the arrays lie.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .tiles import (
    dot_pair_tile,
    dot_tile,
    dot_zipped_tile,
    narrow_pair,
    narrow_tile,
    thin_pair,
    thin_tile,
    transpose_tile,
    turned_tile,
    turned_wide_tile,
    wide_pair,
    wide_tile,
)
from .vectors import ROWS, SCRATCH, VECTOR, after, lanes, pointer, scratch

_PART = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}  # of a product: quicker to compile
_DEPTH = 256  # of a panel of two vectors: most of a level 1 cache
_FEW = 3  # at most so many results a row are dot products of vectors, which need no transposed copy
_PAGE = 4096  # bytes; rows that far apart share the same few places of a cache
_LINES = 7  # vectors in a row of a copy: an odd number, so that its rows do not


@njit(error_model="numpy")
def product(x, w, y):
    """``y = x @ w``: x (rows, inputs), w (inputs, outputs), y (rows, outputs)."""
    a, b, c = pointer(x, 0), pointer(w, 0), pointer(y, 0)
    one, no = np.intp(1), np.bool_(False)  # typed, for a literal would be compiled for itself
    rows, inputs, outputs = x.shape[0], x.shape[1], w.shape[1]
    if outputs <= 2:
        _dots(c, outputs, a, inputs, b, inputs, rows, outputs, inputs, outputs == 2)
    else:
        _multiply(c, outputs, a, inputs, one, b, outputs, no, rows, outputs, inputs)


@njit(error_model="numpy")
def product_tn(x, dy, dw, first):
    """``dw = x[:, first : first + len(dw)].T @ dy``: x (rows, inputs), dy (rows, outputs), dw (some, outputs)."""
    a, b, c = pointer(x, first), pointer(dy, 0), pointer(dw, 0)
    one, no = np.intp(1), np.bool_(False)
    rows, inputs, outputs, some = x.shape[0], x.shape[1], dy.shape[1], dw.shape[0]
    if outputs == 1:
        _multiply(c, some, b, one, one, a, inputs, no, one, some, rows)
    elif outputs <= ROWS // 2:
        _multiply_turned(c, outputs, b, a, inputs, some, rows)
    elif min(rows, some, outputs) >= 4 * ROWS and rows * _LINES <= SCRATCH and _crowded(c, inputs):
        _multiply_spread(c, outputs, a, inputs, b, some, outputs, rows)
    else:
        _multiply(c, outputs, a, one, inputs, b, outputs, no, some, outputs, rows)


@njit(error_model="numpy")
def product_nt(dy, w, dx):
    """``dx = dy @ w.T``: dy (rows, outputs), w (inputs, outputs), dx (rows, inputs)."""
    a, b, c, one = pointer(dy, 0), pointer(w, 0), pointer(dx, 0), np.intp(1)
    rows, outputs, inputs = dy.shape[0], dy.shape[1], w.shape[0]
    if inputs <= _FEW:
        _dots(c, inputs, a, outputs, b, outputs, rows, inputs, outputs, np.bool_(False))
    elif outputs <= SCRATCH and inputs * outputs > rows * (inputs + outputs):  # less of dy to turn than of w
        _rows_turned(c, inputs, b, a, rows, inputs, outputs)
    else:
        _multiply(c, inputs, a, outputs, one, b, outputs, outputs > 1, rows, inputs, outputs)


@njit(error_model="numpy", **_PART)
def _dots(c, ldc, a, lda, b, ldb, m, n, depth, zipped):
    """``c = a @ b.T``: a (m, depth), few rows of b (n, depth), or where `zipped` the two columns of b (depth, 2)."""
    for i in range(0, m, ROWS):
        ai, ci, count = after(a, i * lda), after(c, i * ldc), min(ROWS, m - i)
        if zipped:
            dot_zipped_tile(ci, ldc, ai, lda, b, ldb, depth, count)
            continue
        for j in range(0, n - 1, 2):
            dot_pair_tile(after(ci, j), ldc, ai, lda, after(b, j * ldb), ldb, depth, count)
        if n % 2 == 1:
            dot_tile(after(ci, n - 1), ldc, ai, lda, after(b, (n - 1) * ldb), ldb, depth, count)


@njit(error_model="numpy", **_PART)
def _multiply_turned(c, n, a, b, ldb, m, depth):
    """``c = (a.T @ b).T``: c (m, n), few columns of a (depth, n), b (depth, m)."""
    panel, one, no = scratch(c), np.intp(1), np.bool_(False)
    most = SCRATCH * lanes(c) // (ROWS // 2)
    for i in range(0, m, most):
        count = min(most, m - i)
        _multiply(panel, count, a, one, n, after(b, i), ldb, no, n, count, depth)
        for t in range(count):
            for j in range(n):
                c[(i + t) * n + j] = panel[j * count + t]


@njit(error_model="numpy", **_PART)
def _crowded(start, distance):
    """Whether elements so far apart share the same few places of a cache."""
    return distance * (VECTOR // lanes(start)) % _PAGE == 0


@njit(error_model="numpy", **_PART)
def _multiply_spread(c, ldc, a, lda, b, m, n, depth):
    """``c = a.T @ b`` with copies of a (depth, m), whose rows are crowded: c (m, n), b (depth, n)."""
    copy, one, no, most = scratch(c), np.intp(1), np.bool_(False), _LINES * lanes(c)
    for i in range(0, m, most):
        count = min(most, m - i)
        for k in range(depth):
            row = after(a, k * lda + i)
            for t in range(count):
                copy[k * most + t] = row[t]
        _multiply(after(c, i * ldc), ldc, copy, one, most, b, n, no, count, n, depth)


@njit(error_model="numpy", **_PART)
def _rows_turned(c, ldc, a, b, m, n, depth):
    """``c = (a @ b.T).T``: c (m, n), a (n, depth), b (m, depth) of at most SCRATCH columns."""
    panel, vector = scratch(c), lanes(c)
    wide = vector if 2 * depth > SCRATCH else 2 * vector
    for i in range(0, m, wide):
        count = min(wide, m - i)
        _transpose(panel, wide, after(b, i * depth), depth, depth, count)
        for j in range(0, n, ROWS):
            out, left, rows = after(c, i * ldc + j), after(a, j * depth), min(ROWS, n - j)
            if count > vector:
                turned_wide_tile(out, ldc, left, depth, panel, wide, depth, rows, count)
            else:
                turned_tile(out, ldc, left, depth, panel, wide, depth, rows, count)


@njit(error_model="numpy", **_PART)
def _multiply(c, ldc, a, row, step, b, ldb, transposed, m, n, depth):
    """``c = a @ b``: c (m, n), a (m, depth) with strides `row` and `step`, b (depth, n) or transposed (n, depth)."""
    panel, wide = scratch(c), 2 * lanes(c)
    crowded = m >= 4 * ROWS and _crowded(c, ldb)
    if depth == 0:
        for i in range(m):
            for j in range(n):
                c[i * ldc + j] = 0
    for k in range(0, depth, _DEPTH):
        deep, left = min(_DEPTH, depth - k), after(a, k * step)
        for j in range(0, n, wide):
            cols = min(wide, n - j)
            right, apart, ahead, far = panel, wide, panel, np.intp(0)
            if transposed:
                _transpose(panel, wide, after(b, j * ldb + k), ldb, deep, cols)
            else:
                here = after(b, k * ldb + j)
                ahead, far = after(here, wide), ldb
                if crowded and cols == wide:
                    _copy(panel, wide, here, ldb, deep)
                else:
                    right, apart = here, ldb
            _column(after(c, j), ldc, left, row, step, right, apart, m, cols, deep, k > 0, ahead, far)


@njit(error_model="numpy", **_PART)
def _transpose(panel, wide, b, ldb, depth, cols):
    """``panel = b.T``: b (cols, depth); panel (depth, wide), a column of a product's right side."""
    for v in range(0, cols, lanes(b)):
        for k in range(0, depth, lanes(b)):
            transpose_tile(after(panel, k * wide + v), wide, after(b, v * ldb + k), ldb, depth - k, cols - v)


@njit(error_model="numpy", **_PART)
def _copy(panel, wide, b, ldb, depth):
    """``panel = b``: `wide` columns of b (depth, ldb)."""
    for k in range(depth):
        row = after(b, k * ldb)
        for j in range(wide):
            panel[k * wide + j] = row[j]


@njit(error_model="numpy", **_PART)
def _column(c, ldc, a, row, step, b, ldb, m, cols, depth, more, ahead, far):
    """``c = a @ b``, or ``c += a @ b`` where `more`, for at most two vectors' columns of b.

    The tiles share the asking for the columns `ahead`, which are next and may be far away.
    """
    vector = lanes(c)
    if cols == 2 * vector:
        i = 0
        while m - i > 0:
            ci, ai = after(c, i * ldc), after(a, i * row)
            count = min(ROWS if m - i > ROWS // 2 else 2, m - i)
            coming, pace = after(ahead, i * depth // m * far), 256 * count // m
            if m - i > ROWS // 2:
                wide_tile(ci, ldc, ai, row, step, b, ldb, depth, count, cols, more, coming, far, pace)
            else:
                wide_pair(ci, ldc, ai, row, step, b, ldb, depth, count, cols, more, coming, far, pace)
            i += count
    else:
        for v in range(0, cols, vector):
            _part(after(c, v), ldc, a, row, step, after(b, v), ldb, m, cols - v, depth, more)


@njit(error_model="numpy", **_PART)
def _part(c, ldc, a, row, step, b, ldb, m, cols, depth, more):
    """`_column` of at most one vector's columns."""
    thin, zero = cols <= lanes(c) // 2, np.intp(0)
    i = 0
    while m - i > ROWS // 2:
        count = min(ROWS, m - i)
        ci, ai = after(c, i * ldc), after(a, i * row)
        if thin:
            thin_tile(ci, ldc, ai, row, step, b, ldb, depth, count, cols, more, b, zero, zero)
        else:
            narrow_tile(ci, ldc, ai, row, step, b, ldb, depth, count, cols, more, b, zero, zero)
        i += count
    while m - i > 0:
        count = min(2, m - i)
        ci, ai = after(c, i * ldc), after(a, i * row)
        if thin:
            thin_pair(ci, ldc, ai, row, step, b, ldb, depth, count, cols, more, b, zero, zero)
        else:
            narrow_pair(ci, ldc, ai, row, step, b, ldb, depth, count, cols, more, b, zero, zero)
        i += count
