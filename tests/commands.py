"""What the tests of the command line share: a recipe of a second or less, and ways to run commands."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import fastgan
import fastgan_kernels

TINY = """\
description = "eight Gaussians, very small players"

[data]
source = "ring"
rows = 640

[model]
generator = [8]
discriminator = [8]
latent_dim = 2

[training]
batch_size = 32

[run]
backend = "numpy"
epochs = 4
samples_every = 2
checkpoint_every = 1
"""
STEPS_PER_EPOCH = 20

SMALL_PLAYERS = ("--set", "model.generator=[8]", "--set", "model.discriminator=[8]", "--backend", "numpy")
"""Arguments that make any recipe quick."""


def environment() -> dict[str, str]:
    """The environment of a child that finds the packages from any folder, whatever the terminal."""
    packages = [str(Path(str(each.__file__)).parents[1]) for each in (fastgan, fastgan_kernels)]
    dropped = ("COLUMNS", "LINES", "NO_COLOR", "NUMBA_ENABLE_CUDASIM")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return kept | {"PYTHONPATH": os.pathsep.join(packages), "TERM": "xterm-256color"}


def command(*arguments: object) -> list[str]:
    """The argument vector of a real process."""
    return [sys.executable, "-m", "fastgan", *map(str, arguments)]


def process(
    *arguments: object, before: Sequence[str] = (), **options: object
) -> subprocess.CompletedProcess[str]:
    """Run a command as a real process, to its end; `before` is a program that starts it."""
    given = dict(env=environment(), capture_output=True, text=True, timeout=300) | options
    return subprocess.run([*before, *command(*arguments)], **given)  # type: ignore[call-overload,no-any-return]


def tree(folder: Path) -> dict[str, bytes | None]:
    """Every file under a folder with its bytes, and every folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def mistake(error: str) -> str:
    """The message of a mistake, after checking that it is one line and nothing else."""
    assert error.startswith("fastgan: error: "), error
    assert error.endswith("\n") and error.count("\n") == 1, error
    return error.removeprefix("fastgan: error: ").rstrip("\n")
