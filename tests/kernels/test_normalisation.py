from itertools import pairwise

import numpy as np
import pytest

import fastgan_kernels as fk

from .helpers import assert_gradient, compile_op, normals, poisoned, run_both

SHAPES = [(1, 1), (1, 17), (7, 1), (2, 129), (13, 31), (64, 5), (130, 16)]  # rows, outputs
EVERY_SHAPE = pytest.mark.parametrize("shape", SHAPES, ids=str)
ACTIVATIONS = pytest.mark.parametrize("activation", fk.ACTIVATIONS.values(), ids=fk.ACTIVATIONS)
SLOPE, EPSILON = 0.2, 1e-5


def moments_of(z, first=0, stop=None):
    """Mean, variance and inverse deviation of the columns, by the reference; poisoned where not asked for."""
    moments = [poisoned(z.shape[1], dtype=z.dtype) for _ in range(3)]
    fk.batch_moments(z, first, z.shape[1] if stop is None else stop, EPSILON, *moments)
    return moments


@EVERY_SHAPE
def test_moments_of_both_versions_agree(shape):
    outputs = shape[1]
    for first, stop in ((0, outputs), (outputs // 3, outputs), (0, outputs // 2), (outputs, outputs)):
        after = run_both(
            fk.batch_moments,
            z=normals(1, *shape),
            first=first,
            stop=stop,
            epsilon=EPSILON,
            mean=poisoned(outputs),
            variance=poisoned(outputs),
            inverse=poisoned(outputs),
        )
        for name in ("mean", "variance", "inverse"):
            outside = np.delete(after[name], np.s_[first:stop])
            assert np.isnan(outside).all(), f"{name} of columns that were not asked for"


def test_the_variance_of_numbers_far_from_zero_is_not_cancelled():
    z = (1000 + normals(1, 130, 17)).astype(np.float32)
    shared = {"first": 0, "stop": 17, "epsilon": EPSILON}
    after = run_both(
        fk.batch_moments, z=z, **shared, **{n: poisoned(17) for n in ("mean", "variance", "inverse")}
    )
    np.testing.assert_allclose(after["variance"], np.var(z.astype(float), axis=0), rtol=1e-5)
    np.testing.assert_allclose(after["mean"], np.mean(z.astype(float), axis=0), rtol=1e-6)


@ACTIVATIONS
@EVERY_SHAPE
def test_forward_versions_agree(shape, activation):
    rows, outputs = shape
    z, given = normals(1, *shape), {"scale": normals(2, outputs), "shift": normals(3, outputs)}
    given |= {"activation": activation, "slope": SLOPE, "y": poisoned(*shape)}
    mean, _, inverse = moments_of(z)
    run_both(fk.batch_norm_forward, normed=z, mean=mean, inverse=inverse, **given)
    run_both(fk.layer_norm_forward, normed=z, epsilon=EPSILON, **given, inverse=poisoned(rows))


@EVERY_SHAPE
def test_backward_versions_agree(shape):
    rows, outputs = shape
    normed, dy, scale = normals(1, *shape), normals(2, *shape), normals(3, outputs)
    for first, stop in ((0, outputs), (outputs // 3, outputs), (0, outputs // 2)):
        run_both(
            fk.norm_parameter_gradients,
            normed=normed,
            dy=dy,
            first=first,
            stop=stop,
            dscale=poisoned(outputs),
            dshift=poisoned(outputs),
        )
    sums = {"dscale": normals(4, outputs), "dshift": normals(5, outputs), "rows": rows + 3}
    run_both(fk.batch_norm_backward, normed=normed, dy=dy, inverse=normals(6, outputs), scale=scale, **sums)
    run_both(fk.layer_norm_backward, normed=normed, dy=dy, inverse=normals(7, rows), scale=scale)


def test_what_is_normalised_has_mean_zero_and_variance_one():
    z, one, zero = 5 + 3 * normals(1, 64, 32), np.ones(32, np.float32), np.zeros(32, np.float32)
    mean, _, inverse = moments_of(z)
    plain = {"scale": one, "shift": zero, "activation": fk.LINEAR, "slope": SLOPE, "y": poisoned(64, 32)}
    by_batch = run_both(fk.batch_norm_forward, normed=z, mean=mean, inverse=inverse, **plain)
    by_row = run_both(fk.layer_norm_forward, normed=z, epsilon=EPSILON, **plain, inverse=poisoned(64))
    for after, axis in ((by_batch, 0), (by_row, 1)):
        np.testing.assert_array_equal(after["y"], after["normed"])
        np.testing.assert_allclose(after["y"].mean(axis=axis), 0, atol=1e-6)
        np.testing.assert_allclose(after["y"].var(axis=axis), 1, rtol=1e-5)


class Layer:
    """Sums z (rows, outputs) and what is learned, float64, with a weighted sum of the normalised layer's outputs."""

    def __init__(self, activation):
        self.activation = activation
        self.z, self.weights = (normals(seed, 5, 4, dtype=np.float64) for seed in (1, 2))
        self.scale, self.shift = (normals(seed, 4, dtype=np.float64) for seed in (3, 4))

    def batch(self):
        normed, (mean, _, inverse) = self.z.copy(), moments_of(self.z)
        y = np.full_like(normed, np.nan)
        fk.batch_norm_forward(normed, mean, inverse, self.scale, self.shift, self.activation, SLOPE, y)
        return normed, inverse, y

    def rows(self):
        normed, inverse, y = self.z.copy(), np.full(5, np.nan), np.full_like(self.z, np.nan)
        fk.layer_norm_forward(normed, EPSILON, self.scale, self.shift, self.activation, SLOPE, inverse, y)
        return normed, inverse, y

    def gradients(self, forward):
        """What the normalised numbers, their inverse deviations, and the gradient ahead of the activation are."""
        normed, inverse, y = forward()
        assert np.abs(self.scale * normed + self.shift).min() > 1e-3, "a kink within reach of the differences"
        dy, dscale, dshift = self.weights.copy(), np.full(4, np.nan), np.full(4, np.nan)
        fk.activation_backward(y, dy, self.activation, SLOPE)
        fk.norm_parameter_gradients(normed, dy, 0, 4, dscale, dshift)
        return normed, inverse, dy, dscale, dshift

    def check(self, forward, dz, dscale, dshift):
        for gradient, at in ((dz, self.z), (dscale, self.scale), (dshift, self.shift)):
            assert_gradient(gradient, lambda: float(np.sum(self.weights * forward()[2])), at)


@ACTIVATIONS
def test_batch_backward_is_the_gradient(activation):
    layer = Layer(activation)
    normed, inverse, dz, dscale, dshift = layer.gradients(layer.batch)
    for rows in (slice(0, 2), slice(2, 5)):  # as threads share them
        fk.batch_norm_backward(normed[rows], dz[rows], inverse, layer.scale, dscale, dshift, 5)
    layer.check(layer.batch, dz, dscale, dshift)


@ACTIVATIONS
def test_row_backward_is_the_gradient(activation):
    layer = Layer(activation)
    normed, inverse, dz, dscale, dshift = layer.gradients(layer.rows)
    fk.layer_norm_backward(normed, dz, inverse, layer.scale)
    layer.check(layer.rows, dz, dscale, dshift)


@pytest.mark.parametrize("cuts", [[0, 1, 61], [0, 16, 32, 61], [0, 5, 6, 47, 61]], ids=str)
def test_sums_over_rows_do_not_depend_on_how_columns_are_cut(cuts):
    z, dy = 3 + normals(1, 29, 61), normals(2, 29, 61)
    for op, arrays, written in (
        (fk.batch_moments, (z,), 3),
        (fk.norm_parameter_gradients, (z, dy), 2),
    ):
        more = (EPSILON,) if op is fk.batch_moments else ()
        whole, parts = ([poisoned(61) for _ in range(written)] for _ in range(2))
        compile_op(op)(*arrays, 0, 61, *more, *whole)
        for first, stop in pairwise(cuts):
            compile_op(op)(*arrays, first, stop, *more, *parts)
        for one, other in zip(whole, parts, strict=True):
            np.testing.assert_array_equal(other, one)


def test_rows_do_not_depend_on_the_cuts():
    scale, shift, inverse = normals(1, 61), normals(2, 61), normals(3, 61)

    def run(cuts):
        z, dy, dy_rows = normals(4, 29, 61), normals(5, 29, 61), normals(6, 29, 61)
        by_batch, by_row, y, y_rows, inverse_rows = (
            z.copy(),
            z.copy(),
            poisoned(29, 61),
            poisoned(29, 61),
            poisoned(29),
        )
        for first, stop in pairwise(cuts):
            rows = slice(first, stop)
            compile_op(fk.batch_norm_forward)(
                by_batch[rows], shift, inverse, scale, shift, fk.TANH, SLOPE, y[rows]
            )
            compile_op(fk.layer_norm_forward)(
                by_row[rows], EPSILON, scale, shift, fk.TANH, SLOPE, inverse_rows[rows], y_rows[rows]
            )
            compile_op(fk.batch_norm_backward)(by_batch[rows], dy[rows], inverse, scale, shift, scale, 29)
            compile_op(fk.layer_norm_backward)(by_row[rows], dy_rows[rows], inverse_rows[rows], scale)
        return by_batch, by_row, y, y_rows, inverse_rows, dy, dy_rows

    for whole, cut in zip(run([0, 29]), run([0, 8, 9, 29]), strict=True):
        assert np.isfinite(whole).all()
        np.testing.assert_array_equal(cut, whole)


@pytest.mark.parametrize("rows", [1, 2, 64])
def test_running_moments_follow_the_batches(rows):
    mean, variance = normals(1, 17), np.abs(normals(2, 17))
    moments = {"mean": mean, "variance": variance, "momentum": 0.1, "rows": rows}
    before = {"running_mean": np.zeros(17, np.float32), "running_variance": np.ones(17, np.float32)}
    after = run_both(fk.update_running, **moments, **before)
    unbiased = variance * rows / max(1, rows - 1)
    np.testing.assert_allclose(after["running_mean"], 0.1 * mean, rtol=1e-6)
    np.testing.assert_allclose(after["running_variance"], 0.9 + 0.1 * unbiased, rtol=1e-6)


@EVERY_SHAPE
def test_inverse_of_a_running_variance(shape):
    variance = np.abs(normals(1, shape[1]))
    inverse = run_both(fk.running_inverse, variance=variance, epsilon=0.5, inverse=poisoned(shape[1]))[
        "inverse"
    ]
    np.testing.assert_allclose(inverse, (variance + 0.5) ** -0.5, rtol=1e-6)


def test_a_diverged_row_is_seen():
    z = normals(1, 5, 7)
    z[2, 3] = np.nan
    one, zero = np.ones(7, np.float32), np.zeros(7, np.float32)
    shared = {"first": 0, "stop": 7, "epsilon": EPSILON}
    moments = run_both(
        fk.batch_moments, z=z, **shared, **{n: poisoned(7) for n in ("mean", "variance", "inverse")}
    )
    for name in ("mean", "variance", "inverse"):
        np.testing.assert_array_equal(np.isnan(moments[name]), np.arange(7) == 3)
    plain = {"scale": one, "shift": zero, "activation": fk.RELU, "slope": SLOPE, "y": poisoned(5, 7)}
    after = run_both(fk.layer_norm_forward, normed=z, epsilon=EPSILON, **plain, inverse=poisoned(5))
    np.testing.assert_array_equal(np.isnan(after["y"]).all(axis=1), np.arange(5) == 2)


def test_training_and_inference_are_those_of_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch, the other opinion, is not installed")
    theirs = torch.nn.BatchNorm1d(6, eps=EPSILON, momentum=0.3)
    scale, shift = normals(1, 6), normals(2, 6)
    theirs.load_state_dict(
        theirs.state_dict() | {"weight": torch.from_numpy(scale), "bias": torch.from_numpy(shift)}
    )
    running_mean, running_variance = np.zeros(6, np.float32), np.ones(6, np.float32)
    y, learned = poisoned(9, 6), (scale, shift, fk.LINEAR, SLOPE)
    for seed in (3, 4, 5):
        z = 2 + normals(seed, 9, 6)
        expected = theirs(torch.from_numpy(z.copy())).detach()
        mean, variance, inverse = moments_of(z)
        fk.update_running(mean, variance, 0.3, 9, running_mean, running_variance)
        fk.batch_norm_forward(z, mean, inverse, *learned, y)
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(running_mean, theirs.running_mean, rtol=1e-5)
    np.testing.assert_allclose(running_variance, theirs.running_var, rtol=1e-5)
    z, inverse = normals(6, 9, 6), poisoned(6)
    expected = theirs.eval()(torch.from_numpy(z.copy())).detach()
    fk.running_inverse(running_variance, EPSILON, inverse)
    fk.batch_norm_forward(z, running_mean, inverse, *learned, y)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
