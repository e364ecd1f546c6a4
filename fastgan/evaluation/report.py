"""A result as a page for people."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterator

from fastgan.errors import one_line
from fastgan.evaluation.meanings import GROUPS, meanings_of
from fastgan.evaluation.measures import Result

PAGE_WIDTH, LEAST_NAME = 79, 20


def format_report(result: Result) -> str:
    """Return `result` as aligned tables, one for each group of measures, a column for each sampler measured.

    Below each stands what its measures mean, dim where stdout is a terminal.
    """
    who = list(dict.fromkeys(name for column in result.values() for name in column))
    cells = {
        name: [format_number(column[one]) if one in column else "" for one in who]
        for name, column in result.items()
    }
    widths = [max(map(len, column)) for column in zip(who, *cells.values(), strict=True)]
    first = min(max(map(len, result)), max(LEAST_NAME, PAGE_WIDTH - sum(widths) - 2 * len(widths)))
    lines = [_line("", who, first, widths)]
    for title, names in _by_group(result):
        lines += ["", title] if title else []
        lines += [_line(name, cells[name], first, widths) for name in names]
        lines += [_dim(line) for line in _explain(names)]
    return "\n".join(lines)


def format_number(value: float | None) -> str:
    """Four digits, whole numbers whole, and a dash for None."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value == round(value) and abs(value) < 1e9 else f"{value:.4g}"


def _by_group(result: Result) -> Iterator[tuple[str, list[str]]]:
    """Titles with their measures, in the order of the result; measures that no group knows come first."""
    grouped: dict[str, list[str]] = {}
    for name in result:
        title = next(
            (title for title, group in GROUPS.items() if meanings_of([name]).keys() & group.keys()), ""
        )
        grouped.setdefault(title, []).append(name)
    yield from grouped.items()


def _explain(names: list[str]) -> Iterator[str]:
    for measure, meaning in meanings_of(names).items():
        text = f"{measure.rstrip(', *')}: {meaning}"
        yield from textwrap.wrap(text, PAGE_WIDTH, initial_indent="  ", subsequent_indent="    ")


def _line(name: str, cells: list[str], first: int, widths: list[int]) -> str:
    name = one_line(name)  # a column's, which a file may call what it will
    name = name if len(name) <= first else f"{name[: first - 3]}..."
    return "  ".join([name.ljust(first), *map(str.rjust, cells, widths)]).rstrip()


def _dim(text: str) -> str:
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    is_dim = sys.stdout.isatty() and not plain
    return f"\x1b[2m{text}\x1b[0m" if is_dim else text
