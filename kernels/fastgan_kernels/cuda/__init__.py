"""CUDA kernels of every op, on CuPy arrays: importing this package registers them.

From then on an op that is called on device arrays launches its kernels on CuPy's current stream and returns at once.
The raw kernels, which ``numba.cuda`` compiles for the types of their arguments, and device functions are in the
modules, under the names of the ops' files; their launchers say how many threads each wants.
"""

import importlib.util

from ..dispatch import LAUNCHED
from . import (
    bigrams,
    categories,
    clock,
    columns,
    dense,
    dropout,
    embedding,
    layers,
    learning,
    losses,
    maxout,
    noise,
    normalisation,
    optimisers,
    penalty,
    permutation,
    philox,
    relativistic,
    rows,
    softmax,
    spectral,
    table,
)
from .device import SIMULATED, array_type, copy_to, to_device, to_host

if SIMULATED or importlib.util.find_spec("cupy"):  # without, the raw kernels can still be compiled
    for _op, _function in LAUNCHED.items():
        _op.register(array_type(), _function)  # type: ignore[attr-defined]

__all__ = [
    "bigrams",
    "categories",
    "clock",
    "columns",
    "copy_to",
    "dense",
    "dropout",
    "embedding",
    "layers",
    "learning",
    "losses",
    "maxout",
    "noise",
    "normalisation",
    "optimisers",
    "penalty",
    "permutation",
    "philox",
    "relativistic",
    "rows",
    "softmax",
    "spectral",
    "table",
    "to_device",
    "to_host",
]
