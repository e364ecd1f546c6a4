from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest

from fastgan.data import load_dataset
from fastgan.data.idx import TYPES, read_idx
from fastgan.errors import UserError

IMAGES = np.random.default_rng(0).integers(0, 256, (9, 4, 5), np.uint8)


def idx(array: np.ndarray, code: int = 8) -> bytes:
    return struct.pack(f">4B{array.ndim}I", 0, 0, code, array.ndim, *array.shape) + array.tobytes()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("code", TYPES)
def test_every_type(tmp_path, code, packed):
    values = np.arange(12).reshape(3, 4).astype(TYPES[code])
    path = tmp_path / ("v.idx.gz" if packed else "v.idx")
    path.write_bytes(gzip.compress(idx(values, code)) if packed else idx(values, code))
    read = read_idx(path)
    assert read.dtype == TYPES[code] and read.flags.writeable
    np.testing.assert_array_equal(read, values)
    data = load_dataset("file", str(path))
    assert data.array.dtype.isnative and data.array.dtype == (np.uint8 if code == 8 else np.float32)
    np.testing.assert_array_equal(data.array, values)


@pytest.mark.parametrize(
    "name", ["train-images-idx3-ubyte", "train-images-idx3-ubyte.gz", "train-images.idx3-ubyte"]
)
def test_names_of_mnist(tmp_path, name):
    (tmp_path / name).write_bytes(gzip.compress(idx(IMAGES)) if name.endswith("gz") else idx(IMAGES))
    data = load_dataset("file", str(tmp_path / name))
    assert data.spec.image_shape == (4, 5) and data.array.tobytes() == IMAGES.tobytes()


def test_labels_beside_images(tmp_path):
    (tmp_path / "a-images-idx3-ubyte").write_bytes(idx(IMAGES))
    (tmp_path / "a-labels-idx1-ubyte").write_bytes(idx(np.arange(9, dtype=np.uint8)))
    path = str(tmp_path / "a-images-idx3-ubyte")
    assert load_dataset("file", path).labels.tolist() == list(range(9))
    assert len(load_dataset("file", path, labels="none").labels) == 0


@pytest.mark.parametrize(
    ("body", "match"),
    [
        (b"", "not an IDX file .*missing"),
        (b"\x89PNG\r\n", "not an IDX file .*89 50 4e 47"),
        (b"\0\0\x07\1" + bytes(8), "not an IDX file"),
        (idx(IMAGES)[:9], "header cut short"),
        (idx(IMAGES)[:-1], "179 bytes of data, expected 180"),
        (idx(IMAGES) + b"\0", "181 bytes of data, expected 180"),
        (struct.pack(">4B4I", 0, 0, 14, 4, *[2**32 - 1] * 4), "0 bytes of data|would unpack to"),
        (idx(IMAGES[:0]), "0 bytes of data"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_files_that_are_refused(tmp_path, body, match, packed):
    path = tmp_path / ("v.idx.gz" if packed else "v.idx")
    path.write_bytes(gzip.compress(body) if packed else body)
    with pytest.raises(UserError, match=match):
        load_dataset("file", str(path))


@pytest.mark.parametrize("length", [5, 100, -1])
def test_truncated_gz(tmp_path, length):
    path = tmp_path / "v.idx.gz"
    path.write_bytes(gzip.compress(idx(IMAGES))[:length])
    with pytest.raises(UserError, match="cut short or damaged"):
        load_dataset("file", str(path))


def test_a_changed_byte_in_gz(tmp_path):
    body = bytearray(gzip.compress(idx(IMAGES)))
    body[-6] ^= 1  # in the checksum
    (tmp_path / "v.idx.gz").write_bytes(body)
    with pytest.raises(UserError, match="damaged"):
        load_dataset("file", str(tmp_path / "v.idx.gz"))
