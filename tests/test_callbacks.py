"""Callbacks: when they act, and the rows of metrics.jsonl."""

import io
import json

import numpy as np
import pytest

from fastgan import callbacks, checkpoint
from fastgan.callbacks import NEVER, Every, Metrics, Show, read_metrics
from fastgan.errors import UserError
from fastgan.progress import make_progress
from fastgan.state import STATISTICS


@pytest.mark.parametrize(
    ("period", "steps", "acted"),
    [(4, 10, [4, 8, 10]), (5, 10, [5, 10]), (0, 10, [10]), (20, 10, [10]), (1, 3, [1, 2, 3])],
)
def test_every_acts_after_its_steps_and_at_the_end(make_trainer, period, steps, acted):
    seen = []
    trainer = make_trainer()
    trainer._chunk = 64
    trainer.train(steps, [Every(period, lambda trainer: seen.append(trainer.step))])
    assert seen == acted


def test_every_acts_when_its_time_is_over(make_trainer):
    """After each call, where that is at once; and never where it is not before the end."""
    for seconds, acted in ((1e-9, [3, 6, 9, 10]), (1e9, [10]), (0, [10])):
        seen = []
        trainer = make_trainer()
        trainer._chunk = 3
        calls = Every(3, lambda trainer: None)  # a call ends where it wants to see the trainer
        trainer.train(10, [calls, Every(0, lambda trainer, seen=seen: seen.append(trainer.step), seconds)])
        assert seen == acted


def test_what_comes_last_acts_last_also_at_the_end(make_trainer):
    """A checkpoint is the last callback: where there is one, all else of its step is done."""
    seen = []
    trainer = make_trainer()
    actions = [
        lambda trainer, name=name: seen.append((trainer.step, name)) for name in ("picture", "checkpoint")
    ]
    stop = Every(6, lambda trainer: setattr(trainer, "stopped", True))
    trainer.train(4, [Every(0, actions[0]), Every(2, actions[1])])
    assert seen == [(2, "checkpoint"), (4, "picture"), (4, "checkpoint")]
    seen.clear()
    trainer.train(8, [stop, Every(0, actions[0]), Every(2, actions[1])])
    assert seen == [(6, "picture"), (6, "checkpoint")]


def test_the_trainer_stops_at_what_the_nearest_callback_wants(make_trainer):
    seen = []
    trainer = make_trainer()
    trainer._chunk = 64
    actions = [
        Every(period, lambda trainer, period=period: seen.append((trainer.step, period))) for period in (6, 4)
    ]
    trainer.train(12, actions)
    assert seen == [(4, 4), (6, 6), (8, 4), (12, 6), (12, 4)]
    assert Every(0, seen.append).next_step(3) == NEVER


@pytest.mark.parametrize("step", [3, 2, 3.5, float("nan"), None])
def test_a_step_that_never_comes_is_refused(make_trainer, step):
    class Stuck(callbacks.Callback):
        def next_step(self, now):
            return step if now == 3 else now + 1

    with pytest.raises(
        UserError, match=r"^next_step\(3\) of a Stuck is \S+; it must be a whole number above"
    ):
        make_trainer().train(5, [Stuck()])


def without_speed(path):
    return [
        {name: value for name, value in row.items() if name != "steps_per_second"}
        for row in read_metrics(path)
    ]


def test_metrics_are_means_over_a_period_that_ends_with_its_epoch(make_trainer, tmp_path):
    trainer = make_trainer(classes=3)
    trainer._chunk = 3  # a row is summed over several calls
    assert trainer.steps_per_epoch == 6
    trainer.train(15, [Metrics(tmp_path / "m.jsonl", 4)])
    rows = read_metrics(tmp_path / "m.jsonl")
    ends = [4, 6, 10, 12, 15]
    assert [row["step"] for row in rows] == ends
    assert [row["epoch"] for row in rows] == [0.667, 1.0, 1.667, 2.0, 2.5]
    for name, values in trainer.history.items():
        means = [part.mean() for part in np.split(values, ends[:-1])]
        np.testing.assert_allclose([row[name] for row in rows], means, rtol=1e-5)
    assert all(row["steps_per_second"] > 0 for row in rows)


def test_rows_of_metrics_get_rarer(make_trainer, tmp_path, monkeypatch):
    """Where they end does not depend on how steps fall into calls."""
    monkeypatch.setattr(callbacks, "DENSE_EPOCHS", 4)
    trainers = [make_trainer(generator=[], discriminator=[], latent_dim=1) for _ in range(2)]
    for chunk, trainer in zip((5, 64), trainers, strict=True):
        trainer._chunk = chunk
        calls = Every(chunk, lambda trainer: None)
        trainer.train(6 * 66, [calls, Metrics(tmp_path / f"{chunk}.jsonl", 2)])
    ends = [row["step"] for row in read_metrics(tmp_path / "5.jsonl")]
    assert ends == [row["step"] for row in read_metrics(tmp_path / "64.jsonl")]
    epochs = [
        epoch for epoch in range(66) for _ in range(sum(6 * epoch < end <= 6 * epoch + 6 for end in ends))
    ]
    counts = np.bincount(epochs, minlength=66)
    assert counts[:16].tolist() == [3] * 4 + [2] * 4 + [1] * 8
    assert (np.flatnonzero(counts[16:]) + 16).tolist() == [*range(17, 32, 2), *range(35, 64, 4), 65]


def test_a_resumed_run_has_the_same_rows(make_trainer, tmp_path):
    """The first run goes on past its checkpoint and dies while it writes a row."""
    whole, first, second = (make_trainer(classes=3) for _ in range(3))
    whole.train(24, [Metrics(tmp_path / "whole.jsonl", 4)])
    path, saved = tmp_path / "parts.jsonl", tmp_path / "c.safetensors"
    first.train(12, [Metrics(path, 4)])
    checkpoint.save_checkpoint(first, saved)
    first.train(7, [Metrics(path, 4)])
    with open(path, "a") as file:
        file.write('{"step": 23, "epo')
    checkpoint.restore(second, checkpoint.Stored(saved))
    second.train(12, [Metrics(path, 4)])
    assert without_speed(path) == without_speed(tmp_path / "whole.jsonl")
    assert all(json.loads(line) for line in path.read_text().splitlines())


ROW = {"step": 1, **dict.fromkeys(STATISTICS, 0.5)}
NO_FIGURES = [
    (name, value) for name in ("step", STATISTICS[0]) for value in (10**400, -(2**63) - 1, "1", None)
]


@pytest.mark.parametrize(
    "damage", ['{"st', "{}", "[1]", '{"step": 3}', *(json.dumps(ROW | dict([each])) for each in NO_FIGURES)]
)
def test_reading_metrics_that_are_not_there_or_damaged(tmp_path, damage):
    assert read_metrics(tmp_path / "none") == []
    rows = [ROW, ROW | {"step": 2}]
    path = tmp_path / "m.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + damage + "\n" + json.dumps(rows[0]))
    assert read_metrics(path) == rows


def test_metrics_that_cannot_be_written(make_trainer, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot be written: [^\n]*$"):
        make_trainer().train(3, [Metrics(tmp_path / "file" / "m.jsonl", 1)])


def test_show_feeds_every_step_to_the_display(make_trainer):
    out = io.StringIO()
    make_trainer().train(6, [Show(make_progress("keras", out))])
    lines = out.getvalue().splitlines()
    assert [line.split(",")[0] for line in lines if line.startswith(">")] == [
        f">{step}" for step in range(1, 7)
    ]
