"""Ops on whole networks: the compiled versions, and that the passes through a network are those of its layers."""

import numpy as np
import pytest

import fastgan_kernels as fk
from fastgan_kernels.layers import arena_rows, layer_parameters

from ..cuda.op_arguments import NETWORK_OPS, SLOPE, network_arguments, table_of_layers
from .helpers import assert_gradient, normals, run_both


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("op", NETWORK_OPS, ids=lambda op: op.__name__)
def test_versions_agree(op, classes, smooth):
    run_both(op, **network_arguments(op, 5, 4, 3, classes=classes, smooth=smooth))


def test_gradient_of_a_penalty_through_a_smooth_network():
    """Of the sum of squares of the slope of the first output, at every parameter, by the four passes of `penalty`."""
    rows, inputs, last = 3, 4, 2
    layers, size, units = table_of_layers([inputs, 5, 6, 1], 0)
    params, x = normals(1, size, dtype=float), normals(2, rows, inputs, dtype=float)
    room, points, tangents = 2 * rows, 0, rows
    outputs, deltas, curvature = (np.zeros(room * units) for _ in range(3))
    given, none = (layers, params, SLOPE, room), np.empty(0, np.int64)

    def rows_of(arena, layer, first):
        return arena_rows(layers, arena, room, layer, first, rows)

    def carry_down(first, bent, dx):
        places = room, points, first, rows
        fk.layers_backward_rows(deltas, layers, params, outputs, SLOPE, *places, bent, dx)

    def slopes():
        fk.layers_forward(x, none, *given, points, outputs)
        y, dx = rows_of(outputs, last, points), np.empty((rows, inputs))
        rows_of(deltas, last, tangents)[...] = y * (1 - y)
        carry_down(tangents, curvature[:0], dx)
        return dx

    dx = slopes()
    fk.layers_tangent(2 * dx, layers, params, deltas, SLOPE, room, points, tangents, outputs, curvature)
    # Where the slope begins, y (1 - y), changes with the last layer too.
    y, (w, _) = rows_of(outputs, last, points), layer_parameters(layers, params, last)
    rows_of(deltas, last, points)[...] = rows_of(outputs, last - 1, tangents) @ w * y * (1 - y) * (1 - 2 * y)
    carry_down(points, curvature, np.empty((0, inputs)))
    grads = np.empty(size)
    fk.layers_gradient(grads, layers, np.concatenate([x, 2 * dx]), none, outputs, deltas, room, rows)
    assert_gradient(grads, lambda: float((slopes() ** 2).sum()), params)
