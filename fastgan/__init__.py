"""fastgan trains generative adversarial networks made of dense layers, very fast, on a plain CPU or one GPU."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["GAN", "Best", "Monitor", "UserError", "__version__", "load"]

from fastgan.errors import UserError

if TYPE_CHECKING:
    from fastgan.best import Best
    from fastgan.gan import GAN, load
    from fastgan.monitor import Monitor

_HOMES = {"GAN": "gan", "load": "gan", "Best": "best", "Monitor": "monitor"}


def __getattr__(name: str) -> Any:
    """Import the rest, and Numba with it, only when it is asked for."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"fastgan.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'fastgan' has no attribute {name!r}")
