"""What a training method costs: one discriminator step with it beside a plain one, by turns, one thread, CPU time.

A step of the discriminator is half of what two more of them add to a training step.
"""

from __future__ import annotations

import time

import pytest

from bench.conftest import add_row
from bench.methods import METHODS, plain_of, trainer_of
from bench.rounds import Summary, ratios
from bench.sizes import FASHION, GRID2, SEQ8, Size

ROUNDS, SECONDS = 7, 0.1


class Steps:
    """A training with so many discriminator steps in each step."""

    def __init__(self, size: Size, n_critic: int, **method: object):
        self.trainer = trainer_of(size, n_critic, "cpu", **method)
        self.trainer.train(3)
        self.count = max(1, int(SECONDS / self.seconds(3)))

    def seconds(self, count: int) -> float:
        """CPU time of a step."""
        started = time.process_time()
        self.trainer.train(count)
        return (time.process_time() - started) / count


@pytest.fixture(scope="module")
def measured(results):
    """Seconds of a discriminator step in each round: ``measured(size, update)``, all methods by turns."""
    made = {}

    def once(size, update):
        if (size, update) not in made:
            pairs = {
                name: [Steps(size, n_critic, update=update, **method) for n_critic in (1, 3)]
                for name, method in METHODS.items()
            }
            seconds = {name: [] for name in METHODS}
            for _ in range(ROUNDS):
                for name, (one, three) in pairs.items():
                    seconds[name].append((three.seconds(three.count) - one.seconds(one.count)) / 2)
            made[size, update] = seconds
            for name, each in seconds.items():
                plain = seconds[plain_of(name)]
                figures, ratio = Summary.of([1e6 * s for s in each]), ratios(each, plain)
                add_row(results, f"method, {update}", size.name, name, figures, ROUNDS, ratio=ratio)
        return made[size, update]

    return once


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("update", ["separate", "joint"])
@pytest.mark.parametrize("size", [SEQ8, GRID2, FASHION], ids=lambda size: size.name)
def test_method(size, update, method, measured, replay):
    replay(f"discriminator step, {size.name}, {update}", measured(size, update)[method])
