"""How many threads run the steps: the same bytes with any, and the fastest of what was measured."""

import os

import numpy as np
import pytest

from fastgan.crew import Crew, Pace, Way, ways
from fastgan.step import STATISTICS, TRAIN, TRAIN_DISCRIMINATOR_FAKE, TRAIN_GENERATOR, TRAIN_ON_BATCH

TRAININGS = {
    "plain": dict(batch_size=64),
    "joint, classes": dict(kind="bytes", classes=3, update="joint", batch_size=40),
    "separate, classes": dict(kind="bytes", classes=3, batch_size=50),
    "five critic steps": dict(n_critic=5, loss="wasserstein", optimiser="rmsprop", sampling="replacement"),
    "joint critic steps": dict(n_critic=3, update="joint", latent="uniform", optimiser="sgd", momentum=0.5),
    "tokens with classes": dict(kind="tokens", classes=3, loss="hinge", n_critic=2),
}
WAYS = [Way(1), Way(2), Way(3), Way(2, duet=True)]


def only(trainer, way):
    """A crew that goes one way."""
    crew = Crew(trainer.backend.function, trainer.gan, 0, 4)
    crew._ways = [way]
    return crew


def run(trainer, crew, action, steps, rows=None):
    statistics = np.zeros((steps, len(STATISTICS)), np.float32)
    data, labels = trainer.dataset.array, trainer.dataset.labels
    if rows is not None:
        trainer.gan.indices[:rows] = np.arange(rows)
        data, labels = data[:rows], labels[:rows]
    crew.perform(action, data, labels, statistics)
    return statistics.tobytes()


@pytest.mark.parametrize("training", TRAININGS)
def test_the_same_bytes_with_any_number_of_threads(make_trainer, state_of, training):
    ends = set()
    for way in WAYS:
        trainer = make_trainer(backend="cpu", generator=[17, 9], **TRAININGS[training])
        crew = only(trainer, way)
        seen = [run(trainer, crew, TRAIN, steps) for steps in (1, 7, 2)]
        ends.add((state_of(trainer), *seen))
        assert trainer.step == 10 and trainer.gan.generator.updates[0] == 10
    assert len(ends) == 1


@pytest.mark.parametrize("update", ["joint", "separate"])
def test_parts_of_a_step_give_the_same_bytes_too(make_trainer, state_of, update):
    ends = set()
    for way in WAYS[:3]:
        trainer = make_trainer(backend="cpu", classes=3, update=update, batch_size=40)
        crew = only(trainer, way)
        seen = [
            run(trainer, crew, TRAIN_ON_BATCH, 2, rows=33),
            run(trainer, crew, TRAIN_DISCRIMINATOR_FAKE, 1, rows=0),
            run(trainer, crew, TRAIN_GENERATOR, 1),
        ]
        ends.add((state_of(trainer), *seen))
    assert len(ends) == 1


def test_a_training_may_change_its_threads_at_any_step(make_trainer, state_of):
    settings = dict(backend="cpu", classes=3, batch_size=40)
    steady, changing = make_trainer(**settings), make_trainer(**settings)
    run(steady, only(steady, Way(1)), TRAIN, 12)
    crew = only(changing, Way(1))
    for way, steps in ((Way(2), 3), (Way(2, duet=True), 4), (Way(3), 1), (Way(1), 2), (Way(2), 2)):
        crew._ways, crew._paces = [way], {}
        run(changing, crew, TRAIN, steps)
    assert state_of(steady) == state_of(changing)


def test_threads_are_as_asked_or_as_rows_and_cores_allow(make_trainer):
    gan = make_trainer(batch_size=96).gan  # 48 rows: 6 groups
    duet = Way(2, duet=True)
    assert ways(gan, 3, cores=8) == [Way(3)]
    assert ways(gan, 2, cores=8) == [Way(2), duet]
    assert ways(gan, 2**70, cores=8) == [Way(8)]
    assert ways(gan, 2, cores=1) == [Way(1)]
    assert ways(gan, 0, cores=1) == [Way(1)]
    assert ways(gan, 0, cores=2) == [Way(1), Way(2), duet]
    assert ways(gan, 0, cores=64) == [Way(1), Way(2), Way(4), Way(6), duet]
    assert ways(make_trainer(batch_size=8).gan, 0, cores=64) == [Way(1), duet]


def play(pace, seconds, calls, steps=100):
    """Make calls of a step that takes so many seconds each way; the steps made each way."""
    made = dict.fromkeys(seconds, 0)
    for _ in range(calls):
        stops = [0]
        for way, part, counted in pace.plan(steps):
            assert part.start == stops[-1] and part.stop > part.start
            stops.append(part.stop)
            made[way] += part.stop - part.start
            if counted:
                pace.record(way, seconds[way])
        assert stops[-1] == steps
    return made


def test_the_fastest_way_is_found_and_found_again():
    seconds = {Way(1): 3.0, Way(2): 2.0, Way(2, duet=True): 1.0}
    pace = Pace(list(seconds))
    made = play(pace, seconds, 200)
    assert made[Way(2, duet=True)] > 0.9 * sum(made.values())
    seconds[Way(2, duet=True)] = 9.0  # another program took the other core
    seconds[Way(2)] = 8.0
    made = play(pace, seconds, 400)
    assert made[Way(1)] > 0.9 * sum(made.values())


def test_waiting_for_a_compiler_does_not_count_as_a_step():
    seconds = {Way(1): 1.0, Way(2): 2.0, Way(2, duet=True): 3.0}
    pace = Pace(list(seconds))
    for way, part, counted in pace.plan(0):
        assert part.stop == 0 and way == Way(1) and not counted
    for way in seconds:  # the first steps with new threads
        pace.record(way, 1000.0)
    made = play(pace, seconds, 60)
    assert made[Way(1)] > 0.8 * sum(made.values())


def test_a_hiccup_is_forgotten_at_the_next_trial():
    seconds = {Way(1): 1.0, Way(2): 2.0}
    pace = Pace(list(seconds))
    play(pace, seconds, 20)
    pace.record(Way(1), 1000.0)
    made = play(pace, seconds, 200)
    assert made[Way(1)] > 0.7 * sum(made.values())


@pytest.mark.parametrize("steps", [1, 2, 5, 3000])
def test_a_way_is_judged_by_warm_steps(steps):
    """Threads that slept wake in a trial's first steps, which cost a hundred times as much and do not count."""
    seconds = {Way(1): 3e-5, Way(2): 4e-5, Way(2, duet=True): 2e-5}
    pace = Pace(list(seconds))
    for _ in range(100):
        before = None
        for way, part, counted in pace.plan(steps):
            count = part.stop - part.start
            late = 2e-3 if way.threads > 1 and way != before else 0.0
            if counted:
                pace.record(way, seconds[way] + late / count)
            before = way
    if steps == 3000:
        assert pace.seconds[Way(2, duet=True)] == pytest.approx(2e-5, rel=0.3)
    assert pace.seconds.keys() == seconds.keys()


@pytest.mark.parametrize("way", WAYS)
def test_ctrl_c_comes_after_whole_steps(make_trainer, state_of, way):
    """A signal is seen when the main thread's call returns: all of its steps are made, and counted."""
    settings = dict(backend="cpu", classes=3, batch_size=40)
    trainer, straight = make_trainer(**settings), make_trainer(**settings)
    crew = only(trainer, way)
    function = crew._function

    def interrupted(action, gan, data, labels, statistics):
        function(action, gan, data, labels, statistics)
        if gan.team.rank == gan.duet.rank == 0 and len(statistics):
            raise KeyboardInterrupt

    crew._function = interrupted
    trainer.backend._crew = crew
    with pytest.raises(KeyboardInterrupt):
        trainer.train(4)
    crew._function = function
    steps = trainer.step
    run(straight, only(straight, Way(1)), TRAIN, steps)
    assert steps >= 1 and len(trainer.history["g_loss"]) == steps and state_of(trainer) == state_of(straight)


def test_an_interrupted_call_leaves_nobody_waiting_and_changes_nothing(make_trainer, state_of):
    trainer = make_trainer(backend="cpu")
    crew, before = only(trainer, Way(2)), state_of(trainer)
    function = crew._function
    calls = []

    def interrupted(*arguments):
        """Ctrl-C reaches the main thread just before it would begin; the other thread has begun."""
        calls.append(arguments[1].team.rank)
        if arguments[1].team.rank == 0:
            raise KeyboardInterrupt
        function(*arguments)

    crew._function = interrupted
    with pytest.raises(KeyboardInterrupt):
        run(trainer, crew, TRAIN, 5)
    assert sorted(calls) == [0, 1] and state_of(trainer) == before
    crew._function = function
    run(trainer, crew, TRAIN, 5)
    assert trainer.step == 5


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_trains_on_with_threads_of_its_own(make_trainer, state_of, tmp_path):
    trainer = make_trainer(backend="cpu")
    crew = only(trainer, Way(2))
    run(trainer, crew, TRAIN, 3)
    child = os.fork()
    if child == 0:
        try:
            run(trainer, crew, TRAIN, 3)
            (tmp_path / "state").write_bytes(state_of(trainer))
        finally:
            os._exit(0)
    run(trainer, crew, TRAIN, 3)
    os.waitpid(child, 0)
    assert (tmp_path / "state").read_bytes() == state_of(trainer)
