"""Threads that run compiled steps together, as many and in such a way as turns out to be fastest."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from fastgan.build import build_duet, build_team
from fastgan.state import Gan
from fastgan.step import TRAIN
from fastgan.team import CANCELLED, GROUP

# A trial of another way takes this part of a call's time, seconds at least, and never more than half of its steps.
_TRIAL_SHARE, _TRIAL_SECONDS = 0.1, 0.002
# A way is tried again when all steps together have taken so many times what its last trial cost beyond the fastest way,
# and so many times what it took at all.
_COST, _PAUSE = 100, 20


class Crew:
    """Runs the actions of one GAN on threads; the results are the same bytes however many.

    Parameters
    ----------
    function : compiled `fastgan.step.perform`, which releases the GIL
    gan : what the threads share
    threads : 0 for the fastest number, measured as the training goes
    cores : threads at most
    """

    def __init__(self, function: Callable[..., None], gan: Gan, threads: int, cores: int):
        self.gan = gan
        self._function = function
        self._ways = ways(gan, threads, cores)
        self._paces: dict[int, Pace] = {}
        self._start()

    def _start(self) -> None:
        """Make the threads, and nothing that another process's threads are part of."""
        self._process = os.getpid()
        self._teams: dict[Way, list[Gan]] = {}
        self._others = ThreadPoolExecutor(max(way.threads for way in self._ways), "fastgan")

    def perform(self, action: int, data: np.ndarray, labels: np.ndarray, statistics: np.ndarray) -> None:
        """Call `fastgan.step.perform`."""
        pace = self._paces.get(action)
        if pace is None:
            able = [way for way in self._ways if action == TRAIN or not way.duet]
            pace = self._paces[action] = Pace(able)
        for turn in pace.plan(len(statistics)):
            started = time.perf_counter()
            self._run(turn.way, action, data, labels, statistics[turn.part])
            pace.record(turn, time.perf_counter() - started)

    def _run(
        self, way: Way, action: int, data: np.ndarray, labels: np.ndarray, statistics: np.ndarray
    ) -> None:
        if way.threads == 1:
            self._function(action, self.gan, data, labels, statistics)
            return
        if os.getpid() != self._process:  # forked: the threads stayed behind
            self._start()
        if way not in self._teams:
            self._teams[way] = build_duet(self.gan) if way.duet else build_team(self.gan, way.threads)
        first, *others = self._teams[way]
        for member in (first, *others):
            _copy_counts(self.gan, member)
        running = []
        try:
            for other in others:
                running.append(self._others.submit(self._function, action, other, data, labels, statistics))
            self._function(action, first, data, labels, statistics)
        except BaseException:  # such as Ctrl-C: the others must not wait for a thread that never comes
            for place in (first.team, first.duet):
                place.meetings[CANCELLED] = 1
            del self._teams[way]
            raise
        finally:
            for each in running:
                each.result()


def _copy_counts(source: Gan, target: Gan) -> None:
    """Copy what every thread counts for itself."""
    target.clock[0] = source.clock[0]
    for old, new in ((source.generator, target.generator), (source.discriminator, target.discriminator)):
        new.updates[0], new.rate[0] = old.updates[0], old.rate[0]


class Way(NamedTuple):
    """How threads share a step: its rows and parameters, or, in a duet, its players."""

    threads: int
    duet: bool = False


def ways(gan: Gan, threads: int, cores: int) -> list[Way]:
    """Ways to try: with each power of two of threads that have a group of rows each, up to a thread for every core.

    A number that is asked for stops at the cores too: more threads wait for each other a hundred times as long.
    """
    threads = min(threads, cores)
    if threads == 2:
        return [Way(2), Way(2, duet=True)]
    if threads:
        return [Way(threads)]
    most = max(1, min(cores, gan.real_rows // gan.pack // GROUP))
    numbers = [2**power for power in range(most.bit_length())]
    return [Way(number) for number in sorted({*numbers, most})] + [Way(2, duet=True)] * (cores > 1)


class Turn(NamedTuple):
    """Some steps of a call and the way they are made; whether they are a trial, and whether their time counts."""

    way: Way
    part: slice
    trial: bool
    counted: bool


class Pace:
    """Seconds that a step takes each way, as last measured, and which way to go next."""

    def __init__(self, ways: list[Way]):
        self.seconds: dict[Way, float] = {}
        self._ways = ways
        self._spent = 0.0  # seconds that all steps so far took
        self._due: dict[Way, float] = {}  # when, on that clock, a way may be tried again

    @property
    def fastest(self) -> Way:
        """The way of the least seconds; the first one before any was measured."""
        return min(self._ways, key=lambda way: self.seconds.get(way, math.inf))

    def plan(self, steps: int) -> Iterator[Turn]:
        """Share out the steps of one call: the fastest way and, now and then, a trial of another.

        A trial comes last, when caches are warm, and its first quarter does not count: threads that slept must wake.
        """
        if len(self._ways) == 1 or steps == 0:  # a call of no steps compiles
            yield Turn(self._ways[0], slice(0, steps), False, False)
            return
        way, trial = self._trial(steps)
        if trial < steps:
            yield Turn(self.fastest, slice(0, steps - trial), False, True)
        if trial > 0:
            counted = steps - trial + trial // 4
            if trial >= 4:
                yield Turn(way, slice(steps - trial, counted), True, False)
            yield Turn(way, slice(counted, steps), True, True)

    def _trial(self, steps: int) -> tuple[Way, int]:
        """The way to try in this call, and in how many of its steps; all of them where nothing is known yet."""
        fastest = self.fastest
        if fastest not in self.seconds:
            return fastest, steps
        others = [way for way in self._ways if way != fastest and self._due.get(way, 0.0) <= self._spent]
        if not others:
            return fastest, 0
        way = min(others, key=lambda way: self._due.get(way, 0.0))
        seconds = max(_TRIAL_SHARE * steps * self.seconds[fastest], _TRIAL_SECONDS)
        enough = math.ceil(seconds / self.seconds.get(way, self.seconds[fastest]))
        return way, max(1, min(enough, steps // 2))

    def record(self, turn: Turn, seconds: float) -> None:
        """Remember what a turn took; if longer a step than before, the mean of both, for other programs run too."""
        way, steps = turn.way, turn.part.stop - turn.part.start
        self._spent += seconds
        if turn.counted:
            each = seconds / steps
            self.seconds[way] = min(each, (each + self.seconds.get(way, each)) / 2)
        if turn.trial and self.fastest in self.seconds:
            cost = seconds - steps * self.seconds[self.fastest]
            self._due[way] = max(self._due.get(way, 0.0), self._spent) + max(_COST * cost, _PAUSE * seconds)
