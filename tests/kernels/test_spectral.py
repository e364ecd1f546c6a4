import numpy as np
import pytest

import fastgan_kernels as fk

from .helpers import assert_gradient, normals, poisoned, run_both

SHAPES = [(1, 1), (3, 7), (17, 5), (130, 67)]


def unit(seed, size, dtype=np.float32):
    vector = normals(seed, size, dtype=dtype)
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize("shape", SHAPES)
def test_versions_agree(shape):
    w = normals(1, *shape)
    after = run_both(fk.power_iteration, w=w, u=unit(2, shape[0]), v=poisoned(shape[1]), inverse=poisoned(1))
    scaled = run_both(fk.spectral_scale, w=w, inverse=after["inverse"], out=poisoned(*shape))["out"]
    vectors = {name: after[name] for name in ("u", "v", "inverse")}
    run_both(fk.spectral_backward, dw=normals(3, *shape), scaled=scaled, **vectors, sums=poisoned(shape[0]))


@pytest.mark.parametrize("shape", SHAPES)
def test_iterations_find_the_largest_singular_value(shape):
    w, u, v, inverse = normals(1, *shape), unit(2, shape[0]), np.empty(shape[1], np.float32), poisoned(1)
    for _ in range(300):
        fk.power_iteration(w, u, v, inverse)
    left, values, right = np.linalg.svd(w.astype(float), full_matrices=False)
    assert 1 / inverse[0] == pytest.approx(values[0], rel=1e-3)
    assert abs(u @ left[:, 0]) == pytest.approx(1, abs=1e-2) and abs(v @ right[0]) == pytest.approx(
        1, abs=1e-2
    )


def test_weights_of_zero_stay_zero():
    after = run_both(
        fk.power_iteration, w=np.zeros((3, 2), np.float32), u=unit(1, 3), v=poisoned(2), inverse=poisoned(1)
    )
    assert not after["u"].any() and not after["v"].any() and np.isfinite(after["inverse"][0])


def test_gradient_through_the_singular_value():
    """Of a sum of the scaled weights, at w, with u and v held still."""
    w, u, share = normals(1, 4, 3, dtype=float), unit(2, 4, float), normals(3, 4, 3, dtype=float)
    v, inverse = np.empty(3), np.empty(1)
    fk.power_iteration(w, u, v, inverse)

    def value():
        return float(np.sum(share * w / (u @ w @ v)))

    dw = share.copy()
    fk.spectral_backward(dw, w * inverse[0], u, v, inverse, np.empty(4))
    assert_gradient(dw, value, w)
