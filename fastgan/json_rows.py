"""Rows of figures as lines of JSON: what is measured while a GAN trains, whole after a crash and after a resume."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fastgan.atomic import write_atomically
from fastgan.errors import UserError

Row = dict[str, Any]
"""Figures by name; ``step`` is the training step that they belong to, and ``state`` a text."""


LARGEST = 2**53
"""Of steps and other whole numbers in files: float64 holds all up to it, and no training reaches it."""


def figure(value: float) -> float:
    """Return `value` to six digits: more say nothing, and differ between machines."""
    return float(f"{value:.6g}")


def read_rows(path: Path, wanted: Iterable[str]) -> list[Row]:
    """Rows of a file; none if there is none, and none from the first line on that is damaged or lacks a figure."""
    rows: list[Row] = []
    if path.is_file():
        names = set(wanted)
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                break
            if not (isinstance(row, dict) and all(_is_figure(name, row.get(name)) for name in names)):
                break
            rows.append(row)
    return rows


def _is_figure(name: str, value: Any) -> bool:
    if name == "state":
        return isinstance(value, str)
    whole = isinstance(value, int) and abs(value) <= LARGEST
    return whole or (name != "step" and isinstance(value, float))


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Make the file anew with these rows."""
    write_atomically(path, "".join(json.dumps(row) + "\n" for row in rows).encode())


def append_row(path: Path, row: Row) -> None:
    """Add a row; `UserError` if that cannot be."""
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
    except OSError as error:
        raise UserError(
            f"{path} cannot be written: {error.strerror}; check the disk, and who may write there"
        ) from None
