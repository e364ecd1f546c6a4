"""Optimisers over a network's flat vector: one pass reads each parameter once and writes it once.

A learning rate, and whatever else changes from step to step, is read from an array, so that a captured or
compiled step needs no argument of its own: ``rate[0]`` is the learning rate of this update, ``updates[0]``
the number of updates made including this one.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from .dispatch import LOOPS, compiled, op


@op
def adam(
    params: np.ndarray,
    grads: np.ndarray,
    mean: np.ndarray,
    square: np.ndarray,
    rate: np.ndarray,
    updates: np.ndarray,
    beta1: float,
    beta2: float,
    epsilon: float,
) -> None:
    """Adam (Kingma and Ba 2015, arXiv 1412.6980, algorithm 1).

    ``m = beta1 m + (1 - beta1) g``, ``v = beta2 v + (1 - beta2) g^2``,
    ``params -= rate * m_hat / (sqrt(v_hat) + epsilon)`` with ``m_hat = m / (1 - beta1^t)``,
    ``v_hat = v / (1 - beta2^t)``. PyTorch's epsilon stands there too; Keras adds it to sqrt(v) instead.

    Parameters
    ----------
    params, mean, square : (n,) float32, updated in place
    grads : (n,) float32
    rate : (1,) float32, learning rate
    updates : (1,) int64, t, counted from 1
    beta1, beta2 : in [0, 1)
    epsilon : above 0
    """
    t = float(updates[0])
    size = rate[0] / (1 - beta1**t)
    correction = 1 / np.sqrt(1 - beta2**t)
    real = params.dtype.type
    mean *= real(beta1)
    mean += real(1 - beta1) * grads
    square *= real(beta2)
    square += real(1 - beta2) * grads * grads
    params -= real(size) * mean / (np.sqrt(square) * real(correction) + real(epsilon))


@njit(**LOOPS)
def adam_one(param, g, m, v, size, correction, keep_mean, new_mean, keep_square, new_square, small):
    """A parameter and its moments after the update; size and correction hold the rate and both corrections of bias."""
    m = keep_mean * m + new_mean * g
    v = keep_square * v + new_square * g * g
    return param - size * m / (math.sqrt(v) * correction + small), m, v


@compiled(adam)
def _adam_cpu(params, grads, mean, square, rate, updates, beta1, beta2, epsilon):
    t = float(updates[0])
    real = params.dtype.type
    size = real(rate[0] / (1 - beta1**t))
    correction = real(1 / np.sqrt(1 - beta2**t))
    keep_mean, new_mean = real(beta1), real(1 - beta1)
    keep_square, new_square = real(beta2), real(1 - beta2)
    small = real(epsilon)
    for i in range(params.size):
        params[i], mean[i], square[i] = adam_one(
            params[i],
            grads[i],
            mean[i],
            square[i],
            size,
            correction,
            keep_mean,
            new_mean,
            keep_square,
            new_square,
            small,
        )


@op
def sgd(
    params: np.ndarray, grads: np.ndarray, velocity: np.ndarray, rate: np.ndarray, momentum: float
) -> None:
    """Stochastic gradient descent with momentum: ``u = momentum u + g``, ``params -= rate * u``.

    Polyak 1964 in the form of Sutskever et al. 2013 as deep-learning libraries write it (no dampening).

    Parameters
    ----------
    params, velocity : (n,) float32, updated in place
    grads : (n,) float32
    rate : (1,) float32, learning rate
    momentum : in [0, 1)
    """
    real = params.dtype.type
    velocity *= real(momentum)
    velocity += grads
    params -= rate[0] * velocity


@njit(**LOOPS)
def sgd_one(param, g, u, size, keep):
    """A parameter and its velocity after the update."""
    u = keep * u + g
    return param - size * u, u


@compiled(sgd)
def _sgd_cpu(params, grads, velocity, rate, momentum):
    size, keep = rate[0], params.dtype.type(momentum)
    for i in range(params.size):
        params[i], velocity[i] = sgd_one(params[i], grads[i], velocity[i], size, keep)


@op
def rmsprop(
    params: np.ndarray,
    grads: np.ndarray,
    square: np.ndarray,
    rate: np.ndarray,
    rho: float,
    epsilon: float,
) -> None:
    """RMSprop (Tieleman and Hinton 2012): ``v = rho v + (1 - rho) g^2``, ``params -= rate * g / (sqrt(v) + epsilon)``.

    Parameters
    ----------
    params, square : (n,) float32, updated in place
    grads : (n,) float32
    rate : (1,) float32, learning rate
    rho : in [0, 1)
    epsilon : above 0
    """
    real = params.dtype.type
    square *= real(rho)
    square += real(1 - rho) * grads * grads
    params -= rate[0] * grads / (np.sqrt(square) + real(epsilon))


@njit(**LOOPS)
def rmsprop_one(param, g, v, size, keep, new, small):
    """A parameter and its mean square after the update."""
    v = keep * v + new * g * g
    return param - size * g / (math.sqrt(v) + small), v


@compiled(rmsprop)
def _rmsprop_cpu(params, grads, square, rate, rho, epsilon):
    real = params.dtype.type
    size, keep, new, small = rate[0], real(rho), real(1 - rho), real(epsilon)
    for i in range(params.size):
        params[i], square[i] = rmsprop_one(params[i], grads[i], square[i], size, keep, new, small)


@op
def begin_update(
    rate: np.ndarray,
    updates: np.ndarray,
    step: np.ndarray,
    initial_rate: float,
    warmup_steps: float,
    decay_start: float,
    decay_steps: float,
    cosine: bool,
) -> None:
    """Count an update and set its learning rate: rising, then constant, then falling to zero.

    ``rate = initial_rate * min(1, (step + 1) / warmup_steps) * fall(p)``, where
    ``p = clip((step - decay_start) / decay_steps, 0, 1)`` and ``fall(p)`` is 1 - p, or (1 + cos(pi p)) / 2 (Loshchilov
    and Hutter 2017, arXiv 1608.03983, eq. 5). A number of steps that is 0 leaves its part out.

    Parameters
    ----------
    rate : (1,) float32, written
    updates : (1,) int64, incremented
    step : (1,) int64, training steps made so far
    initial_rate : learning rate between rise and fall
    warmup_steps, decay_start, decay_steps : in training steps
    cosine : fall along a cosine, not along a straight line
    """
    updates[0] += 1
    size = 1.0
    if warmup_steps > 0:
        size = min(1.0, (step[0] + 1) / warmup_steps)
    if decay_steps > 0:
        part = min(1.0, max(0.0, (step[0] - decay_start) / decay_steps))
        size *= (1.0 + math.cos(math.pi * part)) / 2.0 if cosine else 1.0 - part
    rate[0] = initial_rate * size


compiled(begin_update)(begin_update.dispatch(object))


@op
def shrink(params: np.ndarray, rate: np.ndarray, decay: float) -> None:
    """Weight decay apart from the gradient: ``params -= rate * decay * params``.

    AdamW: Loshchilov and Hutter 2019, arXiv 1711.05101, algorithm 2. Called before the optimiser, as PyTorch does.

    Parameters
    ----------
    params : (n,) float32, updated in place
    rate : (1,) float32, learning rate
    decay : at least 0
    """
    params *= params.dtype.type(1 - rate[0] * decay)


@compiled(shrink)
def _shrink_cpu(params, rate, decay):
    keep = params.dtype.type(1 - rate[0] * decay)
    for i in range(params.size):
        params[i] *= keep


@op
def average(params: np.ndarray, mean: np.ndarray, updates: np.ndarray, decay: float) -> None:
    """Exponential moving average of parameters: ``mean = d mean + (1 - d) params``.

    ``d = min(decay, (1 + t) / (10 + t))``, so that the first parameters are soon forgotten; ``1 - d`` is the larger of
    ``1 - decay`` and ``9 / (10 + t)``. Yazici et al. 2019, arXiv 1806.04498, on why a GAN's generator is averaged.

    Parameters
    ----------
    params : (n,) float32
    mean : (n,) float32, updated in place
    updates : (1,) int64, t, updates made
    decay : in [0, 1)
    """
    mean += mean.dtype.type(max(1 - decay, 9 / (10 + float(updates[0])))) * (params - mean)


@compiled(average)
def _average_cpu(params, mean, updates, decay):
    new = mean.dtype.type(max(1 - decay, 9 / (10 + float(updates[0]))))
    for i in range(params.size):
        mean[i] += new * (params[i] - mean[i])


PART = 2**13
"""Values of which `sum_of_squares` makes one number."""


def parts_of(values: int) -> int:
    """How many numbers `sum_of_squares` makes of so many values."""
    return -(-values // PART)


@op
def sum_of_squares(values: np.ndarray, out: np.ndarray) -> None:
    """``out_k = sum_i values_i^2`` over the k-th `PART` values: parts of a gradient's squared norm.

    Parameters
    ----------
    values : (n,) float32
    out : (parts_of(n),) float32, written; the last is of what is left
    """
    for k in range(len(out)):
        part = values[k * PART : (k + 1) * PART]
        out[k] = np.dot(part, part)


@compiled(sum_of_squares)
def _sum_of_squares_cpu(values, out):
    for k in range(out.size):
        total = values.dtype.type(0)
        for i in range(k * PART, min((k + 1) * PART, values.size)):
            total += values[i] * values[i]
        out[k] = total


@op
def clip(values: np.ndarray, squares: np.ndarray, limit: float) -> None:
    """Shorten a part of a gradient whose norm is above a limit: ``values *= min(1, limit / sqrt(sum(squares)))``.

    Pascanu et al. 2013, arXiv 1211.5063, algorithm 1.

    Parameters
    ----------
    values : (n,) float32, updated in place
    squares : (parts,) float32, `sum_of_squares` of the whole gradient
    limit : norm of a gradient at most, above 0
    """
    norm = math.sqrt(squares.sum(dtype=np.float64))
    if norm > limit:
        values *= values.dtype.type(limit / norm)


@compiled(clip)
def _clip_cpu(values, squares, limit):
    total = 0.0
    for i in range(squares.size):
        total += squares[i]
    norm = math.sqrt(total)
    if norm > limit:
        factor = values.dtype.type(limit / norm)
        for i in range(values.size):
            values[i] *= factor
