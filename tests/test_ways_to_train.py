"""Packing, pairs, instance noise and more updates of one player: the same on every backend, and what they are for."""

import numpy as np
import pytest

from fastgan import GAN
from fastgan.errors import UserError
from fastgan.settings import Settings
from fastgan.state import STATISTICS
from fastgan.step import TRAIN_DISCRIMINATOR_FAKE, TRAIN_DISCRIMINATOR_REAL, TRAIN_GENERATOR

WAYS = {
    "packed": dict(packing=2),
    "packed pairs": dict(
        packing=2, loss="relativistic", update="joint", gradient_penalty="r1+r2", epsilon=1e-4
    ),
    "noise": dict(instance_noise=0.3, instance_noise_epochs=2),
    "more updates of the generator": dict(n_generator=3, n_critic=2),
    "all": dict(packing=4, instance_noise=0.2, n_generator=2, gradient_penalty="wgan-gp", update="joint"),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_backends_and_threads_agree(make_trainer, state_of, way):
    trainers = [
        make_trainer(backend=backend, threads=threads, batch_size=64, **way)
        for backend, threads in (("numpy", 1), ("cpu", 1), ("cpu", 2))
    ]
    for trainer in trainers:
        trainer.train(9)
    reference, one, two = trainers
    assert state_of(one) == state_of(two)
    for player in ("generator", "discriminator"):
        expected, found = (getattr(each.gan, player).params for each in (reference, one))
        np.testing.assert_allclose(found, expected, rtol=0, atol=5e-6)
        assert (
            getattr(one.gan, player).updates[0]
            == 9
            * dict(
                generator=one.settings.n_generator,
                discriminator=one.settings.n_critic * (1 if one.settings.update == "joint" else 2),
            )[player]
        )


def test_packing_shows_a_collapse_that_no_row_shows_alone(make_trainer):
    """Fake rows that are real ones, each twice: a discriminator of single rows cannot tell, one of pairs can."""
    random = np.random.default_rng(0)
    none = np.zeros(0, np.int64)
    gaps = {}
    for packing in (1, 2):
        trainer = make_trainer(
            packing=packing, discriminator=[32], discriminator_lr=2e-3, backend="cpu", threads=1
        )
        data, scores = trainer.dataset.array, []
        for _ in range(600):
            real = data[random.integers(0, len(data), 16)]
            twice = data[random.integers(0, len(data), 8)].repeat(2, axis=0)
            real_row = trainer.perform(TRAIN_DISCRIMINATOR_REAL, real, none)
            fake_row = trainer.perform(TRAIN_DISCRIMINATOR_FAKE, twice, none)
            scores.append(real_row[STATISTICS.index("d_real")] - fake_row[STATISTICS.index("d_fake")])
        gaps[packing] = np.mean(scores[-100:])
    assert gaps[2] > 0.5 and abs(gaps[1]) < 0.1


def test_noise_keeps_the_discriminator_from_being_sure(make_trainer):
    scores = {}
    for noise in (0.0, 1.0):
        trainer = make_trainer(
            instance_noise=noise, discriminator=[32], discriminator_lr=1e-2, generator_lr=1e-6
        )
        trainer.train(200)
        scores[noise] = trainer.history["d_fake"][-50:].mean()
    assert scores[1.0] > 1.5 * scores[0.0]


def test_a_loop_of_the_callers(make_trainer):
    none = np.zeros(0, np.int64)
    trainer = make_trainer(loss="relativistic", update="joint")
    with pytest.raises(UserError, match="newest real rows, and it has seen none"):
        trainer.perform(TRAIN_GENERATOR, trainer.dataset.array[:0], none)
    with pytest.raises(UserError, match="pairs real and fake rows"):
        trainer.perform(TRAIN_DISCRIMINATOR_REAL, trainer.dataset.array[:4], none)
    gan = GAN(
        generator=[4], discriminator=[4], batch_size=8, loss="relativistic", update="joint", backend="numpy"
    )
    x = np.random.default_rng(0).normal(size=(8, 2))
    gan.train_discriminator_step(x)
    assert gan.train_generator_step() > 0
    packed = make_trainer(packing=2)
    with pytest.raises(UserError, match="the batch has 5 rows but packing is 2"):
        packed.perform(TRAIN_DISCRIMINATOR_REAL, packed.dataset.array[:5], none)
    packed.perform(TRAIN_DISCRIMINATOR_REAL, packed.dataset.array[:6], none)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(packing=3), "packing is 3, which does not divide the discriminator's 32 rows of a kind"),
        (dict(packing=2, n_classes=3), "packing is 2 but n_classes is 3"),
        (dict(loss="relativistic"), "loss is 'relativistic', which pairs .* but update is 'separate'"),
    ],
)
def test_what_cannot_be_together(settings, message):
    with pytest.raises(UserError, match=message):
        Settings(**settings).check()


def test_labels_cannot_be_packed(make_trainer):
    with pytest.raises(UserError, match=r"packing is 2 but .* has 3 classes"):
        make_trainer(classes=3, packing=2)
