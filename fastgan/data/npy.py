"""NumPy's own format, alone (.npy) and in archives (.npz): headers are checked before anything is allocated by them."""

from __future__ import annotations

import io
import math
import warnings
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

import numpy as np

from fastgan.data.dataset import require
from fastgan.data.reading import check_unpacked, read_at_most, reading

if TYPE_CHECKING:
    from zipfile import ZipFile

MAGIC = b"\x93NUMPY"
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
"""How to read one, by its format; a third is for columns with names."""

LONGEST_HEADER = 12_000
"""Bytes. NumPy itself reads no longer one."""


def read_npy(path: Path) -> np.ndarray:
    """Return the array of a .npy file, mapped copy on write."""
    with reading(path, "a .npy array"):
        with open(path, "rb") as file:
            dtype, shape, order, offset = _read_header(file, path, path.stat().st_size)
        return np.memmap(path, dtype, "c", offset, shape, order)


def read_member(archive: ZipFile, name: str, path: Path) -> np.ndarray:
    """Return the array `name` of an archive at `path`."""
    with reading(path, "an .npz archive"):
        size = archive.getinfo(f"{name}.npy").file_size
        check_unpacked(path, size)
        with archive.open(f"{name}.npy") as file:
            content = read_at_most(file, size)
        dtype, shape, order, offset = _read_header(io.BytesIO(content), path, len(content))
        return np.frombuffer(content, dtype, math.prod(shape), offset).reshape(shape, order=order)


def _read_header(
    file: IO[bytes], path: Path, size: int
) -> tuple[np.dtype, tuple[int, ...], Literal["C", "F"], int]:
    """The dtype, shape, order and place of an array in a file of so many bytes, which hold it."""
    head = io.BytesIO(file.read(LONGEST_HEADER))
    version = np.lib.format.read_magic(head)
    require(
        version in HEADERS,
        f"{path}: format {version} of .npy, expected one of {', '.join(map(str, HEADERS))}",
    )
    with warnings.catch_warnings(action="ignore"):  # that Python 2 wrote it
        sizes, columns_first, dtype = HEADERS[version](head)
    shape = tuple(map(int, sizes))
    require(not dtype.hasobject, f"{path}: pickled Python objects, expected an array of plain numbers")
    wanted, found = math.prod(shape) * dtype.itemsize, size - head.tell()
    require(
        min(shape, default=1) >= 0 and found >= wanted,
        f"{path}: {found} bytes of data, expected {wanted} for shape {shape}; get the file again",
    )
    require(wanted > 0, f"{path}: shape {shape} of {dtype} holds no values; give at least 2 rows")
    return dtype, shape, "F" if columns_first else "C", head.tell()
