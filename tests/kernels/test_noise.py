from itertools import pairwise

import numpy as np
import pytest

import fastgan_kernels as fk

from .helpers import compile_op, normals, run_both

KEY = fk.key_of(11)


def noisy(x, first=0, *, deviation=0.5, decay_steps=0.0, step=0, stream=3):
    return run_both(
        fk.add_noise,
        x=x,
        deviation=deviation,
        decay_steps=decay_steps,
        key=KEY,
        step=np.array([step]),
        stream=stream,
        first=first,
    )["x"]


@pytest.mark.parametrize("first", [0, 8, 40])
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (16, 8), (13, 67), (40, 64)])
def test_rows_get_the_noise_of_their_place_in_the_batch(shape, first):
    rows, columns = shape
    groups, width = -(-(first + rows) // 8), -(-8 * columns // 64) * 64
    draw = np.empty((groups, width), np.float32)
    fk.normal(draw, KEY, np.zeros(1, np.int64), 3)
    batch = draw[:, : 8 * columns].reshape(-1, columns)[first : first + rows]
    x = normals(1, *shape)
    np.testing.assert_allclose(noisy(x, first), x + np.float32(0.5) * batch, rtol=1e-5, atol=3e-6)


@pytest.mark.parametrize("columns", [3, 8, 67])
def test_a_batch_cut_between_groups_has_the_same_bits(columns):
    add, x = compile_op(fk.add_noise), normals(1, 29, columns)
    arguments = 0.5, 0.0, KEY, np.zeros(1, np.int64), 3
    whole, cut = x.copy(), x.copy()
    add(whole, *arguments, 0)
    for first, stop in ((0, 8), (8, 24), (24, 29)):
        add(cut[first:stop], *arguments, first)
    np.testing.assert_array_equal(whole, cut)


@pytest.mark.parametrize(("step", "left"), [(0, 1), (25, 0.75), (100, 0), (10**6, 0)])
def test_noise_falls_to_zero(step, left):
    x = np.zeros((200, 16), np.float32)
    assert noisy(x, decay_steps=100.0, step=step).std() == pytest.approx(0.5 * left, rel=0.05)


def test_streams_and_steps_differ():
    x = np.zeros((4, 4), np.float32)
    draws = [noisy(x), noisy(x, stream=4), noisy(x, step=1)]
    assert all(np.abs(a - b).max() > 0.1 for a, b in pairwise(draws))
