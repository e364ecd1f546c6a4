"""Every op of fastgan_kernels, and arguments to time it on, by the names of its parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

import fastgan_kernels as kernels
from fastgan_kernels.optimisers import parts_of

CLASSES, ROWS, VOCABULARY, PIECES = 10, 10_000, 8, 2


@dataclass(frozen=True)
class Shape:
    """Rows of a batch, and inputs and outputs of a layer; an optimiser's vector is that layer's."""

    rows: int
    inputs: int
    outputs: int

    def __str__(self) -> str:
        return f"{self.rows}x{self.inputs}x{self.outputs}"


SHAPES = (Shape(32, 64, 64), Shape(64, 512, 784), Shape(256, 1024, 1024))

OPS = {name: value for name in kernels.__all__ if hasattr(value := getattr(kernels, name), "registry")}
"""All of them, by name: an op is a generic function."""
del OPS["due"]  # writes nothing, so that a compiler drops calls of it


def arguments(name: str, shape: Shape) -> dict[str, Any]:
    """Arguments of an op, to call it on again and again: what it updates in place stays of order one, or 0."""
    rows, inputs, outputs = shape.rows, shape.inputs, shape.outputs
    random = np.random.default_rng(0)

    def normal(*size: int) -> np.ndarray:
        return random.standard_normal(size, np.float32)

    def whole(below: int, *size: int) -> np.ndarray:
        return random.integers(0, below, size)

    layer = inputs + (CLASSES if name.startswith("conditional") else 0)
    vector, logits = inputs * outputs + outputs, CLASSES if name == "softmax_cross_entropy" else 1 + CLASSES
    known: dict[str, Callable[[], Any]] = {
        # layers; relu, since leaky relu would shrink dy to denormal numbers
        "x": lambda: normal(rows, inputs),
        "w": lambda: normal(layer, outputs) / np.float32(np.sqrt(layer)),
        "b": lambda: normal(outputs),
        "y": lambda: normal(rows, outputs),
        "dy": lambda: normal(rows, outputs),
        "dz": lambda: normal(rows, outputs),
        "dw": lambda: normal(layer, outputs),
        "db": lambda: normal(outputs),
        "dx": lambda: normal(rows, inputs),
        "below": lambda: normal(rows, inputs),
        "labels": lambda: whole(CLASSES, rows),
        "activation": lambda: kernels.RELU,
        "slope": lambda: 0.2,
        "first": lambda: 0,
        "group": lambda: VOCABULARY,
        # losses
        "logits": lambda: normal(rows, logits),
        "dlogits": lambda: normal(rows, logits),
        "loss": lambda: kernels.BCE,
        "target": lambda: 1.0,
        "sign": lambda: 1.0,
        "batch": lambda: rows,
        "losses": lambda: normal(3, rows),
        "statistics": lambda: np.zeros(3, np.float32),
        # normalisation: by 0 and 1, so that what is normalised again and again stays as it is
        "z": lambda: normal(rows, outputs),
        "normed": lambda: normal(rows, outputs),
        "stop": lambda: outputs,
        "variance": lambda: np.ones(outputs, np.float32),
        "inverse": lambda: np.ones(rows if name.startswith("layer") else outputs, np.float32),
        "dscale": lambda: np.zeros(outputs, np.float32),
        "dshift": lambda: np.zeros(outputs, np.float32),
        "running_mean": lambda: np.zeros(outputs, np.float32),
        "running_variance": lambda: np.ones(outputs, np.float32),
        # maxout
        "pieces": lambda: PIECES,
        # optimisers
        "params": lambda: normal(vector),
        "grads": lambda: normal(vector),
        "mean": lambda: normal(vector),
        "square": lambda: np.abs(normal(vector)),
        "velocity": lambda: normal(vector),
        "rate": lambda: np.full(1, 1e-6, np.float32),
        "updates": lambda: np.full(1, 1000),
        "beta1": lambda: 0.5,
        "beta2": lambda: 0.999,
        "epsilon": lambda: 1e-7,
        "momentum": lambda: 0.5,
        "rho": lambda: 0.9,
        "initial_rate": lambda: 1e-6,
        "decay_start": lambda: 0.0,
        "decay_steps": lambda: 1e9,
        "warmup_steps": lambda: 0.0,
        "cosine": lambda: False,
        "decay": lambda: 0.0,
        "values": lambda: normal(vector),
        "squares": lambda: np.ones(parts_of(vector), np.float32),
        "limit": lambda: parts_of(vector) ** 0.5 * (1 - 1e-6),  # a little less than the norm
        # spectral normalisation
        "u": lambda: np.full(inputs, inputs**-0.5, np.float32),
        "v": lambda: np.full(outputs, outputs**-0.5, np.float32),
        "scaled": lambda: normal(inputs, outputs) / np.float32(inputs * outputs),
        "sums": lambda: np.zeros(inputs, np.float32),
        # penalties
        "a": lambda: normal(rows, outputs),
        "weights": lambda: random.uniform(size=rows).astype(np.float32),
        "value": lambda: 1.0,
        "slopes": lambda: normal(rows, inputs),
        "centre": lambda: 0.0,
        "one_sided": lambda: False,
        "weight": lambda: rows / 2,  # of which a slope is its own gradient, again and again
        "every": lambda: 1,
        "tangent": lambda: normal(rows, outputs),
        "curvature": lambda: normal(rows, outputs),
        # pairs and noise
        "winners": lambda: normal(rows, 1 + CLASSES),
        "losers": lambda: normal(rows, 1 + CLASSES),
        "dwinners": lambda: normal(rows, 1 + CLASSES),
        "dlosers": lambda: normal(rows, 1 + CLASSES),
        "winner_losses": lambda: normal(rows),
        "loser_losses": lambda: normal(rows),
        "deviation": lambda: 1e-3,
        # rows and random numbers
        "out": lambda: normal(rows, outputs),
        "key": lambda: kernels.key_of(0),
        "step": lambda: np.zeros(1, np.int64),
        "stream": lambda: 0,
        "bound": lambda: ROWS,
        "rows": lambda: ROWS,
        "per_step": lambda: rows,
        "offset": lambda: 0,
        "data": lambda: whole(256, ROWS, outputs).astype(np.uint8),
        "indices": lambda: whole(ROWS, rows),
        "scale": lambda: normal(outputs),
        "shift": lambda: normal(outputs),
        "source": lambda: normal(rows, outputs),
        "clock": lambda: np.zeros(1, np.int64),
        "ring": lambda: normal(100, 3),
        "slots": lambda: 100,
        "vocabulary": lambda: VOCABULARY,
        "left": lambda: normal(rows, inputs),
        "right": lambda: normal(rows, outputs),
        "joined": lambda: normal(rows, outputs),
    }
    if name in ("integers", "shuffled_rows", "gather_labels", "slot_rows"):
        known["out"] = lambda: np.zeros(rows, np.int64)
    if name in ("batch_moments", "batch_norm_forward", "update_running"):
        known["mean"] = lambda: np.zeros(outputs, np.float32)
    if name in ("batch_norm_backward", "layer_norm_backward"):
        known["scale"] = lambda: np.ones(outputs, np.float32)
    if name.startswith("embed_labels"):
        known["table"] = known["dtable"] = lambda: normal(CLASSES, outputs)
        known["dout"] = known["out"] = lambda: normal(rows, inputs + outputs)
    if name.startswith("bigrams"):
        read = kernels.bigram_columns(outputs, VOCABULARY)
        known["x"] = known["dx"] = lambda: normal(rows, outputs)
        known["read"] = known["dread"] = known["out"] = lambda: normal(rows, read)
    if name == "one_hot_draws":
        known["categories"] = lambda: 16
        known["out"] = lambda: normal(rows, outputs * 16)
    if name == "join_columns":
        known["out"] = lambda: normal(rows, inputs + outputs)
    if name == "mix_rows":
        known["b"] = lambda: normal(rows, outputs)
    if name == "slope_penalty":
        known["losses"] = lambda: normal(2, rows)
    if name == "dense_tangent":
        known["dy"] = lambda: normal(rows, outputs)
    if name in ("power_iteration", "spectral_scale", "spectral_backward"):
        known |= {"inverse": lambda: np.ones(1, np.float32), "out": lambda: normal(inputs, outputs)}
    if name == "sum_of_squares":
        known["out"] = lambda: np.zeros(parts_of(vector), np.float32)
    if name == "add":
        known["source"] = lambda: np.full((rows, outputs), 1e-6, np.float32)
    if name == "dropout":
        known["rate"] = lambda: 0.5
    if name.startswith("maxout"):
        known["z"] = known["dz"] = lambda: normal(rows, PIECES * outputs)
    if name == "gather_labels":
        known["labels"] = lambda: whole(CLASSES, ROWS)
    if name == "one_hot_rows":
        known["data"] = lambda: whole(VOCABULARY, ROWS, outputs // VOCABULARY).astype(np.uint8)
    if name == "grouped_softmax_backward":  # at a certain choice the gradient is 0 at once, never denormal
        known["y"] = lambda: np.tile(np.eye(1, VOCABULARY, dtype=np.float32), (rows, outputs // VOCABULARY))
    if name.startswith("layers_"):
        known |= two_layers(shape, normal)
    wanted = inspect.signature(OPS[name]).parameters
    unknown = [each for each in wanted if each not in known]
    if unknown:
        raise KeyError(f"{name}: no value to time it on for {', '.join(unknown)}; add it to bench/ops.py")
    return {each: known[each]() for each in wanted}


def two_layers(shape: Shape, normal: Callable[..., np.ndarray]) -> dict[str, Callable[[], Any]]:
    """Arguments of the ops that take a whole network: one of two layers, as wide as the shape's outputs."""
    rows, inputs, outputs = shape.rows, shape.inputs, shape.outputs
    first = (inputs + 1) * outputs
    sizes = [(inputs, outputs, 0, inputs * outputs), (outputs, outputs, first, first + outputs * outputs)]
    table = [(*size, kernels.RELU, layer * outputs) for layer, size in enumerate(sizes)]
    vector, arena = first + (outputs + 1) * outputs, 4 * rows * outputs
    known: dict[str, Callable[[], Any]] = {
        "labels": lambda: np.zeros(0, np.int64),
        "layers": lambda: np.array(table, np.int64),
        "max_rows": lambda: 2 * rows,
        "points": lambda: rows,
        "rows": lambda: rows,
        "outputs": lambda: normal(arena),
        "deltas": lambda: normal(arena),
        "curvature": lambda: np.zeros(0, np.float32),
        "biased": lambda: rows,
        "left": lambda: np.ones(inputs + outputs, np.float32),
        "right": lambda: np.ones(2 * outputs, np.float32),
        "inverse": lambda: np.ones(2, np.float32),
        "sums": lambda: np.zeros(inputs + outputs, np.float32),
        "scaled": lambda: normal(vector) / np.float32(vector),
        "square": lambda: np.abs(normal(vector)),
    }
    return known | dict.fromkeys(("params", "grads", "mean"), lambda: normal(vector))


def interpreted(name: str) -> Callable[..., None]:
    """Call the reference so many times: ``f(*arguments, times)``."""
    op = OPS[name]

    def run(*values: Any) -> None:
        for _ in range(values[-1]):
            op(*values[:-1])

    return run


@cache
def compiled(name: str) -> Callable[..., None]:
    """Call the compiled version so many times, from compiled code: ``f(*arguments, times)``."""
    from numba import njit

    op = OPS[name]

    @njit
    def repeat(times, *values):
        for _ in range(times):
            op(*values)

    return lambda *values: repeat(values[-1], *values[:-1])
