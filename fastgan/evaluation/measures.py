"""The shape of a result: every measure of the generated rows stands beside the same measure of real rows."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from fastgan.data.dataset import Dataset
from fastgan.evaluation.meanings import meanings_of

Measures = Mapping[str, float | None]
"""What one set of rows scored; None where a measure does not exist for it."""

Result = dict[str, dict[str, float | None]]
"""Measure -> who was measured (``generated``, ``real`` ...) -> value. Plain floats: JSON as it stands."""

PAGE_WIDTH = 79


class Sampler(Protocol):
    """Draws rows in data units; with `labels` (count,) int64, row i is asked to be of class labels[i]."""

    def __call__(self, count: int, labels: np.ndarray | None, seed: int, /) -> np.ndarray:
        """Return (count, width); the same seed gives the same rows."""
        ...


def side_by_side(measure: Callable[[np.ndarray], Measures], **rows: np.ndarray) -> Result:
    """Apply `measure` to every keyword's rows and gather the values under those names."""
    result: Result = {}
    for who, sample in rows.items():
        add_measures(result, who, {"samples": len(sample), **measure(sample)})
    return result


def add_measures(result: Result, who: str, measures: Measures) -> None:
    """Add to `result` a column called `who`."""
    for name, value in measures.items():
        result.setdefault(name, {})[who] = None if value is None else float(value)


def draw_rows(array: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return `count` different rows of `array` (all, shuffled, where it has fewer)."""
    return np.asarray(array[rng.choice(len(array), min(count, len(array)), replace=False)])


def real_pair(
    array: np.ndarray, test: np.ndarray | None, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return two disjoint sets of real rows of one size, at most `count`: the reference and the held out.

    The held-out rows come from `test` where there is one, so that the ceiling is that of unseen rows.
    """
    if test is not None:
        count = min(count, len(array), len(test))
        return draw_rows(array, count, rng), draw_rows(test, count, rng)
    rows = draw_rows(array, 2 * count, rng)
    half = len(rows) // 2
    return rows[:half], rows[half : 2 * half]


def labelled_pair(
    dataset: Dataset, test: Dataset | None, rng: np.random.Generator
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return (rows, labels) to train a classifier on, and others to test it on: `test`, or a fifth."""
    if test is not None:
        return (dataset.array, dataset.labels), (test.array, test.labels)
    held_out, kept = np.split(rng.permutation(len(dataset)), [len(dataset) // 5])
    return (dataset.array[kept], dataset.labels[kept]), (dataset.array[held_out], dataset.labels[held_out])


def format_report(result: Result) -> str:
    """Return `result` as an aligned table: a measure a line, a column for each sampler measured.

    Below it stands what these measures mean, dim where stdout is a terminal.
    """
    who = list(dict.fromkeys(name for column in result.values() for name in column))
    lines = [["", *who]]
    for name, column in result.items():
        lines.append([name, *(format_number(column[one]) if one in column else "" for one in who)])
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    table = "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
        for line in lines
    )
    meanings = "\n".join(
        textwrap.fill(f"{measure.rstrip(', *')}: {meaning}", PAGE_WIDTH, subsequent_indent="  ")
        for measure, meaning in meanings_of(result).items()
    )
    return f"{table}\n\n{_dim(meanings)}" if meanings else table


def _dim(text: str) -> str:
    is_dim = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    return f"\x1b[2m{text}\x1b[0m" if is_dim else text


def format_number(value: float | None) -> str:
    """Four digits, whole numbers whole, and a dash for None."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value == round(value) and abs(value) < 1e9 else f"{value:.4g}"
