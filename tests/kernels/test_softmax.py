import numpy as np
import pytest

import fastgan_kernels as fk

from .helpers import assert_gradient, normals, run_both

SHAPES = [(1, 1, 1), (1, 1, 17), (3, 5, 1), (7, 3, 13), (5, 2, 32)]  # rows, groups, columns in a group


@pytest.mark.parametrize("scale", [1, 100])
@pytest.mark.parametrize("shape", SHAPES)
def test_softmax_versions_agree(shape, scale):
    rows, groups, group = shape
    logits = np.clip(scale * normals(1, rows, groups * group), -100, 100)
    y = run_both(fk.grouped_softmax, y=logits, group=group)["y"]
    np.testing.assert_allclose(y.reshape(-1, group).sum(axis=1), 1, rtol=1e-6)


def test_softmax_values():
    y = np.array([[0, np.log(3), 100, -100]])
    fk.grouped_softmax(y, 2)
    np.testing.assert_allclose(y, [[0.25, 0.75, 1, np.exp(-200)]], rtol=1e-14)


def test_a_diverged_group_is_seen():
    logits = normals(2, 3, 6)
    logits[0, 1] = logits[2, 3] = np.nan
    y = run_both(fk.grouped_softmax, y=logits, group=3)["y"]
    nan_groups = np.isnan(y.reshape(-1, 3)).all(axis=1)
    np.testing.assert_array_equal(nan_groups, [True, False, False, False, False, True])


@pytest.mark.parametrize("shape", SHAPES)
def test_backward_versions_agree(shape):
    rows, groups, group = shape
    y = normals(1, rows, groups * group)
    fk.grouped_softmax(y, group)
    run_both(fk.grouped_softmax_backward, y=y, dy=normals(2, rows, groups * group), group=group)


def test_backward_is_the_gradient():
    logits, weights = normals(1, 2, 6, dtype=np.float64), normals(2, 2, 6, dtype=np.float64)

    def softmax():
        y = logits.copy()
        fk.grouped_softmax(y, 3)
        return y

    gradient = weights.copy()
    fk.grouped_softmax_backward(softmax(), gradient, 3)
    assert_gradient(gradient, lambda: float(np.sum(weights * softmax())), logits)
