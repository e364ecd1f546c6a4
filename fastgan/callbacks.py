"""What happens between steps: progress, metrics, pictures, checkpoints. None of it enters compiled code."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fastgan.json_rows import Row, append_row, figure, read_rows, write_rows

if TYPE_CHECKING:
    from fastgan.progress import Progress
    from fastgan.trainer import Trainer

NEVER = 2**62

DENSE_EPOCHS = 50
"""Epochs after which rows of metrics get rarer."""


class Callback:
    """Watches a training. The trainer runs up to the nearest step that some callback asks for."""

    def start(self, trainer: Trainer, last: int) -> None:
        """Called before the first step of a training up to step `last`."""

    def next_step(self, step: int) -> int:
        """The next step, above `step`, after which this callback must see the trainer."""
        return NEVER

    def after(self, trainer: Trainer, first: int, statistics: np.ndarray) -> None:
        """Called after steps `first` to ``first + k``, with their statistics (k, 11)."""

    def finish(self, trainer: Trainer) -> None:
        """Called after the last step, also when stopped early."""


class Every(Callback):
    """Calls ``action(trainer)`` after every `period` steps, and at the end of the training; 0: only then.

    With `seconds` it is also called when so many have passed since the last time; 0: never.
    """

    def __init__(self, period: int, action: Callable[[Trainer], None], seconds: float = 0.0):
        self.period = period
        self.action = action
        self.seconds = seconds

    def start(self, trainer: Trainer, last: int) -> None:
        self.last, self.done, self.acted = last, -1, time.monotonic()

    def next_step(self, step: int) -> int:
        return (step // self.period + 1) * self.period if self.period else NEVER

    def after(self, trainer: Trainer, first: int, statistics: np.ndarray) -> None:
        if trainer.stopped or trainer.step >= self.last:
            return  # `finish` comes next, in which a checkpoint must not come before what is done there
        late = self.seconds and time.monotonic() - self.acted >= self.seconds
        if late or (self.period and trainer.step % self.period == 0):
            self._act(trainer)

    def finish(self, trainer: Trainer) -> None:
        if self.done != trainer.step:
            self._act(trainer)

    def _act(self, trainer: Trainer) -> None:
        self.action(trainer)
        self.done, self.acted = trainer.step, time.monotonic()


class Show(Callback):
    """Feeds a `fastgan.progress.Progress`."""

    def __init__(self, progress: Progress):
        self.progress = progress

    def start(self, trainer: Trainer, last: int) -> None:
        self.progress.start(last, trainer.steps_per_epoch, trainer.step)

    def after(self, trainer: Trainer, first: int, statistics: np.ndarray) -> None:
        self.progress.update(first, statistics)

    def finish(self, trainer: Trainer) -> None:
        self.progress.finish()


class Metrics(Callback):
    """Appends means of the statistics to ``metrics.jsonl``, one row for every `period` steps and at each epoch's end.

    Each time that the epochs double from `DENSE_EPOCHS` on, a row covers twice as many steps, in the end whole epochs:
    a row takes as long as some steps of a small GAN, and a curve needs no million of them.

    A row: ``step`` (the last it covers), ``epoch``, the mean of each statistic, ``steps_per_second``. When a run is
    resumed, rows beyond its checkpoint are dropped, as is a last line that a crash left unfinished.
    """

    def __init__(self, path: Path, period: int):
        self.path = path
        self.period = period

    def start(self, trainer: Trainer, last: int) -> None:
        self.sums: np.ndarray | None = None
        self.count = 0
        write_rows(self.path, [row for row in read_metrics(self.path) if row["step"] <= trainer.step])
        self.per_epoch = trainer.steps_per_epoch
        self.began = time.perf_counter()

    def next_step(self, step: int) -> int:
        epoch, into = divmod(step, self.per_epoch)
        period = self.period << (epoch // DENSE_EPOCHS).bit_length()
        if period < self.per_epoch:
            return step - into + min((into // period + 1) * period, self.per_epoch)
        epochs = 1 << (period // self.per_epoch).bit_length() - 1
        return (epoch // epochs + 1) * epochs * self.per_epoch

    def after(self, trainer: Trainer, first: int, statistics: np.ndarray) -> None:
        total = statistics.sum(axis=0, dtype=np.float64)
        self.sums = total if self.sums is None else self.sums + total
        self.count += len(statistics)
        if trainer.step == self.next_step(first):
            self._write(trainer)

    def finish(self, trainer: Trainer) -> None:
        if self.count:
            self._write(trainer)

    def _write(self, trainer: Trainer) -> None:
        from fastgan.state import STATISTICS

        assert self.sums is not None
        now = time.perf_counter()
        row = {"step": trainer.step, "epoch": trainer.epoch}
        row |= {name: figure(v) for name, v in zip(STATISTICS, self.sums / self.count, strict=True)}
        row["steps_per_second"] = round(self.count / (now - self.began), 1)
        append_row(self.path, row)
        self.sums, self.count, self.began = None, 0, now


def read_metrics(path: Path) -> list[Row]:
    """Rows of a ``metrics.jsonl``; see `fastgan.json_rows.read_rows`."""
    from fastgan.state import STATISTICS

    return read_rows(path, {"step", *STATISTICS})
