"""Files that are either whole or not there: written under another name, flushed to disk, renamed."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from fastgan.errors import UserError


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write `content` to `path`; a crash at any moment leaves the old file or the new one.

    Raises
    ------
    UserError
        If the folder is missing or cannot be written, or the disk is full.
    """
    path = Path(path)
    if not path.name:
        raise UserError(f"{str(path)!r} is no name for a file; give one")
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.unlink(missing_ok=True)  # it may be a link to another place
        with open(unfinished, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
        _flush_folder(path.parent)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}; give a folder that can be") from None
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    """Flush the rename itself, where the system lets a folder be opened."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
