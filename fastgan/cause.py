"""Which number of a training step is the first that is not as it should be: the step again, op by op."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

import fastgan_kernels
from fastgan.networks import END, Network
from fastgan.state import STATISTICS, Gan, lasting
from fastgan_kernels.layers import INPUTS, OUTPUTS, UNITS

if TYPE_CHECKING:
    from fastgan.trainer import Trainer

# What the arrays of a player are called, and how its layers lie in them.
WORDS = {
    "params": ("weights", "params"),
    "grads": ("gradients", "params"),
    "mean": ("moments", "params"),
    "square": ("moments", "params"),
    "average": ("averaged weights", "params"),
    "outputs": ("outputs", "rows"),
    "deltas": ("gradients at the outputs", "rows"),
    "curvature": ("penalty's gradients at the outputs", "rows"),
    "embedding.inputs": ("vectors of labels or tokens", ""),
    "embedding.dinputs": ("gradients at the vectors of labels or tokens", ""),
    "bigrams.inputs": ("tokens and bigrams", ""),
    "bigrams.dinputs": ("gradients at the tokens and bigrams", ""),
    "form.fed": ("outputs", "fed"),
    "form.dfed": ("gradients at the outputs", "fed"),
    "form.norm.normed": ("normalised sums", "rows"),
    "form.norm.row_inverse": ("moments of rows", "layers by rows"),
    "form.norm.mean": ("batch moments", "units"),
    "form.norm.variance": ("batch moments", "units"),
    "form.norm.inverse": ("batch moments", "units"),
    "form.norm.running": ("running moments", "units"),
    "form.norm.dscale": ("gradients", "units"),
    "form.norm.dshift": ("gradients", "units"),
    "running": ("running moments", "units"),
    "spectral.scaled": ("normalised weights", "params"),
    "spectral.left": ("power iteration", "inputs"),
    "spectral.right": ("power iteration", "units"),
    "spectral.inverse": ("power iteration", "layers"),
    "spectral.sums": ("power iteration", "inputs"),
}


class Watched(np.ndarray):
    """An array at which every op looks when it is done with it: its numbers must stay below a limit."""

    limit: float = np.inf

    def __array_finalize__(self, source: Any) -> None:
        self.limit = getattr(source, "limit", np.inf)


class Bad(Exception):  # noqa: N818, not an error but what was looked for
    """An op left a number at this address that is not below the limit."""

    def __init__(self, address: int):
        self.address = address


def first_cause(trainer: Trainer, limit: float) -> str:
    """Make a trainer's next step op by op, on copies, and say where a number is the first not below a limit.

    ``the outputs of layer 2 of 3 of the generator``; empty where there is none, which may be so where another machine
    than NumPy made the step.
    """
    from fastgan.step import TRAIN, perform
    from fastgan.team import alone
    from fastgan.updates import normalise

    kept = {id(array) for array in lasting(trainer.gan_to_read).values()}
    gan = _watched(trainer.gan_to_read, kept, limit)
    _watch_ops()
    statistics = np.zeros((1, len(STATISTICS)), np.float32)
    try:
        with np.errstate(all="ignore"):
            normalise(gan.discriminator, alone(), False)
            perform(TRAIN, gan, trainer.dataset.array, trainer.dataset.labels, statistics)
    except Bad as bad:
        return place_of(bad.address, gan)
    return ""


def place_of(address: int, gan: Gan) -> str:
    """Which quantity of which layer of which player lies there; a loss is the discriminator's last layer's.

    Rows of the data are no player's: a memory map may change while it is learnt from.
    """
    if 0 <= address - gan.real.ctypes.data < gan.real.nbytes:
        return "the rows of the data"
    for player in ("discriminator", "generator"):
        net: Network = getattr(gan, player)
        for name, array in arrays_of(net):
            place = (address - array.ctypes.data) // array.itemsize
            if 0 <= place < array.size:
                words, layout = WORDS.get(name, (name, ""))
                layer = f" of layer {layer_of(net, layout, place) + 1} of {len(net.layers)}" if layout else ""
                return f"the {words}{layer} of the {player}"
    last = len(gan.discriminator.layers)
    return f"the losses at layer {last} of {last} of the discriminator"


def layer_of(net: Network, layout: str, place: int) -> int:
    """The layer that has the element at a place of an array in which layers lie one after the other."""
    units = net.layers[:, UNITS] + net.layers[:, OUTPUTS]
    if layout == "params":
        ends = net.layers[:, END]
    elif layout == "rows":
        ends = units * net.max_rows
    elif layout == "fed":
        assert net.form is not None
        ends = net.form.places.sum(axis=1) * net.max_rows
    elif layout == "inputs":
        ends = net.layers[:, INPUTS].cumsum()
    elif layout == "units":  # once, or once for each half of a batch
        ends, place = units, place % int(units[-1])
    elif layout == "layers by rows":
        return place // net.max_rows
    else:
        return place
    return int(np.searchsorted(ends, place, side="right"))


def arrays_of(values: Any, prefix: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """The arrays of a named tuple and of those within it, with their names."""
    for name, value in values._asdict().items():
        if hasattr(value, "_fields"):
            yield from arrays_of(value, f"{prefix}{name}.")
        elif isinstance(value, np.ndarray):
            yield prefix + name, value


def _watched(values: Any, kept: set[int], limit: float) -> Any:
    """A named tuple with copies of its arrays that are watched, also of those in tuples within it.

    Those that are not to be kept, by their ids, lose what a divergence left in them. Squared gradients have no limit.
    """
    changed = {}
    for name, value in values._asdict().items():
        if hasattr(value, "_fields"):
            changed[name] = _watched(value, kept, limit)
        elif isinstance(value, np.ndarray):
            copy = value.copy() if id(value) in kept else np.nan_to_num(value, posinf=0, neginf=0)
            changed[name] = copy.view(Watched)
            changed[name].limit = np.inf if name == "square" else limit
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
            if isinstance(each, Watched) and each.dtype.kind == "f":
                bad = np.argwhere(~(np.abs(each) < each.limit))
                if len(bad):
                    raise Bad(each.ctypes.data + int(np.dot(bad[0], each.strides)))
        return result

    return run
