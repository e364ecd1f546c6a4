"""What each recipe has to reach, and what others reached with the same measure."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import NamedTuple


class Goal(NamedTuple):
    """A bound on the mean over seeds of one measure of `fastgan.evaluation.evaluate`.

    Parameters
    ----------
    measure : its name there
    holds : compares the mean with the bound
    bound : in the measure's own unit, or of its distance to real rows where `beside` says how that is taken
    digits : after the point, where it is shown; `percent` shows hundredths
    beside : from the value of generated rows and that of real ones to what is bounded; None: the former
    name : of what is bounded, where it is not the measure
    published : others' figures, as they print them
    """

    measure: str
    holds: Callable[[float, float], bool]
    bound: float
    digits: int = 2
    percent: bool = False
    beside: Callable[[float, float], float] | None = None
    name: str = ""
    published: str = ""


at_least, at_most = operator.ge, operator.le
ANY = float("-inf")
"""The bound of a figure that is only stated."""

TREES = Goal("told apart by trees", at_least, ANY)

ALIKE = (
    Goal(
        "MMD p-value",
        at_least,
        0.9,
        0,
        True,
        lambda generated, real: float(generated >= 0.05),
        "seeds whose MMD test cannot tell, p ≥ 0.05",
    ),
    Goal("MMD p-value", at_least, ANY),
    TREES,
)
"""Of 2,000 generated and as many real rows; by chance one seed in twenty has p < 0.05, also of real rows."""

# Lin et al. 2018 (PacGAN), table 1: the plain GAN, and the best of PacGAN2 to PacGAN4 in each column.
GOALS: dict[str, tuple[Goal, ...]] = {
    "ring": (
        Goal("modes covered", at_least, 8, 1, published="GAN 6.3 ± 0.5, PacGAN 7.9 ± 0.1"),
        Goal("high-quality share", at_least, 0.98, 1, True, published="GAN 98.2 ± 0.2, PacGAN 97.7 ± 0.3"),
        Goal("reverse KL", at_most, 0.02, 3, published="GAN 0.45 ± 0.09, PacGAN 0.07 ± 0.02"),
        TREES,
    ),
    "grid": (
        Goal("modes covered", at_least, 25, 1, published="GAN 17.3 ± 0.8, PacGAN 24.8 ± 0.2"),
        Goal("high-quality share", at_least, 0.97, 1, True, published="GAN 94.8 ± 0.7, PacGAN 94.2 ± 0.4"),
        Goal("reverse KL", at_most, 0.03, 3, published="GAN 0.70 ± 0.07, PacGAN 0.04 ± 0.01"),
        TREES,
    ),
    "pacgan-ring": (
        Goal("modes covered", at_least, ANY, 1, published="GAN 6.3 ± 0.5"),
        Goal("high-quality share", at_least, ANY, 1, True, published="GAN 98.2 ± 0.2"),
        Goal("reverse KL", at_most, ANY, 2, published="GAN 0.45 ± 0.09"),
    ),
    "pacgan-grid": (
        Goal("modes covered", at_least, ANY, 1, published="GAN 17.3 ± 0.8"),
        Goal("high-quality share", at_least, ANY, 1, True, published="GAN 94.8 ± 0.7"),
        Goal("reverse KL", at_most, ANY, 2, published="GAN 0.70 ± 0.07"),
    ),
    "fashion-mnist": (
        Goal("GAN-test accuracy", at_least, 0.95, 3),
        Goal("GAN-train accuracy", at_least, 0.82, 3),
        Goal("coverage", at_least, 0.50, 3),
        Goal("Frechet distance", at_least, ANY, 1),
        Goal("recall", at_least, ANY),
        Goal("density", at_least, ANY),
        TREES,
    ),
    "tokens": (
        Goal("valid", at_least, 0.98, 1, True),
        Goal(
            "unique sequences",
            at_most,
            0.02,
            1,
            True,
            lambda generated, real: abs(generated - real),
            "unique sequences, off real ones by",
        ),
        Goal("unique tokens (n = 100)", at_least, 8, 1),
        Goal(
            "2-gram JS divergence",
            at_most,
            2,
            2,
            beside=lambda generated, real: generated / real,
            name="2-gram divergence, over that of real ones",
        ),
        TREES,
    ),
    "sequences": (
        Goal("NIST rows passed", at_least, 0.98, 1, True),
        Goal("NIST, runs", at_least, ANY, 0, True),
        Goal("NIST, overlapping template", at_least, ANY, 0, True),
        Goal("NIST, approximate entropy", at_least, ANY, 0, True),
        Goal("NIST, random excursions", at_least, ANY, 0, True),
        Goal("NIST, non-overlapping templates", at_least, ANY, 1, True),
        Goal("bits, p-value", at_least, ANY),
        Goal("serial, p-value", at_least, ANY),
        Goal("chi-square, p-value", at_least, ANY),
    ),
    "least-squares": ALIKE,
    "vanilla": ALIKE,
}
"""Recipe -> its goals, in the order of the table."""
