"""The training loop around the step: how many steps at a time, and who looks at the results in between."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from fastgan.backends import Backend, choose_backend
from fastgan.build import build_gan, rescheduled
from fastgan.callbacks import Callback
from fastgan.data.build import as_array
from fastgan.data.dataset import Dataset
from fastgan.data.labels import encode_labels, labels_to_classes, list_names
from fastgan.divergence import Watch, divergence, in_words
from fastgan.errors import Diverged, UserError, shown
from fastgan.forms import running_moments
from fastgan.generator import Generator
from fastgan.knobs import is_integer
from fastgan.own_loop import check_part, check_schedules
from fastgan.settings import Settings
from fastgan.state import STATISTICS, Gan
from fastgan.step import (
    TRAIN,
    TRAIN_DISCRIMINATOR,
    TRAIN_DISCRIMINATOR_FAKE,
    TRAIN_DISCRIMINATOR_REAL,
    TRAIN_GENERATOR,
    TRAIN_ON_BATCH,
)
from fastgan.team import alone
from fastgan.updates import normalise

CHUNK_SECONDS = 0.1
"""How long compiled code runs before Python looks again: at signals, the display and the callbacks."""

# Columns of the statistics that an action fills, where it is only a part of a step.
_FILLED = {
    TRAIN_DISCRIMINATOR: [*range(6), 9, 10],
    TRAIN_DISCRIMINATOR_REAL: [*range(3), 9, 10],
    TRAIN_DISCRIMINATOR_FAKE: [*range(3, 6), 9, 10],
    TRAIN_GENERATOR: [*range(6, 9)],
}


class Trainer:
    """Both players, the data they learn from and the backend that runs their steps.

    Parameters
    ----------
    settings : checked here
    dataset : its labels, if any, make the GAN an AC-GAN
    own_loop : the caller gives one batch at a time, so that `dataset` may be smaller than one
    keep_history : keep the statistics of every step, 44 bytes each

    Raises
    ------
    UserError
        If a setting is impossible, alone or for these data, or the backend cannot be had.
    """

    def __init__(
        self, settings: Settings, dataset: Dataset, *, own_loop: bool = False, keep_history: bool = True
    ):
        settings.check()
        if own_loop:
            check_schedules(settings)
        self.settings = settings
        self.n_classes = check_data(settings, dataset, least_rows=1 if own_loop else settings.batch_size)
        self.dataset = dataset
        self.steps_per_epoch = max(1, len(dataset) // settings.batch_size)
        self.schedule_epoch = self.steps_per_epoch
        self._gan = build_gan(settings, dataset.spec, self.n_classes, self.steps_per_epoch)
        self.backend: Backend = choose_backend(settings.backend, settings.threads, settings.captured)
        g = self._gan.generator
        sampled = g.average if g.average.size else g.params
        running = running_moments(g)
        self._generator = Generator(settings, dataset.spec, self.n_classes, sampled, running)
        self._newest = Generator(settings, dataset.spec, self.n_classes, g.params, running)
        self._partners = self._handed_out = False
        self.stopped = False
        self.rate_factor = 1.0
        self._watch = Watch()
        self._history: list[np.ndarray] = []
        self._keep_history = keep_history
        self._chunk = 1

    @property
    def gan(self) -> Gan:
        """Both players and the buffers of a step, up to date; they may be changed between two calls.

        The average of a generator whose parameters are changed stays as it is.
        """
        self.backend.fetch(self._gan)
        self._handed_out = True
        return self._gan

    @property
    def gan_to_read(self) -> Gan:
        """`gan` for who changes nothing in it: what is written there may be lost."""
        self.backend.fetch(self._gan, to_change=False)
        return self._gan

    @property
    def generator(self) -> Generator:
        """The generator as it is now, to sample from."""
        self.backend.fetch(self._gan, to_change=False)
        return self._generator

    @property
    def newest_generator(self) -> Generator:
        """The generator that learns, where `generator` is its average; else the same one."""
        self.backend.fetch(self._gan, to_change=False)
        return self._newest if self._gan.generator.average.size else self._generator

    @property
    def step(self) -> int:
        """Training steps made."""
        return int(self._gan.clock[0])

    @property
    def epoch(self) -> float:
        """Passes over the data made, to three digits after the point."""
        return round(self.step / self.steps_per_epoch, 3)

    @property
    def history(self) -> dict[str, np.ndarray]:
        """Statistics of every step made here: one (steps,) float32 array for each name of `STATISTICS`.

        A part of a step counts as one, with NaN for what it did not do.
        """
        rows = np.concatenate([np.zeros((0, len(STATISTICS)), np.float32), *self._history])
        self._history = [rows]
        return dict(zip(STATISTICS, rows.T, strict=True))

    def train(self, steps: int, callbacks: Sequence[Callback] = ()) -> None:
        """Train for `steps` steps, or until a callback or signal handler sets `stopped`.

        Raises
        ------
        Diverged
            If the training comes to NaN or infinity, or a loss runs away, seen within `CHUNK_SECONDS` or one step.
            The trainer is left as it was before that step, where it is known.
        UserError
            If another thread trains it, or a callback asks for a step that never comes.
        """
        with self.backend.only_here():
            self._train(self.step + steps, callbacks)

    def _train(self, last: int, callbacks: Sequence[Callback]) -> None:
        self._watch.forget()
        self.compile()
        for callback in callbacks:
            callback.start(self, last)
        while self.step < last and not self.stopped:
            first = self.step
            wanted = min([last, *(_next_step(callback, first) for callback in callbacks)])
            statistics = self._run(min(wanted - first, self._chunk))
            for callback in callbacks:
                callback.after(self, first, statistics)
        self._watch.forget()  # pictures and files want the memory
        for callback in callbacks:
            callback.finish(self)
        self.stopped = False

    def make(self, statistics: np.ndarray) -> None:
        """Make a step for each row of statistics (k, 11), and nothing else."""
        self._call(TRAIN, self.dataset.array, self.dataset.labels, statistics)

    def compile(self) -> None:
        """Compile the step, or load it, so that no step waits for it: a call of no steps."""
        self.make(np.zeros((0, len(STATISTICS)), np.float32))

    def _run(self, steps: int) -> np.ndarray:
        """Run some steps in one call; aim the next call at `CHUNK_SECONDS`."""
        if self._handed_out:
            self._watch.forget()
        self._watch.keep(self)
        started, first = time.perf_counter(), self.step
        statistics = np.zeros((steps, len(STATISTICS)), np.float32)
        try:
            self.make(statistics)
        finally:  # Ctrl-C too comes after steps that were made
            if self._keep_history:
                self._history.append(statistics[: self.step - first])
        elapsed = time.perf_counter() - started
        fitting = steps * CHUNK_SECONDS / max(elapsed, 1e-9)
        self._chunk = int(min(max(1, fitting), 2 * self._chunk))
        found = self.divergence(statistics)
        if found:
            raise self._watch.explain(self, found, first)
        return statistics

    def divergence(self, statistics: np.ndarray) -> Diverged | None:
        """What is wrong after the steps of these statistics (k, 11), with them or with the weights; None if nothing."""
        found = divergence(self.step, statistics)
        if found:
            return found
        broken = self.backend.broken(self._gan)  # by the newest update, which statistics show one step later
        return Diverged(self.step, f"{in_words(broken)} are not finite") if broken else None

    def _call(self, action: int, x: np.ndarray, y: np.ndarray, statistics: np.ndarray) -> None:
        if self._handed_out:  # D applies weights that are made from its parameters
            normalise(self._gan.discriminator, alone(), False)
            self._handed_out = False
        # A divergence is told later, in one line.
        with self.backend.only_here(), np.errstate(over="ignore", invalid="ignore"):
            self.backend.perform(action, self._gan, x, y, statistics)
        if action in (TRAIN, TRAIN_DISCRIMINATOR, TRAIN_ON_BATCH) and len(statistics):
            self._partners = True

    def change_data(self, dataset: Dataset) -> None:
        """Go on with other rows of the same form, read in the units of the first ones."""
        old, new = self.dataset.spec, dataset.spec
        if (old.width, old.kind, old.vocabulary) != (new.width, new.kind, new.vocabulary):
            raise UserError(
                f"the data are {new.kind} of width {new.width} but this GAN learnt {old.kind} of width {old.width}; "
                "make a new GAN"
            )
        n_classes = check_data(self.settings, dataset, least_rows=self.settings.batch_size)
        if n_classes != self.n_classes:
            raise UserError(
                f"the data have {new.n_classes} classes but this GAN learnt {self.n_classes}; make a new GAN"
            )
        if n_classes and new.class_names != old.class_names:
            raise UserError(
                f"the classes are {list_names(new.class_names) or 'numbers'} but this GAN learnt "
                f"{list_names(old.class_names) or 'numbers'}; make a new GAN"
            )
        with self.backend.only_here():
            self.dataset = replace(dataset, spec=old)
            self.steps_per_epoch = max(1, len(dataset) // self.settings.batch_size)

    def reschedule(self, steps_per_epoch: int, rate_factor: float) -> None:
        """Count the epochs of schedules in so many steps, and take so many times the learning rates of the settings.

        The one is for a training that began on other data, the other for one that diverged.
        """
        self.schedule_epoch, self.rate_factor = steps_per_epoch, rate_factor
        self._gan = rescheduled(self.gan, self.settings, steps_per_epoch, rate_factor)

    def perform(self, action: int, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Run one action of `fastgan.step` on a batch in data units; its (11,) statistics, NaN where it made none.

        x is (rows, width), at most batch_size rows, or (0, width) where the action needs none; y is (rows,) or (0,).
        """
        check_part(self.settings, action, len(x), partners=self._partners)
        self._gan.indices[: len(x)] = np.arange(len(x))
        made = np.zeros((1, len(STATISTICS)), np.float32)
        self._call(action, x, y, made)
        filled = _FILLED.get(action, [*range(len(STATISTICS))])
        statistics = np.full_like(made, np.nan)
        statistics[:, filled] = made[:, filled]
        self._history.append(statistics)
        found = divergence(self.step, made)
        if found:
            raise found
        return statistics[0]

    def labels_like(self, y: ArrayLike | None, rows: int) -> np.ndarray:
        """Check that y can label a batch, and return it as (rows,) int64; (0,) without classes or rows."""
        if y is None and (rows == 0 or not self.n_classes):
            return np.zeros(0, np.int64)
        if y is None:
            raise UserError(
                f"this GAN learnt {self.n_classes} classes but y was left out; give a label a row"
            )
        if not self.n_classes:
            raise UserError("y was given but this GAN was trained without labels; leave it out")
        names = self.dataset.spec.class_names
        labels = labels_to_classes(as_array(y, "y"), self.n_classes, names, "y holds the label")
        return encode_labels(labels, rows, self.n_classes, (), "y")[0]


def _next_step(callback: Callback, step: int) -> int:
    """The next step that a callback wants to see; `UserError` where that never comes."""
    wanted = callback.next_step(step)
    if not (is_integer(wanted) and wanted > step):
        raise UserError(
            f"next_step({step}) of a {type(callback).__name__} is {shown(wanted)}; "
            "it must be a whole number above the step it is given"
        )
    return wanted


def check_data(settings: Settings, dataset: Dataset, *, least_rows: int) -> int:
    """Check that settings and data go together; the number of classes the GAN is trained with."""
    n_classes = settings.n_classes or dataset.spec.n_classes
    if settings.packing > 1 and n_classes:
        raise UserError(
            f"packing is {settings.packing} but {dataset.name} has {n_classes} classes, and rows judged together "
            "have no one class; leave the labels out or set packing to 1"
        )
    if settings.n_classes and not len(dataset.labels):
        raise UserError(
            f"n_classes is {settings.n_classes} but {dataset.name} has no labels; give labels or set n_classes to 0"
        )
    if dataset.spec.n_classes > n_classes:
        raise UserError(
            f"{dataset.name} has {dataset.spec.n_classes} classes but n_classes is {n_classes}; "
            "set n_classes to 0 to count them"
        )
    if len(dataset) < least_rows:
        raise UserError(
            f"batch_size is {settings.batch_size} but {dataset.name} has {len(dataset)} rows; "
            "give a smaller batch_size or more rows"
        )
    if settings.sampling == "replacement" and len(dataset) > 2**32:
        raise UserError(
            f"{dataset.name} has {len(dataset)} rows but sampling = 'replacement' draws from at most {2**32}; "
            "set it to 'shuffle'"
        )
    return n_classes
