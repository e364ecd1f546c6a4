from __future__ import annotations

import numpy as np
import pytest

from fastgan.data import from_arrays
from fastgan.errors import UserError

X = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64, np.float64])
def test_whole_numbers(dtype):
    data = from_arrays(X, np.array([0, 2, 1, 0, 2, 1], dtype))
    assert data.labels.dtype == np.int64 and data.labels.tolist() == [0, 2, 1, 0, 2, 1]
    assert data.spec.n_classes == 3 and data.spec.class_names == ()


def test_no_labels():
    data = from_arrays(X)
    assert data.labels.shape == (0,) and data.labels.dtype == np.int64 and data.spec.n_classes == 0


def test_more_classes_than_seen():
    assert from_arrays(X, [0, 1, 0, 1, 0, 1], n_classes=10).spec.n_classes == 10


@pytest.mark.parametrize("dtype", [str, object])
def test_strings_become_classes_in_sorted_order(dtype):
    data = from_arrays(X, np.array(["dog", "cat", "dog", "emu", "cat", "cat"], dtype))
    assert data.labels.tolist() == [1, 0, 1, 2, 0, 0]
    assert data.spec.class_names == ("cat", "dog", "emu")


@pytest.mark.parametrize(
    ("labels", "n_classes", "match"),
    [
        ([0, 1, 2, 3, 0, 1], 3, "label 3 in row 3 .*expected 0 to 2"),
        ([0, 1, -1, 0, 0, 1], 0, "label -1 in row 2"),
        ([0, 1, 0.5, 0, 0, 1], 0, "label 0.5 in row 2"),
        ([0, 1, np.nan, 0, 0, 1], 0, "label nan in row 2"),
        ([0, 1, np.inf, 0, 0, 1], 0, "label inf in row 2"),
        ([0, 1, 0, 1], 0, r"shape \(4,\), expected one a row, \(6,\)"),
        (np.eye(6), 0, r"shape \(6, 6\)"),
        ([], 0, r"shape \(0,\)"),
        ([-1] * 6, 0, "label -1 in row 0"),
        ([1990, 1991, 1990, 1991, 1990, 1991], 0, "label 1991 in 6 rows"),
        (np.array([0, 1, None, 0, 0, 1]), 0, "dtype object"),
        (np.zeros(6, complex), 0, "dtype complex128"),
        (["a", "b", "c", "a", "b", "c"], 2, "expected 0 to 1"),
        (None, 3, "no labels"),
    ],
)
def test_labels_that_are_refused(labels, n_classes, match):
    with pytest.raises(UserError, match=match) as caught:
        from_arrays(X, labels, n_classes=n_classes)
    assert "\n" not in str(caught.value)
