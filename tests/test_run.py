"""The folder of a run: what is in it, and that it is enough to train the same again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fastgan
from fastgan import recipe as recipes
from fastgan.errors import UserError
from fastgan.progress import Progress
from fastgan.recipe import Recipe
from fastgan.run import load_run, train_run
from fastgan.step import STATISTICS

from .commands import STEPS_PER_EPOCH, TINY, tree

FILES = {
    "recipe.toml",
    "metrics.jsonl",
    "checkpoint.safetensors",
    "generator.safetensors",
    "losses.png",
    "samples",
}


def tiny(*assignments: str) -> Recipe:
    recipe = recipes.parse(TINY, "tiny")
    for assignment in assignments:
        recipe = recipes.override(recipe, assignment)
    return recipe


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "deep" / "run"
    train_run(tiny(), path, Progress())
    return path


def test_a_folder_holds_what_is_documented_and_nothing_else(folder: Path) -> None:
    assert set(tree(folder)) == FILES | {"samples/epoch-0002.png", "samples/epoch-0004.png"}


def test_the_recipe_of_a_run_is_complete_and_trains_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    recipe = load_run(folder)
    assert recipes.differences(recipe, tiny()) == []
    text = (folder / "recipe.toml").read_text()
    assert all(f"{name} = " in text for name in recipes.KNOBS)
    train_run(recipe, tmp_path / "again", Progress())
    for name in FILES - {"metrics.jsonl", "samples"} | {"samples/epoch-0004.png"}:
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes(), name


def test_another_seed_gives_other_bytes(folder: Path, tmp_path: Path) -> None:
    train_run(tiny("run.seed=1"), tmp_path / "other", Progress())
    generators = [fastgan.load(run / "generator.safetensors") for run in (folder, tmp_path / "other")]
    assert not np.array_equal(generators[0].net.params, generators[1].net.params)


@pytest.mark.parametrize("name", ["losses.png", "samples/epoch-0002.png", "samples/epoch-0004.png"])
def test_pictures_open_and_show_something(name: str, folder: Path) -> None:
    with Image.open(folder / name) as picture:
        picture.verify()
    assert np.ptp(np.asarray(Image.open(folder / name).convert("L"))) > 100


def test_metrics_are_one_row_of_means_a_period_and_ascend(folder: Path) -> None:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, 4 * STEPS_PER_EPOCH + 1))
    assert all(set(row) == {"step", "epoch", *STATISTICS, "steps_per_second"} for row in rows)
    assert all(np.isfinite(list(row.values())).all() for row in rows)
    assert rows[-1]["epoch"] == 4.0


def test_many_steps_an_epoch_share_a_row(tmp_path: Path) -> None:
    train_run(tiny("training.batch_size=4", "run.epochs=1"), tmp_path / "run", Progress())
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(8, 161, 8))


def test_the_generator_is_the_one_of_the_checkpoint(folder: Path) -> None:
    loaded = [fastgan.load(folder / f"{kind}.safetensors") for kind in ("generator", "checkpoint")]
    np.testing.assert_array_equal(loaded[0].net.params, loaded[1].net.params)


def test_zero_means_pictures_and_checkpoints_only_at_the_end(tmp_path: Path) -> None:
    recipe = tiny("run.samples_every=0", "run.checkpoint_every=0", "run.steps=30")
    outcome = train_run(recipe, tmp_path / "run", Progress())
    assert (outcome.step, outcome.signal) == (30, 0)
    assert [path.name for path in (tmp_path / "run" / "samples").iterdir()] == ["step-0000030.png"]


def test_a_folder_with_other_files_keeps_them(tmp_path: Path) -> None:
    mine = {"notes.txt": b"mine", ".hidden.1": b"mine too", "samples/.mine.2": b"and mine"}
    (tmp_path / "samples").mkdir()
    for name, content in mine.items():
        (tmp_path / name).write_bytes(content)
    train_run(tiny("run.steps=1"), tmp_path, Progress())
    assert {name: (tmp_path / name).read_bytes() for name in mine} == mine


def test_a_divergence_names_its_step_and_leaves_the_last_checkpoint(tmp_path: Path) -> None:
    recipe = tiny("optimiser.generator_lr=1e30", "optimiser.discriminator_lr=1e30", "optimiser.optimiser=sgd")
    with pytest.raises(UserError, match=r"training diverged at step \d+: .* lower generator_lr"):
        train_run(recipe, tmp_path / "run", Progress())
    assert not list((tmp_path / "run").rglob(".*"))
