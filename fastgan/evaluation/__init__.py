"""How good are the samples? Measures for each kind of data, always beside those of real rows.

`evaluate` chooses those that fit the data; each is a function of plain arrays too.
"""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np

from fastgan.data.dataset import Dataset
from fastgan.data.synthetic import draw_numbers
from fastgan.evaluation.apart import evaluate_apart
from fastgan.evaluation.classes import evaluate_classes
from fastgan.evaluation.marginals import evaluate_marginals
from fastgan.evaluation.measures import Result
from fastgan.evaluation.modes import evaluate_modes
from fastgan.evaluation.neighbours import evaluate_neighbours
from fastgan.evaluation.picture import draw_evaluation
from fastgan.evaluation.report import format_report
from fastgan.evaluation.rows import MOST_TESTED, Sampler, draw_compared, labelled_pair, share_of_new
from fastgan.evaluation.sequences import evaluate_sequences
from fastgan.evaluation.tokens import evaluate_tokens
from fastgan.evaluation.two_sample import evaluate_two_sample

__all__ = [
    "Result",
    "Sampler",
    "draw_evaluation",
    "evaluate",
    "evaluate_apart",
    "evaluate_classes",
    "evaluate_marginals",
    "evaluate_modes",
    "evaluate_neighbours",
    "evaluate_sequences",
    "evaluate_tokens",
    "evaluate_two_sample",
    "format_report",
    "learnt_from",
    "left_out",
]

COPIED = 0.5
"""Share of test rows among those learnt from that is said; a table of few different values has some by chance."""

MOST_COLUMNS = 1024
"""Evenly spaced ones are looked at one by one where rows are wider."""


def evaluate(sample: Sampler, dataset: Dataset, test: Dataset | None = None, seed: int = 0) -> Result:
    """Measure a generator against the data it learnt from.

    Parameters
    ----------
    sample : called as ``sample(count, labels, seed)``; returns (count, width) in data units. Labels are
        (count,) int64, or None for data without classes
    dataset : the training rows, with what is known of their true distribution
    test : real rows not trained on; without it, and where the true distribution is not known, some of the dataset's
        stand in for them, which a generator that repeats what it has learnt comes as near to as they do themselves
    seed : of every random choice here

    Returns
    -------
    Result
        measure -> {"generated": value, "real": its ceiling, ...}. The ceiling is that of fresh rows where the
        true distribution is known, else of `test` or what stands in for it. Measures of neighbours, of
        distances and of columns are there for any data; others depend on its kind: modes of points with known centres,
        likelihood and n-grams of tokens, tests of randomness of sequences, classifiers where there are classes.

    Raises
    ------
    UserError
        If there are fewer than 20 rows, or the generator gives NaN or infinity.
    """
    spec, truth = dataset.spec, dataset.truth
    generated, labels, reference, real = draw_compared(sample, dataset, test, seed)
    few = generated[: len(real)]
    rng = np.random.default_rng((seed, 1))
    result: Result = {"samples": {"generated": float(len(generated)), "real": float(len(real))}}
    if "centres" in truth:
        result |= evaluate_modes(few, np.asarray(truth["centres"]), float(truth["std"]), rng)
    if "bits" in truth:
        fresh = draw_numbers(truth["bits"], generated.shape, rng)
        result |= evaluate_sequences(generated, fresh, truth["bits"])
    if spec.kind == "tokens":
        chain = (truth["initial"], truth["transition"]) if "transition" in truth else None
        others = chain is not None or test is not None
        result |= evaluate_tokens(few, reference, real, rng, seen=dataset.array, unseen=others, chain=chain)
    if spec.n_classes:
        result |= evaluate_classes((generated, labels), *labelled_pair(dataset, test, rng), spec, seed)
    fakes, known, unseen = (spec.to_network_units(rows) for rows in (few, reference, real))
    result |= evaluate_neighbours(fakes, known, unseen)
    result |= evaluate_two_sample(fakes, known, unseen, seed)
    columns = np.unique(np.linspace(0, spec.width - 1, min(spec.width, MOST_COLUMNS)).astype(np.int64))
    fakes, known, unseen = (rows[:, columns] for rows in (few, reference, real))
    if not left_out():
        result |= evaluate_apart(fakes, known, unseen, seed)
    ordered, moments = spec.kind != "tokens", spec.kind not in ("tokens", "image")
    return result | evaluate_marginals(fakes, known, unseen, spec.columns, ordered=ordered, moments=moments)


def learnt_from(dataset: Dataset, test: Dataset | None) -> str:
    """Say that the real rows of `evaluate` were learnt from, all of them for want of others, or half of `test`."""
    if dataset.truth:
        return ""
    if test is None:
        return "note: real rows are some that were learnt from, for there are no others; copies of them come as near"
    known = 1 - share_of_new(np.asarray(test.array[:MOST_TESTED]), dataset.array)
    return (
        f"note: {known:.0%} of the rows of {test.name} are among those learnt from" if known >= COPIED else ""
    )


def left_out() -> str:
    """Name the measures that need a package that is not installed, and how to install it; empty if none does."""
    if find_spec("sklearn"):
        return ""
    return "left out: told apart by trees, which needs scikit-learn: pip install 'fastgan[evaluate]'"
