"""The sheet every picture is drawn on, its colours, and how it reaches the disk."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fastgan.atomic import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

REAL, REAL_PALE, GENERATED, INK, FAINT = "#3b6ea5", "#7fb2e5", "#e0701a", "#333333", "#b8b8b8"
DPI = 150


def thinned(rows: np.ndarray, most: int) -> np.ndarray:
    """At most `most` rows, evenly spaced."""
    return np.asarray(rows[:: max(1, -(-len(rows) // most))])


def new_figure(width: float, height: float) -> Figure:
    """Return a figure of so many inches that no window and no global state knows of."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def style(axes: Axes, frame: bool = False) -> None:
    """Small quiet ticks, and lines at the left and below only, or all around."""
    axes.tick_params(labelsize=8, colors=INK, length=3, color=FAINT)
    axes.xaxis.label.set(size=9, color=INK)
    axes.yaxis.label.set(size=9, color=INK)
    for side, spine in axes.spines.items():
        spine.set_color(FAINT)
        spine.set_visible(frame or side in ("left", "bottom"))


def legend(figure: Figure, axes: Axes, title: str = "") -> None:
    """One legend above everything."""
    handles, names = axes.get_legend_handles_labels()
    legend = figure.legend(
        handles,
        names,
        loc="outside upper center",
        ncols=2,
        frameon=False,
        fontsize=9,
        labelcolor=INK,
        title=title,
    )
    legend.get_title().set(size=9, color=INK)


def save(figure: Figure, path: str | Path, dpi: int = DPI) -> None:
    """Write a PNG that is whole or not there.

    It holds no date and no version, so that the same data gives the same bytes.
    """
    picture = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # a letter that the font lacks is drawn as a box
        figure.savefig(picture, format="png", dpi=dpi, metadata={"Software": None})
    write_atomically(path, picture.getvalue())
