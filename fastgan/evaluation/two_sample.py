"""How far apart two sets of rows are as a whole, and whether chance explains it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastgan.evaluation.measures import Measures, Result, check_rows, draw_rows, side_by_side
from fastgan.evaluation.neighbours import squared_distances

MOST_ROWS = 2000
"""Rows of each set in a test: its matrix holds a number for each pair."""

DIRECTIONS = 128
PERMUTATIONS = 999

NEARER = (1 / 2, 1 / 8, 1 / 32, 1 / 128)
"""Shares of all pairs of rows nearer to each other than a kernel is wide: the median distance, and details."""

NOTHING = 1e-30
"""What is less in a kernel, whose largest value is 1, is 0: float32's subnormal numbers are slow."""

TIE, ROUNDING = 1e-4, 1e-12
"""Statistics of one test that lie so near to each other, in parts of the largest, are equal; and squared distances so
small, in parts of the largest, are zero."""


def evaluate_two_sample(
    generated: np.ndarray, reference: np.ndarray, real: np.ndarray, seed: int = 0
) -> Result:
    """Measure generated rows and other real rows, both (n, width), against the real rows `reference`.

    The sliced Wasserstein distance of all rows; the maximum mean discrepancy of at most 2,000 of each, with a
    Gaussian kernel as wide as the median distance of real rows; and the p-value of a permutation test with that kernel
    and narrower ones.

    Raises
    ------
    UserError
        If rows are fewer than two, not finite numbers, or not of one width.
    """
    check_rows(generated=generated, reference=reference, real=real)
    rng = np.random.default_rng(seed)
    few = draw_rows(reference, MOST_ROWS, rng)
    widths = kernel_widths(np.concatenate([few, draw_rows(real, MOST_ROWS, rng)]))

    def measure(rows: np.ndarray) -> Measures:
        squared, p_value = mmd_test(draw_rows(rows, MOST_ROWS, rng), few, widths, seed)
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


def kernel_widths(rows: np.ndarray, nearer: Sequence[float] = NEARER) -> list[float]:
    """Distances (Euclidean) than which these shares of the pairs of rows (n, width) lie nearer to each other.

    Those that are zero are left out; 1 alone where all are.
    """
    rows = rows - rows.mean(axis=0, dtype=np.float64)
    pairs = squared_distances(rows, rows)[np.triu_indices(len(rows), 1)]
    found = np.quantile(pairs, nearer)
    widths = np.sqrt(found[found > ROUNDING * pairs.max()])
    return list(dict.fromkeys(widths.tolist())) or [1.0]


def mmd_test(
    a: np.ndarray, b: np.ndarray, widths: Sequence[float], seed: int = 0, permutations: int = PERMUTATIONS
) -> tuple[float, float]:
    """Squared maximum mean discrepancy of rows (n, d) and (m, d), and the p-value of a test that they are alike.

    The kernels are ``exp(-|x - y|^2 / (2 width^2))``. The first number is the unbiased estimate of Gretton et al. 2012,
    lemma 6, with the first width; it is around zero, also below it, for rows of one distribution. One kernel sees
    differences of its own width alone, so the test takes the largest discrepancy of all of them, each in standard
    deviations of its random relabellings (as Biggs et al. 2023, arXiv 2306.08777, weigh kernels). The second number is
    the share of relabellings, this one included, where that is as large: uniform where the rows are alike. Both are NaN
    where a row is not finite, or fewer than two are given of a kind.
    """
    n, m = len(a), len(b)
    rows = np.concatenate([a, b])
    if min(n, m) < 2 or not np.isfinite(rows).all():
        return float("nan"), float("nan")
    rows = rows - rows.mean(axis=0, dtype=np.float64)
    distances = squared_distances(rows, rows)
    labels = np.repeat([1 / n, -1 / m], [n, m]).astype(np.float32)
    shuffled = np.random.default_rng(seed).permuted(np.tile(labels, (permutations, 1)), axis=1)
    every = np.concatenate([labels[None], shuffled])

    squared, largest = [], np.full(len(every), -np.inf)
    for width in widths:
        kernel = np.exp(distances * (-1 / (2 * width**2)))
        np.fill_diagonal(kernel, 0)
        kernel[kernel < NOTHING] = 0
        within = kernel[:n, :n].sum() / (n * (n - 1)) + kernel[n:, n:].sum() / (m * (m - 1))
        squared.append(within - 2 * kernel[:n, n:].mean())
        # What a relabelling changes is the quadratic form in its labels: one product with the matrix for all of them.
        apart = np.einsum("ij,ij->i", every @ kernel.astype(np.float32), every, dtype=np.float64)
        # Relabellings of equal rows are ties, which sums in another order would break.
        tie = TIE * np.abs(apart).max()
        deviation = apart.std()
        largest = np.maximum(largest, (apart - apart.mean()) / deviation if deviation > tie else 0.0)
    return float(squared[0]), float((largest >= largest[0] - TIE * np.abs(largest).max()).mean())
