"""A trained generator on its own: what `generator.safetensors` holds, and samples from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from fastgan.build import build_generator
from fastgan.data.dataset import DataSpec
from fastgan.data.labels import describe, labels_to_classes, list_names
from fastgan.errors import UserError
from fastgan.forms import running_moments, with_running
from fastgan.knobs import is_integer
from fastgan.latent import check_threshold, checked_vectors, draw_latent, latent_of, truncate
from fastgan.passes import forward
from fastgan.settings import Settings
from fastgan.state import STREAMS
from fastgan_kernels import integers, key_of

Labels = int | str | Sequence[int] | Sequence[str] | np.ndarray

ROWS_AT_ONCE = 1024
"""Samples are drawn in blocks of this many rows, each with its own random numbers."""

# Streams above every one a training step can use.
_LATENT, _LABELS = 2**32 - STREAMS, 2**32 - STREAMS + 1


class Generator:
    """A generator with what is needed to give samples in the data's own units.

    Parameters
    ----------
    settings : those it was trained with
    spec : of the data it learnt from
    n_classes : labels it can be asked for; 0 for none
    params : (n,) float32, its flat parameters, kept and not copied
    running : (2, units) float32, running moments where it has batch norm, kept and not copied
    """

    def __init__(
        self,
        settings: Settings,
        spec: DataSpec,
        n_classes: int,
        params: np.ndarray,
        running: np.ndarray | None = None,
    ):
        self.settings = settings
        self.spec = spec
        self.n_classes = n_classes
        net = build_generator(settings, spec, n_classes, max_rows=ROWS_AT_ONCE)
        if params.shape != net.params.shape:
            raise UserError(
                f"the generator has {params.size} parameters but its settings make {net.params.size}; "
                "the file was changed after it was written"
            )
        expected = running_moments(net)
        if (None if running is None else running.shape) != (None if expected is None else expected.shape):
            raise UserError(
                "the generator's running moments are not those its settings make; "
                "the file was changed after it was written"
            )
        self.net = with_running(net._replace(params=params), running)
        self.draws = 0

    def sample(
        self, n: int, labels: Labels | None = None, seed: int | None = None, truncation: float | None = None
    ) -> np.ndarray:
        """Draw samples.

        Parameters
        ----------
        n : how many
        labels : classes to show, (n,) or one for all, as the data name them: their own numbers or strings; None
            draws them at random, if there are classes
        seed : the same seed gives the same samples, and the first rows of a longer draw are a shorter one's, up to
            float32 rounding; None draws new ones at every call
        truncation : keep latent numbers within it, so that samples are more alike and more typical; see
            `fastgan.latent.truncate`

        Returns
        -------
        (n, width) array in the data's own units and dtype

        Raises
        ------
        UserError
            If n or seed is negative, labels do not fit, truncation is not above 0, or what the generator gives is not
            finite.
        """
        return self.sample_classes(n, self._to_classes(labels), seed, truncation)

    def sample_classes(
        self, n: int, classes: np.ndarray | None, seed: int | None, truncation: float | None = None
    ) -> np.ndarray:
        """`sample` with classes as numbers from 0, (n,) or (), whatever the data call them."""
        self._check_draw(n, seed, truncation)
        wanted = self._check_classes(classes, n)
        draw = 0
        if seed is None:
            seed, draw = self.settings.seed, self.draws + 1
            self.draws += 1
        rows = self._empty(n, self.spec.width, self.spec.dtype)
        for step, part in _blocks(n, draw):
            latent = self._draw_latent(part.stop - part.start, key_of(int(seed)), step, truncation)
            labels = wanted[part]
            if self.n_classes and not len(wanted):
                labels = self._draw_labels(len(latent), key_of(int(seed)), step)
            rows[part] = self._data_rows(latent, labels)
        return rows

    def generate(self, z: ArrayLike, labels: Labels | None = None) -> np.ndarray:
        """Make rows of given latent vectors.

        Parameters
        ----------
        z : (n, latent_dim) finite numbers, such as `latent_vectors` or `fastgan.latent.interpolate` give
        labels : as for `sample`; None shows classes at random, the same ones at every call

        Returns
        -------
        (n, width) array in the data's own units and dtype

        Raises
        ------
        UserError
            If z or labels do not fit, or what the generator gives is not finite.
        """
        latent = checked_vectors(z, "z")
        if latent.ndim != 2 or latent.shape[1] != self.settings.latent_dim:
            raise UserError(
                f"z has shape {latent.shape}; it must be (n, {self.settings.latent_dim}), a latent vector a row"
            )
        return self.generate_classes(latent, self._to_classes(labels))

    def generate_classes(self, latent: np.ndarray, classes: np.ndarray | None) -> np.ndarray:
        """`generate` of (n, latent_dim) float32 with classes as numbers from 0, (n,) or (), or None."""
        n = len(latent)
        classes = self._check_classes(classes, n)
        if self.n_classes and not len(classes):
            classes = self.labels_of(n, self.settings.seed)
        rows = self._empty(n, self.spec.width, self.spec.dtype)
        for _, part in _blocks(n):
            rows[part] = self._data_rows(latent[part], classes[part])
        return rows

    def latent_vectors(self, n: int, seed: int, truncation: float | None = None) -> np.ndarray:
        """Return the latent vectors (n, latent_dim) float32 that `sample` draws with these arguments."""
        self._check_draw(n, seed, truncation)
        latent = self._empty(n, self.settings.latent_dim, "float32")
        for step, part in _blocks(n):
            latent[part] = self._draw_latent(part.stop - part.start, key_of(int(seed)), step, truncation)
        return latent

    def network_rows(self, latent: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """What the network makes of latent vectors (n, latent_dim) float32 and classes (n,) int64 or (0,).

        n is at most `ROWS_AT_ONCE`; the result (n, network_width) is in network units, a view until the next call.
        """
        with np.errstate(over="ignore", invalid="ignore"):  # parameters may be of any size
            return forward(self.net, latent, classes)

    def _data_rows(self, latent: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """`network_rows` in the data's own units; `UserError` if either are not finite."""
        outputs = self.network_rows(latent, classes)
        with np.errstate(over="ignore", invalid="ignore"):  # scales, too
            rows = self.spec.to_data_units(outputs)
        if not (np.isfinite(outputs).all() and np.isfinite(rows).all()):
            raise UserError(
                "the generator gives NaN or infinity: its training diverged, or its file was changed; "
                "train again, with lower learning rates"
            )
        return rows

    def labels_of(self, n: int, seed: int) -> np.ndarray:
        """Return the classes (n,) int64 that ``sample(n, seed=seed)`` draws; (0,) for a generator without."""
        if not self.n_classes:
            return np.zeros(0, np.int64)
        blocks = [self._draw_labels(part.stop - part.start, key_of(seed), step) for step, part in _blocks(n)]
        return np.concatenate([np.zeros(0, np.int64), *blocks])

    def _draw_latent(self, n: int, key: np.ndarray, step: np.ndarray, truncation: float | None) -> np.ndarray:
        latent = np.empty((n, self.settings.latent_dim), np.float32)
        draw_latent(latent, latent_of(self.settings), key, step, _LATENT)
        return latent if truncation is None else truncate(latent, truncation)

    def _draw_labels(self, n: int, key: np.ndarray, step: np.ndarray) -> np.ndarray:
        labels = np.empty(n, np.int64)
        integers(labels, self.n_classes, key, step, _LABELS)
        return labels

    @staticmethod
    def _empty(n: int, width: int, dtype: str) -> np.ndarray:
        try:
            return np.empty((n, width), dtype)
        except (MemoryError, ValueError):
            raise UserError(f"n is {n}, too many to hold in memory; draw fewer at a time") from None

    def _check_draw(self, n: int, seed: int | None, truncation: float | None) -> None:
        if not is_integer(n) or n < 0:
            raise UserError(f"n is {n!r}; give the number of samples to draw, 0 or more")
        if seed is not None and not (isinstance(seed, int | np.integer) and 0 <= seed < 2**64):
            raise UserError(f"seed is {seed!r}; it must be a whole number of at least 0 and below 2**64")
        if truncation is None:
            return
        check_threshold("truncation", truncation)
        if self.settings.latent != "normal":
            raise UserError(
                f"truncation is {truncation} but this GAN's latent numbers are {self.settings.latent}, "
                "which have no tails to cut; leave it out"
            )

    def _to_classes(self, labels: Labels | None) -> np.ndarray | None:
        """Labels as the data name them, as numbers from 0."""
        if labels is None:
            return None
        if not self.n_classes:
            raise UserError("labels were given but the generator was trained without; leave them out")
        return labels_to_classes(np.asarray(labels), self.n_classes, self.spec.class_names, "labels hold")

    def _check_classes(self, wanted: np.ndarray | None, n: int) -> np.ndarray:
        """Classes as (n,) int64, or (0,) where they are to be drawn or do not exist."""
        if wanted is None:
            return np.zeros(0, np.int64)
        if wanted.dtype.kind not in "iu":
            raise UserError(f"labels are {wanted.dtype}; they must be whole numbers or names of classes")
        if wanted.ndim == 0:
            wanted = np.full(n, wanted)
        if wanted.shape != (n,):
            raise UserError(f"labels have shape {wanted.shape}; {n} samples need ({n},) or one label")
        if n and not 0 <= wanted.min() <= wanted.max() < self.n_classes:
            reach = f"labels reach from {wanted.min()} to {wanted.max()}"
            by_name = f", or by name {list_names(names)}" if (names := self.spec.class_names) else ""
            raise UserError(f"{reach}; {describe(self.n_classes, ())}{by_name}")
        return wanted.astype(np.int64)

    def save(self, path: str | Path) -> None:
        """Write the generator to a ``.safetensors`` file that `fastgan.load` reads."""
        from fastgan.checkpoint import save_generator

        save_generator(self, path)

    def copy(self) -> Generator:
        """Return a generator with parameters of its own, which further training does not change."""
        running = running_moments(self.net)
        running = None if running is None else running.copy()
        return Generator(replace(self.settings), self.spec, self.n_classes, self.net.params.copy(), running)


def _blocks(n: int, draw: int = 0) -> Iterator[tuple[np.ndarray, slice]]:
    """Cut n rows into blocks: each one's counter of random numbers, (1,) int64, and its place among the rows."""
    for block, start in enumerate(range(0, n, ROWS_AT_ONCE)):
        yield np.array([draw << 32 | block], np.int64), slice(start, min(start + ROWS_AT_ONCE, n))
