"""Rows joined end to end, and parts of joined rows: for layers that read what others made beside it."""

from __future__ import annotations

import numpy as np

from .dispatch import compiled, op


@op
def join_columns(left: np.ndarray, right: np.ndarray, out: np.ndarray) -> None:
    """Two arrays side by side: ``out = [left, right]``.

    Parameters
    ----------
    left : (rows, some columns) float32
    right : (rows, other columns) float32
    out : (rows, columns of both) float32, written
    """
    out[:, : left.shape[1]] = left
    out[:, left.shape[1] :] = right


@compiled(join_columns)
def _join_columns_cpu(left, right, out):
    for i in range(out.shape[0]):
        row, a, b = out[i], left[i], right[i]
        for j in range(a.size):
            row[j] = a[j]
        for j in range(b.size):
            row[a.size + j] = b[j]


@op
def take_columns(joined: np.ndarray, first: int, out: np.ndarray) -> None:
    """Some columns by themselves: ``out = joined[:, first : first + columns]``.

    Parameters
    ----------
    joined : (rows, at least first + columns) float32
    first : at least 0
    out : (rows, columns) float32, written
    """
    out[...] = joined[:, first : first + out.shape[1]]


@compiled(take_columns)
def _take_columns_cpu(joined, first, out):
    for i in range(out.shape[0]):
        row, source = out[i], joined[i, first : first + out.shape[1]]
        for j in range(row.size):
            row[j] = source[j]


@op
def add_columns(joined: np.ndarray, first: int, out: np.ndarray) -> None:
    """Add some columns: ``out += joined[:, first : first + columns]``.

    Parameters
    ----------
    joined, first : as `take_columns`
    out : (rows, columns) float32, updated in place
    """
    out += joined[:, first : first + out.shape[1]]


@compiled(add_columns)
def _add_columns_cpu(joined, first, out):
    for i in range(out.shape[0]):
        row, source = out[i], joined[i, first : first + out.shape[1]]
        for j in range(row.size):
            row[j] += source[j]
