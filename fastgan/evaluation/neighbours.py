"""Quality and variety by nearest neighbours, for rows of any kind."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fastgan.evaluation.measures import Measures, Result, check_rows, side_by_side

NEIGHBOURS = 5
BLOCK = 1000
"""Rows whose distances to all others are in memory at one time."""

ROUNDING = 1e-12
"""Of the squares that a squared distance is made of: what is no farther off than this is at the same distance."""


def evaluate_neighbours(
    generated: np.ndarray, reference: np.ndarray, real: np.ndarray, k: int = NEIGHBOURS
) -> Result:
    """Measure how generated rows and other real rows cover the real rows `reference`.

    All are (n, width), in units in which distances mean something; numbers of rows should be alike, since all
    four measures depend on them.

    Raises
    ------
    UserError
        If rows are fewer than two, not finite numbers, or not of one width.
    """
    check_rows(generated=generated, reference=reference, real=real)

    def measure(rows: np.ndarray) -> Measures:
        return {**precision_recall(rows, reference, k), "different rows": share_of_different(rows)}

    return side_by_side(measure, generated=generated, real=real)


def precision_recall(samples: np.ndarray, real: np.ndarray, k: int = NEIGHBOURS) -> dict[str, float]:
    """Precision, recall (Kynkäänniemi et al. 2019), density, coverage (Naeem et al. 2020) of rows (n, width).

    The ball of a row reaches to its k-th nearest neighbour among its own kind. Precision: share of samples in
    some real ball; recall: share of real rows in some sample's ball; density: real balls a sample is in, over
    k; coverage: share of real balls with a sample inside. Precision and density ask for quality, the others
    for variety. What lies on a ball's edge, as many of tokens' and flags' rows do, is in the ball.
    """
    samples, real = _centred(samples, real)
    k = min(k, len(samples) - 1, len(real) - 1)
    sample_reach = reach(samples, k)
    balls = np.zeros(len(samples), np.int64)
    recalled = covered = 0
    for part, radius in zip(_blocks(real), _blocks(reach(real, k)), strict=True):
        distances = squared_distances(part, samples)
        balls += (distances <= radius[:, None]).sum(axis=0)
        recalled += (distances <= sample_reach).any(axis=1).sum()
        covered += (distances.min(axis=1) <= radius).sum()
    return {
        "precision": float((balls > 0).mean()),
        "recall": float(recalled / len(real)),
        "density": float(balls.mean() / max(1, k)),
        "coverage": float(covered / len(real)),
    }


def nearest_rows(samples: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the index (n,) of the nearest of `rows` (m, width) to each of `samples` (n, width)."""
    centre = rows.mean(axis=0, dtype=np.float64)
    samples = samples - centre
    nearest, distance, start = np.zeros(len(samples), np.int64), np.full(len(samples), np.inf), 0
    for part in _blocks(rows):
        distances = squared_distances(samples, part - centre)
        closer = distances.min(axis=1) < distance
        nearest[closer] = start + distances.argmin(axis=1)[closer]
        distance = np.minimum(distance, distances.min(axis=1))
        start += len(part)
    return nearest


def share_of_different(rows: np.ndarray) -> float:
    """Number of different rows over the number of rows."""
    return len(np.unique(rows, axis=0)) / len(rows)


def squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances (len(a), len(b)) of rows, never below zero."""
    squares = a @ b.T
    squares *= -2
    squares += (a * a).sum(axis=1)[:, None]
    squares += (b * b).sum(axis=1)
    return np.maximum(squares, 0, out=squares)


def reach(rows: np.ndarray, k: int) -> np.ndarray:
    """Squared distance (n,) of each row (n, width) float64 to its k-th nearest neighbour, and rounding's worth more.

    So a row at just that distance is within reach, however either was rounded.
    """
    # The nearest of its own kind is the row itself, at distance zero, so the k-th neighbour has index k.
    parts = (np.partition(squared_distances(part, rows), k, axis=1)[:, k] for part in _blocks(rows))
    squares = np.concatenate(list(parts))
    return squares + ROUNDING * (squares + (rows * rows).sum(axis=1))


def _centred(samples: np.ndarray, real: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64 about the real rows' mean, where squares lose the fewest digits."""
    centre = real.mean(axis=0, dtype=np.float64)
    return samples - centre, real - centre


def _blocks(rows: np.ndarray) -> Iterator[np.ndarray]:
    return (rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK))
