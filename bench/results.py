"""Measurements as rows of JSON: one file a run in ``bench/results``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.machine import machine
from bench.rounds import OURS, Measured, Summary, table_rows
from fastgan.atomic import write_atomically

FOLDER = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Row:
    """One figure.

    Parameters
    ----------
    benchmark : what was measured: "step", "batch", "width", "rows", "threads", "op", "start-up" or "memory"
    size : of what: a name of `bench.sizes`, or a value of what was varied
    contender : who; threads : on how many
    unit : of median and of the quantiles p20 and p80 over the rounds
    ratio, ratio_p20, ratio_p80 : contender's time over fastgan's, pair by pair; None where there is no such pair
    description : versions and settings
    detail : more figures: errors of the gradients that were checked, or what a floor consists of
    """

    benchmark: str
    size: str
    contender: str
    threads: int
    unit: str
    median: float
    p20: float
    p80: float
    rounds: int
    ratio: float | None = None
    ratio_p20: float | None = None
    ratio_p80: float | None = None
    description: str = ""
    detail: Any = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        benchmark: str,
        size: str,
        contender: str,
        figures: Summary,
        rounds: int,
        *,
        unit: str = "us",
        threads: int = 1,
        ratio: Summary | None = None,
        description: str = "",
        detail: Any = None,
    ) -> Row:
        """A row from summaries, rounded to 5 digits."""
        numbers = [figures.median, figures.p20, figures.p80]
        median, p20, p80 = (float(f"{each:.5g}") for each in numbers)
        pairs = [ratio.median, ratio.p20, ratio.p80] if ratio else []
        r, r20, r80 = [float(f"{each:.5g}") for each in pairs] or [None] * 3
        return cls(
            benchmark,
            size,
            contender,
            threads,
            unit,
            median,
            p20,
            p80,
            rounds,
            r,
            r20,
            r80,
            description,
            detail or {},
        )


def contest_rows(benchmark: str, size: str, found: Mapping[str, Measured], to: str = OURS) -> list[Row]:
    """The rows of one contest, with ratios to one contender."""
    rows = []
    for name, (figures, ratio) in table_rows(found, to).items():
        each = found[name]
        rows.append(
            Row.of(
                benchmark,
                size,
                name,
                figures,
                len(each.seconds),
                threads=each.threads,
                ratio=ratio,
                description=each.description,
                detail=each.detail or {"gradient errors": each.errors},
            )
        )
    return rows


class Results:
    """The rows of one run, and who was missing."""

    def __init__(self) -> None:
        self.machine = machine()
        self.rows: list[Row] = []
        self.missing: dict[str, str] = {}

    def write(self, folder: Path = FOLDER) -> Path:
        """Write ``<date>-<commit>.json``, "dirty" where the checkout was changed; the file's path."""
        folder.mkdir(parents=True, exist_ok=True)
        date = self.machine["date"].removesuffix(" UTC").replace(" ", "-").replace(":", "")
        dirty = "-dirty" if self.machine["dirty"] else ""
        path = folder / f"{date}-{self.machine['commit'] or 'unknown'}{dirty}.json"
        run = {"machine": self.machine, "missing": self.missing}
        lines = ",\n".join(json.dumps(asdict(row)) for row in self.rows)
        text = json.dumps(run, indent=1)[:-2] + f',\n "rows": [\n{lines}\n]\n}}\n'
        write_atomically(path, text.encode())
        return path


@dataclass(frozen=True)
class Stored:
    """A run that was read back."""

    path: Path
    machine: dict[str, Any]
    missing: dict[str, str]
    rows: list[Row]

    @classmethod
    def read(cls, path: Path) -> Stored:
        """Read what `Results.write` wrote; `ValueError` naming the file where it is something else."""
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            return cls(path, values["machine"], values["missing"], [Row(**row) for row in values["rows"]])
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{path} is not a run of bench ({error}); delete it, or give another") from None

    def of(self, benchmark: str) -> dict[str, dict[str, Row]]:
        """Rows of one benchmark, by size and contender, in their order."""
        found: dict[str, dict[str, Row]] = {}
        for row in self.rows:
            if row.benchmark == benchmark:
                found.setdefault(row.size, {})[row.contender] = row
        return found


def newest(folder: Path = FOLDER) -> Path | None:
    """The newest run with whole steps in it; names begin with the date."""
    for path in sorted(folder.glob("*.json"), reverse=True):
        if Stored.read(path).of("step"):
            return path
    return None
