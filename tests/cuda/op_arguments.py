"""Arguments for every op of the kernels, at any shape."""

from __future__ import annotations

import inspect
import itertools
from functools import partial

import numpy as np

import fastgan_kernels as fk
from fastgan_kernels.dispatch import LAUNCHED
from fastgan_kernels.optimisers import parts_of

from ..kernels.helpers import normals, poisoned

# Rows, inputs and outputs: one of each, more than a tile of 8 or 16; tiny, since simulated threads are Python's.
SHAPES = [(1, 1, 1), (3, 5, 2), (9, 17, 10)]
CLASSES, GROUP, PIECES, SLOPE = 3, 2, 3, 0.2

PASSES = (fk.layers_forward, fk.layers_backward_rows, fk.layers_tangent)
LEARNING = (fk.layers_gradient, fk.layers_adam)
SPECTRAL = (fk.layers_spectral_scale, fk.layers_spectral_backward)
NETWORK_OPS = (*PASSES, *LEARNING, *SPECTRAL)


def arguments(op, rows, inputs, outputs, **more):
    """Arguments of an op by the names of its parameters; what it writes is poisoned, unless it is updated in place."""
    if op in NETWORK_OPS:
        return network_arguments(op, rows, inputs, outputs, **more)
    random = np.random.default_rng(rows)
    layer = inputs + (CLASSES if op.__name__.startswith("conditional") else 0)
    whole = partial(random.integers, 0)
    size = inputs * outputs
    known = {
        "x": normals(1, rows, inputs),
        "w": normals(2, layer, outputs),
        "b": normals(3, outputs),
        "y": normals(4, rows, outputs),
        "dy": normals(5, rows, outputs),
        "dz": normals(5, rows, outputs),
        "below": normals(6, rows, inputs),
        "dw": poisoned(layer, outputs),
        "db": poisoned(outputs),
        "dx": poisoned(rows, inputs),
        "labels": whole(CLASSES, rows),
        "activation": fk.TANH,
        "slope": SLOPE,
        "first": 0,
        "group": GROUP,
        "logits": 20 * normals(7, rows, 1 + CLASSES),
        "dlogits": poisoned(rows, 1 + CLASSES),
        "loss": fk.BCE,
        "target": 0.9,
        "sign": 1.0,
        "batch": rows + 1,
        "losses": normals(8, 3, rows),
        "statistics": poisoned(3),
        "params": normals(9, size),
        "grads": normals(10, size),
        "mean": normals(11, size),
        "square": np.abs(normals(12, size)),
        "velocity": normals(13, size),
        "rate": np.full(1, 1e-3, np.float32),
        "updates": np.full(1, 2),
        "beta1": 0.5,
        "beta2": 0.999,
        "epsilon": 1e-7,
        "momentum": 0.9,
        "rho": 0.9,
        "initial_rate": 1e-3,
        "decay_start": 4.0,
        "decay_steps": 8.0,
        "warmup_steps": 5.0,
        "cosine": False,
        "decay": 0.1,
        "values": normals(23, size),
        "squares": np.abs(normals(24, 3)) + 1,
        "limit": 0.5,
        "u": normals(25, inputs),
        "v": normals(26, outputs),
        "scaled": normals(27, inputs, outputs),
        "sums": poisoned(inputs),
        "out": poisoned(rows, outputs),
        "key": fk.key_of(3**37),
        "step": np.full(1, 2**33 + 7),
        "stream": 5,
        "bound": 10**9 + 7,
        "rows": 11,
        "per_step": 20,
        "offset": 3,
        "slots": 4,
        "data": whole(256, (20, outputs)).astype(np.uint8),
        "indices": whole(20, rows),
        "scale": normals(14, outputs),
        "shift": normals(15, outputs),
        "source": normals(16, rows, outputs),
        "table": normals(30, CLASSES, outputs),
        "dout": normals(31, rows, inputs + outputs),
        "dtable": poisoned(CLASSES, outputs),
        "vocabulary": 4,
        "clock": np.full(1, 2**33 + 7),
        "ring": normals(17, 5, 3),
        "a": normals(18, rows, outputs),
        "weights": random.uniform(0, 1, rows).astype(np.float32),
        "value": 1.0,
        "slopes": normals(19, rows, inputs),
        "centre": 1.0,
        "one_sided": True,
        "weight": 3.0,
        "every": 1,
        "tangent": normals(20, rows, outputs),
        "curvature": poisoned(rows, outputs),
        "deviation": 0.5,
        "winners": 20 * normals(29, rows, 2),
        "losers": 20 * normals(30, rows, 2),
        "dwinners": poisoned(rows, 2),
        "dlosers": poisoned(rows, 2),
        "winner_losses": poisoned(rows),
        "loser_losses": poisoned(rows),
        "z": normals(19, rows, outputs),
        "normed": normals(20, rows, outputs),
        "stop": outputs,
        "variance": np.abs(normals(21, outputs)),
        "inverse": normals(22, outputs),
        "dscale": normals(23, outputs),
        "dshift": normals(24, outputs),
        "running_mean": normals(25, outputs),
        "running_variance": np.abs(normals(26, outputs)),
        "pieces": PIECES,
        "left": normals(27, rows, inputs),
        "right": normals(28, rows, outputs),
        "joined": normals(29, rows, inputs + outputs),
    }
    if op in (fk.acgan_head_rows,):
        known["losses"] = poisoned(3, rows)
    if op is fk.softmax_cross_entropy:
        known |= {
            "logits": known["logits"][:, 1:].copy(),
            "dlogits": poisoned(rows, CLASSES),
            "statistics": poisoned(1),
        }
    if op in (fk.bce_with_logits, fk.mse, fk.wasserstein, fk.hinge):
        known |= {
            "logits": known["logits"][:, :1].copy(),
            "dlogits": poisoned(rows, 1),
            "statistics": poisoned(2),
        }
    if op is fk.dense_tangent:
        known |= {"dx": normals(21, rows, inputs), "dy": poisoned(rows, outputs)}
    if op is fk.sum_of_squares:
        known["out"] = poisoned(parts_of(size))
    if op in (fk.spectral_scale, fk.spectral_backward):
        known["inverse"] = np.full(1, 0.3, np.float32)
    if op is fk.power_iteration:
        known |= {"v": poisoned(outputs), "inverse": poisoned(1)}
    if op is fk.spectral_scale:
        known["out"] = poisoned(inputs, outputs)
    if op is fk.spectral_backward:
        known["dw"] = normals(28, inputs, outputs)
    if op is fk.add_noise:
        known |= {"first": 16, "decay_steps": 2.0**35}
    if op is fk.mix_rows:
        known["b"] = normals(3, rows, outputs)
    if op is fk.slope_penalty:
        known["losses"] = poisoned(2, rows)
    if op is fk.add:
        known["out"] = normals(22, rows, outputs)
    if op is fk.count_step:
        known["statistics"] = normals(18, 3)
    if op in (fk.integers, fk.shuffled_rows, fk.slot_rows, fk.gather_labels):
        known["out"] = poisoned(rows, dtype=np.int64)
    if op is fk.gather_labels:
        known["labels"] = whole(CLASSES, 20)
    if op is fk.embed_labels_backward:
        known |= {"first": 1, "dtable": poisoned(CLASSES - 1, outputs)}
    if op in (fk.join_columns, fk.embed_labels):
        known["out"] = poisoned(rows, inputs + outputs)
    if op is fk.one_hot_draws:
        known |= {"categories": 3, "out": poisoned(rows, 3 * outputs)}
    if op in (fk.bigrams, fk.bigrams_tangent, fk.bigrams_backward):
        width = GROUP * outputs
        read = (rows, fk.bigram_columns(width, GROUP))
        known |= {"vocabulary": GROUP, "read": normals(31, *read), "dread": normals(32, *read)}
        known |= {"x": normals(33, rows, width), "dx": normals(34, rows, width), "out": poisoned(*read)}
    if op is fk.bigrams_backward:
        known["dx"] = poisoned(rows, GROUP * outputs)
    if op in (fk.take_columns, fk.add_columns):
        known["first"] = inputs
    if op is fk.add_columns:
        known["out"] = normals(30, rows, outputs)
    if op is fk.one_hot_rows:
        known |= {"data": whole(4, (20, outputs)).astype(np.uint8), "out": poisoned(rows, 4 * outputs)}
    if op in (fk.grouped_softmax, fk.grouped_softmax_backward):
        known |= {"y": normals(4, rows, GROUP * outputs), "dy": normals(5, rows, GROUP * outputs)}
    if op in (fk.batch_norm_forward, fk.layer_norm_forward, fk.maxout):
        known["y"] = poisoned(rows, outputs)
    if op in (fk.batch_norm_forward, fk.update_running):
        known["mean"] = normals(11, outputs)
    if op is fk.batch_moments:
        known |= {name: poisoned(outputs) for name in ("mean", "variance", "inverse")}
    if op is fk.norm_parameter_gradients:
        known |= {name: poisoned(outputs) for name in ("dscale", "dshift")}
    if op in (fk.batch_moments, fk.norm_parameter_gradients):
        known["first"] = outputs // 3
    if op is fk.running_inverse:
        known["inverse"] = poisoned(outputs)
    if op is fk.layer_norm_forward:
        known["inverse"] = poisoned(rows)
    if op is fk.layer_norm_backward:
        known["inverse"] = normals(22, rows)
    if op is fk.dropout:
        known |= {"rate": 0.3, "first": 4}
    if op in (fk.maxout, fk.maxout_backward, fk.maxout_tangent):
        known |= {"z": normals(19, rows, PIECES * outputs), "dz": normals(5, rows, PIECES * outputs)}
    if op is fk.maxout_backward:
        known["dz"] = poisoned(rows, PIECES * outputs)
    if op is fk.maxout_tangent:
        known["dy"] = poisoned(rows, outputs)
    known |= more
    return {name: known[name] for name in inspect.signature(op).parameters}


def table_of_layers(widths, classes):
    """A network's table of layers, the first of which reads labels too."""
    rows, offset, units = [], 0, 0
    for layer, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        inputs += classes if layer == 0 else 0
        activation = fk.TANH if layer < len(widths) - 2 else fk.SIGMOID
        rows.append((inputs, outputs, offset, offset + inputs * outputs, activation, units))
        offset, units = offset + (inputs + 1) * outputs, units + outputs
    return np.array(rows, np.int64), offset, units


def network_arguments(op, rows, inputs, outputs, hidden=(), classes=CLASSES, smooth=True):
    """Arguments of an op of `layers`: three layers whose rows lie in the middle of their arenas, where they may.

    Of the rows that are learnt from the last one's bias does not count.
    """
    classes = 0 if op is fk.layers_tangent else classes  # no labels are read there
    hidden = hidden or (outputs + 3, 2 * outputs + 1)
    layers, size, units = table_of_layers([inputs, *hidden, outputs], classes)
    max_rows = 2 * rows + 3
    known = {
        "x": normals(1, rows, inputs),
        "labels": np.random.default_rng(rows).integers(0, max(1, classes), rows if classes else 0),
        "layers": layers,
        "params": normals(2, size),
        "slope": SLOPE,
        "max_rows": max_rows,
        "first": rows + 2,
        "points": 1,
        "rows": rows,
        "biased": max(0, rows - 1),
        "outputs": 0.5 * normals(3, max_rows * units),
        "deltas": normals(4, max_rows * units),
        "curvature": normals(7, max_rows * units if smooth else 0),
        "dx": poisoned(rows, inputs + classes),
        "grads": normals(8, size) if op is fk.layers_spectral_backward else poisoned(size),
        "left": normals(9, layers[:, 0].sum()),
        "right": normals(10, units),
        "inverse": normals(11, len(layers)),
        "sums": poisoned(layers[:, 0].sum()),
        "scaled": normals(12, size),
        "mean": normals(5, size),
        "square": np.abs(normals(6, size)) + 1,
        "rate": np.full(1, 1e-3, np.float32),
        "updates": np.full(1, 2),
        "beta1": 0.5,
        "beta2": 0.999,
        "epsilon": 1e-7,
    }
    return {name: known[name] for name in inspect.signature(op).parameters}


def cases():
    """Name, op and arguments of every way in which a training step or the tests launch a kernel."""
    shape = SHAPES[1]
    for op in LAUNCHED:
        yield op.__name__, op, arguments(op, *shape)
    for dtype in (np.int64, np.float32):
        data = np.zeros((20, shape[2]), dtype)
        yield f"gather_rows {np.dtype(dtype)}", fk.gather_rows, arguments(fk.gather_rows, *shape, data=data)
    yield "copy int64", fk.copy, {"source": np.zeros(3, np.int64), "out": np.zeros(3, np.int64)}
    for op in PASSES:
        for widths in ((2, 64, 64, 8), (2, 128, 128, 2), (64, 200, 17, 17), (512, 16, 512), (16, 96, 128, 1)):
            inputs, *hidden, outputs = widths
            for smooth in (True, False) if inputs == 2 else (True,):
                given = arguments(op, 3, inputs, outputs, hidden=hidden, classes=0, smooth=smooth)
                yield f"{op.__name__} {widths}", op, given
    # As many weights as a thread may hold, where the compiler once spilled some for a second block.
    given = network_arguments(fk.layers_forward, 3, 48, 96, hidden=(2, 192), classes=0)
    yield "layers_forward (48, 2, 192, 96)", fk.layers_forward, given
    wide = poisoned(3, 9)[:, 2:5]
    yield (
        "acgan_head_rows in a wider array",
        fk.acgan_head_rows,
        arguments(fk.acgan_head_rows, *shape, losses=wide),
    )
    yield "mean_rows in a wider array", fk.mean_rows, arguments(fk.mean_rows, *shape, losses=wide)
