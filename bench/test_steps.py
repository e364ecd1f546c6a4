"""Whole training steps at four sizes, on every backend: ``make bench``.

Each round is one call of `fastgan.step.perform` for several steps, data and noise included; the time of one step is
in ``extra_info["step_us"]``.
"""

import numpy as np
import pytest

from fastgan.data import from_arrays
from fastgan.settings import Settings
from fastgan.step import STATISTICS, TRAIN
from fastgan.trainer import Trainer

# name: (columns, classes, steps a call, settings)
SIZES = {
    "seq8": (8, 0, 500, dict(latent_dim=2, generator=[64, 64], discriminator=[64, 64], batch_size=64)),
    "grid2": (2, 0, 500, dict(latent_dim=2, generator=[128, 128], discriminator=[128, 128], batch_size=64)),
    "fashion": (
        784,
        10,
        20,
        dict(latent_dim=100, generator=[256, 512], discriminator=[512, 256], batch_size=64),
    ),
    "fashionL": (
        784,
        10,
        4,
        dict(latent_dim=100, generator=[1024, 1024], discriminator=[1024, 1024], batch_size=256),
    ),
}


@pytest.mark.parametrize("backend", ["cpu", "numpy"])
@pytest.mark.parametrize("size", SIZES)
def test_step(benchmark, size, backend):
    columns, classes, steps, settings = SIZES[size]
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 256, (10_000, columns), dtype=np.uint8)
    labels = rng.integers(0, classes, len(rows)) if classes else None
    trainer = Trainer(Settings(backend=backend, **settings), from_arrays(rows, labels))
    statistics = np.zeros((steps if backend == "cpu" else 4, len(STATISTICS)), np.float32)
    data = trainer.dataset

    def run():
        trainer.backend.perform(TRAIN, trainer.gan, data.array, data.labels, statistics)

    benchmark.pedantic(run, rounds=7, warmup_rounds=1)
    benchmark.extra_info["step_us"] = benchmark.stats.stats.median / len(statistics) * 1e6
    assert np.isfinite(statistics).all()
