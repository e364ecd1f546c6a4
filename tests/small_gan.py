"""What the tests of the public GAN share: rows, a GAN that trains in no time, and refusals in one line."""

import re
from typing import Any

import numpy as np
import pytest

from fastgan import GAN, UserError

X = np.random.default_rng(0).normal([3, -1, 0], [0.5, 0.1, 2], (96, 3)).astype(np.float32)
Y = np.arange(96) % 3
PIXELS = np.random.default_rng(1).integers(0, 256, (96, 2, 3)).astype(np.uint8)


def small(**settings: Any) -> GAN:
    defaults = dict(generator=[7], discriminator=[9], latent_dim=4, batch_size=16, backend="numpy")
    return GAN(**(defaults | settings))


def refused(message: str) -> Any:
    return pytest.raises(UserError, match="^" + re.escape(message) + r"[^\n]*$")
