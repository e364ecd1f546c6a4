"""Files that are either whole or not there: written under another name, flushed to disk, renamed."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from fastgan.errors import UserError, shown


def write_atomically(path: str | Path, *content: bytes | memoryview, before: Path | None = None) -> None:
    """Write `content` to `path`; a crash at any moment leaves the old file or the new one.

    Parameters
    ----------
    content : the parts of it, one after the other
    before : where the old file is kept, if there is one, in the same folder; a crash may then leave it there alone

    Raises
    ------
    UserError
        If the folder is missing or cannot be written, or the disk is full; if a device has that name, whose place the
        file would take.
    """
    if not (isinstance(path, str | os.PathLike) and Path(path).name and "\0" not in str(path)):
        raise UserError(f"{shown(path)} is no name for a file; give one")
    path = Path(path)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if not path.is_symlink() and (path.is_char_device() or path.is_block_device()):
            raise UserError(f"{path} is a device, whose place the file would take; give another name")
        unfinished.unlink(missing_ok=True)  # it may be a link to another place
        with open(unfinished, "xb") as file:
            file.writelines(content)
            file.flush()
            os.fsync(file.fileno())
        if before is not None:
            with contextlib.suppress(FileNotFoundError):
                os.replace(path, before)
        os.replace(unfinished, path)
        _flush_folder(path.parent)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}; give a folder that can be") from None
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    """Flush the rename itself, where the system lets a folder be opened and flushed."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(handle)
