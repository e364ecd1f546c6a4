"""What a loop of the caller's own gets of the training methods, and what it is refused."""

from dataclasses import fields

import numpy as np
import pytest

from fastgan import GAN, load
from fastgan.errors import UserError
from fastgan.settings import Settings
from fastgan.step import TRAIN_DISCRIMINATOR, TRAIN_DISCRIMINATOR_REAL, TRAIN_GENERATOR, TRAIN_ON_BATCH

from .small_gan import X, small

NONE = np.zeros(0, np.int64)
SCHEDULES = [each.name for each in fields(Settings) if each.name.endswith("_epochs")]
NEEDED = {"instance_noise_epochs": {"instance_noise": 0.1}, "token_noise_epochs": {"token_noise": 0.1}}
"""What makes a schedule's setting do something."""


def test_pairs_need_whole_batches_and_real_rows_of_this_process(tmp_path):
    settings = dict(loss="relativistic", update="joint")
    gan = small(**settings)
    gan.train_on_batch(X[:16])
    with pytest.raises(
        UserError, match=r"the batch has 4 rows but loss is 'relativistic'.*give batch_size rows"
    ):
        gan.train_discriminator_step(X[:4])
    gan.train_discriminator_step(X[:16])
    assert gan.train_generator_step() > 0
    small(**settings).fit(X, steps=3).save_checkpoint(tmp_path / "c.safetensors")
    resumed = small(**settings).resume(tmp_path / "c.safetensors", X)
    with pytest.raises(UserError, match="newest real rows, and it has seen none"):
        resumed.train_generator_step()


@pytest.mark.parametrize(
    "settings",
    [
        dict(gradient_penalty="r1", penalty_every=2),
        *({name: 4} | NEEDED.get(name, {}) for name in SCHEDULES),
    ],
)
def test_what_goes_by_steps_needs_whole_ones(make_trainer, settings):
    trainer = make_trainer("tokens", **settings)
    rows = trainer.dataset.array[:16]
    trainer.perform(TRAIN_ON_BATCH, rows, NONE)
    for action in (TRAIN_DISCRIMINATOR, TRAIN_DISCRIMINATOR_REAL, TRAIN_GENERATOR):
        with pytest.raises(UserError, match="which counts whole steps, but this is a part of one"):
            trainer.perform(action, rows[:0] if action == TRAIN_GENERATOR else rows, NONE)


@pytest.mark.parametrize("name", SCHEDULES)
def test_what_goes_by_epochs_needs_a_fit_first(name):
    gan = small(vocabulary=2, **{name: 5.0} | NEEDED.get(name, {}))
    with pytest.raises(
        UserError, match=f"^{name} is 5.0 but a loop of your own has no epochs; call fit first"
    ):
        gan.train_on_batch(np.zeros((8, 3), np.int64))


def test_the_discriminator_learns_from_the_generator_that_learns(tmp_path):
    gan = small(ema=0.999, generator_lr=0.05).fit(X, steps=20)
    g = gan._trainer.gan.generator
    assert np.abs(g.params - g.average).max() > 0.01
    gan.save_checkpoint(tmp_path / "c.safetensors")
    sampled = load(tmp_path / "c.safetensors")
    np.testing.assert_array_equal(sampled.net.params, g.average)
    np.testing.assert_array_equal(sampled.sample(5, seed=1), gan.sample(5, seed=1))
    trainer = gan._trainer
    assert trainer.newest_generator.net.params is g.params
    assert np.abs(gan.generate_batch(500).mean(axis=0) - gan.sample(500).mean(axis=0)).max() > 1e-3


@pytest.mark.parametrize(
    ("rows", "noise"),
    [
        (X, dict(scaling="none", instance_noise=0.1, instance_noise_epochs=4)),
        ((X > 0).astype(np.int64), dict(vocabulary=2, token_noise=1.0, token_noise_epochs=4)),
    ],
    ids=["numbers", "tokens"],
)
def test_schedules_go_on_in_the_epochs_of_the_first_data(tmp_path, rows, noise):
    settings = dict(warmup_epochs=3, decay_epochs=9) | noise
    path = tmp_path / "c.safetensors"
    whole = small(**settings).fit(rows[:32], steps=2).fit(rows, steps=2)
    whole.save_checkpoint(path)
    resumed = small(**settings).resume(path, rows)
    for each in (whole, resumed):
        each.fit(rows, steps=3)
    np.testing.assert_array_equal(whole.sample(20, seed=1), resumed.sample(20, seed=1))
    states = [each._trainer.gan for each in (whole, resumed)]
    assert states[0].noise == states[1].noise
    assert states[0].generator.undecided == states[1].generator.undecided
    for player in ("generator", "discriminator"):
        np.testing.assert_array_equal(*(getattr(state, player).params for state in states))


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
@pytest.mark.parametrize(("noise", "kind"), [("instance_noise", "numbers"), ("token_noise", "tokens")])
def test_noise_falls_over_its_epochs(make_trainer, noise, kind, backend):
    """At its end D sees rows as they are: the step is that without noise."""
    for step, blurred in ((7, True), (8, False)):  # steps of 16 rows of 64: 8 is the end of the second epoch
        trainers = [
            make_trainer(kind, rows=64, backend=backend, **settings)
            for settings in ({}, {noise: 0.5, f"{noise}_epochs": 2})
        ]
        for trainer in trainers:
            trainer.gan.clock[:] = step
            trainer.train(1)
        plain, noisy = (trainer.gan.discriminator.params for trainer in trainers)
        assert (np.abs(plain - noisy).max() > 1e-5) == blurred
        if not blurred:
            np.testing.assert_array_equal(plain, noisy)


def test_changed_parameters_are_applied_under_spectral_norm(make_trainer):
    trainer = make_trainer(spectral_norm=True)
    trainer.gan.discriminator.params[:] = 0
    trainer.train(1)
    assert trainer.history["d_real"][0] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(instance_noise_epochs=5), "instance_noise_epochs is 5.0 but instance_noise is 0.0"),
        (dict(token_noise_epochs=5), "token_noise_epochs is 5.0 but token_noise is 0.0"),
        (dict(penalty_every=16), "penalty_every is 16 but gradient_penalty is 'none'"),
        (dict(penalty_weight=3.0), "penalty_weight is 3.0 but gradient_penalty is 'none'"),
        (dict(decay="cosine"), "decay is 'cosine' but decay_epochs is 0.0"),
        (dict(decay_start=3.0), "decay_start is 3.0 but decay_epochs is 0.0"),
        (dict(weight_decay=1e6), "weight_decay is 1000000.0 at a learning rate of 0.0002"),
    ],
)
def test_what_would_have_no_effect_is_refused(settings, message):
    with pytest.raises(UserError, match=message):
        GAN(**settings).fit(X, steps=1)
