"""What each measure says and which way is better, in a sentence each."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

HIGHER, LOWER, NEARER = "higher is better", "lower is better", "nearer to real is better"

MEANINGS = {
    # of everything
    "samples*": "rows that were measured; this says nothing about their quality",
    # modes.py
    "modes covered": f"true clusters that have a sample within 3 standard deviations; {HIGHER}",
    "high-quality share": f"share of samples within 3 standard deviations of a true cluster's centre; {HIGHER}",
    "reverse KL": f"how unevenly the good samples are spread over the clusters, in nats, 0: evenly; {LOWER}",
    # tokens.py
    "valid": f"share of sequences that the true grammar can produce; {HIGHER}",
    "NLL of the valid": f"how improbable the valid sequences are in the grammar, in nats a sequence; {NEARER}",
    "unique sequences": f"different sequences among the samples; {NEARER}",
    "mode-collapse score (n = *)": f"share of repeats among the first n sequences, 0: all differ; {NEARER}",
    "unique tokens (n = *)": f"different tokens in the first n sequences; {NEARER}",
    "*-gram JS divergence": f"how runs of n tokens differ in frequency, 0: as in real rows, 1: wholly; {LOWER}",
    # images.py
    "GAN-test accuracy": f"share of images that a classifier of real ones takes for what was asked for; {HIGHER}",
    "GAN-test, *": f"the same share for the images of one class; {HIGHER}",
    "precision": f"share of samples as near to a real image as its neighbours are: quality; {HIGHER}",
    "recall": f"share of real images as near to a sample as its neighbours are: variety; {HIGHER}",
    "density": f"how crowded with real images the places of the samples are; {NEARER}",
    "coverage": f"share of real images with a sample among their neighbours: variety; {HIGHER}",
    "different images": f"share of images that differ from all others; {NEARER}",
    # marginals.py
    "KS distance, *": f"widest gap between a column's cumulative distribution and the real one, 0 to 1; {LOWER}",
    "mean error / std, *": f"how far a column's mean is off, in standard deviations; {LOWER}",
    "std error / std, *": f"how far a column's standard deviation is off, as a share of it; {LOWER}",
    "correlation error, *": f"how far the correlation of two columns is off, 0 to 2; {LOWER}",
    "different rows": f"share of rows that differ from all others; {NEARER}",
}
"""Measure, with ``*`` for what depends on the data -> its sentence. The first that fits a name is meant."""


def meanings_of(measures: Iterable[str]) -> dict[str, str]:
    """Return the entries of `MEANINGS` that explain these measures, in the order of the measures."""
    found: dict[str, str] = {}
    for measure in measures:
        entry = next((each for each in MEANINGS if fnmatchcase(measure, each)), None)
        if entry is not None:
            found[entry] = MEANINGS[entry]
    return found
