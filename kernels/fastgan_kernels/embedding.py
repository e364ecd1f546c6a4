"""Labels as learnt vectors: a table's rows beside what a network reads, and the table's gradient."""

from __future__ import annotations

import numpy as np

from .dispatch import compiled, op


@op
def embed_labels(x: np.ndarray, labels: np.ndarray, table: np.ndarray, out: np.ndarray) -> None:
    """Rows with the vectors of their labels beside them: ``out[i] = [x[i], table[labels[i]]]``.

    Parameters
    ----------
    x : (rows, columns) float32
    labels : (rows,) integers in [0, classes)
    table : (classes, width) float32
    out : (rows, columns + width) float32, written
    """
    out[:, : x.shape[1]] = x
    out[:, x.shape[1] :] = table[labels]


@compiled(embed_labels)
def _embed_labels_cpu(x, labels, table, out):
    for i in range(out.shape[0]):
        row, given, vector = out[i], x[i], table[labels[i]]
        for j in range(given.size):
            row[j] = given[j]
        for j in range(vector.size):
            row[given.size + j] = vector[j]


@op
def embed_labels_backward(dout: np.ndarray, labels: np.ndarray, first: int, dtable: np.ndarray) -> None:
    """Gradient of rows of a table: ``dtable[c]`` is the sum of ``dout[i, -width:]`` where ``labels[i] = first + c``.

    Rows are added up in their order, so that a sum does not depend on which rows of the table are asked for.

    Parameters
    ----------
    dout : (rows, at least width) float32, the loss's gradient at `embed_labels`' out
    labels : (rows,) integers
    first : which row of the table is the first one of dtable
    dtable : (some classes, width) float32, written
    """
    dtable[...] = 0
    mine = (first <= labels) & (labels < first + len(dtable))
    np.add.at(dtable, labels[mine] - first, dout[mine, dout.shape[1] - dtable.shape[1] :])


@compiled(embed_labels_backward)
def _embed_labels_backward_cpu(dout, labels, first, dtable):
    dtable[:] = 0
    width = dtable.shape[1]
    for i in range(labels.size):
        place = labels[i] - first
        if 0 <= place < dtable.shape[0]:
            vector, row = dtable[place], dout[i, dout.shape[1] - width :]
            for j in range(width):
                vector[j] += row[j]
