"""The folder of a run: what is in it, and that it is enough to train the same again."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fastgan
from fastgan import recipe as recipes
from fastgan.checkpoint import Stored
from fastgan.errors import Diverged, UserError
from fastgan.folder import default_folder, locked
from fastgan.progress import Progress
from fastgan.recipe import Recipe
from fastgan.run import load_data, load_run, train_run
from fastgan.state import STATISTICS

from .commands import STEPS_PER_EPOCH, TINY, process, tree

FILES = {
    "recipe.toml",
    "metrics.jsonl",
    "monitor.jsonl",
    "checkpoint.safetensors",
    "checkpoint-before.safetensors",
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


def test_pictures_of_all_epochs_show_the_same_latent_vectors(tmp_path: Path) -> None:
    train_run(tiny("optimiser.generator_lr=1e-30"), tmp_path / "run", Progress())
    samples = tmp_path / "run" / "samples"
    assert (samples / "epoch-0002.png").read_bytes() == (samples / "epoch-0004.png").read_bytes()


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


def test_checkpoints_come_by_the_clock_too(folder: Path, tmp_path: Path) -> None:
    """After each call of compiled code, where no time may pass; the bytes at the end are the same."""
    steps: list[int] = []

    class Looking(Progress):
        def update(self, first_step: int, statistics: np.ndarray) -> None:
            steps.append(Stored(tmp_path / "run" / "checkpoint.safetensors").step)

    recipe = tiny("run.checkpoint_every=0", "run.checkpoint_minutes=1e-9")
    train_run(recipe, tmp_path / "run", Looking())
    assert steps == list(range(len(steps))) and len(steps) == 4 * STEPS_PER_EPOCH
    generators = [run / "generator.safetensors" for run in (folder, tmp_path / "run")]
    assert np.array_equal(*(fastgan.load(each).net.params for each in generators))
    shutil.rmtree(tmp_path / "run")
    steps.clear()
    train_run(tiny("run.checkpoint_every=0", "run.checkpoint_minutes=0"), tmp_path / "run", Looking())
    assert set(steps) == {0}


def test_a_folder_with_other_files_keeps_them(tmp_path: Path) -> None:
    mine = {"notes.txt": b"mine", ".hidden.1": b"mine too", "samples/.mine.2": b"and mine"}
    (tmp_path / "samples").mkdir()
    for name, content in mine.items():
        (tmp_path / name).write_bytes(content)
    train_run(tiny("run.steps=1"), tmp_path, Progress())
    assert {name: (tmp_path / name).read_bytes() for name in mine} == mine


def test_a_divergence_names_its_step_and_leaves_the_last_checkpoint(tmp_path: Path) -> None:
    recipe = tiny("optimiser.generator_lr=1e30", "optimiser.discriminator_lr=1e30", "optimiser.optimiser=sgd")
    with pytest.raises(Diverged, match=r"training diverged at step \d+: .* lower generator_lr"):
        train_run(recipe, tmp_path / "run", Progress())
    assert not list((tmp_path / "run").rglob(".*"))


@pytest.mark.parametrize("text", ["", "\n# nothing\n", "[run]\nepochs = 1\n", "[data]\nrows = 3\n"])
def test_a_run_whose_recipe_was_cut_is_not_taken_for_digits(text: str, tmp_path: Path) -> None:
    train_run(tiny(), tmp_path / "run", Progress())
    (tmp_path / "run" / "recipe.toml").write_text(text)
    with pytest.raises(UserError, match=r"recipe\.toml: not whole, for it names no source of data; put back"):
        load_run(tmp_path / "run")


def test_two_trainings_cannot_share_a_folder(tmp_path: Path) -> None:
    """A real second process, while this one holds the folder."""
    train_run(tiny(), tmp_path / "run", Progress())
    with locked(tmp_path / "run"):
        second = process("train", "--resume", tmp_path / "run", "--epochs", 8)
    assert second.returncode == 2
    assert second.stderr.endswith("is being trained in by another process; give another --out\n")
    assert process("train", "--resume", tmp_path / "run", "--epochs", 5).returncode == 0


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_can_be_trained_on(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(handle: int, operation: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    assert train_run(tiny("run.steps=1"), tmp_path / "run", Progress()).step == 1


def test_a_picture_that_cannot_be_drawn_costs_no_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    (folder / "samples" / "epoch-0002.png").mkdir(parents=True)
    train_run(tiny(), folder, Progress())
    warnings = capsys.readouterr().err.splitlines()
    assert len(warnings) == 1
    assert warnings[0].startswith(
        f"fastgan: warning: {folder / 'samples' / 'epoch-0002.png'} was not drawn: "
    )
    assert fastgan.load(folder / "checkpoint.safetensors").sample(1).shape == (1, 2)


def test_the_samples_folder_is_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train_run(tiny(), folder, Progress())
    shutil.rmtree(folder / "samples")
    train_run(load_run_for(folder, epochs=5), folder, Progress(), resume=True)
    assert (folder / "samples" / "epoch-0005.png").is_file()


def load_run_for(folder: Path, epochs: int) -> Recipe:
    return recipes.override(load_run(folder), f"run.epochs={epochs}")


def test_a_trained_generator_is_not_overwritten_for_want_of_a_checkpoint(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train_run(tiny(), folder, Progress())
    (folder / "checkpoint.safetensors").unlink()
    (folder / "checkpoint-before.safetensors").unlink()
    before = tree(folder)
    with pytest.raises(
        UserError, match=r"holds a generator but no checkpoint.safetensors to go on from; start anew"
    ):
        train_run(load_run_for(folder, epochs=5), folder, Progress(), resume=True)
    assert tree(folder) == before


def test_pictures_show_rows_from_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are often sorted: the first rows are no sample of them."""
    shown = []
    monkeypatch.setattr("fastgan.pictures.draw_samples", lambda *given: shown.append(given[3]))
    np.save(tmp_path / "sorted.npy", np.repeat([[-3.0, -3.0], [3.0, 3.0]], 5000, axis=0))
    recipe = tiny("data.source=file", f"data.path={tmp_path / 'sorted.npy'}", "data.rows=0", "run.steps=1")
    train_run(recipe, tmp_path / "run", Progress())
    assert 0.45 < (shown[0] > 0).mean() < 0.55


def test_runs_that_begin_in_the_same_second_have_folders_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("time.strftime", lambda form: "20260101-000000")
    names = []
    for _ in range(3):
        folder = default_folder(recipes.load("ring"))
        folder.mkdir(parents=True)
        names.append(str(folder))
    first = "runs/ring-20260101-000000"
    assert names == [first, f"{first}-2", f"{first}-3"]


def test_a_checkpoint_alone_is_a_run(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train_run(tiny(), folder, Progress())
    for path in folder.iterdir():
        if path.name not in ("checkpoint-before.safetensors", "samples"):
            path.unlink()
    with pytest.raises(UserError, match="already holds a run"):
        train_run(tiny(), folder, Progress())


def test_clusters_are_as_wide_as_a_recipe_wants_them():
    base = recipes.override(recipes.load("ring"), "data.rows=2000")
    for assignment, expected in (("data.std=0", 0.01), ("data.std=0.1", 0.1)):
        data = load_data(recipes.override(base, assignment))
        nearest = np.linalg.norm(data.array[:, None] - data.truth["centres"], axis=2).min(axis=1)
        assert data.truth["std"] == expected
        assert np.sqrt((nearest**2).mean() / 2) == pytest.approx(expected, rel=0.05)
