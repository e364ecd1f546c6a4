"""What the benchmarks share: the results of the run, contests made once, and pytest-benchmark's table of them.

Contenders run by turns, in processes of their own, all before the first test of a size: `bench.rounds`. Each test then
replays the times of one contender into pytest-benchmark, whose clock `CLOCK` moves by what was measured and
otherwise stands still.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.report import steps_table
from bench.results import Results, Row, Stored, contest_rows
from bench.rounds import OURS, Measured, contest
from bench.sizes import Size

RESULTS = pytest.StashKey[Results]()
WRITTEN = pytest.StashKey[Path]()


class Clock:
    """A clock that stands still but for `advance`."""

    def __init__(self) -> None:
        self.now = 0.0

    def read(self) -> float:
        """Seconds."""
        return self.now

    def advance(self, seconds: Iterator[float]) -> None:
        """Go on by the next of these; pytest-benchmark calls once more than it asks the time."""
        self.now += next(seconds, 0.0)


CLOCK = Clock()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.benchmark(timer=CLOCK.read))
        # Where a measurement fails, that its benchmark was not used is no second error.
        item.add_marker(pytest.mark.filterwarnings("ignore:Benchmark fixture was not used"))


@pytest.fixture(scope="session")
def results(pytestconfig: pytest.Config) -> Iterator[Results]:
    """Where rows go; written at the end, also of a run that was stopped."""
    found = Results()
    yield found
    if found.rows:
        pytestconfig.stash[WRITTEN] = found.write()


@pytest.fixture
def replay(benchmark: Any) -> Callable[..., None]:
    """Show times that were measured already: ``replay(group, seconds, **extra)``."""

    def show(group: str, seconds: Sequence[float], **extra: Any) -> None:
        benchmark.group = group
        benchmark.extra_info.update(extra)
        benchmark.pedantic(CLOCK.advance, args=(iter(seconds),), rounds=len(seconds))

    return show


@pytest.fixture(scope="session")
def contested(
    request: pytest.FixtureRequest, results: Results, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., dict[str, Measured]]:
    """Contests, each made once: ``contested(benchmark, label, size, contenders, **options of contest)``.

    Contenders that no test asks for are left out, but for fastgan, which every ratio needs.
    """
    made: dict[tuple[str, str], dict[str, Measured]] = {}

    def once(
        benchmark: str, label: str, size: Size, contenders: Sequence[str], **options: Any
    ) -> dict[str, Measured]:
        key = benchmark, label
        if key not in made:
            callspecs = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
            asked = {params["contender"] for params in callspecs if "contender" in params}
            chosen = [name for name in contenders if name in asked or name == OURS]
            floor = options.pop("floor", False) and "floor" in asked
            folder = tmp_path_factory.mktemp("problem")
            made[key] = {}  # a contest that fails does so once
            made[key], missing = contest(size, chosen, folder, floor=floor, **options)
            results.rows += contest_rows(benchmark, label, made[key])
            results.missing |= missing
        return made[key]

    return once


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    path = config.stash.get(WRITTEN, None)
    if path is None:
        return
    stored = Stored.read(path)
    terminalreporter.section("results")
    if stored.of("step"):
        terminalreporter.write_line(steps_table(stored))
    for name, reason in stored.missing.items():
        terminalreporter.write_line(f"left out: {name}: {reason}")
    terminalreporter.write_line(f"written to {path}; python -m bench.report makes tables and a chart of it")


def add_row(results: Results, *values: Any, **more: Any) -> None:
    """Add a row that no contest made."""
    results.rows.append(Row.of(*values, **more))
