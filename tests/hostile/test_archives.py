"""Archives that unpack to far more than they are, or to elsewhere, or that are none."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import zipfile
import zlib

import numpy as np
import pytest

from . import files

BOMB = 500
"""MiB."""


@pytest.mark.parametrize("shape", [(BOMB << 10, 2**10), (BOMB << 10, 2**9), (9, 9), (2**31, 3)], ids=str)
def test_gzip_bombs(reader, tmp_path, shape):
    (tmp_path / "x.idx.gz").write_bytes(files.gz_of_zeros(BOMB, files.idx_like(shape)))
    reader.refuses("data", tmp_path / "x.idx.gz")


def test_a_gzip_bomb_of_members(reader, tmp_path):
    """Gzip lets whole files follow one another."""
    (tmp_path / "x.idx.gz").write_bytes(files.gz(files.idx_like((3, 3))) + 50 * files.gz_of_zeros(BOMB // 50))
    reader.refuses("data", tmp_path / "x.idx.gz")


def test_a_gzip_bomb_beside_pictures(reader, tmp_path):
    (tmp_path / "t-images-idx3-ubyte.gz").write_bytes(files.gz(files.idx(files.PIXELS)))
    (tmp_path / "t-labels-idx1-ubyte.gz").write_bytes(files.gz_of_zeros(BOMB, files.idx_like((6,))))
    reader.refuses("data", tmp_path / "t-images-idx3-ubyte.gz")


@pytest.mark.parametrize("claimed", [None, 128 + 36, 128 + (BOMB << 19), 2**32 - 2, 0])
@pytest.mark.parametrize("shape", [(BOMB << 18, 1), (BOMB << 16, 1), (3, 3), (2**31, 2**31)], ids=str)
def test_zip_bombs(reader, tmp_path, shape, claimed):
    (tmp_path / "x.npz").write_bytes(files.zip_of_zeros(BOMB, files.npy_like(shape), claimed))
    reader.refuses("data", tmp_path / "x.npz")


def test_a_zip_bomb_of_labels(reader, tmp_path):
    """Each of 24 labels is a text of 4 million letters."""
    labels = files.npy_like((24,), "<U4000000")
    body = labels + bytes(24 * 16 * 10**6)
    (tmp_path / "x.npz").write_bytes(files.npz(x=files.npy(files.ROWS), y=body))
    reader.refuses("data", tmp_path / "x.npz")


def test_what_packs_well_is_read(reader, tmp_path):
    """Sparse rows are no bombs."""
    rows = np.zeros((20_000, 100), np.uint8)
    rows[::7, ::11] = 1
    (tmp_path / "x.npz").write_bytes(files.npz(x=files.npy(rows)))
    (tmp_path / "x.idx.gz").write_bytes(files.gz(files.idx(rows)))
    assert reader.ask("data", tmp_path / "x.npz")[0] == "read"
    assert reader.ask("data", tmp_path / "x.idx.gz")[0] == "read"


@pytest.mark.parametrize("width", [2**20, 2**20 + 1, 2**23])
def test_few_rows_that_are_very_wide(reader, tmp_path, width):
    """What is made of every column is bounded, too."""
    rows = np.zeros((3, width), np.uint8)
    (tmp_path / "x.npz").write_bytes(files.npz(x=files.npy(rows)))
    (tmp_path / "x.idx.gz").write_bytes(files.gz(files.idx(rows)))
    for name in ("x.npz", "x.idx.gz"):
        outcome, says = reader.ask("data", tmp_path / name)
        assert outcome == "read" or f"rows of {width:,} values" in says
        assert (outcome == "read") == (width == 2**20)


NAMES = [
    *[
        "../x.npy",
        "../../../../tmp/x.npy",
        "/etc/x.npy",
        "\\\\host\\x.npy",
        "C:x.npy",
        "a/../../x.npy",
        "x.npy/",
    ],
    *[
        ".npy",
        "é.npy",
        "\N{SNOWMAN}.npy",
        "\u202ex.npy",
        "a\nb.npy",
        "a\x1b[31mb.npy",
        "a\0b.npy",
        "x.pkl",
        "x",
    ],
    "x" * 60_000 + ".npy",
]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:30])
def test_names_in_archives(reader, tmp_path, name):
    """Nothing is unpacked to where a name says; a name that is no array's is told of in one line."""
    folder = tmp_path / "in"
    folder.mkdir()
    body = files.npy(files.ROWS)
    for members in (
        {name: body},
        {name: body, "other.npy": body},
        {name: body, "x.npy": body},
        {name: b"none"},
    ):
        (folder / "d.npz").write_bytes(files.archive(members))
        reader.ask("data", folder / "d.npz")
    assert [path.name for path in folder.iterdir()] == ["d.npz"] and list(tmp_path.iterdir()) == [folder]


def test_a_member_that_is_no_array(reader, tmp_path):
    for name in ("x", "x.npy"):
        for body in (b"", b"none", b"\x93NUMPY", b"\x93NUMPY\1", b"\x93NUMPY\3\0", b"PK\5\6"):
            (tmp_path / "d.npz").write_bytes(files.archive({name: body}))
            reader.refuses("data", tmp_path / "d.npz")


def test_many_members(reader, tmp_path):
    (tmp_path / "d.npz").write_bytes(files.archive({f"n{n}.npy": b"" for n in range(3000)}))
    reader.refuses("data", tmp_path / "d.npz")


def test_a_member_twice(reader, tmp_path):
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as out, pytest.warns(UserWarning, match="Duplicate"):
        out.writestr("x.npy", files.npy(files.ROWS))
        out.writestr("x.npy", files.npy(files.ROWS))
    reader.ask("data", tmp_path / "d.npz")


@pytest.mark.parametrize(
    ("place", "value"),
    [("flags", 1), ("flags", 0x41), ("flags", 0x800), ("method", 9), ("method", 99), ("version", 255)],
)
def test_archives_that_need_a_password_or_another_program(reader, tmp_path, place, value):
    content = bytearray(files.npz(x=files.npy(files.ROWS)))
    in_member, in_directory = {"version": (4, 6), "flags": (6, 8), "method": (8, 10)}[place]
    for at in (in_member, content.rindex(b"PK\1\2") + in_directory):
        content[at : at + 2] = struct.pack("<H", value)
    (tmp_path / "d.npz").write_bytes(content)
    outcome, _ = reader.ask("data", tmp_path / "d.npz")
    assert outcome == "refused" or value == 0x800  # names in UTF-8


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_every_way_to_pack_damaged(reader, tmp_path, method):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as out:
        out.writestr("x.npy", files.npy(files.ROWS))
    whole = file.getvalue()
    (tmp_path / "d.npz").write_bytes(whole)
    assert reader.ask("data", tmp_path / "d.npz")[0] == "read"
    for place in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= 0xA5
        (tmp_path / "d.npz").write_bytes(damaged)
        reader.ask("data", tmp_path / "d.npz")


@pytest.mark.parametrize(
    "pack", [bz2.compress, lzma.compress, zlib.compress, lambda body: gzip.compress(body)[:-4]]
)
def test_what_is_packed_by_another_program(reader, tmp_path, pack):
    (tmp_path / "x.idx.gz").write_bytes(pack(files.idx(files.PIXELS)))
    reader.refuses("data", tmp_path / "x.idx.gz")
