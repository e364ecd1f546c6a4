"""Links, pipes and devices where files are expected: nothing hangs, reads without an end, or writes elsewhere."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest

from fastgan.__main__ import main
from fastgan.atomic import write_atomically

from ..commands import TINY, mistake, tree
from . import files

KINDS = {
    **dict.fromkeys(("x.npy", "x.npz", "x.csv", "x.parquet", "x.idx", "x.gz", "x-images-idx3-ubyte"), "data"),
    **{"x.toml": "recipe", "x.safetensors": "generator", "c.safetensors": "checkpoint"},
}
DEVICES = [
    "/dev/zero",
    "/dev/null",
    "/dev/full",
    "/dev/urandom",
    "/dev/tty",
    "/proc/self/mem",
    "/proc/self/environ",
]


@pytest.mark.parametrize("name", KINDS)
def test_pipes_and_sockets(reader, tmp_path, name):
    path = tmp_path / name
    os.mkfifo(path)
    assert "a pipe or a device" in reader.refuses(KINDS[name], path)
    path.unlink()
    with socket.socket(socket.AF_UNIX) as server, pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)  # a socket's whole path may have some hundred letters
        server.bind(name)
        assert "a pipe or a device" in reader.refuses(KINDS[name], path)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", KINDS)
def test_devices_under_the_name_of_a_file(reader, tmp_path, name, device):
    (tmp_path / name).symlink_to(device)
    reader.refuses(KINDS[name], tmp_path / name)


@pytest.mark.parametrize("name", KINDS)
def test_links_that_lead_nowhere(reader, tmp_path, name):
    for target in (name, "other", "none", tmp_path / "none" / name, "x" * 300, "."):
        path = tmp_path / name
        path.symlink_to(target)
        if target == "other":
            (tmp_path / "other").symlink_to(name)
        reader.refuses(KINDS[name], path)
        path.unlink()
    for number in range(60):
        (tmp_path / f"{number}").symlink_to(f"{number + 1}")
    (tmp_path / name).symlink_to("0")
    reader.refuses(KINDS[name], tmp_path / name)


def test_names_of_no_file(reader, tmp_path):
    for path in (
        "",
        " ",
        "~",
        "~nobody-of-this-name/x.npy",
        "a\0b.npy",
        "x" * 5000 + ".npy",
        "/" * 5000,
        "\udcff.npy",
        "\n",
    ):
        for kind, suffix in (("data", ""), ("recipe", ".toml"), ("generator", "")):
            reader.refuses(kind, path + suffix)
    reader.refuses("data", tmp_path / "none" / ".." / "x.npy")


def pictures(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for number in range(2):
        (folder / f"{number}.png").write_bytes(files.picture("PNG"))
    return folder


def test_links_in_folders_of_pictures(reader, tmp_path):
    """A link to a picture is that picture, wherever it is; one to anything else is refused as that would be."""
    elsewhere, folder = pictures(tmp_path / "elsewhere"), pictures(tmp_path / "data")
    (folder / "2.png").symlink_to(elsewhere / "0.png")
    assert reader.ask("data", folder)[0] == "read"
    for target in ("/etc/passwd", "2.png", "none.png", ".", "..", elsewhere, *DEVICES):
        (folder / "2.png").unlink()
        (folder / "2.png").symlink_to(target)
        said = reader.refuses("data", folder)
        assert "2.png" in said or "beside class folders" in said
    (folder / "2.png").unlink()
    os.mkfifo(folder / "2.png")
    assert "a pipe or a device" in reader.refuses("data", folder)


def test_loops_of_folders(reader, tmp_path):
    classes = tmp_path / "classes"
    pictures(classes / "a")
    for name, target in (
        ("b", "a"),
        ("c", "."),
        ("d", ".."),
        ("e", "e"),
        ("f", "/"),
        ("g", "/proc/self/fd"),
        ("h", "/dev"),
    ):
        (classes / name).symlink_to(target)
    assert reader.ask("data", classes)[0] == "read"
    (classes / "a" / "more").symlink_to("..")
    (classes / "a" / "more.png").symlink_to("..")
    reader.refuses("data", classes)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a few steps, with all that a run writes."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "tiny.toml").write_text(
        TINY.replace("samples_every = 2", "samples_every = 1\nmonitor_every = 5")
    )
    given = ["train", str(folder / "tiny.toml"), "--log", "quiet", "--out", str(folder / "run")]
    assert main([*given, "--epochs", "1", "--best-metric", "modes"]) == 0
    assert main(["evaluate", str(folder / "run")]) == 0
    return folder / "run"


@pytest.mark.parametrize("there", [True, False])
def test_a_run_writes_into_its_own_folder_alone(trained, tmp_path, there):
    """Every file of a run is a link to elsewhere, as in a run that came from someone else; nothing changes there."""
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    shutil.copytree(trained, run)
    elsewhere.mkdir()
    written = [path for path in run.iterdir() if path.is_file()]
    assert len(written) >= 9
    for path in written:
        shutil.copy(path, elsewhere)
        path.unlink()
        path.symlink_to(elsewhere / path.name)
    for name in ("epoch-0002.png", "epoch-0003.png"):
        if there:
            (elsewhere / name).write_text("mine")
        (run / "samples" / name).symlink_to(elsewhere / name)
    before = tree(elsewhere)
    assert main(["train", "--resume", str(run), "--epochs", "3", "--log", "quiet"]) == 0
    assert main(["evaluate", str(run)]) == 0
    assert tree(elsewhere) == before
    assert not any(path.is_symlink() for path in run.rglob("*"))


def test_pictures_do_not_go_to_a_folder_elsewhere(trained, tmp_path, capsys):
    shutil.copytree(trained, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "samples")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run" / "samples").symlink_to(tmp_path / "elsewhere")
    assert main(["train", "--resume", str(tmp_path / "run"), "--epochs", "3", "--log", "quiet"]) == 2
    assert "samples is a link to another place" in mistake(capsys.readouterr().err)
    assert tree(tmp_path / "elsewhere") == {}


@pytest.mark.parametrize(
    "name", ["recipe.toml", "checkpoint.safetensors", "metrics.jsonl", "monitor.jsonl", "best.jsonl"]
)
def test_pipes_in_the_folder_of_a_run(trained, tmp_path, capsys, name):
    shutil.copytree(trained, tmp_path / "run")
    (tmp_path / "run" / name).unlink()
    os.mkfifo(tmp_path / "run" / name)
    code = main(["train", "--resume", str(tmp_path / "run"), "--epochs", "3", "--log", "quiet"])
    assert code == (2 if name in ("recipe.toml", "checkpoint.safetensors") else 0)
    said = capsys.readouterr().err
    assert code == 0 or mistake(said)


@pytest.mark.parametrize("name", ["metrics.jsonl", "monitor.jsonl", "best.jsonl"])
@pytest.mark.parametrize(
    "line",
    ["[" * 50_000, '{"step": "1"}', "9" * 5000, "null", '{"step": []}', "\0", '{"step": NaN}', b"\xff"],
)
def test_figures_that_are_none(trained, tmp_path, name, line):
    """Whatever a run's lines hold, they are dropped from the first damaged one on."""
    shutil.copytree(trained, tmp_path / "run")
    with open(tmp_path / "run" / name, "ab") as file:
        file.write((line if isinstance(line, bytes) else line.encode()) + b"\n")
    assert main(["train", "--resume", str(tmp_path / "run"), "--steps", "21", "--log", "quiet"]) == 0


def test_an_unfinished_file_may_be_a_link(tmp_path):
    """Its name can be foretold, but for the process's number."""
    (tmp_path / "mine").write_text("mine")
    (tmp_path / f".x.{os.getpid()}").symlink_to(tmp_path / "mine")
    write_atomically(tmp_path / "x", b"new")
    assert tree(tmp_path) == {"mine": b"mine", "x": b"new"}
