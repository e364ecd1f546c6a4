"""The straight line between data units and network units."""

from __future__ import annotations

import numpy as np

from fastgan.data.dataset import Kind
from fastgan.data.scan import column_moments

SCALINGS = ("auto", "minmax", "standard", "none")


def choose_scaling(
    method: str, kind: Kind, rows: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return (scale, shift, bounded) of ``u = x * scale + shift``.

    Parameters
    ----------
    method : one of `SCALINGS`; "auto" is "standard" for points, "none" for tokens, "minmax" for all else
    kind : the pixels of an image share one line; other columns have one each
    rows : (rows, width), only read by "standard"
    low, high : (width,) float64, each column's range

    Returns
    -------
    scale, shift : (width,) float32; a constant column becomes 0
    bounded : all of u lies in [-1, 1]
    """
    width = len(low)
    if method == "auto":
        method = {"points": "standard", "tokens": "none"}.get(kind, "minmax")
    if method == "none" or kind == "tokens":
        within = kind != "tokens" and low.min() >= -1 and high.max() <= 1
        return np.ones(width, np.float32), np.zeros(width, np.float32), bool(within)
    if method == "minmax":
        if kind == "image":
            low, high = np.full(width, low.min()), np.full(width, high.max())
        centre, spread = (low + high) / 2, (high - low) / 2
    else:
        centre, variance = column_moments(rows)
        if kind == "image":
            variance = np.full(width, variance.mean() + centre.var())
            centre = np.full(width, centre.mean())
        spread = np.sqrt(variance)
    # float32 cannot tell the values of such a column apart
    constant = spread <= np.maximum(np.abs(centre) * 2.0**-24, np.finfo(np.float32).tiny)
    scale = 1 / np.where(constant, 1.0, spread)
    return scale.astype(np.float32), (-centre * scale).astype(np.float32), method == "minmax"
