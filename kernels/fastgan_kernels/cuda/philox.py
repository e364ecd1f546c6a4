"""CUDA kernels of `fastgan_kernels.philox`: a thread a block of four words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import cuda, uint64

from .. import philox
from ..dispatch import launched
from .device import launch_over

LOW, SHIFT = np.uint64(0xFFFFFFFF), np.uint64(32)


def _draw(values: Callable[..., Any]) -> Any:
    """Make the kernel of a draw whose elements ``values(w0, w1, w2, w3, bound)`` come from one block of words."""

    @cuda.jit
    def draw(out, bound, key, step, stream):
        block = cuda.grid(1)
        place = block // philox.LANES * 4 * philox.LANES + block % philox.LANES
        if place < out.size:
            now = uint64(step[0])
            words = philox.philox(
                uint64(block), uint64(stream), now & LOW, now >> SHIFT, uint64(key[0]), uint64(key[1])
            )
            elements = values(words[0], words[1], words[2], words[3], uint64(bound))
            for word in range(4):
                if place + word * philox.LANES < out.size:
                    out[place + word * philox.LANES] = elements[word]

    return draw


uniform, normal = _draw(philox.uniform_values), _draw(philox.normal_values)
signs, integers = _draw(philox.sign_values), _draw(philox.integer_values)
"""The raw kernels ``(out, bound, key, step, stream)``, of flat arrays; only `integers` reads the bound."""


def _launch(kernel: Any, out: Any, bound: int, key: Any, step: Any, stream: int) -> None:
    flat = out.reshape(-1)
    blocks = -(-flat.size // (4 * philox.LANES)) * philox.LANES
    launch_over(kernel, blocks, flat, np.uint64(bound), key, step, np.uint64(stream))


@launched(philox.uniform)
def _uniform(out, key, step, stream):
    _launch(uniform, out, 0, key, step, stream)


@launched(philox.normal)
def _normal(out, key, step, stream):
    _launch(normal, out, 0, key, step, stream)


@launched(philox.signs)
def _signs(out, key, step, stream):
    _launch(signs, out, 0, key, step, stream)


@launched(philox.integers)
def _integers(out, bound, key, step, stream):
    _launch(integers, out, bound, key, step, stream)
