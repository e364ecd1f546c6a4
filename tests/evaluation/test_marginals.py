import numpy as np
import pytest

from fastgan.evaluation import evaluate_marginals
from fastgan.evaluation.marginals import ks_distances, total_variations


def test_a_shift_by_hand():
    real = np.arange(100.0)[:, None]
    scores = evaluate_marginals(real + 25, real, real[::-1], ("age",))
    assert scores["KS distance, age"] == {"generated": pytest.approx(0.25), "real": 0}
    assert scores["total variation, age"] == {"generated": pytest.approx(0.25, abs=0.02), "real": 0}
    assert scores["mean error / std, worst"]["generated"] == pytest.approx(25 / real.std())
    assert scores["std error / std, worst"]["generated"] == pytest.approx(0)
    assert "correlation error, mean" not in scores


def test_columns_of_the_summaries_names_do_not_hide_these():
    real = np.random.default_rng(0).standard_normal((200, 3))
    scores = evaluate_marginals(real + np.array([0, 0, 5]), real, real[::-1], ("mean", "worst", "x"))
    assert scores["KS distance, worst"]["generated"] == scores["KS distance, x"]["generated"] > 0.9
    columns = [
        scores[f"{name}, column {column}"]
        for name in ("KS distance", "total variation")
        for column in ("mean", "worst")
    ]
    assert all(column["generated"] <= 0.1 for column in columns)
    awkward = evaluate_marginals(real, real, real, ("mean", "column mean", "x"))
    assert {"KS distance, column mean", "KS distance, column column mean", "KS distance, x"} < set(awkward)


def test_a_lost_correlation():
    column = np.random.default_rng(0).standard_normal(1000)
    real = np.column_stack([column, column])
    scores = evaluate_marginals(np.column_stack([column, -column]), real, real[::-1])
    assert scores["correlation error, worst"] == {"generated": pytest.approx(2), "real": pytest.approx(0)}


def test_constant_columns_do_no_harm():
    rows = np.column_stack([np.full(50, 3.0), np.arange(50.0)])
    scores = evaluate_marginals(rows, rows, rows)
    assert {value for column in scores.values() for value in column.values()} == {0}


def test_total_variation_of_categories_by_hand():
    real = np.array([0, 0, 1, 1, 2, 2, 2, 2])[:, None]
    generated = np.array([0, 0, 0, 0, 2, 2, 7, 7])[:, None]
    assert total_variations(generated, real) == pytest.approx([0.5])
    assert total_variations(real, real[::-1]) == 0


def test_total_variation_of_numbers_tends_to_its_closed_form():
    """That of N(0, 1) and N(d, 1) is 2 Phi(d / 2) - 1."""
    from scipy.special import ndtr

    rng = np.random.default_rng(0)
    real, generated = rng.standard_normal((2, 20_000, 1))
    assert total_variations(generated + 1, real) == pytest.approx([2 * ndtr(0.5) - 1], abs=0.02)
    assert total_variations(generated, real) == pytest.approx([0], abs=0.04)


def test_ks_distance_by_its_definition():
    a, b = np.random.default_rng(0).standard_normal((2, 50, 2))
    every = np.concatenate([a, b])
    expected = [
        max(abs((a[:, i] <= x).mean() - (b[:, i] <= x).mean()) for x in every[:, i]) for i in range(2)
    ]
    assert ks_distances(a, b) == pytest.approx(expected)


@pytest.mark.parametrize("spoil", [lambda x: x[:1].repeat(500, axis=0), lambda x: 2 * x, lambda x: x + 0.5])
def test_collapsed_wide_and_shifted_columns_are_far(spoil):
    real, reference = np.random.default_rng(0).standard_normal((2, 500, 3))
    scores = evaluate_marginals(spoil(real), reference, real)
    for name in ("KS distance, mean", "total variation, mean"):
        assert scores[name]["generated"] > 1.5 * scores[name]["real"]


def test_many_columns_are_not_listed_and_values_without_order_have_no_ks_distance():
    rows = np.random.default_rng(0).integers(0, 5, (100, 20))
    assert [name for name in evaluate_marginals(rows, rows, rows) if "column" in name] == []
    assert set(evaluate_marginals(rows, rows, rows, ordered=False, moments=False)) == {
        "total variation, mean",
        "total variation, worst",
    }


def test_few_different_values_of_few_rows_are_compared_in_bins():
    """With a share for each of 60 values that all differ, no two columns would have anything in common."""
    real, generated = np.random.default_rng(0).standard_normal((2, 60, 1))
    assert total_variations(generated, real) < 0.35
    assert total_variations(generated + 3, real) > 0.8


@pytest.mark.parametrize("off", [-1e-9, 1e-9])
def test_a_value_that_comes_often_has_a_bin_of_its_own(off):
    rng = np.random.default_rng(0)
    atoms = np.where(rng.random(5000) < 0.5, 0, rng.standard_normal(5000))[:, None]
    share = (atoms == 0).mean()
    assert total_variations(atoms, atoms[::-1]) == 0
    assert total_variations(np.where(atoms == 0, off, atoms), atoms) == pytest.approx([share], abs=0.01)


def test_a_constant_column_has_no_deviation_and_no_correlation_of_rounding():
    rng = np.random.default_rng(0)
    real = np.column_stack([rng.standard_normal((999, 2)), np.full(999, 0.1), np.full(999, 0.7)])
    assert real.std(axis=0)[2] > 0
    scores = evaluate_marginals(real + np.array([0, 0, 1e-6, 0]), real, real[::-1])
    assert scores["mean error / std, worst"]["generated"] < 1e-5
    assert scores["correlation error, worst"]["generated"] < 1e-12
    nearly = real + 1e-6 * real[:, :1] * np.array([0, 0, 1, 0])
    assert evaluate_marginals(nearly, real, real)["correlation error, worst"]["generated"] < 1e-12
    assert "correlation error, worst" not in evaluate_marginals(nearly[:, 1:], real[:, 1:], real[:, 1:])
