"""Data made by rule, whose true distribution is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastgan.data.build import Raw
from fastgan.data.dataset import require


def draw_fresh(
    truth: Mapping[str, Any], shape: tuple[int, ...], rng: np.random.Generator
) -> np.ndarray | None:
    """Draw new rows of `shape` (count, width) from what a `Dataset` knows of its truth; None where it knows nothing."""
    if "centres" in truth:
        return draw_mixture(np.asarray(truth["centres"]), float(truth["std"]), shape[0], rng)
    if "transition" in truth:
        return draw_chain(np.asarray(truth["initial"]), np.asarray(truth["transition"]), shape, rng)
    if "bits" in truth:
        return draw_numbers(int(truth["bits"]), shape, rng)
    return None


def make_ring(rows: int, seed: int, *, modes: int = 8, radius: float = 1.0, std: float = 0.01) -> Raw:
    """Return points (rows, 2) around `modes` centres on a circle (Lin et al. 2018); 100,000 unless told."""
    require(modes >= 1, f"modes = {modes}, expected at least 1")
    require(radius > 0, f"radius = {radius}, expected more than 0")
    angles = 2 * np.pi * np.arange(modes) / modes
    return _make_mixture(radius * np.column_stack([np.cos(angles), np.sin(angles)]), std, rows, seed)


def make_grid(rows: int, seed: int, *, side: int = 5, spacing: float = 2.0, std: float = 0.05) -> Raw:
    """Return points (rows, 2) around side x side centres about 0 (Lin et al. 2018); 100,000 unless told."""
    require(side >= 1, f"side = {side}, expected at least 1")
    require(spacing > 0, f"spacing = {spacing}, expected more than 0")
    places = spacing * (np.arange(side) - (side - 1) / 2)
    return _make_mixture(np.stack(np.meshgrid(places, places), axis=-1).reshape(-1, 2), std, rows, seed)


def _make_mixture(centres: np.ndarray, std: float, rows: int, seed: int) -> Raw:
    require(std > 0, f"std = {std}, expected more than 0")
    rng = np.random.default_rng(seed)
    points = draw_mixture(centres, std, rows or 100_000, rng)
    return Raw(points.astype(np.float32), kind="points", truth={"centres": centres, "std": std})


def draw_mixture(centres: np.ndarray, std: float, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw (count, d) float64 rows from equal Gaussians at `centres` (k, d)."""
    rows = centres[rng.integers(len(centres), size=count)]
    return rows + std * rng.standard_normal(rows.shape)


def make_sequences(rows: int, seed: int, *, length: int = 8, bits: int = 16) -> Raw:
    """Return rows of `length` independent uniform integers in [0, 2^bits); 10,000 rows unless told."""
    require(length >= 1, f"length = {length}, expected at least 1")
    require(1 <= bits <= 16, f"bits = {bits}, expected 1 to 16")
    rng = np.random.default_rng(seed)
    numbers = draw_numbers(bits, (rows or 10_000, length), rng)
    return Raw(numbers, kind="sequence", low=0, high=2**bits - 1, truth={"bits": bits})


def draw_numbers(bits: int, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Draw independent uniform integers in [0, 2^bits), uint16 of `shape`; at most 16 bits."""
    return rng.integers(0, 2**bits, shape, dtype=np.uint16)


def make_tokens(
    rows: int, seed: int, *, vocabulary: int = 16, length: int = 16, branches: int = 4, grammar: int = 0
) -> Raw:
    """Return sentences (rows, length) uint8 of a Markov chain; 20,000 rows unless told.

    The truth holds ``initial`` (vocabulary,) and ``transition`` (vocabulary, vocabulary), whose row i holds
    the probabilities of what follows token i. A sentence is valid when its probability is not zero.

    Parameters
    ----------
    rows, seed : how many sentences, and which; another seed gives fresh sentences of the same language
    vocabulary : number of different tokens
    length : tokens in a sentence
    branches : tokens that can begin a sentence, and that can follow each token; all others never do
    grammar : seed of the language
    """
    require(2 <= vocabulary <= 256, f"vocabulary = {vocabulary}, expected 2 to 256")
    require(length >= 1, f"length = {length}, expected at least 1")
    require(1 <= branches <= vocabulary, f"branches = {branches}, expected 1 to the vocabulary, {vocabulary}")
    rng = np.random.default_rng(grammar)
    initial, *transition = (_sparse_distribution(rng, vocabulary, branches) for _ in range(vocabulary + 1))
    truth = {"initial": initial, "transition": np.array(transition)}

    shape = (rows or 20_000, length)
    sentences = draw_chain(initial, truth["transition"], shape, np.random.default_rng(seed))
    return Raw(sentences, kind="tokens", vocabulary=vocabulary, low=0, high=vocabulary - 1, truth=truth)


def draw_chain(
    initial: np.ndarray, transition: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator
) -> np.ndarray:
    """Draw sequences of `shape` (count, length), uint8, from a Markov chain of at most 256 tokens.

    `initial` (vocabulary,) and `transition` (vocabulary, vocabulary) hold probabilities.
    """
    sequences = np.empty(shape, np.uint8)
    steps = _cumulative(transition)
    reached = _cumulative(initial)
    for position in range(shape[1]):
        sequences[:, position] = (reached <= rng.random((len(sequences), 1))).sum(axis=-1)
        reached = steps[sequences[:, position]]
    return sequences


def _sparse_distribution(rng: np.random.Generator, size: int, nonzero: int) -> np.ndarray:
    probabilities = np.zeros(size)
    probabilities[rng.choice(size, nonzero, replace=False)] = rng.dirichlet(np.full(nonzero, 2.0))
    return probabilities


def _cumulative(probabilities: np.ndarray) -> np.ndarray:
    """Sums of probabilities in the last axis: an outcome is the number of those that a random number reaches."""
    cumulative = probabilities.cumsum(axis=-1)
    # Exactly 1 at the end, or rounding would let an impossible token through.
    return cumulative / cumulative[..., -1:]
