import numpy as np
import pytest

import fastgan_kernels as fk

from .helpers import assert_gradient, normals, poisoned, run_both

SHAPES = [(1, 1), (7, 3), (13, 17), (40, 131)]
# Centre, one-sided: R1 and R2, WGAN-GP, and that with one side.
KINDS = [(0.0, False), (1.0, False), (1.0, True)]


@pytest.mark.parametrize("shape", SHAPES)
def test_mixing_versions_agree(shape):
    weights = np.random.default_rng(1).uniform(0, 1, shape[0]).astype(np.float32)
    a, b = normals(2, *shape), normals(3, *shape)
    out = run_both(fk.mix_rows, a=a, b=b, weights=weights, out=poisoned(*shape))["out"]
    assert np.all((np.minimum(a, b) - 1e-6 <= out) & (out <= np.maximum(a, b) + 1e-6))


def test_a_mix_of_all_of_one_is_that_one():
    a, b = normals(1, 2, 5), normals(2, 2, 5)
    weights = np.array([1, 0], np.float32)
    out = run_both(fk.mix_rows, a=a, b=b, weights=weights, out=poisoned(2, 5))["out"]
    np.testing.assert_allclose(out, [a[0], b[1]], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_first_column(shape):
    out = run_both(fk.first_column, out=poisoned(*shape), value=0.5)["out"]
    assert np.all(out[:, 0] == 0.5) and not out[:, 1:].any()


def penalised(slopes, centre, one_sided, *, weight=3.0, every=1, step=0, batch=None, run=run_both):
    return run(
        fk.slope_penalty,
        slopes=slopes,
        centre=centre,
        one_sided=one_sided,
        weight=weight,
        every=every,
        step=np.full(1, step),
        batch=batch or len(slopes),
        losses=poisoned(2, len(slopes)),
    )


@pytest.mark.parametrize(("centre", "one_sided"), KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_penalty_versions_agree(shape, centre, one_sided):
    slopes = normals(4, *shape)
    after = penalised(slopes, centre, one_sided, batch=shape[0] + 2)
    lengths = np.linalg.norm(slopes.astype(float), axis=1)
    excess = np.maximum(lengths - centre, 0) if one_sided else lengths - centre
    np.testing.assert_allclose(after["losses"], [3 * excess**2, lengths], rtol=3e-6, atol=3e-6)


@pytest.mark.parametrize(("centre", "one_sided"), KINDS)
def test_penalty_gradient_is_the_gradient_of_the_mean(centre, one_sided):
    slopes = normals(5, 9, 4, dtype=np.float64)
    losses, step = np.empty((2, 9)), np.zeros(1, np.int64)

    def arguments(slopes):
        return slopes, centre, one_sided, 3.0, 1, step, 9, losses

    def mean():
        fk.slope_penalty(*arguments(slopes.copy()))
        return losses[0].mean()

    gradient = slopes.copy()
    fk.slope_penalty(*arguments(gradient))
    assert_gradient(gradient, mean, slopes)


@pytest.mark.parametrize(("centre", "one_sided"), KINDS)
def test_a_slope_of_zero_has_a_gradient_of_zero(centre, one_sided):
    after = penalised(np.zeros((3, 4), np.float32), centre, one_sided)
    assert not after["slopes"].any()
    np.testing.assert_allclose(after["losses"][0], 0 if one_sided or not centre else 3)


@pytest.mark.parametrize(("step", "times"), [(0, 4), (1, 0), (3, 0), (4, 4)])
def test_a_lazy_penalty_weighs_more_and_comes_seldom(step, times):
    slopes = normals(6, 5, 3)
    every_step = penalised(slopes, 0.0, False)
    lazy = penalised(slopes, 0.0, False, every=4, step=step)
    np.testing.assert_allclose(lazy["slopes"], times * every_step["slopes"], rtol=1e-6)
    np.testing.assert_allclose(lazy["losses"][0], times * every_step["losses"][0], rtol=1e-6)
    assert fk.due(np.full(1, step), 4) == compile_due()(np.full(1, step), 4) == (times > 0)


def compile_due():
    from numba import njit

    return njit(lambda step, every: fk.due(step, every))


@pytest.mark.parametrize("activation", fk.ACTIVATIONS.values(), ids=fk.ACTIVATIONS)
@pytest.mark.parametrize("with_activation", [True, False])
def test_tangent_versions_agree(activation, with_activation):
    for rows, inputs, outputs in [(1, 1, 1), (7, 3, 5), (33, 65, 19)]:
        y = normals(7, rows, outputs) if with_activation else poisoned(0, outputs)
        run_both(
            fk.dense_tangent,
            dx=normals(8, rows, inputs),
            w=normals(9, inputs, outputs) / 8,
            y=y,
            activation=activation,
            slope=0.2,
            dy=poisoned(rows, outputs),
        )


@pytest.mark.parametrize("activation", fk.ACTIVATIONS.values(), ids=fk.ACTIVATIONS)
def test_a_tangent_is_how_outputs_move(activation):
    x, w, b, dx = (
        normals(seed, *shape, dtype=float) for seed, shape in enumerate([(4, 3), (3, 5), (5,), (4, 3)])
    )

    def outputs(x):
        y = np.empty((4, 5))
        fk.dense_forward(x, w, b, activation, 0.2, y)
        return y

    dy = np.empty((4, 5))
    fk.dense_tangent(dx, w, outputs(x), activation, 0.2, dy)
    h = 1e-6
    np.testing.assert_allclose(
        dy, (outputs(x + h * dx) - outputs(x - h * dx)) / (2 * h), rtol=1e-7, atol=1e-9
    )


@pytest.mark.parametrize("activation", fk.ACTIVATIONS.values(), ids=fk.ACTIVATIONS)
def test_curvature_is_how_a_slope_changes(activation):
    shape = (6, 5)
    z, dy, tangent = (normals(seed, *shape, dtype=float) for seed in range(3))

    def value(z):
        y = np.empty(shape)
        fk.dense_forward(z, np.eye(5), np.zeros(5), activation, 0.2, y)
        return y

    def slope(z):
        dz = dy.copy()
        fk.activation_backward(value(z), dz, activation, 0.2)
        return dz

    curvature = np.empty(shape)
    fk.activation_curvature(value(z), slope(z), tangent, activation, curvature)
    h = 1e-6
    changes = tangent * (slope(z + h) - slope(z - h)) / (2 * h)
    np.testing.assert_allclose(curvature, changes, rtol=1e-6, atol=1e-8)
    given = [each.astype(np.float32) for each in (value(z), slope(z), tangent)]
    names = ("y", "dz", "tangent")
    run_both(
        fk.activation_curvature,
        **dict(zip(names, given, strict=True)),
        activation=activation,
        curvature=poisoned(*shape),
    )


def test_add():
    run_both(fk.add, source=normals(1, 7, 5), out=normals(2, 7, 5))
