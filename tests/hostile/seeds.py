"""Whole files of every format, in several dialects each, which fuzzers damage; and what they once made of them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np

from . import files

CORPUS = Path(__file__).with_name("corpus")
"""Of each format a folder: inputs that once reached code no other had, or broke its reader."""

COLOURS = files.RANDOM.integers(0, 256, (4, 5, 3), np.uint8)


def _npy() -> list[bytes]:
    arrays = [
        files.ROWS,
        np.asfortranarray(files.ROWS),
        files.ROWS.astype(">f8"),
        files.PIXELS,
        files.ROWS > 0,
    ]
    return [files.npy(array) for array in arrays]


def _npz() -> list[bytes]:
    x, y = files.npy(files.ROWS), files.npy(files.LABELS)
    named = files.npy(np.array(["cat", "dog"] * 12))
    return [files.npz(packed, x=x, y=labels) for packed in (True, False) for labels in (y, named)]


def _idx() -> list[bytes]:
    numbers, labels = files.ROWS.astype(">f4"), files.LABELS[:, None].astype(">i4")
    return [files.idx(files.PIXELS), files.idx(numbers, 13), files.idx(labels, 12)]


def _csv() -> list[bytes]:
    named = np.array(["cat", "dög", '"a, b"'] * 8)
    quoted = b'"a","b, c"\r\n"1","2"\r\n\r\n3,4\r\n'
    return [files.csv(), files.csv(labels=named), quoted, b"a,b\n1,2\n3,4\n", b"\xef\xbb\xbfa\n1\n-2e-3\n"]


def _parquet() -> list[bytes]:
    columns = {"a": np.arange(50.0), "b": np.arange(50), "label": ["cat", "dog"] * 25}
    ways: list[dict[str, object]] = [
        {},
        {"compression": "none"},
        {"compression": "zstd", "row_group_size": 20},
        {"compression": "gzip", "use_dictionary": False},
        {"compression": "brotli", "data_page_version": "2.0"},
    ]
    return [files.parquet(columns, **way) for way in ways]


def _pictures(kind: str) -> Callable[[], list[bytes]]:
    def make() -> list[bytes]:
        pictures = [files.PIXELS[0], COLOURS, np.repeat(COLOURS, 4, axis=1)]
        return [files.picture(kind, pixels) for pixels in pictures[: 1 if kind == "GIF" else 3]]

    return make


PICTURES = ("png", "bmp", "gif", "jpeg", "tiff", "webp", "ppm")
LINES = b'{"step": 1, "loss": 0.5}\n{"step": 2, "loss": null}\n{"step": 3, "loss": -2e-9, "fid": 4}\n'
TOML = b"[training]\nloss = 'mse'\n[model]\ngenerator = [\n8, # wide\n]"

FORMATS: dict[str, tuple[str, str, Callable[[], list[bytes]]]] = {
    "npy": ("data", "x.npy", _npy),
    "npz": ("data", "x.npz", _npz),
    "idx": ("data", "x.idx", _idx),
    "gz": ("data", "x.idx.gz", lambda: [files.gz(whole) for whole in _idx()]),
    "csv": ("data", "x.csv", _csv),
    "parquet": ("data", "x.parquet", _parquet),
    "toml": ("recipe", "x.toml", lambda: [files.recipe(), TOML]),
    "lines": ("lines", "history.jsonl", lambda: [LINES]),
    "generator": ("generator", "g.safetensors", lambda: [files.checkpoint("generator")]),
    "checkpoint": ("checkpoint", "c.safetensors", lambda: [files.checkpoint()]),
    **{kind: ("data", f"p.{kind}", _pictures(kind.upper())) for kind in PICTURES},
}
"""How each format is read, under what name, and whole files of it."""


@functools.cache
def seeds(name: str) -> list[bytes]:
    """Whole files of a format."""
    return FORMATS[name][2]()


def kept(name: str) -> list[Path]:
    """The corpus of a format."""
    return sorted((CORPUS / name).glob("*"))


def folder_or_file(name: str, base: Path, whole: bytes, content: bytes) -> Path:
    """Where a damaged file of a format lies, to be read: beside a whole one, if it is a picture."""
    path = base / "damaged" / name / FORMATS[name][1]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    if name not in PICTURES:
        return path
    path.with_stem("whole").write_bytes(whole)
    return path.parent
