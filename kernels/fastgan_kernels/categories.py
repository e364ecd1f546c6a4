"""Categories as latent numbers: one-hot vectors, drawn side by side."""

from __future__ import annotations

import math

import numpy as np

from .dispatch import compiled, op
from .philox import uniform


@op
def one_hot_draws(out: np.ndarray, categories: int, key: np.ndarray, step: np.ndarray, stream: int) -> None:
    """Draw one of some categories, each as likely, for every group of so many columns: one-hot, but of length sqrt(k).

    So the k numbers of a group have a mean square of 1, as normal ones have. Its category is floor(u k), with the u of
    the groups, row by row, those of `philox.uniform`: a category comes too often or too rarely by some k / 2^24.

    Parameters
    ----------
    out : (rows, groups * categories) float32, C-contiguous, written
    categories : k, at least 1
    key, step, stream : as `philox.uniform`
    """
    units = np.empty(out.size // categories, np.float32)
    uniform(units, key, step, stream)
    drawn = (units * np.float32(categories)).astype(np.int64)
    out[...] = 0
    out.reshape(-1, categories)[np.arange(len(drawn)), drawn] = math.sqrt(categories)


@compiled(one_hot_draws)
def _one_hot_draws_cpu(out, categories, key, step, stream):
    flat, value = out.reshape(-1), np.float32(math.sqrt(categories))
    groups = flat.size // categories
    uniform(flat[:groups], key, step, stream)  # in place, so that one thread alone may draw into `out`
    for group in range(groups - 1, -1, -1):  # from the last one, in whose columns no other's u lies
        drawn = np.int64(flat[group] * np.float32(categories))
        vector = flat[group * categories : (group + 1) * categories]
        vector[:] = 0
        vector[drawn] = value
