"""What broke first in a training that diverged: its last steps again, op by op."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import fastgan_kernels
from fastgan.networks import END, OUTPUTS, UNITS, Network
from fastgan.state import STATISTICS

if TYPE_CHECKING:
    from fastgan.checkpoint import Stored
    from fastgan.trainer import Trainer

MOST_SECONDS = 60.0
"""Who would have to train for longer to come to the step in question is told less."""

LIMIT = 1e6
"""A loss or score of this size has run away: its logit has five digits left of the seven that float32 holds."""

# Statistics that may be as large as they like, as long as they are finite.
_UNLIMITED = ("d_penalty", "d_slope")

_QUANTITIES = {
    "params": "weights",
    "grads": "gradient",
    "mean": "optimiser's moments",
    "square": "optimiser's moments",
    "average": "averaged weights",
    "outputs": "outputs",
    "deltas": "gradient at the outputs",
}


def first_bad(statistics: np.ndarray) -> tuple[int, int] | None:
    """Where the first figure of statistics (steps, 11) is that is not finite or has run away; None if none has."""
    limits = [np.inf if name in _UNLIMITED else LIMIT for name in STATISTICS]
    bad = np.argwhere(~(np.abs(statistics) < limits))
    return (int(bad[0, 0]), int(bad[0, 1])) if len(bad) else None


class Watched(np.ndarray):
    """An array that every op looks at when it is done with it."""


class Bad(Exception):  # noqa: N818, not an error but what was looked for
    """An op left a number that is not finite in this array."""

    def __init__(self, array: np.ndarray):
        self.array = array


def first_cause(trainer: Trainer, step: int, stored: Stored | None, seconds: float) -> str:
    """Name what was first not finite when `trainer` came to `step`, in words; empty if that cannot be found.

    A trainer like it makes the steps again, from a checkpoint or else from the first one on, the last two of them on
    NumPy arrays.

    Parameters
    ----------
    seconds : that a step takes
    """
    from fastgan.checkpoint import restore
    from fastgan.step import TRAIN, perform
    from fastgan.trainer import Trainer

    first = stored.step if stored else 0
    if (step - first) * seconds > MOST_SECONDS:
        return ""
    again = Trainer(trainer.settings, trainer.dataset, keep_history=False)
    if stored:
        restore(again, stored)
    with np.errstate(all="ignore"):
        again.repeat(max(0, step - 2 - first))
        gan = _watched(again.gan)
        _watch_ops()
        try:
            statistics = np.zeros((3, len(STATISTICS)), np.float32)
            perform(TRAIN, gan, trainer.dataset.array, trainer.dataset.labels, statistics)
        except Bad as bad:
            return _place_of(bad.array, again)
    return ""


def _place_of(array: np.ndarray, trainer: Trainer) -> str:
    """Which quantity of which layer of which player lies there."""
    address = array.ctypes.data
    for player in ("discriminator", "generator"):
        net: Network = getattr(trainer.gan, player)
        for name, quantity in _QUANTITIES.items():
            buffer = getattr(net, name)
            offset = (address - buffer.ctypes.data) // buffer.itemsize
            if buffer.size and 0 <= offset < buffer.size:
                if name in ("outputs", "deltas"):
                    ends = (net.layers[:, UNITS] + net.layers[:, OUTPUTS]) * net.max_rows
                else:
                    ends = net.layers[:, END]
                layer = int(np.searchsorted(ends, offset, side="right"))
                return f"the {quantity} of layer {layer + 1} of {len(net.layers)} of the {player}"
    return ""


def _watched(values: Any) -> Any:
    """A named tuple with its arrays, also those of tuples in it, as views that are watched."""
    changed = {}
    for name, value in values._asdict().items():
        if hasattr(value, "_fields"):
            changed[name] = _watched(value)
        elif isinstance(value, np.ndarray):
            changed[name] = value.view(Watched)
    return values._replace(**changed)


def _watch_ops() -> None:
    """Have every op look at watched arrays; on others they do what they did."""
    for name in fastgan_kernels.__all__:
        op = getattr(fastgan_kernels, name)
        if hasattr(op, "registry") and Watched not in op.registry:
            op.register(Watched, _looking(op.dispatch(np.ndarray)))


def _looking(reference: Any) -> Any:
    def run(*arguments: Any) -> Any:
        plain = (each.view(np.ndarray) if isinstance(each, Watched) else each for each in arguments)
        result = reference(*plain)
        for each in arguments:
            if isinstance(each, Watched) and each.dtype.kind == "f" and not np.isfinite(each).all():
                raise Bad(each)
        return result

    return run
