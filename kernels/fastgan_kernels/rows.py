"""Rows of a data set into the network's input: gathered, converted to float32 and scaled in one pass."""

from __future__ import annotations

import numpy as np
from numba import njit

from .dispatch import compiled, op
from .vectors import prefetch_row


@op
def gather_rows(
    data: np.ndarray, indices: np.ndarray, scale: np.ndarray, shift: np.ndarray, out: np.ndarray
) -> None:
    """Gather rows: ``out[i] = data[indices[i]] * scale + shift``.

    Parameters
    ----------
    data : (rows, columns) of any real dtype, such as uint8 pixels; may be a memory map
    indices : (n,) integers in [0, rows)
    scale, shift : (columns,) float32
    out : (n, columns) float32, written
    """
    np.multiply(data[indices], scale, out=out, casting="unsafe")
    out += shift


@njit(error_model="numpy")
def _ask_for_rows(data, indices):
    """Have memory look for all rows at once, since to look for one after the other takes three times as long."""
    for i in range(indices.size):
        prefetch_row(data, indices[i])


@compiled(gather_rows)
def _gather_rows_cpu(data, indices, scale, shift, out):
    _ask_for_rows(data, indices)
    real = out.dtype.type
    for i in range(indices.size):
        source = data[indices[i]]
        row = out[i]
        for j in range(row.size):
            row[j] = real(source[j]) * scale[j] + shift[j]


@op
def copy(source: np.ndarray, out: np.ndarray) -> None:
    """Copy an array: ``out = source``; the two may be the same memory.

    Parameters
    ----------
    source : of any shape and dtype
    out : the same shape and dtype, written
    """
    out[...] = source


@compiled(copy)
def _copy_cpu(source, out):
    values, into = source.reshape(-1), out.reshape(-1)
    for i in range(into.size):
        into[i] = values[i]


@op
def gather_labels(labels: np.ndarray, indices: np.ndarray, out: np.ndarray) -> None:
    """Gather labels: ``out[i] = labels[indices[i]]``; nothing where out is of size 0.

    Parameters
    ----------
    labels : (rows,) int64, or (0,) if out is
    indices : (n,) integers in [0, rows)
    out : (n,) int64, written, or (0,)
    """
    if out.size:
        np.take(labels, indices, out=out)


@compiled(gather_labels)
def _gather_labels_cpu(labels, indices, out):
    for i in range(out.size):
        out[i] = labels[indices[i]]


@op
def one_hot_rows(data: np.ndarray, indices: np.ndarray, vocabulary: int, out: np.ndarray) -> None:
    """Gather rows of tokens as one-hot vectors: ``out[i, p * vocabulary + data[indices[i], p]] = 1``, else 0.

    Parameters
    ----------
    data : (rows, positions) integers in [0, vocabulary)
    indices : (n,) integers in [0, rows)
    vocabulary : number of different tokens
    out : (n, positions * vocabulary) float32, written
    """
    tokens = data[indices].astype(np.int64) + vocabulary * np.arange(data.shape[1])
    out[...] = 0
    np.put_along_axis(out, tokens, 1, axis=1)


@compiled(one_hot_rows)
def _one_hot_rows_cpu(data, indices, vocabulary, out):
    _ask_for_rows(data, indices)
    out[:] = 0
    for i in range(indices.size):
        source = data[indices[i]]
        for position in range(source.size):
            out[i, position * vocabulary + np.int64(source[position])] = 1
