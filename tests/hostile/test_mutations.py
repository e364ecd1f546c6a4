"""Whole files of every format with some bytes changed, left out, repeated or put in: read, or refused in one line."""

from __future__ import annotations

import importlib.util
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..commands import environment
from ..examples import usually
from . import files
from .seeds import FORMATS, folder_or_file, kept, seeds

SIZES = [0, 1, -1, 2, 127, 128, 255, 256, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**60, 2**63 - 1]
WORDS = [
    *[
        b"\0",
        b"\n",
        b"\r",
        b" ",
        b",",
        b'"',
        b"'",
        b"[",
        b"]",
        b"{",
        b"}",
        b"(",
        b")",
        b"=",
        b":",
        b"#",
        b"\xff",
    ],
    *[b"nan", b"inf", b"-1", b"1e999", b"9" * 20, b"True", b"None", b"\x1b[31m", b"\xed\xa0\x80"],
]
CODES = ["<H", ">H", "<I", ">I", "<Q", ">Q"]
NUMBERS = [struct.pack(code, size % (1 << 8 * struct.calcsize(code))) for size in SIZES for code in CODES]
PIECES = st.binary(min_size=1, max_size=8) | st.sampled_from(NUMBERS) | st.sampled_from(WORDS)
WAYS = st.sampled_from(["over", "insert", "drop", "repeat", "flip"])
EDITS = st.lists(st.tuples(WAYS, st.integers(0, 2**20), PIECES), min_size=1, max_size=5)


def edited(whole: bytes, edits: list[tuple[str, int, bytes]]) -> bytes:
    content = bytearray(whole)
    for kind, far, piece in edits:
        place = far % (len(content) + 1)
        end = place + len(piece)
        if kind == "over":
            content[place:end] = piece
        elif kind == "insert":
            content[place:place] = piece
        elif kind == "drop":
            del content[place:end]
        elif kind == "repeat":
            content[place:place] = content[place : place + 8 * len(piece)]
        elif place < len(content):
            content[place] ^= piece[0] or 1
    return bytes(content)


@pytest.mark.parametrize("name", FORMATS)
def test_whole_files_are_read(reader, tmp_path, name):
    for whole in seeds(name):
        assert reader.ask(FORMATS[name][0], folder_or_file(name, tmp_path, whole, whole)) == ("read", "")


@pytest.mark.parametrize("name", FORMATS)
def test_any_edits(reader, tmp_path_factory, name):
    @usually(120)
    @given(whole=st.sampled_from(seeds(name)), edits=EDITS)
    def damage(whole, edits):
        place = folder_or_file(name, tmp_path_factory.getbasetemp(), whole, edited(whole, edits))
        reader.ask(FORMATS[name][0], place)

    damage()


@usually(120)
@given(inner=st.sampled_from(["npy", "idx"]), place=st.integers(0, 99), edits=EDITS)
def test_any_edits_of_what_is_packed(reader, tmp_path_factory, inner, place, edits):
    """Checksums of the package are right."""
    whole = seeds(inner)[place % len(seeds(inner))]
    content = edited(whole, edits)
    if inner == "npy":
        path, packed = tmp_path_factory.getbasetemp() / "inner.npz", files.npz(x=content, y=content)
    else:
        path, packed = tmp_path_factory.getbasetemp() / "inner.idx.gz", files.gz(content)
    path.write_bytes(packed)
    reader.ask("data", path)


@usually(120)
@given(place=st.integers(0, 99), edits=EDITS, pixels=EDITS)
def test_any_edits_of_png_with_right_checksums(reader, tmp_path_factory, place, edits, pixels):
    whole = seeds("png")[place % len(seeds("png"))]
    header, body = whole[16:29], zlib.decompress(whole[whole.index(b"IDAT") + 4 : whole.index(b"IEND") - 8])
    header, body = edited(header, edits), zlib.compress(edited(body, pixels))
    chunks = files.chunk(b"IHDR", header) + files.chunk(b"IDAT", body) + files.chunk(b"IEND", b"")
    content = whole[:8] + chunks
    reader.ask("data", folder_or_file("png", tmp_path_factory.getbasetemp(), whole, content))


@usually(60)
@given(name=st.sampled_from(list(FORMATS)), other=st.sampled_from(list(FORMATS)), place=st.integers(0, 99))
def test_any_file_under_the_name_of_another(reader, tmp_path_factory, name, other, place):
    content = seeds(other)[place % len(seeds(other))]
    reader.ask(
        FORMATS[name][0], folder_or_file(name, tmp_path_factory.getbasetemp(), seeds(name)[0], content)
    )


@usually(120)
@given(name=st.sampled_from(list(FORMATS)), content=st.binary(max_size=200))
def test_any_bytes(reader, tmp_path_factory, name, content):
    reader.ask(
        FORMATS[name][0], folder_or_file(name, tmp_path_factory.getbasetemp(), seeds(name)[0], content)
    )


@pytest.mark.parametrize("name", FORMATS)
def test_corpus(reader, tmp_path, name):
    """What once reached new lines of code, or broke a reader; with its own checksum, and with the right one."""
    for path in kept(name):
        content = path.read_bytes()
        for each in dict.fromkeys([content, files.with_checksum(content)]):
            reader.ask(FORMATS[name][0], folder_or_file(name, tmp_path, each, each))


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not installed")
def test_bytes_that_lead_to_new_lines_of_code(tmp_path):
    """Atheris sees which lines of the readers an input reaches, and changes those that reach new ones."""
    # The most memory that a process had in use counts from before it became another program: here that of all tests.
    no_limit = "-rss_limit_mb=0"
    given = ["-runs=4000", "-max_total_time=15", "-seed=1", no_limit, f"-artifact_prefix={tmp_path}/"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile.with_atheris", "all", *given],
        env=environment() | {"TMPDIR": str(tmp_path)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
