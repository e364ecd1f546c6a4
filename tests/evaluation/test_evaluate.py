import json
import subprocess
import sys

import numpy as np
import pytest

from fastgan.data import from_arrays, load_dataset
from fastgan.errors import UserError
from fastgan.evaluation import (
    evaluate,
    evaluate_apart,
    evaluate_classes,
    evaluate_marginals,
    evaluate_modes,
    evaluate_neighbours,
    evaluate_sequences,
    evaluate_tokens,
    evaluate_two_sample,
)
from fastgan.evaluation.rows import draw_compared, labelled_pair, most_rows, real_pair

from .helpers import giving, table


def test_a_diverged_generator_is_one_line():
    data = load_dataset("ring", rows=100)
    with pytest.raises(UserError, match=r"^the generator gives NaN or infinity[^\n]*$"):
        evaluate(lambda count, labels, seed: np.full((count, 2), np.nan, np.float32), data)


def test_too_few_rows_are_one_line():
    rows = np.random.default_rng(0).standard_normal((25, 3))
    assert evaluate(giving(rows), table(rows))["samples"]["real"] == 12
    with pytest.raises(
        UserError, match=r"^data: 19 rows are too few to compare with; evaluation needs at least 20$"
    ):
        evaluate(giving(rows), table(rows[:19]))
    for few in (5, 0):
        with pytest.raises(UserError, match=f"{few} rows are too few"):
            evaluate(giving(rows), table(rows), table(rows[:few]))


@pytest.mark.parametrize("source", ["ring", "tokens", "sequences"])
def test_fresh_rows_are_none_of_the_data(source):
    """Which are drawn from the same seed."""
    data = load_dataset(source, rows=500)
    drawn = draw_compared(giving(data.array), data, None, 0)
    assert not {row.tobytes() for row in data.array} & {row.tobytes() for row in drawn.real}


def test_rows_learnt_from_are_no_ceiling_of_new_ones():
    tokens = np.random.default_rng(0).integers(0, 9, (400, 12))
    own, fresh = from_arrays(tokens, vocabulary=9), from_arrays(tokens[::-1] % 8 + 1, vocabulary=9)
    assert evaluate(giving(own.array), own)["new sequences"] == {
        "generated": 0,
        "real": None,
        "independent": 1,
    }
    assert evaluate(giving(own.array), own, fresh)["new sequences"]["real"] == 1


def test_the_same_seed_gives_the_same_json():
    data = load_dataset("tokens", rows=500)
    twice = [evaluate(giving(data.array), data, seed=4) for _ in range(2)]
    assert json.dumps(twice[0], allow_nan=False) == json.dumps(twice[1], allow_nan=False)


def test_real_sets_are_disjoint_and_of_one_size():
    rows = np.arange(101)[:, None]
    reference, real = real_pair(rows, None, 1000, np.random.default_rng(0))
    assert len(reference) == len(real) == 50
    assert not np.intersect1d(reference, real).size
    reference, real = real_pair(rows, rows[:7] + 500, 1000, np.random.default_rng(0))
    assert len(reference) == len(real) == 7
    assert real.min() >= 500


def test_rows_to_learn_and_to_be_tested_on_are_disjoint_and_keep_their_labels():
    rows = np.arange(100)[:, None]
    (train, train_labels), (test, test_labels) = labelled_pair(
        table(rows, labels=np.arange(100)), None, np.random.default_rng(0)
    )
    assert sorted(np.concatenate([train, test])[:, 0]) == list(range(100))
    assert len(test) == 20
    assert (train[:, 0] == train_labels).all() and (test[:, 0] == test_labels).all()


def test_wide_rows_are_compared_in_smaller_numbers():
    assert most_rows(table(np.zeros((20, 784)))) == 5000
    assert most_rows(table(np.zeros((20, 49_152)))) == 682
    assert most_rows(table(np.zeros((20, 256), np.int64), "tokens", vocabulary=1000)) == 200
    rows = np.random.default_rng(0).standard_normal((60, 3000)).astype(np.float32)
    assert evaluate(giving(rows), table(rows))["KS distance, worst"]["generated"] < 0.4


def test_values_that_float32_rounds_are_equal_to_the_data_as_it_is_stored():
    rows = np.random.default_rng(0).choice([0.1, 0.2, 0.7], (300, 2))
    stored = from_arrays(rows)
    assert stored.array.dtype == np.float32
    assert evaluate(giving(rows), stored)["total variation, worst"]["generated"] < 0.2


SKLEARN_MISSING = """
import sys, numpy as np
sys.modules["sklearn"] = None
from fastgan.data import load_dataset
from fastgan.evaluation import evaluate, left_out
data = load_dataset("ring", rows=200)
result = evaluate(lambda count, labels, seed: data.array[np.arange(count) % 200], data)
print(len(result), "told apart by trees" in result, left_out())
"""


def test_without_scikit_learn_all_else_is_measured_and_one_line_says_what_is_left_out():
    data = load_dataset("ring", rows=200)
    full = evaluate(giving(data.array), data)
    done = subprocess.run([sys.executable, "-c", SKLEARN_MISSING], capture_output=True, text=True, check=True)
    count, told, line = done.stdout.strip().split(" ", 2)
    assert (int(count), told) == (len(full) - 1, "False")
    assert line == "left out: told apart by trees, which needs scikit-learn: pip install 'fastgan[evaluate]'"


@pytest.mark.parametrize(
    "measure", [evaluate_apart, evaluate_marginals, evaluate_neighbours, evaluate_two_sample]
)
def test_rows_that_cannot_be_measured_are_one_line(measure):
    """Of a NaN a test of two samples said that chance explains it."""
    rows = np.random.default_rng(0).standard_normal((40, 3))
    spoilt = rows.copy()
    spoilt[7, 1] = np.nan
    for bad, message in [
        (spoilt, r"rows hold NaN or infinity; leave such rows out"),
        (rows[:1], r"rows have shape \(1, 3\); expected \(n, width\), n at least 2"),
        (rows[:0], r"rows have shape \(0, 3\); expected"),
        (rows[:, 0], r"rows have shape \(40,\); expected"),
        (rows[:, :0], r"rows have shape \(40, 0\); expected"),
        (rows.astype(str), r"rows are <U32; expected real numbers"),
    ]:
        for place, who in enumerate(("generated", "reference", "real")):
            sets = [rows, rows, rows]
            sets[place] = bad
            with pytest.raises(UserError, match=f"^{who} {message}[^\n]*$"):
                measure(*sets)
    with pytest.raises(
        UserError,
        match=r"^rows are of different widths \(3 of generated rows, 3 of reference rows, 2 of real rows\); give",
    ):
        measure(rows, rows, rows[:, :2])


def test_points_and_classes_that_cannot_be_measured_are_one_line():
    rng, rows = np.random.default_rng(0), np.random.default_rng(0).standard_normal((40, 3)).astype(np.float32)
    with pytest.raises(UserError, match=r"^generated rows hold NaN"):
        evaluate_modes(rows * np.nan, np.zeros((2, 3)), 0.1, rng)
    with pytest.raises(
        UserError, match=r"^the centres have 2 columns but the generated rows 3; give the same$"
    ):
        evaluate_modes(rows, np.zeros((2, 2)), 0.1, rng)
    labels = np.arange(40) % 2
    data = table(rows, labels=labels, n_classes=2)
    with pytest.raises(UserError, match=r"^test rows have shape \(1, 3\)"):
        evaluate_classes((rows, labels), (rows, labels), (rows[:1], labels[:1]), data.spec)
    with pytest.raises(UserError, match=r"^generated rows hold NaN"):
        evaluate_classes((rows * np.nan, labels), (rows, labels), (rows, labels), data.spec)
    for bad in (labels + 1, labels - 1, labels[1:], labels * 1.0):
        with pytest.raises(UserError, match=r"^train labels must be \(40,\) whole numbers, 0 to 1$"):
            evaluate_classes((rows, labels), (rows, bad), (rows, labels), data.spec)


def test_tokens_and_sequences_that_cannot_be_measured_are_one_line():
    rng, rows = np.random.default_rng(0), np.random.default_rng(0).integers(0, 4, (40, 3))
    for bad, message in [
        (rows[:0], r"generated rows have shape \(0, 3\)"),
        (rows * np.nan, "generated rows hold NaN"),
        (rows * 0.5, "rows hold values that are no tokens"),
        (rows - 1, "rows hold values that are no tokens"),
    ]:
        with pytest.raises(UserError, match=f"^{message}"):
            evaluate_tokens(bad, rows, rows, rng)
    for bad in (rows - 1, rows + 1):
        with pytest.raises(UserError, match=r"^rows hold values outside 0 to 3; give numbers of 2 bits$"):
            evaluate_sequences(bad, rows, 2)
    with pytest.raises(UserError, match=r"^generated rows have shape \(0, 3\)"):
        evaluate_sequences(rows[:0], rows, 2)
