from __future__ import annotations

import numpy as np
import pytest

from fastgan.data import from_arrays
from fastgan.data.labels import labels_to_classes
from fastgan.errors import UserError

X = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64, np.float64])
def test_whole_numbers(dtype):
    data = from_arrays(X, np.array([0, 2, 1, 0, 2, 1], dtype))
    assert data.labels.dtype == np.int64 and data.labels.tolist() == [0, 2, 1, 0, 2, 1]
    assert data.spec.n_classes == 3 and data.spec.class_names == ()


@pytest.mark.parametrize(
    ("labels", "encoded", "names"),
    [
        ([1, 2, 3, 1, 2, 3], [0, 1, 2, 0, 1, 2], ("1", "2", "3")),
        ([2, 4, 4, 2, 2, 4], [0, 1, 1, 0, 0, 1], ("2", "4")),
        ([-1.0, 1.0, -1.0, 1.0, 1.0, 1.0], [0, 1, 0, 1, 1, 1], ("-1", "1")),
        ([10, 9, 10, 9, 9, 9], [1, 0, 1, 0, 0, 0], ("9", "10")),
        ([1990, 1991, 1990, 1991, 1990, 1991], [0, 1, 0, 1, 0, 1], ("1990", "1991")),
        ([True] * 6, [0] * 6, ("1",)),
    ],
)
def test_numbers_that_do_not_count_from_0_become_names(labels, encoded, names):
    data = from_arrays(X, labels)
    assert data.labels.tolist() == encoded
    assert (data.spec.n_classes, data.spec.class_names) == (len(names), names)


@pytest.mark.parametrize("kind", [int, float, str])
def test_a_label_for_nearly_every_row_is_no_class(kind):
    with pytest.raises(UserError, match="21 different labels in 40 rows"):
        from_arrays(np.zeros((40, 2)), np.arange(40).clip(0, 20).astype(kind))
    assert from_arrays(np.zeros((42, 2)), np.arange(42).clip(0, 20).astype(kind)).spec.n_classes == 21


NAMES = ("setosa", "versicolor", "virginica")


@pytest.mark.parametrize(
    ("labels", "names", "expected"),
    [
        ("virginica", NAMES, 2),
        (["virginica", "setosa"], NAMES, [2, 0]),
        (["1", "setosa"], NAMES, [1, 0]),
        ([[1, 0]], NAMES, [[1, 0]]),
        (["2", "0"], (), [2, 0]),
        ([9, 0], (), [9, 0]),
        ([3, 1], ("1", "2", "3"), [2, 0]),
        (["3", "1"], ("1", "2", "3"), [2, 0]),
        ([9.0, 10.0, 11.0], ("10", "11", "9"), [2, 0, 1]),
        ([2, 0], ("0", "1", "2"), [2, 0]),
    ],
)
def test_labels_to_classes(labels, names, expected):
    assert labels_to_classes(np.array(labels), 3, names, "label").tolist() == expected


@pytest.mark.parametrize(
    ("label", "names", "message"),
    [
        (
            "virginca",
            NAMES,
            "label 'virginca' (did you mean 'virginica'?); the classes are setosa, versicolor, virginica",
        ),
        ("3", NAMES, "label '3'; the classes are setosa, versicolor, virginica"),
        ("3", (), "label '3'; the classes are 0 to 2"),
        (
            "owl",
            ("big cat", "cat, small", "dog"),
            "label 'owl'; the classes are 'big cat', 'cat, small', 'dog'",
        ),
        ("0", ("1", "2", "3"), "label '0'; the classes are 1, 2, 3"),
        (0, ("1", "2", "3"), "label '0'; the classes are 1, 2, 3"),
        ("-1", ("0", "1", "2"), "label '-1'; the classes are 0 to 2"),
    ],
)
def test_labels_that_are_no_class(label, names, message):
    with pytest.raises(UserError) as caught:
        labels_to_classes(np.array(label), 3, names, "label")
    assert str(caught.value) == message


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
        ([0, 1, -1, 0, 0, 1], 2, "label -1 in row 2"),
        ([1, 2, 3, 1, 2, 3], 3, "label 3 in row 2 .*expected 0 to 2"),
        ([0, 1, 1e300, 0, 0, 1], 0, r"label 1e\+300 in row 2"),
        ([0, 1, 0.5, 0, 0, 1], 0, "label 0.5 in row 2"),
        ([0, 1, np.nan, 0, 0, 1], 0, "label nan in row 2"),
        ([0, 1, np.inf, 0, 0, 1], 0, "label inf in row 2"),
        ([0, 1, 0, 1], 0, r"shape \(4,\), expected one a row, \(6,\)"),
        (np.eye(6), 0, r"shape \(6, 6\)"),
        ([], 0, r"shape \(0,\)"),
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


def test_labels_of_few_bits():
    x = np.zeros((4, 1))
    assert from_arrays(x, np.array([0, 1, 0, 1], np.float16)).labels.tolist() == [0, 1, 0, 1]


def test_one_long_label_costs_no_more_than_itself():
    """An array of text would be as wide for every row."""
    names = np.array(["x" * 10**6, *["y", "z"] * 20_000], object)
    data = from_arrays(np.zeros((len(names), 1)), names)
    assert [len(name) for name in data.spec.class_names] == [10**6, 1, 1] and data.labels[:3].tolist() == [
        0,
        1,
        2,
    ]


def test_letters_that_there_are_not():
    wrong = np.array([[2**31 - 1], [65]], np.uint32).view("U1")[:, 0]
    with pytest.raises(UserError, match="a label is no text"):
        from_arrays(np.zeros((2, 1)), wrong)
