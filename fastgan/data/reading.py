"""Turning what goes wrong while a file is read into one line."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastgan.errors import UserError


@contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """Raise `UserError` where the file at `path` cannot be opened, or does not hold `what`."""
    from zipfile import BadZipFile

    try:
        yield
    except UserError:
        raise
    except (OSError, EOFError, ValueError, zlib.error, BadZipFile) as error:
        if isinstance(error, OSError) and error.strerror:
            raise UserError(f"{path}: cannot be read, {error.strerror.lower()}") from None
        if "allow_pickle" in str(error) or "Python objects" in str(error):
            expected = f"expected {what} of plain numbers"
            raise UserError(f"{path}: damaged, or pickled Python objects, {expected}") from None
        raise UserError(f"{path}: empty, cut short or damaged, expected {what}") from None
