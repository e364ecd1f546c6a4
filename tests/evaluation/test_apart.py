import numpy as np
import pytest

from fastgan.evaluation import evaluate_apart
from fastgan.evaluation.apart import told_apart
from fastgan.evaluation.meanings import MEANINGS


def rows_of(seed, count=1000):
    return np.random.default_rng(seed).standard_normal((count, 3))


def test_real_rows_are_not_told_apart_and_others_are():
    spoilt = rows_of(0)
    spoilt[:, 2] = spoilt[:, 0] * spoilt[:, 1]  # every column by itself looks as before, or nearly so
    result = evaluate_apart(spoilt, rows_of(1), rows_of(2))
    assert result["told apart by trees"]["real"] == pytest.approx(0.5, abs=0.06)
    assert result["told apart by trees"]["generated"] > 0.7


def test_a_shift_is_told_apart_as_well_as_can_be():
    """The best area under the curve for N(0, 1) and N(d, 1) is Phi(d / sqrt 2)."""
    from scipy.special import ndtr

    a, b = rows_of(0, 4000)[:, :1], rows_of(1, 4000)[:, :1] + 1
    best = ndtr(1 / np.sqrt(2))
    assert best - 0.05 < told_apart(b, a) < best + 0.02
    assert told_apart(b + 20, a) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("rows", [3, 20, 39])
def test_few_rows_are_told_apart_too(rows):
    a, b = rows_of(0, rows), rows_of(1, rows) + 100
    assert told_apart(a, b) == 1


def test_the_same_seed_gives_the_same():
    assert told_apart(rows_of(0), rows_of(1), 3) == told_apart(rows_of(0), rows_of(1), 3)


def test_copies_of_the_real_rows_are_below_a_half_as_its_sentence_says():
    """A row that was learnt as real is asked about as generated: trees are sure, and wrong."""
    rows = np.random.default_rng(0).standard_normal((300, 3))
    assert told_apart(rows[::-1], rows) < 0.35
    assert "below: copies" in MEANINGS["told apart by trees"]
