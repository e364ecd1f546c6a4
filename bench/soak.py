"""Hours of one training: does a step take as long, and memory stay as it was? ``python -m bench.soak --seconds 7200``.

Prints a line for each window: steps made, microseconds of CPU time a step, steps a second by the clock, and the memory
that the process holds. CPU time says the same on a machine that others use as well.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.sizes import STEPS, Size
from fastgan.callbacks import NEVER, Callback
from fastgan.trainer import Trainer


class Window(NamedTuple):
    """A stretch of a training.

    Parameters
    ----------
    step : made so far
    cpu : seconds of CPU time a step
    pace : steps a second by the clock
    memory : resident bytes at its end
    """

    step: int
    cpu: float
    pace: float
    memory: int


class Clock(Callback):
    """Stops a training after so many seconds."""

    def __init__(self, seconds: float):
        self.seconds = seconds
        self.began = 0.0

    def after(self, trainer: Trainer, first: int, statistics: np.ndarray) -> None:
        if time.monotonic() - self.began >= self.seconds:
            trainer.stopped = True


def resident() -> int:
    """Bytes of memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def windows(size: Size, seconds: float, window: float, threads: int = 1) -> Iterator[Window]:
    """Train one size for so many seconds, and look at each window's end."""
    trainer = Trainer(size.settings(backend="cpu", threads=threads), size.dataset(), keep_history=False)
    trainer.train(1)
    clock = Clock(window)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        wall, cpu, first = time.monotonic(), time.process_time(), trainer.step
        clock.began = wall
        trainer.train(NEVER, [clock])
        made = trainer.step - first
        yield Window(
            trainer.step, (time.process_time() - cpu) / made, made / (time.monotonic() - wall), resident()
        )


def main(arguments: list[str] | None = None) -> None:
    """Print a line for each window."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__.partition("\n")[0])
    parser.add_argument("--size", choices=STEPS, default="seq8", help="what is trained")
    parser.add_argument("--seconds", type=float, default=7200.0, help="of the whole")
    parser.add_argument("--window", type=float, default=120.0, help="seconds of a window")
    given = parser.parse_args(arguments)
    for each in windows(STEPS[given.size], given.seconds, given.window):
        print(
            f"{each.step:>14,} steps {1e6 * each.cpu:9.2f} us of CPU time a step {each.pace:9,.0f} steps/s "
            f"{each.memory / 1e6:8.1f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
