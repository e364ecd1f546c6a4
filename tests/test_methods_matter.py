"""For each loss, penalty and way to update of `docs/methods.md` a training in which it matters.

Layers are in `test_layers_matter`. Whether gradients are right is compared with PyTorch elsewhere. More of this kind:
gradient penalties in `test_penalties`, packing and instance noise in `test_ways_to_train`, noise on tokens in
`test_vectors_and_tokens`.
"""

import numpy as np
import pytest

from fastgan.errors import Diverged
from fastgan.networks import weights

from .lone_players import POINT, STILL, around, linear_players, normal, scores, share_right, teach, trainer_of


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
