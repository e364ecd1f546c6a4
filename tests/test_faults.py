"""A run that is killed, or whose disk fails, at any call that writes: what was saved is whole, and it goes on.

Each training is a child of its own, forked, with the system's calls patched there: the nth call of all that write kills
the process, or fails as a full disk does.
"""

from __future__ import annotations

import builtins
import errno
import functools
import itertools
import mmap
import os
import random
import shutil
import signal
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fastgan import recipe as recipes
from fastgan.checkpoint import Stored
from fastgan.errors import UserError
from fastgan.folder import BEFORE, CHECKPOINT, newest_checkpoint
from fastgan.progress import Progress
from fastgan.recipe import Recipe
from fastgan.run import train_run

from .commands import STEPS_PER_EPOCH, TINY
from .test_resume import check_whole, kept

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")

EPOCHS = 4
LAST = EPOCHS * STEPS_PER_EPOCH
CALLS = ("mkdir", "fsync", "replace", "unlink")
FAULTS = (errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EIO, errno.ENOENT, errno.EDQUOT)
MISTAKE, CRASH = 2, 70
DONE = (0, MISTAKE)  # it is a mistake to ask for more of a run that was killed at its very end


def recipe() -> Recipe:
    text = TINY.replace("samples_every = 2", "samples_every = 0")
    return recipes.parse(text + "monitor_every = 30\nbest_metric = 'sliced_wasserstein'\n", "tiny")


def train(folder: Path) -> None:
    train_run(recipe(), folder, Progress(), resume=(folder / "recipe.toml").exists())


def in_child(folder: Path, prepare: Callable[[], object] = int, seconds: float = 60) -> int:
    """Train in a fork; its exit code, or minus the signal that ended it. It is killed after so many seconds."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})  # so that its end can be waited for
    child = os.fork()
    if child == 0:
        code = CRASH
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            prepare()
            train(folder)
            code = 0
        except UserError as error:
            code = CRASH if "\n" in str(error) else MISTAKE
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    if signal.sigtimedwait({signal.SIGCHLD}, seconds) is None:
        os.kill(child, signal.SIGKILL)
        signal.sigtimedwait({signal.SIGCHLD}, 60)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class InHalves:
    """A file each of whose writes is two, with a call in between."""

    def __init__(self, file: Any, call: Callable[[], None]):
        self.file, self.call = file, call

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def __enter__(self) -> InHalves:
        return self

    def __exit__(self, *exception: object) -> None:
        self.file.close()

    def write(self, content: Any) -> None:
        half = len(content) // 2
        self.file.write(content[:half])
        self.file.flush()
        self.call()
        self.file.write(content[half:])


def at_call(number: int, fault: Callable[[], None], folder: Path, last: Callable[[int], None] = id) -> None:
    """Have a fault at the nth call that changes something in a folder, or half-way through a write there.

    ``last(n)`` is told of each call.
    """
    numbers = itertools.count(1)

    def counted() -> None:
        this = next(numbers)
        last(this)
        if this == number:
            fault()

    def patched(function: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            counted()
            return function(*arguments, **options)

        return call

    def opened(path: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if mode[0] not in "wa" or not str(path).startswith(str(folder)):
            return plain(path, mode, *arguments, **options)
        counted()
        return InHalves(plain(path, mode, *arguments, **options), counted)

    plain, builtins.open = builtins.open, opened  # type: ignore[assignment]
    for name in CALLS:
        setattr(os, name, patched(getattr(os, name)))


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def failure(code: int) -> Callable[[], None]:
    def fail() -> None:
        raise OSError(code, os.strerror(code))

    return fail


class Undisturbed(NamedTuple):
    """A run to which nothing happens: what it leaves, its calls that change something, and its seconds."""

    kept: dict[str, bytes | None]
    calls: int
    seconds: float


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder, count = tmp_path_factory.mktemp("undisturbed"), mmap.mmap(-1, 8)

    def note(number: int) -> None:
        count[:] = number.to_bytes(8, "little")

    train(folder / "first")  # imports what the children need
    started = time.perf_counter()
    assert in_child(folder / "run", lambda: at_call(0, kill, folder, note)) == 0
    seconds = time.perf_counter() - started
    return Undisturbed(kept(folder / "run"), int.from_bytes(count[:], "little"), seconds)


@pytest.fixture
def many(request: pytest.FixtureRequest) -> int:
    """How many kills, or faults, a test makes."""
    return int(request.config.getoption("--kills"))


def newest(folder: Path) -> int:
    """The step of the newest checkpoint, which must be whole; -1 before there is one."""
    if not any((folder / name).exists() for name in (CHECKPOINT, BEFORE)):
        return -1
    return newest_checkpoint(folder, str).step


def chosen(calls: int, many: int, seed: int) -> list[int]:
    """Numbers of calls, each once before any comes again."""
    order = random.Random(seed)
    rounds = [order.sample(range(1, calls + 1), calls) for _ in range(-(-many // calls))]
    return [number for each in rounds for number in each][:many]


def check(folder: Path) -> None:
    """Whatever happened, nothing is half there, and a resume goes on from it."""
    if (folder / "recipe.toml").exists():
        check_whole(folder)
    newest(folder)


def test_killed_inside_any_write_it_resumes_to_the_same_bytes(
    undisturbed: Undisturbed, many: int, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    for number in chosen(undisturbed.calls, many, seed=1):
        assert in_child(folder, functools.partial(at_call, number, kill, folder)) == -signal.SIGKILL, number
        check(folder)
        assert in_child(folder) in DONE and newest(folder) == LAST, number
        assert kept(folder) == undisturbed.kept and not list(folder.rglob(".*")), number
        shutil.rmtree(folder)


def test_killed_again_and_again_it_resumes_to_the_same_bytes(
    undisturbed: Undisturbed, many: int, tmp_path: Path
) -> None:
    """Moments are those of a clock, so that none is spared."""
    moments, kills, step, folder = random.Random(2), 0, -1, tmp_path / "run"
    while kills < many or step >= 0:
        within = undisturbed.seconds if kills < many else 60
        ended = in_child(folder, seconds=moments.uniform(0, within))
        check(folder)
        assert newest(folder) >= step and ended in (*DONE, -signal.SIGKILL)
        step, kills = newest(folder), kills + (ended == -signal.SIGKILL)
        if ended in DONE:
            assert step == LAST and kept(folder) == undisturbed.kept
            shutil.rmtree(folder)
            step = -1


def test_a_disk_that_fails_at_any_call_costs_one_line_and_no_checkpoint(
    undisturbed: Undisturbed, many: int, tmp_path: Path
) -> None:
    codes, folder = random.Random(3), tmp_path / "run"
    for number in chosen(undisturbed.calls, many, seed=4):
        fault = failure(codes.choice(FAULTS))
        ended = in_child(folder, functools.partial(at_call, number, fault, folder))
        # Some calls may fail and nothing is lost: to remove what is not there, or to draw a picture.
        assert ended in DONE and (ended == MISTAKE or newest(folder) == LAST), number
        check(folder)
        assert in_child(folder) in DONE and newest(folder) == LAST, number
        pictures = {name for name in undisturbed.kept if name.endswith(".png")} if ended == 0 else set()
        expected = {name: content for name, content in undisturbed.kept.items() if name not in pictures}
        assert {name: kept(folder)[name] for name in expected} == expected, number
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
    newest, before = folder / "checkpoint.safetensors", folder / "checkpoint-before.safetensors"
    changed = "was changed after it was written (its checksum differs)"
    assert said[0] == f"{newest} {changed}; going on from the checkpoint before, of step 60"
    newest.unlink()
    train_run(recipes.override(recipe(), "run.steps=80"), folder, Listening(), resume=True)
    assert f"{newest} is missing; going on from the checkpoint before, of step 60" in said
    for path in (newest, before):
        damage(path)
    with pytest.raises(UserError) as refusal:
        train_run(recipe(), folder, Progress(), resume=True)
    assert str(refusal.value) == f"{newest} {changed}, and {before} {changed}; train again"
