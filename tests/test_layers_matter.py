"""For each kind of layer of `docs/methods.md` a training in which it matters: one that goes another way without it."""

import numpy as np
import pytest

from fastgan.embedding import table_of
from fastgan.networks import layer_rows, weights
from fastgan.state import STATISTICS
from fastgan.step import TRAIN_DISCRIMINATOR, TRAIN_DISCRIMINATOR_REAL

from .lone_players import NO_LABELS, POINT, STILL, around, normal, scores, share_right, teach, trainer_of


@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_hidden_sums_are_normalised_however_wild_the_rows(norm):
    """Over each half's rows, or over each row's columns; `linear` hands them on as they are."""
    x = normal(0, 64, 3, mean=1000, deviation=50)
    moments = {}
    for kind in ("none", norm):
        layers = dict(discriminator=[50, 40], discriminator_activation="linear", discriminator_norm=kind)
        trainer = trainer_of(x, update="joint", **layers)
        trainer.gan.generator.params[:] *= 100  # fake rows are as wild
        trainer.perform(TRAIN_DISCRIMINATOR, x[:32], NO_LABELS)
        d, axis = trainer.gan_to_read.discriminator, dict(batch=0, layer=1)[norm]
        halves = [layer_rows(d, d.outputs, layer, 32, first) for layer in (0, 1) for first in (0, 32)]
        moments[kind] = [(each.mean(axis), each.std(axis)) for each in halves]
    for mean, deviation in moments[norm]:
        np.testing.assert_allclose(mean, 0, atol=1e-2)
        np.testing.assert_allclose(deviation, 1, atol=1e-2)
    mean, deviation = moments["none"][0]
    assert np.abs(mean).max() > 5 and deviation.max() > 5


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_a_normalised_generator_learns_where_a_plain_one_is_dead(norm):
    """The second layer's weights are negative and what it reads is not, so that its sums are all below zero."""
    trainer = trainer_of(
        normal(0, 256, 1, mean=1),
        generator=[16, 16],
        generator_norm=norm,
        generator_lr=5e-3,
        discriminator_lr=5e-3,
        gradient_penalty="r1",
        penalty_weight=0.1,
    )
    g = trainer.gan.generator
    w, _ = weights(g, g.params, 1)
    w[...] = -np.abs(w)
    trainer.train(200)
    samples = trainer.generator.sample(500, seed=1)
    if norm == "none":
        assert np.ptp(samples) == 0
    else:
        assert samples.std() > 0.05


def test_layer_norm_takes_no_notice_of_a_rows_scale():
    x = normal(0, 32, 3)
    changes = []
    for norm in ("none", "layer"):
        trainer = trainer_of(x, discriminator_norm=norm)
        w, _ = weights(trainer.gan.discriminator, trainer.gan.discriminator.params, 1)
        w *= 5  # so that there is something to judge by
        said = scores(trainer, x)
        changes.append(np.abs(scores(trainer, 100 * x) - said).max() / said.std())
    assert changes[0] > 10 and changes[1] < 0.01


def test_samples_are_normalised_by_what_the_batches_were():
    """A row alone has no spread, and running moments begin at 0 and 1, far from those of G's first sums here."""
    trainer = trainer_of(
        normal(0, 64, 2), generator_norm="batch", generator_activation="linear", generator_lr=STILL
    )
    g = trainer.gan.generator
    w, _ = weights(g, g.params, 0)
    w *= 1000
    z = normal(1, 2000, 2)
    before = trainer.generator.generate(z).std()
    trainer.train(40)
    after = trainer.generator.generate(z)
    assert before > 100 and 0.3 < after.std() < 3
    np.testing.assert_allclose(trainer.generator.generate(z[:1]), after[:1], rtol=1e-4)


def test_dropout_is_another_at_each_step_and_averages_out():
    """D's mean score of the same rows, again and again, while it learns nothing."""
    x = normal(0, 32, 4)
    means = {}
    for dropout in (0.0, 0.5):
        critic = dict(loss="wasserstein", discriminator=[64], discriminator_lr=STILL)
        trainer = trainer_of(x, discriminator_dropout=dropout, **critic)
        means[dropout] = np.array(
            [
                trainer.perform(TRAIN_DISCRIMINATOR_REAL, x, NO_LABELS)[STATISTICS.index("d_real")]
                for _ in range(200)
            ]
        )
        looked = scores(trainer, x).mean()  # without dropout, which is for learning
        assert looked == pytest.approx(means[0.0][0], abs=1e-5)
    assert len(set(means[0.0])) == 1 and len(set(means[0.5])) == 200
    scatter = means[0.5].std()
    assert scatter > 0.05 and abs(means[0.5].mean() - means[0.0][0]) < 4 * scatter / np.sqrt(200)


def test_samples_are_made_without_dropout():
    z = normal(1, 50, 2)
    plain, dropping = (trainer_of(normal(0, 32, 2), generator_dropout=dropout) for dropout in (0.0, 0.5))
    np.testing.assert_array_equal(dropping.generator.generate(z), plain.generator.generate(z))
    for trainer in (plain, dropping):
        trainer.train(5)
    made = dropping.generator.generate(z)
    np.testing.assert_array_equal(made, dropping.generator.generate(z))
    assert np.abs(made - plain.generator.generate(z)).max() > 1e-4  # it has learnt with it


def test_the_more_dropout_the_less_the_discriminator_memorises():
    """Fake rows are new ones of the real rows' distribution: all that D can learn is the real ones, one by one."""
    few, others = normal(0, 16, 8), normal(1, 500, 8)
    known = []
    for dropout in (0.0, 0.5, 0.8):
        trainer = trainer_of(
            normal(0, 32, 8), discriminator=[64], discriminator_dropout=dropout, discriminator_lr=3e-3
        )
        teach(trainer, 200, lambda step: few, lambda step: normal(step + 2, 16, 8))
        known.append(scores(trainer, few).mean() - scores(trainer, others).mean())
    assert known[0] > 1.3 * known[1] > 1.3**2 * known[2] > 0.5


@pytest.mark.parametrize(("activation", "enough"), [("maxout", True), ("relu", False), ("leaky_relu", False)])
def test_one_unit_of_maxout_has_two_sides(activation, enough):
    """Real rows lie between fake ones: of two pieces a unit can be |x|, others rise or fall all the way."""
    sides = np.repeat([-2, 2], 16).astype(np.float32)[:, None]
    near = around(0, 0.3)

    def fake(step):
        return near(step + 5000) + sides

    trainer = trainer_of(
        POINT,
        discriminator=[1],
        discriminator_activation=activation,
        **(dict(maxout_pieces=2) if activation == "maxout" else {}),
        discriminator_lr=2e-2,
    )
    w, _ = weights(trainer.gan.discriminator, trainer.gan.discriminator.params, 1)
    w[...] = -1  # the highest of two pieces is a valley, of which D is to make a hill
    teach(trainer, 300, near, fake)
    right = share_right(trainer, near, fake)
    assert right > 0.95 if enough else right < 0.8


def deaden(net):
    """Let all hidden layers, of relu, give zero whatever they read, and the last one too."""
    for layer in range(len(net.layers)):
        w, b = weights(net, net.params, layer)
        w[...], b[:] = 0, -(layer < len(net.layers) - 1)


@pytest.mark.parametrize("concat", [True, False])
def test_a_discriminator_with_concat_sees_past_dead_layers(concat):
    layers = dict(discriminator=[6, 5], discriminator_activation="relu", discriminator_concat=concat)
    trainer = trainer_of(POINT, discriminator_lr=1e-2, **layers)
    deaden(trainer.gan.discriminator)
    real, fake = around(1, 0.3), around(-1, 0.3)
    teach(trainer, 100, real, fake)
    if concat:
        assert share_right(trainer, real, fake) == 1
    else:
        assert np.ptp(scores(trainer, np.concatenate([real(0), fake(0)]))) == 0


@pytest.mark.parametrize("concat", [True, False])
def test_a_generator_with_concat_leads_its_latent_vector_past_dead_layers(concat):
    trainer = trainer_of(
        normal(0, 256, 1, mean=1),
        generator=[6, 5],
        generator_concat=concat,
        discriminator=[16],
        generator_lr=1e-2,
        discriminator_lr=1e-2,
    )
    deaden(trainer.gan.generator)
    trainer.train(200)
    samples = trainer.generator.sample(500, seed=1)
    assert 0.5 < samples.std() < 1.5 if concat else np.ptp(samples) == 0


def test_vectors_of_labels_learn_to_differ():
    """They begin as one vector, so that G cannot tell labels; later nothing else tells them."""
    y = np.arange(120) % 3
    x = np.array([-2, 0, 2], np.float32)[y][:, None] + normal(0, 120, 1, deviation=0.1)
    trainer = trainer_of(
        x,
        y,
        label_embedding=2,
        generator=[16],
        discriminator=[16],
        generator_lr=1e-2,
        discriminator_lr=1e-2,
    )
    table = table_of(trainer.gan.generator, trainer.gan.generator.params)
    table[...] = table[0]

    def means():
        return np.array([trainer.generator.sample(200, label, seed=1).mean() for label in range(3)])

    assert np.ptp(means()) == 0
    trainer.train(300)
    trained = means()
    np.testing.assert_allclose(trained, [-2, 0, 2], atol=0.7)
    table[...] = table[::-1].copy()
    np.testing.assert_array_equal(means(), trained[::-1])


def test_without_hidden_layers_pairs_are_seen_by_bigrams_alone():
    """Real rows are 00 and 11, fakes 01 and 10: each token comes as often in both."""
    first = np.repeat([[0], [1]], 16, axis=0)
    real, fake = np.hstack([first, first]).astype(np.uint8), np.hstack([first, 1 - first]).astype(np.uint8)
    told = {}
    for bigrams in (False, True):
        trainer = trainer_of(
            real, vocabulary=2, discriminator_bigrams=bigrams, discriminator=[], discriminator_lr=1e-2
        )
        teach(trainer, 200, lambda step: real, lambda step: fake)
        rows = [np.eye(2, dtype=np.float32)[each].reshape(32, 4) for each in (real, fake)]
        told[bigrams] = scores(trainer, rows[0]).mean() - scores(trainer, rows[1]).mean()
    assert abs(told[False]) < 0.1 and told[True] > 2


def test_vectors_of_tokens_learn_to_differ():
    """They begin as one vector, so that D cannot tell tokens; later nothing else tells them."""
    random = np.random.default_rng(0)
    real, fake = (random.integers(first, first + 2, (32, 3)).astype(np.uint8) for first in (0, 2))
    trainer = trainer_of(
        random.integers(0, 4, (32, 3)).astype(np.uint8),
        vocabulary=4,
        token_embedding=2,
        discriminator=[16],
        discriminator_lr=1e-2,
    )
    table = table_of(trainer.gan.discriminator, trainer.gan.discriminator.params)
    table[...] = table[0]

    def judged(tokens):
        return scores(trainer, np.eye(4, dtype=np.float32)[tokens].reshape(32, 12))

    assert np.ptp([judged(real), judged(fake)]) == 0
    teach(trainer, 100, lambda step: real, lambda step: fake)
    assert judged(real).min() > 1 and judged(fake).max() < -1
    table[2:] = table[:2]
    np.testing.assert_array_equal(judged(fake), judged(fake - 2))
    assert judged(fake).min() > 1
