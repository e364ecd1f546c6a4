"""Rows with classes: whether each is of the class asked for, judged by a fixed small classifier."""

from __future__ import annotations

import numpy as np

from fastgan.backends import blas_threads
from fastgan.data.dataset import DataSpec, require
from fastgan.evaluation.measures import Measures, Result, add_measures, check_rows
from fastgan.evaluation.rows import Labelled


def evaluate_classes(
    generated: Labelled, train: Labelled, test: Labelled, spec: DataSpec, seed: int = 0
) -> Result:
    """Measure generated rows by classifiers, and beside them real rows that the classifiers were not trained on.

    GAN-test: accuracy on (row, class asked for) of a classifier of the real rows `train`; real: on `test`. GAN-train:
    accuracy on `test` of the same classifier trained on generated rows; real: on as many rows of `train` (both:
    Shmelkov et al. 2018). Frechet distance: of features of the first classifier, to those of half of `test`; real:
    of the other half.

    Raises
    ------
    UserError
        If rows are fewer than two, not finite numbers, or not of one width, or labels not one a row in [0, n_classes).
    """
    from fastgan.classifier import train_classifier

    check_rows(generated=generated[0], train=train[0], test=test[0])
    for who, (rows, labels) in {"generated": generated, "train": train, "test": test}.items():
        fits = labels.shape == (len(rows),) and labels.dtype.kind in "iu"
        known = fits and labels.min() >= 0 and labels.max() < spec.n_classes
        require(known, f"{who} labels must be ({len(rows)},) whole numbers, 0 to {spec.n_classes - 1}")
    rng = np.random.default_rng(seed)
    judge = train_classifier(*train, spec, seed)
    names = spec.class_names or tuple(map(str, range(spec.n_classes)))
    features, others = (judge.features(half) for half in np.array_split(rng.permutation(test[0]), 2))

    def measure(rows: Labelled, learnt: Labelled, seen: np.ndarray) -> Measures:
        right = judge.predict(rows[0]) == rows[1]
        classes = [right[rows[1] == k] for k in range(spec.n_classes)]
        by_class = {
            f"GAN-test, {name}": float(of_class.mean()) if of_class.size else None
            for name, of_class in zip(names, classes, strict=True)
        }
        return {
            "GAN-test accuracy": float(right.mean()),
            **by_class,
            "GAN-train accuracy": train_classifier(*learnt, spec, seed).accuracy(*test),
            "Frechet distance": frechet_distance(seen, features),
        }

    size = min(len(generated[0]), len(train[0]))
    places = rng.permutation(len(train[0]))[:size]
    fakes = generated[0][:size], generated[1][:size]
    result: Result = {}
    count = min(len(generated[0]), len(others))  # the distance is the higher the fewer the rows
    seen, others = judge.features(generated[0][:count]), others[:count]
    add_measures(result, "generated", measure(generated, fakes, seen))
    add_measures(result, "real", measure(test, (train[0][places], train[1][places]), others))
    return result


@blas_threads(1)  # with others its last digits would be others
def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Squared Frechet distance of the normal distributions fitted to rows (n, width) and (m, width).

    ``|mean_a - mean_b|^2 + trace(A + B - 2 (A B)^(1/2))`` with covariances A and B (Dowson and Landau 1982; Heusel et
    al. 2017). It is zero at best, and the higher the fewer the rows: compare it at one number of rows. It is NaN of
    rows that are not finite, and of fewer than two of a kind.
    """
    if min(len(a), len(b)) < 2 or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return float("nan")
    a, b = a.astype(np.float64), b.astype(np.float64)
    first, second = (np.atleast_2d(np.cov(rows, rowvar=False)) for rows in (a, b))
    values, vectors = np.linalg.eigh(first)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    # A B has the eigenvalues of A^(1/2) B A^(1/2), which is symmetric.
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second @ root), 0)).sum()
    apart = ((a.mean(axis=0) - b.mean(axis=0)) ** 2).sum()
    return max(0.0, float(apart + np.trace(first) + np.trace(second) - 2 * shared))
