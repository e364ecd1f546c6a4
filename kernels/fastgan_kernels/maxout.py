"""Maxout: Goodfellow et al. 2013, "Maxout networks", arXiv 1302.4389, section 3.

A unit is the highest of several sums, its pieces. Piece p of unit j is column ``p * outputs + j``; of equal ones the
first counts, and a NaN is higher than any number, so that it is seen.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .dispatch import LOOPS, compiled, op
from .vectors import SCRATCH, lanes, pointer, scratch


@njit(**LOOPS)
def beats(piece, best):
    """Whether a piece is higher than the best one before it."""
    return not (piece <= best) and best == best


def _winners(z: np.ndarray, pieces: int, outputs: int) -> tuple[np.ndarray, np.ndarray]:
    """Reference: the pieces apart, (rows, pieces, outputs), and which is the highest, (rows, 1, outputs)."""
    parts = z.reshape(-1, pieces, outputs)
    return parts, np.argmax(parts, axis=1, keepdims=True)


@op
def maxout(z: np.ndarray, pieces: int, y: np.ndarray) -> None:
    """Highest piece of each unit: ``y[:, j] = max_p z[:, p * outputs + j]``.

    Parameters
    ----------
    z : (rows, pieces * outputs) float32
    pieces : at least 1
    y : (rows, outputs) float32, written
    """
    np.max(z.reshape(-1, pieces, y.shape[1]), axis=1, out=y)


@compiled(maxout)
def _maxout_cpu(z, pieces, y):
    parts = z.reshape((y.shape[0], pieces, y.shape[1]))
    for i in range(y.shape[0]):
        best = y[i]
        _copy(parts[i, 0], best)
        for p in range(1, pieces):
            _raise(best, parts[i, p])


@njit(**LOOPS)
def _copy(row, out):
    """``out = row``; for rows so short, an assignment of arrays takes longer."""
    for j in range(row.size):
        out[j] = row[j]


@njit(**LOOPS)
def _raise(best, piece):
    """``best = max(best, piece)``."""
    for j in range(best.size):
        new, old = piece[j], best[j]
        best[j] = new if beats(new, old) else old


@op
def maxout_backward(z: np.ndarray, pieces: int, dy: np.ndarray, dz: np.ndarray) -> None:
    """Gradient at the pieces: dy at each unit's highest, 0 at the others.

    Parameters
    ----------
    z, pieces : as `maxout` saw them
    dy : (rows, outputs) float32, the loss's gradient at y
    dz : (rows, pieces * outputs) float32, written
    """
    _, winners = _winners(z, pieces, dy.shape[1])
    dz[...] = 0
    np.put_along_axis(dz.reshape(-1, pieces, dy.shape[1]), winners, dy[:, None], axis=1)


@compiled(maxout_backward)
def _maxout_backward_cpu(z, pieces, dy, dz):
    rows, outputs = dy.shape
    parts, deltas = z.reshape((rows, pieces, outputs)), dz.reshape((rows, pieces, outputs))
    for i in range(rows):
        # The highest of the first pieces up to each; then, from the last back, what no later piece has taken of dy.
        _copy(parts[i, 0], deltas[i, 0])
        for p in range(1, pieces - 1):
            _copy(deltas[i, p - 1], deltas[i, p])
            _raise(deltas[i, p], parts[i, p])
        _copy(dy[i], deltas[i, pieces - 1])
        for p in range(pieces - 1, 0, -1):
            _take(parts[i, p], deltas[i, p - 1], deltas[i, p])


@njit(**LOOPS)
def _take(piece, before, delta):
    """Leave delta to a piece that is higher than the best `before`; else pass it on, into before."""
    zero = delta.dtype.type(0)
    for j in range(delta.size):
        won, left = beats(piece[j], before[j]), delta[j]
        delta[j] = left if won else zero
        before[j] = zero if won else left


@op
def maxout_tangent(z: np.ndarray, pieces: int, dz: np.ndarray, dy: np.ndarray) -> None:
    """How y moves where z moves along dz, its derivative in that direction: dz at each unit's highest piece.

    Parameters
    ----------
    z, pieces : as `maxout` saw them
    dz : (rows, pieces * outputs) float32
    dy : (rows, outputs) float32, written
    """
    parts, winners = _winners(z, pieces, dy.shape[1])
    dy[...] = np.take_along_axis(dz.reshape(parts.shape), winners, axis=1)[:, 0]


@compiled(maxout_tangent)
def _maxout_tangent_cpu(z, pieces, dz, dy):
    rows, outputs = dy.shape
    parts, tangents = z.reshape((rows, pieces, outputs)), dz.reshape((rows, pieces, outputs))
    best = scratch(pointer(z, 0))
    most = SCRATCH * lanes(best)
    for i in range(rows):
        for first in range(0, outputs, most):
            stop = min(first + most, outputs)
            out = dy[i, first:stop]
            _copy(parts[i, 0, first:stop], best)
            _copy(tangents[i, 0, first:stop], out)
            for p in range(1, pieces):
                _follow_higher(parts[i, p, first:stop], tangents[i, p, first:stop], best, out)


@njit(**LOOPS)
def _follow_higher(piece, tangent, best, out):
    """``best = max(best, piece)``, and out is the tangent of whichever that is."""
    for j in range(out.size):
        new, old, along, other = piece[j], best[j], tangent[j], out[j]
        won = beats(new, old)
        best[j] = new if won else old
        out[j] = along if won else other
