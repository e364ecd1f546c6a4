"""A folder of pictures of one size; its sub-folders, if it has any, are classes."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from fastgan.data.build import Raw
from fastgan.data.dataset import require
from fastgan.data.reading import check_unpacked, reading
from fastgan.errors import UserError

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
FORMATS = ("BMP", "GIF", "JPEG", "PPM", "PNG", "TIFF", "WEBP")
"""Pillow's names of these. It looks into a file and not at its name, and for PostScript it runs another program."""

GREY, COLOUR = ("1", "L", "LA"), ("RGB", "RGBA", "P", "CMYK", "YCbCr")


def read_image_folder(folder: Path) -> Raw:
    """Read every picture as uint8: grey if all are grey, otherwise RGB; files and classes in sorted order."""
    try:
        import PIL  # noqa: F401
    except ImportError:
        raise UserError(f"{folder}: pictures need Pillow, not installed; run: pip install pillow") from None
    with reading(folder, "a folder of pictures"):
        classes = {sub.name: found for sub in _visible(folder) if sub.is_dir() and (found := _pictures(sub))}
        loose = _pictures(folder)
    mixed = bool(classes and loose)
    require(not mixed, f"{folder}: pictures beside class folders; put every picture into a class folder")
    paths = loose or [path for found in classes.values() for path in found]
    require(bool(paths), f"{folder}: no pictures there; expected files such as {', '.join(SUFFIXES)}")

    with _opened(paths[0]) as first:
        size = first.size
    modes = []
    for path in paths:
        with _opened(path) as image:
            require(image.size == size, f"{path}: {image.size} pixels, expected {size} as in {paths[0].name}")
            known = image.mode in GREY + COLOUR
            require(known, f"{path}: mode {image.mode}, expected 8-bit grey or colour; convert it")
            modes.append(image.mode)
    mode = "L" if set(modes) <= set(GREY) else "RGB"
    shape = (len(paths), size[1], size[0], 3)[: 3 if mode == "L" else 4]
    check_unpacked(folder, math.prod(shape), paths)
    array = np.empty(shape, np.uint8)
    for row, path in zip(array, paths, strict=True):
        with _opened(path) as image:
            row[...] = np.asarray(image.convert(mode))
    labels = np.repeat(np.arange(len(classes)), [len(found) for found in classes.values()])
    return Raw(array, labels if classes else None, low=0, high=255, class_names=tuple(classes))


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A picture, of which so far only the header was read."""
    from PIL import Image

    with reading(path, "a picture"), warnings.catch_warnings(action="ignore"):
        # Of bytes in memory, nobody can read more than there are; of a file, room for all they ask is made first.
        with Image.open(BytesIO(path.read_bytes()), formats=FORMATS) as image:
            yield image


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _pictures(folder: Path) -> list[Path]:
    return [path for path in _visible(folder) if path.suffix.lower() in SUFFIXES]
