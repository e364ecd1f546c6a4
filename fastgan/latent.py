"""Latent vectors: drawn, ways between them, and ones without rare numbers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from fastgan.compiled import part
from fastgan.errors import UserError
from fastgan.knobs import is_integer
from fastgan.settings import LATENTS, Settings
from fastgan_kernels import normal, one_hot_draws, signs, uniform

SMALLEST_NORM = 1e-10
SMALLEST_ANGLE = 1e-6
"""Below these, the way between two vectors is a straight line; so it is where they point to opposite sides."""

NORMAL, UNIFORM, BITS, CATEGORICAL = range(len(LATENTS))


class Latent(NamedTuple):
    """The distribution of latent numbers.

    Parameters
    ----------
    kind : a place in `fastgan.settings.LATENTS`
    categories : that each group of so many numbers stands for, one-hot; 1 for other kinds
    """

    kind: int
    categories: int


def latent_of(settings: Settings) -> Latent:
    """The distribution of the latent numbers of these settings."""
    return Latent(LATENTS.index(settings.latent), max(1, settings.latent_categories))


@part
def draw_latent(out: np.ndarray, latent: Latent, key: np.ndarray, step: np.ndarray, stream: int) -> None:
    """Fill `out` (rows, latent_dim) float32 with latent numbers."""
    if latent.kind == NORMAL:
        normal(out, key, step, stream)
    elif latent.kind == UNIFORM:
        uniform(out, key, step, stream)
    elif latent.kind == BITS:
        signs(out, key, step, stream)
    elif latent.kind == CATEGORICAL:
        one_hot_draws(out, latent.categories, key, step, stream)


def interpolate(z1: ArrayLike, z2: ArrayLike, steps: int, *, spherical: bool = True) -> np.ndarray:
    """Go from one latent vector to another in `steps` steps.

    Point i, with t = i / steps and the angle a between the vectors, is
    ``sin((1 - t) a) / sin(a) z1 + sin(t a) / sin(a) z2`` (Shoemake 1985; White 2016, arXiv 1609.04468): it keeps the
    length that normal latent vectors have, which a straight line through their middle does not.

    Parameters
    ----------
    z1, z2 : (latent_dim,) numbers
    steps : at least 1
    spherical : False goes straight, which suits latent numbers that are not normal

    Returns
    -------
    (steps + 1, latent_dim) float32, from z1 to z2. Straight where a norm is below 1e-10 or the angle below 1e-6, or
    that near to half a turn, where no arc is the shortest.

    Raises
    ------
    UserError
        If the vectors are not of one shape, or steps is no whole number above 0.
    """
    a, b = (checked_vectors(z, name).astype(np.float64) for z, name in ((z1, "z1"), (z2, "z2")))
    if a.ndim != 1 or a.shape != b.shape:
        raise UserError(f"z1 has shape {a.shape} and z2 {b.shape}; both must be (latent_dim,)")
    if not (is_integer(steps) and steps > 0):
        raise UserError(f"steps is {steps!r}; it must be a whole number of at least 1")
    t = np.linspace(0, 1, int(steps) + 1)[:, None]
    norms = np.linalg.norm(a), np.linalg.norm(b)
    angle = 0.0
    if spherical and min(norms) >= SMALLEST_NORM:
        angle = np.arccos(np.clip(a @ b / (norms[0] * norms[1]), -1, 1))
    if min(angle, np.pi - angle) < SMALLEST_ANGLE:
        return ((1 - t) * a + t * b).astype(np.float32)
    return ((np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)).astype(np.float32)


def truncate(z: ArrayLike, threshold: float) -> np.ndarray:
    """Turn normal latent numbers into ones within `threshold`: the truncation trick (Brock et al. 2019, section 3.1).

    There, a number beyond the threshold is drawn anew until it lies within. Here nothing is drawn: each number moves to
    its own quantile of that same, truncated normal distribution, ``F^-1(F(-c) + F(z) (F(c) - F(-c)))`` with F the
    normal distribution function and c the threshold. So the result follows from z, and the same z under several
    thresholds are the same samples, more or less typical.

    Parameters
    ----------
    z : numbers of any shape, from a standard normal distribution
    threshold : above 0; the smaller, the more alike and the more typical the samples; 2 changes little

    Returns
    -------
    float32 of the same shape, each in [-threshold, threshold]
    """
    from scipy.special import ndtr, ndtri

    check_threshold("threshold", threshold)
    values = checked_vectors(z, "z").astype(np.float64)
    low = ndtr(-float(threshold))
    # By symmetry in the lower tail, whose quantiles float64 tells apart.
    sizes = -ndtri(low + ndtr(-np.abs(values)) * (1 - 2 * low))
    return np.copysign(np.clip(sizes, 0, threshold), values).astype(np.float32)


def check_threshold(name: str, value: Any) -> None:
    """Raise `UserError` unless `value` can be a threshold of `truncate`."""
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not (number and 0 < value < float("inf")):
        raise UserError(f"{name} is {value!r}; it must be a number above 0, such as 0.7")


def checked_vectors(z: ArrayLike, name: str) -> np.ndarray:
    """Return z as float32; `UserError` unless it holds finite numbers."""
    try:
        given = np.asarray(z)
        if given.dtype.kind == "c":
            raise TypeError
        with np.errstate(over="ignore"):  # infinity is refused below
            values = np.asarray(given, np.float32, order="C")
    except (TypeError, ValueError):
        raise UserError(f"{name} cannot be read as numbers; give latent vectors of finite numbers") from None
    if not np.isfinite(values).all():
        raise UserError(f"{name} holds NaN or infinity; give latent vectors of finite numbers")
    return values
