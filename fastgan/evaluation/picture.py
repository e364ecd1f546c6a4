"""The picture of an evaluation: generated rows beside real ones, in the form that suits their kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fastgan.data.dataset import Dataset
from fastgan.evaluation.modes import nearest_modes
from fastgan.evaluation.neighbours import nearest_rows
from fastgan.evaluation.rows import Sampler, draw_compared
from fastgan.evaluation.sequences import to_bits
from fastgan.evaluation.tokens import LONGEST_NGRAM, number_ngrams
from fastgan.pictures import comparisons
from fastgan.pictures.grid import image_pairs

PAIRS, PAIRS_A_CLASS = 40, 5
MOST_NGRAMS = 12
MOST_COMPARED = 2**27
"""Values of real images, spread evenly over all, that the nearest is looked for in: 512 MiB of float32."""


def draw_evaluation(
    sample: Sampler, dataset: Dataset, path: str | Path, test: Dataset | None = None, seed: int = 0
) -> None:
    """Draw the rows that `evaluate` measures, with the same arguments, beside real ones.

    Points of known modes, or any two columns, as scatters; images with the nearest of the data beside each; tokens
    as bars of n-grams; random sequences as pairs of numbers and shares of bits; all else as cumulative
    distributions.
    """
    spec, truth = dataset.spec, dataset.truth
    if spec.kind == "image":
        _draw_images(sample, dataset, path, seed)
        return
    generated, _, real, _ = draw_compared(sample, dataset, test, seed)
    samples = generated[: len(real)]
    if spec.kind == "tokens":
        comparisons.paired_bars(ngram_shares(samples, real), path)
    elif "centres" in truth and spec.width == 2:
        centres, std = np.asarray(truth["centres"]), float(truth["std"])
        comparisons.modes(samples, real, centres, std, *nearest_modes(samples, centres, std), path)
    elif "bits" in truth:
        ones = to_bits(generated.astype(np.int64), truth["bits"]).mean(axis=0).reshape(spec.width, -1)
        comparisons.randomness(samples, real, ones, 0.5 / np.sqrt(len(generated)), path)
    elif spec.kind == "points" and spec.width == 2:
        comparisons.pair_of_scatters(samples, real, path)
    else:
        comparisons.cumulative(samples, real, spec, path)


def ngram_shares(
    samples: np.ndarray, real: np.ndarray
) -> dict[str, tuple[list[str], np.ndarray, np.ndarray]]:
    """For each length up to 3 the 12 most frequent n-grams of both sets, and their shares in `real` and `samples`."""
    panels = {}
    for n in range(1, min(LONGEST_NGRAM, real.shape[1]) + 1):
        numbers = number_ngrams(np.concatenate([real, samples]), n)
        sets = (numbers[: len(real)], numbers[len(real) :])
        shares = [np.bincount(each.ravel(), minlength=numbers.max() + 1) / each.size for each in sets]
        frequent = np.argsort(-(shares[0] + shares[1]), kind="stable")[:MOST_NGRAMS]
        row, column = np.unravel_index(np.unique(numbers, return_index=True)[1][frequent], numbers.shape)
        tokens = np.concatenate([real, samples])
        names = [" ".join(map(str, tokens[i, j : j + n])) for i, j in zip(row, column, strict=True)]
        panels[f"{n}-grams"] = (names, shares[0][frequent], shares[1][frequent])
    return panels


def _draw_images(sample: Sampler, dataset: Dataset, path: str | Path, seed: int) -> None:
    spec = dataset.spec
    labels = np.repeat(np.arange(spec.n_classes), PAIRS_A_CLASS) if spec.n_classes else None
    samples = sample(PAIRS if labels is None else len(labels), labels, seed)
    rows = min(len(dataset), max(1, MOST_COMPARED // spec.width))
    places = np.linspace(0, len(dataset) - 1, rows).astype(np.int64)
    known = np.asarray(dataset.array[places])
    nearest = nearest_rows(spec.to_network_units(samples), spec.to_network_units(known))
    image_pairs(samples, known[nearest], spec, path, labels)
