"""The commands as a user types them: what they print, and what they take."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fastgan
from fastgan import recipe as recipes
from fastgan.__main__ import main
from fastgan.data.fashion_mnist import system_folder

from .commands import SMALL_PLAYERS, STEPS_PER_EPOCH, TINY, command, environment, process

COMMANDS = {
    "train": (
        *("RECIPE", "--data", "--epochs", "--steps", "--batch-size", "--seed", "--backend", "numpy", "cuda"),
        *("--out", "--resume", "--set", "--log", "keras", "quiet", "--best-metric", "--early-stop"),
    ),
    "sample": (
        *("RUN", "-n", "--label", "--seed", "-o", ".npy", ".csv", ".png"),
        *("--truncation", "--interpolate", "--best"),
    ),
    "evaluate": ("RUN", "--json", "--best", "--test"),
    "recipes": ("NAME",),
    "doctor": (),
}
NUMBER = r"-?\d+\.\d{3}"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_names_all_it_takes_within_80_columns(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert all(word in text for word in COMMANDS[name])
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"]])
def test_without_a_command_the_help_lists_them(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert all(name in out for name in COMMANDS)
    assert err == ""


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"fastgan {fastgan.__version__}\n"


def test_recipes_are_listed_with_what_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == recipes.names()
    assert all(line.endswith(recipes.load(line.split()[0]).description) for line in lines)
    assert max(map(len, lines)) <= 80


def test_a_recipe_is_printed_as_it_stands_in_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "ring"]) == 0
    assert capsys.readouterr().out == (resources.files("fastgan") / "recipes" / "ring.toml").read_text()


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_trains(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if name == "fashion-mnist":
        if not system_folder():
            pytest.skip("Fashion-MNIST is not in a datasets folder of the system")
    out = tmp_path / "run"
    assert main(["train", name, "--steps", "2", "--backend", "numpy", "--out", str(out)]) == 0
    assert "2/2" in capsys.readouterr().out
    for picture in (out / "samples" / "step-0000002.png", out / "losses.png"):
        assert np.ptp(np.asarray(Image.open(picture).convert("L"))) > 100


def test_training_says_what_it_does_in_plain_lines(tiny: Path, tmp_path: Path) -> None:
    done = process("train", tiny, "--out", tmp_path / "run")
    assert done.returncode == 0 and done.stderr == ""
    first, second, third, *progress, last = done.stdout.splitlines()
    assert re.fullmatch(r"backend: numpy \(\S+, \d+ threads?\)", first)
    assert re.fullmatch(r"data: ring, 640 rows of 2; \d+ parameters", second)
    assert third == f"run: {tmp_path / 'run'}"
    assert progress and all(
        re.match(r"epoch \d/4  step \d+/80  .* steps/s  d_loss ", line) for line in progress
    )
    assert re.fullmatch(rf"80 steps, \d+\.\d s; pictures in {tmp_path}/run/samples", last)
    assert "\x1b" not in done.stdout


def test_auto_takes_the_cpu_and_says_why_not_cuda(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", str(tiny), "--backend", "auto", "--steps", "3", "--out", str(tmp_path / "run")]
    assert main(arguments) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert re.fullmatch(r"backend: cpu \(numba \S+, \d+ threads?\) - .*CUDA.*", first)


def test_the_keras_log_has_one_exact_line_a_step(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(tiny), "--log", "keras", "--steps", "37", "--out", str(tmp_path / "run")]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith(">")]
    pair = rf"\[{NUMBER},{NUMBER}\]"
    expected = [rf">{step}, dr{pair}, df{pair}, g{pair}" for step in range(1, 38)]
    assert len(lines) == 37
    assert all(re.fullmatch(form, line) for form, line in zip(expected, lines, strict=True))


def test_a_quiet_training_prints_nothing(tiny: Path, tmp_path: Path) -> None:
    looks = ("--set", "run.monitor_every=1", "--early-stop", "1")
    done = process("train", tiny, "--log", "quiet", "--steps", "4", "--out", tmp_path / "run", *looks)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_on_a_terminal_a_bar_stays_within_its_80_columns(tiny: Path, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    given = ["--set", "run.samples_every=0", "--set", "run.monitor_every=50", "--best-metric", "modes"]
    arguments = command("train", tiny, "--epochs", 20, "--out", "run", *given)
    child = subprocess.Popen(
        arguments, stdout=theirs, stderr=theirs, stdin=theirs, env=environment(), cwd=tmp_path
    )
    os.close(theirs)
    seen = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the other end was closed
            break
        if not piece:
            break
        seen += piece
    os.close(ours)
    assert child.wait(timeout=60) == 0
    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode()))
    assert max(map(len, lines)) <= 80
    assert any(re.match(r"epoch 20/20 .*steps/s D .* G .* D\(x\) .* D\(G\(z\)\) ", line) for line in lines)
    assert any(line.startswith("step 150: ") for line in lines)
    assert any(line.startswith("step 400: best modes ") for line in lines)
    assert seen.rstrip().endswith(b"pictures in run/samples")


@pytest.mark.parametrize("arguments", [["recipes"], ["train", "--log", "keras", "--steps", "40000"]])
def test_a_reader_that_leaves_early_gets_no_traceback(
    arguments: list[str], tiny: Path, tmp_path: Path
) -> None:
    if arguments[0] == "train":
        arguments = [*arguments, str(tiny), "--out", str(tmp_path / "run")]
    child = subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    )
    assert child.stdout and child.stderr
    assert child.stdout.readline()
    child.stdout.close()
    assert child.stderr.read() == ""
    assert child.wait(timeout=60) in (0, 1)
    child.stderr.close()


@pytest.mark.parametrize(
    ("given", "last"),
    [
        (["--epochs", "2"], 2 * STEPS_PER_EPOCH),
        (["--steps", "7"], 7),
        (["--steps", "200"], 200),
        (["--set", "run.steps=9"], 9),
        (["--steps", "9", "--set", "run.epochs=1"], STEPS_PER_EPOCH),
        (["--epochs", "3", "--set", "run.steps=5"], 5),
        (["--batch-size", "64", "--epochs", "1"], STEPS_PER_EPOCH // 2),
    ],
)
def test_the_last_word_on_epochs_and_steps_counts(
    given: list[str], last: int, tiny: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    assert main(["train", str(tiny), "--log", "quiet", "--out", str(out), *given]) == 0
    assert json.loads((out / "metrics.jsonl").read_text().splitlines()[-1])["step"] == last


def test_epochs_replace_the_steps_of_a_recipe(tiny: Path, tmp_path: Path) -> None:
    tiny.write_text(TINY.replace("epochs = 4", "steps = 70"))
    out = tmp_path / "run"
    assert main(["train", str(tiny), "--log", "quiet", "--out", str(out), "--epochs", "1"]) == 0
    assert json.loads((out / "metrics.jsonl").read_text().splitlines()[-1])["step"] == STEPS_PER_EPOCH


def test_options_and_set_reach_the_recipe_of_the_run(tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    options = [
        "--seed",
        "5",
        "--batch-size",
        "16",
        "--steps",
        "2",
        "--set",
        "optimiser.beta1=0.3",
        "--set",
        "training.loss=hinge",
    ]
    assert main(["train", str(tiny), "--log", "quiet", "--out", str(out), *options]) == 0
    got = recipes.load(out / "recipe.toml")
    assert (got.gan.seed, got.gan.batch_size, got.run.steps) == (5, 16, 2)
    assert (got.gan.beta1, got.gan.loss) == (0.3, "hinge")


@pytest.mark.parametrize("form", ["npy", "csv"])
def test_a_file_can_be_learnt_from(
    form: str, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    many = recipes.load(tiny).data.rows + 64  # more than the recipe lets its own source make
    rows = np.random.default_rng(0).normal(size=(many, 3)).astype(np.float32)
    if form == "npy":
        np.save("data.npy", rows)
    else:
        np.savetxt("data.csv", rows, delimiter=",", header="a,b,c", comments="")
    out = tmp_path / "run"
    assert main(["train", str(tiny), "--data", f"data.{form}", "--steps", "2", "--out", str(out)]) == 0
    assert f"data: data.{form}, {many:,} rows" in capsys.readouterr().out
    assert fastgan.load(out / "generator.safetensors").sample(5).shape == (5, 3)
    kept = recipes.load(out / "recipe.toml").data
    assert (kept.source, kept.path) == ("file", str(tmp_path / f"data.{form}"))


@pytest.mark.parametrize("name", [name for name in recipes.names() if name != "tokens"])
def test_any_recipe_learns_from_a_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it says of its own source, such as how wide clusters are, goes with that."""
    monkeypatch.chdir(tmp_path)
    np.save("rows.npy", np.random.default_rng(0).normal(size=(600, 3)))
    assert main(["train", name, "--data", "rows.npy", "--steps", "1", "--out", "run", *SMALL_PLAYERS]) == 0
    kept = recipes.load(Path("run/recipe.toml"))
    assert kept.data == recipes.DataSettings("file", str(tmp_path / "rows.npy"))
    assert kept.description == f"recipe {name} on other data"


def test_a_run_without_out_goes_into_runs(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", str(tiny), "--steps", "2", "--log", "quiet"]) == 0
    (folder,) = (tmp_path / "runs").iterdir()
    assert re.fullmatch(r"tiny-\d{8}-\d{6}", folder.name)


def test_a_training_says_how_it_goes_and_stops_early(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    given = ["--set", "run.monitor_every=2", "--set", "optimiser.generator_lr=1e-9", "--early-stop", "4"]
    assert main(["train", str(tiny), "--out", str(out), *given]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"step 6: \w.*: .*", next(line for line in lines if line.startswith("step ")))
    stopped, last = lines[-2:]
    found = re.fullmatch(
        r"step (\d+): stopped early, for sliced_wasserstein did not improve in 4 looks; "
        rf"best sliced_wasserstein 0\.\d+ at step (\d+), kept in {out}/best.safetensors",
        stopped,
    )
    assert found and int(found[1]) == int(found[2]) + 8 < 80
    assert last.startswith(f"{found[1]} steps, ")
    course = [json.loads(line) for line in (out / "best.jsonl").read_text().splitlines()]
    best = min(course, key=lambda row: row["sliced_wasserstein"])
    assert (best["step"], course[-1]["step"]) == (int(found[2]), int(found[1]))
    looks = [json.loads(line)["step"] for line in (out / "monitor.jsonl").read_text().splitlines()]
    assert looks == [row["step"] for row in course]
    assert main(["train", "--resume", str(out), "--early-stop", "6", "--log", "quiet"]) == 0
    assert len((out / "best.jsonl").read_text().splitlines()) == len(course) + 2
