"""The rows that are compared: generated ones, the real ones they are held against, and real ones never seen."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from fastgan.data.dataset import Dataset, require
from fastgan.data.synthetic import draw_fresh
from fastgan.evaluation import modes, sequences
from fastgan.evaluation.measures import draw_rows

SAMPLES, LEAST_SAMPLES = 5000, 200
MOST_VALUES = 2**25
"""In the rows of one kind: 256 MiB of float64."""

LEAST_ROWS = 20
MOST_LEARNT, MOST_TESTED = 100_000, 10_000
SEEN_AT_ONCE = 100_000

Labelled = tuple[np.ndarray, np.ndarray]
"""Rows (n, width) in data units, and their labels (n,) int64."""


class Sampler(Protocol):
    """Draws rows in data units; with `labels` (count,) int64, row i is asked to be of class labels[i]."""

    def __call__(self, count: int, labels: np.ndarray | None, seed: int, /) -> np.ndarray:
        """Return (count, width); the same seed gives the same rows."""
        ...


# Keeps these rows apart from those that a data source draws from the same seed.
_APART = 0xE7A1


class Compared(NamedTuple):
    """Rows in data units, all of the dtype that the data set is stored in, so that equal values are equal.

    Parameters
    ----------
    generated, labels : (count, width), and the classes asked for, (count,) int64 as frequent as in the data, or (0,)
    reference, real : (n, width) each, n at most `count`: of the data, and as new to the measures as the generated
        are: fresh ones where the truth is known, else of the test set, else others of the data, learnt from as well
    """

    generated: np.ndarray
    labels: np.ndarray
    reference: np.ndarray
    real: np.ndarray


def draw_compared(sample: Sampler, dataset: Dataset, test: Dataset | None, seed: int) -> Compared:
    """Draw all rows that `evaluate` compares; the same seed gives the same.

    Raises
    ------
    UserError
        If there are fewer than 20 real rows, or the generator gives NaN or infinity.
    """
    spec, truth = dataset.spec, dataset.truth
    rng = np.random.default_rng((seed, _APART))
    for each in (dataset, dataset if test is None else test):
        few = f"{each.name}: {len(each)} rows are too few to compare with"
        require(len(each) >= LEAST_ROWS, f"{few}; evaluation needs at least {LEAST_ROWS}")
    most = most_rows(dataset)
    count = max(most, sequences.rows_needed(spec.width, truth["bits"])) if "bits" in truth else most
    labels = draw_labels(dataset, count, rng)
    generated = sample(count, labels if spec.n_classes else None, seed)
    finite = generated.dtype.kind != "f" or np.isfinite(generated).all()
    advice = "its training diverged; lower the learning rates"
    require(bool(finite), f"the generator gives NaN or infinity: {advice}")
    fresh = draw_fresh(truth, (most, spec.width), rng)
    held_out = fresh if fresh is not None else test.array if test is not None else None
    reference, real = real_pair(dataset.array, held_out, most, rng)
    dtype = dataset.array.dtype
    return Compared(generated.astype(dtype), labels, reference, real.astype(dtype))


def most_rows(dataset: Dataset) -> int:
    """How many rows are compared: 2,500 as in PacGAN for points and tokens, else 5,000; fewer where they are wide."""
    usual = modes.SAMPLES if "centres" in dataset.truth or dataset.spec.kind == "tokens" else SAMPLES
    return min(usual, max(LEAST_SAMPLES, MOST_VALUES // dataset.spec.network_width))


def draw_labels(dataset: Dataset, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw `count` labels as frequent as in `dataset`; none without classes."""
    labels = dataset.labels
    return labels[rng.integers(len(labels), size=count)] if dataset.spec.n_classes else labels


def real_pair(
    array: np.ndarray, test: np.ndarray | None, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return two disjoint sets of real rows of one size, at most `count`: the reference and the held out.

    The held-out rows come from `test` where there is one, so that the ceiling is that of unseen rows.
    """
    if test is not None:
        count = min(count, len(array), len(test))
        return draw_rows(array, count, rng), draw_rows(test, count, rng)
    rows = draw_rows(array, 2 * count, rng)
    half = len(rows) // 2
    return rows[:half], rows[half : 2 * half]


def share_of_new(rows: np.ndarray, seen: np.ndarray) -> float:
    """Share of rows (n, width) that are no row of `seen` (m, width), in its dtype; that is read in blocks."""
    wanted = [row.tobytes() for row in rows.astype(seen.dtype)]
    missing = set(wanted)
    for start in range(0, len(seen), SEEN_AT_ONCE):
        missing.difference_update(row.tobytes() for row in np.asarray(seen[start : start + SEEN_AT_ONCE]))
    return float(np.mean([row in missing for row in wanted]))


def labelled_pair(
    dataset: Dataset, test: Dataset | None, rng: np.random.Generator
) -> tuple[Labelled, Labelled]:
    """Return (rows, labels) to train a classifier on, and others to test it on: `test`, or a fifth.

    At most 100,000 to train on and 10,000 to test on.
    """
    order = rng.permutation(len(dataset))
    if test is not None:
        return _labelled(dataset, order), _labelled(test, rng.permutation(len(test))[:MOST_TESTED])
    held_out, kept = np.split(order, [min(len(dataset) // 5, MOST_TESTED)])
    return _labelled(dataset, kept), _labelled(dataset, held_out)


def _labelled(dataset: Dataset, places: np.ndarray) -> Labelled:
    places = np.sort(places[:MOST_LEARNT])
    return np.asarray(dataset.array[places]), dataset.labels[places]
