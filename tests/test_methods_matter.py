"""For each method of `docs/methods.md` a training in which it matters: one that goes another way without it.

Whether gradients are right is compared with PyTorch elsewhere. More of this kind: gradient penalties in
`test_penalties`, packing and instance noise in `test_ways_to_train`, noise on tokens in `test_vectors_and_tokens`.
"""

import numpy as np
import pytest

from fastgan.data import from_arrays
from fastgan.embedding import table_of
from fastgan.errors import Diverged
from fastgan.monitor import outputs
from fastgan.networks import layer_rows, weights
from fastgan.settings import Settings
from fastgan.state import STATISTICS
from fastgan.step import TRAIN_DISCRIMINATOR, TRAIN_DISCRIMINATOR_FAKE, TRAIN_DISCRIMINATOR_REAL
from fastgan.trainer import Trainer

NO_LABELS = np.zeros(0, np.int64)
STILL = 1e-30  # a learning rate that moves nothing
POINT = np.zeros((32, 1), np.float32)  # rows all alike


def trainer_of(x, y=None, *, vocabulary=0, **settings):
    """A small trainer on rows that the networks see as they are."""
    small = dict(generator=[8], discriminator=[8], latent_dim=2, batch_size=32, backend="numpy")
    if not vocabulary:
        small["output"] = "linear"
    data = from_arrays(x, y, scaling="none", vocabulary=vocabulary)
    return Trainer(Settings(**(small | settings)), data)


def normal(seed, *shape, mean=0.0, deviation=1.0):
    return np.random.default_rng(seed).normal(mean, deviation, shape).astype(np.float32)


def around(mean, deviation=1.0):
    """A function that draws the rows of a step, (32, 1), around `mean`."""
    return lambda step: normal([step, int(mean > 0)], 32, 1, mean=mean, deviation=deviation)


def teach(trainer, steps, real, fake):
    """Let D alone learn from the rows that `real` and `fake` give for each step."""
    for step in range(steps):
        trainer.perform(TRAIN_DISCRIMINATOR_REAL, real(step), NO_LABELS)
        trainer.perform(TRAIN_DISCRIMINATOR_FAKE, fake(step), NO_LABELS)


def scores(trainer, x):
    return outputs(trainer.gan_to_read.discriminator, x)


def share_right(trainer, real, fake):
    """Of rows that D has not seen."""
    right = [scores(trainer, real(9999)) > 0, scores(trainer, fake(9999)) < 0]
    return np.concatenate(right).mean()


def linear_players(x, point, slope, **settings):
    """G makes the one row `point`, whatever it reads, and D says `slope` times the row; plain gradient descent."""
    trainer = trainer_of(x, generator=[], discriminator=[], optimiser="sgd", update="joint", **settings)
    g, d = trainer.gan.generator.params, trainer.gan.discriminator.params
    g[:], d[:] = [0, 0, point], [slope, 0]
    return trainer, g, d


@pytest.mark.parametrize(("loss", "learns"), [("bce", True), ("minimax", False)])
def test_a_loss_that_saturates_teaches_nothing_once_the_discriminator_is_sure(loss, learns):
    """Goodfellow et al. 2014, section 3, on why G takes the other one."""
    trainer, g, _ = linear_players(POINT, -10, 1, loss=loss, generator_lr=0.1, discriminator_lr=STILL)
    trainer.train(50)
    assert g[2] > -7 if learns else g[2] < -9.99


@pytest.mark.parametrize(("loss", "stops"), [("hinge", True), ("wasserstein", False)])
def test_a_hinge_lets_rows_beyond_its_margin_be(loss, stops):
    trainer, _, d = linear_players(POINT + 1, -1, 2, loss=loss, generator_lr=STILL, discriminator_lr=0.1)
    trainer.train(50)
    assert d[0] == 2 if stops else d[0] > 10


@pytest.mark.parametrize(("loss", "moves"), [("relativistic", False), ("bce", True)])
def test_in_pairs_only_differences_count(loss, moves):
    """Real rows are at 0 and fake ones at 1: the bias raises both alike."""
    trainer, _, d = linear_players(POINT, 1, 1, loss=loss, generator_lr=STILL, discriminator_lr=0.1)
    trainer.train(50)
    assert d[0] < 0  # it learns which is which
    assert abs(d[1]) > 0.1 if moves else abs(d[1]) < 1e-6


@pytest.mark.parametrize(
    ("slope", "one_sided", "expected"),
    [(0.5, False, 1.0), (2.0, False, 1.0), (0.5, True, 0.5), (2.0, True, 1.0)],
)
def test_a_one_sided_penalty_leaves_small_slopes_alone(slope, one_sided, expected):
    """Real and fake rows are one point, so that nothing but the penalty moves D's slope."""
    trainer, _, d = linear_players(
        POINT,
        0,
        slope,
        loss="wasserstein",
        gradient_penalty="wgan-gp",
        penalty_one_sided=one_sided,
        generator_lr=STILL,
        discriminator_lr=0.02,
    )
    trainer.train(40)
    assert d[0] == pytest.approx(expected, abs=1e-5)


def test_spectral_norm_bounds_the_discriminators_slope():
    """A critic grows ever steeper; one whose layers have norm 1 is nowhere steeper than 1, and nearly so."""
    x = np.linspace(-3, 3, 200, dtype=np.float32)[:, None]
    steepest = []
    for spectral_norm in (False, True):
        critic = dict(loss="wasserstein", discriminator=[16, 16], discriminator_lr=1e-2)
        trainer = trainer_of(POINT, spectral_norm=spectral_norm, **critic)
        teach(trainer, 100, around(1), around(-1))
        steepest.append(np.abs(np.diff(scores(trainer, x)) / np.diff(x[:, 0])).max())
    assert steepest[0] > 100 and 0.8 < steepest[1] < 1.02


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
        maxout_pieces=2,
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


@pytest.mark.parametrize("optimiser", ["adam", "sgd", "rmsprop"])
def test_weights_without_a_gradient_decay_by_the_rate(optimiser):
    """Units of relu that are never above zero learn nothing: each update leaves 1 - rate * decay of their weights."""
    rate, steps = 0.01, 10
    for decay in (0.0, 2.0):
        trainer = trainer_of(
            normal(0, 64, 2),
            discriminator_activation="relu",
            optimiser=optimiser,
            generator_lr=rate,
            discriminator_lr=rate,
            weight_decay=decay,
            update="joint",
        )
        players = trainer.gan.generator, trainer.gan.discriminator
        before = []
        for net in players:
            w, b = weights(net, net.params, 0)
            b[:] = -1e3
            before.append(w.copy())
        trainer.train(steps)
        for net, w in zip(players, before, strict=True):
            found = weights(net, net.params, 0)[0]
            np.testing.assert_allclose(found, w * (1 - rate * decay) ** steps, rtol=1e-5)


def test_weight_decay_keeps_a_discriminator_small():
    norms = []
    for decay in (0.0, 1.0):
        trainer = trainer_of(POINT, weight_decay=decay, discriminator=[16], discriminator_lr=1e-2)
        teach(trainer, 300, around(1), around(-1))
        norms.append(np.linalg.norm(trainer.gan_to_read.discriminator.params))
        assert share_right(trainer, around(1), around(-1)) > 0.75
    assert 0.5 < norms[1] < norms[0] / 2


@pytest.mark.parametrize("updates", ["n_critic", "n_generator"])
def test_more_updates_of_a_player_serve_it(updates):
    """After as many steps, of which the other player has made the same of its own."""
    rates = {"n_critic": (2e-4, 1e-3), "n_generator": (1e-3, 2e-4)}[updates]
    losses = {"d": [], "g": []}
    for count in (1, 5):
        trainer = trainer_of(
            normal(5, 256, 2, mean=2),
            generator=[16],
            discriminator=[16],
            generator_lr=rates[0],
            discriminator_lr=rates[1],
            **{updates: count},
        )
        trainer.train(80)
        history = {name: figures[-10:].mean() for name, figures in trainer.history.items()}
        losses["d"].append(history["d_loss_real"] + history["d_loss_fake"])
        losses["g"].append(history["g_loss"])
    served, other = ("d", "g") if updates == "n_critic" else ("g", "d")
    assert losses[served][1] < 0.85 * losses[served][0]
    assert losses[other][1] > 1.1 * losses[other][0]


def test_label_smoothing_keeps_the_discriminator_from_being_sure():
    for smoothing in (0.0, 0.2):
        trainer = trainer_of(POINT, label_smoothing=smoothing, discriminator=[16], discriminator_lr=1e-2)
        teach(trainer, 200, around(2, 0.3), around(-2, 0.3))
        chance = 1 / (1 + np.exp(-scores(trainer, around(2, 0.3)(9999))))
        assert chance.mean() == pytest.approx(1 - smoothing, abs=0.02)


def test_the_average_of_a_generator_that_circles_rests():
    """A point and a slope, as in `test_penalties`, without a penalty."""
    scatter = {}
    for ema in (0.0, 0.99):
        rates = dict(generator_lr=0.2, discriminator_lr=0.2)
        trainer, g, _ = linear_players(POINT, 1, 1, loss="wasserstein", ema=ema, **rates)
        newest, sampled = [], []
        for _ in range(200):
            trainer.train(1)
            g[:2] = 0
            newest.append(g[2])
            sampled.append(trainer.generator.generate(np.zeros((1, 2)))[0, 0])
        assert np.std(newest[-60:]) > 0.8
        scatter[ema] = np.abs(sampled[-60:]).max()
    assert scatter[0.0] > 1.2 and scatter[0.99] < 0.6


def test_a_falling_rate_brings_the_generator_to_rest():
    """Near the equilibrium the chance of a batch moves G for ever, as far as its rate lets it."""
    scatter = []
    for schedule in ({}, dict(decay_epochs=10), dict(decay="cosine", decay_epochs=10)):
        trainer = trainer_of(
            normal(0, 256, 1),
            generator=[],
            discriminator=[],
            batch_size=8,
            optimiser="sgd",
            generator_lr=0.1,
            discriminator_lr=0.1,
            loss="wasserstein",
            gradient_penalty="r1",
            penalty_weight=1.0,
            update="joint",
            **schedule,
        )
        g = trainer.gan.generator.params
        trainer.train(280)
        places = []
        for _ in range(40):
            trainer.train(1)
            places.append(g[-1])
        scatter.append(np.std(places))
    constant, linear, cosine = scatter
    assert linear < constant / 8 and cosine < linear / 2


def test_a_warm_up_gets_over_a_steep_start():
    """Two weights of 10 in a row make the loss too steep for the rate; a twentieth of it makes them small first."""
    for warmup_epochs in (0, 20):
        trainer = trainer_of(
            np.ones((320, 1), np.float32),
            generator=[],
            discriminator=[1],
            discriminator_activation="linear",
            optimiser="sgd",
            loss="mse",
            generator_lr=STILL,
            discriminator_lr=0.1,
            warmup_epochs=warmup_epochs,
        )
        g, d = trainer.gan.generator.params, trainer.gan.discriminator.params
        g[:], d[:] = [0, 0, -1], [10, 0, 10, 0]
        if not warmup_epochs:
            with pytest.raises(Diverged):
                trainer.train(200)
        else:
            trainer.train(200)
            ends = np.array([[1], [-1]], np.float32)
            np.testing.assert_allclose(scores(trainer, ends), [1, 0], atol=0.01)


def test_a_clipped_gradient_survives_an_outlier():
    x = normal(0, 256, 1, mean=1, deviation=0.3)
    x[7] = 100
    for clip_norm in (0, 1):
        trainer = trainer_of(
            x,
            generator=[],
            optimiser="sgd",
            loss="mse",
            generator_lr=STILL,
            discriminator_lr=0.05,
            clip_norm=clip_norm,
        )
        trainer.gan.generator.params[:] = [0.3, 0, -1]
        if not clip_norm:
            with pytest.raises(Diverged):
                trainer.train(200)
        else:
            trainer.train(200)
            real, fake = scores(trainer, around(1, 0.3)(0)), scores(trainer, around(-1, 0.3)(0))
            assert (real > 0.5).mean() > 0.9 and (fake < 0.5).mean() > 0.9
