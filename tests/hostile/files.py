"""Whole files of every format, as bytes, to be damaged; and pieces to make hostile ones of."""

from __future__ import annotations

import functools
import gzip
import io
import json
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fastgan import recipe as recipes

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(24, 3)).astype(np.float32)
LABELS = np.arange(24) % 3
PIXELS = RANDOM.integers(0, 256, (6, 4, 5), np.uint8)

MEBI = 1 << 20


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npy_of(header: str, body: bytes = b"", version: int = 1) -> bytes:
    """A .npy file with any text for a header."""
    text = header.encode("latin-1") + b"\n"
    size = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + size + text + body


def npy_like(shape: object, dtype: object = "<f4", body: bytes = b"", order: object = False) -> bytes:
    return npy_of(f"{{'descr': {dtype!r}, 'fortran_order': {order!r}, 'shape': {shape!r}, }}", body)


def npz(packed: bool = True, **members: bytes) -> bytes:
    """An archive of .npy files by their names without the ending."""
    return archive({f"{name}.npy": body for name, body in members.items()}, packed)


def archive(members: Mapping[str, bytes], packed: bool = True) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as out:
        for name, body in members.items():
            out.writestr(name, body)
    return file.getvalue()


@functools.cache
def zeros(mebi: int, start: bytes = b"") -> tuple[bytes, int, int, int]:
    """`start` and then so many MiB of zeros, deflated: a thousandth of that; and its size, CRC-32 and Adler-32."""
    pack, block = zlib.compressobj(9, zlib.DEFLATED, -15), bytes(MEBI)
    first = pack.compress(start) + pack.flush(zlib.Z_FULL_FLUSH)
    again = pack.compress(block) + pack.flush(
        zlib.Z_FULL_FLUSH
    )  # after a full flush, the same bytes every time
    crc, adler = zlib.crc32(start), zlib.adler32(start)
    for _ in range(mebi):
        crc, adler = zlib.crc32(block, crc), zlib.adler32(block, adler)
    return first + again * mebi + pack.flush(), len(start) + mebi * MEBI, crc, adler


def gz(body: bytes) -> bytes:
    return gzip.compress(body, 1)


def gz_of_zeros(mebi: int, start: bytes = b"") -> bytes:
    packed, size, crc, _ = zeros(mebi, start)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + packed + struct.pack("<II", crc, size)


def zlib_of_zeros(mebi: int) -> bytes:
    packed, _, _, adler = zeros(mebi)
    return b"\x78\xda" + packed + struct.pack(">I", adler)


def zip_of_zeros(mebi: int, start: bytes, claimed: int | None = None) -> bytes:
    """An archive of one member, ``x.npy``, that claims to be `claimed` bytes, or says how many they are."""
    packed, size, crc, _ = zeros(mebi, start)
    size = size if claimed is None else claimed
    told = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 0, crc, len(packed), size, 5, 0)
    member = b"PK\3\4" + told + b"x.npy" + packed
    directory = b"PK\1\2\x14\0" + told + struct.pack("<HHHII", 0, 0, 0, 0, 0) + b"x.npy"
    return (
        member + directory + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(directory), len(member), 0)
    )


def idx(array: np.ndarray, code: int = 8) -> bytes:
    return idx_like(array.shape, code, array.tobytes())


def idx_like(shape: tuple[int, ...], code: int = 8, body: bytes = b"") -> bytes:
    return struct.pack(f">4B{len(shape)}I", 0, 0, code, len(shape), *shape) + body


def csv(rows: np.ndarray = ROWS, labels: np.ndarray = LABELS) -> bytes:
    lines = [",".join(map(str, (*row, label))) for row, label in zip(rows, labels, strict=True)]
    return ("a,b,c,label\n" + "\n".join(lines) + "\n").encode()


def parquet(columns: Mapping[str, object], **options: Any) -> bytes:
    import pyarrow as pa
    from pyarrow.parquet import write_table

    file = io.BytesIO()
    write_table(pa.table(columns), file, **options)
    return file.getvalue()


def picture(kind: str, pixels: np.ndarray = PIXELS[0]) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    """A piece of a PNG file, with its checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def safetensors(header: object, body: bytes = b"") -> bytes:
    """A safetensors file; one that had a checksum has the right one, so that what it holds is looked at."""
    if isinstance(header, dict) and "checksum" in header.get("__metadata__", {}):
        header = header | {"__metadata__": signed(header, body)}
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def signed(header: dict[str, Any], body: bytes) -> dict[str, Any]:
    """The texts of a file with the checksum of what it holds; as they are where its arrays cannot be read."""
    from safetensors.numpy import load

    from fastgan.checkpoint import checksum

    texts = header["__metadata__"]
    try:
        tensors = load(safetensors(header | {"__metadata__": {}}, body))
        return texts | {"checksum": checksum(tensors, texts)}
    except Exception:  # whatever this file's reader is to survive
        return texts


def with_checksum(content: bytes) -> bytes:
    """A safetensors file with the right checksum in the place of its own; any other as it is."""
    try:
        header, body = parts_of(content)
        stated, right = (texts["checksum"] for texts in (header["__metadata__"], signed(header, body)))
        return content.replace(stated.encode(), right.encode()) if len(stated) == len(right) else content
    except Exception:  # whatever this file's reader is to survive
        return content


def parts_of(content: bytes) -> tuple[dict[str, Any], bytes]:
    """Header and body of a safetensors file."""
    start = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:start]), content[start:]


@functools.cache
def checkpoint(kind: str = "checkpoint") -> bytes:
    """A whole checkpoint of a GAN of three classes with batch norm, or its generator alone."""
    from fastgan.checkpoint import save_checkpoint

    from .reader import trainer

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "c.safetensors")
        trained = trainer()
        trained.train(1)
        save_checkpoint(trained, path, recipe().decode()) if kind == "checkpoint" else trained.generator.save(
            path
        )
        return path.read_bytes()


@functools.cache
def recipe() -> bytes:
    return recipes.to_toml(recipes.load("digits")).encode()
