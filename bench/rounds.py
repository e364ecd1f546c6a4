"""Contenders by turns: each in its own process, each at its own best number of threads, all in every round.

A machine's speed drifts, so only times of the same round are compared: a ratio is computed in each round, and its
median over the rounds is what counts.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.floor import BLAS, TORCH, Floor
from bench.problem import make_problem
from bench.sizes import Size

ROOT = Path(__file__).parents[1]
OURS = "fastgan"

MOST_ERROR = 1e-4
"""Of the largest gradient; a contender whose gradients are further from fastgan's does other work."""

MOST_IDLE = 0.1
"""Of the time between its turns that a contender may compute: a thread that never sleeps uses all of it."""

EVEN = 0.03
"""Part of its time that a number of threads must save to be preferred to a smaller one."""

TRIAL = 0.15
"""Seconds of each of the runs that decide on a number of threads."""

PATIENCE = 600.0
"""Seconds for an answer of a contender, compiling included; one that takes longer is ended."""


@dataclass(frozen=True)
class Summary:
    """Median and spread of one figure over the rounds."""

    median: float
    p20: float
    p80: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Summary:
        """Of at least one value."""
        p20, median, p80 = np.quantile(values, [0.2, 0.5, 0.8])
        return cls(float(median), float(p20), float(p80))


def ratios(theirs: Sequence[float], ours: Sequence[float]) -> Summary:
    """How many times as long as ours theirs took: pair by pair, a pair being two turns of one round."""
    return Summary.of([a / b for a, b in zip(theirs, ours, strict=True)])


@dataclass
class Measured:
    """One contender's rounds."""

    contender: str
    threads: int
    description: str
    seconds: list[float] = field(default_factory=list)
    errors: dict[str, float] = field(default_factory=dict)
    detail: list[dict[str, Any]] = field(default_factory=list)


class MissingError(Exception):
    """A contender cannot be had here; the message says why."""


class ContestError(Exception):
    """A contender does something else than fastgan, or disturbs the others."""


class Worker:
    """A contender's process, once it is started."""

    def __init__(self, contender: str, problem: Path, threads: int, patience: float = PATIENCE):
        self.contender, self.problem, self.threads = contender, problem, threads
        self.patience = patience
        self.process: subprocess.Popen[str] | None = None
        self.ready = self.closed = False

    def start(self) -> Worker:
        """Start the process; return when its gradients are found right and its first step is made."""
        self.stderr = tempfile.TemporaryFile("w+")  # a pipe that nobody reads would stop its writer
        path = [str(ROOT), str(ROOT / "kernels"), os.environ.get("PYTHONPATH", "")]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.worker", self.contender, str(self.problem), str(self.threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.stderr,
            text=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, path))},
        )
        self.rested, self.idle, self.rest = time.perf_counter(), 0.0, 0.0
        try:
            first = self._read()
            if "missing" in first:
                raise MissingError(first["missing"])
            checked = self._ask(do="check")
            self.description, self.errors = checked["description"], checked["errors"]
            if max(self.errors.values(), default=0.0) > MOST_ERROR:
                raise ContestError(f"{self.contender}: gradients are off by {self.errors} of the largest one")
            self._ask(do="warm up")
            self.ready = True
            if self.closed:  # by another thread, while this one was here
                raise ContestError(f"{self.contender} was stopped")
        except BaseException:
            self.ready = True
            self.close()
            raise
        return self

    def run(self, steps: int, most: float) -> float:
        """Seconds a step, over about this many, or as many as end in `most` seconds."""
        answer = self._ask(do="run", steps=steps, most=most)
        return float(answer["seconds"]) / int(answer["steps"])

    def measure(self) -> dict[str, Any]:
        """What half a floor measures: seconds of each piece of work by each way to do it."""
        return dict(self._ask(do="measure")["times"])

    def close(self) -> None:
        """End the process; where another thread is starting it, that thread's `start` fails and does the rest."""
        self.closed = True
        if self.process is not None:
            self.process.kill()
            if self.ready:
                self.process.communicate()
                self.stderr.close()

    def _ask(self, **request: Any) -> dict[str, Any]:
        assert self.process is not None and self.process.stdin is not None
        rest = time.perf_counter() - self.rested
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # why is told below
        answer = self._read()
        if request["do"] in ("run", "measure"):
            self.idle, self.rest = self.idle + float(answer["idle"]), self.rest + rest
        self.rested = time.perf_counter()
        return answer

    def _read(self) -> dict[str, Any]:
        assert self.process is not None and self.process.stdout is not None
        watch = threading.Timer(self.patience, self.process.kill)
        watch.start()
        line = self.process.stdout.readline()
        late = not watch.is_alive()
        watch.cancel()
        if not line and late:
            raise ContestError(f"{self.contender} was ended, for it did not answer in {self.patience:g} s")
        if not line:
            self.stderr.seek(0)
            raise ContestError(f"{self.contender} ended: " + "\n".join(self.stderr.read().splitlines()[-15:]))
        return dict(json.loads(line))


def thread_counts(cores: int) -> list[int]:
    """Numbers of threads to try: powers of two, and all cores."""
    return sorted({cores, *(2**i for i in range(cores.bit_length()) if 2**i <= cores)})


def contest(
    size: Size,
    contenders: Sequence[str],
    folder: Path,
    *,
    rounds: int = 9,
    seconds: float = 0.4,
    threads: Sequence[int] = (),
    floor: bool = False,
    patience: float = PATIENCE,
) -> tuple[dict[str, Measured], dict[str, str]]:
    """Measure contenders by turns, each for about `seconds` a round; what was measured, and who is missing and why.

    Parameters
    ----------
    size : the work
    contenders : names of `bench.worker.CONTENDERS`
    folder : for the problem's file
    threads : numbers to try; powers of two up to all cores unless given
    floor : measure `bench.floor` as one more contender
    patience : seconds for an answer of a contender
    """
    from fastgan.backends import available_cores

    cores = available_cores()
    problem = folder / f"{size.name}.npz"
    make_problem(size, problem)
    counts = {OURS: [0]}  # it finds its own best number while it runs, as for its users
    wanted = [(name, n) for name in contenders for n in threads or counts.get(name, thread_counts(cores))]
    wanted += [(name, cores) for name in (BLAS, TORCH) if floor]
    workers = [Worker(name, problem, count, patience) for name, count in wanted]
    with ExitStack() as stack:
        for worker in workers:
            stack.callback(worker.close)
        missing = _start(workers, cores)
        started: dict[str, list[Worker]] = {}
        for worker in workers:
            if worker.contender not in missing:
                started.setdefault(worker.contender, []).append(worker)
        blas, torch = (started.pop(name, [None])[0] for name in (BLAS, TORCH))  # type: ignore[list-item]
        turns = {name: _best(workers) for name, workers in started.items()}
        found = {
            name: Measured(name, worker.threads, worker.description, errors=worker.errors)
            for name, (worker, _) in turns.items()
        }
        lower = Floor(size)
        halves = [half for half in (blas, torch) if half is not None]
        for name, times in by_turns(
            turns, rounds, seconds, lambda: floor and lower.add([half.measure() for half in halves])
        ).items():
            found[name].seconds = times
        check_idle([*(worker for worker, _ in turns.values()), *halves])
        if blas is not None:
            found["floor"] = Measured("floor", cores, lower.description, lower.seconds(), {}, lower.detail())
    return found, missing


def _start(workers: Sequence[Worker], at_once: int) -> dict[str, str]:
    """Start processes, so many at once, for each start is a core's work; which contenders are missing, and why."""
    missing = {}
    with ThreadPoolExecutor(at_once) as pool:
        starts = [pool.submit(worker.start) for worker in workers]
        try:
            for worker, start in zip(workers, starts, strict=True):
                try:
                    start.result()
                except MissingError as reason:
                    missing[worker.contender] = str(reason)
        except BaseException:  # Ctrl-C too: the pool waits for its threads, and these for their processes
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in workers:
                worker.close()
            raise
    return missing


def by_turns(
    turns: Mapping[str, tuple[Worker, float]],
    rounds: int,
    seconds: float,
    after: Callable[[], object] = lambda: None,
) -> dict[str, list[float]]:
    """Seconds a step of each worker in each round, of turns of about `seconds`; each round begins with another worker.

    `turns` has a worker and about how long its step takes, by a name; `after` is called at the end of each round.
    """
    found: dict[str, list[float]] = {name: [] for name in turns}
    order = list(turns)
    for each in range(rounds):
        first = each % len(order)
        for name in order[first:] + order[:first]:
            worker, step = turns[name]
            found[name].append(worker.run(math.ceil(seconds / step), 3 * seconds))
        after()
    return found


def check_idle(workers: Sequence[Worker]) -> None:
    """Raise `ContestError` for a worker that computed between its turns."""
    for worker in workers:
        if worker.idle > MOST_IDLE * worker.rest:
            raise ContestError(
                f"{worker.contender} computed {worker.idle:.2f} s in {worker.rest:.1f} s of rest"
            )


def estimate(workers: Sequence[Worker]) -> dict[Worker, float]:
    """About how many seconds a step of each takes, the median of five runs by turns."""
    steps = dict.fromkeys(workers, 4)
    for _ in range(2):
        steps = {worker: math.ceil(TRIAL / worker.run(steps[worker], 3 * TRIAL)) for worker in workers}
    runs = [{worker: worker.run(steps[worker], 3 * TRIAL) for worker in workers} for _ in range(5)]
    return {worker: statistics.median(run[worker] for run in runs) for worker in workers}


def _best(workers: Sequence[Worker]) -> tuple[Worker, float]:
    """The fastest worker, or one with fewer threads that is about as fast, and its seconds a step; the others end."""
    estimates = estimate(workers)
    least = min(estimates.values())
    best = next(each for each in workers if estimates[each] <= least * (1 + EVEN))
    for worker in workers:
        if worker is not best:
            worker.close()
    return best, estimates[best]


def table_rows(found: Mapping[str, Measured], to: str = OURS) -> dict[str, tuple[Summary, Summary | None]]:
    """Microseconds of each contender, and its ratio to one of them where that ran too."""
    ours = found[to].seconds if to in found else None
    return {
        name: (Summary.of([1e6 * s for s in each.seconds]), ratios(each.seconds, ours) if ours else None)
        for name, each in found.items()
    }
