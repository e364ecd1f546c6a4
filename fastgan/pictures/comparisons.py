"""Generated rows beside real ones, for a person to judge: the pictures of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fastgan.data.dataset import DataSpec
from fastgan.pictures.canvas import (
    FAINT,
    GENERATED,
    INK,
    REAL,
    REAL_PALE,
    legend,
    new_figure,
    save,
    style,
    thinned,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_POINTS = 5000
MOST_COLUMNS = 16
SIDES = (("real", REAL), ("generated", GENERATED))


def pair_of_scatters(samples: np.ndarray, real: np.ndarray, path: str | Path) -> None:
    """Draw real points (m, 2) and generated ones (n, 2) beside each other, in the frame of the real ones."""
    figure = new_figure(8.4, 4.4)
    for axes, rows, (name, colour) in zip(figure.subplots(1, 2), (real, samples), SIDES, strict=True):
        _points(axes, rows, real, name, colour)
    save(figure, path)


def modes(
    samples: np.ndarray,
    real: np.ndarray,
    centres: np.ndarray,
    std: float,
    nearest: np.ndarray,
    good: np.ndarray,
    path: str | Path,
) -> None:
    """Draw points of a mixture of Gaussians, what each mode got of them, and where in the modes they lie.

    Parameters
    ----------
    samples, real : (n, 2) and (m, 2)
    centres, std : (k, 2) and the standard deviation of the modes
    nearest, good : (n,), the nearest mode of each sample, and whether it is within 3 standard deviations of it
    """
    figure = new_figure(8.4, 8.0)
    (left, right), (bars, inside) = figure.subplots(2, 2)
    _points(left, real, real, *SIDES[0])
    counts = np.bincount(nearest[good], minlength=len(centres))
    found = f"generated: {np.count_nonzero(counts)} of {len(centres)} modes, {good.mean():.1%} good"
    _points(right, samples, real, found, GENERATED)
    lost = centres[counts == 0]
    right.scatter(lost[:, 0], lost[:, 1], s=90, facecolors="none", edgecolors=INK, label="no good sample")
    if len(lost):
        right.legend(loc="upper right", fontsize=8, labelcolor=INK, frameon=False)

    style(bars)
    bars.bar(np.arange(len(centres)), counts / max(1, len(samples)), color=GENERATED, width=0.8)
    bars.axhline(1 / len(centres), color=REAL, lw=1.5, label="real")
    bars.set(xlabel="mode", ylabel="share of samples, good ones")
    bars.legend(loc="upper right", fontsize=8, labelcolor=INK, frameon=False)
    bars.locator_params(axis="x", integer=True)
    bars.margins(y=0.2)

    style(inside, frame=True)
    offsets = thinned((samples - centres[nearest]) / std, MOST_POINTS)
    inside.scatter(offsets[:, 0], offsets[:, 1], s=4, color=GENERATED, alpha=0.5, linewidths=0)
    turn = np.linspace(0, 2 * np.pi, 200)
    inside.plot(3 * np.cos(turn), 3 * np.sin(turn), color=REAL, lw=1.5)
    inside.set(
        xlim=(-6, 6), ylim=(-6, 6), aspect="equal", xlabel="from the nearest centre, in standard deviations"
    )
    save(figure, path)


def cumulative(samples: np.ndarray, real: np.ndarray, spec: DataSpec, path: str | Path) -> None:
    """Draw each column's cumulative distribution, at most 16, and the widest gap between real and generated."""
    shown = min(spec.width, MOST_COLUMNS)
    down = -(-shown // 4)
    across = -(-shown // down)
    figure = new_figure(max(4.2, 2.6 * across), 2.1 * down + 0.5)
    names = spec.columns or tuple(f"column {i}" for i in range(spec.width))
    for i, axes in enumerate(np.ravel(figure.subplots(down, across, squeeze=False))):
        if i < shown:
            _cumulative(
                axes, np.sort(real[:, i].astype(np.float64)), np.sort(samples[:, i].astype(np.float64))
            )
            axes.set_title(names[i], size=9, color=INK, pad=3)
        else:
            axes.set_axis_off()
    more = f"the first {shown} of {spec.width} columns" if spec.width > shown else ""
    legend(figure, figure.axes[0], more)
    save(figure, path)


def _cumulative(axes: Axes, real: np.ndarray, samples: np.ndarray) -> None:
    style(axes)
    every = np.concatenate([real, samples])
    below = [np.searchsorted(each, every, side="right") / len(each) for each in (real, samples)]
    widest = int(np.abs(below[0] - below[1]).argmax())
    axes.vlines(every[widest], below[0][widest], below[1][widest], color=INK, lw=1.2)
    space = 0.05 * (real[-1] - real[0]) or 0.5
    low, high = real[0] - space, real[-1] + space
    for values, name, colour, width in (
        (real, "real", REAL_PALE, 3.0),
        (samples, "generated", GENERATED, 1.2),
    ):
        places = np.concatenate([[min(low, values[0])], values, [max(high, values[-1])]])
        heights = np.concatenate([np.arange(len(values) + 1) / len(values), [1]])
        axes.step(places, heights, where="post", color=colour, lw=width, label=name)
    gap = abs(below[0][widest] - below[1][widest])
    axes.text(0.97, 0.08, f"KS {gap:.3f}", transform=axes.transAxes, ha="right", size=8, color=INK)
    axes.set(xlim=(low, high), ylim=(-0.03, 1.03))
    axes.locator_params(axis="x", nbins=4)
    axes.set_yticks([0, 0.5, 1])


def paired_bars(panels: Mapping[str, tuple[list[str], np.ndarray, np.ndarray]], path: str | Path) -> None:
    """Draw, under each title, bars of real and generated shares side by side.

    Parameters
    ----------
    panels : title -> names (k,), and the shares (k,) among real and among generated rows
    """
    figure = new_figure(2.9 * len(panels), 4.8)
    for axes, (title, (names, *shares)) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
    ):
        style(axes)
        for values, (name, colour), place in zip(shares, SIDES, (-0.2, 0.2), strict=True):
            axes.barh(np.arange(len(names)) + place, values, height=0.38, color=colour, label=name)
        axes.set_yticks(np.arange(len(names)), names)
        axes.invert_yaxis()
        axes.set_title(title, size=10, color=INK)
        axes.set_xlabel("share")
        axes.locator_params(axis="x", nbins=4)
    legend(figure, figure.axes[0])
    save(figure, path)


def randomness(
    samples: np.ndarray, real: np.ndarray, ones: np.ndarray, spread: float, path: str | Path
) -> None:
    """Draw pairs of neighbouring numbers, real and generated, and the share of ones at each bit of a row.

    Parameters
    ----------
    samples, real : (n, width) and (m, width) numbers
    ones : (width, bits) share of ones, the highest bit of a number first
    spread : standard deviation that the shares of random bits have
    """
    figure = new_figure(8.4, 6.8)
    grid = figure.add_gridspec(2, 2, height_ratios=(3, 2))
    frame = np.array([[real.min()] * 2, [real.max()] * 2])
    for i, (rows, (name, colour)) in enumerate(zip((real, samples), SIDES, strict=True)):
        axes = figure.add_subplot(grid[0, i])
        pairs = (
            rows[:, : rows.shape[1] // 2 * 2].reshape(-1, 2)
            if rows.shape[1] > 1
            else np.column_stack([rows[:-1], rows[1:]])
        )
        _points(axes, pairs, frame, name, colour)
        axes.set(xlabel="a number", ylabel="the next one")
    axes = figure.add_subplot(grid[1, :])
    style(axes)
    width, bits = ones.shape
    axes.axhspan(
        0.5 - 3 * spread,
        0.5 + 3 * spread,
        color=REAL_PALE,
        alpha=0.5,
        lw=0,
        label="random, 3 standard deviations",
    )
    axes.scatter(np.arange(ones.size), ones.ravel(), s=9, color=GENERATED, linewidths=0, label="generated")
    for number in range(1, width):
        axes.axvline(number * bits - 0.5, color=FAINT, lw=0.6)
    reach = max(6 * spread, 1.15 * np.abs(ones - 0.5).max())
    axes.set(
        xlim=(-1, ones.size), ylim=(0.5 - reach, 0.5 + reach), xlabel="bit of a row", ylabel="share of ones"
    )
    axes.legend(loc="upper right", ncols=2, fontsize=8, labelcolor=INK, frameon=False)
    save(figure, path)


def _points(axes: Axes, rows: np.ndarray, framed: np.ndarray, title: str, colour: str) -> None:
    """Scatter rows (n, 2) in the frame of others."""
    style(axes, frame=True)
    low, high = framed.min(axis=0).astype(np.float64), framed.max(axis=0).astype(np.float64)
    centre, reach = (low + high) / 2, 0.6 * ((high - low).max() or 1.0)
    rows = thinned(rows, MOST_POINTS)
    axes.scatter(rows[:, 0], rows[:, 1], s=4, color=colour, alpha=0.5, linewidths=0)
    axes.set(xlim=(centre[0] - reach, centre[0] + reach), ylim=(centre[1] - reach, centre[1] + reach))
    axes.set_aspect("equal")
    axes.set_title(title, size=10, color=colour)
