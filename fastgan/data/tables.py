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
from fastgan.data.reading import check_unpacked, reading
from fastgan.errors import UserError, nearest

if TYPE_CHECKING:
    from _csv import Reader

LABEL_COLUMNS = ("label", "labels", "class")
BATCH_CELLS = 1 << 18

LONGEST_NUMBER = 100
"""Letters of a cell. An array of text is as wide as its longest cell."""


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
    rows = np.concatenate(parts)
    if label_column is None or labels == "none":
        return Raw(rows, columns=columns)
    return Raw(rows, _to_labels(classes), columns=columns, label_column=label_column)


def _numbered(lines: Reader, width: int, path: Path) -> Iterator[tuple[int, list[str]]]:
    for row in lines:
        if row:
            found = f"{len(row)} values, expected {width} as in the header"
            require(len(row) == width, f"{path}: line {lines.line_num} has {found}")
            yield lines.line_num, row


def _to_numbers(cells: list[list[str]], lines: list[int], columns: Sequence[str], path: Path) -> np.ndarray:
    short = max((len(cell) for row in cells for cell in row), default=0) <= LONGEST_NUMBER
    for dtype in (np.int64, np.float64) if short else ():
        try:
            return np.array(cells).astype(dtype)
        except (ValueError, OverflowError):
            continue
    for line, row in zip(lines, cells, strict=True):
        for column, cell in zip(columns, row, strict=True):
            if not _is_number(cell) or len(cell) > LONGEST_NUMBER:
                place = f"{path}: line {line}, column {column!r}"
                require(bool(cell.strip()), f"{place} is empty; fill it in, or remove the line")
                raise UserError(f"{place} holds {cell[:40]!r}; give a number, or {_name_labels(column)}")
    raise UserError(f"{path}: a number in lines {lines[0]} to {lines[-1]} cannot be read")


def _name_labels(column: str) -> str:
    return f"if these are the labels, --set {shlex.quote(f'data.labels={column}')}"


def _to_labels(classes: list[str]) -> np.ndarray:
    try:
        return np.fromiter(map(int, classes), np.int64, len(classes))
    except (ValueError, OverflowError):
        return np.array(classes, object)


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
        import pyarrow.parquet as pq
        from pyarrow import types
    except ImportError:
        raise UserError(f"{path}: Parquet needs pyarrow, not installed; run: pip install pyarrow") from None
    with reading(path, "a Parquet file"), pq.ParquetFile(path) as file:
        names = file.schema_arrow.names
    require(len(set(names)) == len(names), f"{path}: two columns have one name; give each its own")
    label_column = _find_label_column(names, labels, path)
    columns = tuple(name for name in names if name != label_column)
    require(bool(columns), f"{path}: no column but the labels; give at least one column of numbers")
    # Of a dictionary, a text that many rows share stays one text.
    texts = [] if label_column is None else [label_column]
    with reading(path, "a Parquet file"), pq.ParquetFile(path, read_dictionary=texts) as file:
        for name, kind in zip(names, file.schema_arrow.types, strict=True):
            real = types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)
            found = f"{path}: column {name!r} holds {kind}, not numbers"
            known = real or (name == label_column and types.is_dictionary(kind))
            require(known, f"{found} or text" if name in texts else f"{found}; {_name_labels(name)}")
        check_unpacked(path, file.metadata.num_rows * len(names) * 8)
        table = file.read()
        for name, column in zip(names, table.columns, strict=True):
            missing = column.null_count
            require(missing == 0, f"{path}: column {name!r} has {missing} missing values; fill them in")
        rows = np.column_stack([table.column(name).to_numpy() for name in columns])
        if label_column is None or labels == "none":
            return Raw(rows, columns=columns)
        found = table.column(label_column).to_numpy()
        return Raw(rows, found, columns=columns, label_column=label_column)
