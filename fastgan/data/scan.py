"""Looking through rows a block at a time, so that a memory map larger than memory can be checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from fastgan.errors import UserError

BLOCK_BYTES = 4 << 20
FLOAT32_MAX = float(np.finfo(np.float32).max)


def blocks(rows: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Give (first row's number, rows of about `BLOCK_BYTES`) until all of (rows, width) was seen."""
    step = max(1, BLOCK_BYTES // (rows.shape[1] * rows.itemsize))
    for start in range(0, len(rows), step):
        yield start, np.asarray(rows[start : start + step])


def column_ranges(rows: np.ndarray, name: str, columns: Sequence[str] = ()) -> tuple[np.ndarray, np.ndarray]:
    """Return each column's least and greatest value, two (width,) float64.

    Raises
    ------
    UserError
        For NaN, infinity, or a value that float32 cannot hold; says where the first one is.
    """
    low = np.full(rows.shape[1], np.inf)
    high = np.full(rows.shape[1], -np.inf)
    with np.errstate(invalid="ignore"):  # a NaN goes through both, to be found below
        for _, block in blocks(rows):
            np.minimum(low, block.min(axis=0), out=low)
            np.maximum(high, block.max(axis=0), out=high)
    if not (np.all(low >= -FLOAT32_MAX) and np.all(high <= FLOAT32_MAX)):
        advice = "remove or replace such rows"
        check_range(
            rows, -FLOAT32_MAX, FLOAT32_MAX, f"{name}:", f"expected finite float32 numbers; {advice}", columns
        )
    return low, high


def check_range(
    rows: np.ndarray, low: float, high: float, what: str, expected: str, columns: Sequence[str] = ()
) -> None:
    """Refuse rows with a value that is not within [low, high] (NaN never is), naming the first place."""
    for start, block in blocks(rows):
        with np.errstate(invalid="ignore"):  # some NaN are also signals
            values = (
                block.astype(np.float64) if block.dtype.kind == "f" else block
            )  # float16 has narrow limits
            outside = ~((values >= low) & (values <= high))
        if outside.any():
            row, column = np.argwhere(outside)[0]
            place = f"row {start + row}, column {columns[column] if columns else column} (counted from 0)"
            raise UserError(f"{what} {block[row, column]} in {place}, {expected}")


def column_moments(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each column's mean and variance, two (width,) float64, merging blocks as Chan et al. (1979)."""
    count = 0
    mean = np.zeros(rows.shape[1])
    squares = np.zeros(rows.shape[1])
    for _, block in blocks(rows):
        block_mean = block.mean(axis=0, dtype=np.float64)
        offset = block_mean - mean
        total = count + len(block)
        squares += block.var(axis=0, dtype=np.float64) * len(block) + offset**2 * (count * len(block) / total)
        mean += offset * (len(block) / total)
        count = total
    return mean, squares / count
