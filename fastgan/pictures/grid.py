"""Images side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fastgan.data.dataset import DataSpec
from fastgan.pictures.canvas import INK, new_figure, save

CELL = 60
"""Pixels of the picture that an image is about as large as; a small image has larger pixels."""


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
    cells = [(i // columns, i % columns, i) for i in range(len(samples))]
    names: Sequence[str] = ()
    if labels is not None and len(labels) and spec.n_classes:
        names = spec.class_names or tuple(map(str, range(spec.n_classes)))
        members = [np.flatnonzero(labels == k)[:columns] for k in range(spec.n_classes)]
        cells = [(row, column, i) for row, group in enumerate(members) for column, i in enumerate(group)]
    rows = len(names) or max(row for row, _, _ in cells) + 1

    height, width = spec.image_shape[:2]
    zoom = max(1, round(CELL / max(height, width)))
    gap = max(4, zoom)
    canvas = np.ones((rows * (height * zoom + gap) + gap, columns * (width * zoom + gap) + gap, 3))
    for row, column, i in cells:
        top, left = gap + row * (height * zoom + gap), gap + column * (width * zoom + gap)
        pixels = np.kron(_colours(samples[i], spec), np.ones((zoom, zoom, 1)))
        canvas[top : top + height * zoom, left : left + width * zoom] = pixels

    # One canvas pixel is one pixel of the picture, so that nothing is interpolated.
    margin = 10 * max(map(len, names)) + 14 if names else 0
    figure_width, figure_height = canvas.shape[1] + margin, canvas.shape[0]
    figure = new_figure(figure_width / 100, figure_height / 100)
    figure.figimage(canvas, xo=margin, yo=0)
    for row, name in enumerate(names):
        middle = gap + row * (height * zoom + gap) + height * zoom / 2
        figure.text(
            (margin - 8) / figure_width,
            1 - middle / figure_height,
            name,
            ha="right",
            va="center",
            size=11,
            color=INK,
        )
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
