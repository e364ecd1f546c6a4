"""Tables: CSV with a header, and Parquet."""

from __future__ import annotations

import csv
import shlex
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fastgan.data.build import Raw
from fastgan.data.dataset import require
from fastgan.data.reading import reading
from fastgan.errors import UserError, nearest

if TYPE_CHECKING:
    from _csv import Reader

LABEL_COLUMNS = ("label", "labels", "class")
BATCH_CELLS = 1 << 18


def read_csv(path: Path, labels: str) -> Raw:
    """Read a CSV file whose first line names the columns; all but the label column must hold numbers.

    A table of whole numbers only is int64, any other float64. Blank lines are passed over.
    """
    with reading(path, "a CSV file in UTF-8"), open(path, encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(file)
        try:
            return _parse_csv(path, lines, labels)
        except csv.Error as error:
            raise UserError(f"{path}: line {lines.line_num}: {error}") from None


def _parse_csv(path: Path, lines: Reader, labels: str) -> Raw:
    header = [name.strip() for name in next(lines, [])]
    require(bool(header), f"{path}: empty, expected a CSV file with a header")
    for separator, name in ((";", "semicolons"), ("\t", "tabs")):
        other = len(header) == 1 and separator in header[0]
        require(
            not other, f"{path}: values stand between {name}; save it with commas, and points in decimals"
        )
    require(
        all(header) and not any(_is_number(name) for name in header),
        f"{path}: line 1 is no header ({','.join(header)[:40]}); give every column a name there",
    )
    require(len(set(header)) == len(header), f"{path}: line 1 names a column twice; give each its own name")
    label_column = _find_label_column(header, labels, path)
    columns = tuple(name for name in header if name != label_column)
    parts: list[np.ndarray] = []
    classes: list[str] = []
    batch_lines = max(1, BATCH_CELLS // len(header))
    while batch := list(islice(_numbered(lines, len(header), path), batch_lines)):
        cells = [row for _, row in batch]
        if label_column is not None:
            at = header.index(label_column)
            classes += [row.pop(at).strip() for row in cells]
            require(all(classes), f"{path}: column {label_column!r} has an empty label; fill it in")
        parts.append(_to_numbers(cells, [line for line, _ in batch], columns, path))
    require(bool(columns), f"{path}: no column but the labels; give at least one column of numbers")
    require(bool(parts), f"{path}: a header but no rows; give at least 2 rows")
    use_labels = label_column is not None and labels != "none"
    return Raw(np.concatenate(parts), _to_labels(classes) if use_labels else None, columns=columns)


def _numbered(lines: Reader, width: int, path: Path) -> Iterator[tuple[int, list[str]]]:
    for row in lines:
        if row:
            found = f"{len(row)} values, expected {width} as in the header"
            require(len(row) == width, f"{path}: line {lines.line_num} has {found}")
            yield lines.line_num, row


def _to_numbers(cells: list[list[str]], lines: list[int], columns: Sequence[str], path: Path) -> np.ndarray:
    for dtype in (np.int64, np.float64):
        try:
            return np.array(cells).astype(dtype)
        except (ValueError, OverflowError):
            continue
    for line, row in zip(lines, cells, strict=True):
        for column, cell in zip(columns, row, strict=True):
            if not _is_number(cell):
                place = f"{path}: line {line}, column {column!r}"
                require(bool(cell.strip()), f"{place} is empty; fill it in, or remove the line")
                raise UserError(f"{place} holds {cell[:40]!r}; give a number, or {_name_labels(column)}")
    raise UserError(f"{path}: a number in lines {lines[0]} to {lines[-1]} cannot be read")


def _name_labels(column: str) -> str:
    return f"if these are the labels, --set {shlex.quote(f'data.labels={column}')}"


def _to_labels(classes: list[str]) -> np.ndarray:
    labels = np.array(classes)
    try:
        return labels.astype(np.int64)
    except (ValueError, OverflowError):
        return labels


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _find_label_column(header: Sequence[str], labels: str, path: Path) -> str | None:
    """Return the name of the column that holds no data but labels, or None."""
    if labels in ("auto", "none"):
        return next((name for name in header if name.lower() in LABEL_COLUMNS), None)
    found = f"there are {', '.join(header)}"
    require(labels in header, f"{path}: no column {labels!r}{nearest(labels, header)}; {found}")
    return labels


def read_parquet(path: Path, labels: str) -> Raw:
    """Read a Parquet file; all columns but the label column must hold numbers, none of them missing."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise UserError(f"{path}: Parquet needs pyarrow, not installed; run: pip install pyarrow") from None
    try:
        with reading(path, "a Parquet file"):
            table = pq.read_table(path)
    except pa.ArrowException:
        raise UserError(f"{path}: empty, cut short or damaged, expected a Parquet file") from None
    label_column = _find_label_column(table.column_names, labels, path)
    for name, column in zip(table.column_names, table.columns, strict=True):
        missing = column.null_count
        require(missing == 0, f"{path}: column {name!r} has {missing} missing values; fill them in")
    arrays = {name: table.column(name).to_numpy() for name in table.column_names}
    classes = arrays.pop(label_column) if label_column is not None else None
    require(bool(arrays), f"{path}: no column but the labels; give at least one column of numbers")
    for name, array in arrays.items():
        found = table.schema.field(name).type
        real = array.dtype.kind in "biuf"
        require(real, f"{path}: column {name!r} holds {found}, not numbers; {_name_labels(name)}")
    rows = np.column_stack(list(arrays.values()))
    return Raw(rows, None if labels == "none" else classes, columns=tuple(arrays))
