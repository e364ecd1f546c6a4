"""How far apart two sets of rows are as a whole, and whether chance explains it."""

from __future__ import annotations

import numpy as np

from fastgan.evaluation.measures import Measures, Result, draw_rows, side_by_side
from fastgan.evaluation.neighbours import squared_distances

MOST_ROWS = 2000
"""Rows of each set in a test: its matrix holds a number for each pair."""

DIRECTIONS = 128
PERMUTATIONS = 999

TIE, ROUNDING = 1e-4, 1e-12
"""Statistics of one test that lie so near to each other, in parts of the largest, are equal; and squared distances so
small, in parts of the largest, are zero."""


def evaluate_two_sample(
    generated: np.ndarray, reference: np.ndarray, real: np.ndarray, seed: int = 0
) -> Result:
    """Measure generated rows and other real rows, both (n, width), against the real rows `reference`.

    The sliced Wasserstein distance of all rows; the maximum mean discrepancy of at most 2,000 of each, with a
    Gaussian kernel as wide as the median distance of real rows, and its permutation p-value.
    """
    rng = np.random.default_rng(seed)
    few = draw_rows(reference, MOST_ROWS, rng)
    width = median_distance(np.concatenate([few, draw_rows(real, MOST_ROWS, rng)]))

    def measure(rows: np.ndarray) -> Measures:
        squared, p_value = mmd_test(draw_rows(rows, MOST_ROWS, rng), few, width, seed)
        return {
            "sliced Wasserstein distance": sliced_wasserstein(rows, reference, seed),
            "MMD squared": squared,
            "MMD p-value": p_value,
        }

    return side_by_side(measure, generated=generated, real=real)


def sliced_wasserstein(a: np.ndarray, b: np.ndarray, seed: int = 0) -> float:
    """Mean Wasserstein-1 distance of rows (n, width) and (m, width) along 128 directions drawn from `seed`.

    Sliced distances are those of Rabin et al. 2011; the unit is that of the rows.
    """
    from scipy.stats import wasserstein_distance

    directions = np.random.default_rng(seed).standard_normal((a.shape[1], DIRECTIONS))
    directions /= np.linalg.norm(directions, axis=0)
    pairs = zip((a @ directions).T, (b @ directions).T, strict=True)
    return float(np.mean([wasserstein_distance(*pair) for pair in pairs]))


def median_distance(rows: np.ndarray) -> float:
    """Median Euclidean distance of two different rows of (n, width); 1 where that is zero."""
    rows = rows - rows.mean(axis=0, dtype=np.float64)
    pairs = squared_distances(rows, rows)[np.triu_indices(len(rows), 1)]
    middle = float(np.median(pairs))
    return middle**0.5 if middle > ROUNDING * pairs.max() else 1.0


def mmd_test(
    a: np.ndarray, b: np.ndarray, width: float, seed: int = 0, permutations: int = PERMUTATIONS
) -> tuple[float, float]:
    """Squared maximum mean discrepancy of rows (n, d) and (m, d), and its p-value (Gretton et al. 2012).

    The kernel is ``exp(-|x - y|^2 / (2 width^2))``. The first number is the unbiased estimate of lemma 6, which
    is around zero, also below it, for rows of one distribution. The second is the share of random relabellings
    of all rows, this one included, that set the two sets as far apart: uniform where they are alike.
    """
    n, m = len(a), len(b)
    rows = np.concatenate([a, b])
    rows = rows - rows.mean(axis=0, dtype=np.float64)
    kernel = squared_distances(rows, rows)
    kernel *= -1 / (2 * width**2)
    np.exp(kernel, out=kernel)
    np.fill_diagonal(kernel, 0)
    within = kernel[:n, :n].sum() / (n * (n - 1)) + kernel[n:, n:].sum() / (m * (m - 1))
    squared = within - 2 * kernel[:n, n:].mean()

    labels = np.repeat([1 / n, -1 / m], [n, m]).astype(np.float32)
    shuffled = np.random.default_rng(seed).permuted(np.tile(labels, (permutations, 1)), axis=1)
    every = np.concatenate([labels[None], shuffled])
    # What a relabelling changes is the quadratic form in its labels: one product with the matrix for all of them.
    apart = np.einsum("ij,ij->i", every @ kernel.astype(np.float32), every, dtype=np.float64)
    # Relabellings of equal rows are ties, which sums in another order would break.
    return float(squared), float((apart >= apart[0] - TIE * np.abs(apart).max()).mean())
