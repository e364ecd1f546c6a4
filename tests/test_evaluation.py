"""The measures against cases worked out by hand, and samplers whose score is known beforehand."""

import itertools
import json
import pty
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from fastgan.classifier import NO_LABELS, build_classifier, train_classifier, train_steps
from fastgan.data import load_dataset, load_test_split
from fastgan.data.dataset import Dataset, DataSpec
from fastgan.data.synthetic import draw_chain, draw_mixture
from fastgan.errors import UserError
from fastgan.evaluation import evaluate, format_report
from fastgan.evaluation.images import precision_recall
from fastgan.evaluation.marginals import evaluate_marginals
from fastgan.evaluation.meanings import HIGHER, LOWER, MEANINGS, NEARER, meanings_of
from fastgan.evaluation.measures import real_pair
from fastgan.evaluation.modes import mode_coverage
from fastgan.evaluation.tokens import (
    chain_entropy,
    chain_measures,
    draw_independent,
    mode_collapse_score,
    ngram_divergence,
)

CORNERS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
INITIAL = np.array([0.5, 0.5, 0.0])
TRANSITION = np.array([[0.0, 0.25, 0.75], [1.0, 0.0, 0.0], [0.5, 0.5, 0.0]])


def table(rows, kind="table", **fields):
    width = rows.shape[1]
    spec = DataSpec(
        kind, width, str(rows.dtype), np.ones(width, np.float32), np.zeros(width, np.float32), **fields
    )
    return Dataset(rows, np.empty(0, np.int64), spec)


class TestModes:
    def test_a_collapsed_sampler_covers_one_mode(self):
        scores = mode_coverage(np.tile(CORNERS[2], (100, 1)), CORNERS, 0.01)
        assert scores == {"modes covered": 1, "high-quality share": 1, "reverse KL": pytest.approx(np.log(4))}

    def test_equal_shares_have_no_divergence(self):
        scores = mode_coverage(np.tile(CORNERS, (25, 1)), CORNERS, 0.01)
        assert scores["reverse KL"] == pytest.approx(0, abs=1e-12)
        assert scores["modes covered"] == 4

    def test_unequal_shares_by_hand(self):
        samples = CORNERS[[0, 0, 0, 1]]
        entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
        assert mode_coverage(samples, CORNERS, 0.01)["reverse KL"] == pytest.approx(np.log(4) - entropy)

    def test_only_samples_within_three_standard_deviations_count(self):
        samples = np.array([[0.0, 0.0299], [0.0, 0.0301], [1.0, 1.0299], [0.5, 0.5]])
        scores = mode_coverage(samples, CORNERS, 0.01)
        assert scores["high-quality share"] == 0.5
        assert scores["modes covered"] == 2

    def test_no_good_sample_at_all(self):
        scores = mode_coverage(np.full((10, 2), 0.5), CORNERS, 0.01)
        assert scores == {"modes covered": 0, "high-quality share": 0, "reverse KL": pytest.approx(np.log(4))}

    def test_a_perfect_sampler_scores_as_theory_says(self):
        samples = draw_mixture(CORNERS, 0.01, 100_000, np.random.default_rng(0))
        scores = mode_coverage(samples, CORNERS, 0.01)
        assert scores["high-quality share"] == pytest.approx(1 - np.exp(-4.5), abs=0.001)
        assert scores["reverse KL"] < 1e-4

    @pytest.mark.parametrize(("source", "modes", "divergence"), [("ring", 8, 0.0014), ("grid", 25, 0.0048)])
    def test_the_ceiling_is_the_published_one(self, source, modes, divergence):
        data = load_dataset(source, rows=3000)
        result = evaluate(lambda count, labels, seed: data.array[:count], data)
        for who in ("generated", "perfect sampler"):
            assert result["modes covered"][who] == modes
            assert result["high-quality share"][who] == pytest.approx(0.9889, abs=0.008)
        assert result["reverse KL"]["perfect sampler"] == pytest.approx(divergence, rel=0.4)
        assert result["samples"]["generated"] == 2500


class TestTokens:
    def test_likelihood_and_validity_by_hand(self):
        sequences = np.array([[0, 1, 0], [1, 0, 2], [0, 0, 1], [2, 0, 1]])  # the last two are impossible
        scores = chain_measures(sequences, INITIAL, TRANSITION)
        assert scores["valid"] == 0.5
        assert scores["NLL of the valid"] == pytest.approx(-(np.log(0.5 * 0.25) + np.log(0.5 * 0.75)) / 2)

    def test_no_valid_sequence_has_no_likelihood(self):
        assert chain_measures(np.array([[2, 2]]), INITIAL, TRANSITION) == {
            "valid": 0,
            "NLL of the valid": None,
        }

    def test_entropy_is_that_of_all_sequences(self):
        total = 0.0
        for sequence in itertools.product(range(3), repeat=4):
            chance = INITIAL[sequence[0]]
            for i, j in itertools.pairwise(sequence):
                chance *= TRANSITION[i, j]
            total -= chance * np.log(chance) if chance else 0
        assert chain_entropy(INITIAL, TRANSITION, 4) == pytest.approx(total)

    def test_drawn_sequences_are_valid_and_as_likely_as_they_should_be(self):
        drawn = draw_chain(INITIAL, TRANSITION, (20_000, 5), np.random.default_rng(0))
        scores = chain_measures(drawn, INITIAL, TRANSITION)
        assert scores["valid"] == 1
        assert scores["NLL of the valid"] == pytest.approx(chain_entropy(INITIAL, TRANSITION, 5), rel=0.01)
        after_zero = drawn[:, 1:][drawn[:, :-1] == 0]
        assert (after_zero == 2).mean() == pytest.approx(0.75, abs=0.01)

    def test_independent_positions_keep_their_marginals_and_lose_the_rest(self):
        real = draw_chain(INITIAL, TRANSITION, (500, 6), np.random.default_rng(0))
        mixed = draw_independent(real, np.random.default_rng(1))
        assert (np.sort(mixed, axis=0) == np.sort(real, axis=0)).all()
        assert chain_measures(mixed, INITIAL, TRANSITION)["valid"] < 0.5

    def test_divergence_by_hand(self):
        zeros, mixed = np.zeros((4, 2), np.uint8), np.array([[0, 1]] * 4, np.uint8)
        by_hand = -(0.75 * np.log2(0.75) + 0.25 * np.log2(0.25)) - 0.5
        assert ngram_divergence(zeros, mixed, 1, 2) == pytest.approx(by_hand)
        assert ngram_divergence(zeros, mixed, 2, 2) == pytest.approx(1)
        assert ngram_divergence(mixed, mixed, 2, 2) == 0

    def test_longer_ngrams_of_many_tokens_are_kept_apart(self):
        one, other = np.array([[255, 0, 1]], np.uint8), np.array([[255, 1, 0]], np.uint8)
        assert ngram_divergence(one, other, 1, 256) == 0
        assert ngram_divergence(one, other, 3, 256) == pytest.approx(1)

    def test_mode_collapse_score(self):
        assert mode_collapse_score(np.zeros((100, 5))) == pytest.approx(0.99)
        assert mode_collapse_score(np.arange(100)[:, None]) == 0

    def test_a_perfect_sampler_reaches_the_ceiling_and_a_collapsed_one_does_not(self):
        data = load_dataset("tokens", rows=6000)
        fresh = load_dataset("tokens", rows=2500, seed=77)
        perfect = evaluate(lambda count, labels, seed: fresh.array[:count], data)
        collapsed = evaluate(lambda count, labels, seed: np.repeat(fresh.array[:1], count, axis=0), data)
        name = "mode-collapse score (n = 100)"
        assert perfect["valid"] == {
            "generated": 1,
            "real": 1,
            "independent": pytest.approx(0, abs=0.01),
            "exact": 1,
        }
        assert perfect["NLL of the valid"]["generated"] == pytest.approx(
            perfect["NLL of the valid"]["exact"], rel=0.01
        )
        for n in (1, 2, 3):
            divergence = perfect[f"{n}-gram JS divergence"]
            assert divergence["generated"] < 2 * divergence["real"] + 1e-4
            assert collapsed[f"{n}-gram JS divergence"]["generated"] > 0.1
        assert collapsed["valid"]["generated"] == 1
        assert collapsed[name]["generated"] == pytest.approx(0.99)
        assert collapsed["unique sequences"]["generated"] == 1
        assert collapsed["unique tokens (n = 100)"]["generated"] == len(np.unique(fresh.array[0]))

    def test_without_a_known_chain_real_sequences_are_the_ceiling(self):
        rows = np.random.default_rng(0).integers(0, 5, (400, 6)).astype(np.uint8)
        result = evaluate(lambda count, labels, seed: rows[:count], table(rows, "tokens", vocabulary=5))
        assert "valid" not in result
        assert result["samples"] == {"generated": 200, "real": 200, "independent": 200}


class TestMarginals:
    def test_a_shift_by_hand(self):
        real = np.arange(100.0)[:, None]
        scores = evaluate_marginals(real + 25, real, real[::-1], ("age",))
        assert scores["KS distance, age"] == {"generated": pytest.approx(0.25), "real": 0}
        assert scores["mean error / std, worst"]["generated"] == pytest.approx(25 / real.std())
        assert scores["std error / std, worst"]["generated"] == pytest.approx(0)
        assert "correlation error, mean" not in scores

    def test_a_lost_correlation_and_repeated_rows(self):
        column = np.random.default_rng(0).standard_normal(1000)
        real = np.column_stack([column, column])
        scores = evaluate_marginals(np.column_stack([column, -column]), real, real[:1].repeat(1000, axis=0))
        assert scores["correlation error, worst"]["generated"] == pytest.approx(2)
        assert scores["different rows"] == {"generated": 1, "real": 0.001}

    def test_constant_columns_do_no_harm(self):
        rows = np.column_stack([np.full(50, 3.0), np.arange(50.0)])
        scores = evaluate_marginals(rows, rows, rows)
        assert all(np.isfinite(value) for column in scores.values() for value in column.values())

    def test_uniform_integers_reach_the_ceiling(self):
        data = load_dataset("sequences", rows=4000)
        fresh = load_dataset("sequences", rows=2000, seed=5)
        result = evaluate(lambda count, labels, seed: fresh.array[:count], data)
        assert result["KS distance, mean"]["generated"] < 1.6 * result["KS distance, mean"]["real"]
        assert result["different rows"]["generated"] == 1
        half = evaluate(lambda count, labels, seed: fresh.array[:count] // 2, data)
        assert half["KS distance, mean"]["generated"] == pytest.approx(0.5, abs=0.03)


class TestImages:
    def test_neighbours_against_the_definition(self):
        rng = np.random.default_rng(0)
        samples, real, k = rng.standard_normal((30, 3)), rng.standard_normal((40, 3)) + 0.7, 3
        distances = np.linalg.norm(real[:, None] - samples[None], axis=2)
        real_radius = np.sort(np.linalg.norm(real[:, None] - real[None], axis=2))[:, k]
        sample_radius = np.sort(np.linalg.norm(samples[:, None] - samples[None], axis=2))[:, k]
        scores = precision_recall(samples, real, k)
        assert scores == {
            "precision": np.mean([(distances[:, j] <= real_radius).any() for j in range(30)]),
            "recall": np.mean([(distances[i] <= sample_radius).any() for i in range(40)]),
            "density": pytest.approx(
                sum((distances[:, j] <= real_radius).sum() for j in range(30)) / (k * 30)
            ),
            "coverage": np.mean([distances[i].min() <= real_radius[i] for i in range(40)]),
        }

    def test_far_samples_score_nothing_and_collapsed_ones_cover_little(self):
        real = np.random.default_rng(0).standard_normal((100, 4))
        assert set(precision_recall(real + 100, real).values()) == {0}
        collapsed = precision_recall(real[:1].repeat(100, axis=0), real)
        assert collapsed["precision"] == 1
        assert collapsed["recall"] < 0.1
        assert collapsed["coverage"] < 0.5

    def test_the_classifier_learns_real_digits_and_is_the_same_twice(self):
        train, test = load_dataset("digits"), load_test_split("digits")
        first = train_classifier(train.array, train.labels, train.spec, seed=3)
        second = train_classifier(train.array, train.labels, train.spec, seed=3)
        assert first.accuracy(test.array, test.labels) > 0.9
        assert first.accuracy(train.array, train.labels) > 0.99
        assert np.array_equal(first.net.params, second.net.params)

    def test_compiled_and_interpreted_training_agree(self):
        rng = np.random.default_rng(0)
        spec = DataSpec("points", 7, "float32", np.ones(7), np.zeros(7), n_classes=3)
        rows, labels = rng.standard_normal((50, 7)).astype(np.float32), rng.integers(0, 3, 50)
        order = rng.integers(0, 50, (20, 5))
        compiled, interpreted = (build_classifier(spec, 5, np.random.default_rng(1)) for _ in range(2))
        start = compiled.params.copy()
        train_steps(compiled, rows, labels, order, NO_LABELS)
        train_steps.py_func(interpreted, rows, labels, order, NO_LABELS)
        np.testing.assert_allclose(compiled.params, interpreted.params, atol=2e-5)
        assert np.abs(compiled.params - start).max() > 0.001

    def test_real_digits_reach_the_ceiling_and_wrong_classes_do_not(self):
        data, test = load_dataset("digits"), load_test_split("digits")
        members = [np.flatnonzero(test.labels == k) for k in range(10)]

        def sample(count, labels, seed, shift=0):
            rng = np.random.default_rng(seed)
            return test.array[[rng.choice(members[(k + shift) % 10]) for k in labels]]

        right = evaluate(sample, data, test)
        accuracy = right["GAN-test accuracy"]
        assert accuracy["real"] > 0.9
        assert accuracy["generated"] == pytest.approx(accuracy["real"], abs=0.02)
        assert right["GAN-test, 3"]["generated"] == pytest.approx(right["GAN-test, 3"]["real"], abs=0.05)
        assert right["coverage"]["generated"] > 0.7
        wrong = evaluate(lambda count, labels, seed: sample(count, labels, seed, 1), data, test)
        assert wrong["GAN-test accuracy"]["generated"] < 0.1
        assert wrong["GAN-test accuracy"]["real"] == accuracy["real"]

    def test_without_a_test_set_a_fifth_is_held_out_and_images_need_no_classes(self):
        rng = np.random.default_rng(0)
        rows, labels = rng.integers(0, 17, (200, 16)).astype(np.uint8), np.repeat([0, 1], 100)
        rows[:100, :8] = 16
        spec = DataSpec(
            "image", 16, "uint8", np.full(16, 0.125), np.full(16, -1.0), 0, 16, image_shape=(4, 4)
        )
        plain = evaluate(lambda count, asked, seed: rows[:count], Dataset(rows, labels[:0], spec))
        assert "GAN-test accuracy" not in plain
        named = DataSpec(**{**spec.__dict__, "n_classes": 2, "class_names": ("full", "speckled")})
        result = evaluate(lambda count, asked, seed: rows[asked * 100], Dataset(rows, labels, named))
        assert result["samples"] == {"generated": 10_000, "real": 40}
        assert result["GAN-test, full"]["generated"] == 1


class TestEvaluate:
    def test_a_diverged_generator_is_one_line(self):
        data = load_dataset("ring", rows=100)
        with pytest.raises(UserError, match=r"^the generator gives NaN or infinity[^\n]*$"):
            evaluate(lambda count, labels, seed: np.full((count, 2), np.nan, np.float32), data)

    def test_the_same_seed_gives_the_same_json(self):
        data = load_dataset("tokens", rows=500)
        twice = [evaluate(lambda count, labels, seed: data.array[:count], data, seed=4) for _ in range(2)]
        assert json.dumps(twice[0], allow_nan=False) == json.dumps(twice[1], allow_nan=False)

    def test_real_sets_are_disjoint_and_of_one_size(self):
        rows = np.arange(101)[:, None]
        reference, real = real_pair(rows, None, 1000, np.random.default_rng(0))
        assert len(reference) == len(real) == 50
        assert not np.intersect1d(reference, real).size
        reference, real = real_pair(rows, rows[:7] + 500, 1000, np.random.default_rng(0))
        assert len(reference) == len(real) == 7
        assert real.min() >= 500

    def test_the_report_is_aligned(self):
        result = {
            "samples": {"generated": 2500.0, "real": 2500.0},
            "share": {"generated": 0.98765, "exact": 1.0},
            "loss": {"real": None},
        }
        assert format_report(result).splitlines() == [
            "         generated   real  exact",
            "samples      2,500  2,500",
            "share       0.9877             1",
            "loss                    -",
            "",
            f"samples: {MEANINGS['samples*']}",
        ]


class TestMeanings:
    @staticmethod
    def every_measure():
        rng = np.random.default_rng(0)
        spec = DataSpec("image", 4, "uint8", np.ones(4), np.zeros(4), n_classes=2, image_shape=(2, 2))
        pictures = Dataset(rng.integers(0, 255, (80, 4)).astype(np.uint8), np.arange(80) % 2, spec)
        ring, tokens = load_dataset("ring", rows=200), load_dataset("tokens", rows=200)
        for data in (ring, tokens, pictures, table(rng.standard_normal((80, 3)))):
            rows = data.array
            yield from evaluate(lambda n, labels, seed, rows=rows: rows[np.arange(n) % len(rows)], data)

    def test_every_measure_has_its_sentence_and_every_sentence_its_measure(self):
        measures = list(self.every_measure())
        assert [name for name in measures if not meanings_of([name])] == []
        assert set(meanings_of(measures)) == set(MEANINGS)

    @pytest.mark.parametrize("measure", [name for name in MEANINGS if name != "samples*"])
    def test_a_sentence_says_which_way_is_better(self, measure):
        assert MEANINGS[measure].endswith((HIGHER, LOWER, NEARER))
        assert len(f"{measure}: {MEANINGS[measure]}") <= 120

    def test_the_page_lists_them(self):
        page = Path(__file__).parents[1] / "docs" / "evaluate.md"
        if not page.parent.is_dir():
            pytest.skip("the checkout is not here: only the wheel is tested")
        rows = re.findall(r"^\| `(.*)` \| (.*) \|$", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert dict(rows) == MEANINGS

    def test_a_terminal_shows_them_dim(self, monkeypatch):
        monkeypatch.delenv("NO_COLOR", raising=False)
        controller, terminal = pty.openpty()
        with open(terminal, "w") as stdout, open(controller, "rb"):
            monkeypatch.setattr(sys, "stdout", stdout)
            report = format_report({"valid": {"generated": 0.5}})
        assert report.splitlines()[-1] == f"\x1b[2mvalid: {MEANINGS['valid']}\x1b[0m"
