"""Penalties on the discriminator's slope, with their exact second-order gradient through dense layers.

For a point x the slope is g = dD(x)/dx, and a penalty is a function of its length. Its gradient at the weights needs D
to be differentiated twice, which these ops and those of `dense` do in four passes over the layers
y_l = f(y_{l-1} W_l + b_l):

1. forward, as ever, for the y_l;
2. backward from `first_column` = 1 at the logits, as ever, for the dz_l = dD/d(y_{l-1} W_l + b_l), and g at the inputs;
3. `slope_penalty` makes of g the penalty's gradient there, t_0. `dense_tangent` carries it up,
   t_l = (t_{l-1} W_l) f'(y_l). The weights' gradient is t_{l-1}^T dz_l, the same product as y_{l-1}^T dz_l of a loss: t
   and dz are like more rows of a batch, but for the biases, which get nothing from them;
4. where f is smooth, f' changes with its input too: `activation_curvature`, c_l = (t_{l-1} W_l) dz_l f''/f'. That is a
   gradient at y_{l-1} W_l + b_l as a loss has one, and goes down the layers as ever.

Gulrajani et al. 2017, arXiv 1704.00028 (WGAN-GP); Mescheder et al. 2018, arXiv 1801.04406 (R1, R2).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from .activations import SIGMOID, TANH
from .dispatch import LOOPS, compiled, op

_ZERO, _ONE, _TWO = np.float32(0), np.float32(1), np.float32(2)


@op
def mix_rows(a: np.ndarray, b: np.ndarray, weights: np.ndarray, out: np.ndarray) -> None:
    """A point on the line between two rows: ``out_i = weights_i a_i + (1 - weights_i) b_i``.

    Parameters
    ----------
    a, b : (rows, columns) float32
    weights : (rows,) float32, in [0, 1]
    out : (rows, columns) float32, written
    """
    np.subtract(a, b, out=out)
    out *= weights[:, None]
    out += b


@compiled(mix_rows)
def _mix_rows_cpu(a, b, weights, out):
    for i in range(weights.size):
        row, row_a, row_b, weight = out[i], a[i], b[i], weights[i]
        for j in range(row.size):
            row[j] = (row_a[j] - row_b[j]) * weight + row_b[j]


@op
def first_column(out: np.ndarray, value: float) -> None:
    """Set the first column to a value and all others to zero: ``out_ij = value if j == 0 else 0``.

    Parameters
    ----------
    out : (rows, columns) float32, written
    value : such as 1, to ask for the slope of the real/fake logit
    """
    out[...] = 0
    out[:, 0] = value


@compiled(first_column)
def _first_column_cpu(out, value):
    for i in range(out.shape[0]):
        row = out[i]
        row[:] = 0
        row[0] = value


@njit(**LOOPS)
def slope_terms(square, centre, one_sided, weight):
    """Penalty of a slope whose squared length is given, and the factor that makes of the slope the penalty's gradient.

    ``weight (|g| - centre)^2``, and ``2 weight (1 - centre / |g|)``: 0 where |g| is, and below the centre if one-sided.
    """
    length = math.sqrt(square)
    excess = length - centre
    if one_sided and excess < _ZERO:
        return _ZERO, _ZERO
    if centre == _ZERO:
        return weight * square, _TWO * weight
    factor = _TWO * weight * excess / length if length > _ZERO else _ZERO
    return weight * excess * excess, factor


@op
def slope_penalty(
    slopes: np.ndarray,
    centre: float,
    one_sided: bool,
    weight: float,
    every: int,
    step: np.ndarray,
    batch: int,
    losses: np.ndarray,
) -> None:
    """Penalty of each row's slope g, ``weight (|g| - centre)^2``, and its gradient there.

    WGAN-GP (Gulrajani et al. 2017, eq. 3) has centre 1 and weight lambda; R1 and R2 (Mescheder et al. 2018, eq. 9)
    have centre 0 and weight gamma / 2. The gradient of the mean over `batch` rows is
    ``2 weight (1 - centre / |g|) g / batch``; it is 0 at g = 0, where a centre leaves it undefined.

    Parameters
    ----------
    slopes : (rows, columns) float32, g in, the gradient out
    centre : length that is not penalised
    one_sided : penalise only what is longer
    weight : of the penalty in each step; `every` times that in the steps that have one (Karras et al. 2020, appendix B)
    every : the penalty is 0 in steps that it does not divide
    step : (1,) int64, training steps made
    batch : rows in all
    losses : (2, rows) float32, written: each row's penalty and |g|; zero where no penalty is due
    """
    weight = weight * every if step[0] % every == 0 else 0.0
    real = slopes.dtype.type
    squares = (slopes * slopes).sum(axis=1)
    for i in range(len(slopes)):
        losses[0, i], factor = slope_terms.py_func(squares[i], real(centre), one_sided, real(weight))
        slopes[i] *= factor / real(batch)
    losses[1] = np.sqrt(squares) if weight else 0


@compiled(slope_penalty)
def _slope_penalty_cpu(slopes, centre, one_sided, weight, every, step, batch, losses):
    real = slopes.dtype.type
    weight = real(weight * every) if step[0] % every == 0 else real(0)
    centre, share = real(centre), real(1) / real(batch)
    for i in range(slopes.shape[0]):
        row = slopes[i]
        square = real(0)
        for j in range(row.size):
            square += row[j] * row[j]
        losses[0, i], factor = slope_terms(square, centre, one_sided, weight)
        losses[1, i] = math.sqrt(square) if weight > _ZERO else _ZERO
        factor *= share
        for j in range(row.size):
            row[j] *= factor


@njit(error_model="numpy")
def curved(y: np.float32, activation: int) -> np.float32:
    """Second derivative of an activation over its first, from its value y."""
    if activation == TANH:
        return -_TWO * y
    if activation == SIGMOID:
        return _ONE - _TWO * y
    return _ZERO


@op
def activation_curvature(
    y: np.ndarray, dz: np.ndarray, tangent: np.ndarray, activation: int, curvature: np.ndarray
) -> None:
    """How a slope dz that went through an activation changes with its input: ``curvature = tangent dz f''(z) / f'(z)``.

    ``f''/f'`` is -2 y for tanh, 1 - 2 y for sigmoid, and 0 for those made of straight lines.

    Parameters
    ----------
    y : (rows, outputs) float32, what the activation made
    dz : (rows, outputs) float32, the slope at its input, f' included
    tangent : (rows, outputs) float32, what is carried up, before f'
    activation : code of `activations.ACTIVATIONS`
    curvature : (rows, outputs) float32, written
    """
    ratio = {TANH: -2 * y, SIGMOID: 1 - 2 * y}.get(activation, 0)
    curvature[...] = tangent * dz * ratio


@compiled(activation_curvature)
def _activation_curvature_cpu(y, dz, tangent, activation, curvature):
    for i in range(y.shape[0]):
        out, delta, up, row = y[i], dz[i], tangent[i], curvature[i]
        for j in range(row.size):
            row[j] = up[j] * delta[j] * curved(out[j], activation)


@op
def add(source: np.ndarray, out: np.ndarray) -> None:
    """Add an array to another: ``out += source``.

    Parameters
    ----------
    source : float32 of any shape
    out : the same shape, updated in place
    """
    out += source


@compiled(add)
def _add_cpu(source, out):
    values, into = source.reshape(-1), out.reshape(-1)
    for i in range(into.size):
        into[i] += values[i]


@op
def due(step: np.ndarray, every: int) -> bool:
    """Whether a step has a penalty: ``step % every == 0``.

    A device answers True, for the host cannot look at its counter; `slope_penalty` then gives zero where none is due.

    Parameters
    ----------
    step : (1,) int64, training steps made
    every : at least 1
    """
    return bool(step[0] % every == 0)


@compiled(due)
def _due_cpu(step, every):
    return step[0] % every == 0
