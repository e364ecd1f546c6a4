"""Pictures that are no pictures, or far larger than their files."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from . import files

KINDS = {"PNG": "png", "BMP": "bmp", "GIF": "gif", "JPEG": "jpg", "TIFF": "tif", "WEBP": "webp", "PPM": "pgm"}


def png(width: int, height: int, body: bytes, colour: int = 0, more: bytes = b"") -> bytes:
    header = files.chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + more + files.chunk(b"IDAT", body) + files.chunk(b"IEND", b"")


def folder_of(path: Path, *contents: bytes, name: str = "png") -> Path:
    path.mkdir(exist_ok=True)
    for number, content in enumerate(contents):
        (path / f"{number}.{name}").write_bytes(content)
    return path


SIZES = [
    (9000, 9000),
    (13_000, 13_000),
    (2**15, 2**15),
    (2**31 - 1, 2**31 - 1),
    (2**31 - 1, 1),
    (1, 2**31 - 1),
]


@pytest.mark.parametrize("size", [*SIZES, (0, 0), (2**32 - 1, 1)], ids=str)
def test_png_that_is_larger_than_memory(reader, tmp_path, size):
    body = files.zlib_of_zeros(256)
    for colour in (0, 2, 6):
        one = png(*size, body, colour)
        reader.refuses("data", folder_of(tmp_path, one, one))


def test_many_pictures_that_are_larger_than_their_files(reader, tmp_path):
    one = png(3000, 3000, files.zlib_of_zeros(9))
    assert "would unpack to" in reader.refuses("data", folder_of(tmp_path, *[one] * 50))


def test_many_small_pictures_of_one_colour_are_read(reader, tmp_path):
    one = png(256, 256, files.zlib_of_zeros(1))
    assert reader.ask("data", folder_of(tmp_path, *[one] * 200))[0] == "read"


@pytest.mark.parametrize("start", [b"zTXta\0\0", b"iCCPa\0\0", b"iTXta\0\1\0\0\0"], ids=ascii)
def test_text_in_png_that_is_larger_than_memory(reader, tmp_path, start):
    text = files.chunk(start[:4], start[4:] + files.zlib_of_zeros(500))
    one = png(1, 1, zlib.compress(bytes(2)), 0, text)
    reader.ask("data", folder_of(tmp_path, one, one))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_read_and_may_be_damaged(reader, tmp_path, kind):
    whole = files.picture(kind, np.repeat(files.PIXELS[0], 3, axis=0))
    folder_of(tmp_path, whole, whole, name=KINDS[kind])
    assert reader.ask("data", tmp_path)[0] == "read"
    for place in range(0, len(whole), max(1, len(whole) // 25)):
        for value in (0, 0xFF, whole[place] ^ 0x15):
            damaged = bytearray(whole)
            damaged[place] = value
            folder_of(tmp_path, whole, bytes(damaged), name=KINDS[kind])
            reader.ask("data", tmp_path)
        folder_of(tmp_path, whole, whole[:place], name=KINDS[kind])
        reader.ask("data", tmp_path)


SCRIPT = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 5 4
%%EndComments
(touched) (w) file closefile
showpage
"""


def test_programs_under_the_name_of_a_picture(reader, tmp_path):
    """Pillow tells kinds by what a file holds, and hands PostScript to another program."""
    reader.refuses("data", folder_of(tmp_path, SCRIPT, SCRIPT))


def headers(width: int, height: int) -> dict[str, bytes]:
    """Pictures of this size by the ending of their names, with hardly any pixels."""
    bitmap = struct.pack("<IIiiHHIIiiII", 40, width % 2**32, height, 0, 1, 8, 0, 20, 0, 0, 0, 0)
    tags = struct.pack("<HHII", 256, 4, 1, width % 2**32) + struct.pack("<HHII", 257, 4, 1, abs(height))
    return {
        "pgm": f"P5 {width} {height} 255\n".encode() + bytes(20),
        "ppm": f"P3 {width} {height} 255\n".encode() + b"1 " * 60,
        "bmp": b"BM" + struct.pack("<IHHI", 74, 0, 0, 54) + bitmap,
        "gif": b"GIF89a"
        + struct.pack("<HHBBB", width % 2**16, abs(height) % 2**16, 128, 0, 0)
        + bytes(6)
        + b",",
        "tif": b"II*\0" + struct.pack("<IH", 8, 2) + tags + bytes(4),
    }


@pytest.mark.parametrize(
    "size", [(2**16, 2**16), (0, 0), (-5, 4), (2**31 - 1, 2**31 - 1), (2**31 - 1, 1)], ids=str
)
def test_sizes_of_other_kinds(reader, tmp_path, size):
    for kind, content in headers(*size).items():
        reader.refuses("data", folder_of(tmp_path / kind, content, content, name=kind))
