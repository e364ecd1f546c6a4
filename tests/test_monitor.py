"""The monitor: its figures are what they say, its looks change nothing, and its rows survive a resume."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

import fastgan
from fastgan import checkpoint
from fastgan.callbacks import Every
from fastgan.data import from_arrays, load_dataset
from fastgan.data.synthetic import draw_mixture
from fastgan.errors import UserError
from fastgan.evaluation.neighbours import precision_recall
from fastgan.looks import EVERY, affordable
from fastgan.monitor import Monitor, gradient_norm, mean_score, neighbours, outputs, spread
from fastgan.settings import LOSSES, Settings
from fastgan.trainer import Trainer
from fastgan.verdicts import state_of as shown_state

from .small_gan import X, small


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
def test_the_training_is_the_same_bytes_with_and_without(make_trainer, state_of, backend):
    alone, watched = (make_trainer("bytes", classes=3, backend=backend) for _ in range(2))
    alone.train(40)
    watched.train(40, [Monitor(3)])
    assert state_of(watched) == state_of(alone)
    np.testing.assert_array_equal(watched.generator.sample(9), alone.generator.sample(9))
    for name, values in alone.history.items():
        np.testing.assert_array_equal(watched.history[name], values)


def test_a_look_leaves_every_buffer_of_the_training_as_it_is(make_trainer):
    trainer = make_trainer(classes=3)
    trainer.train(5)
    monitor = Monitor()
    monitor.start(trainer, 10)
    gan = trainer.gan
    arrays = [each for part in (gan, gan.generator, gan.discriminator) for each in part]
    arrays = [each for each in arrays if isinstance(each, np.ndarray)]
    before = [each.tobytes() for each in arrays]
    monitor.take(trainer)
    assert [each.tobytes() for each in arrays] == before


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", ["numbers", "bytes", "tokens"])
def test_figures_of_a_look(make_trainer, loss, kind):
    paired = loss == "relativistic"
    trainer = make_trainer(kind, loss=loss, rows=150, update="joint" if paired else "separate")
    monitor = Monitor(10)
    trainer.train(20, [monitor])
    row, spec = monitor.rows[-1], trainer.dataset.spec
    assert (row["step"], row["epoch"]) == (20, round(20 / 9, 3))
    samples = trainer.generator.generate(monitor.latent)
    assert len(samples) == 150
    assert row["mode_collapse"] == pytest.approx(1 - len(np.unique(samples[:100], axis=0)) / 100)
    assert row["unique"] == pytest.approx(len(np.unique(samples, axis=0)) / 150, rel=1e-5)
    assert row["unique_real"] == pytest.approx(len(np.unique(trainer.dataset.array, axis=0)) / 150, rel=1e-5)
    real = spec.to_network_units(trainer.dataset.array)
    assert row["spread_real"] == pytest.approx(np.sqrt(real.var(axis=0).sum()), rel=1e-4)
    fake = trainer.generator.network_rows(monitor.latent, np.zeros(0, np.int64))
    assert row["spread"] == pytest.approx(np.sqrt(fake.var(axis=0).sum()), rel=1e-4)
    on_real, on_fake = outputs(trainer.gan.discriminator, real), outputs(trainer.gan.discriminator, fake)
    unbounded = paired or loss == "wasserstein"
    boundary = (on_real.mean() + on_fake.mean()) / 2 if unbounded else {"mse": 0.5}.get(loss, 0)
    assert row["d_right_real"] == pytest.approx((on_real > boundary).mean(), abs=0.01)
    assert row["d_right_fake"] == pytest.approx((on_fake < boundary).mean(), abs=0.01)
    if loss in ("bce", "minimax"):
        on_real, on_fake = 1 / (1 + np.exp(-on_real)), 1 / (1 + np.exp(-on_fake))
    assert row["d_real"] == pytest.approx(on_real.mean(), rel=1e-4)
    assert row["d_fake"] == pytest.approx(on_fake.mean(), rel=1e-4)
    near = precision_recall(spec.to_network_units(samples), real, neighbours(150))
    assert row["coverage"] == pytest.approx(near["coverage"], rel=1e-5)
    assert row["precision"] == pytest.approx(near["precision"], rel=1e-5)
    for player in ("generator", "discriminator"):
        expected = np.linalg.norm(getattr(trainer.gan, player).grads.astype(np.float64))
        assert row[f"{player[0]}_gradient"] == pytest.approx(expected, rel=1e-5) and expected > 0


def test_the_outputs_are_those_that_the_step_reports(make_trainer):
    trainer = make_trainer(update="joint", generator_lr=1e-9, discriminator_lr=1e-9)
    trainer.train(200)
    monitor = Monitor()
    monitor.start(trainer, 1)
    row = monitor.look(trainer)
    assert row["d_real"] == pytest.approx(trainer.history["d_real"].mean(), abs=2e-3)
    assert row["d_fake"] == pytest.approx(trainer.history["d_fake"].mean(), abs=2e-2)


def test_parts_of_a_look():
    assert mean_score(np.array([-800.0, 800.0]), "bce") == 0.5
    assert mean_score(np.array([-3.0, 5.0]), "hinge") == 1.0
    assert spread(np.array([[0, 3], [2, 3]], np.float32)) == 1.0
    net = SimpleNamespace(squares=np.empty(0, np.float32), grads=np.full(4, 1e30, np.float32))
    assert gradient_norm(net) == pytest.approx(2e30)


def test_a_look_has_a_pack_at_least(make_trainer):
    trainer = make_trainer(rows=1400, batch_size=1200, packing=600)
    trainer.train(1, [monitor := Monitor(1)])
    assert np.isfinite(monitor.rows[0]["d_fake"])


def test_wide_rows_are_fewer(make_data):
    assert affordable(make_data().spec, 500) == 500
    for width, rows in ((300, 2**22 // 27_000), (700, 100)):
        tokens = from_arrays(np.zeros((3, width), np.int64) + np.arange(width) % 90, vocabulary=90)
        assert affordable(tokens.spec, 500) == rows


# What is left out


def looked_at(data, samples, monkeypatch):
    """The row of a look at `samples` (500, width) in data units, D being in balance, and what it shows."""
    settings = Settings(generator=[4], discriminator=[4], latent_dim=2, backend="numpy")
    trainer, monitor = Trainer(settings, data), Monitor()
    monitor.start(trainer, 1)
    rows = data.spec.to_network_units(samples)
    monkeypatch.setattr(trainer.generator, "network_rows", lambda latent, classes: rows)
    row = monitor.look(trainer) | dict(d_right_real=0.6, d_right_fake=0.6)
    return row, shown_state(row, [], settings)


@pytest.mark.parametrize(
    ("source", "modes", "state"),
    [
        ("ring", [0, 4], "sparse"),
        ("ring", [0, 1], "sparse"),
        ("ring", [1, 2, 5], "sparse"),
        ("ring", [0, 2, 4, 6], "sparse"),
        ("ring", [0, 1, 2, 3], "sparse"),
        ("ring", range(7), "balanced"),
        ("ring", range(8), "balanced"),
        ("grid", range(0, 25, 2), "sparse"),
        ("grid", [0, 6, 12, 18, 24], "sparse"),
        ("grid", range(25), "balanced"),
    ],
    ids=str,
)
def test_missing_modes_are_seen(source, modes, state, monkeypatch):
    """Perfect samples, all different, spread as widely as real rows, and yet of some modes alone."""
    data = load_dataset(source, rows=10_000)
    centres = data.truth["centres"]
    samples = draw_mixture(centres[list(modes)], data.truth["std"], 500, np.random.default_rng(0))
    row, shown = looked_at(data, samples, monkeypatch)
    assert shown == state
    assert row["coverage"] == pytest.approx(len(modes) / len(centres), abs=0.06)
    assert row["precision"] > 0.97 and row["unique"] == 1


@pytest.mark.parametrize("wider", [1, 3, 10, 30])
def test_poor_samples_leave_nothing_out(wider, monkeypatch):
    """As early in a training: they are around all modes, but few of them near a real row."""
    data = load_dataset("ring", rows=10_000)
    centres, std = data.truth["centres"], data.truth["std"]
    row, shown = looked_at(
        data, draw_mixture(centres, wider * std, 500, np.random.default_rng(0)), monkeypatch
    )
    assert shown == "balanced"
    assert row["coverage"] > row["precision"] or wider == 1


@pytest.mark.parametrize("source", ["tokens", "digits", "sequences"])
def test_other_real_rows_leave_nothing_out(source, monkeypatch):
    data = load_dataset(source, rows=0 if source == "digits" else 10_000)
    places = np.random.default_rng(0).permutation(len(data))[:500]
    row, shown = looked_at(data, data.array[places], monkeypatch)
    assert shown == "balanced" and min(row["coverage"], row["precision"]) > 0.95


def test_missing_classes_of_images_are_seen(monkeypatch):
    data = load_dataset("digits")
    few = data.array[data.labels < 3]
    assert looked_at(data, few[:500], monkeypatch)[1] == "sparse"


def test_classes_are_asked_for_as_often_as_they_are_in_the_data(monkeypatch):
    """Nine rows in ten are of one class: with each as often as the other, a perfect G would crowd the rare one."""
    rng = np.random.default_rng(0)
    labels = (rng.random(2000) < 0.1).astype(np.int64)
    data = from_arrays(rng.standard_normal((2000, 2)) + 20 * labels[:, None], labels)
    settings = Settings(generator=[4], discriminator=[4], latent_dim=2, backend="numpy")
    trainer, monitor = Trainer(settings, data), Monitor()
    monitor.start(trainer, 1)

    def perfect(latent, classes):
        rows = rng.standard_normal((len(latent), 2)) + 20 * classes[:, None]
        return data.spec.to_network_units(rows.astype(np.float32))

    monkeypatch.setattr(trainer.generator, "network_rows", perfect)
    row = monitor.look(trainer)
    assert row["spread"] == pytest.approx(row["spread_real"], rel=0.1)
    assert row["coverage"] > 0.95


# When there are looks


def test_looks_are_closer_together_at_first():
    def steps(every, count):
        monitor, found = Monitor(every), [0]
        while len(found) <= count:
            found.append(monitor.next_step(found[-1]))
        return found[1:]

    assert steps(EVERY, 12) == [*range(100, 1001, 100), 2000, 3000]
    assert steps(5000, 12) == [*range(100, 1001, 100), 5000, 10_000]
    assert steps(250, 6) == [100, 200, 250, 300, 400, 500]
    assert steps(100, 12) == [*range(100, 1201, 100)]
    assert steps(40, 4) == [40, 80, 120, 160]


def test_a_short_training_has_a_verdict():
    said = []
    monitor = Monitor(say=said.append)
    small().fit(X, steps=350, callbacks=[monitor])
    assert monitor.history["step"].tolist() == [100, 200, 300, 350]
    assert said[-1].startswith(("step 300: ", "step 350: ")) and not monitor.verdict.startswith("too early")
    said.clear()
    for steps in (99, 140):
        small().fit(X, steps=steps, callbacks=[Monitor(say=said.append)])
    assert said == ["step 140: too early to tell: no 3 looks in a row agree"]


def test_a_training_made_longer_has_the_same_rows(make_trainer, tmp_path):
    whole, parts = make_trainer(), make_trainer()
    whole.train(320, [Monitor(path=tmp_path / "whole.jsonl")])
    for steps in (50, 130, 140):
        parts.train(steps, [Monitor(path=tmp_path / "parts.jsonl")])
    assert (tmp_path / "parts.jsonl").read_text() == (tmp_path / "whole.jsonl").read_text()


def test_looks_are_after_their_steps_and_at_the_end():
    monitor = fastgan.Monitor(4)
    gan = small().fit(X, steps=10, callbacks=[monitor])
    assert monitor.history["step"].tolist() == [4, 8, 10]
    assert set(monitor.history) == {"step", *Monitor.columns}
    gan.fit(X, steps=6, callbacks=[monitor])
    assert monitor.history["step"].tolist() == [4, 8, 12, 16]
    small().fit(X, steps=4, callbacks=[monitor])
    assert monitor.history["step"].tolist() == [4]
    assert Monitor().every == EVERY and Monitor().history == {} and Monitor().verdict == ""


def test_a_verdict_is_said_when_it_changes_and_at_the_end():
    said = []
    monitor = Monitor(2, say=said.append)
    small().fit(X, steps=4, callbacks=[monitor])
    assert said == [f"step 4: {monitor.verdict}"] and monitor.verdict.startswith("too early to tell")
    said.clear()

    def break_at_step_6(trainer):
        if trainer.step == 6:
            trainer.gan.generator.params[...] = 0

    still = small(generator_lr=1e-12)
    still.fit(X, steps=15, callbacks=[monitor, Every(6, break_at_step_6)])
    assert [text.partition(" its")[0] for text in said[1:]] == [
        "step 12: G collapsed: 99.0% of",
        "step 15: G collapsed: 99.0% of",
    ]
    assert said[0].startswith(
        "step 6: G leaves out part of the data: "
    )  # as it was before it learnt anything
    assert said[-1] == f"step 15: {monitor.verdict}"


def test_a_verdict_that_was_just_said_is_not_repeated():
    said = []
    small().fit(X, steps=6, callbacks=[Monitor(2, say=said.append)])
    assert len(said) == 1 and said[0].startswith("step 6: G leaves out part of the data: ")


def test_a_resumed_training_has_the_same_rows(make_trainer, tmp_path):
    """The first one goes on past its checkpoint and dies while it writes; its last look was no regular one."""
    whole, first, second = (make_trainer(classes=3) for _ in range(3))
    monitor = Monitor(4, tmp_path / "whole.jsonl")
    whole.train(24, [monitor])
    path, saved = tmp_path / "parts.jsonl", tmp_path / "c.safetensors"
    first.train(14, [Monitor(4, path)])
    checkpoint.save_checkpoint(first, saved)
    first.train(7, [Monitor(4, path)])
    with open(path, "a") as file:
        file.write('{"step": 23, "epo')
    checkpoint.restore(second, checkpoint.Stored(saved))
    resumed = Monitor(4, path)
    second.train(10, [resumed])
    assert path.read_text() == (tmp_path / "whole.jsonl").read_text()
    assert [json.loads(line) for line in path.read_text().splitlines()] == resumed.rows == monitor.rows
    assert resumed.verdict == monitor.verdict


def test_a_file_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"m.jsonl cannot be written: [^\n]*$"):
        small().fit(X, steps=2, callbacks=[Monitor(1, tmp_path / "file" / "m.jsonl")])


@pytest.mark.parametrize("every", [0, -1, 2.5, True, "3"])
def test_every_that_is_no_number_of_steps(every):
    with pytest.raises(UserError, match=r"it must be a whole number of steps, at least 1$"):
        Monitor(every)


def test_a_clipped_gradient_is_shown_as_it_was(make_trainer):
    norms = []
    for limit in (0.0, 1e-3):
        monitor = Monitor(10)
        trainer = make_trainer(clip_norm=limit, optimiser="sgd", generator_lr=1e-9, discriminator_lr=1e-9)
        trainer.train(10, [monitor])
        norms.append(monitor.rows[-1]["d_gradient"])
    assert norms[0] > 1e-2 and norms[1] == pytest.approx(norms[0], rel=1e-3)
