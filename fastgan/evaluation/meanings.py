"""What each measure says and which way is better, in a sentence each."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

HIGHER, LOWER, NEARER = "higher is better", "lower is better", "nearer to real is better"
PASSES = "0.01 or more passes"

GROUPS = {
    "": {
        "samples": "rows that were measured; where their number matters, as many generated as real ones",
    },
    "Modes": {
        "modes covered": f"true clusters that have a sample within 3 standard deviations; {HIGHER}",
        "high-quality share": f"share of samples within 3 standard deviations of a cluster's centre; {HIGHER}",
        "reverse KL": f"how unevenly the good samples are spread over the clusters, in nats, 0: evenly; {LOWER}",
    },
    "Randomness": {
        "ones, worst bit": f"how far from a half the share of ones is at the worst of all bits; {LOWER}",
        "bits, p-value": f"chance that the shares of ones at all bits are as uneven by luck; {PASSES}",
        "chi-square, p-value": f"chance that the numbers, cut to 8 bits, are as uneven by luck; {PASSES}",
        "serial, p-value": f"chance that pairs of numbers, cut to 4 bits, are as uneven by luck; {PASSES}",
        "NIST rows passed": f"share of the rows of NIST SP 800-22 that pass, 0.99 for random bits; {HIGHER}",
        "NIST, *": f"the same share for one family of tests; {HIGHER}",
    },
    "Tokens": {
        "valid": f"share of sequences that the true grammar can produce; {HIGHER}",
        "NLL of the valid": f"how improbable the valid ones are in the grammar, in nats a sequence; {NEARER}",
        "new sequences": f"share of sequences that are not in the data; {NEARER}",
        "unique sequences": f"number of different sequences over the number of sequences; {NEARER}",
        "mode-collapse score (n = *)": f"share of repeats among the first n sequences, 0: all differ; {NEARER}",
        "unique tokens (n = *)": f"different tokens in the first n sequences; {NEARER}",
        "*-gram JS divergence": f"how runs of n tokens differ in frequency, 0: as in real rows, 1: wholly; {LOWER}",
        "self-BLEU": f"how much of a sequence stands in other samples too, 1: all of it; {NEARER}",
    },
    "Classes": {
        "GAN-test accuracy": f"share that a classifier of real rows takes for what was asked for; {HIGHER}",
        "GAN-test, *": f"the same share for the samples of one class; {HIGHER}",
        "GAN-train accuracy": f"share of real rows that a classifier of generated rows knows; {HIGHER}",
        "Frechet distance": f"how far apart classifier features are, their mean and covariance; {LOWER}",
    },
    "Quality and variety": {
        "precision": f"share of samples as near to a real row as its neighbours are: quality; {HIGHER}",
        "recall": f"share of real rows as near to a sample as its neighbours are: variety; {HIGHER}",
        "density": f"how crowded with real rows the places of the samples are; {NEARER}",
        "coverage": f"share of real rows with a sample among their neighbours: variety; {HIGHER}",
        "different rows": f"number of different rows over the number of rows; {NEARER}",
    },
    "Distance from real rows": {
        "sliced Wasserstein distance": f"how far values must move, on average over directions; {LOWER}",
        "MMD squared": f"maximum mean discrepancy with a Gaussian kernel, around 0 for real rows; {LOWER}",
        "MMD p-value": f"chance that two sets of real rows are as far apart; {PASSES}",
        "told apart by trees": f"area under trees' ROC curve, 0.5: not, 1: always, far below: copies; {NEARER}",
    },
    "Columns": {
        "KS distance, *": f"widest gap between a column's cumulative distribution and the real one; {LOWER}",
        "total variation, *": f"share of a column's values that would have to change; {LOWER}",
        "mean error / std, *": f"how far a column's mean is off, in standard deviations; {LOWER}",
        "std error / std, *": f"how far a column's standard deviation is off, as a share of it; {LOWER}",
        "correlation error, *": f"how far the correlation of two columns is off, 0 to 2; {LOWER}",
    },
}
"""Title -> measure, with ``*`` for what depends on the data -> its sentence. The first that fits a name is meant."""

MEANINGS = {measure: meaning for group in GROUPS.values() for measure, meaning in group.items()}


def meanings_of(measures: Iterable[str]) -> dict[str, str]:
    """Return the entries of `MEANINGS` that explain these measures, in the order of the measures."""
    found: dict[str, str] = {}
    for measure in measures:
        entry = next((each for each in MEANINGS if fnmatchcase(measure, each)), None)
        if entry is not None:
            found[entry] = MEANINGS[entry]
    return found
