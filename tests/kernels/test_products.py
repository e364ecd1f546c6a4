"""Products against NumPy in float64, and their promise: the same bits however the rows are cut."""

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numba import njit
from numba.core.errors import TypingError

from fastgan_kernels.products import product, product_nt, product_tn

from .helpers import normals, poisoned, run_guarded

SHAPES = st.tuples(*[st.integers(1, 80)] * 3)  # rows, inputs, outputs
BIG = [(64, 784, 512), (33, 1024, 100), (40, 300, 1025), (16, 520, 530), (130, 11, 1100), (700, 5, 3)]
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@njit
def forward(x, w, y):
    product(x, w, y)


@njit
def weights_gradient(x, dy, dw, first):
    product_tn(x, dy, dw, first)


@njit
def inputs_gradient(dy, w, dx):
    product_nt(dy, w, dx)


def layer(shape, dtype):
    rows, inputs, outputs = shape
    sizes = ((rows, inputs), (inputs, outputs), (rows, outputs))
    return [normals(seed, *size, dtype=dtype) for seed, size in enumerate(sizes)]


def products_of(x, w, dy):
    """Return y, dw and dx, computed between poisoned margins."""
    y = run_guarded(forward, [x, w, poisoned(*dy.shape, dtype=x.dtype)])[2]
    dw = run_guarded(weights_gradient, [x, dy, poisoned(*w.shape, dtype=x.dtype), 0])[2]
    dx = run_guarded(inputs_gradient, [dy, w, poisoned(*x.shape, dtype=x.dtype)])[2]
    return y, dw, dx


def with_examples(test):
    for shape in BIG:
        test = example(shape=shape, data_seed=0)(test)
    return test


@DTYPES
@with_examples
@settings(deadline=None, max_examples=60, derandomize=True)
@given(shape=SHAPES, data_seed=st.just(0))
def test_products_are_those_of_numpy(dtype, shape, data_seed):
    x, w, dy = layer(shape, dtype)
    exact_x, exact_w, exact_dy = (a.astype(np.longdouble) for a in (x, w, dy))
    expected = exact_x @ exact_w, exact_x.T @ exact_dy, exact_dy @ exact_w.T
    # A sum of n products rounds n times, half an ulp of a partial sum each.
    sizes = np.abs(x) @ np.abs(w), np.abs(x).T @ np.abs(dy), np.abs(dy) @ np.abs(w).T
    for result, exact, size in zip(products_of(x, w, dy), expected, sizes, strict=True):
        assert np.all(np.abs(result - exact) <= np.finfo(dtype).eps * (4 + max(shape) / 16) * size)


@DTYPES
@with_examples
@settings(deadline=None, max_examples=60, derandomize=True)
@given(shape=SHAPES, data_seed=st.integers(0, 2**32 - 1))
def test_the_bits_do_not_depend_on_the_cuts(dtype, shape, data_seed):
    rows, inputs, _ = shape
    random = np.random.default_rng(data_seed)
    x, w, dy = layer(shape, dtype)
    y, dw, dx = products_of(x, w, dy)
    again = [poisoned(*a.shape, dtype=dtype) for a in (y, dw, dx)]
    for some in pieces(rows, random):
        forward(x[some].copy(), w, again[0][some])
        inputs_gradient(dy[some].copy(), w, again[2][some])
    for some in pieces(inputs, random):
        weights_gradient(x, dy, again[1][some], some.start)
    for one, other in zip((y, dw, dx), again, strict=True):
        np.testing.assert_array_equal(one, other)


def pieces(size, random):
    """Cut range(size) at up to three random places."""
    cuts = [0, *sorted({int(cut) for cut in random.integers(1, max(size, 2), 3) if cut < size}), size]
    return [slice(start, stop) for start, stop in pairwise(cuts)]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize(
    "shape", [(19, 21, 37), (9, 17, 1), (9, 18, 2), (11, 3, 20), (8, 300, 33), (3, 70, 5)]
)
def test_a_diverged_element_stays_in_its_row(shape, bad):
    x, w, dy = layer(shape, np.float32)
    row, column, output = shape[0] // 2, shape[1] // 2, shape[2] - 1
    bad_x, bad_dy = x.copy(), dy.copy()
    bad_x[row, column] = bad_dy[row, output] = bad
    clean, dirty = products_of(x, w, dy), products_of(bad_x, w, bad_dy)
    touched = [np.zeros(a.shape, bool) for a in clean]
    touched[0][row] = touched[1][column] = touched[1][:, output] = touched[2][row] = True
    for before, after, here in zip(clean, dirty, touched, strict=True):
        assert not np.isfinite(after[here]).any()
        np.testing.assert_array_equal(after[~here], before[~here])


def test_nothing_to_add_up_is_zero():
    x, dy, dw = np.empty((0, 3), np.float32), np.empty((0, 5), np.float32), poisoned(3, 5)
    weights_gradient(x, dy, dw, 0)
    np.testing.assert_array_equal(dw, np.zeros((3, 5)))


def run_at_page_ends(*dtypes, **environment):
    return subprocess.run(
        [sys.executable, "-W", "error", Path(__file__).with_name("products_at_page_ends.py"), *dtypes],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"NUMBA_CPU_NAME": "generic"},
        {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma"},
    ],
    ids=["this processor", "any processor", "AVX2"],
)
def test_no_read_outside_the_arrays(environment):
    if "NUMBA_CPU_FEATURES" in environment:
        features = pytest.importorskip("llvmlite.binding").get_host_cpu_features()
        if not (features.get("avx2") and features.get("fma")):
            pytest.skip("this processor has no AVX2")
    dtypes = ["float32"] if environment else ["float32", "float64"]
    run = run_at_page_ends(*dtypes, **environment)
    assert run.returncode == 0, run.stderr or run.returncode
    machine, vector = run.stdout.split()
    if machine == "x86_64" and environment:
        assert int(vector) == (32 if "NUMBA_CPU_FEATURES" in environment else 16)


def test_no_other_library_is_needed():
    code = (
        "import sys; sys.modules['scipy'] = None\n"  # its import fails
        "import numpy as np; from numba import njit; from fastgan_kernels.products import product\n"
        "call = njit(lambda x, w, y: product(x, w, y)); a = np.ones((2, 2), np.float32); call(a, a, np.empty_like(a))"
    )
    path = os.pathsep.join(sys.path)
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, check=True)


@pytest.mark.parametrize("turned", [0, 1, 2])
def test_arrays_that_are_not_contiguous_do_not_compile(turned):
    """Their elements lie elsewhere, so that results would be wrong without a word."""
    arrays = [np.ones((4, 4), np.float32) for _ in range(3)]
    arrays[turned] = np.asfortranarray(arrays[turned][:, ::2])
    with pytest.raises(TypingError, match="contiguous arrays, not"):
        njit(lambda x, w, y: product(x, w, y))(*arrays)
