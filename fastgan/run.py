"""A run: one recipe trained in one folder, with its metrics, pictures and checkpoints."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from fastgan import recipe as recipes
from fastgan.atomic import write_atomically
from fastgan.best import Best
from fastgan.callbacks import Callback, Every, Metrics, Show
from fastgan.data import Dataset, load_dataset
from fastgan.errors import UserError
from fastgan.folder import (
    BEST,
    CHECKPOINT,
    GENERATOR,
    METRICS,
    MONITOR,
    RECIPE,
    Writer,
    check_new,
    locked,
    make_folder,
    remove_unfinished,
)
from fastgan.monitor import Monitor
from fastgan.quality import check_metric
from fastgan.recipe import Recipe

if TYPE_CHECKING:
    from fastgan.progress import Progress
    from fastgan.trainer import Trainer

ROWS_PER_EPOCH = 20
"""Rows of ``metrics.jsonl`` for one epoch, where it has as many steps."""


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


def load_data(recipe: Recipe) -> Dataset:
    """The data set a recipe names."""
    data, gan = recipe.data, recipe.gan
    if gan.vocabulary and data.source not in ("tokens", "file"):
        raise UserError(
            f"vocabulary is {gan.vocabulary} but data source {data.source!r} has no tokens; leave it out"
        )
    options = {"vocabulary": gan.vocabulary} if gan.vocabulary else {}
    return load_dataset(
        data.source,
        data.path,
        rows=data.rows,
        labels=data.labels,
        n_classes=gan.n_classes,
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
    recipe: Recipe,
    folder: Path,
    progress: Progress,
    *,
    resume: bool = False,
    say: Callable[[Trainer, Path], None] | None = None,
) -> Outcome:
    """Train a recipe in `folder`, from its checkpoint if `resume`.

    Nothing is written before the recipe, the data and the backend were found good; ``say(trainer, folder)`` is
    called then. SIGINT and SIGTERM stop the training after the step under way and save a checkpoint.

    Raises
    ------
    UserError
        If the folder holds a run already, or another one to resume; if recipe or data cannot be used; if training
        diverges.
    """
    from fastgan.trainer import Trainer

    recipes.check(recipe)
    if not resume:
        check_new(folder)
    dataset = load_data(recipe)
    if recipe.run.metric:
        check_metric(recipe.run.metric, dataset)
    if recipe.data.path:
        recipe.data.path = os.path.abspath(recipe.data.path)
    trainer = Trainer(recipe.gan, dataset, keep_history=False)
    make_folder(folder)
    with locked(folder):
        if resume:
            _restore(trainer, recipe, folder)
        else:
            check_new(folder)  # again: another process may have been quicker
        last = recipe.run.steps or recipe.run.epochs * trainer.steps_per_epoch
        if trainer.step >= last:
            raise UserError(
                f"{folder} is already trained to step {trainer.step}, and {last} were asked for; "
                "give more --epochs or --steps"
            )
        remove_unfinished(folder)
        write_atomically(folder / RECIPE, recipes.to_toml(recipe).encode())
        if say:
            say(trainer, folder)
        with progress, _stopping(trainer) as received:
            trainer.compile()
            started = time.perf_counter()
            callbacks = _callbacks(Writer(recipe, folder), progress, trainer.steps_per_epoch, received)
            trainer.train(last - trainer.step, callbacks)
    return Outcome(folder, trainer.step, time.perf_counter() - started, received[0] if received else 0)


class _Drawing(Every):
    """Draws while a run is trained, but not at the end of one that was stopped: that may have no time left.

    Its last pictures come when it is resumed.
    """

    def __init__(self, period: int, draw: Callable[[Trainer], None], received: list[int]):
        super().__init__(period, draw)
        self.received = received

    def finish(self, trainer: Trainer) -> None:
        if not self.received:
            super().finish(trainer)


def _callbacks(writer: Writer, progress: Progress, per_epoch: int, received: list[int]) -> list[Callback]:
    """What a run shows and writes; the checkpoint last: where there is one, all else of its step was written."""
    run, folder = writer.recipe.run, writer.folder
    looks: list[Callback] = []
    if run.monitor_every:
        looks.append(Monitor(run.monitor_every, folder / MONITOR, progress.note))
    if run.metric:
        looks.append(Best(run.metric, run.monitor_every, run.early_stop, folder / BEST, progress.note))
    return [
        Show(progress),
        Metrics(folder / METRICS, max(1, per_epoch // ROWS_PER_EPOCH)),
        *looks,
        _Drawing(run.samples_every * per_epoch, writer.draw_samples, received),
        _Drawing(0, writer.draw_curves, received),
        Every(run.checkpoint_every * per_epoch, writer.save),
    ]


def _restore(trainer: Trainer, recipe: Recipe, folder: Path) -> None:
    """Put a run's checkpoint into the trainer; a run that was killed before its first one begins anew.

    `UserError` if settings or data are not those it was trained with.
    """
    from fastgan.checkpoint import Stored, restore

    path = folder / CHECKPOINT
    if not path.exists():
        if (folder / GENERATOR).exists():
            raise UserError(
                f"{folder} holds a generator but no {CHECKPOINT} to go on from; start anew with another --out"
            )
        return
    stored = Stored(path)
    stored.check_settings(trainer.settings)
    then = recipes.parse(stored.recipe, recipe.name)
    changed = [
        line
        for line in recipes.differences(then, recipe)
        if line.startswith("data.") and not line.startswith("data.path:")
    ]
    if changed:
        raise UserError(
            f"{path} was trained on other data ({'; '.join(changed)}); "
            "resume with the same, or start a new training"
        )
    restore(trainer, stored)


@contextlib.contextmanager
def _stopping(trainer: Trainer) -> Iterator[list[int]]:
    """Let SIGINT and SIGTERM stop the trainer between two calls; yields the signals received.

    A second signal ends the process at once, and so does the first one while nothing has been trained that could be
    lost: the first step may wait for the compiler.
    """
    received: list[int] = []
    first = trainer.step

    def stop(number: int, frame: FrameType | None) -> None:
        received.append(number)
        trainer.stopped = True
        if len(received) > 1 or trainer.step == first:
            raise SystemExit(128 + number)

    old = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
