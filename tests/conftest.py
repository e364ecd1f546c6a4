"""What every test shares: no display, and the same examples at every run."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from fastgan.cuda_probe import driver_is_there

os.environ["MPLBACKEND"] = "Agg"
if find_spec("cupy") is None or not driver_is_there():
    # Numba then runs CUDA kernels as Python threads; it reads this once, when it is imported.
    os.environ.setdefault("NUMBA_ENABLE_CUDASIM", "1")
with suppress(ModuleNotFoundError):  # a GPU's interpreter may lack it; those tests do without
    from hypothesis import settings

    settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
    settings.load_profile("repeatable")


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--kills N``: how many kills, and as many faults of the disk, `test_faults` makes of each kind."""
    parser.addoption("--kills", type=int, default=10, help="kills, and faults, of each kind that are made")
    parser.addoption(
        "--examples",
        type=int,
        metavar="N",
        help="let every hypothesis test draw N new examples, not few old ones",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--examples"):
        count = config.getoption("--examples")
        settings.register_profile(
            "longer", max_examples=count, derandomize=False, deadline=None, database=None
        )
        settings.load_profile("longer")


@pytest.fixture(autouse=True)
def _no_terminal_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages are one line however wide the terminal of whoever runs the tests."""
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """The file of a recipe of a second or less."""
    from .commands import TINY

    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="session")
def make_data() -> Callable[..., object]:
    """Rows to learn from: ``make_data(kind, rows=96, classes=0)``, kind "numbers" (float32), "bytes" or "tokens".

    Only float32 and uint8 are stored, so that the compiled step meets no third dtype.
    """
    from fastgan.data import from_arrays

    def make(kind: str = "numbers", rows: int = 96, classes: int = 0) -> object:
        random = np.random.default_rng(rows)
        if kind == "numbers":
            x = random.normal([3, -1, 0], [0.5, 0.1, 2], (rows, 3)).astype(np.float32)
        else:
            x = random.integers(0, 5 if kind == "tokens" else 256, (rows, 4)).astype(np.uint8)
        y = np.arange(rows) % classes if classes else None
        return from_arrays(x, y, vocabulary=5 if kind == "tokens" else 0)

    return make


@pytest.fixture(scope="session")
def make_trainer(make_data: Callable[..., object]) -> Callable[..., object]:
    """A small trainer: ``make_trainer(kind, classes=0, rows=96, **settings)``; on the numpy backend unless told."""
    from fastgan.settings import Settings
    from fastgan.trainer import Trainer

    def make(kind: str = "numbers", *, classes: int = 0, rows: int = 96, **settings: object) -> object:
        small = dict(generator=[7], discriminator=[9, 5], latent_dim=4, batch_size=16, backend="numpy")
        return Trainer(Settings(**(small | settings)), make_data(kind, rows, classes))

    return make


@pytest.fixture(scope="session")
def state_of() -> Callable[..., bytes]:
    """All that the next step depends on, as bytes."""

    def state(trainer: object) -> bytes:
        players = (trainer.gan.generator, trainer.gan.discriminator)
        arrays = [each for net in players for each in (net.params, net.mean, net.square, net.updates)]
        return b"".join(each.tobytes() for each in [trainer.gan.clock, *arrays])

    return state
