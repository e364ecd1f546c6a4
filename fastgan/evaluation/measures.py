"""The shape of a result: every measure of the generated rows stands beside the same measure of real rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from fastgan.data.dataset import require

Measures = Mapping[str, float | None]
"""What one set of rows scored; None where a measure does not exist for it."""

Result = dict[str, dict[str, float | None]]
"""Measure -> who was measured (``generated``, ``real`` ...) -> value. Plain floats: JSON as it stands."""


def check_rows(**rows: np.ndarray) -> None:
    """Raise `UserError` unless each keyword's rows are (n, width) finite numbers, n at least 2, all of one width."""
    for who, each in rows.items():
        fits = each.ndim == 2 and each.shape[0] > 1 and each.shape[1] > 0
        require(fits, f"{who} rows have shape {each.shape}; expected (n, width), n at least 2")
        require(each.dtype.kind in "biuf", f"{who} rows are {each.dtype}; expected real numbers")
        require(bool(np.isfinite(each).all()), f"{who} rows hold NaN or infinity; leave such rows out")
    widths = {who: each.shape[1] for who, each in rows.items()}
    found = ", ".join(f"{width} of {who} rows" for who, width in widths.items())
    require(
        len(set(widths.values())) == 1, f"rows are of different widths ({found}); give them the same columns"
    )


def side_by_side(measure: Callable[[np.ndarray], Measures], **rows: np.ndarray) -> Result:
    """Apply `measure` to every keyword's rows and gather the values under those names."""
    result: Result = {}
    for who, sample in rows.items():
        add_measures(result, who, measure(sample))
    return result


def add_measures(result: Result, who: str, measures: Measures) -> None:
    """Add to `result` a column called `who`."""
    for name, value in measures.items():
        result.setdefault(name, {})[who] = None if value is None else float(value)


def draw_rows(array: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return `count` different rows of `array` (all, shuffled, where it has fewer)."""
    return np.asarray(array[rng.choice(len(array), min(count, len(array)), replace=False)])
