"""The floor of a training step: what its arithmetic and its memory traffic take by themselves.

The floor of one half-batch step is the sum of

- its matrix products, each at the rate measured for the same shapes and the same transposition: forward ``y = x w`` of
  every layer, ``dw = x' dy`` of the player that learns, and ``dx = dy w'`` of every layer but a first one, and of D's
  first layer too in G's update, where D's own ``dw`` are not needed. Columns of one-hot labels are not counted: a
  label is a row of weights, gathered;
- the bytes its optimisers must move, 28 a parameter and update (weight, gradient and both moments are read, weight and
  moments written), D being updated twice and G once, at the rate measured for that pattern on arrays as long.

The rate of a product is that of the fastest of SciPy's BLAS called from compiled code, NumPy's BLAS and ``torch.mm``,
each on one thread and on all, and the products of fastgan_kernels on one thread. Each is repeated on the same
operands, so these lie in the fastest cache that holds them; in a step they may not. Of a round's three measurements
the least counts. The way with the best median over the rounds counts, in all of them, and ways are mixed freely.
Nothing is counted for activations, biases, losses, random numbers, gathered rows, calls, and threads that wait for
each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from bench.sizes import Size

BLAS, TORCH = "floor blas", "floor torch"
"""The processes that measure it: contenders of `bench.worker`."""

BYTES = 28
"""Moved by one parameter's update by Adam."""


class Product(NamedTuple):
    """A matrix product: ``nn``: x w; ``tn``: x' dy; ``nt``: dy w'; x (rows, inputs), w (inputs, outputs)."""

    kind: str
    rows: int
    inputs: int
    outputs: int

    @property
    def key(self) -> str:
        """Its name in messages and results."""
        return " ".join(map(str, self))

    @property
    def operations(self) -> int:
        """Multiplications and additions."""
        return 2 * self.rows * self.inputs * self.outputs

    def operands(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Two random float32 matrices as a layer keeps them, and one for the result."""
        random = np.random.default_rng(0)
        x, w, y = (
            random.standard_normal(shape, np.float32)
            for shape in (
                (self.rows, self.inputs),
                (self.inputs, self.outputs),
                (self.rows, self.outputs),
            )
        )
        return {"nn": (x, w, y), "tn": (x, y, w), "nt": (y, w, x)}[self.kind]


def network_layers(size: Size) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """(inputs, outputs) of each layer of G, without label columns, and of D."""
    g = [size.latent_dim, *size.generator, size.columns]
    d = [size.columns, *size.discriminator, 1 + size.classes]
    return list(pairwise(g)), list(pairwise(d))


def products(size: Size) -> Counter[Product]:
    """The matrix products of one step, and how often each is made."""
    g, d = network_layers(size)
    half, batch = size.half, size.batch_size
    made: Counter[Product] = Counter()

    def add(kind: str, rows: int, layers: Sequence[tuple[int, int]]) -> None:
        made.update(Product(kind, rows, *layer) for layer in layers)

    add("nn", half, g)  # fakes for D
    for _ in ("real", "fake"):
        add("nn", half, d)
        add("tn", half, d)
        add("nt", half, d[1:])
    add("nn", batch, g)
    add("nn", batch, d)
    add("nt", batch, d)  # down to G's output
    add("tn", batch, g)
    add("nt", batch, g[1:])
    return made


def updates(size: Size) -> dict[str, tuple[int, int]]:
    """Parameters of each player, label rows and biases included, and its updates in one step."""
    g, d = network_layers(size)
    labels = size.classes * g[0][1]
    count = {"G": labels + sum((i + 1) * o for i, o in g), "D": sum((i + 1) * o for i, o in d)}
    return {"G": (count["G"], 1), "D": (count["D"], 2)}


def memory_key(parameters: int) -> str:
    """Name of one update's traffic."""
    return f"adam {parameters}"


@dataclass
class Floor:
    """Rounds of measurements of one size, and what they add up to."""

    size: Size
    rounds: list[dict[str, dict[str, float]]] = field(default_factory=list)

    description = "the step's matrix products and its optimisers' memory traffic alone"

    def add(self, halves: Sequence[dict[str, dict[str, float]]]) -> None:
        """One round: seconds, by the piece of work and then by the way it was done."""
        merged: dict[str, dict[str, float]] = {}
        for half in halves:
            for work, ways in half.items():
                merged.setdefault(work, {}).update(ways)
        self.rounds.append(merged)

    def counts(self) -> dict[str, int]:
        """How often a step does each piece of work."""
        found = {product.key: count for product, count in products(self.size).items()}
        for parameters, times in updates(self.size).values():
            key = memory_key(parameters)
            found[key] = found.get(key, 0) + times
        return found

    def ways(self) -> dict[str, str]:
        """The fastest way of each piece of work, by the median over the rounds."""
        return {
            work: min(
                self.rounds[0][work],
                key=lambda way: float(np.median([each[work][way] for each in self.rounds])),
            )
            for work in self.counts()
        }

    def seconds(self) -> list[float]:
        """The floor in each round."""
        counts, ways = self.counts(), self.ways()
        return [sum(n * each[work][ways[work]] for work, n in counts.items()) for each in self.rounds]

    def detail(self) -> list[dict[str, Any]]:
        """Each piece of work: how often, by which way, microseconds, and GFLOP/s or GB/s."""
        counts, ways = self.counts(), self.ways()
        amounts = {product.key: product.operations for product in products(self.size)}
        amounts |= {memory_key(n): BYTES * n for n, _ in updates(self.size).values()}
        rows = []
        for work, way in ways.items():
            seconds = float(np.median([each[work][way] for each in self.rounds]))
            rate = amounts[work] / seconds / 1e9
            rows.append(
                {
                    "work": work,
                    "count": counts[work],
                    "way": way,
                    "us": round(1e6 * seconds, 3),
                    "gigas": round(rate, 1),
                }
            )
        return rows
