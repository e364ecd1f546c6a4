"""How good samples are, in one number that is quickly had: what a training can choose its best generator by."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from fastgan.data.dataset import Dataset
from fastgan.errors import UserError, nearest

ROWS = 1000
"""Real rows, and as many samples, that a measure compares."""

KERNEL_ROWS = 500
"""The same, where each is compared with each."""

_SEED = 0xBE57

Measure = Callable[[np.ndarray, np.ndarray], float]
"""From samples (n, width) in data units, and the classes (n,) int64 asked for or (0,), to a number."""


class Metric(NamedTuple):
    """A measure by name.

    Parameters
    ----------
    higher : whether more is better
    meaning : what it says
    rows : samples it takes
    needs : what the data must have, in words; empty: any will do
    suits : whether a data set has it
    prepare : makes the measure of so many samples, once, with all that depends on the real rows alone
    """

    higher: bool
    meaning: str
    rows: int
    needs: str
    suits: Callable[[Dataset], bool]
    prepare: Callable[[Dataset, int], Measure]


def check_metric(name: str, dataset: Dataset | None = None) -> Metric:
    """Return the metric of that name; `UserError` if there is none, or these data lack what it needs."""
    if not isinstance(name, str) or name not in METRICS:
        near = nearest(name, METRICS) if isinstance(name, str) else ""
        raise UserError(f"best_metric is {name!r}{near}; it must be one of {', '.join(METRICS)}")
    metric = METRICS[name]
    if dataset is not None and not metric.suits(dataset):
        able = ", ".join(each for each, other in METRICS.items() if other.suits(dataset))
        raise UserError(
            f"best_metric is {name!r}, which needs {metric.needs}; {dataset.name} can have {able}"
        )
    return metric


def _sliced_wasserstein(dataset: Dataset, rows: int) -> Measure:
    from fastgan.evaluation.two_sample import sliced_wasserstein

    units = dataset.spec.to_network_units
    real = units(dataset.thinned(rows))
    return lambda samples, classes: sliced_wasserstein(units(samples), real, _SEED)


def _mmd(dataset: Dataset, rows: int) -> Measure:
    from fastgan.evaluation.two_sample import NEARER, kernel_widths, mmd_test

    def units(samples: np.ndarray) -> np.ndarray:
        return dataset.spec.to_network_units(samples).astype(np.float64)

    real = units(dataset.thinned(rows))
    median = kernel_widths(real, NEARER[:1])
    return lambda samples, classes: mmd_test(units(samples), real, median, permutations=0)[0]


def nearness(real: np.ndarray, k: int) -> Callable[[np.ndarray], tuple[float, float]]:
    """Make the measure of precision and coverage of samples (m, width) beside real rows (n, width), 0 to 1 each.

    The ball of a real row reaches to its k-th nearest neighbour among them. Precision (Kynkäänniemi et al. 2019) is the
    share of samples in some ball, coverage (Naeem et al. 2020) that of balls with some sample. They are those of
    `fastgan.evaluation.neighbours.precision_recall`, in an eighth of the time: recall and density are left out, and the
    radii are made once.
    """
    from fastgan.evaluation.neighbours import reach, squared_distances

    centre = real.mean(axis=0, dtype=np.float64)
    real = real - centre
    radius = reach(real, min(k, len(real) - 1))[:, None]

    def measure(samples: np.ndarray) -> tuple[float, float]:
        inside = squared_distances(real, samples - centre) <= radius
        return float(inside.any(axis=0).mean()), float(inside.any(axis=1).mean())

    return measure


def _coverage(dataset: Dataset, rows: int) -> Measure:
    from fastgan.evaluation.neighbours import NEIGHBOURS

    units = dataset.spec.to_network_units
    measure = nearness(units(dataset.thinned(rows)), NEIGHBOURS)
    return lambda samples, classes: measure(units(samples))[1]


def _modes(dataset: Dataset, rows: int) -> Measure:
    """Share of good samples times the share of modes that they cover evenly, exp(-reverse KL)."""
    from fastgan.evaluation.modes import mode_coverage

    centres, std = np.asarray(dataset.truth["centres"]), float(dataset.truth["std"])

    def measure(samples: np.ndarray, classes: np.ndarray) -> float:
        found = mode_coverage(samples, centres, std)
        return found["high-quality share"] * float(np.exp(-found["reverse KL"]))

    return measure


def _valid(dataset: Dataset, rows: int) -> Measure:
    """Share of sentences that the grammar can produce and that differ: repeating a valid one is no success."""
    from fastgan.evaluation.tokens import chain_measures

    initial, transition = (np.asarray(dataset.truth[name]) for name in ("initial", "transition"))

    def measure(samples: np.ndarray, classes: np.ndarray) -> float:
        different = np.unique(samples, axis=0)
        share = chain_measures(different, initial, transition)["valid"] or 0.0
        return share * len(different) / len(samples)

    return measure


def _gan_test(dataset: Dataset, rows: int) -> Measure:
    """Accuracy of a classifier of real rows on samples and the classes asked for (Shmelkov et al. 2018)."""
    from fastgan.classifier import train_classifier

    # Another seed than that of `fastgan.evaluation`, which shall judge without having chosen.
    classifier = train_classifier(dataset.array, dataset.labels, dataset.spec, seed=_SEED)
    return classifier.accuracy


METRICS = {
    "sliced_wasserstein": Metric(
        False,
        "distance to training rows along random directions",
        ROWS,
        "",
        lambda data: True,
        _sliced_wasserstein,
    ),
    "mmd": Metric(
        False, "squared kernel distance to training rows", KERNEL_ROWS, "", lambda data: True, _mmd
    ),
    "coverage": Metric(
        True,
        "share of training rows with a sample among their neighbours",
        KERNEL_ROWS,
        "",
        lambda data: True,
        _coverage,
    ),
    "modes": Metric(
        True,
        "share of good samples times the share of true clusters that they cover evenly",
        ROWS,
        "known clusters",
        lambda data: "centres" in data.truth,
        _modes,
    ),
    "valid": Metric(
        True,
        "share of different sequences that the true grammar can produce",
        ROWS,
        "a known grammar",
        lambda data: "transition" in data.truth,
        _valid,
    ),
    "gan_test": Metric(
        True,
        "share of samples that a classifier of real rows takes for what was asked for",
        ROWS,
        "labels",
        lambda data: data.spec.n_classes > 0,
        _gan_test,
    ),
}
"""What `best_metric` can be, for which data, and which way is better."""
