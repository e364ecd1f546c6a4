"""A player: its parameters as one flat vector, the table that finds each layer in it, and its optimiser's state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fastgan.choice import where
from fastgan.compiled import part
from fastgan.errors import UserError
from fastgan.team import GROUP
from fastgan_kernels import ACTIVATIONS, LEAKY_RELU, LINEAR, RELU
from fastgan_kernels.layers import ACTIVATION, BIAS, INPUTS, OUTPUTS, UNITS, WEIGHTS
from fastgan_kernels.optimisers import parts_of

if TYPE_CHECKING:
    from fastgan.bigrams import Bigrams
    from fastgan.embedding import Embedding
    from fastgan.forms import Form

ADAM, SGD, RMSPROP = range(3)
OPTIMISERS = {"adam": ADAM, "sgd": SGD, "rmsprop": RMSPROP}

# A network's layer table has one more column than the ops of `fastgan_kernels.layers` read.
END = UNITS + 1

# Columns of its table of blocks: a layer, rows of its weights, the parameters from the first of these to the last (the
# last block of a layer ends with its bias and scale), and those that the optimiser moves once the block's gradient is
# there.
LAYER, FIRST, COUNT, START, STOP, MOVE_START, MOVE_STOP = range(7)
TABLE = -1  # in the place of a layer: the table of an embedding, which comes before them

# Parameters of a block: its gradient and moments stay in a core's cache while the block is updated.
BLOCK = 2**17


class Optimiser(NamedTuple):
    """Constants of one player's optimiser; what changes from update to update stands in `Network`."""

    code: int
    initial_rate: float
    beta1: float
    beta2: float
    momentum: float
    rho: float
    epsilon: float
    warmup_steps: float  # training steps until the rate is reached; 0: at once
    decay_start: float  # training steps
    decay_steps: float  # training steps until the rate is zero; 0: no decay
    cosine: bool  # decay along a cosine, not along a straight line
    weight_decay: float
    clip_norm: float  # norm of a gradient at most; 0: any
    average_decay: float  # of the average of the parameters, if there is one


class Spectral(NamedTuple):
    """What spectral normalisation keeps.

    Parameters
    ----------
    scaled : (n,) float32, parameters whose weights have spectral norm 1: these are what the network applies
    left : (inputs of all layers,) float32; right : (outputs of all layers,) float32, the vectors of the power iteration
    inverse : (layers,) float32, one over each layer's largest singular value
    sums : (inputs of all layers,) float32, to add up in
    """

    scaled: np.ndarray
    left: np.ndarray
    right: np.ndarray
    inverse: np.ndarray
    sums: np.ndarray


class Noise(NamedTuple):
    """Normal noise: its standard deviation, and the training steps in which that falls to zero; 0: it stays."""

    deviation: float
    decay_steps: float


class Network(NamedTuple):
    """A dense network as flat buffers; every buffer is allocated once.

    Parameters
    ----------
    layers : (layers, 7) int64: inputs (labels included), outputs, offsets of weights and bias, activation, the units
        of all layers before it, which places its activations in the arena, and the offset after its last parameter
    params, grads, mean, square : (n,) float32: parameters, gradients, optimiser moments (momentum's velocity is mean)
    average : (n,) float32, moving average of the parameters, or size 0
    squares : (parts,) float32, squared norms of parts of the gradient where that is clipped, or size 0
    outputs, deltas : (max_rows * units,) float32: each layer's outputs, and the loss's gradient there
    curvature : the same size, or 0: what a penalty on a smooth network's slope adds to the deltas
    blocks : (blocks, 7) int64: the parameters that one thread updates, as all do in the network of a single thread
    at_once : whether a block's parameters can move before the gradients of others are there
    rate : (1,) float32, learning rate of the newest update
    updates : (1,) int64, updates made
    slope : of leaky ReLU below zero
    softmax_group : columns in each group of a final softmax; 0 without one
    undecided : noise on its logits in training, None without
    whole : whether all layers are run by one op, as a device does it; None: one by one
    """

    layers: np.ndarray
    params: np.ndarray
    grads: np.ndarray
    mean: np.ndarray
    square: np.ndarray
    average: np.ndarray
    squares: np.ndarray
    spectral: Spectral | None
    form: Form | None
    embedding: Embedding | None
    bigrams: Bigrams | None
    undecided: Noise | None
    whole: bool | None
    outputs: np.ndarray
    deltas: np.ndarray
    curvature: np.ndarray
    blocks: np.ndarray
    rate: np.ndarray
    updates: np.ndarray
    at_once: bool
    max_rows: int
    slope: float
    softmax_group: int
    optimiser: Optimiser


def aligned(size: int) -> np.ndarray:
    """Zeros, (size,) float32, at a multiple of 64 bytes: the same products wherever the buffer lands."""
    try:
        raw = np.zeros(size * 4 + 64, np.uint8)
    except (MemoryError, ValueError, OverflowError):
        raise UserError(
            f"{size} float32 numbers do not fit into memory; give narrower layers or a smaller batch_size"
        ) from None
    start = -raw.ctypes.data % 64
    return raw[start : start + size * 4].view(np.float32)


def build_network(
    widths: Sequence[int],
    activations: Sequence[str],
    *,
    max_rows: int,
    slope: float,
    optimiser: Optimiser,
    softmax_group: int = 0,
    curved: bool = False,
    spectral: bool = False,
    pieces: int = 1,
    joined: bool = False,
    normed: bool = False,
    classes: int = 0,
    table: tuple[int, int] = (0, 0),
) -> Network:
    """Lay out a network with these layer widths (inputs first) and the activation of each layer after the inputs.

    A layer of maxout makes `pieces` sums for each of its outputs, which `forms` turns into these; a joined one hands on
    what it has read as well, but for the label, one of `classes`; a normed one has scales after its biases. An
    embedding's `table` of so many entries and numbers in each comes before the layers.
    """
    rows: list[tuple[int, ...]] = []
    entries, width = table
    offset, units = entries * width, 0
    inputs = widths[0]
    for width, activation in zip(widths[1:], activations, strict=True):
        outputs = width * pieces if activation == "maxout" else width
        bias = offset + inputs * outputs
        scales = outputs if normed and len(rows) < len(activations) - 1 else 0
        end = bias + outputs + scales
        rows.append((inputs, outputs, offset, bias, ACTIVATIONS.get(activation, LINEAR), units, end))
        offset = end
        units += outputs
        inputs = width + (inputs - classes if joined else 0)
        classes = 0
    params = aligned(offset)
    layers = np.array(rows, np.int64)
    return Network(
        layers=layers,
        params=params,
        grads=aligned(offset),
        mean=aligned(offset),
        square=aligned(offset),
        average=aligned(offset if optimiser.average_decay > 0 else 0),
        squares=np.zeros(parts_of(offset) if optimiser.clip_norm > 0 else 0, np.float32),
        spectral=_spectral(layers, offset) if spectral else None,
        form=None,
        embedding=None,
        bigrams=None,
        undecided=None,
        whole=None,
        outputs=aligned(max_rows * units),
        deltas=aligned(max_rows * units),
        curvature=aligned(max_rows * units if curved else 0),
        blocks=share_out(layers, 1, entries)[0],
        rate=np.zeros(1, np.float32),
        updates=np.zeros(1, np.int64),
        at_once=not spectral and optimiser.clip_norm == 0,
        max_rows=max_rows,
        slope=slope,
        softmax_group=softmax_group,
        optimiser=optimiser,
    )


def _spectral(layers: np.ndarray, size: int) -> Spectral:
    """Room for the spectral normalisation of layers with `size` parameters."""
    inputs, outputs = layers[:, :2].sum(axis=0).tolist()
    return Spectral(
        scaled=aligned(size),
        left=aligned(inputs),
        right=aligned(outputs),
        inverse=np.zeros(len(layers), np.float32),
        sums=aligned(inputs),
    )


def share_out(layers: np.ndarray, threads: int, entries: int = 0) -> list[np.ndarray]:
    """Cut the parameters into blocks, (blocks, 7) int64 for each thread, as many parameters for each as can be.

    Before the layers lies a table of so many entries.
    """
    total = int(layers[-1, END])
    most = min(BLOCK, -(-total // (2 * threads)) if threads > 1 else BLOCK)
    blocks = []
    parts = [(layer, *row[:4], row[END]) for layer, row in enumerate(layers.tolist())]
    if entries:
        before = int(layers[0, WEIGHTS])
        parts.insert(0, (TABLE, entries, before // entries, 0, before, before))
    for layer, inputs, outputs, weights, bias, end in parts:
        height = max(1, most // outputs // GROUP) * GROUP
        for first in range(0, inputs, height):
            count = min(height, inputs - first)
            start, stop = weights + first * outputs, weights + (first + count) * outputs
            stop = stop if stop < bias else end
            blocks.append((layer, first, count, start, stop, start, stop))
    table = np.array(blocks, np.int64)
    middle = (table[:, START] + table[:, STOP]) / 2
    return [table[middle * threads // total == rank] for rank in range(threads)]


def whole_layers(layers: np.ndarray, entries: int = 0) -> np.ndarray:
    """Blocks for a machine that is fastest on much at once: a layer each, and all parameters move after the last."""
    table = np.zeros((len(layers), 7), np.int64)
    table[:, LAYER], table[:, COUNT] = np.arange(len(layers)), layers[:, INPUTS]
    table[:, START], table[:, STOP] = layers[:, WEIGHTS], layers[:, END]
    table[-1, MOVE_STOP] = layers[-1, END]
    if entries:
        return np.vstack([[(TABLE, 0, entries, 0, layers[0, WEIGHTS], 0, 0)], table])
    return table


def is_plain(net: Network) -> bool:
    """Whether each layer reads what the one before made, and nothing is done to that on the way."""
    return net.form is None and net.embedding is None and net.bigrams is None


def entries_of(net: Network) -> int:
    """Entries of the table that lies before the layers; 0 without one."""
    return net.embedding.entries if net.embedding else 0


def initialise(net: Network, method: str, std: float, random: np.random.Generator) -> None:
    """Draw the weights: `he` (He et al. 2015, eq. 10), `glorot` (Glorot and Bengio 2010, eq. 16) or `normal`.

    Biases are zero, scales one. He's variance is ``2 / inputs`` under relu and leaky relu and ``1 / inputs`` otherwise.
    """
    for layer in range(len(net.layers)):
        w, b = weights(net, net.params, layer)
        inputs, outputs = w.shape
        rectified = net.layers[layer, ACTIVATION] in (RELU, LEAKY_RELU)
        if method == "glorot":
            limit = np.sqrt(6 / (inputs + outputs))
            w[...] = random.uniform(-limit, limit, w.shape)
        else:
            spread = np.sqrt((2 if rectified else 1) / inputs) if method == "he" else std
            w[...] = random.normal(0, spread, w.shape)
        b[...] = 0
        net.params[net.layers[layer, BIAS] + outputs : net.layers[layer, END]] = 1
    net.average[:] = net.params[: net.average.size]


# The next two do what `layer_parameters` and `arena_rows` of `fastgan_kernels.layers` do; to call these from here, one
# function deeper, takes a small step 4 % longer.


@part
def weights(net, vector, layer):
    """Views of one layer's weights (inputs, outputs) and bias (outputs,) in `vector`."""
    inputs, outputs = net.layers[layer, INPUTS], net.layers[layer, OUTPUTS]
    start, bias = net.layers[layer, WEIGHTS], net.layers[layer, BIAS]
    return vector[start:bias].reshape((inputs, outputs)), vector[bias : bias + outputs]


def _parameters(net):
    return net.params


@where("spectral", without=_parameters)
def applied_parameters(net):
    """What the layers apply, (n,): the parameters, normalised if they are to be."""
    return net.spectral.scaled


@part
def applied(net, layer):
    """Views of the weights and bias that a layer applies."""
    return weights(net, applied_parameters(net), layer)


@part
def layer_rows(net, arena, layer, rows, first=0):
    """View of `rows` rows of one layer in an arena, from row `first` on: (rows, outputs)."""
    outputs = net.layers[layer, OUTPUTS]
    start = net.layers[layer, UNITS] * net.max_rows + first * outputs
    return arena[start : start + rows * outputs].reshape((rows, outputs))


@part
def input_rows(net, arena, rows, first):
    """View of some rows that the first layer reads, from row `first` on, in an arena of those: (rows, inputs)."""
    columns = net.layers[0, INPUTS]
    return arena[first * columns : (first + rows) * columns].reshape((rows, columns))


@part
def last_delta(net, rows, first=0):
    """Where the loss writes its gradient at the network's output: (rows, outputs)."""
    return layer_rows(net, net.deltas, len(net.layers) - 1, rows, first)


@part
def last_output(net, rows):
    """What the network made of `rows` rows: (rows, outputs)."""
    return layer_rows(net, net.outputs, len(net.layers) - 1, rows)
