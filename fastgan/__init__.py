"""fastgan trains generative adversarial networks made of dense layers, very fast, on a plain CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["GAN", "UserError", "__version__", "load"]

from fastgan.errors import UserError

if TYPE_CHECKING:
    from fastgan.gan import GAN, load


def __getattr__(name: str) -> Any:
    """Import the rest, and Numba with it, only when it is asked for."""
    if name in ("GAN", "load"):
        from fastgan import gan

        return getattr(gan, name)
    raise AttributeError(f"module 'fastgan' has no attribute {name!r}")
