"""Rows, samplers and chains that more than one of these tests uses."""

from __future__ import annotations

import numpy as np

from fastgan.data.dataset import Dataset, DataSpec

INITIAL = np.array([0.5, 0.5, 0.0])
TRANSITION = np.array([[0.0, 0.25, 0.75], [1.0, 0.0, 0.0], [0.5, 0.5, 0.0]])


def table(rows, kind="table", labels=None, **fields):
    """A `Dataset` of these rows, whose network units are its own."""
    width = rows.shape[1]
    ones, zeros = np.ones(width, np.float32), np.zeros(width, np.float32)
    labels = np.empty(0, np.int64) if labels is None else labels
    return Dataset(rows, labels, DataSpec(kind, width, str(rows.dtype), ones, zeros, **fields))


def giving(rows):
    """A sampler that gives these rows, over and over, whatever it is asked for."""
    return lambda count, labels, seed: rows[np.arange(count) % len(rows)]
