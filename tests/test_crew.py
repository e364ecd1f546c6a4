"""How many threads run the steps: the same bytes with any, and the fastest of what was measured."""

import os

import numpy as np
import pytest

from fastgan.crew import Crew, Pace, Way, ways
from fastgan.state import STATISTICS
from fastgan.step import TRAIN, TRAIN_DISCRIMINATOR_FAKE, TRAIN_GENERATOR, TRAIN_ON_BATCH

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


def play(pace, seconds, calls, steps=100, wake=0.0):
    """Make calls of a step that takes so many seconds each way; the seconds spent each way, waking included."""
    spent = dict.fromkeys(seconds, 0.0)
    for _ in range(calls):
        stops, before = [0], None
        for turn in pace.plan(steps):
            assert turn.part.start == stops[-1] and turn.part.stop > turn.part.start
            stops.append(turn.part.stop)
            count = turn.part.stop - turn.part.start
            took = count * seconds[turn.way] + (wake if turn.way.threads > 1 and turn.way != before else 0.0)
            pace.record(turn, took)
            spent[turn.way] += took
            before = turn.way
        assert stops[-1] == steps
    return spent


def test_the_fastest_way_is_found_and_found_again():
    seconds = {Way(1): 3e-4, Way(2): 2e-4, Way(2, duet=True): 1e-4}
    pace = Pace(list(seconds))
    spent = play(pace, seconds, 200)
    assert spent[Way(2, duet=True)] > 0.9 * sum(spent.values())
    seconds[Way(2, duet=True)] = 9e-4  # another program took the other core
    seconds[Way(2)] = 8e-4
    spent = play(pace, seconds, 400)
    assert spent[Way(1)] > 0.9 * sum(spent.values())


def test_waiting_for_a_compiler_does_not_count_as_a_step():
    seconds = {Way(1): 1e-4, Way(2): 2e-4, Way(2, duet=True): 3e-4}
    pace = Pace(list(seconds))
    for turn in pace.plan(0):
        assert turn.part.stop == 0 and turn.way == Way(1)
        pace.record(turn, 10.0)
    assert not pace.seconds
    spent = play(pace, seconds, 60)
    assert spent[Way(1)] > 0.8 * sum(spent.values())


def test_a_hiccup_is_forgotten_at_the_next_trial():
    seconds = {Way(1): 1e-4, Way(2): 2e-4}
    pace = Pace(list(seconds))
    play(pace, seconds, 20)
    pace.seconds[Way(1)] = 0.1
    spent = play(pace, seconds, 200)
    assert spent[Way(1)] > 0.7 * sum(spent.values())


@pytest.mark.parametrize("alone", [1e-5, 1e-4, 1e-2, 1.0])
@pytest.mark.parametrize("steps", [1, 2, 10, 3000])
@pytest.mark.parametrize("gain", [0.55, 0.9, 1.2])
def test_trials_cost_little_however_long_a_step_or_a_call_is(alone, steps, gain):
    """Threads that slept take 0.1 ms to wake, which in a call of one short step is most of it."""
    seconds = {Way(1): alone, Way(2): gain * alone, Way(2, duet=True): 1.5 * alone}
    pace, calls = Pace(list(seconds)), 2000
    play(pace, seconds, calls, steps, wake=1e-4)
    spent = sum(play(pace, seconds, calls, steps, wake=1e-4).values())
    best = min(steps * each + (1e-4 if way.threads > 1 else 0.0) for way, each in seconds.items())
    assert spent < 1.05 * calls * best


def test_many_cores_pay_little_for_few_threads():
    seconds = {Way(2**power): 1e-3 / 2 ** (0.9 * power) for power in range(7)}
    pace = Pace(list(seconds))
    play(pace, seconds, 400)  # some seconds, in which all are tried
    spent = play(pace, seconds, 400)
    assert sum(spent.values()) < 1.07 * 400 * 100 * seconds[Way(64)]


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
