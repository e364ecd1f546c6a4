"""The commands that follow a training, as a user types them: samples and evaluations."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import fastgan
from fastgan.__main__ import main

from .commands import SMALL_PLAYERS, TINY, command, environment, mistake


@pytest.fixture(scope="module")
def ring_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ring")
    (folder / "tiny.toml").write_text(TINY)
    assert main(["train", str(folder / "tiny.toml"), "--out", str(folder / "run"), "--log", "quiet"]) == 0
    return folder / "run"


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("digits") / "run"
    assert main(["train", "--steps", "2", "--out", str(folder), "--log", "quiet", *SMALL_PLAYERS]) == 0
    return folder


@pytest.mark.parametrize("form", ["npy", "csv", "png"])
def test_the_same_seed_gives_the_same_file_of_samples(
    form: str, digits_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = {}
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        path = tmp_path / f"{name}.{form}"
        assert main(["sample", str(digits_run), "-n", "30", "--seed", seed, "-o", str(path)]) == 0
        assert capsys.readouterr().out == f"30 samples in {path}\n"
        made[name] = path.read_bytes()
    assert made["a"] == made["b"] != made["c"]


def test_samples_are_those_of_the_api(
    digits_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    generator = digits_run / "generator.safetensors"
    assert main(["sample", str(generator), "-n", "3", "--label", "7"]) == 0
    expected = fastgan.load(generator).sample(3, 7, seed=0)
    np.testing.assert_array_equal(np.load("samples.npy"), expected.reshape(3, 8, 8))


def test_a_class_is_asked_for_by_the_name_in_the_data(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("flowers.csv").write_text("a,b,label\n" + "1,2.5,1\n3,4,2\n5,1,3\n" * 20)
    given = ["--data", "flowers.csv", "--steps", "2", "--out", "run"]
    assert main(["train", str(tiny), *given]) == 0
    assert "60 rows of 2, 3 classes" in capsys.readouterr().out
    assert main(["sample", "run", "--label", "3", "-n", "4", "-o", "x.csv"]) == 0
    header, *rows = Path("x.csv").read_text().splitlines()
    assert header == "a,b,label" and [row.split(",")[-1] for row in rows] == ["3"] * 4
    assert main(["sample", "run", "--label", "0"]) == 2
    assert "--label is '0'; the classes are 1, 2, 3" in capsys.readouterr().err
    assert main(["evaluate", "run"]) == 0
    assert capsys.readouterr().err.startswith("note: real rows are some that were learnt from")


def test_evaluate_prints_a_table_and_the_same_as_json_and_draws_for_people_alone(
    ring_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = ring_run / "evaluation.png"
    assert main(["evaluate", str(ring_run), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert not picture.exists()
    assert main(["evaluate", str(ring_run)]) == 0
    table, said = capsys.readouterr()
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert {"modes covered", "high-quality share", "reverse KL", "precision", "MMD p-value"} <= set(result)
    assert all(name in table for name in result)
    assert table.endswith(f"\npicture: {picture}\n") and said == ""
    assert max(map(len, table.splitlines()[:-1])) <= 79


def test_evaluate_survives_a_picture_that_cannot_be_written(
    ring_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = shutil.copytree(ring_run, tmp_path / "run")
    (run / "evaluation.png").unlink(missing_ok=True)
    (run / "evaluation.png").mkdir()
    assert main(["evaluate", str(run)]) == 0
    table, said = capsys.readouterr()
    assert "modes covered" in table and "picture: " not in table
    assert said.startswith("fastgan: warning: ") and "evaluation.png" in said and said.count("\n") == 1


def test_the_best_generator_is_sampled_and_evaluated(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = ["--out", "run", "--set", "run.monitor_every=10", "--best-metric", "modes", "--log", "quiet"]
    assert main(["train", str(tiny), *given]) == 0
    assert main(["sample", "run", "--best", "-n", "9"]) == 0
    best = fastgan.load("run/best.safetensors")
    np.testing.assert_array_equal(np.load("samples.npy"), best.sample(9, seed=0))
    capsys.readouterr()
    results = []
    for option in ([], ["--best"]):
        assert main(["evaluate", "run", "--json", *option]) == 0
        results.append(json.loads(capsys.readouterr().out))
    assert set(results[0]) == set(results[1])


def test_the_best_generator_of_a_training_without_a_look(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    given = ["--out", str(folder), "--best-metric", "mmd", "--steps", "5"]
    assert main(["train", str(tiny), *given]) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if "best generator" in line]
    assert said[0].startswith("no best generator will be kept, for the first look is at step 1,000")
    assert said[1].startswith("step 5: no best generator was kept")
    assert main(["sample", str(folder), "--best"]) == 2
    assert mistake(capsys.readouterr().err) == (
        f"{folder} holds no best.safetensors; train on past a look, which are 1,000 steps apart: --resume {folder}"
    )
    (folder / "best.jsonl").write_text('{"step": 1000, "epoch": 4, "mmd": NaN}\n')
    assert main(["sample", str(folder), "--best"]) == 2
    assert mistake(capsys.readouterr().err) == (
        f"{folder} holds no best.safetensors; no look so far had a finite mmd; leave --best out"
    )


def test_ways_and_truncated_samples(
    digits_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, path = str(digits_run), tmp_path / "x.npy"
    assert main(["sample", run, "--interpolate", "4", "-o", str(path)]) == 0
    assert capsys.readouterr().out == f"10 ways of 5 samples in {path}\n"
    assert np.load(path).shape == (50, 8, 8)
    assert main(["sample", run, "--truncation", "0.5", "-n", "3", "--seed", "4", "-o", str(path)]) == 0
    expected = fastgan.load(digits_run / "generator.safetensors").sample(3, seed=4, truncation=0.5)
    np.testing.assert_array_equal(np.load(path).reshape(3, 64), expected)


def test_evaluate_wants_the_data_that_were_learnt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = np.random.default_rng(0).normal(size=(60, 3))
    np.save(tmp_path / "rows.npy", rows)
    folder = str(tmp_path / "run")
    learning = ["--data", str(tmp_path / "rows.npy"), "--steps", "2", "--batch-size", "16", "--log", "quiet"]
    assert main(["train", "ring", *SMALL_PLAYERS, *learning, "--out", folder]) == 0
    np.save(tmp_path / "rows.npy", rows[:, :2])
    assert main(["evaluate", folder]) == 2
    message = mistake(capsys.readouterr().err)
    assert message.endswith("width is 2 but the generator learnt 3; give the data it learnt from")


FLOWERS = [f"{i % 7}.5,{i % 5},{'rose' if i % 3 else 'lily'}" for i in range(60)]


@pytest.fixture
def flowers_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A run in `run` that learnt from `flowers.csv`, both in the working folder."""
    monkeypatch.chdir(tmp_path)
    _write_flowers("a,b,species", FLOWERS)
    given = ["--data", "flowers.csv", "--set", "data.labels=species", "--steps", "2", "--batch-size", "16"]
    assert main(["train", "ring", *SMALL_PLAYERS, *given, "--log", "quiet", "--out", "run"]) == 0
    capsys.readouterr()
    return Path("run")


def test_samples_of_a_table_are_a_table_of_the_same_columns(
    flowers_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sample", "run", "-n", "30", "-o", "x.csv"]) == 0
    header, *rows = Path("x.csv").read_text().splitlines()
    assert header == "a,b,species" and {row.split(",")[2] for row in rows} == {"lily", "rose"}
    assert main(["sample", "run", "--label", "tulip"]) == 2
    assert mistake(capsys.readouterr().err) == "--label is 'tulip'; the classes are lily, rose"


def _write_flowers(header: str, lines: list[str], name: str = "flowers.csv") -> None:
    Path(name).write_text("\n".join([header, *lines, ""]))


@pytest.mark.parametrize(
    ("lines", "change"),
    [
        ([*FLOWERS, "9.5,1,rose"], "60 rows of 2 float32, 2 classes -> 61 rows of 2 float32, 2 classes"),
        (FLOWERS[:40], "60 rows of 2 float32, 2 classes -> 40 rows of 2 float32, 2 classes"),
        (["9" + line for line in FLOWERS], "60 rows of 2 float32, 2 classes, of other values"),
        ([*FLOWERS[1:], "0.5,0,rose"], "60 rows of 2 float32, 2 classes, of other values"),
    ],
    ids=["added", "cut", "values", "labels"],
)
def test_evaluate_says_that_the_data_were_changed_since(
    flowers_run: Path, lines: list[str], change: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _write_flowers("a,b,species", lines)
    assert main(["evaluate", "run", "--json"]) == 0
    said = capsys.readouterr().err
    assert said == (
        f"note: flowers.csv was changed since the training ({change}); figures are of what it is now\n"
    )
    for name in ("checkpoint", "checkpoint-before"):  # without which nothing tells
        (flowers_run / f"{name}.safetensors").unlink(missing_ok=True)
    assert main(["evaluate", "run", "--json"]) == 0
    assert capsys.readouterr().err.startswith("note: real rows are some that were learnt from")


def test_evaluate_wants_the_columns_in_their_order(
    flowers_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _write_flowers("b,a,species", FLOWERS)
    assert main(["evaluate", "run"]) == 2
    message = mistake(capsys.readouterr().err)
    assert message.startswith("flowers.csv: columns is ('b', 'a') but the generator learnt ('a', 'b')")


def test_a_reader_that_goes_away_is_told_nothing(digits_run: Path) -> None:
    """As `head -1` does, once it has its line."""
    picture = digits_run / "evaluation.png"
    picture.unlink(missing_ok=True)
    with subprocess.Popen(
        command("evaluate", digits_run), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as child:
        assert child.stdout is not None and child.stderr is not None
        child.stdout.readline()
        child.stdout.close()
        said = child.stderr.read()
    assert picture.exists()
    assert (said, child.returncode) == (b"", 1)


def test_evaluate_measures_beside_rows_that_were_not_learnt_from(
    flowers_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("test.csv").write_text("\n".join(["a,b,species", *[f"{i}.25,{i % 4},rose" for i in range(30)]]))
    results = []
    for option in ([], ["--test", "test.csv"]):
        assert main(["evaluate", "run", "--json", *option]) == 0
        result, said = capsys.readouterr()
        assert ("learnt from" in said) != bool(option)
        results.append(json.loads(result))
    assert [result["samples"]["real"] for result in results] == [30, 30]
    assert results[0]["KS distance, a"]["real"] < 0.5 < results[1]["KS distance, a"]["real"]
    assert results[1]["GAN-test, lily"]["real"] is None  # the file has no lilies
    assert main(["evaluate", "run", "--test", "test.csv"]) == 0


@pytest.mark.parametrize(
    ("header", "line", "message"),
    [
        ("a,species,c", "1,rose,2", "test.csv: columns a, c; expected a, b, in this order"),
        ("b,a,species", "1,2,rose", "test.csv: columns b, a; expected a, b, in this order"),
        ("a,b,species", "1,2,tulip", "test.csv holds the label 'tulip'; the classes are lily, rose"),
        ("a,b,kind", "1,2,rose", "test.csv: no column 'species'"),
        ("a,b,species", "1,x,rose", "test.csv: line 2, column 'b' holds 'x'"),
    ],
)
def test_test_rows_of_another_kind_are_refused(
    header: str, line: str, message: str, flowers_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("test.csv").write_text("\n".join([header, *[line] * 30]))
    assert main(["evaluate", "run", "--test", "test.csv"]) == 2
    assert mistake(capsys.readouterr().err).startswith(message)
    assert main(["evaluate", "run", "--test", "missing.csv"]) == 2
    assert mistake(capsys.readouterr().err).startswith("missing.csv: no such file")


def test_what_is_said_of_test_rows(flowers_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("few.csv").write_text("\n".join(["a,b,species", *["1,2,rose"] * 5]))
    assert main(["evaluate", "run", "--test", "few.csv"]) == 2
    assert mistake(capsys.readouterr().err).startswith("few.csv: 5 rows are too few to compare with")
    _write_flowers("a,b,species", FLOWERS[::-1], "again.csv")
    assert main(["evaluate", "run", "--json", "--test", "again.csv"]) == 0
    assert capsys.readouterr().err == "note: 100% of the rows of again.csv are among those learnt from\n"


def test_test_rows_of_arrays_whose_labels_have_a_file_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = np.random.default_rng(0).normal(size=(90, 3))
    np.save("rows.npy", rows[:60])
    np.save("labels.npy", np.arange(60) % 2)
    np.savez("test.npz", x=rows[60:], y=np.arange(30) % 2)
    np.save("test.npy", rows[60:])
    given = ["--data", "rows.npy", "--set", "data.labels=labels.npy", "--steps", "2", "--batch-size", "16"]
    assert main(["train", "ring", *SMALL_PLAYERS, *given, "--log", "quiet", "--out", "run"]) == 0
    assert main(["evaluate", "run", "--json", "--test", "test.npz"]) == 0
    capsys.readouterr()
    assert main(["evaluate", "run", "--test", "test.npy"]) == 2
    assert mistake(capsys.readouterr().err).startswith(
        "test.npy: no labels, which the data learnt from have; give"
    )


def test_test_rows_where_fresh_ones_can_be_drawn(ring_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(ring_run / "rows.npy", np.zeros((30, 2)))
    assert main(["evaluate", str(ring_run), "--test", str(ring_run / "rows.npy")]) == 2
    assert "but fresh rows of 'ring' can be drawn; leave it out" in mistake(capsys.readouterr().err)
