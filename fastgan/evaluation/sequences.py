"""Sequences of numbers that should be random: simple tests of the numbers and their bits, and NIST's of all bits."""

from __future__ import annotations

import numpy as np

from fastgan.data.dataset import require
from fastgan.evaluation.measures import Measures, Result, check_rows, side_by_side
from fastgan.evaluation.nist import FAMILIES, LEVEL, nist_p_values

BITS = 1_000_000
"""As many bits as NIST's tests are made for; fewer let some of its families out."""


def rows_needed(width: int, bits: int) -> int:
    """Rows of `width` numbers of `bits` bits that hold 10^6 bits."""
    return -(-BITS // (width * bits))


def evaluate_sequences(generated: np.ndarray, real: np.ndarray, bits: int) -> Result:
    """Test rows (n, width) of whole numbers in [0, 2^bits) that should be independent and uniform.

    NIST's tests run on the bits of all rows one after the other, at most 10^6; a line for each family says which
    share of its rows pass.

    Raises
    ------
    UserError
        If rows are fewer than two, not finite numbers, or not of one width, or not of so many bits.
    """
    check_rows(generated=generated, real=real)
    outside = any(each.min() < 0 or each.max() >= 2**bits for each in (generated, real))
    require(not outside, f"rows hold values outside 0 to {2**bits - 1}; give numbers of {bits} bits")

    def measure(rows: np.ndarray) -> Measures:
        rows = rows.astype(np.int64)
        ones = to_bits(rows, bits)
        by_family = nist_p_values(ones.ravel()[:BITS])
        every = np.concatenate([*by_family.values(), np.empty(0)])
        return {
            "ones, worst bit": float(np.abs(ones.mean(axis=0) - 0.5).max()),
            "bits, p-value": bit_test(ones),
            "chi-square, p-value": frequency_test(rows, bits),
            "serial, p-value": serial_test(rows, bits),
            "NIST rows passed": passed(every),
            **{f"NIST, {name}": passed(by_family[name]) for name in FAMILIES if name in by_family},
        }

    return side_by_side(measure, generated=generated, real=real)


def to_bits(rows: np.ndarray, bits: int) -> np.ndarray:
    """Return rows (n, width) of whole numbers as bits (n, width * bits) uint8, the highest of each number first."""
    places = np.arange(bits)[::-1]
    return (rows[:, :, None] >> places & 1).astype(np.uint8).reshape(len(rows), -1)


def bit_test(bits: np.ndarray) -> float:
    """p-value of the share of ones in every column of bits (n, width): chi-square with `width` degrees."""
    from scipy.stats import chi2

    n, width = bits.shape
    return float(chi2.sf(4 * n * ((bits.mean(axis=0) - 0.5) ** 2).sum(), width))


def frequency_test(rows: np.ndarray, bits: int) -> float:
    """p-value of the highest 8 bits of numbers below 2^bits, chi-square (Knuth, TAOCP 2, section 3.3.2 A)."""
    kept = min(bits, 8)
    return _uniform(rows.ravel() >> (bits - kept), 2**kept)


def serial_test(rows: np.ndarray, bits: int) -> float:
    """p-value of the highest 4 bits of pairs of neighbours in a row, chi-square (Knuth, section 3.3.2 B).

    Pairs do not overlap; a column that is left over counts with its neighbour in the next row.
    """
    kept = min(bits, 4)
    high = rows.ravel()[: rows.size // 2 * 2] >> (bits - kept)
    return _uniform(high[::2] << kept | high[1::2], 4**kept)


def passed(p_values: np.ndarray) -> float | None:
    """Share of p-values of at least 0.01; None of none."""
    return float((p_values >= LEVEL).mean()) if p_values.size else None


def _uniform(classes: np.ndarray, count: int) -> float:
    from scipy.stats import chisquare

    return float(chisquare(np.bincount(classes, minlength=count)).pvalue)
