"""Train recipes over seeds and say what they reach: ``python -m bench.quality [RECIPE ...] [--seeds N] [--readme]``.

Results replace ``bench/quality/results/<recipe>.json`` after every seed. With ``--set`` a change of the recipe is
tried, and nothing is kept. Without recipes nothing is trained, and the table is that of the files.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.quality.goals import GOALS
from bench.quality.seeds import measure
from bench.quality.table import into_readme, section, table

README = Path(__file__).parents[2] / "README.md"


def main(arguments: list[str] | None = None) -> None:
    """Train, print a table after each seed, and with --readme write the table of all results into README.md."""
    parser = argparse.ArgumentParser(prog="python -m bench.quality", description=__doc__.partition("\n")[0])
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help=f"of {', '.join(GOALS)}")
    parser.add_argument("--seeds", type=int, default=10, help="trainings of each, from seed 0 on")
    parser.add_argument("--threads", type=int, default=0, help="of a training; 0: as many as are fastest")
    parser.add_argument("--set", action="append", default=[], help="section.key=value; keeps no results")
    parser.add_argument("--readme", action="store_true", help="write the table into README.md")
    given = parser.parse_args(arguments)
    for name in given.recipes:
        if name not in GOALS:
            parser.error(f"no goals for {name!r}; give some of {', '.join(GOALS)}")
        for stored in measure(name, range(given.seeds), [*given.set, f"run.threads={given.threads}"]):
            print(table([stored]), flush=True)
            if not given.set:
                stored.write()
    if given.readme:
        into_readme(README)
    elif not given.recipes:
        print(section())


if __name__ == "__main__":
    main()
