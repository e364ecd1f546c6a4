"""Spectral normalisation: a layer's weights over their largest singular value, and the gradient through it.

Miyato et al. 2018, arXiv 1802.05957, algorithm 1 and eq. 12. u and v are kept from one iteration to the next; both are
held still while the weights' gradient is taken.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numba.extending import register_jitable

from .dispatch import LOOPS, compiled, op
from .layers import INPUTS, OUTPUTS, UNITS, layer_parameters
from .rows import copy

_LEAST = 1e-12
"""A norm at least, so that weights of zero do no harm."""


@op
def power_iteration(w: np.ndarray, u: np.ndarray, v: np.ndarray, inverse: np.ndarray) -> None:
    """One iteration towards the largest singular value s: ``v = w^T u / |w^T u|``, ``s = |w v|``, ``u = w v / s``.

    Parameters
    ----------
    w : (inputs, outputs) float32
    u : (inputs,) float32, of length 1, updated in place
    v : (outputs,) float32, written
    inverse : (1,) float32, written: 1 / s
    """
    np.matmul(u, w, out=v)
    v *= v.dtype.type(1 / max(float(np.linalg.norm(v)), _LEAST))
    np.matmul(w, v, out=u)
    inverse[0] = 1 / max(float(np.linalg.norm(u)), _LEAST)
    u *= inverse[0]


@njit(**LOOPS)
def _dot(a, b):
    total = a.dtype.type(0)
    for j in range(a.size):
        total += a[j] * b[j]
    return total


@njit(**LOOPS)
def _add_scaled(total, row, factor):
    for j in range(total.size):
        total[j] += row[j] * factor


@njit(**LOOPS)
def _scale(values, factor):
    for j in range(values.size):
        values[j] *= factor


@compiled(power_iteration)
def _power_iteration_cpu(w, u, v, inverse):
    real = w.dtype.type
    v[:] = 0
    for i in range(u.size):
        _add_scaled(v, w[i], u[i])
    _scale(v, real(1 / max(math.sqrt(_dot(v, v)), _LEAST)))
    for i in range(u.size):
        u[i] = _dot(w[i], v)
    inverse[0] = 1 / max(math.sqrt(_dot(u, u)), _LEAST)
    _scale(u, inverse[0])


@op
def spectral_scale(w: np.ndarray, inverse: np.ndarray, out: np.ndarray) -> None:
    """Weights of spectral norm 1: ``out = w * inverse``.

    Parameters
    ----------
    w : (inputs, outputs) float32
    inverse : (1,) float32, from `power_iteration`
    out : (inputs, outputs) float32, written
    """
    np.multiply(w, inverse[0], out=out)


@compiled(spectral_scale)
def _spectral_scale_cpu(w, inverse, out):
    values, into, factor = w.reshape(-1), out.reshape(-1), inverse[0]
    for i in range(into.size):
        into[i] = values[i] * factor


@op
def spectral_backward(
    dw: np.ndarray, scaled: np.ndarray, u: np.ndarray, v: np.ndarray, inverse: np.ndarray, sums: np.ndarray
) -> None:
    """Gradient at the weights from that at the scaled ones, in place: ``dw = (dw - sum(dw * scaled) u v^T) * inverse``.

    Parameters
    ----------
    dw : (inputs, outputs) float32, gradient at `scaled` in, at the weights out
    scaled : (inputs, outputs) float32, what `spectral_scale` made
    u, v, inverse : as `power_iteration` left them
    sums : (inputs,) float32, written: to add up in
    """
    np.sum(dw * scaled, axis=1, out=sums)
    total = sums.dtype.type(sums.sum(dtype=np.float64))
    dw -= total * np.outer(u, v)
    dw *= inverse[0]


@njit(**LOOPS)
def _project_row(row, v, shift, factor):
    for j in range(row.size):
        row[j] = (row[j] - shift * v[j]) * factor


@compiled(spectral_backward)
def _spectral_backward_cpu(dw, scaled, u, v, inverse, sums):
    for i in range(sums.size):
        sums[i] = _dot(dw[i], scaled[i])
    total = 0.0
    for i in range(sums.size):
        total += sums[i]
    total = dw.dtype.type(total)
    for i in range(sums.size):
        _project_row(dw[i], v, total * u[i], inverse[0])


@register_jitable
def spectral_vectors(layers, left, right, layer):
    """Views of one layer's u (inputs,) in `left` and v (outputs,) in `right`."""
    start, units = layers[:layer, INPUTS].sum(), layers[layer, UNITS]
    return left[start : start + layers[layer, INPUTS]], right[units : units + layers[layer, OUTPUTS]]


@op
def layers_spectral_scale(
    params: np.ndarray,
    layers: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    inverse: np.ndarray,
    scaled: np.ndarray,
) -> None:
    """`power_iteration` and `spectral_scale` of every layer of a network; biases stay as they are.

    Parameters
    ----------
    params : (n,) float32
    layers : the table, see `layers`
    left : (inputs of all layers,) float32, the u of each layer, updated in place
    right : (outputs of all layers,) float32, written: the v
    inverse : (layers,) float32, written
    scaled : (n,) float32, written
    """
    for layer in range(len(layers)):
        w, b = layer_parameters(layers, params, layer)
        out, bias = layer_parameters(layers, scaled, layer)
        u, v = spectral_vectors(layers, left, right, layer)
        power_iteration(w, u, v, inverse[layer : layer + 1])
        spectral_scale(w, inverse[layer : layer + 1], out)
        copy(b, bias)


compiled(layers_spectral_scale)(layers_spectral_scale.dispatch(object))


@op
def layers_spectral_backward(
    grads: np.ndarray,
    layers: np.ndarray,
    scaled: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    inverse: np.ndarray,
    sums: np.ndarray,
) -> None:
    """`spectral_backward` of every layer of a network, in place; the biases' gradients stay as they are.

    Parameters
    ----------
    grads : (n,) float32, at `scaled` in, at the parameters out
    layers, left, right, inverse, scaled : as `layers_spectral_scale` left them
    sums : (inputs of all layers,) float32, written: to add up in
    """
    for layer in range(len(layers)):
        dw, _ = layer_parameters(layers, grads, layer)
        applied, _ = layer_parameters(layers, scaled, layer)
        u, v = spectral_vectors(layers, left, right, layer)
        own, _ = spectral_vectors(layers, sums, right, layer)
        spectral_backward(dw, applied, u, v, inverse[layer : layer + 1], own)


compiled(layers_spectral_backward)(layers_spectral_backward.dispatch(object))
