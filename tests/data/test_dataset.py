from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from fastgan.data import Dataset, DataSpec, from_arrays, load_dataset


@pytest.mark.parametrize("source", ["digits", "ring", "sequences", "tokens"])
def test_metadata_goes_through_json_and_back(source):
    spec = load_dataset(source, rows=20).spec
    back = DataSpec.from_metadata(json.loads(json.dumps(spec.to_metadata())), spec.scale, spec.shift)
    assert back.to_metadata() == spec.to_metadata()
    assert isinstance(back.image_shape, tuple) and isinstance(back.class_names, tuple)


def test_integer_samples_are_rounded_and_kept_in_range():
    spec = from_arrays(np.array([[[0, 100, 16]], [[5, 6, 7]]], np.uint8)).spec
    samples = spec.to_data_units(np.array([[-3, 0.011, 3]], np.float32))
    assert samples.dtype == np.uint8 and samples.tolist() == [[0, 51, 100]]


def test_every_byte_comes_back():
    every = np.arange(256, dtype=np.uint8).reshape(2, 8, 16)
    spec = from_arrays(every).spec
    units = spec.to_network_units(every.reshape(2, 128))
    assert units.dtype == np.float32 and units.min() == -1 and units.max() == 1
    np.testing.assert_array_equal(spec.to_data_units(units), every.reshape(2, 128))


def test_soft_tokens_become_the_likeliest():
    spec = from_arrays(np.array([[0, 1], [2, 0]]), vocabulary=3).spec
    soft = np.array([[0.1, 0.2, 0.7, 0.5, 0.3, 0.2]], np.float32)
    assert spec.to_data_units(soft).tolist() == [[2, 0]]
    assert spec.to_network_units(np.array([[2, 0]])).tolist() == [[0, 0, 1, 1, 0, 0]]


def changes(array):
    """The same data but for one value, and the same values in another form."""
    for place in range(array.size):
        other = array.copy()
        other.flat[place] += 1
        yield other
    yield array.astype(np.uint8)
    yield array.reshape(-1, array.shape[1] * 2)
    yield array[::-1]


def test_every_value_and_the_form_count_in_a_digest():
    spec = from_arrays(np.zeros((2, 1))).spec
    array = np.arange(12, dtype=np.float32).reshape(6, 2)
    nothing, labels = np.zeros(0, np.int64), np.arange(6) % 2
    digests = [Dataset(each, nothing, spec).digest() for each in (array, *changes(array))]
    digests += [Dataset(array, each, spec).digest() for each in (labels, 1 - labels)]
    digests.append(Dataset(array, nothing, replace(spec, scale=spec.scale * 2)).digest())
    assert len(set(digests)) == len(digests) == 19
    assert Dataset(array.copy(), nothing, spec).digest() == digests[0]


def test_large_data_are_read_in_blocks_for_a_digest(monkeypatch, tmp_path):
    monkeypatch.setattr("fastgan.data.dataset.DIGESTED", 400)
    monkeypatch.setattr("fastgan.data.dataset.BLOCK", 40)
    spec, nothing = from_arrays(np.zeros((2, 1))).spec, np.zeros(0, np.int64)
    array = np.arange(2000, dtype=np.float32).reshape(1000, 2)
    np.save(tmp_path / "rows.npy", array)
    mapped = Dataset(np.load(tmp_path / "rows.npy", mmap_mode="r"), nothing, spec).digest()
    assert mapped == Dataset(array, nothing, spec).digest()
    noticed = 0
    for row in range(1000):
        other = array.copy()
        other[row, 1] += 1
        changed = Dataset(other, nothing, spec).digest() != mapped
        assert changed or row not in (0, 999)
        noticed += changed
    assert noticed == 50  # rows in ten blocks of five


@pytest.mark.parametrize("dtype", [np.int64, np.uint64, np.int32, np.uint32])
def test_the_limits_of_whole_numbers_come_back(dtype):
    """As near as float32 is to them, for what it rounds up is no such number any more."""
    limits = np.iinfo(dtype)
    data = from_arrays(np.array([[limits.min, 0], [limits.max, 5]], dtype))
    for rows in (data.thinned(2), data.spec.to_data_units(data.spec.to_network_units(data.array))):
        assert rows.dtype == dtype
        np.testing.assert_allclose(rows.astype(float), [[limits.min, 0], [limits.max, 5]], rtol=1e-6)
    back = DataSpec.from_metadata(data.spec.to_metadata(), data.spec.scale, data.spec.shift)
    assert back.to_metadata() == data.spec.to_metadata()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[
            ("kind", "rows"),
            ("width", 2),
            ("width", 3.0),
            ("width", -3),
            ("dtype", "object"),
            ("dtype", "V99"),
            ("low", 9.0),
        ],
        *[
            ("low", float("nan")),
            ("high", float("inf")),
            ("high", 300.0),
            ("low", None),
            ("low", "0"),
            ("bounded", 1),
        ],
        *[
            ("image_shape", [1, 2]),
            ("image_shape", [-1, -3]),
            ("vocabulary", 1),
            ("vocabulary", -4),
            ("n_classes", -1),
        ],
        *[
            ("class_names", ["a"]),
            ("class_names", [1, 2]),
            ("columns", ["a", "b", "\udcff"]),
            ("columns", ["a"]),
        ],
    ],
)
def test_a_description_that_no_data_have_is_refused(name, value):
    spec = from_arrays(np.array([[0, 1, 2], [8, 8, 8]], np.uint8), ["a", "b"]).spec
    with pytest.raises((ValueError, TypeError)):
        DataSpec.from_metadata(spec.to_metadata() | {name: value}, spec.scale, spec.shift)
    for scale in (np.zeros(3, np.float32), np.full(3, np.nan, np.float32), np.ones(2, np.float32)):
        with pytest.raises(ValueError, match="scale cannot be"):
            DataSpec.from_metadata(spec.to_metadata(), scale, spec.shift)
