"""What the hidden layers of a player do to their outputs before the next layer reads them, and the way back.

A player that does nothing of this has no form, and no machine code for one. What dropout keeps is a function of the
step, of the batch's `draw`, the layer and the row's place in the arena, so that a backward pass makes the same mask.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastgan.choice import only_with, where
from fastgan.compiled import part
from fastgan.networks import Network, aligned, layer_rows
from fastgan.norms import (
    Norm,
    build_norm,
    denormalise,
    formed_outputs,
    layer_outputs,
    norm_gradients,
    norm_of_rows,
)
from fastgan_kernels import (
    LINEAR,
    activation_backward,
    add_columns,
    dense_backward_rows,
    dropout,
    join_columns,
    maxout,
    maxout_backward,
    maxout_tangent,
    take_columns,
)
from fastgan_kernels.layers import ACTIVATION, INPUTS, OUTPUTS

# Streams of the masks of dropout, apart from those in `state`: the discriminator's, then the generator's.
DISCRIMINATOR_MASKS, GENERATOR_MASKS = 2**30, 2**30 + 2**29
# Each batch of a step has a stream for each layer.
MOST_LAYERS = 64

# Columns of a form's table of places.
COLUMNS, BEFORE = range(2)


class Form(NamedTuple):
    """What is done to the outputs of hidden layers.

    Parameters
    ----------
    dropout : probability that an output is zeroed in training
    masks : stream of the first mask
    norm : of the sums, if there is one
    pieces : of maxout, sums for each output; 1 without
    joined : whether a layer hands on its outputs and, beside them, what it has read
    apart : whether the next layer reads anything else than the outputs, from `fed`
    places : (hidden layers, 2) int64: columns that the next layer reads, and those of all layers before it
    fed : (max_rows * columns,) float32: what the next layers read, or size 0
    dfed : the same size, or 0: the loss's gradient there, where it has other columns than that at the sums
    """

    dropout: float
    masks: int
    pieces: int
    joined: bool
    apart: bool
    norm: Norm | None
    places: np.ndarray
    fed: np.ndarray
    dfed: np.ndarray


class Batch(NamedTuple):
    """A batch in training, some rows of which a pass works on.

    Parameters
    ----------
    gan : whose seed and step random numbers are drawn by
    team : that shares its rows
    place, rows : where it lies in the arena
    draw : which of the step's batches it is
    """

    gan: Any
    team: Any
    place: int
    rows: int
    draw: int


def with_form(
    net: Network,
    *,
    dropout: float = 0.0,
    masks: int = 0,
    pieces: int = 1,
    joined: bool = False,
    norm: str = "none",
) -> Network:
    """Return a network with the form that is asked for; a plain one as it is."""
    apart = dropout > 0 or pieces > 1 or joined
    if len(net.layers) == 1 or not (apart or norm != "none"):
        return net
    columns = net.layers[1:, INPUTS]
    size = net.max_rows * int(columns.sum()) if apart else 0
    return net._replace(
        form=Form(
            dropout=dropout,
            masks=masks,
            pieces=pieces,
            joined=joined,
            apart=apart,
            norm=build_norm(net, norm),
            places=np.stack([columns, np.cumsum(columns) - columns], axis=1),
            fed=aligned(size),
            dfed=aligned(size if pieces > 1 or joined else 0),
        )
    )


def with_rows(net: Network, rows: int) -> Network:
    """Return a network with an arena of its own for the outputs of so many rows."""
    own = net._replace(outputs=aligned(rows * int(net.layers[:, OUTPUTS].sum())), max_rows=rows)
    for name in ("embedding", "bigrams"):
        stage = getattr(net, name)
        if stage is not None:
            inputs = aligned(rows * int(net.layers[0, INPUTS]))
            own = own._replace(**{name: stage._replace(inputs=inputs)})
    form = net.form
    if form is None:
        return own
    fed = aligned(rows * int(form.places[:, COLUMNS].sum()) if form.apart else 0)
    norm = norm_of_rows(own, form.norm, rows) if form.norm else None
    return own._replace(form=form._replace(fed=fed, norm=norm))


def running_moments(net: Network) -> np.ndarray | None:
    """Running means and variances (2, units) float32 of a network with batch norm, its own array; else None."""
    norm = net.form.norm if net.form else None
    return norm.running if norm and norm.of_batch else None


def with_running(net: Network, running: np.ndarray | None) -> Network:
    """Return the network with these running moments, not copied, in the place of its own."""
    if running is None or net.form is None or net.form.norm is None:
        return net
    return net._replace(form=net.form._replace(norm=net.form.norm._replace(running=running)))


@part
def fed_rows(net, arena, layer, rows, first):
    """View of some rows of what a hidden layer hands on, from row `first` on, in an arena of those: (rows, columns)."""
    columns = net.form.places[layer, COLUMNS]
    start = net.form.places[layer, BEFORE] * net.max_rows + first * columns
    return arena[start : start + rows * columns].reshape((rows, columns))


@part
def drop(net, layer, y, first, batch, out):
    """Zero some of a layer's outputs y, those of the rows from `first` on, and scale the others up; out may be y."""
    if net.form.dropout > 0:
        stream = net.form.masks + batch.draw * MOST_LAYERS + layer
        dropout(y, net.form.dropout, batch.gan.key, batch.gan.clock, stream, first, out)


@where("form", without=layer_outputs)
def run_layer(net, layer, x, labels, first, batch):
    """What a layer hands on where it reads x, the rows from `first` on, conditional on labels unless size 0."""
    form = net.form
    y = formed_outputs(form, net, layer, x, labels, first, batch)
    if layer == len(net.layers) - 1 or not form.apart:
        return y
    out = fed_rows(net, form.fed, layer, len(y), first)
    if form.joined:
        join_columns(y, x, out)
        return out
    if form.pieces > 1:
        maxout(y, form.pieces, out)
        y = out
    if batch is None:
        return y
    drop(net, layer, y, first, batch, out)
    return out


def _outputs(net, layer, rows):
    return layer_rows(net, net.outputs, layer, rows)


@where("form", without=_outputs)
def read_rows(net, layer, rows):
    """What the next layer has read of the arena's first rows: (rows, its inputs)."""
    if net.form.apart:
        return fed_rows(net, net.form.fed, layer, rows, 0)
    return layer_rows(net, net.outputs, layer, rows)


def _hand_down(net, layer, dz, w, points, deltas, batch):
    rows = len(dz)
    below = layer_rows(net, net.outputs, layer, rows, points)
    dbelow = layer_rows(net, net.deltas, layer, rows, deltas)
    dense_backward_rows(dz, w, below, net.layers[layer, ACTIVATION], net.slope, dbelow)
    return dbelow


@where("form", without=_hand_down)
def hand_down(net, layer, dz, w, points, deltas, batch):
    """Carry the deltas dz of the layer above, whose weights are w, to this one's sums.

    Those of all layers are the arena's rows from `deltas` on, at the outputs of the rows from `points` on.
    """
    rows = len(dz)
    below = layer_rows(net, net.outputs, layer, rows, points)
    dbelow = layer_rows(net, net.deltas, layer, rows, deltas)
    form = net.form
    if form.joined:
        dout = fed_rows(net, form.dfed, layer, rows, deltas)
        dense_backward_rows(dz, w, dout[:0], LINEAR, net.slope, dout)
        if layer < len(net.layers) - 2:
            pass_by(net, layer + 1, deltas, dout)
        take_columns(dout, 0, dbelow)
        activation_backward(below, dbelow, net.layers[layer, ACTIVATION], net.slope)
    elif form.pieces > 1:
        dout = fed_rows(net, form.dfed, layer, rows, deltas)
        dense_backward_rows(dz, w, dout[:0], LINEAR, net.slope, dout)
        drop(net, layer, dout, points, batch, dout)
        maxout_backward(below, form.pieces, dout, dbelow)
    else:
        dense_backward_rows(dz, w, below, net.layers[layer, ACTIVATION], net.slope, dbelow)
        drop(net, layer, dbelow, points, batch, dbelow)
    denormalise(form, net, layer, dbelow, deltas, batch)
    return dbelow


def _biases(net, layer, gradient):
    return gradient


@where("form", without=_biases)
def biases_left(net, layer, gradient):
    """The part of a layer's gradient that its biases still need, of which a normalised layer has made its own."""
    if net.form.norm is None or layer == len(net.layers) - 1 or gradient.size == 0:
        return gradient
    norm_gradients(net.form, net, layer, gradient)
    return gradient[:0]


@part
def pass_by(net, layer, deltas, dx):
    """Add to the deltas dx at what a joined layer has read those that went past it."""
    joined = fed_rows(net, net.form.dfed, layer, len(dx), deltas)
    add_columns(joined, net.layers[layer, OUTPUTS], dx)


@only_with("form")
def hand_to_input(net, deltas, dx):
    """Add to the deltas dx at the network's input those that went past the first layer."""
    if net.form.joined:
        pass_by(net, 0, deltas, dx)


def _tangent_as_made(net, layer, dx, dy, points, tangents, batch):
    return dy


@where("form", without=_tangent_as_made)
def hand_up(net, layer, dx, dy, points, tangents, batch):
    """How what the next layer reads moves where this one's inputs and outputs move by dx and dy.

    See `passes.carry_up`.
    """
    form, rows = net.form, len(dy)
    out = fed_rows(net, form.fed, layer, rows, tangents)
    if form.joined:
        join_columns(dy, dx, out)
        return out
    if form.pieces > 1:
        maxout_tangent(layer_rows(net, net.outputs, layer, rows, points), form.pieces, dy, out)
        dy = out
    drop(net, layer, dy, points, batch, out)
    return out
