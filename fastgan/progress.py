"""What a user watches while a GAN trains: a bar on a terminal, plain lines elsewhere, or one line a step."""

from __future__ import annotations

import sys
import textwrap
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Self, TextIO

import numpy as np

from fastgan.errors import UserError, nearest

LOGS = ("bar", "keras", "quiet")
KERAS_LINE = ">%d, dr[%.3f,%.3f], df[%.3f,%.3f], g[%.3f,%.3f]\n"

KERAS_STATISTICS = ("d_loss_real", "d_class_real", "d_loss_fake", "d_class_fake", "g_loss", "g_class")

WINDOW_SECONDS = 10.0
LINE_SECONDS = 2.0
REFRESH_SECONDS = 0.1


def columns(*names: str) -> list[int]:
    """Return where these statistics stand in a row of them."""
    from fastgan.state import STATISTICS

    return [STATISTICS.index(name) for name in names]


class Progress:
    """Shows nothing; the others override `update` and perhaps `start` and `finish`.

    Used as a context manager, `finish` is called on the way out, whatever happened.
    """

    def start(self, total_steps: int, steps_per_epoch: int, first_step: int = 0) -> None:
        """Begin at step `first_step` (steps already trained) of `total_steps`."""

    def update(self, first_step: int, statistics: np.ndarray) -> None:
        """Show steps `first_step` to `first_step` + k, whose `statistics` are (k, n) float32."""

    def note(self, text: str) -> None:
        """Show a line of text that stays."""

    def finish(self) -> None:
        """Leave the terminal as it was found. May be called twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.finish()


class WhileHeard(Progress):
    """Shows with another display until that fails, where its reader or its disk has gone.

    Then ``lost()`` is called, once, and `error` says why: a training ends with all that it has trained.
    """

    def __init__(self, shown: Progress, lost: Callable[[], None]) -> None:
        self.shown, self.lost = shown, lost
        self.error: OSError | None = None

    def start(self, total_steps: int, steps_per_epoch: int, first_step: int = 0) -> None:
        self._show(self.shown.start, total_steps, steps_per_epoch, first_step)

    def update(self, first_step: int, statistics: np.ndarray) -> None:
        self._show(self.shown.update, first_step, statistics)

    def note(self, text: str) -> None:
        self._show(self.shown.note, text)

    def finish(self) -> None:
        self._show(self.shown.finish)

    def _show(self, show: Callable[..., None], *arguments: object) -> None:
        if self.error is None:
            try:
                show(*arguments)
            except OSError as error:
                self.error = error
                self.lost()


class KerasLog(Progress):
    """One line for every step: its number from 1, then loss and class loss of D on real, D on fake, and G."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.columns = columns(*KERAS_STATISTICS)

    def update(self, first_step: int, statistics: np.ndarray) -> None:
        count = len(statistics)
        numbers = np.arange(first_step + 1, first_step + count + 1, dtype=np.float64)
        values = np.column_stack([numbers, statistics[:, self.columns]])
        self.stream.write(KERAS_LINE * count % tuple(values.ravel().tolist()))
        self.stream.flush()

    def note(self, text: str) -> None:
        _write_line(self.stream, text)


class _Timed(Progress):
    """Counts epochs and steps, and measures speed over the last seconds so that a slow start is forgotten."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self.stream = stream
        self.clock = clock
        self.columns = columns("d_loss_real", "d_loss_fake", "g_loss", "d_real", "d_fake")

    def start(self, total_steps: int, steps_per_epoch: int, first_step: int = 0) -> None:
        self.total_steps, self.steps_per_epoch, self.step = total_steps, steps_per_epoch, first_step
        self.epochs = self.epoch_of(total_steps)
        self.marks = deque([(self.clock(), first_step)])
        self.forget()

    def epoch_of(self, step: int) -> int:
        """The epoch, from 1, that `step` belongs to; a step that completes an epoch belongs to it."""
        return max(1, -(-step // self.steps_per_epoch))

    def forget(self) -> None:
        """Begin a new mean of the statistics."""
        self.sums, self.count = np.zeros(len(self.columns)), 0

    def record(self, first_step: int, statistics: np.ndarray) -> float:
        """Take in some steps and return the time."""
        now = self.clock()
        self.step = first_step + len(statistics)
        self.sums += statistics[:, self.columns].sum(axis=0, dtype=np.float64)
        self.count += len(statistics)
        self.marks.append((now, self.step))
        while len(self.marks) > 2 and now - self.marks[1][0] >= WINDOW_SECONDS:
            self.marks.popleft()
        return now

    def speed(self) -> float:
        """Steps a second; 0 while unknown."""
        (then, before), (now, step) = self.marks[0], self.marks[-1]
        return (step - before) / (now - then) if now > then else 0.0

    def time_left(self) -> str:
        """Time to the last step at the present speed."""
        speed = self.speed()
        return duration((self.total_steps - self.step) / speed) if speed else "-:--"

    def means(self) -> tuple[str, str, str, str]:
        """D's loss (the mean of its real and fake halves), G's, D(x) and D(G(z)), in words."""
        real, fake, g_loss, d_real, d_fake = self.sums / max(1, self.count)
        return short((real + fake) / 2), short(g_loss), short(d_real), short(d_fake)


class Lines(_Timed):
    """Plain lines, at most one an epoch and one every two seconds, and one for the last step."""

    def start(self, total_steps: int, steps_per_epoch: int, first_step: int = 0) -> None:
        super().start(total_steps, steps_per_epoch, first_step)
        self.line_time, self.line_epochs = self.clock(), first_step // steps_per_epoch

    def update(self, first_step: int, statistics: np.ndarray) -> None:
        now = self.record(first_step, statistics)
        epochs = self.step // self.steps_per_epoch
        due = epochs > self.line_epochs and now - self.line_time >= LINE_SECONDS
        if due or self.step >= self.total_steps:
            self.line_time, self.line_epochs = now, epochs
            self.note(self.line())
            self.forget()

    def note(self, text: str) -> None:
        _write_line(self.stream, text)

    def line(self) -> str:
        """The line for the steps since the last one."""
        d_loss, g_loss, d_real, d_fake = self.means()
        parts = (
            f"epoch {self.epoch_of(self.step)}/{self.epochs}",
            f"step {self.step}/{self.total_steps}",
            f"{self.speed():,.0f} steps/s",
            f"d_loss {d_loss}",
            f"g_loss {g_loss}",
            f"D(x) {d_real}",
            f"D(G(z)) {d_fake}",
            f"left {self.time_left()}",
        )
        return "  ".join(parts)


class Bar(_Timed):
    """A bar on a terminal, redrawn ten times a second from `update` itself, so that no thread runs beside."""

    bar: Any = None

    def start(self, total_steps: int, steps_per_epoch: int, first_step: int = 0) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as RichProgress
        from rich.table import Column

        super().start(total_steps, steps_per_epoch, first_step)
        console = Console(file=self.stream)
        self.width = console.width
        texts = [
            TextColumn(f"{{task.fields[{name}]}}", table_column=Column(no_wrap=True))
            for name in ("now", "means")
        ]
        # The bar takes what the texts leave, at least 4 columns, so that 80 are enough.
        bar = BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=4))
        self.bar = RichProgress(texts[0], bar, texts[1], console=console, auto_refresh=False, expand=True)
        self.task = self.bar.add_task("", total=total_steps, completed=first_step, now=self.now(), means="")
        self.drawn = self.clock()
        self.bar.start()

    def update(self, first_step: int, statistics: np.ndarray) -> None:
        now = self.record(first_step, statistics)
        if now - self.drawn >= REFRESH_SECONDS or self.step >= self.total_steps:
            self.drawn = now
            self.draw()
            self.forget()

    def now(self) -> str:
        """Where training is."""
        return f"epoch {self.epoch_of(self.step):>{len(str(self.epochs))}}/{self.epochs}"

    def draw(self) -> None:
        """Redraw the line with the means since the last drawing."""
        d_loss, g_loss, d_real, d_fake = self.means()
        means = (
            f"{compact(self.speed())} steps/s D {d_loss} G {g_loss} D(x) {d_real} D(G(z)) {d_fake} "
            f"{self.time_left():>5}"
        )
        self.bar.update(self.task, completed=self.step, now=self.now(), means=means, refresh=True)

    def note(self, text: str) -> None:
        """Show a text above the bar, or below where it ended, on lines that fit."""
        lines = textwrap.fill(text, self.width - 1, subsequent_indent="  ", break_on_hyphens=False)
        if self.bar is None:
            _write_line(self.stream, lines)
        else:
            self.bar.console.print(lines, markup=False, highlight=False)

    def finish(self) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None


def _write_line(stream: TextIO, text: str) -> None:
    stream.write(text + "\n")
    stream.flush()


def short(value: float) -> str:
    """A number in 4 or 5 characters where that is possible: 0.69, -1.25, 12.3, 1234."""
    digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{value:.{digits}f}"


def compact(value: float) -> str:
    """A speed in 5 characters: 84, 8,412, 56.1k."""
    return f"{value:5,.0f}" if value < 9999.5 else f"{value / 1000:4.1f}k"


def duration(seconds: float) -> str:
    """Minutes and seconds, with hours where there are any: 0:12, 1:02:03."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


def make_progress(log: str = "bar", stream: TextIO | None = None) -> Progress:
    """Return the display for ``--log`` (one of `LOGS`); `stream` is stdout unless given.

    A bar needs a terminal; where `stream` is none, plain lines take its place.
    """
    stream = sys.stdout if stream is None else stream
    if log == "keras":
        return KerasLog(stream)
    if log == "quiet":
        return Progress()
    if log == "bar":
        return Bar(stream) if stream.isatty() else Lines(stream)
    raise UserError(f"log is {log!r}{nearest(log, LOGS)}; it must be one of {', '.join(LOGS)}")
