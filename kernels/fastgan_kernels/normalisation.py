"""Normalisation of a layer's sums ahead of its activation: over the rows of a batch, or over the columns of each row.

Batch normalisation is Ioffe and Szegedy 2015, arXiv 1502.03167, algorithms 1 and 2; layer normalisation Ba et al. 2016,
arXiv 1607.06450, section 3. Either keeps the normalised sums and the inverse deviations, which are all that its
gradients need.

Threads may share the rows of what goes row by row, and the columns, from `first` to `stop`, of what adds up rows: a
column's sum is over all rows in their order, whoever makes it.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from .activations import activate, activate_cpu
from .dense import add_rows
from .dispatch import LOOPS, compiled, op

# Without fastmath, what is made of a column has the same bits wherever a share of the columns begins. A function that
# does not say so gets its caller's.
_EXACT = {"error_model": "numpy", "fastmath": False}

_ONE = np.float32(1)


@njit(**_EXACT)
def inverse_deviation(variance, epsilon):
    """``1 / sqrt(variance + epsilon)`` of one number."""
    return _ONE / math.sqrt(variance + epsilon)


@njit(**LOOPS)
def normalised(z, mean, inverse):
    """One sum, less its mean, in units of its deviation."""
    return (z - mean) * inverse


@njit(**LOOPS)
def centred(normed, delta, mean, product, factor):
    """Gradient at a sum from the gradient `delta` at its normalised form, and the means of delta and delta * normed."""
    return factor * (delta - mean - normed * product)


@njit(**_EXACT)
def moved(running, new, keep, momentum):
    """A running average after a step."""
    return keep * running + momentum * new


@op
def batch_moments(
    z: np.ndarray,
    first: int,
    stop: int,
    epsilon: float,
    mean: np.ndarray,
    variance: np.ndarray,
    inverse: np.ndarray,
) -> None:
    """Mean and variance of each column over the rows, in two passes; ``inverse = 1 / sqrt(variance + epsilon)``.

    Parameters
    ----------
    z : (rows, outputs) float32, all rows of the batch
    first, stop : the columns from `first` to before `stop` are wanted here
    epsilon : above 0
    mean, variance, inverse : (outputs,) float32, written from `first` to `stop`; the variance is that of these rows,
        divided by rows
    """
    part = z[:, first:stop]
    np.mean(part, axis=0, out=mean[first:stop])
    np.var(part, axis=0, out=variance[first:stop])
    inverse[first:stop] = 1 / np.sqrt(variance[first:stop] + epsilon)


@compiled(batch_moments)
def _batch_moments_cpu(z, first, stop, epsilon, mean, variance, inverse):
    _moments(z, first, z.dtype.type(epsilon), mean[first:stop], variance[first:stop], inverse[first:stop])


@njit(**_EXACT)
def _moments(z, first, epsilon, mean, variance, inverse):
    """Moments of as many columns of z from `first` on."""
    rows = z.dtype.type(z.shape[0])
    add_rows(z, first, mean)
    for j in range(mean.size):
        mean[j] /= rows
    variance[:] = 0
    for i in range(z.shape[0]):
        row = z[i, first : first + mean.size]
        for j in range(mean.size):
            distance = row[j] - mean[j]
            variance[j] += distance * distance
    for j in range(mean.size):
        variance[j] /= rows
        inverse[j] = inverse_deviation(variance[j], epsilon)


@op
def batch_norm_forward(
    normed: np.ndarray,
    mean: np.ndarray,
    inverse: np.ndarray,
    scale: np.ndarray,
    shift: np.ndarray,
    activation: int,
    slope: float,
    y: np.ndarray,
) -> None:
    """Normalise columns by given moments: ``normed = (z - mean) inverse``, ``y = activation(scale normed + shift)``.

    In training the moments are the batch's own, by `batch_moments`; later they are running ones.

    Parameters
    ----------
    normed : (rows, outputs) float32, holds z; normalised in place
    mean, inverse, scale, shift : (outputs,) float32
    activation, slope : as `dense.dense_forward`
    y : (rows, outputs) float32, written
    """
    normed -= mean
    normed *= inverse
    np.multiply(scale, normed, out=y)
    activate(y, shift, activation, slope)


@compiled(batch_norm_forward)
def _batch_norm_forward_cpu(normed, mean, inverse, scale, shift, activation, slope, y):
    for i in range(normed.shape[0]):
        row, out = normed[i], y[i]
        for j in range(row.size):
            row[j] = normalised(row[j], mean[j], inverse[j])
            out[j] = scale[j] * row[j]
    activate_cpu(y, shift, activation, slope)


@op
def layer_norm_forward(
    normed: np.ndarray,
    epsilon: float,
    scale: np.ndarray,
    shift: np.ndarray,
    activation: int,
    slope: float,
    inverse: np.ndarray,
    y: np.ndarray,
) -> None:
    """Normalise each row by the moments of its columns, then as `batch_norm_forward`.

    Parameters
    ----------
    normed : (rows, outputs) float32, holds z; normalised in place
    epsilon : above 0
    scale, shift : (outputs,) float32
    activation, slope : as `dense.dense_forward`
    inverse : (rows,) float32, written: ``1 / sqrt(variance + epsilon)``
    y : (rows, outputs) float32, written
    """
    normed -= np.mean(normed, axis=1, keepdims=True)
    inverse[:] = 1 / np.sqrt(np.mean(normed * normed, axis=1) + epsilon)
    normed *= inverse[:, None]
    np.multiply(scale, normed, out=y)
    activate(y, shift, activation, slope)


@compiled(layer_norm_forward)
def _layer_norm_forward_cpu(normed, epsilon, scale, shift, activation, slope, inverse, y):
    real = normed.dtype.type
    columns, epsilon = real(normed.shape[1]), real(epsilon)
    for i in range(normed.shape[0]):
        row, out = normed[i], y[i]
        total, squares = real(0), real(0)
        for j in range(row.size):
            total += row[j]
        mean = total / columns
        for j in range(row.size):
            squares += (row[j] - mean) * (row[j] - mean)
        factor = inverse_deviation(squares / columns, epsilon)
        inverse[i] = factor
        for j in range(row.size):
            row[j] = normalised(row[j], mean, factor)
            out[j] = scale[j] * row[j]
    activate_cpu(y, shift, activation, slope)


@op
def norm_parameter_gradients(
    normed: np.ndarray, dy: np.ndarray, first: int, stop: int, dscale: np.ndarray, dshift: np.ndarray
) -> None:
    """Gradients of scale and shift: ``dscale = sum over rows of dy * normed``, ``dshift = sum over rows of dy``.

    Parameters
    ----------
    normed : (rows, outputs) float32, as either forward op left it, all rows of the batch
    dy : (rows, outputs) float32, the loss's gradient ahead of the activation
    first, stop : the columns from `first` to before `stop` are wanted here
    dscale, dshift : (outputs,) float32, written from `first` to `stop`
    """
    np.sum(dy[:, first:stop] * normed[:, first:stop], axis=0, out=dscale[first:stop])
    np.sum(dy[:, first:stop], axis=0, out=dshift[first:stop])


@compiled(norm_parameter_gradients)
def _norm_parameter_gradients_cpu(normed, dy, first, stop, dscale, dshift):
    _add_products(normed, dy, first, dscale[first:stop])
    add_rows(dy, first, dshift[first:stop])


@njit(**_EXACT)
def _add_products(normed, dy, first, total):
    """``total = sum over rows of normed * dy``, of as many columns from `first` on."""
    total[:] = 0
    for i in range(dy.shape[0]):
        row, delta = normed[i, first : first + total.size], dy[i, first : first + total.size]
        for j in range(total.size):
            total[j] += row[j] * delta[j]


@op
def batch_norm_backward(
    normed: np.ndarray,
    dy: np.ndarray,
    inverse: np.ndarray,
    scale: np.ndarray,
    dscale: np.ndarray,
    dshift: np.ndarray,
    rows: int,
) -> None:
    """Gradient through the moments, in place: ``dz = scale inverse (dy - dshift / rows - normed dscale / rows)``.

    Parameters
    ----------
    normed : (any number of rows, outputs) float32, as `batch_norm_forward` left it in training
    dy : same shape, the loss's gradient ahead of the activation; becomes dz
    inverse, scale : (outputs,) float32, as `batch_norm_forward` saw them
    dscale, dshift : (outputs,) float32, by `norm_parameter_gradients` over all rows
    rows : of the whole batch, of which these may be some
    """
    dy -= dshift / rows
    dy -= normed * (dscale / rows)
    dy *= scale * inverse


@compiled(batch_norm_backward)
def _batch_norm_backward_cpu(normed, dy, inverse, scale, dscale, dshift, rows):
    share = dy.dtype.type(1) / dy.dtype.type(rows)
    for i in range(dy.shape[0]):
        row, delta = normed[i], dy[i]
        for j in range(delta.size):
            delta[j] = centred(row[j], delta[j], share * dshift[j], share * dscale[j], scale[j] * inverse[j])


@op
def layer_norm_backward(normed: np.ndarray, dy: np.ndarray, inverse: np.ndarray, scale: np.ndarray) -> None:
    """Gradient through the moments, in place: ``dz = inverse (g - mean(g) - normed mean(g normed))``, g = scale dy.

    Parameters
    ----------
    normed : (rows, outputs) float32, as `layer_norm_forward` left it
    dy : (rows, outputs) float32, the loss's gradient ahead of the activation; becomes dz
    inverse : (rows,) float32, by `layer_norm_forward`
    scale : (outputs,) float32
    """
    dy *= scale
    product = np.mean(dy * normed, axis=1, keepdims=True)
    dy -= np.mean(dy, axis=1, keepdims=True)
    dy -= normed * product
    dy *= inverse[:, None]


@compiled(layer_norm_backward)
def _layer_norm_backward_cpu(normed, dy, inverse, scale):
    real = dy.dtype.type
    columns = real(dy.shape[1])
    for i in range(dy.shape[0]):
        row, delta = normed[i], dy[i]
        total, product = real(0), real(0)
        for j in range(delta.size):
            g = scale[j] * delta[j]
            total += g
            product += g * row[j]
        mean, slant, factor = total / columns, product / columns, inverse[i]
        for j in range(delta.size):
            delta[j] = centred(row[j], scale[j] * delta[j], mean, slant, factor)


@op
def update_running(
    mean: np.ndarray,
    variance: np.ndarray,
    momentum: float,
    rows: int,
    running_mean: np.ndarray,
    running_variance: np.ndarray,
) -> None:
    """Move running moments towards a batch's: ``running = (1 - momentum) running + momentum new``.

    The new variance is the unbiased one, ``variance * rows / (rows - 1)``, as in PyTorch; of one row, it is as it is.

    Parameters
    ----------
    mean, variance : (outputs,) float32, by `batch_moments`
    momentum : in [0, 1]
    rows : of the batch
    running_mean, running_variance : (outputs,) float32, updated in place
    """
    real = mean.dtype.type
    for running, new in ((running_mean, mean), (running_variance, variance * real(unbiased(rows)))):
        running *= real(1 - momentum)
        running += real(momentum) * new


def unbiased(rows: int) -> float:
    """What makes a variance divided by `rows` an unbiased estimate."""
    return rows / (rows - 1) if rows > 1 else 1.0


_unbiased_cpu = njit(**LOOPS)(unbiased)


@compiled(update_running)
def _update_running_cpu(mean, variance, momentum, rows, running_mean, running_variance):
    real = mean.dtype.type
    keep, momentum, factor = real(1 - momentum), real(momentum), real(_unbiased_cpu(rows))
    for j in range(mean.size):
        running_mean[j] = moved(running_mean[j], mean[j], keep, momentum)
        running_variance[j] = moved(running_variance[j], factor * variance[j], keep, momentum)


@op
def running_inverse(variance: np.ndarray, epsilon: float, inverse: np.ndarray) -> None:
    """``inverse = 1 / sqrt(variance + epsilon)``, for `batch_norm_forward` by running moments.

    Parameters
    ----------
    variance : (outputs,) float32
    epsilon : above 0
    inverse : (outputs,) float32, written
    """
    inverse[:] = 1 / np.sqrt(variance + epsilon)


@compiled(running_inverse)
def _running_inverse_cpu(variance, epsilon, inverse):
    epsilon = inverse.dtype.type(epsilon)
    for j in range(inverse.size):
        inverse[j] = inverse_deviation(variance[j], epsilon)
