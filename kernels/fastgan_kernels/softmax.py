"""Softmax over groups of columns: a generator's output for tokens, one group a position."""

from __future__ import annotations

import numpy as np

from .dispatch import compiled, op
from .elementary import exp


@op
def grouped_softmax(y: np.ndarray, group: int) -> None:
    """Softmax of each run of `group` columns, in place: ``y_k = e^(y_k) / sum_j e^(y_j)``.

    Parameters
    ----------
    y : (rows, groups * group) float32, logits in, probabilities out
    group : columns in a group
    """
    parts = y.reshape(-1, group)
    parts -= parts.max(axis=1, keepdims=True)
    np.exp(parts, out=parts)
    parts /= parts.sum(axis=1, keepdims=True)


@compiled(grouped_softmax)
def _grouped_softmax_cpu(y, group):
    parts = y.reshape((-1, group))
    for i in range(parts.shape[0]):
        part = parts[i]
        highest = part[0]
        for k in range(part.size):
            highest = max(highest, part[k])
        total = y.dtype.type(0)
        for k in range(part.size):
            part[k] = exp(part[k] - highest)
            total += part[k]
        for k in range(part.size):
            part[k] /= total


@op
def grouped_softmax_backward(y: np.ndarray, dy: np.ndarray, group: int) -> None:
    """Gradient at the logits of `grouped_softmax`, in place: ``dy_k = y_k (dy_k - sum_j dy_j y_j)``.

    Parameters
    ----------
    y : (rows, groups * group) float32, the probabilities
    dy : same shape, gradient at the probabilities in, at the logits out
    group : columns in a group
    """
    parts, deltas = y.reshape(-1, group), dy.reshape(-1, group)
    deltas -= np.sum(deltas * parts, axis=1, keepdims=True)
    deltas *= parts


@compiled(grouped_softmax_backward)
def _grouped_softmax_backward_cpu(y, dy, group):
    parts, deltas = y.reshape((-1, group)), dy.reshape((-1, group))
    for i in range(parts.shape[0]):
        part, delta = parts[i], deltas[i]
        mean = y.dtype.type(0)
        for k in range(part.size):
            mean += part[k] * delta[k]
        for k in range(part.size):
            delta[k] = part[k] * (delta[k] - mean)
