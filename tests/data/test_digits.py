from __future__ import annotations

import numpy as np
import pytest

from fastgan.data import load_dataset, load_test_split
from fastgan.errors import UserError


def test_training_rows():
    data = load_dataset("digits")
    assert data.array.shape == (1437, 64) and data.array.dtype == np.uint8 and data.array.flags.writeable
    assert (data.spec.kind, data.spec.image_shape, data.spec.low, data.spec.high) == ("image", (8, 8), 0, 16)
    assert data.spec.n_classes == 10 and set(data.labels) == set(range(10))
    units = data.spec.to_network_units(data.array)
    assert units.min() == -1 and units.max() == 1


def test_the_test_rows_are_the_others():
    train, test, every = (
        load_dataset("digits"),
        load_test_split("digits"),
        load_dataset("digits", options={"split": "all"}),
    )
    assert test is not None and len(test) == 360 and len(every) == 1797
    np.testing.assert_array_equal(np.concatenate([train.array, test.array]), every.array)
    np.testing.assert_array_equal(np.concatenate([train.labels, test.labels]), every.labels)
    np.testing.assert_array_equal(train.spec.scale, test.spec.scale)


def test_same_as_scikit_learns():
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    images, labels = datasets.load_digits(return_X_y=True)
    data = load_dataset("digits", options={"split": "all"})
    np.testing.assert_array_equal(data.array, images)
    np.testing.assert_array_equal(data.labels, labels)


def test_first_rows_without_labels():
    data = load_dataset("digits", rows=100, labels="none")
    assert len(data) == 100 and len(data.labels) == 0 and data.spec.n_classes == 0


def test_unknown_split():
    with pytest.raises(UserError, match="split 'valid' is none of train, test, all"):
        load_dataset("digits", options={"split": "valid"})
