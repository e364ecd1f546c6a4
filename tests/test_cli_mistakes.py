"""What a user can get wrong: one line on stderr, exit code 2, no traceback, nothing written."""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fastgan.__main__ import main

from .commands import SMALL_PLAYERS, STEPS_PER_EPOCH, TINY, mistake, process, tree


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tiny.toml, run/ (one epoch of it), digits/ (an AC-GAN), and all that cannot be used."""
    folder = tmp_path_factory.mktemp("place")
    with contextlib.chdir(folder):
        Path("tiny.toml").write_text(TINY)
        assert main(["train", "tiny.toml", "--epochs", "1", "--log", "quiet", "--out", "run"]) == 0
        assert main(["train", "--steps", "1", *SMALL_PLAYERS, "--log", "quiet", "--out", "digits"]) == 0
        spoil()
    return folder


@pytest.fixture
def place(prepared: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The prepared folder, to work in. No test changes it: that is what each of them checks."""
    monkeypatch.chdir(prepared)
    return prepared


def spoil() -> None:
    """Make files that cannot be used."""
    rows = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)
    for name, bad in (("nan", np.nan), ("infinity", np.inf)):
        spoilt = rows.copy()
        spoilt[40, 1] = bad
        np.save(f"{name}.npy", spoilt)
    np.save("one_row.npy", rows[:1])
    np.save("few_rows.npy", rows[:20])
    np.save("objects.npy", np.array([[1.0, None]] * 64, object), allow_pickle=True)
    np.savez("labels.npz", X=rows, y=np.full(64, 10))
    np.savez("between.npz", X=rows, y=np.full(64, -0.5))
    np.savez("short.npz", X=rows, y=np.zeros(63, np.int64))
    Path("pickle.npz").write_bytes(
        b"\x80\x04\x95\x1f\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x8c\x06system\x93."
    )
    for name in ("empty.npy", "empty.npz", "empty.csv", "empty.toml", "empty"):
        Path(name).write_bytes(b"")
    Path("strings.csv").write_text("a,b\n" + "1,2\n" * 40 + "3,four\n")
    Path("ragged.csv").write_text("a,b\n" + "1,2\n" * 40 + "3\n")
    Path("unknown.xyz").write_text("1 2")
    Path("broken.toml").write_text("[model\nlatent_dim = 2")
    Path("binary.toml").write_bytes(b"\xff\xfe\x00")
    Path("wrong_key.toml").write_text("[model]\nlatent_dims = 2\n")
    Path("wrong_section.toml").write_text("[modell]\nlatent_dim = 2\n")
    Path("wrong_type.toml").write_text('[model]\nlatent_dim = "2"\n')
    shutil.copytree("run", "truncated")
    whole = Path("run/checkpoint.safetensors").read_bytes()
    Path("truncated/checkpoint.safetensors").write_bytes(whole[:-100])
    Path("truncated/checkpoint-before.safetensors").unlink()
    shutil.copytree("run", "foreign")
    header = b'{"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}   '
    Path("foreign/checkpoint.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    shutil.copytree("run", "newer")
    Path("newer/checkpoint.safetensors").write_bytes(
        whole.replace(b'"format_version":"1"', b'"format_version":"9"')
    )
    shutil.copytree("run", "generator_only")
    shutil.copy("run/generator.safetensors", "generator_only/checkpoint.safetensors")
    Path("no_run").mkdir()


COMMAND_LINE = [
    (["trian"], "no such command 'trian'. Did you mean 'train'?"),
    (
        ["train", "--epoch", "3"],
        "no such option: --epoch (Possible options: --epochs). See fastgan train --help",
    ),
    (["train", "--epochs"], "option '--epochs' requires an argument"),
    (["train", "ring", "grid"], "unexpected extra argument(s) (grid). See fastgan train --help"),
    (["sample"], "missing argument 'RUN'. See fastgan sample --help"),
    (["evaluate"], "missing argument 'RUN'"),
    (["doctor", "now"], "unexpected extra argument(s) (now)"),
    (
        ["train", "--log", "kears"],
        "log is 'kears' (did you mean 'keras'?); it must be one of bar, keras, quiet",
    ),
]
RECIPES = [
    (["train", "rng"], "there is no recipe 'rng' (did you mean 'ring'?)"),
    (["recipes", "digit"], "there is no recipe 'digit' (did you mean 'digits'?)"),
    (["recipes", "missing.toml"], "missing.toml cannot be read: No such file"),
    (["train", "missing.toml"], "recipe missing.toml cannot be read: No such file"),
    (["train", "broken.toml"], "recipe broken.toml: not TOML: "),
    (["train", "binary.toml"], "binary.toml is not a text file"),
    (["train", "wrong_key.toml"], "no key 'latent_dims' in [model] (did you mean 'latent_dim'?)"),
    (["train", "wrong_section.toml"], "no section 'modell' (did you mean 'model'?)"),
    (["train", "wrong_type.toml"], "latent_dim is '2'; it must be a whole number"),
]
SETTINGS = [
    (["--epochs", "0"], "epochs is 0; it must be at least 1"),
    (["--epochs", "x"], "epochs is 'x'; it must be a whole number"),
    (["--epochs", "1.5"], "epochs is 1.5; it must be a whole number"),
    (["--epochs", ""], "epochs is ''; it must be a whole number"),
    (["--steps", "-1"], "steps is -1; it must be at least"),
    (["--steps", "0"], "steps is 0; it must be at least 1"),
    (["--steps", "nan"], "steps is nan; it must be a whole number"),
    (["--epochs", "1", "--steps", "1"], "--epochs and --steps were given; give one of them"),
    (["--batch-size", "63"], "batch_size is 63, which has no half"),
    (["--batch-size", "0"], "batch_size is 0; it must be at least 1"),
    (["--batch-size", "1000"], "batch_size is 1000 but ring has 640 rows"),
    (["--seed", "-1"], "seed is -1; it must be at least 0"),
    (["--seed", str(2**64)], "seed is 18446744073709551616; it must be at most"),
    (
        ["--backend", "gpu"],
        "backend is 'gpu' (did you mean 'cpu'?); it must be one of auto, numpy, cpu, cuda",
    ),
    (["--backend", "cuda"], "backend is 'cuda' but "),
    (["--set", "optimiser.generator_lr=-0.1"], "generator_lr is -0.1; it must be above 0"),
    (["--set", "optimiser.generator_lr=inf"], "generator_lr is inf; it must be a finite number"),
    (["--set", "training.batchsize=64"], "no key 'batchsize' in [training] (did you mean 'batch_size'?)"),
    (["--set", "model.batch_size=64"], "batch_size is in [training]; write training.batch_size"),
    (["--set", "batch_size=64"], "names no section; write training.batch_size=64"),
    (["--set", "optimizer.beta1=0.5"], "beta1 is in [optimiser]; write optimiser.beta1"),
    (["--set", "training.batch_size"], "is not section.key=value"),
    (["--set", ""], "is not section.key=value"),
    (["--set", "training.batch_size=many"], "batch_size is 'many'; it must be a whole number"),
    (["--set", "model.generator=64"], "generator is 64; it must be a list of whole numbers"),
    (["--set", "model.generator=[0]"], "generator holds 0; each must be at least 1"),
    (["--set", "training.loss=hing"], "loss is 'hing' (did you mean 'hinge'?)"),
    (["--set", "training.loss=hinge", "--set", "training.label_smoothing=0.1"], "label_smoothing is 0.1 but"),
    (["--set", "model.output=softmax"], "output is 'softmax' but the data are not tokens"),
    (["--set", "model.n_classes=3"], "n_classes is 3 but ring has no labels"),
    (["--set", "data.vocabulary=5"], "vocabulary is 5 but data source 'ring' has no tokens; leave it out"),
    (
        ["--set", "data.source=digits", "--set", "data.std=0.1"],
        "std is 0.1 but data source 'digits' has no clusters; leave it out",
    ),
    (["--set", "data.source=rings"], "no data source 'rings' (did you mean 'ring'?)"),
    (["--set", "data.labels=first"], "labels 'first': data source 'ring' knows only"),
    (
        ["--best-metric", "mdm"],
        "best_metric is 'mdm' (did you mean 'mmd'?); it must be one of auto, none, sli",
    ),
    (["--best-metric", "gan_test"], "best_metric is 'gan_test', which needs labels; ring can have"),
    (["--early-stop", "-1"], "early_stop is -1; it must be at least 0"),
    (["--early-stop", "2", "--best-metric", "none"], "early_stop is 2 but best_metric is 'none'"),
    (["--early-stop", "2", "--set", "run.monitor_every=0"], "monitor_every is 0 but sliced_wasserstein is"),
    (["--out", "tiny.toml"], "tiny.toml is a file; give a folder to --out"),
    (["--out", "tiny.toml/run"], "tiny.toml/run/samples cannot be made"),
    (["--out", "run"], "run already holds a run; give another --out, or --resume run to train on"),
]
DATA = [
    ("missing.npy", "missing.npy"),
    ("missing.csv", "missing.csv"),
    ("no_run", "no_run"),
    ("unknown.xyz", "unknown.xyz"),
    ("empty.npy", "empty.npy"),
    ("empty.npz", "empty.npz"),
    ("empty.csv", "empty.csv"),
    ("empty", "empty"),
    ("strings.csv", "four"),
    ("ragged.csv", "42"),
    ("nan.npy", "row 40"),
    ("infinity.npy", "row 40"),
    ("labels.npz", "label 10 in row 0 (counted from 0), expected 0 to 4"),
    ("between.npz", "label -0.5 in row 0"),
    ("short.npz", "63"),
    ("pickle.npz", "pickle.npz"),
    ("objects.npy", "objects.npy"),
    ("one_row.npy", "one row is not a distribution to learn"),
    ("few_rows.npy", "batch_size is 32 but few_rows.npy has 20 rows"),
]
RESUME = [
    (["no_run"], "no_run holds no run"),
    (["missing"], "missing holds no run"),
    (["tiny.toml"], "tiny.toml holds no run"),
    (
        ["run"],
        f"run is already trained to step {STEPS_PER_EPOCH}, and {STEPS_PER_EPOCH} were asked for; give more --epochs",
    ),
    (["run", "--epochs", "2", "--batch-size", "64"], "batch_size: 32 -> 64"),
    (["run", "--epochs", "2", "--seed", "1"], "seed: 0 -> 1"),
    (["run", "--epochs", "2", "--set", "model.generator=[9]"], "generator: "),
    (["run", "--epochs", "2", "--set", "data.rows=320"], "data.rows: 640 -> 320"),
    (["run", "--epochs", "2", "--set", "data.source=grid"], 'data.source: "ring" -> "grid"'),
    (["run", "--epochs", "2", "--out", "other"], "--resume and --out were given"),
    (["run", "--epochs", "2", "ring"], "--resume and a recipe were given"),
    (["run", "--epochs", "2", "--backend", "cuda"], "backend is 'cuda' but "),
    (["truncated", "--epochs", "2"], "checkpoint.safetensors is no safetensors file, or is cut short"),
    (["foreign", "--epochs", "2"], "is a safetensors file of another program"),
    (["newer", "--epochs", "2"], "has format version 9 but this fastgan reads up to 1"),
    (["generator_only", "--epochs", "2"], "holds a generator alone; resume from a checkpoint"),
]
SAMPLING = [
    (["sample", "missing"], "missing does not exist"),
    (["sample", "no_run"], "no_run holds no generator.safetensors"),
    (["sample", "tiny.toml"], "tiny.toml is no safetensors file"),
    (["sample", "run", "-n", "x"], "-n is 'x'; it must be a whole number"),
    (["sample", "run", "-n", "-1"], "-n is -1; it must be at least 1"),
    (["sample", "run", "-n", "0"], "-n is 0; it must be at least 1"),
    (["sample", "run", "-n", str(10**14)], "too many to hold in memory; draw fewer at a time"),
    (["sample", "run", "--seed", "-1"], "seed is -1; it must be a whole number"),
    (["sample", "run", "--label", "0"], "--label is '0'; this GAN has no classes"),
    (["sample", "digits", "--label", "10"], "--label is '10'; the classes are 0 to 9"),
    (["sample", "digits", "--label", "-1"], "--label is '-1'; the classes are 0 to 9"),
    (["sample", "digits", "--label", "two"], "--label is 'two'; the classes are 0 to 9"),
    (["sample", "run", "-o", "x.txt"], "x.txt ends in '.txt'; give a name in .npy, .csv or .png"),
    (["sample", "run", "-o", "samples"], "samples ends in 'nothing'; give a name in .npy, .csv or .png"),
    (["sample", "run", "-o", "missing/x.npy"], "missing is no folder"),
    (["sample", "run", "-o", "missing/x.png"], "missing is no folder"),
    (["sample", "run", "--truncation", "x"], "--truncation is 'x'; it must be a number"),
    (["sample", "run", "--truncation", "-1"], "truncation is -1.0; it must be a number above 0"),
    (["sample", "run", "--interpolate", "0"], "--interpolate is 0; it must be at least 1"),
    (
        ["sample", "run", "--best"],
        "run holds no best.safetensors; give a run's folder trained with --best-metric",
    ),
    (["sample", "run/generator.safetensors", "--best"], "--best was given with run/generator.safetensors"),
    (["evaluate", "run", "--best"], "run holds no best.safetensors"),
    (["evaluate", "missing"], "missing holds no run"),
    (["evaluate", "run/generator.safetensors"], "generator.safetensors holds no run"),
]
TRAINING = ["train", "tiny.toml", "--out", "new"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        *COMMAND_LINE,
        *RECIPES,
        *(([*TRAINING, *each], expected) for each, expected in SETTINGS),
        *(
            ([*TRAINING, "--set", "model.n_classes=5", "--data", name], expected)
            if name == "labels.npz"
            else ([*TRAINING, "--data", name], expected)
            for name, expected in DATA
        ),
        *((["train", "--resume", *each], expected) for each, expected in RESUME),
        *SAMPLING,
    ],
    ids=lambda value: (
        " ".join(value).removeprefix("train tiny.toml --out new ") if isinstance(value, list) else ""
    ),
)
def test_a_mistake_costs_one_line(
    arguments: list[str], expected: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree(place)
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert expected in mistake(err)
    assert out == ""
    assert tree(place) == before


def test_a_mistake_costs_one_line_in_a_real_process(place: Path) -> None:
    before = tree(place)
    done = process(*TRAINING, "--epochs", "0", cwd=place)
    assert (done.returncode, done.stdout) == (2, "")
    assert mistake(done.stderr) == "epochs is 0; it must be at least 1"
    assert tree(place) == before


def test_a_name_cannot_write_to_the_terminal(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "a\x1b[2J\nb"]) == 2
    assert "\x1b" not in mistake(capsys.readouterr().err)


@pytest.fixture
def locked_place() -> Iterator[Path]:
    """A recipe, a run and an empty folder, all of which only root may change."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tiny.toml").write_text(TINY)
        assert (
            main(
                ["train", str(folder / "tiny.toml"), "--steps", "1", "--log", "quiet", "--out", f"{name}/run"]
            )
            == 0
        )
        (folder / "locked").mkdir()
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        yield folder
        for path in [folder, folder / "run", folder / "run" / "samples"]:
            path.chmod(0o755)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["train", "tiny.toml", "--out", "locked"], "locked/samples cannot be made: Permission denied"),
        (["train", "tiny.toml", "--out", "locked/run"], "locked/run cannot be made: Permission denied"),
        (["train", "--resume", "run", "--steps", "2"], "run cannot be written to; give another folder"),
        (["sample", "run", "-o", "locked/x.npy"], "locked/x.npy cannot be written: Permission denied"),
        (["sample", "run", "-o", "locked/x.png"], "Permission denied"),
    ],
)
def test_a_folder_without_write_permission(arguments: list[str], expected: str, locked_place: Path) -> None:
    as_root = os.geteuid() == 0
    if as_root and not shutil.which("setpriv"):
        pytest.skip("root may write everywhere, and there is no setpriv to take that from a child")
    before = tree(locked_place)
    mortal = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if as_root else []
    done = process(*arguments, before=mortal, cwd=locked_place)
    assert (done.returncode, done.stdout) == (2, "")
    assert expected in mistake(done.stderr)
    assert tree(locked_place) == before


def test_a_checkpoint_that_may_not_be_read_is_not_called_missing(locked_place: Path) -> None:
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        pytest.skip("root may read everything, and there is no setpriv to take that from a child")
    (locked_place / "run" / "checkpoint.safetensors").chmod(0)
    mortal = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    (locked_place / "run").chmod(0o755)
    done = process("train", "--resume", "run", "--steps", "2", before=mortal, cwd=locked_place)
    assert mistake(done.stderr) == "run/checkpoint.safetensors cannot be read: Permission denied"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("closed", ["stdin", "stdout", "stderr", "stdin stdout stderr"])
def test_streams_that_are_closed_or_full_cost_nothing(closed: str, place: Path, tmp_path: Path) -> None:
    """Cron and daemons close them; what is opened next would get their numbers."""
    numbers = {"stdin": "0<&-", "stdout": "1>&-", "stderr": "2>&-"}
    closing = ["sh", "-c", f'exec "$@" {" ".join(numbers[name] for name in closed.split())}', "sh"]
    done = process("train", "tiny.toml", "--steps", "5", "--out", tmp_path / "run", before=closing, cwd=place)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "run" / "losses.png").is_file()
    assert process("train", "no-such", before=closing, cwd=place).returncode == 2
    with open("/dev/full", "w") as full:
        assert process("train", "no-such", stdout=full, stderr=full, capture_output=False).returncode == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_behind_stdout_costs_one_line() -> None:
    with open("/dev/full", "w") as full:
        done = process("recipes", stdout=full, stderr=subprocess.PIPE, capture_output=False)
    assert done.returncode == 2
    assert "No space left on device" in mistake(done.stderr)
