"""Runs what gpu-check does in an interpreter that has nothing but the packages that it names, and what these need."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from importlib.metadata import packages_distributions, requires
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

NAMED = ("numpy", "numba", "numba-cuda", "pytest")
"""And CuPy, which the simulator does without."""

TESTS = "mse-joint or raw or checkpoint"


def with_what_they_need(names: tuple[str, ...]) -> set[str]:
    """The packages, and those that they depend on."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            needed = map(Requirement, requires(name) or [])
            waiting += [
                each.name for each in needed if not each.marker or each.marker.evaluate({"extra": ""})
            ]
    return found


class Without(MetaPathFinder):
    """Finds no module of any other package."""

    def __init__(self, packages: set[str]):
        self.owners, self.packages = packages_distributions(), packages

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """Say that a module is not there, or leave it to others to find."""
        owners = {each.lower() for each in self.owners.get(name.partition(".")[0], [])} - {"fastgan"}
        if owners and not owners & self.packages:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def main(folder: str) -> int:
    """Make a problem in a folder, and run some tests."""
    sys.meta_path.insert(0, Without(with_what_they_need(NAMED)))
    import pytest

    import bench.gpu_check  # noqa: F401
    from bench.problem import make_problem
    from bench.sizes import SEQ8

    make_problem(SEQ8, Path(folder) / "problem.npz")
    files = [str(Path(__file__).with_name(f"test_{each}.py")) for each in ("backend", "ops", "embedding")]
    return pytest.main(["-q", "-p", "no:cacheprovider", "-W", "default", "-k", TESTS, *files])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
