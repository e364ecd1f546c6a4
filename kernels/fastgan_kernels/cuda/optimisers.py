"""CUDA kernels of `fastgan_kernels.optimisers`: a thread a parameter; rate and updates are read on the device."""

from __future__ import annotations

import math

import numpy as np
from numba import cuda, float32, int64

from .. import optimisers
from ..dispatch import launched
from ..optimisers import adam_one, rmsprop_one, sgd_one
from .device import launch, launch_over


@cuda.jit
def adam(
    params,
    grads,
    mean,
    square,
    rate,
    updates,
    log1,
    log2,
    keep_mean,
    new_mean,
    keep_square,
    new_square,
    small,
):
    """`optimisers.adam` with ln beta1 and ln beta2: float32 is enough for ``1 - beta^t = -expm1(t ln beta)``."""
    i = cuda.grid(1)
    if i < params.size:
        t = float32(updates[0])
        size = float32(rate[0] / -math.expm1(t * log1))
        correction = float32(float32(1) / math.sqrt(-math.expm1(t * log2)))
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


@launched(optimisers.adam)
def _adam(params, grads, mean, square, rate, updates, beta1, beta2, epsilon):
    with np.errstate(divide="ignore"):  # of beta 0 the logarithm is -infinity, and 1 - beta^t is 1
        logarithms = np.log([beta1, beta2]).astype(np.float32)
    betas = np.array([beta1, 1 - beta1, beta2, 1 - beta2, epsilon], np.float32)
    launch_over(adam, params.size, params, grads, mean, square, rate, updates, *logarithms, *betas)


@cuda.jit
def sgd(params, grads, velocity, rate, momentum):
    """`optimisers.sgd`."""
    i = cuda.grid(1)
    if i < params.size:
        params[i], velocity[i] = sgd_one(params[i], grads[i], velocity[i], rate[0], momentum)


@launched(optimisers.sgd)
def _sgd(params, grads, velocity, rate, momentum):
    launch_over(sgd, params.size, params, grads, velocity, rate, np.float32(momentum))


@cuda.jit
def rmsprop(params, grads, square, rate, rho, other, epsilon):
    """`optimisers.rmsprop`, with ``1 - rho``."""
    i = cuda.grid(1)
    if i < params.size:
        params[i], square[i] = rmsprop_one(params[i], grads[i], square[i], rate[0], rho, other, epsilon)


@launched(optimisers.rmsprop)
def _rmsprop(params, grads, square, rate, rho, epsilon):
    constants = np.array([rho, 1 - rho, epsilon], np.float32)
    launch_over(rmsprop, params.size, params, grads, square, rate, *constants)


@cuda.jit
def begin_update(rate, updates, step, initial_rate, whole, part, decay_steps):
    """`optimisers.begin_update` by one thread, with decay_start = whole + part: float32 could not hold many steps."""
    updates[0] += 1
    left = float32(1)
    if decay_steps > 0:
        left = float32(1) - (float32(step[0] - whole) - part) / decay_steps
        left = min(float32(1), max(float32(0), left))
    rate[0] = initial_rate * left


@launched(optimisers.begin_update)
def _begin_update(rate, updates, step, initial_rate, decay_start, decay_steps):
    whole = int64(math.floor(decay_start))
    numbers = np.array([initial_rate, decay_start - whole, decay_steps], np.float32)
    launch(begin_update, 1, 1, rate, updates, step, numbers[0], whole, numbers[1], numbers[2])
