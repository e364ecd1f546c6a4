"""A run: one recipe trained in one folder, with its metrics, pictures and checkpoints."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import numpy as np

from fastgan import recipe as recipes
from fastgan.atomic import write_atomically
from fastgan.callbacks import Every, Metrics, Show, read_metrics
from fastgan.data import Dataset, load_dataset
from fastgan.errors import UserError
from fastgan.recipe import Recipe

if TYPE_CHECKING:
    from fastgan.progress import Progress
    from fastgan.trainer import Trainer

RECIPE, METRICS, SAMPLES, CURVES = "recipe.toml", "metrics.jsonl", "samples", "losses.png"
CHECKPOINT, GENERATOR = "checkpoint.safetensors", "generator.safetensors"

ROWS_PER_EPOCH = 20
"""Rows of ``metrics.jsonl`` for one epoch, where it has as many steps."""

SAMPLES_WITHOUT_CLASSES = 100
POINTS = 2500
"""Samples in a picture of images, and of anything else."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Parameters
    ----------
    folder : of the run
    step, seconds : steps made in all, and time this call trained
    signal : the signal that stopped it, or 0
    """

    folder: Path
    step: int
    seconds: float
    signal: int


def default_folder(recipe: Recipe) -> Path:
    """``runs/<recipe>-<date>-<time>``."""
    return Path("runs") / f"{recipe.name}-{time.strftime('%Y%m%d-%H%M%S')}"


def load_data(recipe: Recipe) -> Dataset:
    """The data set a recipe names."""
    data, gan = recipe.data, recipe.gan
    options = {"vocabulary": gan.vocabulary} if gan.vocabulary and data.source in ("tokens", "file") else {}
    return load_dataset(
        data.source,
        data.path,
        rows=data.rows,
        labels=data.labels,
        scaling=gan.scaling,
        seed=gan.seed,
        options=options,
    )


def load_run(folder: Path) -> Recipe:
    """The recipe a run was trained with; `UserError` if the folder holds none."""
    path = folder / RECIPE
    if not path.is_file():
        raise UserError(f"{folder} holds no run (there is no {RECIPE}); give the folder of a run")
    return recipes.load(path)


def train_run(
    recipe: Recipe, folder: Path, progress: Progress, *, resume: bool = False, say: object = None
) -> Outcome:
    """Train a recipe in `folder`, from its checkpoint if `resume`.

    Nothing is written before the recipe, the data and the backend were found good. SIGINT and SIGTERM stop the
    training after the step under way and save a checkpoint.

    Raises
    ------
    UserError
        If the folder holds a run already, or none to resume; if recipe or data cannot be used; if training diverges.
    """
    from fastgan.checkpoint import Stored, restore
    from fastgan.trainer import Trainer

    recipes.check(recipe)
    if not resume:
        check_new(folder)
    dataset = load_data(recipe)
    trainer = Trainer(recipe.gan, dataset)
    if resume:
        stored = Stored(folder / CHECKPOINT)
        stored.check_settings(trainer.settings)
        restore(trainer.gan, stored.tensors, stored.path)
    last = recipe.run.steps or recipe.run.epochs * trainer.steps_per_epoch
    if trainer.step >= last:
        raise UserError(
            f"{folder} is already trained to step {trainer.step} of {last}; give more --epochs or --steps"
        )
    make_folder(folder)
    write_atomically(folder / RECIPE, recipes.to_toml(recipe).encode())
    if callable(say):
        say(trainer)
    writer = _Writer(recipe, folder)
    per_epoch = trainer.steps_per_epoch
    callbacks = [
        Show(progress),
        Metrics(folder / METRICS, max(1, per_epoch // ROWS_PER_EPOCH)),
        Every(recipe.run.samples_every * per_epoch, writer.draw_samples),
        Every(recipe.run.checkpoint_every * per_epoch, writer.save),
    ]
    started = time.perf_counter()
    with progress, _stopping(trainer) as received:
        trainer.train(last - trainer.step, callbacks)
    writer.draw_curves()
    return Outcome(folder, trainer.step, time.perf_counter() - started, received[0] if received else 0)


class _Writer:
    """Writes what a run's folder holds besides its metrics."""

    def __init__(self, recipe: Recipe, folder: Path):
        self.recipe = recipe
        self.folder = folder

    def save(self, trainer: Trainer) -> None:
        """Write checkpoint and generator, in this order: the generator is never the newer one."""
        from fastgan.checkpoint import save_checkpoint, save_generator

        text = recipes.to_toml(self.recipe)
        spec = trainer.dataset.spec
        save_checkpoint(trainer.gan, trainer.settings, spec, self.folder / CHECKPOINT, text)
        save_generator(trainer.generator, self.folder / GENERATOR, text)

    def draw_samples(self, trainer: Trainer) -> None:
        """Draw ``samples/epoch-0010.png``; every picture shows the same latent vectors."""
        from fastgan.pictures import draw_samples

        dataset, classes = trainer.dataset, trainer.n_classes
        labels = None
        if classes:
            labels = np.repeat(np.arange(classes), self.recipe.run.samples_per_class)
        count = SAMPLES_WITHOUT_CLASSES if dataset.spec.kind == "image" else POINTS
        samples = trainer.generator.sample(
            count if labels is None else len(labels), labels, seed=trainer.settings.seed
        )
        real = np.asarray(dataset.array[:POINTS]).astype(dataset.spec.dtype)
        epoch = trainer.step / trainer.steps_per_epoch
        name = f"epoch-{int(epoch):04d}" if epoch == int(epoch) else f"step-{trainer.step:07d}"
        draw_samples(samples, labels, dataset.spec, real, self.folder / SAMPLES / f"{name}.png")

    def draw_curves(self) -> None:
        """Draw ``losses.png`` from the metrics, which survive a resume."""
        from fastgan.pictures import curves

        rows = read_metrics(self.folder / METRICS)
        if rows:
            history = {name: np.array([row[name] for row in rows]) for name in rows[0]}
            curves(history, self.folder / CURVES, self.recipe.gan.loss)


def check_new(folder: Path) -> None:
    """Raise `UserError` if `folder` holds a run already or is no place for one."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; give a folder to --out")
    if any((folder / name).exists() for name in (RECIPE, CHECKPOINT, METRICS)):
        raise UserError(f"{folder} already holds a run; give another --out, or --resume {folder} to train on")


def make_folder(folder: Path) -> None:
    """Make the folder of a run; `UserError` if that cannot be, before any time is spent training."""
    try:
        (folder / SAMPLES).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder} cannot be made: {error.strerror}; give another --out") from None
    if not os.access(folder, os.W_OK):
        raise UserError(f"{folder} cannot be written to; give another --out")


@contextlib.contextmanager
def _stopping(trainer: Trainer) -> Iterator[list[int]]:
    """Let SIGINT and SIGTERM stop the trainer between two calls; yields the signals received."""
    received: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        received.append(number)
        trainer.stopped = True
        if len(received) > 1:
            raise KeyboardInterrupt

    old = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
