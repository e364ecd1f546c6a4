"""What the hidden layers of a player do to their outputs before the next layer reads them, and the way back.

A player that does nothing of this has no form, and no machine code for one. What dropout keeps is a function of the
step, of the batch's `draw`, the layer and the row's place in the arena, so that a backward pass makes the same mask.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastgan.choice import where
from fastgan.compiled import part
from fastgan.networks import ACTIVATION, Network, aligned, layer_rows
from fastgan_kernels import dense_backward_rows, dropout

# Streams of the masks of dropout, apart from those in `state`: the discriminator's, then the generator's.
DISCRIMINATOR_MASKS, GENERATOR_MASKS = 2**30, 2**30 + 2**29
# Each batch of a step has a stream for each layer.
MOST_LAYERS = 64


class Form(NamedTuple):
    """What is done to the outputs of hidden layers.

    Parameters
    ----------
    dropout : probability that an output is zeroed in training
    masks : stream of the first mask
    fed : (max_rows * units,) float32: what the next layers read, laid out as the outputs are
    """

    dropout: float
    masks: int
    fed: np.ndarray


class Batch(NamedTuple):
    """A batch in training, which a pass works on: whose seed and step it draws random numbers by, and which it is."""

    gan: Any
    draw: int


def with_form(net: Network, dropout: float, masks: int) -> Network:
    """Return a network with the form that is asked for; a plain one as it is."""
    if dropout == 0:
        return net
    return net._replace(form=Form(dropout, masks, aligned(net.outputs.size)))


@part
def drop(net, layer, y, first, batch, out):
    """Zero some of a layer's outputs y, those of the rows from `first` on, and scale the others up; out may be y."""
    stream = net.form.masks + batch.draw * MOST_LAYERS + layer
    dropout(y, net.form.dropout, batch.gan.key, batch.gan.clock, stream, first, out)


def _as_made(net, layer, y, first, batch):
    return y


@where("form", without=_as_made)
def handed_on(net, layer, y, first, batch):
    """What the next layer reads where this one made y, the rows from `first` on; without a batch, to sample."""
    if batch is None or layer == len(net.layers) - 1:
        return y
    out = layer_rows(net, net.form.fed, layer, len(y), first)
    drop(net, layer, y, first, batch, out)
    return out


def _outputs(net, layer, rows):
    return layer_rows(net, net.outputs, layer, rows)


@where("form", without=_outputs)
def read_rows(net, layer, rows):
    """What the next layer has read of the arena's first rows: (rows, its inputs)."""
    return layer_rows(net, net.form.fed, layer, rows)


def _hand_down(net, layer, dz, w, points, deltas, batch):
    rows = len(dz)
    below = layer_rows(net, net.outputs, layer, rows, points)
    dbelow = layer_rows(net, net.deltas, layer, rows, deltas)
    dense_backward_rows(dz, w, below, net.layers[layer, ACTIVATION], net.slope, dbelow)
    return dbelow


@where("form", without=_hand_down)
def hand_down(net, layer, dz, w, points, deltas, batch):
    """Carry the deltas dz of the layer above, whose weights are w, to before this one's activation.

    Those of all layers are the arena's rows from `deltas` on, at the outputs of the rows from `points` on.
    """
    rows = len(dz)
    below = layer_rows(net, net.outputs, layer, rows, points)
    dbelow = layer_rows(net, net.deltas, layer, rows, deltas)
    dense_backward_rows(dz, w, below, net.layers[layer, ACTIVATION], net.slope, dbelow)
    drop(net, layer, dbelow, points, batch, dbelow)
    return dbelow


def _tangent_as_made(net, layer, dy, points, tangents, batch):
    return dy


@where("form", without=_tangent_as_made)
def hand_up(net, layer, dy, points, tangents, batch):
    """How what the next layer reads moves where this one's outputs move by dy; see `passes.carry_up`."""
    out = layer_rows(net, net.form.fed, layer, len(dy), tangents)
    drop(net, layer, dy, points, batch, out)
    return out
