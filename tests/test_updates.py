"""What is done to a player's gradients and parameters: spectral norm, clipping, weight decay, averages, schedules."""

import numpy as np
import pytest

from fastgan import GAN, load
from fastgan.networks import weights

from .parity import UPDATES, WEIGHTS, assert_gradients_equal, run

CHANGES = {
    "spectral norm": dict(spectral_norm=True),
    "clipped": dict(clip_norm=0.05),
    "clipped, of several parts": dict(clip_norm=0.05, discriminator=[128, 80], generator=[100, 90]),
    "both": dict(spectral_norm=True, clip_norm=0.05),
    "spectral norm, penalised": dict(
        spectral_norm=True, gradient_penalty="wgan-gp", discriminator_activation="tanh"
    ),
}


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_gradients_against_pytorch(make_trainer, change, backend):
    """Of both players: G's goes through a D whose vectors have moved on with its update."""
    from .twin import Twin

    settings = dict(optimiser="sgd", discriminator_lr=0.3, generator_lr=0.1)
    trainer = make_trainer("bytes", classes=3, update="joint", backend=backend, **settings, **change)
    twin = Twin(trainer)
    d_gradients = twin.step()
    gradients = [d_gradients, twin.g.flat(gradients=True)]
    if "clip_norm" in change:
        norms = [np.linalg.norm(each) for each in gradients]
        np.testing.assert_allclose(norms, change["clip_norm"], rtol=1e-4)
        # PyTorch divides by the norm and 1e-6 more.
        gradients = [each * change["clip_norm"] / norm for each, norm in zip(gradients, norms, strict=True)]
    run(trainer)
    g, d = trainer.gan.generator, trainer.gan.discriminator
    for net, expected in zip((d, g), gradients, strict=True):
        assert_gradients_equal(net.grads, expected)
    np.testing.assert_allclose(d.params, twin.d.flat(), rtol=0, atol=2 * WEIGHTS)


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
def test_weight_decay_against_pytorch(make_trainer, backend):
    from .twin import Twin

    rate = 0.01
    trainer = make_trainer(
        weight_decay=3.0,
        epsilon=1e-3,
        generator_lr=rate,
        discriminator_lr=rate,
        update="joint",
        backend=backend,
    )
    twin = Twin(trainer)
    for _ in range(5):
        twin.step()
        run(trainer)
    np.testing.assert_allclose(trainer.gan.generator.params, twin.g.flat(), rtol=0, atol=rate * UPDATES)
    np.testing.assert_allclose(trainer.gan.discriminator.params, twin.d.flat(), rtol=0, atol=rate * UPDATES)


def largest_singular_values(net, vector):
    return [
        np.linalg.svd(weights(net, vector, layer)[0].astype(float))[1][0] for layer in range(len(net.layers))
    ]


@pytest.mark.parametrize("update", ["separate", "joint"])
@pytest.mark.parametrize(
    ("layers", "steps", "schedule"),
    [([32, 16], 800, {}), ([64, 64, 64], 320, dict(decay_epochs=15))],  # 90 steps, then 230 at rest
    ids=["two layers", "three wider layers, until the rate is zero"],
)
def test_normalised_layers_have_a_largest_singular_value_of_one(
    make_trainer, update, layers, steps, schedule
):
    """Once trained: while weights move, the two largest may change places, and an iteration a step lags behind."""
    trainer = make_trainer(
        spectral_norm=True, discriminator=layers, update=update, discriminator_lr=1e-3, **schedule
    )
    trainer.train(steps // 4)
    d = trainer.gan_to_read.discriminator
    np.testing.assert_allclose(largest_singular_values(d, d.spectral.scaled), 1, atol=0.1)
    trainer.train(steps - steps // 4)
    d = trainer.gan.discriminator
    np.testing.assert_allclose(largest_singular_values(d, d.spectral.scaled), 1, atol=1e-3)
    assert np.abs(np.array(largest_singular_values(d, d.params)) - 1).max() > 0.1
    for layer in range(len(d.layers)):
        np.testing.assert_array_equal(weights(d, d.spectral.scaled, layer)[1], weights(d, d.params, layer)[1])


def test_the_average_follows_the_generator_and_is_what_is_sampled(make_trainer, tmp_path):
    trainer = make_trainer(ema=0.9, generator_lr=1e-2)
    g = trainer.gan.generator
    np.testing.assert_array_equal(g.average, g.params)
    expected = g.params.astype(float)
    for t in range(1, 31):
        trainer.train(1)
        decay = min(0.9, (1 + t) / (10 + t))
        expected += (1 - decay) * (g.params - expected)
    np.testing.assert_allclose(g.average, expected, rtol=0, atol=1e-6)
    assert np.abs(g.average - g.params).max() > 1e-3
    assert trainer.generator.net.params is g.average
    trainer.generator.save(tmp_path / "g.safetensors")
    np.testing.assert_array_equal(load(tmp_path / "g.safetensors").net.params, g.average)


EVERYTHING = dict(spectral_norm=True, clip_norm=0.5, weight_decay=0.1, ema=0.99, gradient_penalty="r1")


@pytest.mark.parametrize("widths", [{}, dict(discriminator=[128, 80])], ids=["narrow", "of several parts"])
@pytest.mark.parametrize("update", ["separate", "joint"])
def test_backends_and_threads_agree(make_trainer, state_of, update, widths):
    settings = dict(update=update, batch_size=32) | widths
    trainers = [
        make_trainer(backend=backend, threads=threads, **settings, **EVERYTHING)
        for backend, threads in (("numpy", 1), ("cpu", 1), ("cpu", 2))
    ]
    for trainer in trainers:
        trainer.train(9)
    reference, one, two = trainers
    assert state_of(one) == state_of(two)
    for name in ("left", "right", "inverse", "scaled"):
        found, other = (getattr(each.gan.discriminator.spectral, name) for each in (one, two))
        np.testing.assert_array_equal(found, other)
    np.testing.assert_array_equal(one.gan.generator.average, two.gan.generator.average)
    for player in ("generator", "discriminator"):
        expected, found = (getattr(each.gan, player).params for each in (reference, one))
        np.testing.assert_allclose(found, expected, rtol=0, atol=5e-6)


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
def test_a_resumed_training_gives_the_same_bytes(tmp_path, backend):
    x = np.random.default_rng(0).normal(size=(96, 3)).astype(np.float32)

    def fresh():
        return GAN(
            generator=[7],
            discriminator=[9, 5],
            latent_dim=4,
            batch_size=16,
            backend=backend,
            threads=1,
            **EVERYTHING,
        )

    whole = fresh().fit(x, steps=7)
    fresh().fit(x, steps=4).save_checkpoint(tmp_path / "c.safetensors")
    resumed = fresh().resume(tmp_path / "c.safetensors", x).fit(x, steps=3)
    np.testing.assert_array_equal(whole.sample(50, seed=1), resumed.sample(50, seed=1))
    for each in (whole, resumed):
        each.save_checkpoint(tmp_path / f"{id(each)}.safetensors")
    first, second = ((tmp_path / f"{id(each)}.safetensors").read_bytes() for each in (whole, resumed))
    assert first == second


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (dict(warmup_epochs=2), [1 / 8, 2 / 8, 3 / 8, 4 / 8, 5 / 8, 6 / 8, 7 / 8, 1, 1]),
        (
            dict(decay="cosine", decay_epochs=1),
            [1, (1 + np.sqrt(0.5)) / 2, 0.5, (1 - np.sqrt(0.5)) / 2, 0, 0],
        ),
        (dict(decay_epochs=1), [1, 0.75, 0.5, 0.25, 0, 0]),
        (dict(warmup_epochs=0.5, decay_start=0.5, decay_epochs=0.5), [0.5, 1, 1, 0.5, 0, 0]),
    ],
)
def test_schedules(make_trainer, settings, expected):
    trainer = make_trainer(rows=64, **settings)  # four steps an epoch
    rates = []
    for _ in expected:
        trainer.train(1)
        rates.append([float(net.rate[0]) for net in (trainer.gan.generator, trainer.gan.discriminator)])
    np.testing.assert_allclose(rates, np.outer(expected, [2e-4, 2e-4]), rtol=1e-6, atol=1e-12)
