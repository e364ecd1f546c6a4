import numpy as np
import pytest

import fastgan_kernels as fk

from .helpers import compile_op, normals, poisoned, run_both

DTYPES = [np.uint8, np.int8, np.uint16, np.int32, np.int64, np.float32, np.float64]


def data_of(rows, columns, dtype):
    data = np.random.default_rng(1).integers(0, 100, (rows, columns))
    return data.astype(dtype) if np.dtype(dtype).kind in "ui" else (data / 7).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("rows", "columns", "count"), [(1, 1, 1), (5, 17, 3), (13, 131, 40)])
def test_gather_versions_agree(rows, columns, count, dtype):
    data, indices = data_of(rows, columns, dtype), np.random.default_rng(2).integers(0, rows, count)
    scale, shift = normals(3, columns) / 50, normals(4, columns)
    out = run_both(
        fk.gather_rows, data=data, indices=indices, scale=scale, shift=shift, out=poisoned(count, columns)
    )["out"]
    expected = data[indices].astype(float) * scale.astype(float) + shift
    np.testing.assert_allclose(out, expected, rtol=1e-6, atol=1e-6)


def test_bytes_reach_both_ends_of_their_interval():
    data = np.array([[0, 255, 51]], np.uint8)
    scale, shift = np.full(3, 2 / 255, np.float32), np.full(3, -1, np.float32)
    out = run_both(
        fk.gather_rows, data=data, indices=np.array([0]), scale=scale, shift=shift, out=poisoned(1, 3)
    )["out"]
    np.testing.assert_allclose(out, [[-1, 1, -0.6]], rtol=2e-7)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_rows_are_gathered_from_a_read_only_memory_map(tmp_path, dtype):
    data = data_of(50, 13, dtype)
    np.save(tmp_path / "data.npy", data)
    mapped = np.load(tmp_path / "data.npy", mmap_mode="r")
    assert isinstance(mapped, np.memmap)
    indices, one, zero = np.array([49, 0, 7, 7]), np.ones(13, np.float32), np.zeros(13, np.float32)
    for version in (fk.gather_rows, compile_op(fk.gather_rows)):
        out = poisoned(4, 13)
        version(mapped, indices, one, zero, out)
        np.testing.assert_array_equal(out, data[indices])


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
@pytest.mark.parametrize(("positions", "vocabulary"), [(1, 1), (1, 5), (3, 1), (13, 17)])
def test_one_hot_versions_agree(positions, vocabulary, dtype):
    data = np.random.default_rng(1).integers(0, vocabulary, (7, positions)).astype(dtype)
    indices = np.array([6, 0, 3, 3, 1])
    out = run_both(
        fk.one_hot_rows,
        data=data,
        indices=indices,
        vocabulary=vocabulary,
        out=poisoned(5, positions * vocabulary),
    )["out"]
    np.testing.assert_array_equal(out.reshape(5, positions, vocabulary), np.eye(vocabulary)[data[indices]])


def test_tokens_above_255_columns_keep_their_place():
    """Positions times vocabulary does not fit the tokens' own dtype."""
    data = np.full((1, 40), 9, np.uint8)
    out = run_both(fk.one_hot_rows, data=data, indices=np.array([0]), vocabulary=10, out=poisoned(1, 400))[
        "out"
    ]
    np.testing.assert_array_equal(np.flatnonzero(out), np.arange(9, 400, 10))


@pytest.mark.parametrize(("rows", "count"), [(1, 1), (13, 40), (0, 0)])
def test_label_versions_agree(rows, count):
    labels = np.random.default_rng(1).integers(0, 10, rows)
    indices = np.random.default_rng(2).integers(0, max(rows, 1), count)
    out = run_both(fk.gather_labels, labels=labels, indices=indices, out=poisoned(count, dtype=np.int64))[
        "out"
    ]
    np.testing.assert_array_equal(out, labels[indices])


def test_no_labels_are_gathered_where_none_are_wanted():
    none = np.empty(0, np.int64)
    run_both(fk.gather_labels, labels=none, indices=np.arange(5), out=none)


@pytest.mark.parametrize("shape", [(1, 1), (7, 13), (64, 33)])
def test_copy_versions_agree(shape):
    source = normals(1, *shape)
    out = run_both(fk.copy, source=source, out=poisoned(*shape))["out"]
    np.testing.assert_array_equal(out, source)
    labels = np.arange(5)
    copied = run_both(fk.copy, source=labels, out=poisoned(5, dtype=np.int64))["out"]
    np.testing.assert_array_equal(copied, labels)
    for version in (fk.copy, compile_op(fk.copy)):
        version(out, out)
        np.testing.assert_array_equal(out, source)
