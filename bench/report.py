"""Tables and a chart of measured speed: ``python -m bench.report [FILE] [--readme]``.

FILE is a run of ``bench/results``, the newest one with whole steps unless given. The tables go to standard output, the
chart to ``docs/speed.svg``; with ``--readme`` the table of whole steps goes between the marks in README.md.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from bench.results import Row, Stored, newest
from bench.sizes import STEPS

ROOT = Path(__file__).parents[1]
CHART = ROOT / "docs" / "speed.svg"
MARKS = "<!-- bench:begin -->\n", "<!-- bench:end -->"

OURS, FLOOR = "fastgan", "floor"
NAMES = {
    OURS: "**fastgan**",
    "fastgan numpy": "plain NumPy",
    "torch eager": "PyTorch, eager",
    "torch.compile": "PyTorch, `torch.compile`",
    "jax jit": "JAX, `jit`",
    "jax scan": "JAX, `lax.scan`",
    "keras": "Keras on TensorFlow",
    "keras predict": "Keras on TensorFlow, fakes by `predict`",
    "keras jax": "Keras on JAX",
    FLOOR: "floor",
}
"""Contenders as readers know them, in the order of tables; `plain` takes the marks off for charts."""


USED = ("numpy", "numba", "torch", "jax", "keras", "tensorflow", "tensorflow-cpu")
"""Packages whose versions the caption names."""


def plain(contender: str) -> str:
    """A contender's name without Markdown."""
    return re.sub(r"[*`]", "", NAMES.get(contender, contender))


def micros(value: float) -> str:
    """Microseconds to three digits: ``1,280``, ``83.4``."""
    digits = f"{value:.3g}"
    return f"{float(digits):,.0f}" if value >= 100 else f"{float(digits):g}"


def times(row: Row) -> str:
    """A ratio to two digits: ``18x``, ``1.8x``."""
    assert row.ratio is not None
    return f"{row.ratio:.0f}x" if row.ratio >= 9.95 else f"{row.ratio:.1f}x"


def in_order(contenders: set[str]) -> list[str]:
    """Known contenders as `NAMES` has them, then others."""
    known = list(NAMES)
    return sorted(contenders, key=lambda name: (known.index(name) if name in known else len(known), name))


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; all columns but the first are numbers."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def steps_table(stored: Stored) -> str:
    """Microseconds of a step, and the ratio to fastgan's; last the floor, and fastgan's share of it."""
    sizes = stored.of("step")
    contenders = in_order({name for rows in sizes.values() for name in rows})
    lines = []
    for name in contenders:
        line = ["the floor (fastgan's share)" if name == FLOOR else NAMES.get(name, name)]
        for rows in sizes.values():
            row = rows.get(name)
            if row is None:
                line.append("")
            elif name == OURS:
                line.append(f"**{micros(row.median)}**")
            elif row.ratio is None:
                line.append(micros(row.median))
            elif name == FLOOR:
                line.append(f"{micros(row.median)} ({row.ratio:.0%})")
            else:
                line.append(f"{micros(row.median)} ({times(row)})")
        lines.append(line)
    return markdown(["microseconds a step", *sizes], lines)


def caption(stored: Stored) -> str:
    """Where, how and with what the steps were measured."""
    machine, rows = stored.machine, [row for rows in stored.of("step").values() for row in rows.values()]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items() if name in USED)
    rounds = min(row.rounds for row in rows)
    vectors = f", {machine['vectors']}" if machine["vectors"] else ""
    missing = "; ".join(f"{plain(name)}: {reason}" for name, reason in stored.missing.items())
    return (
        f"Measured on {machine['cores']} cores ({machine['cpu']}{vectors}), {machine['os'].split()[0]}, "
        f"Python {machine['python']}, {versions}, at commit {machine['commit']}, {machine['date'].split()[0]}: "
        f"medians of {rounds} rounds by turns, everyone at its own best number of threads; in brackets how many times "
        f"as long as fastgan in the same round, median." + (f" Left out: {missing}." if missing else "")
    )


def section(stored: Stored) -> str:
    """What stands in README.md: the table, and its caption."""
    return f"{steps_table(stored)}\n\n{caption(stored)}\n"


def spread_table(stored: Stored) -> str:
    """Every row of the run with threads and spread."""
    lines = []
    for row in stored.rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.3g} ({row.ratio_p20:.3g} to {row.ratio_p80:.3g})"
        figures = f"{row.median:.4g} ({row.p20:.4g} to {row.p80:.4g}) {row.unit}"
        lines.append(
            [f"{row.benchmark}, {row.size}", row.contender, str(row.threads or "auto"), figures, ratio]
        )
    return markdown(["what", "contender", "threads", "median (p20 to p80)", "times fastgan's"], lines)


def into_readme(stored: Stored, readme: Path) -> None:
    """Write table and caption between the marks of a README."""
    text = readme.read_text(encoding="utf-8")
    sizes = stored.of("step")
    lacking = [
        f"{name} at {size}" for size in STEPS for name in (OURS, FLOOR) if name not in sizes.get(size, {})
    ]
    if lacking:
        raise SystemExit(f"{stored.path} lacks {lacking[0]}; give a whole run of bench/test_steps.py")
    if stored.machine["dirty"]:
        raise SystemExit(f"{stored.path} was made with changes that no commit has; commit them and run again")
    if any(text.count(mark) != 1 for mark in MARKS):
        raise SystemExit(f"{readme}: expected one {MARKS[0].strip()} and one {MARKS[1]}")
    before, _, rest = text.partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    readme.write_text(f"{before}{MARKS[0]}{section(stored)}{MARKS[1]}{after}", encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    """Print the tables of a run, draw its chart, and with --readme write its table into README.md."""
    parser = argparse.ArgumentParser(prog="python -m bench.report", description=__doc__.partition("\n")[0])
    parser.add_argument("file", nargs="?", type=Path, help="a run of bench/results; the newest unless given")
    parser.add_argument("--readme", action="store_true", help="write the table of steps into README.md")
    parser.add_argument("--chart", type=Path, default=CHART, help="where the picture goes, .svg or .png")
    given = parser.parse_args(arguments)
    try:
        path = given.file or newest()
        if path is None:
            sys.exit("bench/results has no run with whole steps; make one with: make bench")
        stored = Stored.read(path)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    if not stored.of("step"):
        sys.exit(f"{path} has no whole steps; make a run with: pytest bench/test_steps.py --benchmark-only")
    if given.chart.suffix not in (".svg", ".png"):
        sys.exit(f"{given.chart} is no name for a chart; it must end in .svg or .png")
    print(section(stored), spread_table(stored), sep="\n")
    from bench.chart import draw_steps

    draw_steps(stored, given.chart)
    print(f"\n{path} -> {given.chart}")
    if given.readme:
        into_readme(stored, ROOT / "README.md")


if __name__ == "__main__":
    main()
