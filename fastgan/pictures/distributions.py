"""Rows of numbers or tokens: how the generated ones are spread against the real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fastgan.data.dataset import DataSpec
from fastgan.pictures.canvas import GENERATED, INK, REAL, REAL_PALE, legend, new_figure, save, style, thinned

MOST_POINTS = 4000
MOST_ROWS = 50_000
MOST_MARGINALS = 16
SEQUENCES_SHOWN = 24


def scatter(samples: np.ndarray, real: np.ndarray, path: str | Path) -> None:
    """Draw points (n, 2) over real ones (m, 2), at most 4,000 of each; the frame is that of the real ones.

    Real points are wide and pale, generated ones small and on top, so that both show where they meet.
    """
    samples, real = thinned(samples, MOST_POINTS), thinned(real, MOST_POINTS)
    figure = new_figure(5.6, 5.6)
    axes = figure.add_subplot()
    style(axes)
    low, high = real.min(axis=0).astype(np.float64), real.max(axis=0).astype(np.float64)
    centre = (low + high) / 2
    reach = 0.65 * ((high - low).max() or np.abs(centre).max() or 1.0)
    axes.scatter(real[:, 0], real[:, 1], s=30, color=REAL_PALE, alpha=0.5, linewidths=0, label="real")
    axes.scatter(
        samples[:, 0], samples[:, 1], s=3, color=GENERATED, alpha=0.8, linewidths=0, label="generated"
    )
    axes.set(xlim=(centre[0] - reach, centre[0] + reach), ylim=(centre[1] - reach, centre[1] + reach))
    axes.set_aspect("equal")
    legend(figure, axes)
    save(figure, path)


def marginals(samples: np.ndarray, real: np.ndarray, spec: DataSpec, path: str | Path) -> None:
    """Draw a histogram of each column, at most 16: real filled, generated as a line.

    The frame is the range of the real values; generated ones beyond it are counted in the outermost bins.
    """
    real = thinned(real, MOST_ROWS)
    shown = min(spec.width, MOST_MARGINALS)
    names = spec.columns or tuple(f"column {i}" for i in range(spec.width))
    down = -(-shown // 4)
    across = -(-shown // down)
    figure = new_figure(max(4.0, 2.5 * across), 1.9 * down + 0.5)
    for i, axes in enumerate(np.ravel(figure.subplots(down, across, squeeze=False))):
        if i >= shown:
            axes.set_axis_off()
            continue
        style(axes)
        column = real[:, i].astype(np.float64)
        edges = _bins(column)
        for values, kind, colour, name in (
            (column, "stepfilled", REAL, "real"),
            (samples[:, i].astype(np.float64), "step", GENERATED, "generated"),
        ):
            clipped = np.clip(values, edges[0], edges[-1])
            weights = np.full(len(clipped), 1 / max(1, len(clipped)))
            alpha = 0.4 if kind == "stepfilled" else 1.0
            axes.hist(
                clipped, edges, weights=weights, histtype=kind, color=colour, alpha=alpha, lw=1.4, label=name
            )
        axes.set_title(names[i], size=9, color=INK, pad=3)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.locator_params(axis="x", nbins=4)
    more = f"the first {shown} of {spec.width} columns" if spec.width > shown else ""
    legend(figure, figure.axes[0], more)
    save(figure, path)


def _bins(values: np.ndarray) -> np.ndarray:
    """Edges of a histogram: one bin a value where there are few whole ones, else 32."""
    different = np.unique(values)
    if len(different) <= 32 and (different == np.rint(different)).all():
        return (
            np.arange(different[0], different[-1] + 2) - 0.5 if np.ptp(different) <= 64 else _even(different)
        )
    return _even(different)


def _even(different: np.ndarray) -> np.ndarray:
    low, high = different[0], different[-1]
    return np.linspace(low, high, 33) if high > low else np.array([low - 0.5, low + 0.5])


def tokens(samples: np.ndarray, real: np.ndarray, spec: DataSpec, path: str | Path) -> None:
    """Draw how often one token follows another, and some sequences in colours, real beside generated.

    A transition that never happens in real sequences is a hole in the left map; a collapsed generator shows
    as rows all alike below.
    """
    from matplotlib.colors import PowerNorm

    real = thinned(real, MOST_ROWS)
    maps = [_transitions(rows, spec.vocabulary) for rows in (real, samples)]
    norm = PowerNorm(0.5, vmin=0, vmax=max(np.max(each) for each in maps) or 1)
    figure = new_figure(8.4, 6.6)
    axes = figure.subplots(2, 2, height_ratios=(3, 2))
    sides = (("real", real, REAL, "Blues"), ("generated", samples, GENERATED, "Oranges"))
    for i, (name, rows, colour, colours) in enumerate(sides):
        top, bottom = axes[0, i], axes[1, i]
        top.imshow(maps[i], cmap=colours, norm=norm, interpolation="nearest")
        top.set_title(name, size=11, color=colour, weight="bold")
        top.set_xlabel("next token")
        top.set_ylabel("token")
        strips = "tab20" if spec.vocabulary <= 20 else "turbo"
        bottom.imshow(
            rows[:SEQUENCES_SHOWN],
            cmap=strips,
            vmin=0,
            vmax=spec.vocabulary - 1,
            aspect="auto",
            interpolation="nearest",
        )
        bottom.set_xlabel("position")
        bottom.set_ylabel("sequence")
        for each in (top, bottom):
            style(each, frame=True)
            each.locator_params(integer=True, nbins=8)
    save(figure, path)


def _transitions(rows: np.ndarray, vocabulary: int) -> np.ndarray:
    """Share (vocabulary, vocabulary) of each pair of neighbouring tokens."""
    pairs = rows[:, :-1].astype(np.int64) * vocabulary + rows[:, 1:]
    counts = np.bincount(pairs.ravel(), minlength=vocabulary**2).reshape(vocabulary, vocabulary)
    return counts / max(1, counts.sum())
