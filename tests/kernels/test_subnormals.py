"""Numbers too small to be normal are 0 while a compiled function wants it so, and whole again after."""

from __future__ import annotations

import platform

import numpy as np
import pytest
from numba import njit

from fastgan_kernels.subnormals import flush_subnormals, restore_subnormals

LEAST = np.finfo(np.float32).tiny
SMALL = np.finfo(np.float32).smallest_subnormal * 8


@njit
def halved(x, out):
    out[:] = x / np.float32(2)


@njit
def halved_without_subnormals(x, out):
    before = flush_subnormals()
    halved(x, out)
    restore_subnormals(before)


@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="they cost little on this processor"
)
def test_subnormal_results_and_inputs_are_zero_for_a_while():
    x = np.array([LEAST, -LEAST, SMALL, 4 * LEAST, 1], np.float32)
    out = np.empty_like(x)
    halved_without_subnormals(x, out)
    np.testing.assert_array_equal(out, np.array([0, -0.0, 0, 2 * LEAST, 0.5], np.float32))
    halved(x, out)
    np.testing.assert_array_equal(out, x / np.float32(2))
    assert (out != 0).all()
