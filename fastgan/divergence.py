"""When a training has diverged, and what broke first: the steps since all was well, again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from fastgan.cause import WORDS, first_cause
from fastgan.errors import Diverged
from fastgan.state import STATISTICS, lasting

if TYPE_CHECKING:
    from fastgan.trainer import Trainer

LIMIT = 1e6
"""A loss or score of this size has run away; float32 numbers lie 0.06 apart there."""

COPY_SHARE = 1 / 200
"""Part of a training's time that copies take at most."""

# A penalty may be as large as it likes, as long as it is finite: it grows with the square of the slope.
_LIMITS = np.array([np.inf if name in ("d_penalty", "d_slope") else LIMIT for name in STATISTICS])


def first_bad(statistics: np.ndarray) -> tuple[int, int] | None:
    """Where in statistics (k, 11) the first figure is that is not finite or has run away; None if there is none."""
    bad = np.argwhere(~(np.abs(statistics) < _LIMITS))
    return (int(bad[0, 0]), int(bad[0, 1])) if len(bad) else None


def divergence(step: int, statistics: np.ndarray) -> Diverged | None:
    """What is wrong with statistics (k, 11) of the steps up to `step`; None if nothing."""
    bad = first_bad(statistics)
    if bad is None:
        return None
    return Diverged(step - len(statistics) + bad[0] + 1, f"{STATISTICS[bad[1]]} is {statistics[bad]:.3g}")


def in_words(name: str) -> str:
    """An array that checkpoints call `name`: ``generator.params`` is the generator's weights."""
    player, _, array = name.partition(".")
    return f"the {player}'s {WORDS[array][0]}" if array in WORDS else name


class Watch:
    """Keeps a copy of what the next step depends on, from which steps can be made again.

    It is renewed so seldom that it takes no more than `COPY_SHARE` of the time.
    """

    def __init__(self) -> None:
        self._copy: dict[str, np.ndarray] = {}
        self._due = 0.0

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy of a GAN has a watch of its own."""
        return Watch, ()

    def forget(self) -> None:
        """Drop the copy, for something else than steps changes the GAN."""
        self._copy = {}

    def keep(self, trainer: Trainer) -> None:
        """Copy a trainer in which all is well, if it is time to."""
        began = time.perf_counter()
        if began >= self._due:
            self.forget()  # there is never room for two
            self._copy = _copied(trainer)
            ended = time.perf_counter()
            self._due = ended + (ended - began) / COPY_SHARE

    def explain(self, trainer: Trainer, found: Diverged, first: int) -> Diverged:
        """Say what broke first in a trainer in which all was well at step `first`.

        It is left as it was before the step that broke it; as it is, with what was found, where no copy tells.
        """
        ahead, before = trainer.step - first, self._copy
        self._due = 0.0
        if not before:
            return found
        _put_back(trainer, before)
        well = first - trainer.step
        # All is well no more where the data are others, in a file that was changed.
        if trainer.divergence(_make(trainer, well)):
            _put_back(trainer, before)
            ahead = well
        while ahead > 1:  # the step in question is one of so many
            before, half = _copied(trainer), ahead // 2
            if trainer.divergence(_make(trainer, half)):
                _put_back(trainer, before)
                ahead = half
            else:
                ahead -= half
        before = _copied(trainer)
        statistics = _make(trainer, 1)
        again = trainer.divergence(statistics)
        if again is None:
            return found
        _put_back(trainer, before)
        bad = first_bad(statistics)
        ran_away = bad is not None and np.isfinite(statistics[bad])
        limit, kind = (LIMIT, f"above {LIMIT:,.0f}") if ran_away else (np.inf, "not finite")
        cause = first_cause(trainer, limit)
        return Diverged(again.step, again.what + (f" (first {kind}: {cause})" if cause else ""))


def _make(trainer: Trainer, steps: int) -> np.ndarray:
    """Make so many steps again; their statistics."""
    statistics = np.zeros((steps, len(STATISTICS)), np.float32)
    trainer.make(statistics)
    return statistics


def _copied(trainer: Trainer) -> dict[str, np.ndarray]:
    return {name: array.copy() for name, array in lasting(trainer.gan_to_read).items()}


def _put_back(trainer: Trainer, copy: dict[str, np.ndarray]) -> None:
    for name, array in lasting(trainer.gan).items():
        array[...] = copy[name]
