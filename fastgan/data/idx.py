"""IDX, the format of MNIST: a big-endian header and one array, gzip-compressed or not."""

from __future__ import annotations

import gzip
import math
import re
import struct
from pathlib import Path
from typing import IO, cast

import numpy as np

from fastgan.data.dataset import require
from fastgan.data.reading import check_unpacked, read_at_most, reading

IDX_NAME = re.compile(r"([.-]idx\d?(-[a-z]+)?(\.gz)?|\.gz)$")
TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: Path) -> np.ndarray:
    """Read the array of an IDX file; one that is not compressed is mapped, copy on write."""
    with reading(path, "an IDX file"):
        packed = path.suffix == ".gz"
        with cast(IO[bytes], gzip.open(path) if packed else open(path, "rb")) as file:
            dtype, shape = _read_header(file, path)
            offset, wanted = file.tell(), math.prod(shape) * dtype.itemsize
            if packed:
                check_unpacked(path, wanted)
            body = read_at_most(file, wanted + 1) if packed else None
        found = len(body) if body is not None else path.stat().st_size - offset
        require(
            found == wanted > 0,
            f"{path}: {found} bytes of data, expected {wanted} for shape {shape}; get the file again",
        )
        if body is not None:
            return np.frombuffer(body, dtype).reshape(shape)
        return np.memmap(path, dtype, mode="c", offset=offset, shape=shape)


def _read_header(file: IO[bytes], path: Path) -> tuple[np.dtype, tuple[int, ...]]:
    magic = file.read(4)
    require(
        len(magic) == 4 and magic[:2] == b"\0\0" and magic[2] in TYPES and 1 <= magic[3] <= 4,
        f"{path}: not an IDX file (its first bytes are {magic.hex(' ') or 'missing'})",
    )
    dimensions = file.read(4 * magic[3])
    require(len(dimensions) == 4 * magic[3], f"{path}: IDX header cut short; get the file again")
    return np.dtype(TYPES[magic[2]]), struct.unpack(f">{magic[3]}I", dimensions)
