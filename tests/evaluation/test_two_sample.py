import numpy as np
import pytest
from scipy.stats import kstest, wasserstein_distance
from sklearn.metrics.pairwise import rbf_kernel

from fastgan.evaluation import evaluate_two_sample
from fastgan.evaluation.two_sample import kernel_widths, mmd_test, sliced_wasserstein


def normals(seed, count, width=3):
    return np.random.default_rng(seed).standard_normal((count, width))


def test_sliced_wasserstein_of_a_shift_by_hand():
    rows = normals(0, 300, 2)
    # Along a direction at angle a the shift is |cos a|, whose mean is 2 / pi.
    assert sliced_wasserstein(rows + np.array([5.0, 0.0]), rows) == pytest.approx(5 * 2 / np.pi, rel=0.1)
    assert sliced_wasserstein(rows, rows[::-1]) == pytest.approx(0, abs=1e-12)


def test_sliced_wasserstein_of_one_column_is_scipys():
    a, b = normals(0, 200, 1), normals(1, 300, 1) * 2 + 1
    assert sliced_wasserstein(a, b) == pytest.approx(wasserstein_distance(a[:, 0], b[:, 0]))


def test_kernel_widths_by_hand():
    assert kernel_widths(np.array([[0.0], [1.0], [5.0]]), [0.5, 0]) == pytest.approx([4, 1])
    assert kernel_widths(np.ones((4, 2))) == [1]
    alike = np.repeat(normals(0, 1, 200), 100, axis=0)
    alike[:7] = normals(1, 7, 200)  # most distances are zero but for rounding
    assert kernel_widths(alike) == [1]
    flags = np.repeat(np.eye(2), 50, axis=0)  # half of the distances are zero
    assert kernel_widths(flags) == [2**0.5]


def test_mmd_is_the_formula_with_scikit_learns_kernel():
    a, b, width = normals(0, 40), normals(1, 60) + 0.5, 1.7
    gamma = 1 / (2 * width**2)
    within = [rbf_kernel(each, each, gamma) for each in (a, b)]
    means = [(k.sum() - len(k)) / (len(k) * (len(k) - 1)) for k in within]
    expected = sum(means) - 2 * rbf_kernel(a, b, gamma).mean()
    assert mmd_test(a, b, [width])[0] == pytest.approx(expected)


def test_mmd_of_two_normals_tends_to_its_closed_form():
    """E k(x, y) of N(0, s^2) and N(d, s^2) is w / sqrt(w^2 + 2 s^2) exp(-d^2 / (2 (w^2 + 2 s^2)))."""
    shift, width = 1.0, 1.5
    spread = width**2 + 2
    expected = 2 * width / np.sqrt(spread) * (1 - np.exp(-(shift**2) / (2 * spread)))
    found = mmd_test(normals(0, 2000, 1), normals(1, 2000, 1) + shift, [width], permutations=1)[0]
    assert found == pytest.approx(expected, rel=0.05)


def test_the_p_value_is_that_of_permutations_one_by_one():
    a, b, rng = normals(0, 12), normals(1, 15) + 0.4, np.random.default_rng(0)
    kernel = rbf_kernel(np.concatenate([a, b]), gamma=1 / 2)
    places = np.arange(27)

    def biased(order):
        x, y = order[:12], order[12:]
        return kernel[np.ix_(x, x)].mean() + kernel[np.ix_(y, y)].mean() - 2 * kernel[np.ix_(x, y)].mean()

    by_hand = np.mean([biased(rng.permutation(places)) >= biased(places) for _ in range(4000)])
    assert mmd_test(a, b, [1.0], permutations=4000)[1] == pytest.approx(by_hand, abs=0.03)


def test_p_values_of_one_distribution_are_uniform():
    widths = [2.0, 0.5, 0.1]
    p_values = [mmd_test(normals(2 * i, 40), normals(2 * i + 1, 40), widths, i, 99)[1] for i in range(200)]
    assert kstest(p_values, "uniform").pvalue > 0.01


def test_ties_count_as_the_same():
    ones = np.ones((50, 3))
    assert mmd_test(ones, ones, [1.0, 0.1])[1] == 1
    random = np.random.default_rng(0)
    flags = [random.integers(0, 2, (2, 10, 1)).astype(float) for _ in range(300)]
    p_values = np.array([mmd_test(a, b, [1.0, 0.1], i, 199)[1] for i, (a, b) in enumerate(flags)])
    assert (p_values <= 0.05).mean() < 0.07


@pytest.mark.parametrize(
    "spoil",
    [lambda x: x[:20].repeat(20, axis=0), lambda x: 1.5 * x, lambda x: x + 0.4, lambda x: x[:, [0, 0, 2]]],
    ids=["collapsed", "noisy", "shifted", "copied column"],
)
def test_rows_that_differ_are_found_and_real_ones_are_not(spoil):
    result = evaluate_two_sample(spoil(normals(0, 400)), normals(1, 400), normals(2, 400))
    assert result["MMD p-value"]["generated"] < 0.01 < result["MMD p-value"]["real"]
    for name in ("MMD squared", "sliced Wasserstein distance"):
        assert result[name]["generated"] > 1.5 * result[name]["real"]


def ring(seed, count, std=0.01, modes=range(8)):
    rng = np.random.default_rng(seed)
    angle = np.pi / 4 * rng.choice(list(modes), count)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1) + std * rng.standard_normal((count, 2))


@pytest.mark.parametrize(
    "fakes",
    [ring(0, 1000, std=0.02), ring(0, 1000, modes=[0, 1, 1, 2, 3, 4, 5, 6, 7])],
    ids=["clusters twice as wide", "one mode twice as often"],
)
def test_details_much_smaller_than_the_data_are_seen(fakes):
    result = evaluate_two_sample(fakes, ring(1, 1000), ring(2, 1000))
    assert result["MMD p-value"]["generated"] < 0.01 < result["MMD p-value"]["real"]


def test_the_same_seed_gives_the_same():
    sets = normals(0, 50), normals(1, 50), normals(2, 50)
    assert evaluate_two_sample(*sets, seed=3) == evaluate_two_sample(*sets, seed=3)


def test_what_is_not_finite_has_no_p_value():
    rows = np.random.default_rng(0).standard_normal((40, 3))
    for bad in (np.where(np.arange(40)[:, None] == 3, np.nan, rows), rows * np.inf, rows[:1], rows[:0]):
        assert np.isnan(mmd_test(bad, rows, [1.0])).all()
        assert np.isnan(mmd_test(rows, bad, [1.0])).all()
