"""A run: one recipe trained in one folder, with its metrics, pictures and checkpoints."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from fastgan import recipe as recipes
from fastgan.best import Best
from fastgan.callbacks import Callback, Every, Metrics, Show
from fastgan.data import Dataset, load_dataset, load_more, load_test_split
from fastgan.errors import Diverged, UserError
from fastgan.folder import (
    BEFORE,
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
    newest_checkpoint,
)
from fastgan.monitor import Monitor
from fastgan.progress import Progress, WhileHeard
from fastgan.quality import check_metric
from fastgan.recipe import Recipe

if TYPE_CHECKING:
    from fastgan.trainer import Trainer

ROLLBACKS = 3
"""Times that a training which diverges goes back to a checkpoint."""

STOPS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""Signals that stop a training: Ctrl-C, a polite kill, a terminal that is gone."""

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
    rate_factor : what the recipe's learning rates are multiplied with, less than 1 where training diverged
    """

    folder: Path
    step: int
    seconds: float
    signal: int
    rate_factor: float


def load_data(recipe: Recipe) -> Dataset:
    """The data set a recipe names."""
    data, gan = recipe.data, recipe.gan
    if gan.vocabulary and data.source not in ("tokens", "file"):
        raise UserError(
            f"vocabulary is {gan.vocabulary} but data source {data.source!r} has no tokens; leave it out"
        )
    if data.std and data.source not in ("ring", "grid"):
        raise UserError(f"std is {data.std:g} but data source {data.source!r} has no clusters; leave it out")
    options = {name: value for name, value in (("vocabulary", gan.vocabulary), ("std", data.std)) if value}
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
    return recipes.load(path, of_run=True)


def load_test(recipe: Recipe, dataset: Dataset, path: Path | None = None) -> Dataset | None:
    """Rows that a run did not learn from: those at `path`, or the source's own test split; None without both.

    Raises
    ------
    UserError
        If fresh rows of `dataset` can be drawn, or rows at `path` cannot be read or are not of its form.
    """
    data = recipe.data
    if path is None:
        return load_test_split(data.source, data.path)
    if dataset.truth:
        raise UserError(f"--test is {path} but fresh rows of {data.source!r} can be drawn; leave it out")
    # Elsewhere labels have a file of their own, which is not that of these rows.
    named = all(Path(each).suffix.lower() in (".csv", ".npz", ".parquet") for each in (path, data.path))
    return load_more(str(path), dataset, data.labels if named else "auto")


def changed_data(folder: Path, dataset: Dataset) -> str:
    """Say how `dataset` differs from what the run in `folder` learnt; empty where it does not, or nothing tells."""
    with contextlib.suppress(UserError):
        stored = newest_checkpoint(folder, lambda text: None)
        change = stored.change_of(dataset) if stored.kind == "checkpoint" else ""
        if change:
            return f"note: {dataset.name} was changed since the training ({change}); figures are of what it is now"
    return ""


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
    called then. `STOPS` end the training after the step under way and save a checkpoint, and so does a display that
    fails.

    Raises
    ------
    UserError
        If the folder holds a run already, or another one to resume; if recipe or data cannot be used.
    Diverged
        If training diverges and may not go back to a checkpoint, or did so `ROLLBACKS` times; the folder holds the
        last good checkpoint.
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
            _restore(trainer, recipe, folder, progress.note)
        else:
            check_new(folder)  # again: another process may have been quicker
        last = recipe.run.steps or recipe.run.epochs * trainer.steps_per_epoch
        if trainer.step >= last:
            raise UserError(
                f"{folder} is already trained to step {trainer.step}, and {last} were asked for; "
                "give more --epochs or --steps"
            )
        writer = Writer(recipe, folder)
        writer.begin(trainer)
        if say:
            say(trainer, folder)
        heard = WhileHeard(progress, lambda: setattr(trainer, "stopped", True))
        with heard, _stopping(trainer) as received:
            trainer.compile()
            started = time.perf_counter()
            _train(trainer, writer, last, heard, received)
    if heard.error and not received:
        raise heard.error
    seconds = time.perf_counter() - started
    return Outcome(folder, trainer.step, seconds, received[0] if received else 0, trainer.rate_factor)


def _train(trainer: Trainer, writer: Writer, last: int, progress: Progress, received: list[int]) -> None:
    """Train up to step `last`; where training diverges, go back to a checkpoint and on at half the rates."""
    callbacks = _callbacks(writer, progress, trainer.steps_per_epoch, received)
    tried = -1
    while True:
        try:
            trainer.train(last - trainer.step, callbacks)
            return
        except Diverged as error:
            progress.finish()
            tried = _go_back(trainer, writer, error, tried, progress.note)


def _go_back(
    trainer: Trainer, writer: Writer, error: Diverged, tried: int, say: Callable[[str], None]
) -> int:
    """Put a checkpoint into a trainer that diverged and halve its rates; returns the step.

    It is the newest one, or that before it if training went back to that step before, and in vain. Raises `Diverged`
    where that is not wanted or was done `ROLLBACKS` times: what the rates are says how often.
    """
    from fastgan.checkpoint import Stored, restore

    stored, factor = newest_checkpoint(writer.folder, say), trainer.rate_factor / 2
    if not writer.recipe.run.rollback or factor < 0.5**ROLLBACKS:
        tries = f", from where {ROLLBACKS} tries at lower rates diverged too" if factor < 0.5 else ""
        raise Diverged(
            error.step, f"{error.what}; {writer.folder} holds step {stored.step:,}{tries}"
        ) from None
    if stored.step == tried and (writer.folder / BEFORE).exists():
        stored = Stored(writer.folder / BEFORE)
    restore(trainer, stored)
    trainer.reschedule(stored.schedule_epoch, factor)
    writer.save_checkpoint(trainer)
    say(
        f"step {error.step:,}: training diverged, for {error.what}; on from step {stored.step:,} at {factor:g} times "
        "the learning rates"
    )
    return stored.step


class _Drawing(Every):
    """Draws while a run is trained, but not for its end alone when it is stopped before: there may be no time left.

    Its last pictures come when it is resumed.
    """

    def __init__(self, period: int, draw: Callable[[Trainer], None], received: list[int]):
        super().__init__(period, draw)
        self.received = received

    def finish(self, trainer: Trainer) -> None:
        due = self.period and trainer.step % self.period == 0
        if due or not self.received or trainer.step >= self.last:
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
        Every(run.checkpoint_every * per_epoch, writer.save, 60 * run.checkpoint_minutes),
    ]


def _restore(trainer: Trainer, recipe: Recipe, folder: Path, say: Callable[[str], None]) -> None:
    """Put a run's checkpoint into the trainer; a run that was killed before its first one begins anew.

    `UserError` if settings or data are not those it was trained with.
    """
    from fastgan.checkpoint import restore

    if not any((folder / name).exists() for name in (CHECKPOINT, BEFORE)):
        if (folder / GENERATOR).exists():
            raise UserError(
                f"{folder} holds a generator but no {CHECKPOINT} to go on from; start anew with another --out"
            )
        return
    stored = newest_checkpoint(folder, say)
    stored.check_settings(trainer.settings)
    then = recipes.parse(stored.recipe, recipe.name, of_run=True)
    changed = [
        line
        for line in recipes.differences(then, recipe)
        if line.startswith("data.") and not line.startswith("data.path:")
    ]
    if changed:
        raise UserError(
            f"{stored.path} was trained on other data ({'; '.join(changed)}); "
            "resume with the same, or start a new training"
        )
    restore(trainer, stored)


@contextlib.contextmanager
def _stopping(trainer: Trainer) -> Iterator[list[int]]:
    """Let `STOPS` stop the trainer between two calls; yields the signals received.

    A second signal ends the process at once, and so does the first one while nothing has been trained that could be
    lost: the first step may wait for the compiler. What was ignored stays so, as `nohup` wants it; signals are the
    main thread's.
    """
    received: list[int] = []
    first = trainer.step
    mine = threading.current_thread() is threading.main_thread()
    heeded = [each for each in STOPS if mine and signal.getsignal(each) != signal.SIG_IGN]

    def stop(number: int, frame: FrameType | None) -> None:
        received.append(number)
        trainer.stopped = True
        if len(received) > 1 or trainer.step == first:
            raise SystemExit(128 + number)

    old = {number: signal.signal(number, stop) for number in heeded}
    try:
        yield received
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
