"""The table of what recipes reach, made of results alone; ``--readme`` puts it between the marks in README.md."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.quality.goals import GOALS, Goal, at_least
from bench.quality.seeds import FOLDER, Stored
from bench.report import markdown

MARKS = "<!-- quality:begin -->\n", "<!-- quality:end -->"


class Reached(NamedTuple):
    """Mean over seeds, its standard error (None of one seed), real rows' mean, whether the goal is met, and seeds."""

    mean: float
    error: float | None
    real: float | None
    met: bool
    seeds: int


def reached(goal: Goal, stored: Stored) -> Reached | None:
    """What a recipe reached of one goal, over the seeds in which its measure could be taken; None where in none."""
    found = [row.figures[goal.measure] for row in stored.rows if goal.measure in row.figures]
    found = [each for each in found if each["generated"] is not None]
    if not found:
        return None
    reals = [each.get("real", each.get("perfect sampler")) for each in found]
    values = [each["generated"] for each in found]
    if goal.beside:
        values = [goal.beside(value, real) for value, real in zip(values, reals, strict=True)]
        reals = []
    mean = float(np.mean(values))
    error = float(np.std(values, ddof=1) / math.sqrt(len(values))) if len(values) > 1 else None
    reals = [each for each in reals if each is not None]
    real = float(np.mean(reals)) if reals else None
    return Reached(mean, error, real, goal.holds(mean, goal.bound), len(values))


def number(goal: Goal, value: float) -> str:
    """A value of the goal's measure as it is shown."""
    return f"{100 * value:.{goal.digits}f} %" if goal.percent else f"{value:.{goal.digits}f}"


def line(name: str, goal: Goal, stored: Stored) -> list[str]:
    """A row of the table, the recipe named as `name`."""
    got = reached(goal, stored)
    sign = "≥" if goal.holds is at_least else "≤"
    bound = f"{sign} {number(goal, goal.bound)}" if math.isfinite(goal.bound) else ""
    if got is None:
        return [name, goal.name or goal.measure, "not measured", bound, "", goal.published]
    error = "" if got.error is None else f" ± {number(goal, got.error).removesuffix(' %')}"
    mean = number(goal, got.mean)
    of = "" if got.seeds == len(stored.rows) else f" of {got.seeds} seeds"
    shown = f"{mean.removesuffix(' %')}{error}{' %' if goal.percent else ''}{of}"
    real = "" if got.real is None else number(goal, got.real)
    return [
        name,
        goal.name or goal.measure,
        shown if not bound else f"**{shown}**" if got.met else f"{shown} (missed)",
        bound,
        real,
        goal.published,
    ]


def seconds(stored: Stored) -> str:
    """Seeds and the time of a training: ``10 seeds, 23 s each``."""
    middle = float(np.median([row.seconds for row in stored.rows]))
    count = len(stored.rows)
    time = f"{middle:.0f} s" if middle < 120 else f"{middle / 60:.0f} min"
    return f"{count} seed{'s' if count > 1 else ''}, {time}"


def table(results: Sequence[Stored]) -> str:
    """Every goal of every recipe that was measured."""
    lines = [
        line(f"`{each.recipe}` ({seconds(each)})" if place == 0 else "", goal, each)
        for each in results
        for place, goal in enumerate(GOALS[each.recipe])
    ]
    head = ["recipe", "measure", "fastgan", "goal", "real rows", "published"]
    return re.sub("---:", "---", markdown(head, lines))


def caption(results: Sequence[Stored]) -> str:
    """Where and when they were measured."""
    machines = [each.machine for each in results]
    commits = ", ".join(dict.fromkeys(each["commit"] for each in machines))
    threads = sorted({row.threads for each in results for row in each.rows})
    used = " or ".join("as many threads as are fastest" if n == 0 else f"{n} thread" for n in threads)
    last = max(each["date"] for each in machines).split()[0]
    first = machines[0]
    processors = " or ".join(dict.fromkeys(each["cpu"] for each in machines))
    return (
        f"Mean over seeds ± standard error; in brackets the median time of a training, with {used}, on a machine of "
        f"{first['cores']} cores ({processors}) that others used as well. Commit {commits}, {last}. A goal is met by "
        "the mean; real rows are ones not trained on, measured in the same way. Published: Lin et al. 2018, table 1, "
        "10 runs; PacGAN is the best of its three sizes in each row."
    )


def section(folder: Path = FOLDER) -> str:
    """What stands in README.md: the table of all results in `folder`, and its caption."""
    results = [Stored.read(path) for name in GOALS if (path := folder / f"{name}.json").exists()]
    return f"{table(results)}\n\n{caption(results)}\n"


def into_readme(readme: Path, folder: Path = FOLDER) -> None:
    """Write table and caption between the marks of a README."""
    text = readme.read_text(encoding="utf-8")
    if any(text.count(mark) != 1 for mark in MARKS):
        raise SystemExit(f"{readme}: expected one {MARKS[0].strip()} and one {MARKS[1]}")
    before, _, rest = text.partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    readme.write_text(f"{before}{MARKS[0]}{section(folder)}{MARKS[1]}{after}", encoding="utf-8")
