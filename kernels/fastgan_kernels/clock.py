"""The count of training steps, and where a captured step leaves its statistics."""

from __future__ import annotations

import numpy as np

from .dispatch import compiled, op


@op
def count_step(clock: np.ndarray, statistics: np.ndarray, ring: np.ndarray) -> None:
    """Count a step: ``ring[clock % len(ring)] = statistics``, unless ring has no rows; ``clock += 1``.

    A step that is captured once and replayed writes to the same places each time; the ring keeps its newest rows until
    they are read.

    Parameters
    ----------
    clock : (1,) int64, steps made so far, incremented
    statistics : (columns,) float32
    ring : (any number of steps, columns) float32, one row written
    """
    if len(ring):
        ring[clock[0] % len(ring)] = statistics
    clock[0] += 1


@compiled(count_step)
def _count_step_cpu(clock, statistics, ring):
    if ring.shape[0] > 0:
        row = ring[clock[0] % ring.shape[0]]
        for j in range(row.size):
            row[j] = statistics[j]
    clock[0] += 1


@op
def slot_rows(out: np.ndarray, slots: int, per_step: int, offset: int, step: np.ndarray) -> None:
    """Where the rows of one step lie that were gathered ahead: ``out[i] = step % slots * per_step + offset + i``.

    Parameters
    ----------
    out : (n,) int64, written
    slots : steps whose rows are kept at a time
    per_step : rows of one step
    offset : the first of these that is wanted here
    step : (1,) int64, at least 0
    """
    out[:] = int(step[0]) % slots * per_step + offset + np.arange(out.size)


@compiled(slot_rows)
def _slot_rows_cpu(out, slots, per_step, offset, step):
    start = step[0] % slots * per_step + offset
    for i in range(out.size):
        out[i] = start + i
