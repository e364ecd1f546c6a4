"""Data that do not fit on the device: rows of the next steps, gathered on the host while the device makes those before.

Steps come in runs of `Stage.run`. Two runs have room on the device: one is being used while the next is gathered into
pinned memory, which the device reads by itself, and copied on a stream of its own.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np

from fastgan.batches import draw_rows
from fastgan.errors import UserError
from fastgan.state import ROWS, Gan
from fastgan_kernels import cuda as kernels
from fastgan_kernels import shuffled_rows
from fastgan_kernels.cuda.device import SIMULATED

BYTES = 2**26
"""Of pinned memory for one run, unless a single step needs more."""

LONGEST = 256
"""Steps of a run, so that the first one is soon there."""


class Stage:
    """Rows for the steps to come.

    Parameters
    ----------
    gan : says which rows each step draws
    data, labels : (rows, columns) and (rows,) int64 or (0,), on the host, perhaps a memory map
    """

    def __init__(self, gan: Gan, data: np.ndarray, labels: np.ndarray):
        self.source, self.source_labels = data, labels
        self.rows = gan.real_rows * gan.n_critic
        step_bytes = self.rows * (data.shape[1] * data.dtype.itemsize + 8)
        self.run = min(LONGEST, max(1, BYTES // step_bytes))
        count = self.run * self.rows
        self._gan = gan._replace(clock=np.zeros(1, np.int64), indices=np.zeros(gan.real_rows, np.int64))
        self._halves = [Half(count, data, labels), Half(count, data, labels)]
        self.data = kernels.to_device(np.zeros((2 * count, data.shape[1]), data.dtype))
        self.labels = kernels.to_device(np.zeros(2 * count if len(labels) else 0, np.int64))
        self._stream = None if SIMULATED else _stream()
        for half in self._halves:
            half.launched()  # copies wait until the zeros are there

    @property
    def slots(self) -> int:
        """Steps that have room on the device."""
        return 2 * self.run

    def bring(self, step: int) -> int:
        """Have the rows of a step, and of those after it in its run, on the device; how many steps these are."""
        self._fill(step // self.run)
        self._halves[step // self.run % 2].wait()
        return self.run - step % self.run

    def used(self, step: int) -> None:
        """The steps up to this one are launched; gather the run after its own."""
        self._halves[step // self.run % 2].launched()
        self._fill(step // self.run + 1)

    def _drawn(self, number: int) -> np.ndarray:
        """The rows of one run of steps, in their order."""
        gan, total = self._gan, len(self.source)
        if not gan.replacement:  # the places of a run follow each other
            indices = np.empty(self.run * self.rows, np.int64)
            clock = np.array([number])
            shuffled_rows(indices, total, len(indices), 0, gan.key, clock, ROWS)
            return indices
        drawn = []
        for step in range(number * self.run, (number + 1) * self.run):
            gan.clock[0] = step
            for critic_step in range(gan.n_critic):
                draw_rows(gan, total, critic_step)
                drawn.append(gan.indices.copy())
        return np.concatenate(drawn)

    def close(self) -> None:
        """Wait for the copies that are under way."""
        if self._stream is not None:
            self._stream.synchronize()

    def __del__(self) -> None:
        with suppress(Exception):  # of an interpreter that ends
            self.close()

    def _fill(self, number: int) -> None:
        """Gather one run of steps and start its copy, unless it is there."""
        half = self._halves[number % 2]
        if half.number == number:
            return
        half.reuse()
        half.number = -1  # a fill that is interrupted is none
        indices = self._drawn(number)
        np.take(
            self.source, indices, axis=0, out=half.data, mode="clip"
        )  # "clip" alone writes without a buffer
        if len(self.source_labels):
            np.take(self.source_labels, indices, out=half.labels, mode="clip")
        start = number % 2 * len(half.data)
        place = slice(start, start + len(half.data))
        half.copy(self._stream, self.data[place], self.labels[place])
        half.number = number


class Half:
    """Pinned memory for one run of steps, and when it is copied and used up."""

    def __init__(self, count: int, data: np.ndarray, labels: np.ndarray):
        self.number = -1
        self.data = _pinned((count, data.shape[1]), data.dtype.newbyteorder("="))
        self.labels = _pinned((count if len(labels) else 0,), np.int64)
        self._copied: Any = None if SIMULATED else _event()
        self._used: Any = None if SIMULATED else _event()

    def reuse(self) -> None:
        """Wait until what stands here is copied."""
        if self._copied is not None:
            self._copied.synchronize()

    def copy(self, stream: Any, data: Any, labels: Any) -> None:
        """Copy to the device, once the steps that use its place are made."""
        if stream is None or self._copied is None:
            data[...], labels[...] = self.data, self.labels
            return
        stream.wait_event(self._used)
        data.set(self.data, stream=stream)
        if len(self.labels):
            labels.set(self.labels, stream=stream)
        self._copied.record(stream)

    def wait(self) -> None:
        """Have the current stream wait for the copy."""
        if self._copied is not None:
            import cupy

            cupy.cuda.get_current_stream().wait_event(self._copied)

    def launched(self) -> None:
        """The current stream has been given all steps that use this."""
        if self._used is not None:
            import cupy

            self._used.record(cupy.cuda.get_current_stream())


def _stream() -> Any:
    import cupy

    return cupy.cuda.Stream(non_blocking=True)


def _event() -> Any:
    import cupy

    return cupy.cuda.Event(disable_timing=True)


def _pinned(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Host memory that the device can read by itself."""
    if SIMULATED or 0 in shape:
        return np.zeros(shape, dtype)
    import cupy
    import cupyx

    try:
        return np.asarray(cupyx.zeros_pinned(shape, dtype))
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise UserError(
            f"the host has no pinned memory for rows {shape} ({error}); lower batch_size, or free memory of the host"
        ) from None
