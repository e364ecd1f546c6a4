"""Keep the best generator of a training, by a measure of its samples, and stop when it gets no better."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fastgan.errors import Damaged, UserError
from fastgan.json_rows import Row, figure, read_rows, write_rows
from fastgan.knobs import is_integer
from fastgan.looks import EVERY, Looks, affordable
from fastgan.quality import check_metric

if TYPE_CHECKING:
    from fastgan.generator import Generator
    from fastgan.trainer import Trainer

_SEED = 0xBE57


class Best(Looks):
    """Measures samples of the same latent vectors at each look, and keeps the generator that did best.

    Parameters
    ----------
    metric : one of `fastgan.quality.METRICS`
    every : steps from one look to the next
    patience : looks without a new best after which the training stops; 0: never
    path : file for the best generator, written whenever there is a better one; the course of the measure stands beside
        it in a file of the same name that ends in ``.jsonl``, from which a resumed training knows the best so far
    say : called with one line at the end, and when the training stops for want of improvement

    Attributes
    ----------
    best : the row of the best look
    generator : the best one
    rows, history : each look's value, under the metric's name
    """

    def __init__(
        self,
        metric: str = "sliced_wasserstein",
        every: int = EVERY,
        patience: int = 0,
        path: str | Path | None = None,
        say: Callable[[str], None] | None = None,
    ):
        self.file = None if path is None else Path(path)
        if self.file is not None and self.file.suffix != ".safetensors":
            raise UserError(f"path is {path}; it must end in .safetensors")
        super().__init__(every, self.file and self.file.with_suffix(".jsonl"), say)
        if not (is_integer(patience) and patience >= 0):
            raise UserError(f"patience is {patience!r}; it must be a whole number of looks, 0 or more")
        self.metric, self.patience = metric, int(patience)
        self.higher = check_metric(metric).higher
        self.columns = ("epoch", metric)
        self._kept: tuple[int, Generator] | None = None  # the best one and its step
        self._best: Row | None = None
        self._trainer: Trainer | None = None
        self._anew = 0  # looks after which patience began
        self._ahead = False  # whether there were looks, of steps that are not made any more

    @property
    def best(self) -> Row | None:
        """The row of the best look; None before there was one. Where training went back, it may be none of `rows`."""
        return self._best

    @property
    def generator(self) -> Generator:
        """The best generator so far; `UserError` before there is one."""
        best = self.best
        if best is None:
            raise UserError(f"there is no best generator yet; the first look is at step {self.every}")
        if self._kept is not None and self._kept[0] == best["step"]:
            return self._kept[1]
        if self.file is None:
            raise UserError(
                f"the generator of step {best['step']} is not in memory any more; give Best a path"
            )
        from fastgan.gan import load

        return load(self.file)

    def start(self, trainer: Trainer, last: int) -> None:
        # Of a training that was killed, looks that are ahead of its checkpoint will be made again.
        self._ahead = self.path is not None and bool(read_rows(self.path, {"step", *self.columns}))
        super().start(trainer, last)
        if self.best is None and self.next_step(trainer.step) > last:
            self.say(
                f"no best generator will be kept, for the first look is at step {self.next_step(trainer.step):,} and "
                f"the training ends at {last:,}; look more often, or train longer"
            )

    def prepare(self, trainer: Trainer) -> None:
        from fastgan.evaluation.rows import draw_labels

        dataset, metric = trainer.dataset, check_metric(self.metric, trainer.dataset)
        self._count = min(affordable(dataset.spec, metric.rows), len(dataset))
        self._measure = metric.prepare(dataset, self._count)
        self._classes = draw_labels(dataset, self._count, np.random.default_rng(_SEED))
        if trainer is not self._trainer:  # else what was best stays so, though a divergence made it go back
            self._trainer, self._best = trainer, None
            for row in self.rows:
                self._note(row)
            if self.file is not None and trainer.step:
                self._check_kept(self.file)
        # Who trains on after a stop for want of patience has some again.
        self._anew = len(self.rows) if self.patience and self._waited() >= self.patience else 0

    def _check_kept(self, file: Path) -> None:
        """Say where the best generator so far is lost, or how good it is, and begin the looks anew.

        One that is better than it was may never come.
        """
        from fastgan.gan import load

        course, lost = file.with_suffix(".jsonl"), ""
        if file.exists():
            try:
                load(file)
                if self.best is None and not self._ahead:
                    lost = f"{course} does not say how good {file.name} is by {self.metric}"
            except Damaged as error:
                lost = error.what
        elif self.best is not None:
            lost = f"{file} is missing"
        if lost:
            self.say(f"{lost}; the best generator is looked for anew")
            self.rows, self._best = [], None
            write_rows(course, self.rows)

    def look(self, trainer: Trainer) -> Row:
        classes = self._classes if len(self._classes) else None
        samples = trainer.generator.sample_classes(self._count, classes, _SEED)
        value = figure(self._measure(samples, self._classes))
        if self._better(value, self.best):
            self._kept = trainer.step, trainer.generator.copy()
            if self.file is not None:  # before its row: a row whose generator a crash took would be believed
                trainer.generator.save(self.file)
        return {self.metric: value}

    def take(self, trainer: Trainer) -> None:
        super().take(trainer)
        self._note(self.rows[-1])
        trainer.stopped |= bool(self.patience) and self._waited() >= self.patience

    def finish(self, trainer: Trainer) -> None:
        """Say which look was best, and whether that ended the training."""
        best, said = self.best, f"step {trainer.step:,}: "
        if self.patience and self._waited() >= self.patience:
            said += f"stopped early, for {self.metric} did not improve in {self.patience} looks; "
        if best is None:
            first = f"the first look is at step {self.next_step(trainer.step):,}"
            said += f"no best generator was kept, for {'none had a finite ' + self.metric if self.rows else first}"
        else:
            said += f"best {self.metric} {best[self.metric]:.4g} at step {best['step']:,}"
            said += f", kept in {self.file}" if self.file else ""
        self.say(said)

    def _note(self, row: Row) -> None:
        if self._better(row[self.metric], self._best):
            self._best = row

    def _better(self, value: float, best: Row | None) -> bool:
        if best is None:
            return bool(np.isfinite(value))
        return value > best[self.metric] if self.higher else value < best[self.metric]

    def _waited(self) -> int:
        """Looks since the best one."""
        best = self.best
        since = self.rows.index(best) + 1 if best in self.rows else 0
        return len(self.rows) - max(since, self._anew)
