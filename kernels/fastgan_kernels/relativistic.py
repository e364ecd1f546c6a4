"""The relativistic loss of pairs: each real row is judged beside a fake one.

Jolicoeur-Martineau 2019, arXiv 1807.00734, section 3 (RSGAN); with R1 and R2 penalties it is R3GAN: Huang et al. 2024,
arXiv 2501.05441, eq. 2.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .dispatch import LOOPS, compiled, op
from .elementary import sigmoid, softplus

_ZERO = np.float32(0)


@njit(**LOOPS)
def pair_terms(winner, loser):
    """Loss of one pair, and the probability that the loser wins, which is its gradient at the loser's logit."""
    behind = loser - winner
    return softplus(behind), sigmoid(behind)


@op
def relativistic_rows(
    winners: np.ndarray,
    losers: np.ndarray,
    batch: int,
    dwinners: np.ndarray,
    dlosers: np.ndarray,
    winner_losses: np.ndarray,
    loser_losses: np.ndarray,
) -> None:
    """Loss of pairs of logits, one of which should be higher: ``softplus(loser - winner)``, averaged over a batch.

    Gradients: ``-sigmoid(loser - winner) / batch`` at the winner's, the opposite at the loser's. The discriminator's
    winners are the real rows, the generator's its own.

    Parameters
    ----------
    winners, losers : (rows, columns) float32; column 0 is read
    batch : pairs in all; the gradient is that of the mean over them
    dwinners, dlosers : (rows, columns) float32; column 0 is written
    winner_losses : (rows,) float32, written: each pair's loss
    loser_losses : (rows,) float32, written: zero
    """
    behind = losers[:, 0] - winners[:, 0]
    with np.errstate(over="ignore"):
        probability = 1 / (1 + np.exp(-behind))
    dwinners[:, 0], dlosers[:, 0] = -probability / batch, probability / batch
    winner_losses[...], loser_losses[...] = np.logaddexp(0, behind), 0


@compiled(relativistic_rows)
def _relativistic_rows_cpu(winners, losers, batch, dwinners, dlosers, winner_losses, loser_losses):
    share = winners.dtype.type(1) / winners.dtype.type(batch)
    for i in range(winner_losses.size):
        loss, probability = pair_terms(winners[i, 0], losers[i, 0])
        dwinners[i, 0] = -probability * share
        dlosers[i, 0] = probability * share
        winner_losses[i] = loss
        loser_losses[i] = _ZERO
