"""The shape of a result: every measure of the generated rows stands beside the same measure of real rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

Measures = Mapping[str, float | None]
"""What one set of rows scored; None where a measure does not exist for it."""

Result = dict[str, dict[str, float | None]]
"""Measure -> who was measured (``generated``, ``real`` ...) -> value. Plain floats: JSON as it stands."""


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
