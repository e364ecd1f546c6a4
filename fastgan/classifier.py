"""A small dense classifier of real rows, which judges whether generated rows show the class asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from fastgan.backends import blas_threads
from fastgan.compiled import compiled
from fastgan.data.dataset import DataSpec
from fastgan.networks import (
    ADAM,
    Network,
    Optimiser,
    build_network,
    initialise,
    last_delta,
    layer_rows,
)
from fastgan.passes import backward, forward
from fastgan.updates import update
from fastgan_kernels import softmax_cross_entropy

HIDDEN = 256
BATCH_SIZE = 128
STEPS = 4000
MOST_ROWS = 100_000

NO_LABELS = np.empty(0, np.int64)


class Classifier(NamedTuple):
    """A dense network width-256-classes with ReLU, which judges rows (n, width) in data units."""

    net: Network
    spec: DataSpec

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Return the likeliest class (n,) int64 of each row."""
        return np.concatenate([self._logits(batch).argmax(axis=1) for batch in self._batches(rows)])

    def features(self, rows: np.ndarray) -> np.ndarray:
        """Return what the hidden layer makes of each row, (n, 256) float32."""
        hidden = []
        for batch in self._batches(rows):
            self._logits(batch)
            hidden.append(layer_rows(self.net, self.net.outputs, 0, len(batch)).copy())
        return np.concatenate(hidden)

    def accuracy(self, rows: np.ndarray, labels: np.ndarray) -> float:
        """Share of rows whose predicted class is their label."""
        return float((self.predict(rows) == labels).mean())

    def _batches(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        size = self.net.max_rows
        return (rows[start : start + size] for start in range(0, len(rows), size))

    @blas_threads(1)  # products of other numbers of threads differ in their last digit
    def _logits(self, rows: np.ndarray) -> np.ndarray:
        return forward(self.net, self.spec.to_network_units(rows), NO_LABELS)


def train_classifier(rows: np.ndarray, labels: np.ndarray, spec: DataSpec, seed: int = 0) -> Classifier:
    """Train on rows (n, width) in data units and labels (n,); the same seed gives the same classifier.

    4,000 steps of Adam on batches of 128, each pass over the rows in a new order, the learning rate falling
    linearly from 0.001 to zero.
    """
    random = np.random.default_rng(seed)
    if len(rows) > MOST_ROWS:
        kept = np.sort(random.choice(len(rows), MOST_ROWS, replace=False))
        rows, labels = rows[kept], labels[kept]
    batch = min(BATCH_SIZE, len(rows))
    net = build_classifier(spec, batch, random)
    per_pass = len(rows) // batch
    orders = [random.permutation(len(rows))[: per_pass * batch] for _ in range(-(-STEPS // per_pass))]
    order = np.concatenate(orders)[: STEPS * batch].reshape(STEPS, batch)
    train_steps(net, spec.to_network_units(rows), labels.astype(np.int64), order, NO_LABELS)
    return Classifier(net, spec)


def build_classifier(spec: DataSpec, batch_size: int, random: np.random.Generator) -> Network:
    """Return an untrained network for `batch_size` rows at a time."""
    net = build_network(
        [spec.network_width, HIDDEN, spec.n_classes],
        ["relu", "linear"],
        max_rows=batch_size,
        slope=0.0,
        optimiser=Optimiser(
            code=ADAM,
            initial_rate=1e-3,
            beta1=0.9,
            beta2=0.999,
            momentum=0.0,
            rho=0.0,
            epsilon=1e-8,
            warmup_steps=0.0,
            decay_start=0.0,
            decay_steps=float(STEPS),
            cosine=False,
            weight_decay=0.0,
            clip_norm=0.0,
            average_decay=0.0,
        ),
    )
    initialise(net, "he", 0.0, random)
    return net


@compiled
def train_steps(
    net: Network, rows: np.ndarray, labels: np.ndarray, order: np.ndarray, no_labels: np.ndarray
) -> None:
    """Train `net` in place, a step for every row of indices in `order` (steps, batch)."""
    loss = np.empty(1, np.float32)
    clock = np.zeros(1, np.int64)
    for step in range(len(order)):
        x = rows[order[step]]
        logits = forward(net, x, no_labels)
        softmax_cross_entropy(logits, labels[order[step]], last_delta(net, len(x)), loss)
        backward(net, x, no_labels, True, x[:0])
        update(net, clock)
        clock[0] += 1
