"""README is true: its snippets and commands run, and its table is that of the recipes."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from fastgan import recipe
from fastgan.__main__ import main
from fastgan.data.fashion_mnist import system_folder

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md")))


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands() -> list[list[str]]:
    lines = [line for block in blocks("sh", README + DOCS) for line in block.splitlines()]
    return [shlex.split(line, comments=True)[3:] for line in lines if line.startswith("python -m fastgan")]


def test_the_python_snippets_run_one_after_the_other(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for snippet in blocks("python"):
        exec(snippet, names)
    assert names["rows"].shape == (1000, 2)
    assert names["way"].shape == (10, 2)
    assert "balanced" in capsys.readouterr().out


def test_the_commands_run_in_their_order(tmp_path, monkeypatch, capsys):
    """Trainings are cut to a few steps of the NumPy backend; Fashion-MNIST is left out where it is not installed."""
    monkeypatch.chdir(tmp_path)
    rows = np.random.default_rng(0).normal(size=(80, 3))
    np.savetxt("measurements.csv", rows, delimiter=",", header="a,b,c", comments="")
    ran = 0
    for command in commands():
        if "runs/clothes" in command and system_folder() is None:
            continue
        if command[0] == "train":
            command += ["--backend", "numpy"]
            command += ["--set", f"run.steps={4 if '--resume' in command else 2}"]
        if command[:2] == ["evaluate", "runs/clothes"]:
            continue  # half a minute of classifier and neighbours; tests of evaluation do it on less
        assert main(command) == 0, (command, capsys.readouterr().err)
        ran += 1
    assert ran >= 5


def test_the_table_lists_every_recipe():
    table = re.search(r"<!-- recipes -->\n(.*)<!-- /recipes -->", README, re.DOTALL)[1]
    rows = {
        cells[1].strip(" `"): cells[2].strip()
        for cells in (line.split("|") for line in table.splitlines()[2:])
    }
    assert rows == {name: recipe.load(name).description for name in recipe.names()}


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)h][^)]*)\)", README))
def test_links_lead_somewhere(link):
    if not (ROOT / ".ci").is_dir():
        pytest.skip("the checkout is not here: only the wheel is tested")
    assert (ROOT / link).exists()
