"""Callbacks that look at a training now and then, and keep what they saw as rows of figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fastgan.backends import blas_threads
from fastgan.callbacks import Callback
from fastgan.data.dataset import DataSpec
from fastgan.errors import UserError
from fastgan.json_rows import Row, append_row, read_rows, write_rows
from fastgan.knobs import is_integer

if TYPE_CHECKING:
    from fastgan.trainer import Trainer


EVERY = 1000
"""Steps between looks. Steps and not epochs, for the players' balance shifts with their updates, and an epoch may be
twenty steps or twenty thousand."""

MOST_NUMBERS, LEAST_ROWS = 2**22, 100
"""Rows that a look is on hold at most so many numbers, unless they are very wide."""


def affordable(spec: DataSpec, rows: int) -> int:
    """Return `rows`, or fewer where they are so wide that a look would take long."""
    return min(rows, max(LEAST_ROWS, MOST_NUMBERS // spec.network_width))


class Looks(Callback):
    """Looks after every `every` steps. A look changes nothing that a step depends on.

    Parameters
    ----------
    every : steps from one look to the next
    path : file of the rows as lines of JSON; None keeps them in memory alone. When a training is resumed, rows beyond
        its checkpoint are dropped
    say : called with what the user should read
    """

    columns: tuple[str, ...] = ()
    """Figures that a row cannot lack."""

    looks_at_end = False
    """Whether there is a look at the end of a training, which need not be one of a longer one's."""

    def __init__(self, every: int, path: str | Path | None, say: Callable[[str], None] | None):
        if not (is_integer(every) and every > 0):
            raise UserError(f"every is {every!r}; it must be a whole number of steps, at least 1")
        self.every = int(every)
        self.path = None if path is None else Path(path)
        self.say = say or (lambda text: None)
        self.rows: list[Row] = []

    @property
    def history(self) -> dict[str, np.ndarray]:
        """Each figure's course: an array with one value a look."""
        names = self.rows[0] if self.rows else ()
        return {name: np.array([row[name] for row in self.rows]) for name in names}

    def prepare(self, trainer: Trainer) -> None:
        """Get ready for the first look."""

    def look(self, trainer: Trainer) -> Row:
        """Return the figures of this moment."""
        raise NotImplementedError

    def start(self, trainer: Trainer, last: int) -> None:
        rows = self.rows if self.path is None else read_rows(self.path, {"step", *self.columns})
        self.rows = [
            row
            for row in rows
            if row["step"] <= trainer.step and not (self.looks_at_end and not self._is_due(row["step"]))
        ]
        if self.path is not None:
            write_rows(self.path, self.rows)
        with blas_threads(1):
            self.prepare(trainer)

    def next_step(self, step: int) -> int:
        return (step // self.every + 1) * self.every

    def after(self, trainer: Trainer, first: int, statistics: np.ndarray) -> None:
        if self._is_due(trainer.step):
            self.take(trainer)

    def _is_due(self, step: int) -> bool:
        return self.next_step(step - 1) == step

    def take(self, trainer: Trainer) -> None:
        """Look, and keep the row."""
        with blas_threads(1):
            row = {"step": trainer.step, "epoch": trainer.epoch, **self.look(trainer)}
        self.rows.append(row)
        if self.path is not None:
            append_row(self.path, row)
