"""Products of neighbouring tokens: of one-hot rows the pairs themselves; tangents and gradients of soft ones."""

import numpy as np
import pytest

import fastgan_kernels as fk

from .helpers import assert_gradient, normals, poisoned, run_both

SHAPES = pytest.mark.parametrize(
    ("rows", "tokens", "vocabulary"),
    [(1, 1, 1), (0, 4, 3), (3, 1, 4), (2, 2, 1), (7, 5, 3), (33, 16, 8), (2, 3, 40)],
)


def read_of(x, vocabulary):
    width = fk.bigram_columns(x.shape[1], vocabulary)
    return run_both(fk.bigrams, x=x, vocabulary=vocabulary, out=poisoned(len(x), width))["out"]


@SHAPES
def test_a_pair_of_neighbours_has_its_own_column(rows, tokens, vocabulary):
    drawn = np.random.default_rng(rows).integers(0, vocabulary, (rows, tokens))
    x = np.eye(vocabulary, dtype=np.float32)[drawn].reshape(rows, tokens * vocabulary)
    read = read_of(x, vocabulary)
    np.testing.assert_array_equal(read[:, : x.shape[1]], x)
    pairs = np.eye(vocabulary**2)[drawn[:, :-1] * vocabulary + drawn[:, 1:]]
    pairs = pairs.reshape(rows, (tokens - 1) * vocabulary**2)
    np.testing.assert_allclose(read[:, x.shape[1] :], pairs * np.sqrt(vocabulary), rtol=1e-6)


def test_bigrams_of_one_hot_tokens_have_the_mean_square_of_the_tokens():
    x = np.tile(np.eye(5, dtype=np.float32)[2], (4, 6))
    read = read_of(x, 5)
    assert (read[:, 30:] ** 2).mean() == pytest.approx((x**2).mean())


@SHAPES
def test_tangents_are_the_difference_of_what_is_read(rows, tokens, vocabulary):
    x, dx = normals(1, rows, tokens * vocabulary), normals(2, rows, tokens * vocabulary)
    given = dict(read=read_of(x, vocabulary), dx=dx, vocabulary=vocabulary)
    out = run_both(fk.bigrams_tangent, **given, out=poisoned(*given["read"].shape))["out"]
    step = 2.0**-6
    ahead, behind = (read_of(x + way * step * dx, vocabulary).astype(np.float64) for way in (1, -1))
    np.testing.assert_allclose(out, (ahead - behind) / (2 * step), rtol=0, atol=2e-3)


@SHAPES
def test_the_gradient_is_the_tangents_transpose(rows, tokens, vocabulary):
    x, dx = normals(1, rows, tokens * vocabulary), normals(2, rows, tokens * vocabulary)
    read = read_of(x, vocabulary)
    dread = normals(3, *read.shape)
    moved = run_both(fk.bigrams_tangent, read=read, dx=dx, vocabulary=vocabulary, out=poisoned(*read.shape))[
        "out"
    ]
    back = run_both(
        fk.bigrams_backward, read=read, dread=dread, vocabulary=vocabulary, dx=poisoned(*dx.shape)
    )["dx"]
    forth = (moved * dread).sum(axis=1, dtype=np.float64)
    np.testing.assert_allclose((back * dx).sum(axis=1, dtype=np.float64), forth, rtol=1e-4, atol=1e-3)


def test_gradient_by_central_differences():
    x, upper = normals(1, 3, 4 * 3, dtype=np.float64), normals(2, 3, 39, dtype=np.float64)
    read, gradient = np.empty((3, 39)), np.empty((3, 12))

    def value():
        fk.bigrams(x, 3, read)
        return float((read**2 * upper).sum())

    value()
    fk.bigrams_backward(read, 2 * read * upper, 3, gradient)
    assert_gradient(gradient, value, x)
