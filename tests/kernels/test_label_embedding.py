"""Labels as learnt vectors: the table's rows, their gradient, and any cut of the table into parts."""

import numpy as np
import pytest

import fastgan_kernels as fk

from .helpers import assert_gradient, normals, poisoned, run_both

SHAPES = pytest.mark.parametrize(
    ("rows", "columns", "classes", "width"), [(1, 1, 1, 1), (7, 3, 4, 5), (64, 16, 10, 33), (5, 2, 300, 8)]
)


def drawn(rows, classes):
    return np.random.default_rng(rows).integers(0, classes, rows)


@SHAPES
def test_rows_have_their_labels_vectors_beside_them(rows, columns, classes, width):
    x, labels, table = normals(1, rows, columns), drawn(rows, classes), normals(2, classes, width)
    out = run_both(fk.embed_labels, x=x, labels=labels, table=table, out=poisoned(rows, columns + width))[
        "out"
    ]
    np.testing.assert_array_equal(out, np.hstack([x, table[labels]]))


@SHAPES
def test_parts_of_the_gradient_are_the_whole_ones(rows, columns, classes, width):
    dout, labels = normals(3, rows, columns + width), drawn(rows, classes)
    given = dict(dout=dout, labels=labels)
    whole = run_both(fk.embed_labels_backward, **given, first=0, dtable=poisoned(classes, width))["dtable"]
    one_hot = np.eye(classes)[labels]
    np.testing.assert_allclose(whole, one_hot.T @ dout[:, columns:], rtol=0, atol=1e-5)
    for first in range(0, classes, 3):
        part = poisoned(min(3, classes - first), width)
        found = run_both(fk.embed_labels_backward, **given, first=first, dtable=part)["dtable"]
        np.testing.assert_array_equal(found, whole[first : first + 3])


def test_gradient_by_central_differences():
    x, labels = normals(1, 6, 2, dtype=np.float64), np.array([2, 0, 2, 3, 2, 0])
    table, upper = normals(2, 4, 3, dtype=np.float64), normals(3, 6, 5, dtype=np.float64)
    out, gradient = np.empty((6, 5)), np.empty((4, 3))

    def value():
        fk.embed_labels(x, labels, table, out)
        return float((out**2 * upper).sum())

    value()
    fk.embed_labels_backward(2 * out * upper, labels, 0, gradient)
    assert_gradient(gradient, value, table)
    np.testing.assert_array_equal(gradient[1], 0)
