"""One size as every contender gets it: data, initial weights, a batch, and the gradients that belong to them.

fastgan's reference, the interpreted step on NumPy arrays, makes it once and writes it to a file; the processes of the
contenders read that file, so that those of other frameworks need nothing of fastgan.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.sizes import Size

ROLES = ("d_real", "d_fake", "g")
"""The three updates of a step, in their order."""

KINK = 1e-6
"""Several roundings of a float32 sum of a thousand products of order one."""

SEEDS = 60
"""Tried to keep away from kinks; most sizes need one, a million hidden units some ten."""

Layers = list[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Batch:
    """What one update sees: rows in network units (n, columns) or latent vectors (n, latent_dim), and labels."""

    x: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Problem:
    """All that a contender needs to make the same steps as the others.

    Parameters
    ----------
    rows, labels : (n, columns) float32 in network units, and (n,) int64, or (0,) without classes
    generator, discriminator : weights (inputs, outputs) and bias of each layer; a generator's inputs are the latent
        vector, then the one-hot label
    batches : what each of `ROLES` sees in the check of gradients
    gradients : flat, each layer's weights then bias, at the initial weights
    knobs : rates, beta1, beta2, epsilon, slope, seed, and the generator's last activation
    """

    size: Size
    rows: np.ndarray
    labels: np.ndarray
    generator: Layers
    discriminator: Layers
    batches: dict[str, Batch]
    gradients: dict[str, np.ndarray]
    knobs: dict[str, Any]

    def errors(self, gradients: dict[str, np.ndarray]) -> dict[str, float]:
        """Largest difference of each role's gradient, relative to the largest gradient; infinite where not finite."""
        found = {}
        for role in ROLES:
            expected, actual = self.gradients[role], np.asarray(gradients[role])
            if expected.shape != actual.shape:
                raise ValueError(f"{role}: {actual.size} gradients, expected {expected.size}")
            error = float(np.abs(actual - expected).max() / np.abs(expected).max())
            found[role] = error if np.isfinite(error) else float("inf")
        return found


def flat(layers: Any) -> np.ndarray:
    """Weights (inputs, outputs) and bias of each layer as one vector, as fastgan keeps them."""
    return np.concatenate([np.asarray(each).ravel() for layer in layers for each in layer])


def layers_of(net: Any, vector: np.ndarray) -> Layers:
    """Copies of each layer's weights and bias in one of a network's flat vectors."""
    from fastgan.networks import weights

    count = len(net.layers)
    return [tuple(each.copy() for each in weights(net, vector, layer)) for layer in range(count)]  # type: ignore


def perform_roles(trainer: Any, real: np.ndarray, labels: np.ndarray) -> dict[str, tuple[np.ndarray, Batch]]:
    """Each role's gradient at the trainer's weights, and the batch that it saw; the weights stay as they were."""
    from fastgan import step

    actions = {
        "d_real": step.TRAIN_DISCRIMINATOR_REAL,
        "d_fake": step.TRAIN_DISCRIMINATOR_FAKE,
        "g": step.TRAIN_GENERATOR,
    }
    gan, none = trainer.gan, trainer.dataset.labels[:0]
    players = (gan.generator, gan.discriminator)
    before = [net.params.copy() for net in players]
    found = {}
    for role, action in actions.items():
        is_real = role == "d_real"
        trainer.perform(action, real if is_real else real[:0], labels if is_real else none)
        gan = trainer.gan  # brings back what a device made
        rows = len(gan.latent) if role == "g" else len(real)
        if is_real:
            batch = Batch(trainer.dataset.spec.to_network_units(real).astype(np.float32), labels.copy())
        else:
            batch = Batch(gan.latent[:rows].copy(), gan.latent_labels[:rows].copy())
        found[role] = (gan.generator if role == "g" else gan.discriminator).grads.copy(), batch
        for player, params in zip(players, before, strict=True):
            player.params[:] = params
    return found


def kink_distance(problem_layers: dict[str, Layers], batches: dict[str, Batch], slope: float) -> float:
    """The smallest input, in float64, that any hidden unit gets from a batch: at 0 its gradient jumps."""
    least = np.inf

    def forward(x: np.ndarray, layers: Layers, slope: float) -> np.ndarray:
        nonlocal least
        for index, (w, b) in enumerate(layers):
            x = x @ w.astype(np.float64) + b
            if index < len(layers) - 1:
                least = min(least, np.abs(x).min())
                x = np.where(x > 0, x, slope * x)
        return x

    for role, batch in batches.items():
        x = batch.x.astype(np.float64)
        if role != "d_real":
            layers = problem_layers["generator"]
            labels = np.eye(len(layers[0][0]) - x.shape[1])[batch.labels] if len(batch.labels) else x[:, :0]
            x = np.tanh(forward(np.hstack([x, labels]), layers, 0.0))
        forward(x, problem_layers["discriminator"], slope)
    return float(least)


def make_problem(size: Size, path: Path) -> None:
    """Write the problem of a size to an ``.npz`` file.

    Its seed is the first whose batches keep every hidden unit `KINK` away from 0, where two right gradients may differ
    by a whole unit's share.
    """
    from fastgan.build import output_activation
    from fastgan.trainer import Trainer

    dataset = size.dataset()
    for seed in range(SEEDS):
        settings = size.settings(backend="numpy", seed=seed)
        trainer = Trainer(settings, dataset, keep_history=False)
        players = {
            name: layers_of(net, net.params)
            for name in ("generator", "discriminator")
            for net in [getattr(trainer.gan, name)]
        }
        found = perform_roles(trainer, dataset.array[: size.half], dataset.labels[: size.half])
        batches = {role: batch for role, (_, batch) in found.items()}
        if kink_distance(players, batches, settings.leaky_slope) > KINK:
            break
    arrays: dict[str, np.ndarray] = {}
    for player, layers in players.items():
        for index, (w, b) in enumerate(layers):
            arrays[f"{player}.{index}.w"], arrays[f"{player}.{index}.b"] = w, b
    for role, (gradient, batch) in found.items():
        arrays |= {f"{role}.gradient": gradient, f"{role}.x": batch.x, f"{role}.labels": batch.labels}
    knobs = {
        name: getattr(settings, name)
        for name in ("generator_lr", "discriminator_lr", "beta1", "beta2", "epsilon", "leaky_slope", "seed")
    } | {"output": output_activation(settings, dataset.spec)}
    # Only fastgan itself is measured on rows that stay on disk.
    rows = dataset.spec.to_network_units(dataset.array[:0] if size.mapped else dataset.array)
    text = json.dumps({"size": asdict(size), "knobs": knobs})
    np.savez(path, rows=rows, labels=dataset.labels, meta=np.array(text), **arrays)


def read_problem(path: Path) -> Problem:
    """Read what `make_problem` wrote; needs NumPy alone."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    meta = json.loads(str(arrays["meta"]))
    players: dict[str, Layers] = {}
    for player in ("generator", "discriminator"):
        count = sum(name.startswith(f"{player}.") for name in arrays) // 2
        players[player] = [(arrays[f"{player}.{i}.w"], arrays[f"{player}.{i}.b"]) for i in range(count)]
    return Problem(
        size=Size.of(meta["size"]),
        rows=arrays["rows"],
        labels=arrays["labels"],
        generator=players["generator"],
        discriminator=players["discriminator"],
        batches={role: Batch(arrays[f"{role}.x"], arrays[f"{role}.labels"]) for role in ROLES},
        gradients={role: arrays[f"{role}.gradient"] for role in ROLES},
        knobs=meta["knobs"],
    )
