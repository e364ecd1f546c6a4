"""A run that is killed, or whose disk fails, at any call that writes: what was saved is whole, and it goes on.

Each training is a child of its own, forked, with the system's calls patched there: the nth call of all that write kills
the process, or fails as a full disk does.
"""

from __future__ import annotations

import builtins
import errno
import os
import random
import shutil
import signal
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fastgan import recipe as recipes
from fastgan.checkpoint import Stored
from fastgan.errors import UserError
from fastgan.progress import Progress
from fastgan.recipe import Recipe
from fastgan.run import train_run

from .commands import STEPS_PER_EPOCH, TINY
from .test_resume import check_whole, kept

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")

LAST = 6 * STEPS_PER_EPOCH
CALLS = ("fsync", "replace", "link", "unlink")
FAULTS = {
    errno.ENOSPC: "No space left on device",
    errno.EACCES: "Permission denied",
    errno.EROFS: "Read-only file system",
    errno.EIO: "Input/output error",
    errno.ENOENT: "No such file or directory",
}
MISTAKE, CRASH = 2, 70


def recipe() -> Recipe:
    text = TINY.replace("epochs = 4", "epochs = 6").replace("samples_every = 2", "samples_every = 0")
    return recipes.parse(text + "monitor_every = 40\nbest_metric = 'sliced_wasserstein'\n", "tiny")


def in_child(action: Callable[[], Any], seconds: float = 60) -> int:
    """Fork, do it there, and return the exit code, or minus the signal that ended it; killed after so many seconds."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})  # so that its end can be waited for
    child = os.fork()
    if child == 0:
        code = 0
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            action()
        except UserError as error:
            code = MISTAKE if "\n" not in str(error) else CRASH
        except BaseException:
            traceback.print_exc()
            code = CRASH
        finally:
            os._exit(code)
    if signal.sigtimedwait({signal.SIGCHLD}, seconds) is None:
        os.kill(child, signal.SIGKILL)
        signal.sigtimedwait({signal.SIGCHLD}, 60)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def at_call(number: int, fault: Callable[[], None], folder: Path) -> list[int]:
    """Have a fault at the nth of all calls that write under a folder; returns a list that counts them."""
    count = [0]

    def counted() -> None:
        count[0] += 1
        if count[0] == number:
            fault()

    def patched(function: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            counted()
            return function(*arguments, **options)

        return call

    for name in CALLS:
        setattr(os, name, patched(getattr(os, name)))
    opened = builtins.open

    def open_counted(path: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if mode[0] in "wa" and str(path).startswith(str(folder)):
            counted()
        return opened(path, mode, *arguments, **options)

    builtins.open = open_counted
    return count


def train(folder: Path) -> None:
    train_run(recipe(), folder, Progress(), resume=(folder / "recipe.toml").exists())


def killed_at(number: int, folder: Path) -> int:
    def action() -> None:
        at_call(number, lambda: os.kill(os.getpid(), signal.SIGKILL), folder)
        train(folder)

    return in_child(action)


def failing_at(number: int, code: int, folder: Path) -> int:
    def fault() -> None:
        raise OSError(code, os.strerror(code))

    def action() -> None:
        at_call(number, fault, folder)
        train(folder)

    return in_child(action)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes | None], int]:
    """What a run leaves that nobody disturbs, and how many calls of it write."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"

    def counting() -> None:
        count = at_call(0, lambda: None, folder)
        train(folder)
        os.write(writing, str(count[0]).encode())

    reading, writing = os.pipe()
    assert in_child(counting) == 0
    return kept(folder), int(os.read(reading, 20))


def newest(folder: Path) -> int:
    """The step of the newest checkpoint, which must be whole; 0 before there is one."""
    path = folder / "checkpoint.safetensors"
    return Stored(path).step if path.exists() else 0


def test_killed_inside_any_write_it_resumes_to_the_same_bytes(
    undisturbed: tuple[dict[str, bytes | None], int], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    expected, calls = undisturbed
    many = request.config.getoption("--kills")
    for number in sorted(random.Random(1).sample(range(1, calls + 1), min(many, calls))):
        folder = tmp_path / str(number)
        assert killed_at(number, folder) == -signal.SIGKILL, number
        check_whole(folder) if (folder / "recipe.toml").exists() else None
        newest(folder)
        assert in_child(lambda folder=folder: train(folder)) == 0, number  # type: ignore[misc]
        assert kept(folder) == expected, number
        assert not list(folder.rglob(".*")), number
        shutil.rmtree(folder)


def test_killed_again_and_again_it_resumes_to_the_same_bytes(
    undisturbed: tuple[dict[str, bytes | None], int], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Moments are those of a clock, so that none is spared."""
    expected, _ = undisturbed
    moments, folder = random.Random(2), tmp_path / "run"
    kills, rounds = 0, 0
    while kills < request.config.getoption("--kills"):
        step, folder = 0, tmp_path / str(rounds)
        while step < LAST:
            ended = in_child(lambda folder=folder: train(folder), moments.uniform(0.0, 0.6))  # type: ignore[misc]
            assert ended in (0, -signal.SIGKILL)
            assert newest(folder) >= step
            step, kills = newest(folder), kills + (ended != 0)
            if ended == 0:
                break
        assert in_child(lambda folder=folder: train(folder)) in (0, MISTAKE)  # type: ignore[misc]
        assert kept(folder) == expected
        rounds += 1


def test_a_disk_that_fails_at_any_call_costs_one_line_and_no_checkpoint(
    undisturbed: tuple[dict[str, bytes | None], int], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    expected, calls = undisturbed
    chosen = random.Random(3)
    many = request.config.getoption("--kills")
    for number in sorted(chosen.sample(range(1, calls + 1), min(many, calls))):
        folder, code = tmp_path / str(number), chosen.choice(list(FAULTS))
        ended = failing_at(number, code, folder)
        assert ended in (0, MISTAKE), (
            number,
            code,
        )  # some failures harm nothing, such as a flush of a folder
        newest(folder)
        check_whole(folder) if (folder / "recipe.toml").exists() else None
        if newest(folder) < LAST:
            assert in_child(lambda folder=folder: train(folder)) == 0, (number, code)  # type: ignore[misc]
        assert kept(folder) == expected, (number, code)
        shutil.rmtree(folder)


class Disturbing(Progress):
    """Does something to the folder at a step."""

    def __init__(self, step: int, action: Callable[[], None]):
        self.step, self.action = step, action

    def update(self, first_step: int, statistics: Any) -> None:
        if first_step < self.step <= first_step + len(statistics):
            self.action()


def test_a_folder_that_is_removed_ends_the_training_in_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(UserError, match=r"^[^\n]*cannot be written: No such file or directory[^\n]*$"):
        train_run(recipe(), folder, Disturbing(30, lambda: shutil.rmtree(folder)))


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_the_checkpoint_before_stands_in_for_a_damaged_one(tmp_path: Path) -> None:
    folder, said = tmp_path / "run", []

    class Listening(Progress):
        def note(self, text: str) -> None:
            said.append(text)

    train_run(recipes.override(recipe(), "run.steps=70"), folder, Progress())
    expected = kept(folder)
    damage(folder / "checkpoint.safetensors")
    with pytest.raises(UserError, match="checksum differs"):
        Stored(folder / "checkpoint.safetensors")
    train_run(recipes.override(recipe(), "run.steps=70"), folder, Listening(), resume=True)
    assert kept(folder) == expected
    assert said[0].endswith(
        "its checksum differs); train again; going on from the checkpoint before, of step 60"
    )
    for name in ("checkpoint.safetensors", "checkpoint-before.safetensors"):
        damage(folder / name)
    with pytest.raises(UserError, match=r"checkpoint-before\.safetensors was changed after it was written"):
        train_run(recipe(), folder, Progress(), resume=True)
