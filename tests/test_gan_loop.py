"""A training loop of one's own: the parts of a step, batch by batch, and the figures such loops print."""

import numpy as np
import pytest

from .small_gan import X, Y, refused, small


def test_the_loop_of_the_source_document():
    """Batches of 8 real rows, as many fake ones, then the generator, as document 001 writes it."""
    gan = small()
    losses = []
    for start in range(0, 96, 8):
        d_real = gan.train_discriminator_real(X[start : start + 8])
        fake = gan.generate_batch(8)
        d_fake = gan.train_discriminator_fake(fake)
        g = gan.train_generator_step()
        losses.append((g, d_real + d_fake))
    assert fake.shape == (8, 3) and fake.dtype == np.float32
    g_losses, d_losses = zip(*losses, strict=True)
    assert gan.stats.steps == 12
    assert gan.stats.avg_generator_loss() == pytest.approx(np.mean(g_losses), rel=1e-5)
    assert gan.stats.avg_discriminator_loss() == pytest.approx(np.mean(d_losses), rel=1e-5)
    assert all(np.isfinite(losses).ravel())


def test_loss_averages_go_over_the_last_hundred():
    gan = small(generator_lr=1e-2, discriminator_lr=1e-2).fit(X, steps=130)
    assert gan.stats.avg_generator_loss() == pytest.approx(gan.history["g_loss"][30:].mean(), rel=1e-5)
    fresh = small()
    fresh.train_discriminator_real(X[:8])
    assert fresh.stats.avg_generator_loss() == 0.0
    assert fresh.stats.steps == 0


def test_five_critic_steps_and_one_of_the_generator():
    gan = small(loss="wasserstein", optimiser="rmsprop")
    for _ in range(5):
        loss = gan.train_discriminator_step(X[:16])
        assert isinstance(loss, float) and np.isfinite(loss)
    assert isinstance(gan.train_generator_step(), float)
    made = np.isfinite(gan.history["d_loss_real"])
    np.testing.assert_array_equal(made, [True] * 5 + [False])
    np.testing.assert_array_equal(np.isfinite(gan.history["g_loss"]), ~made)


@pytest.mark.parametrize("update", ["separate", "joint"])
@pytest.mark.parametrize("rows", [1, 5, 16])
def test_train_on_batch(update, rows):
    gan = small(update=update, n_classes=3).fit(X, Y, steps=1)
    before = gan.sample(4, seed=0)
    statistics = gan.train_on_batch(X[:rows], Y[:rows])
    assert statistics.shape == (11,) and np.isfinite(statistics).all()
    assert gan.stats.steps == 2 and len(gan.history["g_loss"]) == 2
    assert not np.array_equal(gan.sample(4, seed=0), before)


def test_train_on_batch_learns():
    gan = small(generator=[32], discriminator=[32], generator_lr=1e-3, discriminator_lr=1e-3)
    random = np.random.default_rng(3)
    for _ in range(1500):
        gan.train_on_batch(X[random.integers(0, 96, 16)])
    samples = gan.sample(500, seed=0)
    off = (samples.mean(axis=0) - X.mean(axis=0)) / X.std(axis=0)
    spread = samples.std(axis=0) / X.std(axis=0)
    assert np.abs(off).max() < 0.8  # measured with three seeds: at most 0.31
    assert 0.5 < spread.min() and spread.max() < 2


def test_a_fit_and_a_loop_of_ones_own_mix():
    gan = small()
    gan.train_on_batch(X[:8])
    gan.fit(X, steps=2)
    gan.train_on_batch(X[:8])
    assert gan.stats.steps == 4


def test_a_decay_over_epochs_needs_a_fit_first():
    with refused("decay_epochs is 5.0 but a loop of your own has no epochs; call fit first, or set it to 0"):
        small(decay_epochs=5.0).train_on_batch(X[:8])
    gan = small(decay_epochs=5.0).fit(X, steps=1)
    gan.train_on_batch(X[:8])
    assert gan._trainer.gan.generator.rate[0] == pytest.approx(2e-4 * (1 - 1 / 30))


def test_batches_that_cannot_be_used():
    gan = small().fit(X, steps=1)
    labelled = small().fit(X, Y, steps=1)
    with refused("x: rows of 2 values, expected 3"):
        gan.train_on_batch(X[:8, :2])
    with refused("the batch has 17 rows but batch_size is 16; give at most that many"):
        gan.train_on_batch(X[:17])
    with refused("x: shape (3,), expected (rows, 3)"):
        gan.train_discriminator_real(X[0])
    with refused("x: nan in row 0, column 0"):
        gan.train_discriminator_fake(np.full((4, 3), np.nan))
    with refused("x: not an array"):
        gan.train_on_batch([[1, 2, 3], [4]])
    with refused("x: shape (0, 3) holds no values"):
        gan.train_on_batch(X[:0])
    with refused("y was given but this GAN was trained without labels; leave it out"):
        gan.train_on_batch(X[:8], Y[:8])
    with refused("this GAN learnt 3 classes but y was left out; give a label a row"):
        labelled.train_on_batch(X[:8])
    with refused("y: label 3 in row 7 (counted from 0), expected 0 to 2"):
        labelled.train_on_batch(X[:8], [0, 1, 2, 0, 1, 2, 0, 3])
    with refused("y: labels of shape (2,), expected one a row, (8,)"):
        labelled.train_discriminator_step(X[:8], [0, 1])
    with refused("y holds the label 'cat'; the classes are 0 to 2"):
        labelled.train_on_batch(X[:2], ["cat", "cat"])
    assert gan.stats.steps == labelled.stats.steps == 1


def test_mode_collapse_and_unique_tokens():
    tokens = np.random.default_rng(2).integers(0, 5, (96, 4)).astype(np.uint8)
    gan = small(vocabulary=5).fit(tokens, steps=1)
    samples = gan.stats._samples()
    assert gan.stats.mode_collapse_score == 1 - len(np.unique(samples, axis=0)) / 100
    assert 1 <= gan.stats.unique_tokens <= 5
    gan._trainer.gan.generator.params[...] = 0  # every position now shows token 0
    assert gan.stats.mode_collapse_score == 0.99
    assert gan.stats.unique_tokens == 1
