"""Sequences of tokens, against real ones and, where it is known, the Markov chain these came from."""

from __future__ import annotations

import numpy as np

from fastgan.data.dataset import require
from fastgan.evaluation.measures import Measures, Result, add_measures, check_rows, side_by_side
from fastgan.evaluation.neighbours import share_of_different
from fastgan.evaluation.rows import share_of_new

COLLAPSE_SAMPLES = 100
LONGEST_NGRAM = 3
LONGEST_BLEU = 4
NO_MATCH = 0.1
"""Matches that BLEU counts where there are none, or one n-gram length would decide all (Chen and Cherry 2014, 1)."""


def evaluate_tokens(
    generated: np.ndarray,
    reference: np.ndarray,
    real: np.ndarray,
    rng: np.random.Generator,
    *,
    seen: np.ndarray | None = None,
    unseen: bool = True,
    chain: tuple[np.ndarray, np.ndarray] | None = None,
) -> Result:
    """Measure generated sequences, real ones, and ones with independent positions, against `reference`.

    Parameters
    ----------
    generated, reference, real : (n, length) whole numbers, the tokens
    rng : for the sequences with independent positions
    seen : (m, length), the sequences learnt from, for the share of new ones; left out without
    unseen : whether `real` are others than these; if not, the share of new ones among them says nothing
    chain : initial (vocabulary,) and transition (vocabulary, vocabulary) probabilities, where they are known; they
        give the validity and likelihood of sequences, and the exact values of both in a column of their own

    Raises
    ------
    UserError
        If rows are fewer than two, not finite numbers, or not of one width, or not whole numbers from 0 on.
    """
    check_rows(generated=generated, reference=reference, real=real)
    whole = all(each.dtype.kind in "iu" and each.min() >= 0 for each in (generated, reference, real))
    require(whole, "rows hold values that are no tokens; give whole numbers, 0 or more")

    def measure(sequences: np.ndarray) -> Measures:
        few = sequences[:COLLAPSE_SAMPLES]
        measures: dict[str, float | None] = chain_measures(sequences, *chain) if chain else {}
        if seen is not None:
            measures["new sequences"] = share_of_new(sequences, seen)
        measures["unique sequences"] = share_of_different(sequences)
        measures[f"mode-collapse score (n = {len(few)})"] = mode_collapse_score(few)
        measures[f"unique tokens (n = {len(few)})"] = float(len(np.unique(few)))
        for n in range(1, min(LONGEST_NGRAM, sequences.shape[1]) + 1):
            measures[f"{n}-gram JS divergence"] = ngram_divergence(sequences, reference, n)
        measures["self-BLEU"] = self_bleu(sequences)
        return measures

    result = side_by_side(measure, generated=generated, real=real, independent=draw_independent(real, rng))
    if seen is not None and not unseen:
        result["new sequences"]["real"] = None
    if chain:
        exact = {"valid": 1.0, "NLL of the valid": chain_entropy(*chain, generated.shape[1])}
        add_measures(result, "exact", exact)
    return result


def mode_collapse_score(sequences: np.ndarray) -> float:
    """Return 1 minus the share of different rows; 0 for all different, near 1 for all alike."""
    return 1.0 - share_of_different(sequences)


def number_ngrams(sequences: np.ndarray, n: int) -> np.ndarray:
    """Return numbers from 0 (rows, length - n + 1) that are equal where the n-grams that begin there are."""
    numbers = tokens = np.unique(sequences, return_inverse=True)[1].reshape(sequences.shape)
    for k in range(1, n):
        pairs = numbers[:, :-1] * (tokens.max() + 1) + tokens[:, k:]
        numbers = np.unique(pairs, return_inverse=True)[1].reshape(pairs.shape)
    return numbers


def ngram_divergence(sequences: np.ndarray, reference: np.ndarray, n: int) -> float:
    """Jensen-Shannon divergence, in bits (0 to 1), of the n-grams in two sets of sequences (rows, length)."""
    from scipy.spatial.distance import jensenshannon

    numbers = number_ngrams(np.concatenate([sequences, reference]), n)
    sets = np.split(numbers, [len(sequences)])
    counts = [np.bincount(each.ravel(), minlength=numbers.max() + 1) for each in sets]
    return float(np.nan_to_num(jensenshannon(*counts, base=2)) ** 2)


def self_bleu(sequences: np.ndarray, longest: int = LONGEST_BLEU) -> float:
    """Mean BLEU of each of the sequences (rows, length) with all others as its references (Zhu et al. 2018).

    BLEU (Papineni et al. 2002) is the geometric mean, over n from 1 to `longest`, of the share of a sequence's n-grams
    that some reference has as often. All sequences are of one length, so there is no penalty for brevity.
    """
    longest = min(longest, sequences.shape[1])
    return float(
        np.exp(
            np.mean([_log_precision(number_ngrams(sequences, n)) for n in range(1, longest + 1)], axis=0)
        ).mean()
    )


def _log_precision(ngrams: np.ndarray) -> np.ndarray:
    """Logarithm (rows,) of the share of each row's n-grams that some other row has as often."""
    rows, windows = ngrams.shape
    kinds = ngrams.max() + 1
    keys, counts = np.unique(ngrams + np.arange(rows)[:, None] * kinds, return_counts=True)
    row, kind = np.divmod(keys, kinds)
    # By n-gram, most frequent first: the first row of a kind is judged by the second, all others by the first.
    order = np.lexsort((-counts, kind))
    kind, counts, row = kind[order], counts[order], row[order]
    start = np.searchsorted(kind, np.arange(kinds))
    first = np.arange(len(kind)) == start[kind]
    judge = start[kind] + first
    others = np.where(np.append(kind, -1)[judge] == kind, np.append(counts, 0)[judge], 0)
    matches = np.bincount(row, np.minimum(counts, others), minlength=rows)
    return np.log(np.maximum(matches, NO_MATCH) / windows)


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
