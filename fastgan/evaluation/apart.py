"""Whether a classifier can learn to tell generated rows from real ones; scikit-learn's, from the extra `evaluate`."""

from __future__ import annotations

import numpy as np

from fastgan.evaluation.measures import Measures, Result, check_rows, draw_rows, side_by_side

MOST_ROWS = 2000


def evaluate_apart(generated: np.ndarray, reference: np.ndarray, real: np.ndarray, seed: int = 0) -> Result:
    """Measure how well boosted trees tell generated rows, and other real rows, from the real rows `reference`.

    All are (n, width); at most 2,000 of each are used.

    Raises
    ------
    UserError
        If rows are fewer than two, not finite numbers, or not of one width.
    ModuleNotFoundError
        Without scikit-learn.
    """
    check_rows(generated=generated, reference=reference, real=real)
    rng = np.random.default_rng(seed)
    few = draw_rows(reference, MOST_ROWS, rng)

    def measure(rows: np.ndarray) -> Measures:
        return {"told apart by trees": told_apart(draw_rows(rows, MOST_ROWS, rng), few, seed)}

    return side_by_side(measure, generated=generated, real=real)


def told_apart(samples: np.ndarray, real: np.ndarray, seed: int = 0) -> float:
    """Area under the ROC curve of boosted trees that learn to tell rows (n, width) from real rows (m, width).

    They learn from half of the rows and are asked about the other half: 0.5 is guessing, 1 is knowing, and clearly less
    is what copies of real rows get, whose twin was learnt as real. Few rows stray: 20 that are alike by +- 0.12. A
    classifier as a two-sample test is that of Lopez-Paz and Oquab 2017.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from threadpoolctl import threadpool_limits

    rows = np.concatenate([samples, real])
    is_real = np.repeat([0, 1], [len(samples), len(real)])
    rng = np.random.default_rng(seed)
    halves = [np.array_split(rng.permutation(np.flatnonzero(is_real == kind)), 2) for kind in (0, 1)]
    learnt, asked = (np.concatenate(half) for half in zip(*halves, strict=True))
    trees = HistGradientBoostingClassifier(
        max_leaf_nodes=8,
        min_samples_leaf=max(1, min(20, len(learnt) // 4)),
        early_stopping=False,
        random_state=seed,
    )
    with threadpool_limits(
        1, user_api="openmp"
    ):  # a tree is too small to share: threads would wait for each other
        trees.fit(rows[learnt], is_real[learnt])
        chances = trees.predict_proba(rows[asked])[:, 1]
    return float(roc_auc_score(is_real[asked], chances))
