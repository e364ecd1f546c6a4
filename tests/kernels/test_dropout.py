from itertools import pairwise

import numpy as np
import pytest

import fastgan_kernels as fk
from fastgan_kernels.philox import philox_blocks

from .helpers import compile_op, normals, poisoned, run_both

SHAPES = [(1, 1), (1, 17), (7, 1), (1, 128), (2, 129), (13, 31), (64, 5), (4, 64), (17, 128)]  # rows, columns


def dropped(y, rate=0.5, seed=1, step=0, stream=0, first=0):
    """What the compiled version makes of y."""
    out = poisoned(*y.shape)
    compile_op(fk.dropout)(y, rate, fk.key_of(seed), np.array([step]), stream, first, out)
    return out


def kept(rows, columns, **how):
    return dropped(np.ones((rows, columns), np.float32), **how) != 0


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.5, 0.99])
@pytest.mark.parametrize("first", [0, 1, 3, 1000])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_versions_have_the_same_bits(shape, first, rate):
    counted = {"key": fk.key_of(2**40 + 3), "step": np.array([2**33 + 1]), "stream": 2**32 - 1}
    run_both(fk.dropout, y=normals(1, *shape), rate=rate, **counted, first=first, out=poisoned(*shape))


def test_elements_have_the_halves_of_blocks_side_by_side():
    i = np.arange(3 * 130)
    words = philox_blocks(64, fk.key_of(5), 9, 2)[i // 128 * 16 + i % 16, i % 128 // 32]
    halves = (words >> (16 * (i % 32 // 16)).astype(np.uint32)) & 0xFFFF
    np.testing.assert_array_equal(kept(3, 130, rate=0.25, seed=5, step=9, stream=2).ravel(), halves >= 2**14)


@pytest.mark.parametrize("columns", [1, 31, 64, 130])
def test_an_elements_fate_does_not_depend_on_how_rows_are_cut(columns):
    y = normals(1, 29, columns)
    whole = dropped(y)
    for cuts in ([0, 8, 29], [0, 1, 2, 17, 29]):
        parts = [dropped(y[a:b], first=a) for a, b in pairwise(cuts)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("version", [fk.dropout, compile_op(fk.dropout)], ids=["reference", "compiled"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_in_place(version, shape):
    y = normals(1, *shape)
    expected = dropped(y, rate=0.3, first=5)
    version(y, 0.3, fk.key_of(1), np.array([0]), 0, 5, y)
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9])
def test_so_many_are_dropped_and_the_mean_stays(rate):
    y = dropped(np.ones((1000, 200), np.float32), rate)
    standard_error = np.sqrt(rate * (1 - rate) / y.size)
    assert abs(np.mean(y == 0) - rate) <= 4 * standard_error
    np.testing.assert_allclose(y[y != 0], 1 / (1 - rate), rtol=1e-4)  # of a rate rounded to 2^-16
    assert abs(np.mean(y, dtype=float) - 1) <= 4 * standard_error / (1 - rate)


def test_neighbours_and_other_draws_are_independent():
    others = [{}, {"seed": 2}, {"stream": 1}, {"stream": 2**31}, {"step": 1}, {"step": 2**32}, {"first": 40}]
    draws = [kept(40, 100, **other).ravel() for other in others]
    draws += [np.roll(draws[0], shift) for shift in (1, 16, 64, 100, 128)]
    np.testing.assert_array_equal(kept(40, 100).ravel(), draws[0])
    correlations = np.corrcoef(draws) - np.eye(len(draws))
    assert np.abs(correlations).max() < 5 / np.sqrt(4000)


def test_a_gradient_passes_where_the_output_was_kept():
    y, dy = np.ones((5, 33), np.float32), normals(1, 5, 33)
    out = dropped(y, rate=0.25, step=7, stream=3)
    np.testing.assert_array_equal(dropped(dy, rate=0.25, step=7, stream=3), dy * out)


def test_backward_is_the_gradient():
    """The op is linear in y, with a diagonal matrix, which is its own transpose."""
    y, dy = normals(1, 3, 50, dtype=np.float64), normals(2, 3, 50, dtype=np.float64)
    counted = 0.4, fk.key_of(3), np.array([4]), 5, 6
    out, dx = np.full_like(y, np.nan), np.full_like(y, np.nan)
    fk.dropout(y, *counted, out)
    fk.dropout(dy, *counted, dx)
    assert np.sum(out * dy) == pytest.approx(np.sum(y * dx), rel=1e-12)


def test_nothing_is_dropped_at_rate_zero():
    y = normals(1, 13, 31)
    np.testing.assert_array_equal(dropped(y, 0.0), y)


def test_an_undefined_element_is_seen_where_it_is_kept():
    out = dropped(np.full((4, 40), np.nan, np.float32))
    np.testing.assert_array_equal(np.isnan(out), kept(4, 40))
    np.testing.assert_array_equal(out[~kept(4, 40)], 0)
