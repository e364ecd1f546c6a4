"""Sequences of tokens, against real ones and, where it is known, the Markov chain these came from."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgan.data.synthetic import draw_chain
from fastgan.evaluation.measures import Result, add_measures, side_by_side

SAMPLES = 2500
COLLAPSE_SAMPLES = 100
LONGEST_NGRAM = 3


def mode_collapse_score(sequences: np.ndarray) -> float:
    """Return 1 minus the share of different rows; 0 for all different, near 1 for all alike."""
    return 1.0 - len(np.unique(sequences, axis=0)) / len(sequences)


def ngram_divergence(sequences: np.ndarray, reference: np.ndarray, n: int, vocabulary: int) -> float:
    """Jensen-Shannon divergence, in bits (0 to 1), of the n-grams in two sets of sequences (rows, length)."""
    from scipy.spatial.distance import jensenshannon

    powers = vocabulary ** np.arange(n)
    windows = [
        np.lib.stride_tricks.sliding_window_view(rows.astype(np.int64), n, axis=1) @ powers
        for rows in (sequences, reference)
    ]
    grams = np.unique(np.concatenate([window.ravel() for window in windows]))
    counts = [np.bincount(np.searchsorted(grams, window.ravel()), minlength=len(grams)) for window in windows]
    return float(np.nan_to_num(jensenshannon(*counts, base=2)) ** 2)


def chain_measures(
    sequences: np.ndarray, initial: np.ndarray, transition: np.ndarray
) -> dict[str, float | None]:
    """Validity and mean negative log-likelihood (nats a sequence) of sequences under a Markov chain.

    A sequence is valid if no token or transition of it is impossible; the mean is over the valid ones, None
    if there is none.
    """
    chances = np.column_stack([initial[sequences[:, 0]], transition[sequences[:, :-1], sequences[:, 1:]]])
    valid = (chances > 0).all(axis=1)
    likelihood = np.log(chances[valid]).sum(axis=1)
    return {
        "valid": float(valid.mean()),
        "NLL of the valid": -float(likelihood.mean()) if valid.any() else None,
    }


def chain_entropy(initial: np.ndarray, transition: np.ndarray, length: int) -> float:
    """Entropy of sequences of `length` tokens, in nats: what their mean negative log-likelihood tends to."""
    from scipy.special import entr

    total, state = entr(initial).sum(), initial
    for _ in range(length - 1):
        total += state @ entr(transition).sum(axis=1)
        state = state @ transition
    return float(total)


def draw_independent(sequences: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shuffle each position of real sequences by itself: right marginals, no dependence between positions."""
    return rng.permuted(sequences, axis=0)


def evaluate_tokens(
    generated: np.ndarray,
    reference: np.ndarray,
    real: np.ndarray,
    vocabulary: int,
    truth: dict[str, Any],
    rng: np.random.Generator,
) -> Result:
    """Measure generated sequences, real ones, and ones with independent positions, against `reference`."""
    chain = (np.asarray(truth["initial"]), np.asarray(truth["transition"])) if "transition" in truth else None
    if chain:
        real = draw_chain(*chain, generated.shape, rng)  # type: ignore[arg-type]

    def measure(sequences: np.ndarray) -> dict[str, float | None]:
        few = sequences[:COLLAPSE_SAMPLES]
        measures: dict[str, float | None] = chain_measures(sequences, *chain) if chain else {}
        measures["unique sequences"] = float(len(np.unique(sequences, axis=0)))
        measures[f"mode-collapse score (n = {len(few)})"] = mode_collapse_score(few)
        measures[f"unique tokens (n = {len(few)})"] = float(len(np.unique(few)))
        for n in range(1, min(LONGEST_NGRAM, sequences.shape[1]) + 1):
            measures[f"{n}-gram JS divergence"] = ngram_divergence(sequences, reference, n, vocabulary)
        return measures

    result = side_by_side(measure, generated=generated, real=real, independent=draw_independent(real, rng))
    if chain:
        exact = {"valid": 1.0, "NLL of the valid": chain_entropy(*chain, generated.shape[1])}
        add_measures(result, "exact", exact)
    return result
