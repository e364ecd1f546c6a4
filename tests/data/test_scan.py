from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from fastgan.data import load_dataset, scan
from fastgan.errors import UserError

MEBI = 1 << 20


def sparse_npy(path, rows, width, dtype=np.float64):
    """A .npy file whose rows take no room on the disk until they are written to."""
    return np.lib.format.open_memmap(path, "w+", dtype, (rows, width))


@pytest.mark.parametrize("block_bytes", [1, 100, 1 << 20])
def test_blocks_give_the_same_figures_as_the_whole(monkeypatch, block_bytes):
    monkeypatch.setattr(scan, "BLOCK_BYTES", block_bytes)
    rows = np.random.default_rng(0).normal([1000, 0, -5], [1, 1e-3, 50], size=(997, 3)).astype(np.float32)
    low, high = scan.column_ranges(rows, "data")
    np.testing.assert_array_equal([low, high], [rows.min(axis=0), rows.max(axis=0)])
    mean, variance = scan.column_moments(rows)
    np.testing.assert_allclose(mean, rows.mean(axis=0, dtype=np.float64), rtol=1e-12)
    np.testing.assert_allclose(variance, rows.var(axis=0, dtype=np.float64), rtol=1e-10)


@pytest.mark.parametrize("scaling", ["minmax", "standard"])
def test_a_map_is_never_read_whole(tmp_path, scaling):
    rows = sparse_npy(tmp_path / "big.npy", 40_000, 512)  # 156 MiB
    rows[-1] = 1
    rows.flush()
    del rows
    tracemalloc.start()
    data = load_dataset("file", str(tmp_path / "big.npy"), scaling=scaling)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 24 * MEBI
    assert type(data.array) is np.ndarray and data.array.dtype == np.float64 and data.array.flags.writeable
    assert isinstance(data.array.base, np.memmap)
    assert data.array[-1, 0] == 1 and data.spec.dtype == "float64"


def test_writing_to_a_map_leaves_the_file_alone(tmp_path):
    sparse_npy(tmp_path / "big.npy", 40_000, 256)
    data = load_dataset("file", str(tmp_path / "big.npy"))
    data.array[3, 3] = 5
    assert load_dataset("file", str(tmp_path / "big.npy")).array[3, 3] == 0


def test_images_in_a_map_stay_mapped(tmp_path):
    np.lib.format.open_memmap(tmp_path / "big.npy", "w+", np.uint16, (40_000, 32, 32))[5] = 9
    data = load_dataset("file", str(tmp_path / "big.npy"))
    assert data.array.shape == (40_000, 1024) and data.array.dtype == np.uint16
    assert data.array[5].tolist() == [9] * 1024 and data.spec.high == 9


def test_nan_late_in_a_map_is_found(tmp_path):
    rows = sparse_npy(tmp_path / "big.npy", 40_000, 256)
    rows[39_998, 17] = np.nan
    rows.flush()
    with pytest.raises(UserError, match=r"big.npy: nan in row 39998, column 17"):
        load_dataset("file", str(tmp_path / "big.npy"))


def test_a_small_map_is_converted(tmp_path):
    np.save(tmp_path / "small.npy", np.random.default_rng(0).normal(size=(9, 3)))
    assert load_dataset("file", str(tmp_path / "small.npy")).array.dtype == np.float32


def test_a_nan_that_is_a_signal(tmp_path):
    """To turn it into float64 is an invalid operation, of which NumPy would warn."""
    rows = np.zeros((4, 3), np.uint32)
    rows[2, 1] = 0x7F800001
    with pytest.raises(UserError, match="nan in row 2, column 1"):
        scan.column_ranges(rows.view(np.float32), "data")
