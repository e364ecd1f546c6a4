"""The losses and the discriminator's outputs of a training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fastgan.pictures.canvas import GENERATED, INK, REAL, REAL_PALE, new_figure, save, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BINS = 800
SMOOTHING = 80

PANELS = {
    "loss": (
        ("d_loss_real", "D, real", REAL),
        ("d_loss_fake", "D, fake", REAL_PALE),
        ("g_loss", "G", GENERATED),
    ),
    "class loss": (
        ("d_class_real", "D, real", REAL),
        ("d_class_fake", "D, fake", REAL_PALE),
        ("g_class", "G", GENERATED),
    ),
    "D's output": (("d_real", "D(x)", REAL), ("d_fake", "D(G(z))", GENERATED)),
}
"""Title of a panel: for each curve the statistic, its name in the picture, and its colour."""

PROBABILITIES = ("bce", "minimax")
"""Losses for which D's output is reported as a probability."""

BALANCE: dict[str, dict[str, tuple[float, ...]]] = {
    "bce": {"loss": (np.log(2),), "D's output": (0.5,)},
    "minimax": {"loss": (np.log(2), -np.log(2)), "D's output": (0.5,)},
    "mse": {"loss": (0.25,), "D's output": (0.5,)},
}
"""Where the players are in balance, for the losses that have such a place; G's minimax loss is negative."""


def curves(history: Mapping[str, np.ndarray], path: str | Path, loss: str = "bce") -> None:
    """Draw losses and D's outputs against steps, smoothed, with their spread behind.

    Parameters
    ----------
    history : one array (n,) for each name of `fastgan.state.STATISTICS`; with ``step`` (n,), the step each value was
        made at, else 1 to n
    path : of the picture
    loss : adversarial loss; where both players' balance is known, dashed lines show it
    """
    has_classes = any(np.any(history[name]) for name, _, _ in PANELS["class loss"])
    titles = [title for title in PANELS if has_classes or title != "class loss"]
    steps = np.asarray(history.get("step", np.arange(1, len(history["g_loss"]) + 1)))
    figure = new_figure(8.4, 2.3 * len(titles) + 0.4)
    panels = figure.subplots(len(titles), 1, sharex=True, squeeze=False)[:, 0]
    for axes, title in zip(panels, titles, strict=True):
        style(axes)
        limits = [_curve(axes, steps, history[name], label, colour) for name, label, colour in PANELS[title]]
        guides = BALANCE.get(loss, {}).get(title, ())
        for guide in guides:
            axes.axhline(guide, color=INK, lw=0.9, ls=(0, (4, 4)), zorder=1)
        low, high = min(*(low for low, _ in limits), *guides), max(*(high for _, high in limits), *guides)
        if title == "D's output" and loss in PROBABILITIES:
            low, high = 0.0, 1.0
        space = 0.05 * (high - low) or 0.5
        axes.set_ylim(low - space, high + space)
        axes.set_ylabel(title, size=10, color=INK)
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9, labelcolor=INK)
        axes.margins(x=0)
    figure.align_ylabels()
    panels[-1].set_xlabel("step", size=10, color=INK)
    panels[-1].xaxis.set_major_formatter(lambda step, _: f"{step:,.0f}")
    save(figure, path)


def _curve(axes: Axes, steps: np.ndarray, values: np.ndarray, label: str, colour: str) -> tuple[float, float]:
    """Draw one curve of at most 800 bins; return the limits between which nearly all of it lies."""
    from scipy.ndimage import gaussian_filter1d

    values = np.asarray(values, dtype=np.float64)
    count = max(1, min(BINS, len(values)))
    bins = np.array_split(values, count)
    steps = steps[np.cumsum([len(each) for each in bins]) - 1]
    low, mean, high = (np.array([f(each) for each in bins]) for f in (_low, np.mean, _high))
    finite = np.isfinite(mean)
    smooth = np.where(finite, mean, np.nan)
    if finite.any():
        smooth[finite] = gaussian_filter1d(mean[finite], sigma=max(0.5, count / SMOOTHING), mode="nearest")
    axes.fill_between(steps, low, high, color=colour, alpha=0.22, lw=0.5)
    axes.plot(steps, smooth, color=colour, lw=1.6, label=label)
    if not finite.any():
        return 0.0, 1.0
    return float(np.quantile(low[finite], 0.01)), float(np.quantile(high[finite], 0.99))


def _low(values: np.ndarray) -> float:
    return float(np.quantile(values, 0.05))


def _high(values: np.ndarray) -> float:
    return float(np.quantile(values, 0.95))
