"""A network's table of layers, see `fastgan_kernels.layers`: as constants on the host, and on the device."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import cuda

from ..layers import UNITS
from .device import device_number, to_device, wait


class Layer(NamedTuple):
    """A row of the table."""

    inputs: int
    outputs: int
    weights: int
    bias: int
    activation: int
    units: int


def layers_of(table: np.ndarray) -> tuple[Layer, ...]:
    """A table of layers as constants."""
    return tuple(Layer(*row) for row in table[:, : UNITS + 1].tolist())


def on_device(layers: tuple[Layer, ...], *counts: Sequence[int]) -> Any:
    """The table on the device, with a column more for each of `counts`, of a number a layer: the sum of those before.

    It is made once, for a captured step may not copy from the host, and never given back, for a graph may read it as
    long as there is one.
    """
    return _on_device(layers, tuple(map(tuple, counts)), device_number())


@functools.cache
def _on_device(layers: tuple[Layer, ...], counts: tuple[tuple[int, ...], ...], device: int) -> Any:
    before = [np.cumsum((0, *each))[:-1] for each in counts]
    table = to_device(np.column_stack([layers, *before]))
    wait()  # other streams will read it
    return table


@cuda.jit(device=True)
def layer_of(table, column, place):
    """The layer that a place belongs to, counted over all layers as a column of the table does, and the place there."""
    layer = 0
    while layer < table.shape[0] - 1 and place >= table[layer + 1, column]:
        layer += 1
    return layer, place - table[layer, column]
