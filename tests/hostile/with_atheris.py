"""Fuzz the readers with Atheris, which sees what code an input reaches: in a process of its own.

``python -m tests.hostile.with_atheris npz -max_total_time=60`` from the folder of the checkout: a format of `seeds`,
or all of them, by turns; then libFuzzer's arguments. A traceback ends it, and the input is kept in ``crash-...``.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["fastgan", "zipfile", "gzip", "tomllib", "numpy.lib._format_impl"]):
    from . import reader

from fastgan.errors import UserError

from .seeds import FORMATS, PICTURES, seeds

IN_PYTHON = [name for name in FORMATS if name not in (*PICTURES, "parquet", "checkpoint")]
"""Formats that are read by code whose lines Atheris sees."""


def main() -> None:
    """Fuzz until libFuzzer has had enough."""
    given = sys.argv.pop(1)
    names = IN_PYTHON if given == "all" else [given]
    reader.trainer().train(1)  # all that is imported where it is first needed
    warnings.simplefilter("error")
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder, "corpus")
        corpus.mkdir()
        for turn, name in enumerate(names):
            for number, whole in enumerate(seeds(name)):
                (corpus / f"{name}-{number}").write_bytes(bytes([turn]) + whole)

        def read(content: bytes) -> None:
            kind, file, _ = FORMATS[names[content[0] % len(names)] if content else names[0]]
            Path(folder, file).write_bytes(content[1:])
            try:
                reader.READERS[kind](str(Path(folder, file)))
            except UserError as error:
                assert str(error).isprintable()
                assert not reader.is_hidden(error, kind), error.__context__

        atheris.Setup([*sys.argv, str(corpus)], read)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
