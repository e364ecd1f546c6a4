"""Names of files, columns and classes that would write to a terminal, or that no file can hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastgan import GAN
from fastgan.__main__ import main

from ..commands import TINY, mistake, tree
from . import files

ODD = ["a\x1b[2Jb", "a\rb", "\N{SNOWMAN}", "\u202eb", "$\\frac{", "%s {0}", "x" * 300, "-rf", "é"]


def csv(name: str, rows: int = 120) -> bytes:
    random = np.random.default_rng(0)
    lines = [f'{x},{y},"{name}{k % 2}"' for k, (x, y) in enumerate(random.normal(size=(rows, 2)))]
    return "\n".join([f'"{name}",b,label', *lines]).encode()


@pytest.mark.parametrize(
    "name", ["a\x1b[2Jb\N{CJK UNIFIED IDEOGRAPH-4E00}", "$\\frac{"], ids=lambda name: ascii(name)[:20]
)
def test_a_run_on_odd_names_tells_of_them_in_plain_lines(tmp_path, monkeypatch, capsys, name):
    monkeypatch.chdir(tmp_path)
    Path("tiny.toml").write_text(TINY)
    data = f"./{name[:200]}.csv"
    Path(data).write_bytes(csv(name))
    assert main(["train", "tiny.toml", "--data", data, "--epochs", "1", "--out", "run"]) == 0
    assert main(["evaluate", "run"]) == 0
    assert main(["sample", "run", "-n", "4", "-o", "samples.csv"]) == 0
    assert main(["sample", "run", "--label", "neither"]) == 2
    said = capsys.readouterr()
    assert [line for line in (said.out + said.err).split("\n") if not line.isprintable()] == []
    assert name in Path("samples.csv").read_bytes().decode()


def test_a_path_that_is_no_text_is_refused_before_anything_is_written(tmp_path, monkeypatch, capsys):
    """A recipe holds the path, and a recipe is UTF-8."""
    monkeypatch.chdir(tmp_path)
    Path("tiny.toml").write_text(TINY)
    Path("a\udcff.csv").write_bytes(files.csv())
    before = tree(tmp_path)
    assert main(["train", "tiny.toml", "--data", "a\udcff.csv"]) == 2
    assert mistake(capsys.readouterr().err).startswith("path is 'a\\udcff.csv'; it must be text")
    assert tree(tmp_path) == before


@pytest.mark.parametrize("name", ["\udcff", "\ud800"])
def test_a_class_of_a_name_that_is_no_text_is_refused(tmp_path, name):
    x, y = np.arange(16.0).reshape(8, 2), [name, "b"] * 4
    with pytest.raises(ValueError, match=r"a class has a name that is no text; rename it$"):
        GAN(batch_size=4, backend="numpy").fit(x, y, steps=1)


def test_folders_of_pictures_of_any_name(reader, tmp_path):
    whole = files.picture("PNG")
    for name in (*ODD, "a\nb", " ", "con"):
        folder = tmp_path / name[:200]
        folder.mkdir()
        (folder / f"{name[:200]}.png").write_bytes(whole)
        (folder / "1.png").write_bytes(whole)
        assert reader.ask("data", folder)[0] == "read"
        (folder / "1.png").write_bytes(b"")
        reader.refuses("data", folder)
        (folder / "1.png").write_bytes(whole)
    assert reader.ask("data", tmp_path)[0] == "read"
    (tmp_path / "\udcff").mkdir()
    (tmp_path / "\udcff" / "0.png").write_bytes(whole)
    assert "no text" in reader.refuses("data", tmp_path)
