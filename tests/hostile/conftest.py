"""Who reads hostile files: a process of its own, watched; a test that needs one gets it here."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..commands import environment
from .reader import check

SECONDS = 60
"""Without an answer, a reader hangs."""

NOTHING_RESERVED = {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "1"}
"""Arrow's own allocator, and malloc for each of its threads, reserve far more addresses than they use, and a reader is
bounded by its addresses."""


class Reader:
    """Asks a `reader` process, and holds every answer to the same rules."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.process: subprocess.Popen[str] | None = None

    def ask(self, kind: str, path: Path | str) -> tuple[str, str]:
        """Let a file be read; its outcome, "read" or "refused", and what was said."""
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("reader.py"))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=self.folder,
                env=environment() | NOTHING_RESERVED | {"PYTHONDONTWRITEBYTECODE": "1"},
            )
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps([kind, os.fspath(path)]) + "\n")
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], SECONDS)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            code = self.process.poll() if ready else None
            self.close()
            raise AssertionError(f"the reader {'ended with ' + str(code) if ready else 'hangs'}")
        answer = json.loads(line)
        check(answer)
        assert not list(self.folder.iterdir())
        return answer["outcome"], answer["says"]

    def refuses(self, kind: str, path: Path | str) -> str:
        """The line in which a file is refused."""
        outcome, says = self.ask(kind, path)
        assert outcome == "refused"
        return says

    def close(self) -> None:
        """End the process; the next question starts another."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


@pytest.fixture(scope="session")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """The process that reads; it stands in an empty folder."""
    one = Reader(tmp_path_factory.mktemp("empty"))
    yield one
    one.close()
