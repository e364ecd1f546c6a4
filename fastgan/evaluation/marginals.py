"""Rows of numbers: column by column, their correlations, and whether rows repeat."""

from __future__ import annotations

import numpy as np

from fastgan.evaluation.measures import Result, side_by_side

SAMPLES = 5000
MOST_COLUMNS_SHOWN = 16


def correlations(rows: np.ndarray) -> np.ndarray:
    """Correlation matrix (width, width) of rows (n, width); a constant column correlates with nothing."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nan_to_num(np.atleast_2d(np.corrcoef(rows, rowvar=False)))


def evaluate_marginals(
    generated: np.ndarray, reference: np.ndarray, real: np.ndarray, names: tuple[str, ...] = ()
) -> Result:
    """Measure generated rows and other real rows, both (n, width), against the real rows `reference`.

    The Kolmogorov-Smirnov distance of each column (each by name up to 16 columns), the error of its mean and
    of its standard deviation in units of the reference's standard deviation, and the difference of the
    correlation matrices off the diagonal; of each the mean and the worst. Last the share of different rows.
    """
    from scipy.stats import ks_2samp

    reference = reference.astype(np.float64)
    width = reference.shape[1]
    names = names or tuple(f"column {i}" for i in range(width))
    mean, std = reference.mean(axis=0), reference.std(axis=0)
    std = np.where(std > 0, std, 1.0)
    reference_correlations = correlations(reference)
    pairs = np.triu_indices(width, 1)

    def measure(rows: np.ndarray) -> dict[str, float | None]:
        values = rows.astype(np.float64)
        # The p-value is not used; "asymp" is the one that costs nothing.
        distances = [
            float(ks_2samp(values[:, i], reference[:, i], method="asymp").statistic) for i in range(width)
        ]
        measures: dict[str, float | None] = {}
        if width <= MOST_COLUMNS_SHOWN:
            measures = {
                f"KS distance, {name}": distance for name, distance in zip(names, distances, strict=True)
            }
        errors = {
            "KS distance": np.array(distances),
            "mean error / std": np.abs(values.mean(axis=0) - mean) / std,
            "std error / std": np.abs(values.std(axis=0) - reference.std(axis=0)) / std,
            "correlation error": np.abs(correlations(values) - reference_correlations)[pairs],
        }
        for name, error in errors.items():
            if error.size:
                measures[f"{name}, mean"] = float(error.mean())
                measures[f"{name}, worst"] = float(error.max())
        measures["different rows"] = len(np.unique(rows, axis=0)) / len(rows)
        return measures

    return side_by_side(measure, generated=generated, real=real)
