import pty
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from fastgan import evaluation
from fastgan.data import load_dataset
from fastgan.data.dataset import Dataset, DataSpec
from fastgan.evaluation import evaluate, format_report
from fastgan.evaluation.meanings import GROUPS, HIGHER, LOWER, MEANINGS, NEARER, PASSES, meanings_of

from .helpers import giving, table


def test_the_report_is_aligned_and_explained_group_by_group():
    result = {
        "samples": {"generated": 2500.0, "real": 2500.0},
        "valid": {"generated": 0.98765, "exact": 1.0},
        "coverage": {"real": None},
    }
    assert format_report(result).splitlines() == [
        "          generated   real  exact",
        "samples       2,500  2,500",
        "  samples: rows that were measured; where their number matters, as many",
        "    generated as real ones",
        "",
        "Tokens",
        "valid        0.9877             1",
        f"  valid: {MEANINGS['valid']}",
        "",
        "Quality and variety",
        "coverage                 -",
        "  coverage: share of real rows with a sample among their neighbours: variety;",
        "    higher is better",
    ]


def test_a_long_name_of_a_column_is_cut():
    report = format_report({f"KS distance, {'x' * 90}": {"generated": 0.25, "real": 0.5}})
    assert len(report.splitlines()[3]) == 79
    assert re.fullmatch(r"KS distance, x+\.\.\. +0\.25 +0\.5", report.splitlines()[3])


@pytest.mark.parametrize(
    ("set_to", "is_dim"),
    [({}, True), ({"NO_COLOR": ""}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
    ids=str,
)
def test_a_terminal_shows_meanings_dim(set_to, is_dim, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in set_to.items():
        monkeypatch.setenv(name, value)
    controller, terminal = pty.openpty()
    with open(terminal, "w") as stdout, open(controller, "rb"):
        monkeypatch.setattr(sys, "stdout", stdout)
        report = format_report({"valid": {"generated": 0.5}})
    meaning = f"  valid: {MEANINGS['valid']}"
    assert report.splitlines()[-1] == (f"\x1b[2m{meaning}\x1b[0m" if is_dim else meaning)


@pytest.fixture(scope="module")
def results():
    """Results of every kind of data."""
    rng = np.random.default_rng(0)
    spec = DataSpec("image", 4, "uint8", np.ones(4), np.zeros(4), n_classes=2, image_shape=(2, 2))
    pictures = Dataset(rng.integers(0, 255, (80, 4)).astype(np.uint8), np.arange(80) % 2, spec)
    numbers = load_dataset("sequences", rows=200)
    ring, tokens = load_dataset("ring", rows=200), load_dataset("tokens", rows=200)
    every = (ring, tokens, pictures, numbers, table(rng.standard_normal((80, 3))))
    return [evaluate(giving(data.array), data) for data in every]


def test_every_measure_has_its_sentence_and_every_sentence_its_measure(results):
    measures = [name for result in results for name in result]
    assert [name for name in measures if not meanings_of([name])] == []
    assert set(meanings_of(measures)) == set(MEANINGS)


def test_every_figure_stands_beside_its_ceiling(results):
    for result in results:
        assert [name for name, values in result.items() if not {"generated", "real"} <= set(values)] == []


def test_reports_fit_a_narrow_terminal(results):
    for result in results:
        report = format_report(result)
        assert max(map(len, report.splitlines())) <= 79
        assert all(title in report for title in GROUPS if meanings_of(result).keys() & GROUPS[title].keys())


@pytest.mark.parametrize("measure", [name for name in MEANINGS if name != "samples"])
def test_a_sentence_says_which_way_is_better(measure):
    assert MEANINGS[measure].endswith((HIGHER, LOWER, NEARER, PASSES))
    assert len(f"{measure}: {MEANINGS[measure]}") <= 120


@pytest.fixture
def page():
    path = Path(__file__).parents[2] / "docs" / "evaluate.md"
    if not path.is_file():
        pytest.skip("the checkout is not here: only the wheel is tested")
    return path.read_text(encoding="utf-8")


def test_the_page_lists_them(page):
    rows = re.findall(r"^\| `(.*)` \| (.*) \|$", page, re.MULTILINE)
    assert dict(rows) == MEANINGS


def test_the_page_lists_every_function_and_its_example_is_true(page, capsys):
    assert set(re.findall(r"`(evaluate_\w+)`", page)) == {
        name for name in evaluation.__all__ if "evaluate_" in name
    }
    (snippet,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(snippet, {})
    assert capsys.readouterr().out.strip() == snippet.partition("# ")[2].strip()
