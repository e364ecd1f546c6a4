"""Every CUDA kernel does what the NumPy reference does, on a card or, without one, under the simulator."""

from __future__ import annotations

import numpy as np
import pytest

import fastgan_kernels as fk
from fastgan.cuda import HOST
from fastgan_kernels import cuda as device
from fastgan_kernels.cuda import products
from fastgan_kernels.dispatch import COMPILED, LAUNCHED
from fastgan_kernels.optimisers import PART

from ..kernels.helpers import CONTRACTS, normals, poisoned
from .op_arguments import CLASSES, LEARNING, NETWORK_OPS, PASSES, SHAPES, arguments


def check(op, given, *, rtol=0.0, atol=0.0):
    """Call both versions on copies; what may be written agrees within the contract, and the rest is as before."""
    contract = CONTRACTS[op]
    host = {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in given.items()}
    there = {
        name: device.to_device(value) if isinstance(value, np.ndarray) and name not in HOST else value
        for name, value in given.items()
    }
    op(*host.values())
    op(*there.values())
    for name, before in given.items():
        if isinstance(before, np.ndarray):
            written = name in contract.written.split()
            tolerances = (max(rtol, contract.rtol), max(atol, contract.atol)) if written else (0, 0)
            found = there[name] if name in HOST else device.to_host(there[name])
            np.testing.assert_allclose(found, host[name] if written else before, *tolerances, err_msg=name)


def test_every_op_has_kernels():
    ops = {op for op in (getattr(fk, name) for name in fk.__all__) if hasattr(op, "registry")}
    assert ops == LAUNCHED.keys() <= COMPILED.keys()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("op", LAUNCHED, ids=lambda op: op.__name__)
def test_kernels_do_what_the_reference_does(op, shape):
    check(op, arguments(op, *shape))


@pytest.mark.parametrize("activation", fk.ACTIVATIONS.values(), ids=fk.ACTIVATIONS)
@pytest.mark.parametrize(
    "op",
    [
        fk.dense_forward,
        fk.activation_backward,
        fk.dense_backward_rows,
        fk.batch_norm_forward,
        fk.layer_norm_forward,
    ],
)
def test_every_activation(op, activation):
    check(op, arguments(op, 3, 4, 5, activation=activation))


@pytest.mark.parametrize("tile", products.TILES, ids=str)
@pytest.mark.parametrize(
    "op", [fk.conditional_forward, fk.dense_backward_rows, fk.conditional_backward_weights]
)
def test_every_tile(op, tile, monkeypatch):
    monkeypatch.setattr(device.dense, "tile_for", lambda m, n: tile)
    rows, columns = tile.rows + 1 if tile.rows <= 16 else 3, tile.columns + 1 if tile.rows <= 16 else 5
    check(op, arguments(op, rows, 2 * tile.depth + 1, columns))


@pytest.mark.parametrize("classes", [0, CLASSES])
@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("high", device.layers.HIGH)
@pytest.mark.parametrize("op", PASSES)
def test_a_block_for_some_rows(op, high, smooth, classes, monkeypatch):
    monkeypatch.setattr(device.layers, "rows_of_block", lambda rows: high)
    check(op, arguments(op, 5, 4, 3, classes=classes, smooth=smooth))


@pytest.mark.parametrize("op", PASSES)
def test_a_wide_network_layer_by_layer(op, monkeypatch):
    monkeypatch.setattr(device.layers, "is_narrow", lambda *given: False)
    for smooth in (False, True):
        check(op, arguments(op, 5, 4, 3, smooth=smooth))


@pytest.mark.parametrize("tile", device.learning.TILES, ids=str)
@pytest.mark.parametrize("op", LEARNING)
def test_every_tile_of_a_whole_network(op, tile, monkeypatch):
    monkeypatch.setattr(device.learning, "tile_of", lambda layers: tile)
    check(op, arguments(op, 17, 4, 3))


@pytest.mark.parametrize("op", NETWORK_OPS)
def test_no_rows(op):
    check(op, arguments(op, 0, 4, 3, classes=0))


@pytest.mark.gpu
@pytest.mark.skipif(device.SIMULATED, reason="sizes of real networks take a GPU")
@pytest.mark.parametrize("rows", [1, 33, 200, 700])
@pytest.mark.parametrize(
    "widths", [(8, 64, 64, 1), (2, 128, 128, 2), (64, 200, 17, 17), (512, 16, 512), (30, 600, 9)]
)
@pytest.mark.parametrize("op", NETWORK_OPS)
def test_networks_of_real_sizes(op, widths, rows):
    inputs, *hidden, outputs = widths
    for smooth in (False, True):
        given = arguments(op, rows, inputs, outputs, hidden=hidden, smooth=smooth)
        if "params" in given:
            given["params"] /= 16
        check(op, given, rtol=1e-3, atol=1e-3)


@pytest.mark.gpu
@pytest.mark.skipif(device.SIMULATED, reason="sizes of real layers take a GPU")
@pytest.mark.parametrize(
    "shape", [(32, 784, 512), (64, 110, 256), (129, 1000, 65), (256, 1024, 1024)], ids=str
)
@pytest.mark.parametrize(
    "op",
    [fk.dense_forward, fk.conditional_forward, fk.dense_backward, fk.dense_tangent, fk.conditional_backward],
)
def test_layers_of_real_sizes(op, shape):
    check(op, arguments(op, *shape), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("first", "count", "bias"), [(0, 4, 0), (4, 4, 0), (6, 2, 5), (2, 6, 5)])
@pytest.mark.parametrize("op", [fk.dense_backward_weights, fk.conditional_backward_weights])
def test_a_block_of_weights(op, first, count, bias):
    inputs = 8 if op is fk.dense_backward_weights else 8 - CLASSES
    check(op, arguments(op, 3, inputs, 5, first=first, dw=poisoned(count, 5), db=poisoned(bias)))


def test_a_gradient_of_many_parts():
    check(fk.sum_of_squares, {"values": normals(1, 2 * PART + 5), "out": poisoned(3)})
    given = {"values": normals(2, 3000), "squares": np.abs(normals(3, 300)), "limit": 0.5}
    check(fk.clip, given)


def test_what_is_not_asked_for_is_not_made():
    given = arguments(fk.dense_backward, 3, 4, 5, dw=poisoned(0, 0), db=poisoned(0), dx=poisoned(0, 0))
    check(fk.dense_backward, given)
    check(fk.dense_backward_rows, arguments(fk.dense_backward_rows, 3, 4, 5, below=poisoned(0, 0)))
    none = np.empty(0, np.int64)
    check(fk.gather_labels, arguments(fk.gather_labels, 3, 1, 1, labels=none, out=none))
    check(fk.count_step, arguments(fk.count_step, 3, 1, 1, ring=poisoned(0, 3)))


@pytest.mark.parametrize("role", range(3))
@pytest.mark.parametrize("loss", fk.ROLES)
@pytest.mark.parametrize("classes", [0, CLASSES])
def test_every_loss(loss, role, classes):
    code, target, sign = fk.ROLES[loss][role]
    logits = 100 * normals(1, 4, 1 + classes)
    given = {"loss": code, "target": float(target), "sign": float(sign), "logits": logits}
    check(fk.acgan_head, arguments(fk.acgan_head, 4, 1, 1, **given, dlogits=poisoned(4, 1 + classes)))


@pytest.mark.parametrize(
    "dtype", [np.uint8, np.int64, np.float32, np.float64], ids=lambda dtype: dtype.__name__
)
def test_rows_of_any_type(dtype):
    data = (100 * np.random.default_rng(1).uniform(0, 1, (20, 4))).astype(dtype)
    check(fk.gather_rows, arguments(fk.gather_rows, 3, 1, 4, data=data))


@pytest.mark.parametrize("updates", [1, 10, 100_000])
@pytest.mark.parametrize(("beta1", "beta2"), [(0.0, 0.9), (0.5, 0.999), (0.9, 0.9999)])
def test_adams_corrections_need_no_float64(updates, beta1, beta2):
    given = {"updates": np.full(1, updates), "beta1": beta1, "beta2": beta2}
    check(fk.adam, arguments(fk.adam, 3, 4, 5, **given))


@pytest.mark.parametrize("step", [0, 3, 4, 9, 12, 2**40])
@pytest.mark.parametrize("decay_steps", [0.0, 8.0])
def test_the_rate_falls_to_zero(step, decay_steps):
    given = {"step": np.full(1, step), "decay_steps": decay_steps}
    check(fk.begin_update, arguments(fk.begin_update, 1, 1, 1, **given), rtol=1e-6)


@pytest.mark.parametrize("rows", [1, 2, 7, 1000])
def test_an_epoch_has_every_row_once(rows):
    out = device.to_device(np.empty(2 * rows if rows < 100 else 10, np.int64))
    fk.shuffled_rows(
        out, rows, len(out), 0, device.to_device(fk.key_of(1)), device.to_device(np.zeros(1, np.int64)), 0
    )
    expected = np.empty(len(out), np.int64)
    fk.shuffled_rows(expected, rows, len(out), 0, fk.key_of(1), np.zeros(1, np.int64), 0)
    np.testing.assert_array_equal(device.to_host(out), expected)


def test_losses_in_the_middle_of_an_array():
    """The step gives rows of a wider array, whose columns are not contiguous."""
    host = poisoned(3, 9)
    there = device.to_device(host)
    logits, dlogits = normals(1, 4, 1), poisoned(4, 1)
    labels = np.zeros(0, np.int64)
    fk.acgan_head_rows(logits, labels, fk.BCE, 1.0, 1.0, 4, dlogits, host[:, 2:6])
    moved = [device.to_device(each) for each in (logits, labels, dlogits)]
    fk.acgan_head_rows(*moved[:2], fk.BCE, 1.0, 1.0, 4, moved[2], there[:, 2:6])
    np.testing.assert_allclose(device.to_host(there), host, *CONTRACTS[fk.acgan_head_rows][1:])
    means, there_means = poisoned(3), device.to_device(poisoned(3))
    fk.mean_rows(host[:, 2:6], means)
    fk.mean_rows(there[:, 2:6], there_means)
    np.testing.assert_allclose(device.to_host(there_means), means, *CONTRACTS[fk.mean_rows][1:])


@pytest.mark.parametrize(("first", "stop"), [(0, 17), (3, 20), (17, 35), (35, 35)])
@pytest.mark.parametrize("op", [fk.batch_moments, fk.norm_parameter_gradients])
def test_a_share_of_the_columns(op, first, stop):
    check(op, arguments(op, 9, 1, 35, first=first, stop=stop))


@pytest.mark.parametrize(
    ("first", "shape"), [(0, (1, 128)), (0, (3, 50)), (5, (3, 50)), (64, (1, 1)), (2, (2, 64))]
)
def test_dropout_in_place_begins_anywhere_in_a_tile(first, shape):
    y = normals(1, *shape)
    expected, there = y.copy(), device.to_device(y)
    counted = fk.key_of(3), np.full(1, 2**40)
    fk.dropout(expected, 0.5, *counted, 7, first, expected)
    fk.dropout(there, 0.5, *map(device.to_device, counted), 7, first, there)
    np.testing.assert_array_equal(device.to_host(there), expected)


@pytest.mark.parametrize("pieces", [1, 2, 5])
@pytest.mark.parametrize("op", [fk.maxout, fk.maxout_backward, fk.maxout_tangent])
def test_equal_pieces_and_undefined_ones(op, pieces):
    z = np.random.default_rng(1).integers(0, 3, (4, 3 * pieces)).astype(np.float32)
    z[z == 2] = np.nan
    wide = {"z": z, "dz": normals(2, *z.shape) if op is fk.maxout_tangent else poisoned(*z.shape)}
    check(op, arguments(op, 4, 1, 3, pieces=pieces, **wide))
