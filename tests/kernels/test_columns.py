import numpy as np
import pytest

import fastgan_kernels as fk

from .helpers import normals, poisoned, run_both

SHAPES = pytest.mark.parametrize(("rows", "left", "right"), [(1, 1, 1), (7, 13, 5), (64, 33, 48)])


@SHAPES
def test_joined_and_taken_apart(rows, left, right):
    a, b = normals(1, rows, left), normals(2, rows, right)
    joined = run_both(fk.join_columns, left=a, right=b, out=poisoned(rows, left + right))["out"]
    np.testing.assert_array_equal(joined, np.hstack([a, b]))
    for first, part in ((0, a), (left, b)):
        out = run_both(fk.take_columns, joined=joined, first=first, out=poisoned(*part.shape))["out"]
        np.testing.assert_array_equal(out, part)


@SHAPES
def test_columns_are_added(rows, left, right):
    joined, out = normals(1, rows, left + right), normals(2, rows, right)
    found = run_both(fk.add_columns, joined=joined, first=left, out=out.copy())["out"]
    np.testing.assert_array_equal(found, out + joined[:, left:])
