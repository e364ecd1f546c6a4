"""A checkpoint goes on on another backend: the same training, to the roundings of float32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastgan import recipe as recipes
from fastgan.checkpoint import Stored, restore, save_checkpoint
from fastgan.progress import Progress
from fastgan.run import train_run
from fastgan.state import lasting

from .commands import TINY
from .parity import assert_states_agree

WAYS = [("numpy", "cpu"), ("cpu", "numpy")]


@pytest.mark.parametrize(("first", "second"), WAYS)
@pytest.mark.parametrize(
    "settings",
    [{}, dict(optimiser="sgd", generator_lr=0.01, discriminator_lr=0.01)],
    ids=["adam", "sgd"],
)
def test_steps_on_another_backend(
    make_trainer: Any, first: str, second: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    stays, goes = make_trainer(backend=first, **settings), make_trainer(backend=second, **settings)
    stays.train(50)
    save_checkpoint(stays, tmp_path / "c")
    restore(goes, Stored(tmp_path / "c"))
    for each in (stays, goes):
        each.train(50)
    assert goes.step == 100
    assert_states_agree(lasting(goes.gan), lasting(stays.gan))


@pytest.mark.parametrize(("first", "second"), WAYS)
def test_a_run_on_another_backend(first: str, second: str, tmp_path: Path) -> None:
    tensors = []
    for name, then in (("stays", first), ("goes", second)):
        recipe = recipes.parse(TINY, "tiny")
        for epochs, backend in ((2, first), (4, then)):
            recipe.run.epochs, recipe.gan.backend = epochs, backend
            train_run(recipe, tmp_path / name, Progress(), resume=epochs > 2)
        tensors.append(Stored(tmp_path / name / "checkpoint.safetensors").tensors)
    assert_states_agree(tensors[1], tensors[0])
    assert not all(np.array_equal(tensors[0][name], tensors[1][name]) for name in tensors[0])
