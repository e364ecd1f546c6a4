"""Rows column by column, and the correlations of columns."""

from __future__ import annotations

import numpy as np

from fastgan.evaluation.measures import Measures, Result, check_rows, side_by_side

MOST_COLUMNS_SHOWN = 16
BINS, LEAST_IN_BIN = 64, 5


def evaluate_marginals(
    generated: np.ndarray,
    reference: np.ndarray,
    real: np.ndarray,
    names: tuple[str, ...] = (),
    *,
    ordered: bool = True,
    moments: bool = True,
) -> Result:
    """Measure generated rows and other real rows, both (n, width), against the real rows `reference`.

    The total variation of each column and, where values are `ordered`, which tokens are not, its Kolmogorov-Smirnov
    distance; with `moments` the error of its mean and of its standard deviation, in units of the reference's
    standard deviation (of a constant column: its own units), and the difference of the correlation matrices off the
    diagonal, of columns that vary in the reference. Of each the mean and the worst, and of up to 16
    ordered columns the distances by name.

    Raises
    ------
    UserError
        If rows are fewer than two, not finite numbers, or not of one width.
    """
    check_rows(generated=generated, reference=reference, real=real)
    reference = reference.astype(np.float64)
    width = reference.shape[1]
    names = names or tuple(f"column {i}" for i in range(width))
    varies = varying(reference)
    std = np.where(varies, reference.std(axis=0), 1.0)
    pairs = np.triu(np.outer(varies, varies), 1)
    reference_correlations = correlations(reference) if moments else np.empty(0)

    def measure(rows: np.ndarray) -> Measures:
        values = rows.astype(np.float64)
        distances = {"KS distance": ks_distances(values, reference)} if ordered else {}
        distances["total variation"] = total_variations(values, reference)
        errors = {}
        if moments:
            errors["mean error / std"] = np.abs(values.mean(axis=0) - reference.mean(axis=0)) / std
            errors["std error / std"] = np.abs(values.std(axis=0) - reference.std(axis=0)) / std
            errors["correlation error"] = np.abs(correlations(values) - reference_correlations)[pairs]
        measures: dict[str, float | None] = {}
        for name, error in (distances | errors).items():
            if error.size:
                measures |= {f"{name}, mean": float(error.mean()), f"{name}, worst": float(error.max())}
        for name, error in distances.items():
            if ordered and width <= MOST_COLUMNS_SHOWN:
                keys = [_apart(column, names) for column in names]
                measures |= {f"{name}, {key}": float(each) for key, each in zip(keys, error, strict=True)}
        return measures

    return side_by_side(measure, generated=generated, real=real)


def _apart(name: str, names: tuple[str, ...]) -> str:
    """A column's name, told apart from what the summaries of all columns are called, and from other columns."""
    apart = name
    while apart in ("mean", "worst") or (apart != name and apart in names):
        apart = f"column {apart}"
    return apart


def ks_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Kolmogorov-Smirnov distance (width,) of each column of rows (n, width) and (m, width)."""
    from scipy.stats import ks_2samp

    # The p-value is not used; "asymp" is the one that costs nothing.
    return np.array([ks_2samp(x, y, method="asymp").statistic for x, y in zip(a.T, b.T, strict=True)])


def total_variations(values: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Total variation (width,), half the summed differences of shares, of each column of rows (n, width).

    A column of `reference` (m, width) with few different values, up to 64 and half the rows, has a share for each and
    one for all others. A column with more has 64 bins, or one for five rows where these are few, with as many of the
    reference's values in each; a value that fills a bin alone, such as zero in a column of mostly zeros, has its own.
    """
    return np.array([_total_variation(x, y) for x, y in zip(values.T, reference.T, strict=True)])


def _total_variation(values: np.ndarray, reference: np.ndarray) -> float:
    known = np.unique(reference)
    bins = BINS
    if len(known) > min(BINS, len(reference) / 2):
        bins = min(BINS, max(2, len(reference) // LEAST_IN_BIN))
        edges = np.quantile(reference, np.arange(1, bins) / bins)
        places = [_in_bins(each, edges) for each in (values, reference)]
    else:
        places = [
            np.where(np.isin(each, known), np.searchsorted(known, each), bins) for each in (values, reference)
        ]
    shares = [np.bincount(each, minlength=2 * bins) / len(each) for each in places]
    return float(np.abs(shares[0] - shares[1]).sum() / 2)


def _in_bins(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Number of each value's bin; a value that is several edges has the bin after all those between edges."""
    first, after = (np.searchsorted(edges, values, side) for side in ("left", "right"))
    return first + np.where(after - first > 1, len(edges) + 1, 0)


def correlations(rows: np.ndarray) -> np.ndarray:
    """Correlation matrix (width, width) of rows (n, width); a constant column correlates with nothing."""
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.nan_to_num(np.atleast_2d(np.corrcoef(rows, rowvar=False)))
    varies = varying(rows)
    return np.where(np.outer(varies, varies), found, 0.0)


def varying(rows: np.ndarray) -> np.ndarray:
    """Which columns (width,) have two different values; a deviation above zero may be one of rounding."""
    return rows.max(axis=0) > rows.min(axis=0)
