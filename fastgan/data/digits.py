"""The UCI digits: 1,797 pictures of handwritten digits, 8x8, inside the package."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fastgan.data.build import Raw
from fastgan.data.dataset import require

FILE = Path(__file__).with_name("digits.npz")
TRAIN_ROWS = 1437
"""Four fifths. The pictures are in the order of their writers, so most writers of the last fifth are new."""

SPLITS = {"train": slice(0, TRAIN_ROWS), "test": slice(TRAIN_ROWS, None), "all": slice(None)}


def load_digits(*, split: str = "train") -> Raw:
    """Return pictures (rows, 8, 8) uint8 of 0 to 16 and their digits; `split` is "train", "test" or "all"."""
    require(split in SPLITS, f"split {split!r} is none of {', '.join(SPLITS)}")
    rows = SPLITS[split]
    with np.load(FILE, allow_pickle=False) as archive:
        images, labels = archive["x"][rows], archive["y"][rows]
    return Raw(images, labels, low=0, high=16, class_names=tuple("0123456789"))
