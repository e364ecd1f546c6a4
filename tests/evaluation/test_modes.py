import numpy as np
import pytest

from fastgan.data import load_dataset
from fastgan.data.synthetic import draw_mixture
from fastgan.evaluation import evaluate, evaluate_modes
from fastgan.evaluation.modes import mode_coverage

from .helpers import giving

CORNERS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


def test_a_collapsed_sampler_covers_one_mode():
    scores = mode_coverage(np.tile(CORNERS[2], (100, 1)), CORNERS, 0.01)
    assert scores == {"modes covered": 1, "high-quality share": 1, "reverse KL": pytest.approx(np.log(4))}


def test_equal_shares_have_no_divergence():
    scores = mode_coverage(np.tile(CORNERS, (25, 1)), CORNERS, 0.01)
    assert scores["reverse KL"] == pytest.approx(0, abs=1e-12)
    assert scores["modes covered"] == 4


def test_unequal_shares_by_hand():
    samples = CORNERS[[0, 0, 0, 1]]
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert mode_coverage(samples, CORNERS, 0.01)["reverse KL"] == pytest.approx(np.log(4) - entropy)


def test_only_samples_within_three_standard_deviations_count():
    samples = np.array([[0.0, 0.0299], [0.0, 0.0301], [1.0, 1.0299], [0.5, 0.5]])
    scores = mode_coverage(samples, CORNERS, 0.01)
    assert scores["high-quality share"] == 0.5
    assert scores["modes covered"] == 2


def test_no_good_sample_at_all():
    scores = mode_coverage(np.full((10, 2), 0.5), CORNERS, 0.01)
    assert scores == {"modes covered": 0, "high-quality share": 0, "reverse KL": pytest.approx(np.log(4))}


def test_a_perfect_sampler_scores_as_theory_says():
    samples = draw_mixture(CORNERS, 0.01, 100_000, np.random.default_rng(0))
    scores = mode_coverage(samples, CORNERS, 0.01)
    assert scores["high-quality share"] == pytest.approx(1 - np.exp(-4.5), abs=0.001)
    assert scores["reverse KL"] < 1e-4


def test_noise_costs_quality_and_lost_modes_cost_variety():
    rng = np.random.default_rng(0)
    noisy = evaluate_modes(draw_mixture(CORNERS, 0.02, 2500, rng), CORNERS, 0.01, rng)
    lost = evaluate_modes(draw_mixture(CORNERS[:3], 0.01, 2500, rng), CORNERS, 0.01, rng)
    # Twice the spread leaves 1 - exp(-(3 / 2)^2 / 2) within 3 standard deviations.
    assert noisy["high-quality share"]["generated"] == pytest.approx(1 - np.exp(-1.125), abs=0.03)
    assert noisy["modes covered"]["generated"] == 4
    assert lost["modes covered"] == {"generated": 3, "real": 4}
    assert lost["reverse KL"]["generated"] == pytest.approx(np.log(4 / 3), abs=0.01)
    assert lost["high-quality share"]["generated"] == pytest.approx(0.989, abs=0.01)


@pytest.mark.parametrize(("source", "modes", "divergence"), [("ring", 8, 0.0014), ("grid", 25, 0.0048)])
def test_the_ceiling_is_the_published_one(source, modes, divergence):
    data = load_dataset(source, rows=3000)
    centres, std = data.truth["centres"], float(data.truth["std"])
    result = evaluate_modes(data.array[:2500], centres, std, np.random.default_rng(0))
    for who in ("generated", "real"):
        assert result["modes covered"][who] == modes
        assert result["high-quality share"][who] == pytest.approx(0.9889, abs=0.008)
    assert result["reverse KL"]["real"] == pytest.approx(divergence, rel=0.4)


@pytest.mark.parametrize(("source", "modes"), [("ring", 8), ("grid", 25)])
def test_the_modes_of_a_data_set_are_found_in_it(source, modes):
    data = load_dataset(source, rows=600)
    result = evaluate(giving(data.array), data)
    for who in ("generated", "real"):
        assert result["modes covered"][who] == modes
        assert result["high-quality share"][who] == pytest.approx(0.9889, abs=0.008)
    assert result["samples"] == {"generated": 2500, "real": 600}
