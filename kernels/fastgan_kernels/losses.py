"""Losses fused with their gradients, stable at logits of +-100.

Every adversarial loss has the same arguments: it reads column 0 of the logits, writes the gradient of the
mean loss there, and leaves ``statistics[0]`` = mean loss and ``statistics[1]`` = mean score, the D(x) of
reports: a probability for bce, the raw output otherwise. The three roles of a GAN differ only in target and
sign (`ROLES`).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .dispatch import LOOPS, compiled, op
from .elementary import exp, log, sigmoid, softplus

# A whole number that meets a float32 in compiled code makes a float64 of it.
_ZERO, _ONE, _TWO = np.float32(0.0), np.float32(1.0), np.float32(2.0)

BCE, MSE, WASSERSTEIN, HINGE = range(4)

# loss: (code, target, sign) of the discriminator on real rows, of it on fake rows, and of the generator.
ROLES: dict[str, tuple[tuple[int, float, float], ...]] = {
    "bce": ((BCE, 1, 1), (BCE, 0, 1), (BCE, 1, 1)),
    "minimax": ((BCE, 1, 1), (BCE, 0, 1), (BCE, 0, -1)),
    "mse": ((MSE, 1, 1), (MSE, 0, 1), (MSE, 1, 1)),
    "wasserstein": ((WASSERSTEIN, 0, 1), (WASSERSTEIN, 0, -1), (WASSERSTEIN, 0, 1)),
    "hinge": ((HINGE, 0, 1), (HINGE, 0, -1), (WASSERSTEIN, 0, 1)),
}


def _reference(terms, logits, target, sign, dlogits, statistics) -> None:
    """Reference of a loss of one logit, ``terms(s, target, sign) -> (loss, gradient, score)``, over rows."""
    loss, gradient, score = terms(logits[:, 0], target, sign)
    dlogits[:, 0] = gradient / len(dlogits)
    statistics[0] = np.mean(loss)
    statistics[1] = np.mean(score)


def _loop(terms):
    """`_reference` as a loop to compile."""

    def loss_over_rows(logits, target, sign, dlogits, statistics):
        rows, real = logits.shape[0], logits.dtype.type
        target, sign, share = real(target), real(sign), real(1) / real(rows)
        total_loss, total_score = 0.0, 0.0
        for i in range(rows):
            loss, gradient, score = terms(logits[i, 0], target, sign)
            dlogits[i, 0] = gradient * share
            total_loss += loss
            total_score += score
        statistics[0] = total_loss / rows
        statistics[1] = total_score / rows

    return loss_over_rows


@op
def bce_with_logits(
    logits: np.ndarray, target: float, sign: float, dlogits: np.ndarray, statistics: np.ndarray
) -> None:
    """Binary cross-entropy of a logit s: ``sign * (softplus(s) - target * s)``, averaged over rows.

    Gradient at s: ``sign * (sigmoid(s) - target) / rows``. Discriminator and non-saturating generator (target
    1, sign 1): Goodfellow et al. 2014, arXiv 1406.2661, section 3. The minimax generator minimises log(1 -
    D(G(z))): target 0, sign -1.

    Parameters
    ----------
    logits : (rows, columns) float32; column 0 is read
    target : in [0, 1]
    sign : 1 or -1
    dlogits : (rows, columns) float32; column 0 is written
    statistics : (2,) float32, written: mean loss, mean sigmoid(s)
    """
    _reference(_bce_reference, logits, target, sign, dlogits, statistics)


def _bce_reference(s, target, sign):
    with np.errstate(over="ignore"):
        probability = 1 / (1 + np.exp(-s))
    return sign * (np.logaddexp(0, s) - target * s), sign * (probability - target), probability


@njit(**LOOPS)
def bce_terms(s, target, sign):
    """Loss, gradient and score of one row by `bce_with_logits`."""
    probability = sigmoid(s)
    return sign * (softplus(s) - target * s), sign * (probability - target), probability


compiled(bce_with_logits)(_loop(bce_terms))


@op
def mse(logits: np.ndarray, target: float, sign: float, dlogits: np.ndarray, statistics: np.ndarray) -> None:
    """Squared error of a raw output s: ``sign * (s - target)^2``, averaged over rows.

    Gradient at s: ``2 sign (s - target) / rows``. Least-squares GAN: Mao et al. 2017, arXiv 1611.04076, eq. 9
    without its factor 1/2. Arguments as `bce_with_logits`; ``statistics[1]`` is the mean output.
    """
    _reference(_mse_reference, logits, target, sign, dlogits, statistics)


def _mse_reference(s, target, sign):
    return sign * (s - target) ** 2, 2 * sign * (s - target), s


@njit(**LOOPS)
def mse_terms(s, target, sign):
    """Loss, gradient and score of one row by `mse`."""
    return sign * (s - target) * (s - target), _TWO * sign * (s - target), s


compiled(mse)(_loop(mse_terms))


@op
def wasserstein(
    logits: np.ndarray, target: float, sign: float, dlogits: np.ndarray, statistics: np.ndarray
) -> None:
    """Critic score s: ``-sign * s``, averaged over rows; gradient ``-sign / rows``.

    Arjovsky et al. 2017, arXiv 1701.07875, algorithm 1: sign 1 raises the score (real rows, and the
    generator's), sign -1 lowers it (the critic's fake rows). `target` is not read; the others as
    `bce_with_logits`.
    """
    _reference(_wasserstein_reference, logits, target, sign, dlogits, statistics)


def _wasserstein_reference(s, target, sign):
    return -sign * s, np.full_like(s, -sign), s


@njit(**LOOPS)
def wasserstein_terms(s, target, sign):
    """Loss, gradient and score of one row by `wasserstein`."""
    return -sign * s, -sign, s


compiled(wasserstein)(_loop(wasserstein_terms))


@op
def hinge(
    logits: np.ndarray, target: float, sign: float, dlogits: np.ndarray, statistics: np.ndarray
) -> None:
    """Discriminator's hinge on a raw output s: ``max(0, 1 - sign * s)``, averaged over rows.

    Gradient at s: ``-sign / rows`` where the hinge is open. Lim and Ye 2017, arXiv 1705.02894: sign 1 for
    real rows, -1 for fake ones; the generator uses `wasserstein` with sign 1. `target` is not read; the
    others as `bce_with_logits`.
    """
    _reference(_hinge_reference, logits, target, sign, dlogits, statistics)


def _hinge_reference(s, target, sign):
    margin = 1 - sign * s
    return np.maximum(margin, 0), np.where(margin > 0, -sign, 0), s


@njit(**LOOPS)
def hinge_terms(s, target, sign):
    """Loss, gradient and score of one row by `hinge`."""
    margin = _ONE - sign * s
    # Asked this way round, a NaN comes out as a NaN.
    return _ZERO if margin < _ZERO else margin, -sign if margin > _ZERO else _ZERO, s


compiled(hinge)(_loop(hinge_terms))


@op
def softmax_cross_entropy(
    logits: np.ndarray, labels: np.ndarray, dlogits: np.ndarray, statistics: np.ndarray
) -> None:
    """Cross-entropy of softmax(s) against integer labels, ``log sum_k e^(s_k) - s_label``, averaged over rows.

    Gradient at s: ``(softmax(s) - one_hot(label)) / rows``.

    Parameters
    ----------
    logits : (rows, classes) float32
    labels : (rows,) integers in [0, classes)
    dlogits : (rows, classes) float32, written
    statistics : (1,) float32, written: mean loss
    """
    statistics[0] = np.mean(_softmax_reference(logits, labels, len(logits), dlogits))


def _softmax_reference(logits, labels, total_rows, dlogits):
    """Cross-entropy of each row (rows,); writes the gradient of their mean over `total_rows`."""
    rows = np.arange(len(logits))
    shifted = logits - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    total = exponentials.sum(axis=1, keepdims=True)
    dlogits[...] = exponentials / total
    dlogits[rows, labels] -= 1
    dlogits /= total_rows
    return np.log(total[:, 0]) - shifted[rows, labels]


@njit(**LOOPS)
def softmax_row(s, label, rows, gradient):
    """Cross-entropy of one row of logits; writes its share of the gradient."""
    highest = s[0]
    for k in range(s.size):
        highest = max(highest, s[k])
    total = s.dtype.type(0)
    for k in range(s.size):
        gradient[k] = exp(s[k] - highest)
        total += gradient[k]
    for k in range(s.size):
        gradient[k] /= total * rows
    gradient[label] -= s.dtype.type(1) / rows
    return log(total) - (s[label] - highest)


@compiled(softmax_cross_entropy)
def _softmax_cross_entropy_cpu(logits, labels, dlogits, statistics):
    rows = logits.shape[0]
    loss = 0.0
    for i in range(rows):
        loss += softmax_row(logits[i], labels[i], np.float32(rows), dlogits[i])
    statistics[0] = loss / rows


@op
def acgan_head(
    logits: np.ndarray,
    labels: np.ndarray,
    loss: int,
    target: float,
    sign: float,
    dlogits: np.ndarray,
    statistics: np.ndarray,
) -> None:
    """Head of an AC-GAN's discriminator in one pass: adversarial loss of column 0 plus class loss of the others.

    Odena et al. 2017, arXiv 1610.09585, eqs. 2 and 3: the two mean losses are summed with equal weights, so
    each gradient stands in its own columns. With a single column this is the adversarial loss alone.

    Parameters
    ----------
    logits : (rows, 1 + classes) float32: real/fake logit, then class logits
    labels : (rows,) integers in [0, classes); not read without classes
    loss : BCE, MSE, WASSERSTEIN or HINGE
    target, sign : as the adversarial loss reads them; `ROLES` lists them
    dlogits : (rows, 1 + classes) float32, written
    statistics : (3,) float32, written: mean adversarial loss, mean score, mean class loss (0 without classes)
    """
    adversarial = (bce_with_logits, mse, wasserstein, hinge)[loss]
    adversarial(logits, target, sign, dlogits, statistics)
    statistics[2] = 0
    if logits.shape[1] > 1:
        softmax_cross_entropy(logits[:, 1:], labels, dlogits[:, 1:], statistics[2:])


@compiled(acgan_head)
def _acgan_head_cpu(logits, labels, loss, target, sign, dlogits, statistics):
    if loss == BCE:
        bce_with_logits(logits, target, sign, dlogits, statistics)
    elif loss == MSE:
        mse(logits, target, sign, dlogits, statistics)
    elif loss == WASSERSTEIN:
        wasserstein(logits, target, sign, dlogits, statistics)
    else:
        hinge(logits, target, sign, dlogits, statistics)
    class_loss = 0.0
    rows = logits.shape[0]
    if logits.shape[1] > 1:
        for i in range(rows):
            class_loss += softmax_row(logits[i, 1:], labels[i], np.float32(rows), dlogits[i, 1:])
    statistics[2] = class_loss / rows


@op
def acgan_head_rows(
    logits: np.ndarray,
    labels: np.ndarray,
    loss: int,
    target: float,
    sign: float,
    batch: int,
    dlogits: np.ndarray,
    losses: np.ndarray,
) -> None:
    """`acgan_head` on some rows of a batch, which several threads share: its mean is taken later, by `mean_rows`.

    Parameters
    ----------
    logits, labels, loss, target, sign : as `acgan_head`
    batch : rows in all; the gradient is that of the mean over them
    dlogits : (rows, 1 + classes) float32, written
    losses : (3, rows) float32, written: each row's adversarial loss, score and class loss (0 without classes)
    """
    terms = (_bce_reference, _mse_reference, _wasserstein_reference, _hinge_reference)[loss]
    losses[0], gradient, losses[1] = terms(logits[:, 0], target, sign)
    dlogits[:, 0] = gradient / batch
    losses[2] = 0
    if logits.shape[1] > 1:
        losses[2] = _softmax_reference(logits[:, 1:], labels, batch, dlogits[:, 1:])


def _row_loop(terms):
    """Compile ``terms(s, target, sign)`` row by row: contiguous results, so that LLVM vectorises over rows."""

    def loss_of_rows(logits, target, sign, batch, dlogits, losses, scores):
        real = logits.dtype.type
        target, sign, share = real(target), real(sign), real(1) / real(batch)
        for i in range(losses.size):
            loss, gradient, score = terms(logits[i, 0], target, sign)
            dlogits[i, 0] = gradient * share
            losses[i] = loss
            scores[i] = score

    return njit(**LOOPS)(loss_of_rows)


_bce_rows, _mse_rows = _row_loop(bce_terms), _row_loop(mse_terms)
_wasserstein_rows, _hinge_rows = _row_loop(wasserstein_terms), _row_loop(hinge_terms)


@compiled(acgan_head_rows)
def _acgan_head_rows_cpu(logits, labels, loss, target, sign, batch, dlogits, losses):
    values, scores, class_losses = losses[0], losses[1], losses[2]
    if loss == BCE:
        _bce_rows(logits, target, sign, batch, dlogits, values, scores)
    elif loss == MSE:
        _mse_rows(logits, target, sign, batch, dlogits, values, scores)
    elif loss == WASSERSTEIN:
        _wasserstein_rows(logits, target, sign, batch, dlogits, values, scores)
    else:
        _hinge_rows(logits, target, sign, batch, dlogits, values, scores)
    for i in range(class_losses.size):
        class_losses[i] = _ZERO
        if logits.shape[1] > 1:
            class_losses[i] = softmax_row(logits[i, 1:], labels[i], np.float32(batch), dlogits[i, 1:])


@op
def mean_rows(losses: np.ndarray, statistics: np.ndarray) -> None:
    """Mean over rows, ``statistics = mean_i losses[:, i]``, added up in float64.

    Parameters
    ----------
    losses : (columns, rows) float32
    statistics : (columns,) float32, written
    """
    statistics[...] = np.mean(losses, axis=1, dtype=np.float64)


@compiled(mean_rows)
def _mean_rows_cpu(losses, statistics):
    for j in range(statistics.size):
        row, total = losses[j], 0.0
        for i in range(row.size):
            total += row[i]
        statistics[j] = total / row.size
