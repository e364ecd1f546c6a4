"""The folder of a run: the names of its files, and who writes them."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fastgan import recipe as recipes
from fastgan.atomic import write_atomically
from fastgan.callbacks import read_metrics
from fastgan.errors import Damaged, UserError, one_line
from fastgan.recipe import Recipe

if TYPE_CHECKING:
    from fastgan.checkpoint import Stored
    from fastgan.trainer import Trainer

RECIPE, METRICS, SAMPLES, CURVES = "recipe.toml", "metrics.jsonl", "samples", "losses.png"
EVALUATION = "evaluation.png"
CHECKPOINT, GENERATOR = "checkpoint.safetensors", "generator.safetensors"
BEFORE = "checkpoint-before.safetensors"
MONITOR, BEST, BEST_COURSE = "monitor.jsonl", "best.safetensors", "best.jsonl"

SAMPLES_WITHOUT_CLASSES = 100
POINTS = 2500
"""Samples in a picture of images, and of anything else."""


def default_folder(recipe: Recipe) -> Path:
    """``runs/<recipe>-<date>-<time>``, and ``-2`` and so on where another run began in the same second."""
    first = Path("runs") / f"{recipe.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    folder, number = first, 1
    while folder.exists():
        number += 1
        folder = first.with_name(f"{first.name}-{number}")
    return folder


def check_new(folder: Path) -> None:
    """Raise `UserError` if `folder` holds a run already or is no place for one."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; give a folder to --out")
    if any((folder / name).exists() for name in (RECIPE, CHECKPOINT, BEFORE, METRICS)):
        raise UserError(f"{folder} already holds a run; give another --out, or --resume {folder} to train on")


def make_folder(folder: Path) -> None:
    """Make the folder of a run; `UserError` if that cannot be, before any time is spent training."""
    if (folder / SAMPLES).is_symlink():
        raise UserError(f"{folder / SAMPLES} is a link to another place; give another --out")
    try:
        (folder / SAMPLES).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{error.filename or folder} cannot be made: {error.strerror}; give another folder"
        ) from None
    if not os.access(folder, os.W_OK):
        raise UserError(f"{folder} cannot be written to; give another folder, or mend who may write there")


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep every other training out of `folder`; the lock ends with the process, however that ends."""
    try:
        import fcntl
    except ImportError:  # no such locks on this system
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{folder} is being trained in by another process; give another --out") from None
        except OSError:  # a file system without locks, as some over a network are
            pass
        yield
    finally:
        os.close(handle)


def remove_unfinished(folder: Path) -> None:
    """Remove what a process that was killed while it wrote a file left beside it, under `fastgan.atomic`'s name."""
    names = (RECIPE, METRICS, CURVES, EVALUATION, CHECKPOINT, BEFORE, GENERATOR, MONITOR, BEST, BEST_COURSE)
    written = [f".{name}.[0-9]*" for name in names]
    for pattern in (*written, f"{SAMPLES}/.*.png.[0-9]*"):
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)


def newest_checkpoint(folder: Path, say: Callable[[str], None]) -> Stored:
    """The newest checkpoint in a folder, or that before it where the newest is missing or damaged; `UserError` if none.

    ``say(text)`` is told of the latter.
    """
    from fastgan.checkpoint import Stored

    newest, before = folder / CHECKPOINT, folder / BEFORE
    wrong = f"{newest} is missing"
    try:
        if newest.exists() or not before.exists():
            return Stored(newest)
    except Damaged as error:
        if not before.exists():
            raise
        wrong = error.what
    try:
        stored = Stored(before)
    except Damaged as error:
        raise Damaged(f"{wrong}, and {error.what}") from None
    say(f"{wrong}; going on from the checkpoint before, of step {stored.step:,}")
    return stored


class Writer:
    """Writes what a run's folder holds besides its metrics."""

    def __init__(self, recipe: Recipe, folder: Path):
        self.recipe = recipe
        self.folder = folder
        self.text = recipes.to_toml(recipe)

    def begin(self, trainer: Trainer) -> None:
        """Clear away what a crash left, and write the recipe and a checkpoint to go back to from the first step on."""
        remove_unfinished(self.folder)
        write_atomically(self.folder / RECIPE, self.text.encode())
        self.save_checkpoint(trainer)

    def save_checkpoint(self, trainer: Trainer) -> None:
        """Write the checkpoint in the place of the newest one."""
        from fastgan.checkpoint import save_checkpoint

        save_checkpoint(trainer, self.folder / CHECKPOINT, self.text)

    def save(self, trainer: Trainer) -> None:
        """Write the generator, then the checkpoint: once that is there, the training need not come back here.

        The checkpoint before it is kept as well.
        """
        from fastgan.checkpoint import save_checkpoint, save_generator

        save_generator(trainer.generator, self.folder / GENERATOR, self.text)
        save_checkpoint(trainer, self.folder / CHECKPOINT, self.text, self.folder / BEFORE)

    def draw_samples(self, trainer: Trainer) -> None:
        """Draw ``samples/epoch-0010.png``; every picture shows the same latent vectors."""
        epoch = trainer.step / trainer.steps_per_epoch
        name = f"epoch-{int(epoch):04d}" if epoch == int(epoch) else f"step-{trainer.step:07d}"
        path = self.folder / SAMPLES / f"{name}.png"
        with unharmed(path):
            self._draw_samples(trainer, path)

    def _draw_samples(self, trainer: Trainer, path: Path) -> None:
        from fastgan.pictures import draw_samples

        dataset, classes = trainer.dataset, trainer.n_classes
        labels = np.repeat(np.arange(classes), self.recipe.run.samples_per_class) if classes else None
        count = SAMPLES_WITHOUT_CLASSES if dataset.spec.kind == "image" else POINTS
        samples = trainer.generator.sample_classes(
            count if labels is None else len(labels), labels, seed=trainer.settings.seed
        )
        path.parent.mkdir(exist_ok=True)
        draw_samples(samples, labels, dataset.spec, dataset.thinned(POINTS), path)

    def draw_curves(self, trainer: Trainer) -> None:
        """Draw ``losses.png`` from the metrics, which survive a resume."""
        from fastgan.pictures import curves

        rows = read_metrics(self.folder / METRICS)
        if rows:
            history = {name: np.array([row[name] for row in rows]) for name in rows[0]}
            with unharmed(self.folder / CURVES):
                curves(history, self.folder / CURVES, self.recipe.gan.loss)


@contextlib.contextmanager
def unharmed(path: Path) -> Iterator[None]:
    """Let no picture that cannot be drawn cost what was done before: one line of warning, and on."""
    try:
        yield
    except Exception as error:
        reason = str(error) or type(error).__name__
        print(one_line(f"fastgan: warning: {path} was not drawn: {reason}"), file=sys.stderr)
