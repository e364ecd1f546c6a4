"""Bigrams: beside the tokens of a row the products of each two neighbours, so that a first layer sees pairs at once.

A dense layer on one-hot rows has to learn each pair of neighbours as a unit of its own. Handed their products, one-hot
rows of the pair, it has a weight for each.
"""

from __future__ import annotations

import math

import numpy as np

from .dispatch import compiled, op


def bigram_columns(columns: int, vocabulary: int) -> int:
    """Columns of what `bigrams` writes for rows of `columns`, which hold `vocabulary` for each token."""
    return columns + (columns // vocabulary - 1) * vocabulary**2


@op
def bigrams(x: np.ndarray, vocabulary: int, out: np.ndarray) -> None:
    """Rows of tokens and their bigrams: ``out = [x, sqrt(v) x_0 (x) x_1, sqrt(v) x_1 (x) x_2, ...]``, v the vocabulary.

    The root gives the bigrams of one-hot tokens the mean square that the tokens' own columns have.

    Parameters
    ----------
    x : (rows, tokens * vocabulary) float32, one-hot or soft
    vocabulary : columns of a token
    out : (rows, bigram_columns(tokens * vocabulary, vocabulary)) float32, written
    """
    tokens = x.reshape(len(x), x.shape[1] // vocabulary, vocabulary)
    out[:, : x.shape[1]] = x
    out[:, x.shape[1] :] = _products(tokens[:, :-1], tokens[:, 1:])


def _products(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Outer products of vectors (rows, pairs, vocabulary), times the root of the vocabulary, in flat rows."""
    rows, pairs, vocabulary = left.shape
    products = left[..., :, None] * (right.dtype.type(math.sqrt(vocabulary)) * right)[..., None, :]
    return products.reshape(rows, pairs * vocabulary**2)


@compiled(bigrams)
def _bigrams_cpu(x, vocabulary, out):
    columns, root = x.shape[1], x.dtype.type(math.sqrt(vocabulary))
    for i in range(x.shape[0]):
        tokens, row = x[i], out[i]
        for j in range(columns):
            row[j] = tokens[j]
        for first in range(0, columns - vocabulary, vocabulary):
            second = tokens[first + vocabulary : first + 2 * vocabulary]
            for k in range(vocabulary):
                start = columns + (first + k) * vocabulary
                pairs, value = row[start : start + vocabulary], root * tokens[first + k]
                for m in range(vocabulary):
                    pairs[m] = value * second[m]


@op
def bigrams_tangent(read: np.ndarray, dx: np.ndarray, vocabulary: int, out: np.ndarray) -> None:
    """How `bigrams` moves with x: ``out = [dx, sqrt(v) (dx_0 (x) x_1 + x_0 (x) dx_1), ...]``.

    Parameters
    ----------
    read : what `bigrams` wrote, of whose rows the first columns are x
    dx : (rows, tokens * vocabulary) float32, the tangents of x
    vocabulary : as `bigrams`
    out : the shape of `read`, float32, written
    """
    shape = (len(dx), dx.shape[1] // vocabulary, vocabulary)
    x, moves = read[:, : dx.shape[1]].reshape(shape), dx.reshape(shape)
    out[:, : dx.shape[1]] = dx
    out[:, dx.shape[1] :] = _products(moves[:, :-1], x[:, 1:])
    out[:, dx.shape[1] :] += _products(x[:, :-1], moves[:, 1:])


@compiled(bigrams_tangent)
def _bigrams_tangent_cpu(read, dx, vocabulary, out):
    columns, root = dx.shape[1], dx.dtype.type(math.sqrt(vocabulary))
    for i in range(dx.shape[0]):
        tokens, moves, row = read[i], dx[i], out[i]
        for j in range(columns):
            row[j] = moves[j]
        for first in range(0, columns - vocabulary, vocabulary):
            second = tokens[first + vocabulary : first + 2 * vocabulary]
            dsecond = moves[first + vocabulary : first + 2 * vocabulary]
            for k in range(vocabulary):
                start = columns + (first + k) * vocabulary
                pairs = row[start : start + vocabulary]
                value, dvalue = root * tokens[first + k], root * moves[first + k]
                for m in range(vocabulary):
                    pairs[m] = dvalue * second[m] + value * dsecond[m]


@op
def bigrams_backward(read: np.ndarray, dread: np.ndarray, vocabulary: int, dx: np.ndarray) -> None:
    """Gradient at x of `bigrams`: ``dx_i = d_i + sqrt(v) (D_i x_(i+1) + D_(i-1)^T x_(i-1))``.

    There d_i is the gradient at token i's own columns and D_i, a matrix, that at the bigram of i and i + 1.

    Parameters
    ----------
    read : what `bigrams` wrote, of whose rows the first columns are x
    dread : same shape, float32, the gradient there
    vocabulary : as `bigrams`
    dx : (rows, tokens * vocabulary) float32, written
    """
    rows, columns = dx.shape
    root = dx.dtype.type(math.sqrt(vocabulary))
    count = columns // vocabulary
    x = root * read[:, :columns].reshape(rows, count, vocabulary)
    pairs = dread[:, columns:].reshape(rows, count - 1, vocabulary, vocabulary)
    tokens = dread[:, :columns].reshape(rows, count, vocabulary).copy()
    tokens[:, :-1] += (pairs @ x[:, 1:, :, None])[..., 0]
    tokens[:, 1:] += (x[:, :-1, None, :] @ pairs)[..., 0, :]
    dx[...] = tokens.reshape(rows, columns)


@compiled(bigrams_backward)
def _bigrams_backward_cpu(read, dread, vocabulary, dx):
    columns, root = dx.shape[1], dx.dtype.type(math.sqrt(vocabulary))
    for i in range(dx.shape[0]):
        tokens, deltas, row = read[i], dread[i], dx[i]
        for j in range(columns):
            row[j] = deltas[j]
        for first in range(0, columns - vocabulary, vocabulary):
            second = tokens[first + vocabulary : first + 2 * vocabulary]
            dsecond = row[first + vocabulary : first + 2 * vocabulary]
            for k in range(vocabulary):
                start = columns + (first + k) * vocabulary
                pairs, value = deltas[start : start + vocabulary], root * tokens[first + k]
                total = dx.dtype.type(0)
                for m in range(vocabulary):
                    total += pairs[m] * second[m]
                    dsecond[m] += value * pairs[m]
                row[first + k] += root * total
