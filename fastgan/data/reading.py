"""Turning what goes wrong while a file is read into one line, and how much of one is read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from fastgan.data.dataset import require
from fastgan.errors import UserError
from fastgan.outside import check_regular

ROOM, TIMES = 32 << 20, 100
"""Bytes that a packed file may always unpack to, and how many times its own size if that is more."""

LEAST_SIZE = 4096
"""Bytes that any file counts for: a block of a disk."""

BLOCK = 1 << 20


@contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """Raise `UserError` where the file at `path` cannot be opened, or does not hold `what`."""
    check_regular(path)
    try:
        yield
    except UserError:
        raise
    except MemoryError:
        raise UserError(f"{path}: takes more memory than there is; give a smaller file") from None
    except Exception as error:  # whoever reads a damaged file may raise anything
        if isinstance(error, OSError) and error.strerror:
            raise UserError(f"{path}: cannot be read, {error.strerror.lower()}") from None
        raise UserError(f"{path}: empty, cut short or damaged, expected {what}") from None


def given_path(path: str) -> Path:
    """The file or folder a user names, ``~`` expanded; `UserError` if there is none."""
    place = os.path.expanduser(path)
    require(os.path.exists(place), f"{path}: no such file or folder")
    return Path(place)


def check_unpacked(path: Path, size: int, files: Sequence[Path] = ()) -> None:
    """Refuse what a packed file, or all of `files`, would unpack to, if these `size` bytes are too many for it."""
    packed = [max(each.stat().st_size, LEAST_SIZE) for each in files or (path,)]
    most = max(ROOM, TIMES * sum(packed))
    found = f"would unpack to {size:,} bytes, more than {TIMES} times what it takes packed"
    require(size <= most, f"{path}: {found}; unpack it yourself, if you trust it")


def read_at_most(file: IO[bytes], count: int) -> bytearray:
    """Read so many bytes, or all there are; no more is allocated than there are, whatever `count` is."""
    content = bytearray()
    while block := file.read(min(BLOCK, count - len(content))):
        content += block
    return content
