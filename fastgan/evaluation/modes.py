"""Mode coverage of a mixture of Gaussians with known centres, as in PacGAN (Lin et al. 2018, table 1)."""

from __future__ import annotations

import numpy as np

from fastgan.data.dataset import require
from fastgan.data.synthetic import draw_mixture
from fastgan.evaluation.measures import Result, add_measures, check_rows, side_by_side

SAMPLES = 2500
PERFECT_DRAWS = 20


def mode_coverage(samples: np.ndarray, centres: np.ndarray, std: float) -> dict[str, float]:
    """Measure samples (n, d) against a mixture of equal Gaussians at `centres` (k, d).

    A sample belongs to its nearest centre and is of high quality within 3 standard deviations of it. One such
    sample covers a mode. The reverse KL divergence is that of the shares of the modes among the
    high-quality samples from equal shares, in nats: ln k minus their entropy. With no such sample it is ln k.
    """
    nearest, good = nearest_modes(samples, centres, std)
    counts = np.bincount(nearest[good], minlength=len(centres))
    shares = counts[counts > 0] / max(1, counts.sum())
    return {
        "modes covered": float((counts > 0).sum()),
        "high-quality share": float(good.mean()),
        "reverse KL": float(np.log(len(centres)) + (shares * np.log(shares)).sum()),
    }


def nearest_modes(samples: np.ndarray, centres: np.ndarray, std: float) -> tuple[np.ndarray, np.ndarray]:
    """Return each sample's nearest centre (n,), and whether it is within 3 standard deviations of it (n,)."""
    squares = ((samples[:, None, :].astype(np.float64) - centres[None]) ** 2).sum(axis=2)
    nearest = squares.argmin(axis=1)
    return nearest, squares[np.arange(len(samples)), nearest] <= (3 * std) ** 2


def evaluate_modes(
    generated: np.ndarray, centres: np.ndarray, std: float, rng: np.random.Generator
) -> Result:
    """Measure generated points (n, d), and beside them the mean of 20 sets of n from the true mixture.

    Raises
    ------
    UserError
        If rows are fewer than two, not finite numbers, or not of one width, that of the centres.
    """
    check_rows(generated=generated)
    width = f"the centres have {centres.shape[1]} columns but the generated rows {generated.shape[1]}; give the same"
    require(generated.shape[1] == centres.shape[1], width)
    result = side_by_side(lambda rows: mode_coverage(rows, centres, std), generated=generated)
    perfect = [
        mode_coverage(draw_mixture(centres, std, len(generated), rng), centres, std)
        for _ in range(PERFECT_DRAWS)
    ]
    means = {name: float(np.mean([draw[name] for draw in perfect])) for name in perfect[0]}
    add_measures(result, "real", means)
    return result
