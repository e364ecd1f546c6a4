"""What is measured: the networks, batch and data of one training step, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

ROWS = 10_000


@dataclass(frozen=True)
class Size:
    """A GAN and its data: uint8 rows with labels where there are classes, else float32 rows.

    Whatever it does not name is as `fastgan.settings.Settings` has it: half-batch updates of the discriminator, Adam,
    bce, relu and leaky relu, rows scaled to [-1, 1].
    """

    name: str
    columns: int
    latent_dim: int
    generator: tuple[int, ...]
    discriminator: tuple[int, ...]
    batch_size: int
    classes: int = 0
    rows: int = ROWS
    mapped: str = ""
    """A ``.npy`` file of float32 rows, which stays on disk, instead of random ones."""

    @classmethod
    def of(cls, values: dict[str, Any]) -> Size:
        """A size as `dataclasses.asdict` and JSON leave it."""
        lists = {name: tuple(values[name]) for name in ("generator", "discriminator")}
        return cls(**(values | lists))

    @property
    def half(self) -> int:
        """Rows of one update of the discriminator."""
        return self.batch_size // 2

    def settings(self, **more: Any) -> Any:
        """These networks as fastgan's settings."""
        from fastgan.settings import Settings

        return Settings(
            generator=self.generator,
            discriminator=self.discriminator,
            latent_dim=self.latent_dim,
            batch_size=self.batch_size,
            **more,
        )

    def dataset(self) -> Any:
        """The rows to learn from, the same at every call."""
        from fastgan.data import from_arrays

        random = np.random.default_rng(0)
        if self.mapped:
            return from_arrays(np.load(self.mapped, mmap_mode="r"), scaling="minmax")
        if not self.classes:
            rows = random.uniform(-1, 1, (self.rows, self.columns)).astype(np.float32)
            return from_arrays(rows, scaling="minmax")
        rows = random.integers(0, 256, (self.rows, self.columns), dtype=np.uint8)
        return from_arrays(rows, random.integers(0, self.classes, self.rows), n_classes=self.classes)


SEQ8 = Size("seq8", 8, 2, (64, 64), (64, 64), 64)
GRID2 = Size("grid2", 2, 2, (128, 128), (128, 128), 64)
FASHION = Size("fashion", 784, 100, (256, 512), (512, 256), 64, classes=10)
FASHION_L = Size("fashionL", 784, 100, (1024, 1024), (1024, 1024), 256, classes=10)

STEPS = {size.name: size for size in (SEQ8, GRID2, FASHION, FASHION_L)}
"""The four sizes of the table of whole steps."""
