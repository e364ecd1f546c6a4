"""Images side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fastgan.data.dataset import DataSpec
from fastgan.pictures.canvas import GENERATED, INK, REAL, new_figure, save

CELL = 60
"""Pixels of the picture that an image is about as large as; a small image has larger pixels."""

HEADER = 22
"""Pixels above pairs of images that hold their names."""


def sample_grid(
    samples: np.ndarray,
    spec: DataSpec,
    path: str | Path,
    labels: np.ndarray | None = None,
    columns: int = 10,
) -> None:
    """Draw images, `columns` in a row; with `labels` (n,), a row is a class with its name at the left.

    Grey images are drawn in reverse, ink dark on white. Images beyond `columns` of a class are left out.
    """
    cells, names = _places(len(samples), spec, labels, columns)
    _draw(samples, cells, names, columns, spec, path)


def image_pairs(
    samples: np.ndarray,
    nearest: np.ndarray,
    spec: DataSpec,
    path: str | Path,
    labels: np.ndarray | None = None,
    columns: int = 5,
) -> None:
    """Draw images (n, width) with real ones (n, width) beside each; otherwise as `sample_grid`.

    Images that look like the ones beside them were learnt by heart.
    """
    cells, names = _places(len(samples), spec, labels, columns)
    pairs = [(row, 2 * column + side, 2 * i + side) for row, column, i in cells for side in (0, 1)]
    images = np.stack([samples, nearest.astype(samples.dtype)], axis=1).reshape(2 * len(samples), -1)
    _draw(images, pairs, names, 2 * columns, spec, path, paired=True)


def _places(
    count: int, spec: DataSpec, labels: np.ndarray | None, columns: int
) -> tuple[list[tuple[int, int, int]], Sequence[str]]:
    """Row, column and number of each image, and the names of the rows, if they have some."""
    if labels is None or not len(labels) or not spec.n_classes:
        return [(i // columns, i % columns, i) for i in range(count)], ()
    members = [np.flatnonzero(labels == k)[:columns] for k in range(spec.n_classes)]
    cells = [(row, column, i) for row, group in enumerate(members) for column, i in enumerate(group)]
    return cells, spec.class_names or tuple(map(str, range(spec.n_classes)))


def _draw(
    images: np.ndarray,
    cells: list[tuple[int, int, int]],
    names: Sequence[str],
    columns: int,
    spec: DataSpec,
    path: str | Path,
    paired: bool = False,
) -> None:
    rows = len(names) or max(row for row, _, _ in cells) + 1
    height, width = spec.image_shape[:2]
    zoom = max(1, round(CELL / max(height, width)))
    gap = max(4, zoom)
    lefts = gap + np.arange(columns) * (width * zoom + gap)
    if paired:
        lefts += np.arange(columns) // 2 * 2 * gap
    header = HEADER if paired else 0
    canvas = np.ones((header + rows * (height * zoom + gap) + gap, lefts[-1] + width * zoom + gap, 3))
    for row, column, i in cells:
        top, left = header + gap + row * (height * zoom + gap), lefts[column]
        pixels = np.kron(_colours(images[i], spec), np.ones((zoom, zoom, 1)))
        canvas[top : top + height * zoom, left : left + width * zoom] = pixels

    # One canvas pixel is one pixel of the picture, so that nothing is interpolated.
    margin = 10 * max(map(len, names)) + 14 if names else 0
    figure_width, figure_height = canvas.shape[1] + margin, canvas.shape[0]
    figure = new_figure(figure_width / 100, figure_height / 100)
    figure.figimage(canvas, xo=margin, yo=0)

    def write(text: str, x: float, y: float, **how: Any) -> None:
        figure.text(x / figure_width, 1 - y / figure_height, text, va="center", **how)

    for row, name in enumerate(names):
        middle = header + gap + row * (height * zoom + gap) + height * zoom / 2
        write(name, margin - 8, middle, ha="right", size=11, color=INK)
    for column in range(columns if paired else 0):
        text, colour = (("generated", GENERATED), ("nearest real", REAL))[column % 2]
        write(text, margin + lefts[column] + width * zoom / 2, header / 2, ha="center", size=7, color=colour)
    save(figure, path, dpi=100)


def _colours(row: np.ndarray, spec: DataSpec) -> np.ndarray:
    """Return one image as (height, width, 3) in [0, 1]."""
    limits = np.iinfo(spec.dtype) if np.dtype(spec.dtype).kind in "iu" else None
    low = spec.low if spec.low is not None else limits.min if limits else float(np.nanmin(row))
    high = spec.high if spec.high is not None else limits.max if limits else float(np.nanmax(row))
    image = np.clip(
        (np.nan_to_num(row.astype(np.float64)).reshape(spec.image_shape) - low) / ((high - low) or 1), 0, 1
    )
    return image if image.ndim == 3 else np.repeat(1 - image[:, :, None], 3, axis=2)
