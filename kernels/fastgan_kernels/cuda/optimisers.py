"""CUDA kernels of `fastgan_kernels.optimisers`: a thread a parameter; rate and updates are read on the device."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import cuda, float32, int64

from .. import optimisers
from ..dispatch import launched
from ..elementary import cos_sin_turns
from ..optimisers import PART, adam_one, rmsprop_one, sgd_one
from .device import TOGETHER, added, launch, launch_over

EACH = 8
"""Values that a thread shortens, so that fewer blocks add up the squares."""


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


def adam_constants(
    beta1: float, beta2: float, epsilon: float
) -> tuple[np.float32, np.float32, tuple[Any, ...]]:
    """Logarithms of beta1 and beta2, and the five numbers that `adam_one` ends with."""
    with np.errstate(divide="ignore"):  # of beta 0 the logarithm is -infinity, and 1 - beta^t is 1
        log1, log2 = np.log([beta1, beta2]).astype(np.float32)
    return log1, log2, tuple(np.array([beta1, 1 - beta1, beta2, 1 - beta2, epsilon], np.float32))


@launched(optimisers.adam)
def _adam(params, grads, mean, square, rate, updates, beta1, beta2, epsilon):
    log1, log2, betas = adam_constants(beta1, beta2, epsilon)
    launch_over(adam, params.size, params, grads, mean, square, rate, updates, log1, log2, *betas)


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
def begin_update(rate, updates, step, initial_rate, warmup_steps, whole, part, decay_steps, cosine):
    """`optimisers.begin_update` by one thread, with decay_start = whole + part: float32 could not hold many steps."""
    updates[0] += 1
    size = float32(1)
    if warmup_steps > 0:
        size = min(size, float32(step[0] + 1) / warmup_steps)
    if decay_steps > 0:
        fallen = (float32(step[0] - whole) - part) / decay_steps
        fallen = min(float32(1), max(float32(0), fallen))
        left, _ = cos_sin_turns(float32(0.5) * fallen)
        size *= (float32(1) + left) * float32(0.5) if cosine else float32(1) - fallen
    rate[0] = initial_rate * size


@launched(optimisers.begin_update)
def _begin_update(rate, updates, step, initial_rate, warmup_steps, decay_start, decay_steps, cosine):
    whole = int64(math.floor(decay_start))
    numbers = np.array([initial_rate, warmup_steps, decay_start - whole, decay_steps], np.float32)
    initial_rate, warmup_steps, part, decay_steps = numbers
    constants = initial_rate, warmup_steps, whole, part, decay_steps, bool(cosine)
    launch(begin_update, 1, 1, rate, updates, step, *constants)


@cuda.jit
def shrink(params, rate, decay):
    """`optimisers.shrink`."""
    i = cuda.grid(1)
    if i < params.size:
        params[i] *= float32(1) - rate[0] * decay


@launched(optimisers.shrink)
def _shrink(params, rate, decay):
    launch_over(shrink, params.size, params, rate, np.float32(decay))


@cuda.jit
def average(params, mean, updates, least):
    """`optimisers.average` with 1 - decay, which float32 cannot take from a decay near 1."""
    i = cuda.grid(1)
    if i < params.size:
        new = max(least, float32(9) / (float32(10) + float32(updates[0])))
        mean[i] += new * (params[i] - mean[i])


@launched(optimisers.average)
def _average(params, mean, updates, decay):
    launch_over(average, params.size, params, mean, updates, np.float32(1 - decay))


@cuda.jit(device=True)
def _square(values, i, stop):
    """Of the i-th value, or 0 where there are no more."""
    return values[i] * values[i] if i < stop else float32(0)


@cuda.jit
def sum_of_squares(values, out):
    """`optimisers.sum_of_squares`, a block of `TOGETHER` threads a part, each of which asks for four values at once."""
    first = cuda.blockIdx.x * PART
    stop = min(first + PART, values.size)
    total = float32(0)
    for i in range(first + cuda.threadIdx.x, stop, 4 * TOGETHER):
        a, b = _square(values, i, stop), _square(values, i + TOGETHER, stop)
        c, d = _square(values, i + 2 * TOGETHER, stop), _square(values, i + 3 * TOGETHER, stop)
        total += (a + b) + (c + d)
    total = added(total)
    if cuda.threadIdx.x == 0:
        out[cuda.blockIdx.x] = total


@launched(optimisers.sum_of_squares)
def _sum_of_squares(values, out):
    if out.size:
        launch(sum_of_squares, out.size, TOGETHER, values, out)


@cuda.jit
def clip(values, squares, limit):
    """`optimisers.clip`, blocks of `TOGETHER` threads, each of which adds the squares up and shortens some values."""
    total = float32(0)
    for part in range(cuda.threadIdx.x, squares.size, TOGETHER):
        total += squares[part]
    norm = math.sqrt(added(total))
    if norm > limit:
        factor = limit / norm
        for i in range(cuda.grid(1), values.size, cuda.gridsize(1)):
            values[i] *= factor


@launched(optimisers.clip)
def _clip(values, squares, limit):
    if values.size:
        blocks = -(-values.size // (EACH * TOGETHER))
        launch(clip, blocks, TOGETHER, values, squares, np.float32(limit))
