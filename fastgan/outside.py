"""What comes from outside: files that can be opened and end, text that can be written down."""

from __future__ import annotations

import os
from pathlib import Path

from fastgan.errors import UserError


def check_regular(path: str | Path) -> None:
    """Raise `UserError` for a pipe, which keeps its reader waiting, or a device, which may never end.

    A file that is missing is for whoever opens it.
    """
    if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
        raise UserError(f"{path}: neither a file nor a folder, but a pipe or a device; give a file")


def is_unicode(text: str) -> bool:
    """Whether `text` can be encoded; names of files that are not UTF-8 hold what cannot."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)
