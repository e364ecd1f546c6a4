"""Fuzz the readers with Atheris, which sees what code an input reaches: in a process of its own.

``python -m tests.hostile.with_atheris npz -max_total_time=60`` from the folder of the checkout: a format of `seeds`,
or all of them, by turns; then libFuzzer's arguments. What breaks a rule of `reader` ends it, and the input is kept in
``crash-...``. With ``--keep`` first, each format is fuzzed by itself, and the fewest inputs that reach code which no
other did are added to `corpus`, as is what breaks a rule.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import FunctionType

import atheris
import numpy.lib._format_impl as npy

with atheris.instrument_imports(include=["fastgan", "zipfile", "gzip", "tomllib", "safetensors", "PIL"]):
    from . import reader

    reader.prepare()

from .files import with_checksum
from .seeds import CORPUS, FORMATS, folder_or_file, kept, seeds

LIMITS = ["-timeout=60", "-rss_limit_mb=1024"]
"""Seconds that an input may take, and MiB that all may: `reader` has a bound for each. libFuzzer's own on single
allocations, ``-malloc_limit_mb``, does nothing without a sanitizer."""

AGAIN = [sys.executable, "-m", "tests.hostile.with_atheris"]


def fuzz(which: str, given: list[str]) -> None:
    """Change whole files of a format, or of all, and what is kept of them, until libFuzzer has had enough."""
    names = formats(which)
    for part in vars(npy).values():  # to see all of NumPy would take a while
        if isinstance(part, FunctionType):
            atheris.instrument_func(part)
    with tempfile.TemporaryDirectory() as folder:
        start = Path(folder, "start")
        start.mkdir()
        for turn, name in enumerate(names):
            first = bytes([turn]) if len(names) > 1 else b""
            for number, content in enumerate(known(name)):
                (start / f"{name}-{number}").write_bytes(first + content)

        def read(content: bytes) -> None:
            name = names[0]
            if len(names) > 1:
                name, content = names[content[0] % len(names) if content else 0], content[1:]
            content = with_checksum(content)
            path = folder_or_file(name, Path(folder), content, content)
            reader.check(reader.judge(FORMATS[name][0], str(path)))

        # libFuzzer starts itself anew by its first argument.
        atheris.Setup([" ".join([*AGAIN, which]), *LIMITS, *given, str(start)], read)
        atheris.Fuzz()


def formats(which: str) -> list[str]:
    """Those that a word of the command line means."""
    return list(FORMATS) if which == "all" else [which]


def known(name: str) -> list[bytes]:
    """Where fuzzing begins."""
    return [*seeds(name), *(path.read_bytes() for path in kept(name))]


def keep(name: str, given: list[str]) -> int:
    """Fuzz a format and add to its corpus what reaches new code; the exit code of the fuzzing."""
    corpus = CORPUS / name
    corpus.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        found, all_known = Path(folder, "found"), Path(folder, "known")
        found.mkdir()
        all_known.mkdir()
        for number, content in enumerate(known(name)):
            (all_known / f"known-{number}").write_bytes(content)
        env = os.environ | {"TMPDIR": folder}  # libFuzzer ends its process at once
        start = [*AGAIN, name, f"-artifact_prefix={corpus}/"]
        done = subprocess.run([*start, *given, str(found)], env=env)
        fewest = ["-set_cover_merge=1", "-use_counters=0"]  # lines of code, not how often each was reached
        subprocess.run([*start, *fewest, str(all_known), str(found)], env=env, check=True)
        for path in all_known.iterdir():
            if not path.name.startswith("known-"):
                (corpus / path.name).write_bytes(path.read_bytes())
    return done.returncode


def main() -> None:
    """Do what the command line says."""
    keeps = sys.argv[1] == "--keep"
    which, *given = sys.argv[1 + keeps :]
    if keeps:
        sys.exit(any([keep(name, given) for name in formats(which)]))
    fuzz(which, given)


if __name__ == "__main__":
    main()
