"""The monitor: whether the players are in balance and G shows variety, at almost no cost, for every kind of data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fastgan import verdicts
from fastgan.data.dataset import DataSpec
from fastgan.json_rows import Row, figure
from fastgan.looks import EVERY, MOST_NUMBERS, Looks, affordable
from fastgan.quality import nearness
from fastgan.stats import WINDOW, unique_share

if TYPE_CHECKING:
    from fastgan.networks import Network
    from fastgan.settings import Settings
    from fastgan.trainer import Trainer

PROBE = 500
"""Real rows, and as many samples, that a look is on."""

EARLY = 100
"""Most steps between looks of the first `EVERY` steps, so that a short training has a verdict too. They depend on the
step alone, so that a training that is resumed, or made longer, has the same looks."""

_SEED = 0x10AC


class Monitor(Looks):
    """Watches the players, and says in words how they get on.

    Parameters
    ----------
    every, path, say : see `fastgan.looks.Looks`; up to step `EVERY` there is a look after every `EARLY` steps too

    Attributes
    ----------
    verdict : how the training goes and, where it goes wrong, what to try
    rows, history : the figures of each look. ``mode_collapse`` is 1 - distinct / n over n = 100 samples and ``unique``
        the share of different ones of 500, ``unique_real`` that of as many real rows; ``spread`` and ``spread_real``
        are the roots of their summed column variances, in network units; ``d_real`` and ``d_fake`` D's mean probability
        on real rows and samples (mean output, where the loss makes no probabilities); ``d_right_real`` and
        ``d_right_fake`` the shares of them that D judges rightly; ``coverage`` the share of real rows with a sample
        near them and ``precision`` that of samples near a real row, as `fastgan.quality.nearness` has it with
        `neighbours`; ``d_gradient`` and ``g_gradient`` the Euclidean norms of the newest update's gradients; ``state``
        what that look shows, as `fastgan.verdicts.state_of` has it
    """

    looks_at_end = True
    columns = (
        *("epoch", "mode_collapse", "unique", "unique_real", "spread", "spread_real", "d_real", "d_fake"),
        *("d_right_real", "d_right_fake", "coverage", "precision", "d_gradient", "g_gradient", "state"),
    )

    def __init__(
        self,
        every: int = EVERY,
        path: str | Path | None = None,
        say: Callable[[str], None] | None = None,
    ):
        super().__init__(every, path, say)
        self.verdict = ""
        self._state, self._said = "", False

    def prepare(self, trainer: Trainer) -> None:
        from fastgan.evaluation.rows import draw_labels

        spec = trainer.dataset.spec
        real = trainer.dataset.thinned(max(affordable(spec, PROBE), trainer.settings.packing))
        count = len(real)
        self.real = in_network_units(spec, real)
        self.unique_real, self.spread_real = unique_share(real), spread(self.real)
        self.latent = trainer.generator.latent_vectors(count, _SEED)
        # As frequent as in the data, or a class that is rare there would be missed or be crowded here.
        self.classes = draw_labels(trainer.dataset, count, np.random.default_rng(_SEED))
        self._near = nearness(self.real, neighbours(count))
        # Of labelled rows the settings need not say how many classes there are, which decides what can be advised.
        self._settings = replace(trainer.settings, n_classes=trainer.n_classes)
        self._dataset = trainer.dataset
        self._state, self.verdict = self._judge()

    def _judge(self) -> tuple[str, str]:
        return verdicts.verdict(self.rows, self._settings, self._check)

    def _check(self, settings: Settings) -> None:
        from fastgan.trainer import check_data

        settings.check()
        check_data(settings, self._dataset, least_rows=settings.batch_size)

    def next_step(self, step: int) -> int:
        regular = super().next_step(step)
        if self.every <= EARLY or step >= EVERY:
            return regular
        return min(regular, (step // EARLY + 1) * EARLY)

    def look(self, trainer: Trainer) -> Row:
        gan, generator, loss = trainer.gan_to_read, trainer.generator, trainer.settings.loss
        fake = generator.network_rows(self.latent, self.classes)
        samples = generator.spec.to_data_units(fake)
        on_real, on_fake = outputs(gan.discriminator, self.real), outputs(gan.discriminator, fake)
        boundary = verdicts.boundary(trainer.settings)
        if boundary is None:
            boundary = (on_real.mean() + on_fake.mean()) / 2
        precision, coverage = self._near(generator.spec.to_network_units(samples))
        figures = {
            "mode_collapse": 1 - unique_share(samples[:WINDOW]),
            "unique": unique_share(samples),
            "unique_real": self.unique_real,
            "spread": spread(fake),
            "spread_real": self.spread_real,
            "d_real": mean_score(on_real, loss),
            "d_fake": mean_score(on_fake, loss),
            "d_right_real": (on_real > boundary).mean(),
            "d_right_fake": (on_fake < boundary).mean(),
            "coverage": coverage,
            "precision": precision,
            "d_gradient": gradient_norm(gan.discriminator),
            "g_gradient": gradient_norm(gan.generator),
        }
        row: Row = {name: figure(value) for name, value in figures.items()}
        return {**row, "state": verdicts.state_of(row, self.rows, self._settings)}

    def take(self, trainer: Trainer) -> None:
        super().take(trainer)
        before = self._state
        self._state, self.verdict = self._judge()
        self._said = self._state != before
        if self._said:
            self._tell()

    def finish(self, trainer: Trainer) -> None:
        """Look a last time, and repeat the verdict with its newest figures, or why there is none.

        Nothing is said of a training that ends before its second look.
        """
        if not self.rows or self.rows[-1]["step"] != trainer.step:
            self.take(trainer)
        if not self._said and len(self.rows) > 1:
            self._tell()

    def _tell(self) -> None:
        self.say(f"step {self.rows[-1]['step']:,}: {self.verdict}")


def outputs(discriminator: Network, rows: np.ndarray) -> np.ndarray:
    """What D says to rows (n, network_width) in network units: (n,) float64 logits, or outputs where a loss has none.

    Of packs, where D judges several rows together. The pass has an arena of its own; that of the training stays as it
    is.
    """
    from fastgan.embedding import columns_given
    from fastgan.forms import with_rows
    from fastgan.passes import forward
    from fastgan_kernels.layers import INPUTS

    pack = columns_given(discriminator) // rows.shape[1]
    rows = rows[: len(rows) // pack * pack].reshape(len(rows) // pack, -1)
    at_once = min(len(rows), max(1, MOST_NUMBERS // int(discriminator.layers[0, INPUTS])))
    net, none = with_rows(discriminator, at_once), np.zeros(0, np.int64)
    parts = [rows[first : first + at_once] for first in range(0, len(rows), at_once)]
    return np.concatenate([forward(net, part, none)[:, 0].astype(np.float64) for part in parts])


def mean_score(values: np.ndarray, loss: str) -> float:
    """Mean probability where D's outputs are logits of one, else mean output."""
    # sigmoid(s) = (1 + tanh(s / 2)) / 2, which no s overflows
    return float((0.5 + np.tanh(values / 2) / 2 if loss in verdicts.PROBABILITIES else values).mean())


def spread(rows: np.ndarray) -> float:
    """How far rows (n, width) lie from their mean: the root of the summed variances of the columns."""
    return float(np.sqrt(rows.var(axis=0, dtype=np.float64).sum()))


def neighbours(rows: int) -> int:
    """Of so many real rows, those as near to one as a sample has to be: 10 of 500.

    With 5, the coverage of good generators fell to 0.50, for their samples vary a little less than real rows; with 15,
    a row of a mode out of 25 has other modes' among them.
    """
    return max(5, rows // 50)


def gradient_norm(net: Network) -> float:
    """Euclidean norm of the newest gradient, before it was clipped; summed in float64."""
    squares = net.squares if net.squares.size else np.square(net.grads, dtype=np.float64)
    return float(np.sqrt(squares.sum(dtype=np.float64)))


def in_network_units(spec: DataSpec, rows: np.ndarray) -> np.ndarray:
    """Rows (n, width) in data units as the networks see them, where the same bytes give the same products."""
    from fastgan.networks import aligned

    units = aligned(len(rows) * spec.network_width).reshape(len(rows), spec.network_width)
    units[...] = spec.to_network_units(rows)
    return units
