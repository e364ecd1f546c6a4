"""Raw kernels and device functions in the code of others: launched, called, and made for data of their own."""

from __future__ import annotations

import numpy as np
from numba import cuda, float32

from fastgan_kernels import cuda as kernels
from fastgan_kernels.activations import RELU, activated
from fastgan_kernels.cuda.products import TINY, make_product
from fastgan_kernels.losses import bce_terms
from fastgan_kernels.philox import philox, philox_blocks

from ..kernels.helpers import normals


def test_a_raw_kernel_is_launched_by_its_own_grid():
    x = kernels.to_device(normals(1, 5))
    out = kernels.to_device(np.zeros(5, np.float32))
    kernels.rows.copy[1, 32](x, out)
    cuda.synchronize()
    np.testing.assert_array_equal(kernels.to_host(out), normals(1, 5))


def test_scalar_functions_are_called_from_a_kernel_of_ones_own():
    @cuda.jit
    def own(x, losses, words):
        i = cuda.grid(1)
        if i < x.size:
            loss, _, _ = bce_terms(x[i], float32(1), float32(1))
            losses[i] = activated(loss, RELU, float32(0))
            for j, word in enumerate(
                philox(np.uint64(i), np.uint64(0), np.uint64(7), np.uint64(0), np.uint64(3), np.uint64(4))
            ):
                words[i, j] = word

    x = normals(1, 4)
    losses, words = kernels.to_device(np.zeros(4, np.float32)), kernels.to_device(np.zeros((4, 4), np.uint32))
    own[1, 4](kernels.to_device(x), losses, words)
    cuda.synchronize()
    np.testing.assert_allclose(kernels.to_host(losses), np.logaddexp(0, x) - x, rtol=1e-5)
    np.testing.assert_array_equal(kernels.to_host(words), philox_blocks(4, np.array([3, 4], np.uint32), 7, 0))


def test_a_product_is_made_of_elements_that_others_read_and_write():
    """Distances by one tiled kernel: ``c[i, j] = -2 a_i b_j`` plus what the last function adds."""

    @cuda.jit(device=True)
    def left(a, c, labels, inputs, first, row, k):
        return float32(-2) * a[row, k]

    @cuda.jit(device=True)
    def right(b, k, column):
        return b[column, k]

    @cuda.jit(device=True)
    def store(total, b, c, extra, labels, inputs, row, column, activation, slope):
        c[row, column] = total + extra[row, column]

    kernel = make_product(TINY, left, right, store, left_along=True, right_along=True)
    a, b = normals(1, 9, 5), normals(2, 10, 5)
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)
    out = kernels.to_device(np.zeros((9, 10), np.float32))
    there = [kernels.to_device(each) for each in (a, b, squares.astype(np.float32), np.zeros(0, np.int64))]
    kernel[TINY.blocks(9, 10), TINY.threads(5)](
        9, 10, 5, there[0], there[1], out, there[2], there[3], 0, 0, 0, np.float32(0)
    )
    cuda.synchronize()
    expected = ((a[:, None] - b) ** 2).sum(2)
    np.testing.assert_allclose(kernels.to_host(out), expected, rtol=1e-4, atol=1e-5)
