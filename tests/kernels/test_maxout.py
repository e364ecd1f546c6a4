import numpy as np
import pytest

import fastgan_kernels as fk
from fastgan_kernels.vectors import SCRATCH, VECTOR

from .helpers import assert_gradient, normals, poisoned, run_both

WIDE = SCRATCH * VECTOR // 4 + 3  # more units than a tangent keeps at a time
SHAPES = [
    (1, 1, 1),
    (7, 1, 13),
    (1, 2, 17),
    (5, 2, 1),
    (13, 3, 31),
    (64, 5, 16),
    (2, 2, WIDE),
]  # rows, pieces, units
EVERY_SHAPE = pytest.mark.parametrize("shape", SHAPES, ids=str)


def run_all(z, pieces, dy, dz):
    """Outputs, gradient at z, and derivative along dz, each the same in both versions."""
    y = run_both(fk.maxout, z=z, pieces=pieces, y=poisoned(*dy.shape))["y"]
    back = run_both(fk.maxout_backward, z=z, pieces=pieces, dy=dy, dz=poisoned(*z.shape))["dz"]
    along = run_both(fk.maxout_tangent, z=z, pieces=pieces, dz=dz, dy=poisoned(*dy.shape))["dy"]
    return y, back, along


@EVERY_SHAPE
def test_versions_agree(shape):
    rows, pieces, units = shape
    z, dz = normals(1, rows, pieces * units), normals(2, rows, pieces * units)
    dy = normals(3, rows, units)
    y, back, along = run_all(z, pieces, dy, dz)
    parts = z.reshape(rows, pieces, units)
    np.testing.assert_array_equal(y, parts.max(axis=1))
    np.testing.assert_array_equal(back.reshape(parts.shape), np.where(parts == y[:, None], dy[:, None], 0))
    np.testing.assert_array_equal(
        along, np.sum(np.where(parts == y[:, None], dz.reshape(parts.shape), 0), axis=1)
    )


@pytest.mark.parametrize("pieces", [1, 2, 5])
def test_of_equal_pieces_the_first_counts(pieces):
    z = np.random.default_rng(1).integers(0, 3, (20, pieces * 7)).astype(np.float32)
    dz, dy = normals(2, *z.shape), normals(3, 20, 7)
    _, back, along = run_all(z, pieces, dy, dz)
    first = np.argmax(z.reshape(20, pieces, 7), axis=1)
    for i, j in np.ndindex(20, 7):
        column = first[i, j] * 7 + j
        assert along[i, j] == dz[i, column]
        assert back[i, column] == dy[i, j]
        assert np.count_nonzero(back[i, j::7]) == 1


def test_an_undefined_piece_is_seen():
    z = normals(1, 3, 3 * 4)
    z[0, 1] = z[1, 6] = z[2, 11] = z[2, 7] = np.nan  # a first, a middle and a last piece
    y, back, _ = run_all(z, 3, np.ones((3, 4), np.float32), normals(2, 3, 3 * 4))
    np.testing.assert_array_equal(np.argwhere(np.isnan(y)), [[0, 1], [1, 2], [2, 3]])
    np.testing.assert_array_equal(back[[0, 1, 2, 2], [1, 6, 7, 11]], [1, 1, 1, 0])


def test_backward_and_tangent_are_derivatives():
    z, dz = (normals(seed, 3, 4 * 5, dtype=np.float64) for seed in (1, 2))
    weights = normals(3, 3, 5, dtype=np.float64)

    def outputs(at):
        y = np.full((3, 5), np.nan)
        fk.maxout(at, 4, y)
        return y

    highest = np.sort(z.reshape(3, 4, 5), axis=1)
    assert (highest[:, -1] - highest[:, -2]).min() > 1e-3, "a kink within reach of the differences"
    back, along = np.full_like(z, np.nan), np.full_like(weights, np.nan)
    fk.maxout_backward(z, 4, weights, back)
    assert_gradient(back, lambda: float(np.sum(weights * outputs(z))), z)
    fk.maxout_tangent(z, 4, dz, along)
    way = np.zeros(1)
    assert_gradient(
        np.array([np.sum(weights * along)]), lambda: float(np.sum(weights * outputs(z + way * dz))), way
    )
