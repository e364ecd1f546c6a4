import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from fastgan.evaluation import evaluate_neighbours, neighbours
from fastgan.evaluation.neighbours import nearest_rows, precision_recall
from fastgan.quality import nearness


def by_definition(samples, real, k):
    """Kynkäänniemi et al. 2019 and Naeem et al. 2020, with scikit-learn's neighbours."""

    def radius(rows):
        return NearestNeighbors(n_neighbors=k + 1).fit(rows).kneighbors(rows)[0][:, k]

    distances = np.linalg.norm(real[:, None] - samples[None], axis=2)
    in_real, in_sample = distances <= radius(real)[:, None], distances <= radius(samples)
    return {
        "precision": in_real.any(axis=0).mean(),
        "recall": in_sample.any(axis=1).mean(),
        "density": in_real.sum() / (k * len(samples)),
        "coverage": in_real.any(axis=1).mean(),
    }


@pytest.mark.parametrize("block", [7, 1000])
def test_neighbours_against_the_definition(monkeypatch, block):
    monkeypatch.setattr(neighbours, "BLOCK", block)
    rng = np.random.default_rng(0)
    samples, real = rng.standard_normal((30, 3)), rng.standard_normal((40, 3)) + 0.7
    assert precision_recall(samples, real, 3) == pytest.approx(by_definition(samples, real, 3))


def test_far_samples_score_nothing_and_collapsed_ones_cover_little():
    real = np.random.default_rng(0).standard_normal((100, 4))
    assert set(precision_recall(real + 100, real).values()) == {0}
    collapsed = precision_recall(real[:1].repeat(100, axis=0), real)
    assert collapsed["precision"] == 1
    assert collapsed["recall"] < 0.1
    assert collapsed["coverage"] < 0.5


def test_far_from_zero_no_digits_are_lost():
    rng = np.random.default_rng(0)
    samples, real = rng.standard_normal((200, 2)), rng.standard_normal((200, 2))
    there = precision_recall((samples + 1e5).astype(np.float64), real + 1e5)
    assert there == pytest.approx(precision_recall(samples, real), abs=0.011)


def test_noise_costs_precision_and_less_variety_costs_recall():
    rng = np.random.default_rng(0)
    real, reference = rng.standard_normal((2, 500, 4))
    noisy = evaluate_neighbours(2 * real, reference, real)
    narrow = evaluate_neighbours(real / 3, reference, real)
    for name in ("precision", "recall", "density", "coverage"):
        assert noisy[name]["real"] > 0.85
    assert noisy["precision"]["generated"] < noisy["precision"]["real"] - 0.2
    assert noisy["density"]["generated"] < noisy["density"]["real"] - 0.3
    assert narrow["recall"]["generated"] < narrow["recall"]["real"] - 0.2
    assert narrow["coverage"]["generated"] < narrow["coverage"]["real"] - 0.2
    assert narrow["precision"]["generated"] > 0.95


def test_repeated_rows_are_counted():
    rows = np.random.default_rng(0).standard_normal((100, 2))
    result = evaluate_neighbours(rows[:50].repeat(2, axis=0), rows, rows)
    assert result["different rows"] == {"generated": 0.5, "real": 1}


@pytest.mark.parametrize("block", [3, 1000])
def test_the_nearest_row_is_scikit_learns(monkeypatch, block):
    monkeypatch.setattr(neighbours, "BLOCK", block)
    samples, rows = np.random.default_rng(0).standard_normal((2, 50, 3))
    nearest = NearestNeighbors(n_neighbors=1).fit(rows).kneighbors(samples)[1][:, 0]
    assert nearest_rows(samples, rows).tolist() == nearest.tolist()


def test_two_rows_are_enough():
    expected = {"precision": 1, "recall": 1, "density": 2, "coverage": 1}
    assert precision_recall(np.eye(2), np.eye(2)) == expected


@pytest.mark.parametrize("width", [3, 100])
def test_whole_numbers_at_equal_distances_are_told_as_such(width):
    """Rows about a mean that is no whole number have distances that rounding makes unequal."""
    rng = np.random.default_rng(0)
    samples, real = (rng.random((2, 200, width)) < 0.1).astype(np.float32)
    expected = by_definition_exactly(samples, real, 5)
    assert precision_recall(samples, real) == expected
    precision, coverage = nearness(real, 5)(samples)
    assert {"precision": precision, "coverage": coverage} == {
        name: expected[name] for name in ("precision", "coverage")
    }


def by_definition_exactly(samples, real, k):
    """The same measures of rows of whole numbers, whose squared distances are whole numbers too."""
    samples, real = samples.astype(int), real.astype(int)

    def distances(a, b):
        return ((a[:, None] - b[None]) ** 2).sum(axis=2)

    def radius(rows):
        return np.sort(distances(rows, rows), axis=1)[:, k]

    in_real = distances(real, samples) <= radius(real)[:, None]
    in_sample = distances(real, samples) <= radius(samples)
    return {
        "precision": in_real.any(axis=0).mean(),
        "recall": in_sample.any(axis=1).mean(),
        "density": pytest.approx(in_real.sum() / (k * len(samples))),
        "coverage": in_real.any(axis=1).mean(),
    }
