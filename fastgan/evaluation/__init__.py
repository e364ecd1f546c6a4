"""How good are the samples? Measures for each kind of data, always beside those of real rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fastgan.data.dataset import Dataset, require
from fastgan.evaluation import images, marginals, modes, tokens
from fastgan.evaluation.measures import Result, Sampler, format_report, labelled_pair, real_pair

__all__ = ["Result", "Sampler", "evaluate", "format_report"]


def evaluate(sample: Sampler, dataset: Dataset, test: Dataset | None = None, seed: int = 0) -> Result:
    """Measure a generator against the data it learnt from.

    Parameters
    ----------
    sample : called as ``sample(count, labels, seed)``; returns (count, width) in data units. Labels are
        (count,) int64, or None for data without classes
    dataset : the training rows, with what is known of their true distribution
    test : real rows not trained on; without it some of the dataset's are held out where measures need them
    seed : of every random choice here

    Returns
    -------
    Result
        measure -> {"generated": value, "real": its ceiling, ...}. Which measures depends on the kind of data:
        mode coverage for points with known centres; likelihood, n-grams and collapse for tokens; a classifier
        and neighbours for images; column distributions and correlations for the rest.

    Raises
    ------
    UserError
        If the generator gives NaN or infinity.
    """
    spec, truth = dataset.spec, dataset.truth
    rng = np.random.default_rng(seed)

    def generate(count: int) -> tuple[np.ndarray, np.ndarray]:
        labels = draw_labels(dataset, count, rng)
        rows = sample(count, labels if spec.n_classes else None, seed)
        finite = rows.dtype.kind != "f" or np.isfinite(rows).all()
        require(
            bool(finite),
            "the generator gives NaN or infinity: its training diverged; lower the learning rates",
        )
        return rows, labels

    if spec.kind == "image":
        return _evaluate_images(generate, dataset, test, seed, rng)
    if "centres" in truth:
        generated, _ = generate(modes.SAMPLES)
        return modes.evaluate_modes(generated, np.asarray(truth["centres"]), float(truth["std"]), rng)
    count = tokens.SAMPLES if spec.kind == "tokens" else marginals.SAMPLES
    reference, real = real_pair(dataset.array, None if test is None else test.array, count, rng)
    generated, _ = generate(len(real))
    if spec.kind == "tokens":
        return tokens.evaluate_tokens(generated, reference, real, spec.vocabulary, truth, rng)
    return marginals.evaluate_marginals(generated, reference, real, spec.columns)


def draw_labels(dataset: Dataset, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw `count` labels as frequent as in `dataset`; none without classes."""
    labels = dataset.labels
    return labels[rng.integers(len(labels), size=count)] if dataset.spec.n_classes else labels


def _evaluate_images(
    generate: Callable[[int], tuple[np.ndarray, np.ndarray]],
    dataset: Dataset,
    test: Dataset | None,
    seed: int,
    rng: np.random.Generator,
) -> Result:
    """Ask for classes where there are some, and measure quality and variety by neighbours."""
    spec = dataset.spec
    result: Result = {}
    generated, asked = generate(images.CLASS_SAMPLES if spec.n_classes else images.NEIGHBOUR_SAMPLES)
    if spec.n_classes:
        train, held_out = labelled_pair(dataset, test, rng)
        result = images.evaluate_classes((generated, asked), train, held_out, spec, seed)
    rows = None if test is None else test.array
    reference, real = real_pair(dataset.array, rows, images.NEIGHBOUR_SAMPLES, rng)
    return {**result, **images.evaluate_variety(generated[: len(real)], reference, real, spec)}
