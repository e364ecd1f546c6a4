"""CUDA kernels of `fastgan_kernels.losses`: a thread a row; where a mean is wanted, one block adds rows up."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cuda, float32

from .. import losses
from ..dispatch import launched
from ..losses import (
    BCE,
    HINGE,
    MSE,
    WASSERSTEIN,
    bce_terms,
    hinge_terms,
    mse_terms,
    softmax_row,
    wasserstein_terms,
)
from .device import TOGETHER, added, launch, launch_over, no_labels

_device = cuda.jit(device=True)


@_device
def _terms(loss, s, target, sign):
    if loss == BCE:
        return bce_terms(s, target, sign)
    if loss == MSE:
        return mse_terms(s, target, sign)
    if loss == WASSERSTEIN:
        return wasserstein_terms(s, target, sign)
    return hinge_terms(s, target, sign)


@cuda.jit
def acgan_head_rows(logits, labels, loss, target, sign, batch, dlogits, losses):
    """`losses.acgan_head_rows`, a thread a row."""
    i = cuda.grid(1)
    if i < logits.shape[0]:
        value, gradient, score = _terms(loss, logits[i, 0], target, sign)
        dlogits[i, 0] = gradient / batch
        losses[0, i], losses[1, i], losses[2, i] = value, score, float32(0)
        if logits.shape[1] > 1:
            losses[2, i] = softmax_row(logits[i, 1:], labels[i], batch, dlogits[i, 1:])


@launched(losses.acgan_head_rows)
def _acgan_head_rows(logits, labels, loss, target, sign, batch, dlogits, losses):
    numbers = np.array([target, sign, batch], np.float32)
    launch_over(acgan_head_rows, len(logits), logits, labels, loss, *numbers, dlogits, losses)


@cuda.jit
def mean_rows(losses, statistics):
    """`losses.mean_rows`, a block a column; added up in float32, pair by pair."""
    column, total = cuda.blockIdx.x, float32(0)
    for i in range(cuda.threadIdx.x, losses.shape[1], TOGETHER):
        total += losses[column, i]
    total = added(total)
    if cuda.threadIdx.x == 0:
        statistics[column] = total / float32(losses.shape[1])


@launched(losses.mean_rows)
def _mean_rows(losses, statistics):
    launch(mean_rows, len(statistics), TOGETHER, losses, statistics)


@cuda.jit
def head(logits, labels, loss, target, sign, classes, dlogits, statistics):
    """`losses.acgan_head`, or one adversarial loss without `classes`: one block, whose threads share the rows."""
    rows, zero = logits.shape[0], float32(0)
    values, scores, class_losses = zero, zero, zero
    for i in range(cuda.threadIdx.x, rows, TOGETHER):
        value, gradient, score = _terms(loss, logits[i, 0], target, sign)
        dlogits[i, 0] = gradient / float32(rows)
        values += value
        scores += score
        if classes:
            class_losses += softmax_row(logits[i, 1:], labels[i], float32(rows), dlogits[i, 1:])
    values, scores, class_losses = added(values), added(scores), added(class_losses)
    if cuda.threadIdx.x == 0:
        statistics[0] = values / float32(rows)
        statistics[1] = scores / float32(rows)
        if statistics.size > 2:
            statistics[2] = class_losses / float32(rows)


@launched(losses.acgan_head)
def _acgan_head(logits, labels, loss, target, sign, dlogits, statistics):
    numbers = np.array([target, sign], np.float32)
    launch(head, 1, TOGETHER, logits, labels, loss, *numbers, logits.shape[1] > 1, dlogits, statistics)


def _adversarial(op: Any, loss: int) -> None:
    """Register `head` as the launcher of one adversarial loss."""

    @launched(op)
    def _launch(logits, target, sign, dlogits, statistics):
        numbers = np.array([target, sign], np.float32)
        launch(head, 1, TOGETHER, logits, no_labels(), loss, *numbers, False, dlogits, statistics[:2])


for _op, _loss in (
    (losses.bce_with_logits, BCE),
    (losses.mse, MSE),
    (losses.wasserstein, WASSERSTEIN),
    (losses.hinge, HINGE),
):
    _adversarial(_op, _loss)


@cuda.jit
def softmax_cross_entropy(logits, labels, dlogits, statistics):
    """`losses.softmax_cross_entropy`: one block, whose threads share the rows."""
    rows, total = logits.shape[0], float32(0)
    for i in range(cuda.threadIdx.x, rows, TOGETHER):
        total += softmax_row(logits[i], labels[i], float32(rows), dlogits[i])
    total = added(total)
    if cuda.threadIdx.x == 0:
        statistics[0] = total / float32(rows)


@launched(losses.softmax_cross_entropy)
def _softmax_cross_entropy(logits, labels, dlogits, statistics):
    launch(softmax_cross_entropy, 1, TOGETHER, logits, labels, dlogits, statistics)
