"""The pictures of a run: samples in the form that suits their kind, and the losses."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fastgan.data.dataset import DataSpec
from fastgan.pictures.distributions import marginals, scatter, tokens
from fastgan.pictures.grid import sample_grid
from fastgan.pictures.losses import curves

__all__ = ["curves", "draw_samples", "marginals", "sample_grid", "scatter", "tokens"]


def draw_samples(
    samples: np.ndarray, labels: np.ndarray | None, spec: DataSpec, real: np.ndarray, path: str | Path
) -> None:
    """Draw samples (n, width) in data units as suits ``spec.kind``, against `real` rows (m, width)."""
    if spec.kind == "image":
        sample_grid(samples, spec, path, labels)
    elif spec.kind == "tokens":
        tokens(samples, real, spec, path)
    elif spec.kind == "points" and spec.width == 2:
        scatter(samples, real, path)
    else:
        marginals(samples, real, spec, path)
