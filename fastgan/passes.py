"""A player at work: forward and backward, on views of the network's flat buffers."""

from __future__ import annotations

from fastgan.choice import only_with, where
from fastgan.compiled import part
from fastgan.embedding import carry_to_input, embedded, inputs_read, table_gradient, tangents_read
from fastgan.forms import (
    biases_left,
    hand_down,
    hand_up,
    read_rows,
    run_layer,
)
from fastgan.networks import (
    COUNT,
    FIRST,
    LAYER,
    START,
    STOP,
    TABLE,
    applied,
    applied_parameters,
    last_delta,
    layer_rows,
)
from fastgan_kernels import (
    activation_backward,
    add,
    add_noise,
    conditional_backward_weights,
    dense_backward_weights,
    first_column,
    grouped_softmax,
    grouped_softmax_backward,
    layers_backward_rows,
    layers_forward,
    layers_gradient,
    layers_tangent,
)
from fastgan_kernels.layers import ACTIVATION, OUTPUTS, layer_tangent

# Streams of the noise on logits, apart from those in `state` and `forms`.
DOUBT = 3 * 2**30


@part
def forward(net, x, labels, first=0, batch=None):
    """Run the network on x (rows, inputs), conditional on labels (rows,) unless size 0; a view of its output.

    The arena's rows from `first` on are written. Without a `forms.Batch`, it is run as for samples.
    """
    source, given = embedded(net, x, labels, first)
    source = run_layers(net, source, given, first, batch)
    if net.softmax_group > 0:
        doubt(net, source, first, batch)
        grouped_softmax(source, net.softmax_group)
    return source


def _one_by_one(net, x, labels, first, batch):
    for layer in range(len(net.layers)):
        x = run_layer(net, layer, x, labels, first, batch)
    return x


@where("whole", without=_one_by_one)
def run_layers(net, x, labels, first, batch):
    """What the last layer makes where the first reads x, rows from `first` on, conditional on labels unless size 0."""
    layers_forward(
        x, labels, net.layers, applied_parameters(net), net.slope, net.max_rows, first, net.outputs
    )
    return layer_rows(net, net.outputs, len(net.layers) - 1, len(x), first)


@only_with("undecided")
def doubt(net, logits, first, batch):
    """Add noise to a training batch's logits, rows from `first` on, so that tokens need a margin to be chosen.

    The noise has no gradient; that of the softmax is taken where it led. So do Jang et al. 2017, arXiv 1611.01144,
    section 2.2, with Gumbel's numbers in the place of normal ones.
    """
    if batch is not None:
        gan, noise = batch.gan, net.undecided
        add_noise(logits, noise.deviation, noise.decay_steps, gan.key, gan.clock, DOUBT + batch.draw, first)


@part
def backward(net, x, labels, learn, dx, batch=None):
    """Gradients from the output's delta down: of the parameters if `learn`, of x into `dx` unless that is size 0."""
    backward_rows(net, len(x), 0, dx[:0] if labels.size > 0 else dx, batch)
    if learn:
        gradients(net, x, labels, len(x))


@part
def backward_rows(net, rows, first, dx, batch):
    """Carry the output's delta of some rows down through the layers, and into dx (rows, inputs) unless size 0."""
    last = len(net.layers) - 1
    y, dz = layer_rows(net, net.outputs, last, rows, first), last_delta(net, rows, first)
    if net.softmax_group > 0:
        grouped_softmax_backward(y, dz, net.softmax_group)
    activation_backward(y, dz, net.layers[last, ACTIVATION], net.slope)
    carry_down(net, rows, first, first, dx, batch)


def _down_one_by_one(net, rows, points, deltas, dx, batch):
    last = len(net.layers) - 1
    dz = last_delta(net, rows, deltas)
    for layer in range(last, 0, -1):
        w, _ = applied(net, layer)
        dz = hand_down(net, layer - 1, dz, w, points, deltas, batch)
    carry_to_input(net, dz, points, deltas, dx)


@where("whole", without=_down_one_by_one)
def carry_down(net, rows, points, deltas, dx, batch):
    """Carry deltas below the last activation down, by the outputs of the rows from `points` on, and into dx.

    The deltas of all layers are those of the arena's rows from `deltas` on.
    """
    _carry_whole_down(net, rows, points, deltas, net.curvature[:0], dx)


@part
def _carry_whole_down(net, rows, points, deltas, curvature, dx):
    room, params = (net.max_rows, points, deltas, rows), applied_parameters(net)
    layers_backward_rows(net.deltas, net.layers, params, net.outputs, net.slope, *room, curvature, dx)


def _up_one_by_one(net, x, points, tangents, batch):
    rows, dx = len(x), tangents_read(net, x, points, tangents)
    for layer in range(len(net.layers) - 1):
        w, _ = applied(net, layer)
        activation = net.layers[layer, ACTIVATION]
        y = layer_rows(net, net.outputs, layer, rows, points)
        dy = layer_rows(net, net.outputs, layer, rows, tangents)
        dz = layer_rows(net, net.deltas, layer, rows, tangents)
        curvature = layer_rows(net, net.curvature, layer, rows if net.curvature.size > 0 else 0, points)
        layer_tangent(dx, w, y, dz, activation, net.slope, dy, curvature)
        dx = hand_up(net, layer, dx, dy, points, tangents, batch)


@where("whole", without=_up_one_by_one)
def carry_up(net, x, points, tangents, batch):
    """Carry the tangents x (rows, inputs) up to the last hidden layer, past the outputs of the rows from `points` on.

    Those of all layers are written to the arena's rows from `tangents` on, where the deltas are the slope's.
    """
    room, params = (net.max_rows, points, tangents), applied_parameters(net)
    layers_tangent(x, net.layers, params, net.deltas, net.slope, *room, net.outputs, net.curvature)


def _curvature_one_by_one(net, rows, points, batch):
    last = len(net.layers) - 1
    dz = last_delta(net, rows, points)
    first_column(dz, 0.0)
    for layer in range(last, 0, -1):
        w, _ = applied(net, layer)
        dz = hand_down(net, layer - 1, dz, w, points, points, batch)
        add(layer_rows(net, net.curvature, layer - 1, rows, points), dz)
    carry_to_input(net, dz, points, points, dz[:0])


@where("whole", without=_curvature_one_by_one)
def carry_curvature(net, rows, points, batch):
    """Carry the curvature of all layers down; it becomes the deltas of the rows from `points` on."""
    dz = last_delta(net, rows, points)
    first_column(dz, 0.0)
    _carry_whole_down(net, rows, points, points, net.curvature, dz[:0])


def _one_block_after_another(net, x, labels, biased):
    for block in net.blocks:
        gradient(net, block, x, labels, biased)


@where("whole", without=_one_block_after_another)
def gradients(net, x, labels, biased):
    """Gradients of this thread's parameters, over all rows of x, whose deltas have been carried down.

    The biases see the first `biased` rows alone.
    """
    layers_gradient(net.grads, net.layers, x, labels, net.outputs, net.deltas, net.max_rows, biased)


@part
def gradient(net, block, x, labels, biased):
    """The gradient of one block of parameters; see `gradients`."""
    rows, layer, first = len(x), block[LAYER], block[FIRST]
    if layer == TABLE:
        table_gradient(net, block, x, labels)
        return
    outputs = net.layers[layer, OUTPUTS]
    end = block[START] + block[COUNT] * outputs
    dw = net.grads[block[START] : end].reshape((block[COUNT], outputs))
    db = biases_left(net, layer, net.grads[end : block[STOP]])
    dz = layer_rows(net, net.deltas, layer, rows)
    if biased < rows:
        dense_backward_weights(x[:biased], dz[:biased], dw[:0], db, first)
        db = db[:0]
    if layer > 0:
        dense_backward_weights(read_rows(net, layer - 1, rows), dz, dw, db, first)
        return
    source, given = inputs_read(net, x, labels, 0)
    if given.size > 0:
        conditional_backward_weights(source, given, dz, dw, db, first)
    else:
        dense_backward_weights(source, dz, dw, db, first)
