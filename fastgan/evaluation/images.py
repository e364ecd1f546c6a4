"""Images: whether each shows the class that was asked for, and whether all of them cover the real ones."""

from __future__ import annotations

import numpy as np

from fastgan.data.dataset import DataSpec
from fastgan.evaluation.measures import Measures, Result, add_measures, side_by_side

CLASS_SAMPLES = 10_000
NEIGHBOUR_SAMPLES = 2000
NEIGHBOURS = 5


def evaluate_classes(
    generated: tuple[np.ndarray, np.ndarray],
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    spec: DataSpec,
    seed: int,
) -> Result:
    """GAN-test (Shmelkov et al. 2018): accuracy on (image, class asked for) of a classifier of real images.

    Each argument is rows (n, width) and labels (n,). The column ``real`` is the same classifier's accuracy on
    `test`, real images that it was not trained on.
    """
    from fastgan.classifier import train_classifier

    classifier = train_classifier(*train, spec, seed)
    names = spec.class_names or tuple(map(str, range(spec.n_classes)))
    result: Result = {}
    for who, (rows, labels) in {"generated": generated, "real": test}.items():
        right = classifier.predict(rows) == labels
        classes = [right[labels == k] for k in range(spec.n_classes)]
        by_class = {
            f"GAN-test, {name}": of_class.mean() if of_class.size else None
            for name, of_class in zip(names, classes, strict=True)
        }
        add_measures(result, who, {"samples": len(rows), "GAN-test accuracy": right.mean(), **by_class})
    return result


def squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances (len(a), len(b)) of rows, never below zero."""
    squares = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2 * (a @ b.T)
    return np.maximum(squares, 0)


def precision_recall(samples: np.ndarray, real: np.ndarray, k: int = NEIGHBOURS) -> dict[str, float]:
    """Precision, recall (Kynkäänniemi et al. 2019), density, coverage (Naeem et al. 2020) of rows (n, width).

    The ball of a row reaches to its k-th nearest neighbour among its own kind. Precision: share of samples in
    some real ball; recall: share of real rows in some sample's ball; density: real balls a sample is in, over
    k; coverage: share of real balls with a sample inside. Precision and density ask for quality, the others
    for variety.
    """
    samples, real = samples.astype(np.float64), real.astype(np.float64)
    k = min(k, len(samples) - 1, len(real) - 1)
    # The nearest of its own kind is the row itself, at distance zero, so the k-th neighbour has index k.
    real_radius = np.partition(squared_distances(real, real), k, axis=1)[:, k]
    sample_radius = np.partition(squared_distances(samples, samples), k, axis=1)[:, k]
    distances = squared_distances(real, samples)
    in_real_ball = distances <= real_radius[:, None]
    return {
        "precision": float(in_real_ball.any(axis=0).mean()),
        "recall": float((distances <= sample_radius[None]).any(axis=1).mean()),
        "density": float(in_real_ball.sum(axis=0).mean() / k),
        "coverage": float((distances.min(axis=1) <= real_radius).mean()),
    }


def evaluate_variety(
    generated: np.ndarray, reference: np.ndarray, real: np.ndarray, spec: DataSpec
) -> Result:
    """Measure how the images cover `reference`, pixel by pixel, and the share of different ones."""
    reference_units = spec.to_network_units(reference)

    def measure(rows: np.ndarray) -> Measures:
        different = len(np.unique(rows, axis=0)) / len(rows)
        return {
            **precision_recall(spec.to_network_units(rows), reference_units),
            "different images": different,
        }

    result = side_by_side(measure, generated=generated, real=real)
    return {"samples of these": result.pop("samples"), **result}
