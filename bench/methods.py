"""Training methods whose cost is measured, and a training with one of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bench.sizes import Size
from fastgan.data import from_arrays
from fastgan.trainer import Trainer

ROWS = 2000
METHODS: dict[str, dict[str, Any]] = {
    "plain": {},
    "wgan-gp": {"gradient_penalty": "wgan-gp"},
    "r1": {"gradient_penalty": "r1"},
    "r1+r2": {"gradient_penalty": "r1+r2"},
    "r1 every 4 steps": {"gradient_penalty": "r1", "penalty_every": 4},
    "plain, tanh": {"discriminator_activation": "tanh"},
    "wgan-gp, tanh": {"gradient_penalty": "wgan-gp", "discriminator_activation": "tanh"},
    "spectral norm": {"spectral_norm": True},
    "clipping": {"clip_norm": 1.0},
    "instance noise": {"instance_noise": 0.1},
}


def plain_of(method: str) -> str:
    """The method beside which another one's cost is told."""
    return "plain, tanh" if "tanh" in method else "plain"


def trainer_of(size: Size, n_critic: int, backend: str, **method: Any) -> Trainer:
    """A training of one size with a method and so many discriminator steps in each step."""
    random = np.random.default_rng(0)
    x = random.uniform(-1, 1, (ROWS, size.columns)).astype(np.float32)
    y = random.integers(0, size.classes, ROWS) if size.classes else None
    settings = replace(size.settings(backend=backend), threads=1, n_critic=n_critic, **method)
    return Trainer(settings, from_arrays(x, y), keep_history=False)
