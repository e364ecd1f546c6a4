from __future__ import annotations

import numpy as np
import pytest

from fastgan.data import load_dataset
from fastgan.errors import UserError


@pytest.mark.parametrize("source", ["ring", "grid", "sequences", "tokens"])
def test_a_function_of_the_seed(source):
    one, same, other = (load_dataset(source, rows=100, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.array, same.array)
    assert (one.array != other.array).any() and len(one) == 100
    assert one.name == source and len(one.labels) == 0


@pytest.mark.parametrize(("source", "modes", "std"), [("ring", 8, 0.01), ("grid", 25, 0.05)])
def test_mixtures(source, modes, std):
    data = load_dataset(source)
    assert data.array.shape == (100_000, 2) and data.array.dtype == np.float32 and data.spec.kind == "points"
    centres = data.truth["centres"]
    assert centres.shape == (modes, 2) and data.truth["std"] == std
    nearest = np.linalg.norm(data.array[:, None] - centres, axis=2).argmin(axis=1)
    np.testing.assert_allclose(np.bincount(nearest) / len(data), 1 / modes, atol=0.005)
    np.testing.assert_allclose((data.array - centres[nearest]).std(axis=0), std, rtol=0.02)
    units = data.spec.to_network_units(data.array)
    np.testing.assert_allclose([units.mean(), units.std()], [0, 1], atol=1e-4)
    assert not data.spec.bounded


def test_where_the_centres_are():
    np.testing.assert_allclose(np.linalg.norm(load_dataset("ring", rows=9).truth["centres"], axis=1), 1)
    grid = load_dataset("grid", rows=9).truth["centres"]
    assert {tuple(centre) for centre in grid} == {(x, y) for x in range(-4, 5, 2) for y in range(-4, 5, 2)}
    other = load_dataset("ring", rows=9, options={"modes": 3, "radius": 2, "std": 0.1}).truth
    assert other["centres"].shape == (3, 2) and other["centres"][0, 0] == 2 and other["std"] == 0.1


def test_sequences():
    data = load_dataset("sequences")
    assert data.array.shape == (10_000, 8) and data.spec.kind == "sequence"
    assert (data.spec.dtype, data.spec.low, data.spec.high, data.spec.bounded) == ("uint16", 0, 65535, True)
    assert abs(data.array.mean() / 32767.5 - 1) < 0.01 and data.array.max() > 65_000
    units = data.spec.to_network_units(data.array)
    assert np.abs(units).max() <= 1
    back = data.spec.to_data_units(units)
    assert back.dtype == np.uint16
    np.testing.assert_array_equal(back, data.array)
    assert data.spec.to_data_units(np.array([[-2.0, 2.0] * 4], np.float32)).tolist() == [[0, 65535] * 4]


def test_tokens_follow_their_grammar():
    data = load_dataset("tokens")
    initial, transition = data.truth["initial"], data.truth["transition"]
    assert data.array.shape == (20_000, 16) and data.array.dtype == np.uint8
    assert (data.spec.kind, data.spec.vocabulary, data.spec.network_width) == ("tokens", 16, 256)
    np.testing.assert_allclose([initial.sum(), *transition.sum(axis=1)], 1)
    assert np.count_nonzero(initial) == 4 and (np.count_nonzero(transition, axis=1) == 4).all()

    begins = np.bincount(data.array[:, 0], minlength=16)
    assert not begins[initial == 0].any()
    np.testing.assert_allclose(begins / len(data), initial, atol=0.02)
    pairs = np.zeros((16, 16))
    np.add.at(pairs, (data.array[:, :-1], data.array[:, 1:]), 1)
    assert not pairs[transition == 0].any()
    counts = pairs.sum(axis=1, keepdims=True)
    seen = counts[:, 0] > 5000
    assert seen.sum() > 8
    np.testing.assert_allclose((pairs / np.maximum(counts, 1))[seen], transition[seen], atol=0.03)


def test_another_seed_gives_fresh_sentences_of_the_same_language():
    one, fresh = load_dataset("tokens", seed=1), load_dataset("tokens", seed=2)
    np.testing.assert_array_equal(one.truth["transition"], fresh.truth["transition"])
    other = load_dataset("tokens", options={"grammar": 1})
    assert (one.truth["transition"] != other.truth["transition"]).any()


@pytest.mark.parametrize(
    ("source", "options", "match"),
    [
        ("ring", {"modes": 0}, "modes = 0"),
        ("ring", {"std": -1.0}, "std = -1.0"),
        ("ring", {"radius": 0}, "radius = 0"),
        ("grid", {"side": 0}, "side = 0"),
        ("grid", {"spacing": 0.0}, "spacing = 0"),
        ("sequences", {"length": 0}, "length = 0"),
        ("sequences", {"bits": 17}, "bits = 17"),
        ("tokens", {"vocabulary": 1}, "vocabulary = 1"),
        ("tokens", {"vocabulary": 257}, "vocabulary = 257"),
        ("tokens", {"branches": 17}, "branches = 17"),
        ("tokens", {"length": 0}, "length = 0"),
    ],
)
def test_impossible_options(source, options, match):
    with pytest.raises(UserError, match=match):
        load_dataset(source, options=options)
