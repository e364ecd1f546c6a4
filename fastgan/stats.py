"""Running figures of a training, as training loops print them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fastgan.trainer import Trainer

WINDOW = 100
"""Steps that the loss averages go over, and samples that mode collapse is judged on."""

_SEED = 0x57A75


def unique_share(rows: np.ndarray) -> float:
    """Share of different rows among rows (n, width): 1 when all differ, towards 0 on collapse."""
    rows = np.ascontiguousarray(rows + 0)  # -0.0 is 0.0
    return len({row.tobytes() for row in rows}) / len(rows)


class Stats:
    """Figures of a training at this moment.

    Losses are averages over the last 100 calls that made one, 0.0 when there were none; the class loss of an AC-GAN is
    included.
    """

    def __init__(self, trainer: Trainer):
        self._trainer = trainer

    @property
    def steps(self) -> int:
        """Generator updates made."""
        return int(self._trainer.gan.generator.updates[0])

    def avg_generator_loss(self) -> float:
        """Average loss of the generator."""
        return self._average("g_loss", "g_class")

    def avg_discriminator_loss(self) -> float:
        """Average loss of the discriminator on real rows plus that on fake ones."""
        return self._average("d_loss_real", "d_class_real") + self._average("d_loss_fake", "d_class_fake")

    @property
    def mode_collapse_score(self) -> float:
        """1 - distinct / n over n = 100 samples: 0 when all differ, towards 1 on collapse; worry above 0.8."""
        return 1 - unique_share(self._samples())

    @property
    def unique_tokens(self) -> int:
        """Distinct values (tokens, for sequences of tokens) among 100 samples."""
        return len(np.unique(self._samples()))

    def _samples(self) -> np.ndarray:
        return self._trainer.generator.sample(WINDOW, seed=_SEED)

    def _average(self, loss: str, class_loss: str) -> float:
        history = self._trainer.history
        values = history[loss] + history[class_loss]
        made = values[~np.isnan(values)][-WINDOW:]
        return float(made.mean(dtype=np.float64)) if len(made) else 0.0
