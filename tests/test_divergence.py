"""Trainings that diverge: what broke first is named, and a run goes back to a checkpoint at lower rates."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from fastgan import GAN
from fastgan import recipe as recipes
from fastgan.__main__ import main
from fastgan.checkpoint import Stored
from fastgan.divergence import LIMIT, first_bad
from fastgan.errors import Diverged
from fastgan.progress import Progress
from fastgan.recipe import Recipe
from fastgan.run import ROLLBACKS, train_run
from fastgan.state import STATISTICS

from .commands import STEPS_PER_EPOCH, TINY

BACKENDS = pytest.mark.parametrize("backend", ["numpy", "cpu"])


class Listening(Progress):
    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


def recipe(*changes: str, backend: str = "numpy") -> Recipe:
    found = recipes.parse(TINY.replace('"numpy"', f'"{backend}"'), "tiny")
    for change in ("optimiser.optimiser=sgd", "run.samples_every=0", *changes):
        found = recipes.override(found, change)
    return found


def test_figures_that_are_bad() -> None:
    fine = np.ones((4, len(STATISTICS)), np.float32)
    assert first_bad(fine) is None
    for value in (np.nan, np.inf, -np.inf, LIMIT, -2 * LIMIT):
        bad = fine.copy()
        bad[2, 6], bad[3, 0] = value, np.nan
        assert first_bad(bad) == (2, 6)
    fine[:, STATISTICS.index("d_penalty")] = 1e30
    assert first_bad(fine) is None


@BACKENDS
@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_each_player_diverges_and_is_named(player: str, backend: str, tmp_path: Path) -> None:
    listening = Listening()
    change = f"optimiser.{player}_lr=1e25"
    with pytest.raises(Diverged) as caught:
        train_run(recipe(change, backend=backend), tmp_path / "run", listening)
    message = str(caught.value)
    assert re.fullmatch(
        rf"training diverged at step \d+: [^\n]*, first in the [a-z' ]+ of layer [12] of 2 of the {player}; "
        rf"[^\n]* holds step 0, from where {ROLLBACKS} tries at lower rates diverged too; lower [^\n]*",
        message,
    ), message
    assert len(listening.said) == ROLLBACKS
    assert [
        re.search(r"at (\S+) times the learning rates, try (\d) of 3", each).groups()
        for each in listening.said
    ] == [  # type: ignore[union-attr]
        ("0.5", "1"),
        ("0.25", "2"),
        ("0.125", "3"),
    ]
    stored = Stored(tmp_path / "run" / "checkpoint.safetensors")
    assert stored.step == 0 and all(np.isfinite(each).all() for each in stored.tensors.values())


def test_lower_rates_save_a_training(tmp_path: Path) -> None:
    """A rate that grows from zero crosses the limit at some step; half of it never does."""
    listening = Listening()
    steep = ("optimiser.generator_lr=0.01", "optimiser.discriminator_lr=60", "training.loss=mse")
    outcome = train_run(recipe(*steep), tmp_path / "run", listening)
    assert outcome.step == 4 * STEPS_PER_EPOCH
    assert 0 < outcome.rollbacks == len(listening.said) <= ROLLBACKS
    assert outcome.rate_factor == 0.5**outcome.rollbacks
    stored = Stored(tmp_path / "run" / "checkpoint.safetensors")
    assert stored.step == outcome.step and stored.rate_factor == outcome.rate_factor
    rows = [line for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines() if line]
    assert len(rows) == outcome.step


def test_without_rollback_the_first_one_ends_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tiny.toml").write_text(recipes.to_toml(recipe("optimiser.generator_lr=1e25")))
    arguments = ["train", str(tmp_path / "tiny.toml"), "--out", str(tmp_path / "run"), "--log", "quiet"]
    assert main([*arguments, "--no-rollback"]) == 3
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "holds step 0; lower" in error and "tries" not in error
    assert main(["train", "--resume", str(tmp_path / "run"), "--log", "quiet"]) == 3


def test_a_rate_that_was_lowered_stays_so_when_resumed(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    steep = ("optimiser.generator_lr=0.01", "optimiser.discriminator_lr=60", "training.loss=mse")
    whole = train_run(recipe(*steep, "run.epochs=6"), folder, Progress())
    assert whole.rollbacks
    again = train_run(recipe(*steep, "run.epochs=8"), folder, Progress(), resume=True)
    assert again.rate_factor <= whole.rate_factor


@BACKENDS
def test_fit_names_what_broke_first(backend: str) -> None:
    x = np.random.default_rng(0).normal(size=(64, 3))
    gan = GAN(optimiser="sgd", discriminator_lr=1e25, batch_size=16, backend=backend)
    with pytest.raises(Diverged, match=r"first in the [a-z' ]+ of layer \d of 3 of the discriminator"):
        gan.fit(x, steps=50)
