from itertools import pairwise

import numpy as np
import pytest

import fastgan_kernels as fk

from .helpers import assert_gradient, compile_op, normals, poisoned, run_both

SHAPES = [(1, 1, 1), (1, 17, 1), (7, 1, 13), (2, 3, 129), (13, 31, 16), (64, 67, 5)]  # rows, inputs, outputs
ACTIVATIONS = pytest.mark.parametrize("activation", fk.ACTIVATIONS.values(), ids=fk.ACTIVATIONS)
SLOPE = 0.2


def layer(shape, dtype=np.float32):
    rows, inputs, outputs = shape
    x, w, b = normals(1, rows, inputs), normals(2, inputs, outputs) / np.sqrt(inputs), normals(3, outputs)
    return [a.astype(dtype) for a in (x, w, b)]


def outputs_of(x, w, b, activation):
    y = poisoned(len(x), len(b), dtype=x.dtype)
    fk.dense_forward(x, w, b, activation, SLOPE, y)
    return y


@ACTIVATIONS
@pytest.mark.parametrize("shape", SHAPES)
def test_forward_versions_agree(shape, activation):
    x, w, b = layer(shape)
    y = poisoned(len(x), len(b))
    run_both(fk.dense_forward, x=x, w=w, b=b, activation=activation, slope=SLOPE, y=y)


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        ("linear", [-100, -2, 0, 2, 100]),
        ("relu", [0, 0, 0, 2, 100]),
        ("leaky_relu", [-20, -0.4, 0, 2, 100]),
        ("tanh", [-1, np.tanh(-2), 0, np.tanh(2), 1]),
        ("sigmoid", [0, 1 / (1 + np.exp(2)), 0.5, 1 / (1 + np.exp(-2)), 1]),
    ],
)
def test_forward_values(activation, expected):
    z = np.array([[-100, -2, 0, 2, 100]], np.float32)
    y = run_both(
        fk.dense_forward,
        x=np.ones((1, 1), np.float32),
        w=z / 2,
        b=z[0] / 2,
        activation=fk.ACTIVATIONS[activation],
        slope=SLOPE,
        y=poisoned(1, 5),
    )["y"]
    np.testing.assert_allclose(y[0], expected, rtol=3e-7, atol=1e-37)


@ACTIVATIONS
def test_a_diverged_layer_is_seen(activation):
    x, w, b = layer((3, 5, 7))
    x[1, 2] = np.nan
    y = run_both(fk.dense_forward, x=x, w=w, b=b, activation=activation, slope=SLOPE, y=poisoned(3, 7))["y"]
    np.testing.assert_array_equal(np.isnan(y).all(axis=1), [False, True, False])


@ACTIVATIONS
def test_infinite_sums_have_their_limits(activation):
    infinite = np.array([[-np.inf, np.inf]], np.float32)
    y = run_both(
        fk.dense_forward,
        x=np.ones((1, 1), np.float32),
        w=infinite,
        b=np.zeros(2, np.float32),
        activation=activation,
        slope=SLOPE,
        y=poisoned(1, 2),
    )["y"]
    limits = {fk.LINEAR: infinite[0], fk.LEAKY_RELU: infinite[0], fk.RELU: [0, np.inf], fk.TANH: [-1, 1]}
    np.testing.assert_allclose(y[0], limits.get(activation, [0, 1]), atol=1e-37)


@ACTIVATIONS
@pytest.mark.parametrize("asked", ["dw db dx", "dw db", "dx", "db", ""])
@pytest.mark.parametrize("shape", SHAPES)
def test_backward_versions_agree(shape, asked, activation):
    rows, inputs, outputs = shape
    x, w, b = layer(shape)
    sizes = {"dw": (inputs, outputs), "db": (outputs,), "dx": (rows, inputs)}
    results = {
        name: poisoned(*(size if name in asked.split() else (0,) * len(size))) for name, size in sizes.items()
    }
    run_both(
        fk.dense_backward,
        x=x,
        w=w,
        y=outputs_of(x, w, b, activation),
        dy=normals(4, rows, outputs),
        activation=activation,
        slope=SLOPE,
        **results,
    )


@ACTIVATIONS
def test_backward_is_the_gradient(activation):
    x, w, b = layer((3, 4, 5), np.float64)
    assert np.abs(x @ w + b).min() > 1e-3, "a kink within reach of the differences"
    weights = normals(4, 3, 5, dtype=np.float64)

    def weighted_sum():
        return float(np.sum(weights * outputs_of(x, w, b, activation)))

    dy = weights.copy()
    dw, db, dx = np.full_like(w, np.nan), np.full_like(b, np.nan), np.full_like(x, np.nan)
    fk.dense_backward(x, w, outputs_of(x, w, b, activation), dy, activation, SLOPE, dw, db, dx)
    for gradient, at in ((dw, w), (db, b), (dx, x)):
        assert_gradient(gradient, weighted_sum, at)


BLOCKS = pytest.mark.parametrize("blocks", [[0, 31], [0, 1, 2, 31], [0, 16, 31], [0, 9, 20, 27, 31]], ids=str)


def in_blocks(op, arguments, after, blocks):
    """Compute dw in blocks of rows, each with its `first`, and db with the last; the op is compiled."""
    dw, db = np.full_like(after["dw"], np.nan), np.full_like(after["db"], np.nan)
    for first, stop in pairwise(blocks):
        part, bias = dw[first:stop], db if stop == len(dw) else db[:0]
        run_both(op, **arguments, dw=part.copy(), db=bias.copy(), first=first)
        compile_op(op)(*arguments.values(), part, bias, first)
    return dw, db


@BLOCKS
def test_gradients_do_not_depend_on_the_cuts(blocks):
    x, w, b = layer((13, 31, 17))
    dz = normals(4, 13, 17)
    after = run_both(
        fk.dense_backward,
        x=x,
        w=w,
        y=outputs_of(x, w, b, fk.LINEAR),
        dy=dz,
        activation=fk.LINEAR,
        slope=SLOPE,
        dw=poisoned(31, 17),
        db=poisoned(17),
        dx=poisoned(13, 31),
    )
    dw, db = in_blocks(fk.dense_backward_weights, {"x": x, "dz": dz}, after, blocks)
    np.testing.assert_array_equal(dw, after["dw"])
    np.testing.assert_array_equal(db, after["db"])


@ACTIVATIONS
def test_rows_do_not_depend_on_the_cuts(activation):
    _, w, _ = layer((13, 31, 17))
    dz, below = normals(4, 13, 17), normals(5, 13, 31)
    settings = {"activation": activation, "slope": SLOPE}
    whole = run_both(fk.dense_backward_rows, dz=dz, w=w, below=below, **settings, dx=poisoned(13, 31))["dx"]
    cut = poisoned(13, 31)
    for rows in (slice(0, 5), slice(5, 6), slice(6, 13)):
        compile_op(fk.dense_backward_rows)(dz[rows], w, below[rows], activation, SLOPE, cut[rows])
    np.testing.assert_array_equal(cut, whole)
    plain = run_both(
        fk.dense_backward_rows, dz=dz, w=w, below=poisoned(0, 0), **settings, dx=poisoned(13, 31)
    )["dx"]
    through = run_both(fk.activation_backward, y=below, dy=plain.copy(), **settings)["dy"]
    np.testing.assert_array_equal(through, whole)


@BLOCKS
def test_conditional_gradients_do_not_depend_on_the_cuts(blocks):
    _, x, labels, _, _ = conditional_layer(13, 20, 11, 17)
    dz = normals(4, 13, 17)
    seen = {"x": x, "labels": labels}
    after = run_both(
        fk.conditional_backward,
        **seen,
        y=poisoned(13, 17),
        dy=dz,
        activation=fk.LINEAR,
        slope=SLOPE,
        dw=poisoned(31, 17),
        db=poisoned(17),
    )
    dw, db = in_blocks(fk.conditional_backward_weights, {**seen, "dz": dz}, after, blocks)
    np.testing.assert_array_equal(dw, after["dw"])
    np.testing.assert_array_equal(db, after["db"])


def conditional_layer(rows, inputs, classes, outputs, dtype=np.float32):
    """The layer on [x, one-hot label] and what the conditional ops see of it."""
    x, w, b = layer((rows, inputs + classes, outputs), dtype)
    labels = np.random.default_rng(5).integers(0, classes, rows)
    x[:, inputs:] = np.eye(classes)[labels]
    return x, np.ascontiguousarray(x[:, :inputs]), labels, w, b


@ACTIVATIONS
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (7, 5, 3, 13), (64, 33, 10, 17), (3, 2, 10, 1)])
def test_conditional_versions_agree_with_a_one_hot_input(shape, activation):
    one_hot, x, labels, w, b = conditional_layer(*shape)
    rows, _, _, outputs = shape
    settings = {"activation": activation, "slope": SLOPE}
    y = run_both(fk.conditional_forward, x=x, labels=labels, w=w, b=b, **settings, y=poisoned(rows, outputs))[
        "y"
    ]
    np.testing.assert_allclose(y, outputs_of(one_hot, w, b, activation), rtol=3e-6, atol=3e-6)

    dy, dz = normals(4, rows, outputs), normals(4, rows, outputs)
    seen = {"x": x, "labels": labels, "y": y, "dy": dy, **settings}
    after = run_both(fk.conditional_backward, **seen, dw=poisoned(*w.shape), db=poisoned(*b.shape))
    dw, db = np.empty_like(w), np.empty_like(b)
    fk.dense_backward(one_hot, w, y, dz, activation, SLOPE, dw, db, poisoned(0, 0))
    for gradient, expected in ((after["dw"], dw), (after["db"], db), (after["dy"], dz)):
        np.testing.assert_allclose(gradient, expected, rtol=3e-6, atol=3e-6)
    run_both(fk.conditional_backward, **seen, dw=poisoned(0, 0), db=poisoned(0))


@ACTIVATIONS
def test_conditional_backward_is_the_gradient(activation):
    _, x, labels, w, b = conditional_layer(5, 3, 4, 2, np.float64)
    weights = normals(4, 5, 2, dtype=np.float64)

    def forward():
        y = np.full((5, 2), np.nan)
        fk.conditional_forward(x, labels, w, b, activation, SLOPE, y)
        return y

    dw, db = np.full_like(w, np.nan), np.full_like(b, np.nan)
    fk.conditional_backward(x, labels, forward(), weights.copy(), activation, SLOPE, dw, db)
    for gradient, at in ((dw, w), (db, b)):
        assert_gradient(gradient, lambda: float(np.sum(weights * forward())), at)


@np.errstate(invalid="ignore")
def test_a_closed_relu_passes_nothing_on():
    """Not even an infinite or undefined gradient, in both versions."""
    y, dy = np.array([[0, 2, 0, 2]], np.float32), np.array([[np.inf, np.inf, np.nan, np.nan]], np.float32)
    one = np.ones((1, 1), np.float32)
    after = run_both(
        fk.dense_backward,
        x=one,
        w=np.ones((1, 4), np.float32),
        y=y,
        dy=dy,
        activation=fk.RELU,
        slope=SLOPE,
        dw=poisoned(0, 0),
        db=poisoned(4),
        dx=poisoned(0, 0),
    )
    np.testing.assert_array_equal(after["db"], [0, np.inf, 0, np.nan])
