"""Stopped, killed and resumed: the bytes are those of a training that nobody disturbed."""

from __future__ import annotations

import json
import os
import pty
import random
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastgan import recipe as recipes
from fastgan.__main__ import main
from fastgan.checkpoint import Stored
from fastgan.progress import Progress
from fastgan.recipe import Recipe
from fastgan.run import train_run

from .commands import STEPS_PER_EPOCH, TINY, command, environment, process, tree

EPOCHS = 20
LAST = EPOCHS * STEPS_PER_EPOCH
SAME = ("recipe.toml", "checkpoint.safetensors", "generator.safetensors", "samples", "monitor.jsonl", "best")
LOOKS = "monitor_every = 40\nbest_metric = 'sliced_wasserstein'\n"


class Interrupting(Progress):
    """Sends a signal to its own process at the first look after a step."""

    def __init__(self, step: int, number: int = signal.SIGINT):
        self.step = step
        self.number = number

    def update(self, first_step: int, statistics: np.ndarray) -> None:
        if first_step + len(statistics) >= self.step:
            signal.raise_signal(self.number)


def recipe(backend: str = "numpy") -> Recipe:
    text = TINY.replace("epochs = 4", f"epochs = {EPOCHS}").replace("samples_every = 2", "samples_every = 10")
    text += LOOKS
    return recipes.parse(text.replace('"numpy"', f'"{backend}"'), "tiny")


def kept(folder: Path) -> dict[str, bytes | None]:
    """What a stop may not change: all but times, which metrics hold, and the curves drawn from their rows."""
    return {name: content for name, content in tree(folder).items() if name.startswith(SAME)}


@pytest.fixture(scope="module", autouse=True)
def _signals_are_heard() -> Iterator[None]:
    """Under `nohup`, or behind a script's `&`, some are ignored, and a child inherits that."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    ignored = [number for number in usual if signal.getsignal(number) == signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, usual[number])
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, bytes | None]]:
    """What a run on a backend leaves when nothing happens to it."""
    runs: dict[str, dict[str, bytes | None]] = {}

    def trained(backend: str) -> dict[str, bytes | None]:
        if backend not in runs:
            folder = tmp_path_factory.mktemp("undisturbed") / "run"
            train_run(recipe(backend), folder, Progress())
            runs[backend] = kept(folder)
        return runs[backend]

    return trained


def check_whole(folder: Path) -> None:
    """Every file is whole or absent; only the last row of the metrics may be unfinished."""
    recipes.load(folder / "recipe.toml")
    for path in folder.glob("*.safetensors"):
        Stored(path)
    for path in folder.rglob("*.png"):
        with Image.open(path) as picture:
            picture.verify()
    metrics = folder / "metrics.jsonl"
    steps = (
        [json.loads(row)["step"] for row in metrics.read_text().split("\n")[:-1]] if metrics.exists() else []
    )
    assert steps == sorted(set(steps))


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
def test_stopped_and_resumed_several_times_gives_the_same_bytes(
    backend: str, undisturbed: Callable[[str], dict[str, bytes | None]], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    steps = sorted(random.Random(backend).sample(range(2, LAST - 60), 3))
    stopped_at = 0
    for count, step in enumerate(steps):
        outcome = train_run(recipe(backend), folder, Interrupting(step), resume=count > 0)
        assert (outcome.signal, outcome.folder) == (signal.SIGINT, folder)
        assert stopped_at < outcome.step < LAST
        stopped_at = outcome.step
        assert int(Stored(folder / "checkpoint.safetensors").tensors["clock"][0]) == stopped_at
    assert train_run(recipe(backend), folder, Progress(), resume=True).signal == 0
    assert kept(folder) == undisturbed(backend)
    check_whole(folder)
    rows = [json.loads(row) for row in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, LAST + 1))


def test_a_stop_at_an_epoch_with_a_picture_keeps_the_picture(
    undisturbed: Callable[[str], dict[str, bytes | None]], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    outcome = train_run(recipe(), folder, Interrupting(10 * STEPS_PER_EPOCH))
    train_run(recipe(), folder, Progress(), resume=True)
    assert outcome.step >= 10 * STEPS_PER_EPOCH
    assert kept(folder) == undisturbed("numpy")


def test_more_epochs_go_on_where_the_run_ended(
    undisturbed: Callable[[str], dict[str, bytes | None]], tmp_path: Path
) -> None:
    (tmp_path / "tiny.toml").write_text(recipes.to_toml(recipe()))
    folder = tmp_path / "run"
    arguments = [
        "train",
        str(tmp_path / "tiny.toml"),
        "--epochs",
        "10",
        "--out",
        str(folder),
        "--log",
        "quiet",
    ]
    assert main(arguments) == 0
    assert main(["train", "--resume", str(folder), "--epochs", str(EPOCHS), "--log", "quiet"]) == 0
    assert kept(folder) == undisturbed("numpy")


def test_a_run_killed_before_its_first_checkpoint_starts_again(
    undisturbed: Callable[[str], dict[str, bytes | None]], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "recipe.toml").write_text(recipes.to_toml(recipe()))
    (folder / "metrics.jsonl").write_text('{"step": 1, "epoch": 0.05}\n{"step": 2, "ep')
    (folder / ".checkpoint.safetensors.4711").write_bytes(b"half of it")
    assert main(["train", "--resume", str(folder), "--log", "quiet"]) == 0
    assert kept(folder) == undisturbed("numpy")
    assert not list(folder.glob(".*"))
    check_whole(folder)


@pytest.mark.parametrize(
    ("first", "second"), [(signal.SIGINT, signal.SIGINT), (signal.SIGINT, signal.SIGTERM)]
)
def test_a_second_signal_ends_at_once(first: int, second: int, tmp_path: Path) -> None:
    class Twice(Interrupting):
        def update(self, first_step: int, statistics: np.ndarray) -> None:
            super().update(first_step, statistics)
            if first_step + len(statistics) >= self.step:
                signal.raise_signal(second)

    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as stop:
        train_run(recipe(), tmp_path / "run", Twice(3 * STEPS_PER_EPOCH + 1, first))
    assert stop.value.code == 128 + second
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    step = int(Stored(tmp_path / "run" / "checkpoint.safetensors").tensors["clock"][0])
    assert step % STEPS_PER_EPOCH == 0, "a periodic checkpoint, not one of the stop"


def test_a_signal_before_the_first_step_does_not_wait_for_the_compiler(tmp_path: Path) -> None:
    class AtStart(Progress):
        def start(self, total_steps: int, steps_per_epoch: int, first_step: int = 0) -> None:
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(SystemExit) as stop:
        train_run(recipe(), tmp_path / "run", AtStart())
    assert stop.value.code == 143
    assert train_run(recipe(), tmp_path / "run", Progress(), resume=True).step == LAST


def start(*arguments: object) -> subprocess.Popen[str]:
    """A training that cannot run far ahead of its reader, for the pipe between them is short."""
    return subprocess.Popen(
        command("train", *arguments, "--log", "keras"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pipesize=4096,
        text=True,
        env=environment(),
    )


def read_until(child: subprocess.Popen[str], step: int) -> None:
    """Read the child's lines until that step, or the end."""
    assert child.stdout
    for line in child.stdout:
        if line.startswith(f">{step},"):
            return


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_real_process_saves_and_says_how_to_go_on(
    number: int, code: int, undisturbed: Callable[[str], dict[str, bytes | None]], tmp_path: Path
) -> None:
    (tmp_path / "tiny.toml").write_text(recipes.to_toml(recipe()))
    folder = tmp_path / "run"
    child = start(tmp_path / "tiny.toml", "--out", folder)
    read_until(child, 30)
    child.send_signal(number)
    _, err = child.communicate(timeout=60)
    assert child.returncode == code
    found = re.fullmatch(r"stopped at step (\d+); go on with: fastgan train --resume (.*)\n", err)
    assert found and found[2] == str(folder)
    assert int(Stored(folder / "checkpoint.safetensors").tensors["clock"][0]) == int(found[1]) >= 30
    done = process("train", "--resume", folder)
    assert done.returncode == 0
    assert f"run: {folder}, from step {found[1]}\n" in done.stdout
    assert kept(folder) == undisturbed("numpy")


@pytest.mark.parametrize(("backend", "kills"), [("numpy", 3), ("cpu", 1)])
def test_killed_at_random_moments_it_resumes_to_the_same_bytes(
    backend: str, kills: int, undisturbed: Callable[[str], dict[str, bytes | None]], tmp_path: Path
) -> None:
    expected = undisturbed(backend)
    (tmp_path / "tiny.toml").write_text(recipes.to_toml(recipe(backend)))
    folder = tmp_path / "run"
    arguments: tuple[object, ...] = (tmp_path / "tiny.toml", "--out", folder)
    moments = sorted(random.Random(7).sample(range(1, LAST), kills))
    for step in moments:
        child = start(*arguments)
        read_until(child, step)
        child.kill()
        child.communicate(timeout=60)
        check_whole(folder)
        if child.returncode == 0:  # it was faster than the signal
            break
        assert child.returncode == -signal.SIGKILL
        arguments = ("--resume", folder)
    else:
        assert main(["train", "--resume", str(folder), "--log", "quiet"]) == 0
    assert kept(folder) == expected
    assert not list(folder.rglob(".*"))
    check_whole(folder)


def endless(folder: Path) -> list[object]:
    """Arguments of a training that saves at its ends alone."""
    (folder / "tiny.toml").write_text(recipes.to_toml(recipe()))
    return [
        folder / "tiny.toml",
        "--epochs",
        10**6,
        "--set",
        "run.checkpoint_every=0",
        "--out",
        folder / "run",
    ]


def saved(folder: Path) -> int:
    return Stored(folder / "run" / "checkpoint.safetensors").step


def test_a_reader_that_leaves_costs_no_step(tmp_path: Path) -> None:
    child = start(*endless(tmp_path))
    read_until(child, 30)
    assert child.stdout and child.stderr
    child.stdout.close()
    assert (child.stderr.read(), child.wait(60)) == ("", 1)
    child.stderr.close()
    assert saved(tmp_path) >= 30


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_log_whose_disk_is_full_costs_one_line_and_no_step(tmp_path: Path) -> None:
    class Full(Interrupting):
        def update(self, first_step: int, statistics: np.ndarray) -> None:
            if first_step + len(statistics) >= self.step:
                with open("/dev/full", "w") as full:
                    full.write("a line")

    with pytest.raises(OSError, match="No space left"):
        train_run(recipes.override(recipe(), "run.checkpoint_every=0"), tmp_path / "run", Full(30))
    assert 30 <= saved(tmp_path) < LAST


def test_a_terminal_that_goes_away_costs_no_step(tmp_path: Path) -> None:
    """As when a connection breaks: the process is hung up, and whatever it writes fails."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        command("train", *endless(tmp_path), "--log", "keras"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment(),
        preexec_fn=lambda: os.login_tty(0),
    )
    os.close(theirs)
    seen = b""
    while b">30," not in seen:
        seen += os.read(ours, 4096)
    os.close(ours)
    assert child.wait(60) == 129
    assert saved(tmp_path) >= 30


def test_what_was_ignored_stays_so(tmp_path: Path) -> None:
    """As under `nohup`, or behind a shell's ``&``."""
    hung_up = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        outcome = train_run(recipe(), tmp_path / "run", Interrupting(30, signal.SIGHUP))
    finally:
        signal.signal(signal.SIGHUP, hung_up)
    assert (outcome.signal, outcome.step) == (0, LAST)


def test_a_run_may_be_trained_beside_the_main_thread(
    undisturbed: Callable[[str], dict[str, bytes | None]], tmp_path: Path
) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(train_run, recipe(), tmp_path / "run", Progress()).result(60)
    assert kept(tmp_path / "run") == undisturbed("numpy")
