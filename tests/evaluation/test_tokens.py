import itertools
from collections import Counter

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from fastgan.data import load_dataset
from fastgan.data.synthetic import draw_chain
from fastgan.evaluation import evaluate, evaluate_tokens
from fastgan.evaluation.rows import share_of_new
from fastgan.evaluation.tokens import (
    chain_entropy,
    chain_measures,
    draw_independent,
    mode_collapse_score,
    ngram_divergence,
    number_ngrams,
    self_bleu,
)

from .helpers import INITIAL, TRANSITION, giving, table


def ngrams(sequence, n):
    return Counter(tuple(sequence[i : i + n]) for i in range(len(sequence) - n + 1))


def test_likelihood_and_validity_by_hand():
    sequences = np.array([[0, 1, 0], [1, 0, 2], [0, 0, 1], [2, 0, 1]])  # the last two are impossible
    scores = chain_measures(sequences, INITIAL, TRANSITION)
    assert scores["valid"] == 0.5
    assert scores["NLL of the valid"] == pytest.approx(-(np.log(0.5 * 0.25) + np.log(0.5 * 0.75)) / 2)


def test_no_valid_sequence_has_no_likelihood():
    assert chain_measures(np.array([[2, 2]]), INITIAL, TRANSITION) == {"valid": 0, "NLL of the valid": None}


def test_entropy_is_that_of_all_sequences():
    total = 0.0
    for sequence in itertools.product(range(3), repeat=4):
        chance = INITIAL[sequence[0]]
        for i, j in itertools.pairwise(sequence):
            chance *= TRANSITION[i, j]
        total -= chance * np.log(chance) if chance else 0
    assert chain_entropy(INITIAL, TRANSITION, 4) == pytest.approx(total)


def test_drawn_sequences_are_valid_and_as_likely_as_they_should_be():
    drawn = draw_chain(INITIAL, TRANSITION, (20_000, 5), np.random.default_rng(0))
    scores = chain_measures(drawn, INITIAL, TRANSITION)
    assert scores["valid"] == 1
    assert scores["NLL of the valid"] == pytest.approx(chain_entropy(INITIAL, TRANSITION, 5), rel=0.01)
    after_zero = drawn[:, 1:][drawn[:, :-1] == 0]
    assert (after_zero == 2).mean() == pytest.approx(0.75, abs=0.01)


def test_independent_positions_keep_their_marginals_and_lose_the_rest():
    real = draw_chain(INITIAL, TRANSITION, (500, 6), np.random.default_rng(0))
    mixed = draw_independent(real, np.random.default_rng(1))
    assert (np.sort(mixed, axis=0) == np.sort(real, axis=0)).all()
    assert chain_measures(mixed, INITIAL, TRANSITION)["valid"] < 0.5


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_equal_ngrams_have_equal_numbers_whatever_the_tokens(n):
    sequences = np.random.default_rng(0).integers(0, 3, (20, 8)).astype(np.uint64) * 10**18
    numbers = number_ngrams(sequences, n)
    by_number = {}
    for row, numbered in zip(sequences.tolist(), numbers.tolist(), strict=True):
        for i, number in enumerate(numbered):
            by_number.setdefault(number, set()).add(tuple(row[i : i + n]))
    assert all(len(grams) == 1 for grams in by_number.values())
    assert len(set().union(*by_number.values())) == len(by_number) == numbers.max() + 1


def test_divergence_by_hand():
    zeros, mixed = np.zeros((4, 2), np.uint8), np.array([[0, 1]] * 4, np.uint8)
    by_hand = -(0.75 * np.log2(0.75) + 0.25 * np.log2(0.25)) - 0.5
    assert ngram_divergence(zeros, mixed, 1) == pytest.approx(by_hand)
    assert ngram_divergence(zeros, mixed, 2) == pytest.approx(1)
    assert ngram_divergence(mixed, mixed, 2) == 0


@pytest.mark.parametrize("n", [1, 2, 3])
def test_divergence_is_scipys_of_counted_ngrams(n):
    a, b = np.random.default_rng(0).integers(0, 4, (2, 50, 7))
    counts = [sum((ngrams(row, n) for row in rows.tolist()), Counter()) for rows in (a, b)]
    kinds = sorted(counts[0] | counts[1])
    expected = jensenshannon(*([count[kind] for kind in kinds] for count in counts), base=2) ** 2
    assert ngram_divergence(a, b, n) == pytest.approx(expected)


def test_mode_collapse_score():
    assert mode_collapse_score(np.zeros((100, 5))) == pytest.approx(0.99)
    assert mode_collapse_score(np.arange(100)[:, None]) == 0


def test_new_sequences_are_counted_in_blocks_of_any_dtype(monkeypatch):
    monkeypatch.setattr("fastgan.evaluation.rows.SEEN_AT_ONCE", 2)
    seen = np.array([[1, 2], [3, 4], [5, 6], [7, 8], [1, 1]], np.uint8)
    sequences = np.array([[7, 8], [2, 1], [2, 1], [1, 1]], np.int64)
    assert share_of_new(sequences, seen) == 0.5
    assert share_of_new(seen, seen) == 0


@pytest.mark.parametrize(("kinds", "length"), [(2, 5), (6, 14), (60, 9), (3, 2)])
def test_self_bleu_by_its_definition(kinds, length):
    sequences = np.random.default_rng(kinds).integers(0, kinds, (40, length))
    sequences[3] = sequences[9]
    scores = []
    for i, row in enumerate(sequences.tolist()):
        others = [other for j, other in enumerate(sequences.tolist()) if j != i]
        precisions = []
        for n in range(1, min(4, length) + 1):
            most = Counter()
            for other in others:
                most |= ngrams(other, n)
            matches = (ngrams(row, n) & most).total()
            precisions.append((matches or 0.1) / (length - n + 1))
        scores.append(np.prod(precisions) ** (1 / len(precisions)))
    assert self_bleu(sequences) == pytest.approx(np.mean(scores))


def test_self_bleu_of_repeats_is_one_and_of_strangers_almost_none():
    assert self_bleu(np.tile(np.arange(8), (5, 1))) == pytest.approx(1)
    assert self_bleu(np.arange(80).reshape(10, 8)) < 0.03


def test_a_perfect_sampler_reaches_the_ceiling_and_a_collapsed_one_does_not():
    data = load_dataset("tokens", rows=1000)
    fresh = load_dataset("tokens", rows=1000, seed=77).array
    perfect, collapsed = evaluate(giving(fresh), data), evaluate(giving(fresh[:1]), data)
    assert perfect["valid"] == {
        "generated": 1,
        "real": 1,
        "independent": pytest.approx(0, abs=0.01),
        "exact": 1,
    }
    likelihood = perfect["NLL of the valid"]
    assert likelihood["generated"] == pytest.approx(likelihood["exact"], rel=0.01)
    for n in (1, 2, 3):
        divergence = perfect[f"{n}-gram JS divergence"]
        assert divergence["generated"] < 2 * divergence["real"] + 1e-4
        assert collapsed[f"{n}-gram JS divergence"]["generated"] > 0.1
    assert perfect["new sequences"]["generated"] > 0.99
    assert perfect["MMD p-value"]["generated"] > 0.001
    scores = {name: column["generated"] for name, column in collapsed.items()}
    assert scores["valid"] == 1
    assert scores["mode-collapse score (n = 100)"] == pytest.approx(0.99)
    assert scores["unique sequences"] == 1 / 1000
    assert scores["self-BLEU"] == pytest.approx(1)
    assert scores["unique tokens (n = 100)"] == len(np.unique(fresh[0]))
    assert scores["MMD p-value"] == 0.001
    assert scores["told apart by trees"] > 0.95


def test_without_a_known_chain_real_sequences_are_the_ceiling():
    rows = np.random.default_rng(0).integers(0, 5, (400, 6)).astype(np.uint8)
    result = evaluate(giving(rows), table(rows, "tokens", vocabulary=5))
    assert "valid" not in result
    assert result["samples"] == {"generated": 2500, "real": 200}
    assert set(result["self-BLEU"]) == {"generated", "real", "independent"}


def test_plain_arrays_need_neither_chain_nor_data():
    sets = np.random.default_rng(0).integers(0, 5, (3, 60, 4))
    result = evaluate_tokens(*sets, np.random.default_rng(0))
    assert "new sequences" not in result
    assert result["unique sequences"]["generated"] > 0.9
    learnt_by_heart = evaluate_tokens(*sets, np.random.default_rng(0), seen=sets[0])["new sequences"]
    assert learnt_by_heart["generated"] == 0 < learnt_by_heart["real"]
