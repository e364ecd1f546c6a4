"""Normalised hidden layers of a player: batch norm and layer norm, forward and back, shared by a team.

Such a layer's bias is the shift, after which its scale lies. The team shares the rows and, where rows are added up, the
columns, so that a sum does not depend on whose share it is in, and meets in between. Each half of the discriminator's
batch is normalised by its own moments; running ones, which samples are made by, see every batch in training.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastgan.choice import only_with, where
from fastgan.compiled import part
from fastgan.networks import Network, aligned, applied, layer_rows
from fastgan.team import meet, share
from fastgan_kernels import (
    LINEAR,
    add,
    batch_moments,
    batch_norm_backward,
    batch_norm_forward,
    conditional_forward,
    copy,
    dense_forward,
    layer_norm_backward,
    layer_norm_forward,
    norm_parameter_gradients,
    running_inverse,
    update_running,
)
from fastgan_kernels.layers import ACTIVATION, BIAS, OUTPUTS, UNITS

EPSILON = 1e-5
MOMENTUM = 0.1
"""Share of the newest batch in the running moments."""


class Norm(NamedTuple):
    """What normalised layers keep.

    Parameters
    ----------
    of_batch : over the rows of a batch (Ioffe and Szegedy 2015, arXiv 1502.03167), not the columns of a row (Ba et al.
        2016, arXiv 1607.06450)
    normed : (max_rows * units,) float32, the normalised sums, laid out as the outputs are
    row_inverse : (layers, max_rows) float32, one over the deviation of each row's sums, or (0, 0)
    mean, variance : (units,) float32, of the newest batch, or (0,)
    inverse : (2, units) float32, one over the deviations of each half, or (0, 0)
    running : (2, units) float32, running means and variances, or (0, 0)
    dscale, dshift : (2, units) float32, gradients of the parameters by each half of an update
    zeros : (units of the widest layer,) float32, the bias of the sums
    """

    of_batch: bool
    normed: np.ndarray
    row_inverse: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    inverse: np.ndarray
    running: np.ndarray
    dscale: np.ndarray
    dshift: np.ndarray
    zeros: np.ndarray


def build_norm(net: Network, kind: str) -> Norm | None:
    """Room for the normalisation of a network's hidden layers, "batch" or "layer"; None for "none"."""
    if kind == "none":
        return None
    units = int(net.layers[:, OUTPUTS].sum())
    of_batch = kind == "batch"
    columns, halves = (units, 2) if of_batch else (0, 0)
    running = np.zeros((halves, columns), np.float32)
    running[1:] = 1
    return Norm(
        of_batch=of_batch,
        normed=aligned(net.max_rows * units),
        row_inverse=np.zeros((0, 0) if of_batch else (len(net.layers), net.max_rows), np.float32),
        mean=np.zeros(columns, np.float32),
        variance=np.zeros(columns, np.float32),
        inverse=np.zeros((halves, columns), np.float32),
        running=running,
        dscale=np.zeros((2, units), np.float32),
        dshift=np.zeros((2, units), np.float32),
        zeros=np.zeros(int(net.layers[:, OUTPUTS].max()), np.float32),
    )


def norm_of_rows(net: Network, norm: Norm, rows: int) -> Norm:
    """The same normalisation with room of its own for so many rows."""
    own = build_norm(net._replace(max_rows=rows), "batch" if norm.of_batch else "layer")
    assert own is not None
    return own._replace(running=norm.running)


@part
def scale_of(net, vector, layer):
    """View of a normalised layer's scale (outputs,) in `vector`."""
    outputs = net.layers[layer, OUTPUTS]
    start = net.layers[layer, BIAS] + outputs
    return vector[start : start + outputs]


@part
def columns_of(net, layer):
    """First column of a layer, and the one after its last, in what is kept of all columns."""
    return net.layers[layer, UNITS], net.layers[layer, UNITS] + net.layers[layer, OUTPUTS]


@part
def layer_outputs(net, layer, x, labels, first, batch):
    """What a layer that is not normalised makes of x, the rows from `first` on, conditional on labels unless size 0."""
    w, b = applied(net, layer)
    y = layer_rows(net, net.outputs, layer, len(x), first)
    activation = net.layers[layer, ACTIVATION]
    if layer == 0 and labels.size > 0:
        conditional_forward(x, labels, w, b, activation, net.slope, y)
    else:
        dense_forward(x, w, b, activation, net.slope, y)
    return y


def _plain_outputs(form, net, layer, x, labels, first, batch):
    return layer_outputs(net, layer, x, labels, first, batch)


@where("norm", without=_plain_outputs)
def formed_outputs(form, net, layer, x, labels, first, batch):
    """What a layer makes of x, normalised if it is a hidden one; by running moments without a batch."""
    if layer == len(net.layers) - 1:
        return layer_outputs(net, layer, x, labels, first, batch)
    norm, rows, outputs = form.norm, len(x), net.layers[layer, OUTPUTS]
    activation, slope = net.layers[layer, ACTIVATION], net.slope
    w, shift = applied(net, layer)
    scale, zeros = scale_of(net, net.params, layer), norm.zeros[:outputs]
    y = layer_rows(net, net.outputs, layer, rows, first)
    z = layer_rows(net, norm.normed, layer, rows, first)
    if layer == 0 and labels.size > 0:
        conditional_forward(x, labels, w, zeros, LINEAR, slope, z)
    else:
        dense_forward(x, w, zeros, LINEAR, slope, z)
    if not norm.of_batch:
        inverse = norm.row_inverse[layer, first : first + rows]
        layer_norm_forward(z, EPSILON, scale, shift, activation, slope, inverse, y)
        return y
    start, stop = columns_of(net, layer)
    if batch is None:
        mean, inverse = norm.running[0, start:stop], norm.inverse[0, start:stop]
        running_inverse(norm.running[1, start:stop], EPSILON, inverse)
    else:
        mean, inverse = norm.mean[start:stop], norm.inverse[half_of(batch), start:stop]
        measure(net, norm, layer, batch)
    batch_norm_forward(z, mean, inverse, scale, shift, activation, slope, y)
    return y


@part
def half_of(batch):
    """Which half of an update's rows a batch is."""
    return min(batch.place, 1)


@part
def measure(net, norm, layer, batch):
    """Moments of a layer's sums over the whole batch, and the running ones; the team shares the columns, and meets."""
    meet(batch.team)
    start, stop = columns_of(net, layer)
    z = layer_rows(net, norm.normed, layer, batch.rows, batch.place)
    first, last = share(stop - start, batch.team)
    mean, variance = norm.mean[start:stop], norm.variance[start:stop]
    batch_moments(z, first, last, EPSILON, mean, variance, norm.inverse[half_of(batch), start:stop])
    update_running(
        mean[first:last],
        variance[first:last],
        MOMENTUM,
        batch.rows,
        norm.running[0, start + first : start + last],
        norm.running[1, start + first : start + last],
    )
    meet(batch.team)


@only_with("norm")
def denormalise(form, net, layer, dz, first, batch):
    """Turn gradients ahead of a hidden layer's activation into those at its sums, of the arena's rows from `first` on.

    The parameters' gradients by the half that the batch is are kept for `norm_gradients`.
    """
    norm, half = form.norm, half_of(batch)
    start, stop = columns_of(net, layer)
    normed = layer_rows(net, norm.normed, layer, len(dz), first)
    scale = scale_of(net, net.params, layer)
    dscale, dshift = norm.dscale[half, start:stop], norm.dshift[half, start:stop]
    meet(batch.team)
    left, right = share(stop - start, batch.team)
    all_normed = layer_rows(net, norm.normed, layer, batch.rows, batch.place)
    all_dz = layer_rows(net, net.deltas, layer, batch.rows, batch.place)
    norm_parameter_gradients(all_normed, all_dz, left, right, dscale, dshift)
    if half == 0:  # an update begins, which may have no other
        copy(norm.zeros[left:right], norm.dscale[1, start + left : start + right])
        copy(norm.zeros[left:right], norm.dshift[1, start + left : start + right])
    meet(batch.team)
    if norm.of_batch:
        batch_norm_backward(normed, dz, norm.inverse[half, start:stop], scale, dscale, dshift, batch.rows)
    else:
        layer_norm_backward(normed, dz, norm.row_inverse[layer, first : first + len(dz)], scale)


@only_with("norm")
def norm_gradients(form, net, layer, gradient):
    """Gradient of a hidden layer's shift, then of its scale, over all rows that were carried down for an update."""
    norm, outputs = form.norm, net.layers[layer, OUTPUTS]
    start, stop = columns_of(net, layer)
    copy(norm.dshift[0, start:stop], gradient[:outputs])
    add(norm.dshift[1, start:stop], gradient[:outputs])
    copy(norm.dscale[0, start:stop], gradient[outputs:])
    add(norm.dscale[1, start:stop], gradient[outputs:])
