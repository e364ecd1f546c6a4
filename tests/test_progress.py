"""The displays: what each writes, character by character, under a clock that the test moves."""

import io

import numpy as np
import pytest
from rich.cells import cell_len
from rich.text import Text

from fastgan.errors import UserError
from fastgan.progress import Bar, KerasLog, Lines, Progress, compact, duration, make_progress, short
from fastgan.state import STATISTICS

VALUES = {
    "d_loss_real": 0.6,
    "d_class_real": 2.303,
    "d_loss_fake": 0.8,
    "d_class_fake": 2.2,
    "g_loss": 0.9,
    "g_class": 2.1,
    "d_real": 0.55,
    "d_fake": 0.44,
}


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def rows(count, **changes):
    values = {**VALUES, **changes}
    return np.tile(np.array([values.get(name, np.nan) for name in STATISTICS], np.float32), (count, 1))


def test_keras_line_is_that_of_the_source_document():
    stream = io.StringIO()
    losses = {name: np.log(2) for name in ("d_loss_real", "d_loss_fake", "g_loss")}
    classes = {name: np.log(10) for name in ("d_class_real", "d_class_fake", "g_class")}
    with make_progress("keras", stream) as progress:
        progress.start(2, 1)
        progress.update(0, rows(2, **losses, **classes))
    line = "dr[0.693,2.303], df[0.693,2.303], g[0.693,2.303]\n"
    assert stream.getvalue() == f">1, {line}>2, {line}"


def test_keras_counts_on_from_a_resumed_step_and_keeps_every_column_apart():
    stream = io.StringIO()
    numbered = {name: i for i, name in enumerate(VALUES)}
    KerasLog(stream).update(936, rows(1, **numbered))
    assert stream.getvalue() == ">937, dr[0.000,1.000], df[2.000,3.000], g[4.000,5.000]\n"


def test_keras_writes_once_a_chunk():
    class Counting(io.StringIO):
        writes = 0

        def write(self, text):
            self.writes += 1
            return super().write(text)

    stream = Counting()
    KerasLog(stream).update(0, rows(1000))
    assert stream.writes == 1
    assert stream.getvalue().count("\n") == 1000


def test_a_line_says_where_how_fast_and_how_well():
    stream, clock = io.StringIO(), Clock()
    lines = Lines(stream, clock)
    lines.start(1400, 28)
    clock.now += 4
    lines.update(0, rows(84))
    assert stream.getvalue() == (
        "epoch 3/50  step 84/1400  21 steps/s  d_loss 0.70  g_loss 0.90  D(x) 0.55  D(G(z)) 0.44  left 1:03\n"
    )


def test_lines_are_at_most_one_an_epoch_and_one_every_two_seconds():
    stream, clock = io.StringIO(), Clock()
    lines = Lines(stream, clock)
    lines.start(1000, 10)
    for step in range(0, 100, 10):  # ten epochs in five seconds
        clock.now += 0.5
        lines.update(step, rows(10))
    assert stream.getvalue().count("\n") == 2
    clock.now += 0.5
    lines.update(100, rows(10))
    clock.now += 0.5
    lines.update(110, rows(10))
    assert stream.getvalue().count("\n") == 3
    clock.now += 60
    lines.update(120, rows(5))  # a minute, but no epoch is complete
    assert stream.getvalue().count("\n") == 3


def test_the_last_step_always_has_a_line():
    stream, clock = io.StringIO(), Clock()
    lines = Lines(stream, clock)
    lines.start(7, 10)
    lines.update(0, rows(7))
    assert stream.getvalue().startswith("epoch 1/1  step 7/7  0 steps/s")
    assert "left -:--" in stream.getvalue()


def test_statistics_are_means_since_the_last_line():
    stream, clock = io.StringIO(), Clock()
    lines = Lines(stream, clock)
    lines.start(30, 10)
    lines.update(0, rows(5, g_loss=1.0))
    clock.now += 3
    lines.update(5, rows(5, g_loss=3.0))
    clock.now += 3
    lines.update(10, rows(10, g_loss=7.0))
    first, second = stream.getvalue().splitlines()
    assert "g_loss 2.00" in first
    assert "g_loss 7.00" in second


def test_speed_forgets_a_slow_start_and_steps_of_an_earlier_run():
    clock = Clock()
    lines = Lines(io.StringIO(), clock)
    lines.start(100_000, 100, first_step=5000)
    clock.now += 50  # compiling
    lines.update(5000, rows(100))
    assert lines.speed() == 2
    for step in range(5100, 7100, 100):
        clock.now += 1
        lines.update(step, rows(100))
    assert lines.speed() == 100
    assert lines.time_left() == "15:29"


@pytest.mark.parametrize("value", [0.5, -12.34, 1234.5, float("nan")])
def test_the_bar_fits_in_eighty_columns_on_one_line(value, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    stream, clock = Terminal(), Clock()
    with Bar(stream, clock) as bar:
        bar.start(93_700, 937)
        for step in range(0, 93_700, 9370):
            clock.now += 1
            bar.update(step, rows(9370, g_loss=value))
    frames = [Text.from_ansi(frame).plain for frame in stream.getvalue().replace("\n", "\r").split("\r")]
    drawn = [frame for frame in frames if "epoch" in frame]
    assert max(map(cell_len, drawn)) <= 80
    assert "epoch  50/100" in " ".join(drawn)
    assert f"9,370 steps/s D 0.70 G {short(value)} D(x) 0.55 D(G(z)) 0.44" in drawn[-1]
    assert stream.getvalue().count("\n") <= 1


def test_the_bar_shows_the_cursor_again_after_an_error(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with pytest.raises(KeyboardInterrupt), Bar(stream) as bar:
        bar.start(10, 10)
        raise KeyboardInterrupt
    assert stream.getvalue().rstrip().endswith("\x1b[?25h")


def test_quiet_writes_nothing():
    stream = io.StringIO()
    with make_progress("quiet", stream) as progress:
        progress.start(10, 10)
        progress.update(0, rows(10))
        progress.note("something")
    assert stream.getvalue() == ""


LONG = "step 3,000: D wins: D(x) = 0.99, D(G(z)) = 0.01, for 2,000 steps; try discriminator_lr = 0.0001 or [b]more[/b]"


@pytest.mark.parametrize("log", ["bar", "keras"])
def test_a_note_is_one_line_of_a_file(log):
    stream = io.StringIO()
    progress = make_progress(log, stream)
    progress.start(10, 10)
    progress.note(LONG)
    assert stream.getvalue() == LONG + "\n"


def test_a_note_stands_above_the_bar_and_below_where_it_ended(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    stream, clock = Terminal(), Clock()
    with Bar(stream, clock) as bar:
        bar.start(100, 10)
        clock.now += 1
        bar.update(0, rows(50))
        bar.note(LONG)
        clock.now += 1
        bar.update(50, rows(50))
        bar.finish()
        bar.note("the end")
    frames = [Text.from_ansi(frame).plain for frame in stream.getvalue().replace("\n", "\r").split("\r")]
    kept = [frame.rstrip() for frame in frames if frame.strip() and "epoch" not in frame]
    assert " ".join(line.strip() for line in kept[:-1]) == LONG
    assert len(kept) == 3 and kept[1].startswith("  ") and max(map(len, kept)) < 80
    assert kept[-1] == "the end" and stream.getvalue().endswith("the end\n")


def test_a_bar_needs_a_terminal():
    assert type(make_progress("bar", Terminal())) is Bar
    assert type(make_progress("bar", io.StringIO())) is Lines
    assert type(make_progress("quiet", Terminal())) is Progress


def test_an_unknown_log_is_refused_with_the_nearest_name():
    with pytest.raises(UserError, match=r"log is 'kera' .did you mean 'keras'.*bar, keras, quiet"):
        make_progress("kera")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.693, "0.69"), (-1.254, "-1.25"), (9.996, "10.0"), (12.34, "12.3"), (99.96, "100"), (1234.5, "1234")],
)
def test_short(value, text):
    assert short(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (12.4, "0:12"), (59.6, "1:00"), (3723, "1:02:03"), (359999, "99:59:59")],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("speed", "text"), [(84, "   84"), (8412, "8,412"), (56123, "56.1k"), (9999.7, "10.0k")]
)
def test_compact(speed, text):
    assert compact(speed) == text
