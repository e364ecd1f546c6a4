"""Whole networks: where the layers lie, initial weights, and gradients against central differences in float64."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from fastgan.errors import UserError
from fastgan.forms import Batch, with_form
from fastgan.networks import (
    OPTIMISERS,
    Optimiser,
    aligned,
    build_network,
    initialise,
    last_delta,
    weights,
)
from fastgan.passes import backward, forward
from fastgan.updates import update
from fastgan_kernels import key_of

RULE = Optimiser(
    code=OPTIMISERS["sgd"],
    initial_rate=0.1,
    beta1=0.5,
    beta2=0.999,
    momentum=0.0,
    rho=0.9,
    epsilon=1e-7,
    warmup_steps=0.0,
    decay_start=0.0,
    decay_steps=0.0,
    cosine=False,
    weight_decay=0.0,
    clip_norm=0.0,
    average_decay=0.0,
)
NO_LABELS = np.zeros(0, np.int64)
ROWS = 5

BATCH = Batch(SimpleNamespace(key=key_of(5), clock=np.array([3])), 1)

NETWORKS = {
    "one layer": ([3, 2], ["linear"], 0, 0),
    "deep": ([3, 7, 1, 6, 2], ["relu", "tanh", "leaky_relu", "sigmoid"], 0, 0),
    "labels": ([3 + 4, 5, 2], ["leaky_relu", "tanh"], 4, 0),
    "softmax": ([3, 5, 6], ["tanh", "linear"], 0, 3),
    "labels and softmax": ([3 + 4, 5, 8], ["tanh", "linear"], 4, 2),
    "dropout": ([3, 7, 6, 2], ["tanh", "leaky_relu", "linear"], 0, 0, dict(dropout=0.5)),
    "dropout, labels": ([3 + 4, 9, 6], ["sigmoid", "linear"], 4, 2, dict(dropout=0.25)),
    "maxout": ([3, 7, 6, 2], ["maxout", "maxout", "linear"], 0, 0, dict(pieces=3)),
    "joined": ([3, 7, 6, 2], ["tanh", "leaky_relu", "linear"], 0, 0, dict(joined=True)),
    "joined, labels": ([3 + 4, 9, 5, 6], ["sigmoid", "relu", "linear"], 4, 2, dict(joined=True)),
    "maxout, labels, dropout": ([3 + 4, 9, 6], ["maxout", "linear"], 4, 2, dict(pieces=2, dropout=0.25)),
}


def float64_network(widths, activations, group, classes, form):
    net = build_network(
        widths,
        activations,
        max_rows=ROWS + 2,
        slope=0.2,
        optimiser=RULE,
        softmax_group=group,
        pieces=form.get("pieces", 1),
        joined=form.get("joined", False),
        classes=classes,
    )
    net = with_form(net, masks=7, **form)
    initialise(net, "glorot", 0, np.random.default_rng(3))
    if net.form is not None:
        arenas = {name: getattr(net.form, name).astype(float) for name in ("fed", "dfed")}
        net = net._replace(form=net.form._replace(**arenas))
    doubled = {name: getattr(net, name).astype(float) for name in ("params", "grads", "outputs", "deltas")}
    return net._replace(**doubled)


@pytest.fixture(params=NETWORKS)
def case(request):
    """A network, x, labels, and the weights of the sum of outputs that stands for a loss."""
    widths, activations, classes, group, *form = NETWORKS[request.param]
    random = np.random.default_rng(11)
    net = float64_network(widths, activations, group, classes, *form or [{}])
    net.params[...] += random.normal(0, 0.1, net.params.shape)  # biases too
    x = random.normal(size=(ROWS, 3))
    labels = random.integers(0, classes, ROWS) if classes else NO_LABELS
    return net, x, labels, random.normal(size=(ROWS, widths[-1]))


def loss(net, x, labels, share):
    return float(np.sum(forward(net, x, labels, 0, BATCH) * share))


def run_backward(net, x, labels, share, *, learn=True, dx=None):
    forward(net, x, labels, 0, BATCH)
    last_delta(net, len(x))[...] = share
    backward(net, x, labels, learn, x[:0] if dx is None else dx, BATCH)


def central_differences(function, array, step=1e-6):
    gradient = np.empty(array.shape)
    for place in np.ndindex(array.shape):
        kept = array[place]
        array[place] = kept + step
        above = function()
        array[place] = kept - step
        gradient[place] = (above - function()) / (2 * step)
        array[place] = kept
    return gradient


# Central differences of step 1e-6 lose about 1e-10 to rounding and 1e-12 to curvature.
CLOSE = dict(rtol=1e-6, atol=1e-8)


def test_gradients_of_parameters(case):
    net, x, labels, share = case
    net.grads[...] = np.nan
    run_backward(net, x, labels, share)
    expected = central_differences(lambda: loss(net, x, labels, share), net.params)
    np.testing.assert_allclose(net.grads, expected, **CLOSE)


def test_gradients_of_inputs_while_the_parameters_are_held_still(case):
    net, x, labels, share = case
    net.grads[...] = 7
    dx = np.full_like(x, np.nan)
    run_backward(net, x, labels, share, learn=False, dx=dx)
    assert np.all(net.grads == 7)
    if not labels.size:  # nothing ever asks for the gradient at a conditional network's input
        np.testing.assert_allclose(dx, central_differences(lambda: loss(net, x, labels, share), x), **CLOSE)


def test_layers_lie_one_after_another_without_overlap():
    net = build_network([3, 4, 2], ["relu", "linear"], max_rows=6, slope=0.2, optimiser=RULE)
    assert (
        net.params.shape == net.grads.shape == net.mean.shape == net.square.shape == (3 * 4 + 4 + 4 * 2 + 2,)
    )
    assert net.outputs.shape == net.deltas.shape == (6 * (4 + 2),)
    net.params[...] = np.arange(net.params.size)
    (w0, b0), (w1, b1) = (weights(net, net.params, layer) for layer in range(2))
    assert [w0.shape, b0.shape, w1.shape, b1.shape] == [(3, 4), (4,), (4, 2), (2,)]
    np.testing.assert_array_equal(np.concatenate([each.ravel() for each in (w0, b0, w1, b1)]), net.params)


@pytest.mark.parametrize("width", [10**11, 2**62])
def test_a_network_that_no_memory_holds(width):
    with pytest.raises(UserError, match=r"^\d+ float32 numbers do not fit into memory; give narrower layers"):
        build_network([1000, width], ["linear"], max_rows=1, slope=0.2, optimiser=RULE)


@pytest.mark.parametrize("size", [1, 15, 16, 1001])
def test_buffers_begin_on_a_cache_line(size):
    buffer = aligned(size)
    assert buffer.shape == (size,) and buffer.dtype == np.float32
    assert buffer.ctypes.data % 64 == 0 and not buffer.any()


@pytest.mark.parametrize(
    ("method", "activation", "deviation"),
    [
        ("he", "relu", math.sqrt(2 / 300)),
        ("he", "leaky_relu", math.sqrt(2 / 300)),
        ("he", "tanh", math.sqrt(1 / 300)),
        (
            "glorot",
            "tanh",
            math.sqrt(2 / (300 + 200)),
        ),  # of a uniform distribution within sqrt(6 / (in + out))
        ("normal", "relu", 0.02),
    ],
)
def test_initial_weights(method, activation, deviation):
    net = build_network([300, 200], [activation], max_rows=1, slope=0.2, optimiser=RULE)
    net.params[...] = np.nan
    initialise(net, method, 0.02, np.random.default_rng(0))
    w, b = weights(net, net.params, 0)
    assert w.std() == pytest.approx(deviation, rel=0.02)
    assert abs(w.mean()) < deviation / 50
    assert not b.any()
    if method == "glorot":
        assert np.abs(w).max() <= math.sqrt(6 / 500) * (1 + 1e-6)


def test_the_rate_falls_in_a_straight_line_to_zero():
    rule = RULE._replace(initial_rate=0.5, decay_start=2.0, decay_steps=4.0)
    net = build_network([1, 1], ["linear"], max_rows=1, slope=0.2, optimiser=rule)
    rates = []
    for step in range(8):
        update(net, np.array([step]))
        rates.append(float(net.rate[0]))
    assert rates == [0.5, 0.5, 0.5, 0.375, 0.25, 0.125, 0, 0]
    assert net.updates[0] == 8
