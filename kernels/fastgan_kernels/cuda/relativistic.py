"""CUDA kernels of `fastgan_kernels.relativistic`: a thread a pair."""

from __future__ import annotations

import numpy as np
from numba import cuda, float32

from .. import relativistic
from ..dispatch import launched
from ..relativistic import pair_terms
from .device import launch_over


@cuda.jit
def relativistic_rows(winners, losers, batch, dwinners, dlosers, winner_losses, loser_losses):
    """`relativistic.relativistic_rows`."""
    i = cuda.grid(1)
    if i < winners.shape[0]:
        loss, probability = pair_terms(winners[i, 0], losers[i, 0])
        dwinners[i, 0] = -probability / batch
        dlosers[i, 0] = probability / batch
        winner_losses[i] = loss
        loser_losses[i] = float32(0)


@launched(relativistic.relativistic_rows)
def _relativistic_rows(winners, losers, batch, dwinners, dlosers, winner_losses, loser_losses):
    arrays = dwinners, dlosers, winner_losses, loser_losses
    launch_over(relativistic_rows, len(winners), winners, losers, np.float32(batch), *arrays)
