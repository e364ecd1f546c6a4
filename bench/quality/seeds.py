"""Trains a recipe once a seed, measures each generator, and keeps the figures in ``bench/quality/results``."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.machine import machine
from fastgan import recipe as recipes
from fastgan.atomic import write_atomically
from fastgan.recipe import Recipe

FOLDER = Path(__file__).parent / "results"
RECIPES = Path(__file__).parent / "recipes"
"""Recipes that are measured beside the packaged ones."""


@dataclass(frozen=True)
class Row:
    """One training.

    Parameters
    ----------
    seed, steps : of the training
    threads : asked for; 0: as many as are fastest
    seconds : of training alone; data, compiling, pictures and measuring are not in it
    figures : measure -> whose rows (``generated``, ``real`` ...) -> value, of `fastgan.evaluation.evaluate`
    """

    seed: int
    steps: int
    threads: int
    seconds: float
    figures: dict[str, dict[str, float | None]]


@dataclass(frozen=True)
class Stored:
    """All trainings of one recipe, and where they were made."""

    recipe: str
    machine: dict[str, Any]
    rows: list[Row]

    @classmethod
    def read(cls, path: Path) -> Stored:
        """Read what `write` wrote."""
        values = json.loads(path.read_text(encoding="utf-8"))
        rows = [Row(**row) for row in values.pop("rows")]
        return cls(**values, rows=rows)

    def write(self, folder: Path = FOLDER) -> Path:
        """Write ``<recipe>.json`` in `folder`, a line for each row; the file's path."""
        path = folder / f"{self.recipe}.json"
        head = {"recipe": self.recipe, "machine": self.machine}
        lines = ",\n".join(json.dumps(asdict(row)) for row in self.rows)
        text = json.dumps(head, indent=1, ensure_ascii=False)[:-2] + f',\n "rows": [\n{lines}\n]\n}}\n'
        write_atomically(path, text.encode())
        return path


def changed_recipe(name: str, changes: Sequence[str]) -> Recipe:
    """The recipe `name`, packaged or of `RECIPES`, with ``section.key=value`` changes."""
    own = RECIPES / f"{name}.toml"
    recipe = recipes.override(recipes.load(str(own) if own.exists() else name), *changes)
    recipes.check(recipe)
    return recipe


def train_seeds(name: str, seeds: Sequence[int], changes: Sequence[str] = ()) -> Iterator[Row]:
    """Train and measure the recipe `name` with each of `seeds`; data are drawn from the seed as well."""
    from fastgan.data import load_test_split
    from fastgan.evaluation import evaluate
    from fastgan.run import load_data
    from fastgan.trainer import Trainer

    for seed in seeds:
        recipe = changed_recipe(name, [*changes, f"run.seed={seed}"])
        dataset = load_data(recipe)
        trainer = Trainer(recipe.gan, dataset, keep_history=False)
        steps = recipe.run.steps or recipe.run.epochs * trainer.steps_per_epoch
        trainer.compile()
        started = time.perf_counter()
        trainer.train(steps)
        seconds = round(time.perf_counter() - started, 2)
        test = load_test_split(recipe.data.source, recipe.data.path)
        # Measured with the training's seed, so that the mean of real rows is one of as many draws.
        figures = evaluate(trainer.generator.sample_classes, dataset, test, seed)
        yield Row(seed, trainer.step, recipe.gan.threads, seconds, figures)


def measure(name: str, seeds: Sequence[int], changes: Sequence[str] = ()) -> Iterator[Stored]:
    """All trainings so far, after each."""
    where, rows = machine(), []
    for row in train_seeds(name, seeds, changes):
        rows.append(row)
        yield Stored(name, where, list(rows))
