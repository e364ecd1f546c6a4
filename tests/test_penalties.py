"""Gradient penalties: where their rows lie, their second-order gradient, and what they do to a training."""

from dataclasses import replace

import numpy as np
import pytest

from fastgan import GAN
from fastgan.data import from_arrays
from fastgan.errors import UserError
from fastgan.networks import weights
from fastgan.passes import gradient
from fastgan.penalties import HALVES, lay_out, penalise
from fastgan.settings import PENALTIES, Settings
from fastgan.state import STATISTICS
from fastgan.trainer import Trainer

KINDS = [kind for kind in PENALTIES if kind != "none"]


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("kind", PENALTIES)
def test_no_two_things_lie_in_one_place(kind, joint, smooth):
    real, fake, most = lay_out(kind, joint=joint, smooth=smooth)
    places = [half.start + half.place for half in (real, fake)]
    assert len(set(places)) == 2
    for half, penalised in zip((real, fake), HALVES[kind], strict=True):
        assert (half.tangents > 0) == penalised
        if penalised:
            places.append(half.start + half.tangents)
            assert half.biased <= half.tangents < half.stop
            assert half.plain <= half.biased
            own = smooth or kind == "wgan-gp"
            assert (half.points != half.place) == own
            if own:
                places.append(half.start + half.points)
                assert (half.points < half.biased) == smooth  # a smooth slope moves the biases, others do not
        assert half.start + half.stop <= most
    assert len(set(places)) == len(places) and max(places) < most


@pytest.mark.parametrize("activation", ["linear", "leaky_relu", "relu", "tanh", "sigmoid"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("vectors", [0, 3])
def test_gradient_of_a_penalty_by_central_differences(make_trainer, kind, activation, vectors):
    """Of the penalty alone, in float64: the head's deltas are zero."""
    trainer = make_trainer(
        "tokens" if vectors else "numbers",
        token_embedding=vectors,
        classes=2,
        update="joint",
        batch_size=6,
        discriminator=[7, 5],
        gradient_penalty=kind,
        discriminator_activation=activation,
    )
    gan = trainer.gan
    net = gan.discriminator
    doubled = ("params", "grads", "outputs", "deltas", "curvature")
    net = net._replace(**{name: getattr(net, name).astype(float) for name in doubled})
    if vectors:
        doubled = {name: getattr(net.embedding, name).astype(float) for name in ("inputs", "dinputs", "bias")}
        net = net._replace(embedding=net.embedding._replace(**doubled))
    random = np.random.default_rng(2)
    net.params[...] += random.normal(0, 0.1, net.params.shape)
    gan = gan._replace(
        discriminator=net, real=random.normal(size=gan.real.shape), losses=gan.losses.astype(float)
    )
    halves = [half for half in (gan.real_half, gan.fake_half) if half.tangents]
    rows = gan.real[: 2 * 6].copy()

    def mean_penalty():
        from fastgan.passes import forward

        gan.real[: 2 * 6] = rows
        forward(net, rows, gan.real_labels[:0])
        net.deltas[...] = 0
        statistics = np.empty(2)
        for half in halves:
            penalise(gan, half, 6, 0, 3, statistics)
        return statistics[0] * len(halves)  # the last one averages over all

    assert mean_penalty() > 0
    half = halves[0]
    for block in net.blocks:
        gradient(net, block, gan.real[: half.stop * 6], gan.real_labels[:0], half.biased * 6)
    found = net.grads.copy()
    expected = np.empty_like(found)
    for i in range(net.params.size):
        kept, h = net.params[i], 1e-6
        net.params[i] = kept + h
        above = mean_penalty()
        net.params[i] = kept - h
        expected[i] = (above - mean_penalty()) / (2 * h)
        net.params[i] = kept
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7 * np.abs(expected).max())


RATE, GAMMA = 0.2, 0.3


def dirac(**settings):
    """Radii around the equilibrium after each of 300 steps of the DiracGAN of Mescheder et al. 2018, section 2.

    The data are a point at zero, G is a point, and D a slope through zero; both begin at a distance of 1 from there.
    """
    trainer = Trainer(
        Settings(
            generator=[],
            discriminator=[],
            latent_dim=1,
            batch_size=2,
            optimiser="sgd",
            generator_lr=RATE,
            discriminator_lr=RATE,
            update="joint",
            output="linear",
            backend="numpy",
            **settings,
        ),
        from_arrays(np.zeros((2, 1), np.float32), scaling="none"),
    )
    g, d = trainer.gan.generator.params, trainer.gan.discriminator.params
    g[:], d[:] = [0, 1], [1, 0]
    radii = []
    for _ in range(300):
        trainer.make(np.zeros((1, len(STATISTICS)), np.float32))
        g[0] = d[1] = 0  # the paper's players have no width and no bias
        radii.append(float(np.hypot(g[1], d[0])))
    return np.array(radii)


@pytest.mark.parametrize(
    ("loss", "kinds"),
    [
        ("wasserstein", ["r1"]),
        ("hinge", ["r1", "r2"]),
        ("bce", ["r1", "r2"]),
        ("relativistic", ["r1+r2"]),  # R3GAN: Huang et al. 2024
    ],
)
def test_the_dirac_gan_converges_by_a_penalty(loss, kinds):
    plain = dirac(loss=loss)
    if loss in ("wasserstein", "hinge"):  # a circle, for the gradients do not fade
        assert 1.2 < plain.min() and plain.max() < 1.5
    else:  # with the root of the steps: three times as many leave 0.58
        assert plain[-1] > 0.3 and plain[-1] > 0.5 * plain[99]
    for kind in kinds:
        penalised = dirac(loss=loss, gradient_penalty=kind, penalty_weight=GAMMA)
        assert penalised[99] < 0.1 and penalised[-1] < 1e-3


@pytest.mark.parametrize(
    ("kind", "points", "every"), [("r1", 1, 1), ("r2", 1, 1), ("r1+r2", 2, 1), ("r1", 1, 4)]
)
def test_the_dirac_gan_converges_as_fast_as_gamma_says(kind, points, every):
    """With a linear loss a step is linear too, of determinant 1 - rate * gamma for each point that is penalised."""
    radii = dirac(loss="wasserstein", gradient_penalty=kind, penalty_weight=GAMMA, penalty_every=every)
    shrinkage = (radii[299] / radii[99]) ** (2 / 200)
    assert shrinkage == pytest.approx(1 - points * RATE * GAMMA, abs=0.01)


def test_the_dirac_gan_does_not_converge_with_wgan_gp():
    """A slope that is pulled to 1 does not rest where it should be zero (Mescheder et al. 2018)."""
    assert dirac(loss="wasserstein", gradient_penalty="wgan-gp", penalty_weight=GAMMA).min() > 1


def test_the_critics_slopes_come_to_one():
    random = np.random.default_rng(0)
    x = random.normal(0, 1, (256, 2)).astype(np.float32)
    gan = GAN(
        generator=[16],
        discriminator=[32],
        latent_dim=2,
        batch_size=32,
        init="normal",  # of standard deviation 0.02: slopes begin near zero
        loss="wasserstein",
        gradient_penalty="wgan-gp",
        n_critic=5,
        generator_lr=1e-3,
        discriminator_lr=1e-3,
        backend="numpy",
    ).fit(x, steps=300)
    slopes = gan.history["d_slope"]
    assert abs(slopes[-50:].mean() - 1) < 0.15 < abs(slopes[:5].mean() - 1)


@pytest.mark.parametrize("update", ["separate", "joint"])
@pytest.mark.parametrize("kind", KINDS)
def test_both_backends_and_any_number_of_threads_agree(make_trainer, state_of, kind, update):
    trainers = [
        make_trainer(
            gradient_penalty=kind,
            update=update,
            penalty_every=2,
            batch_size=32,
            backend=backend,
            threads=threads,
        )
        for backend, threads in (("numpy", 1), ("cpu", 1), ("cpu", 2))
    ]
    for trainer in trainers:
        trainer.train(7)
    reference, one, two = trainers
    assert state_of(one) == state_of(two)
    for player in ("generator", "discriminator"):
        expected, found = (getattr(each.gan, player).params for each in (reference, one))
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)
    due = np.arange(7) % 2 == 0
    assert np.array_equal(one.history["d_penalty"] > 0, due)
    assert np.array_equal(one.history["d_slope"] > 0, due)


@pytest.mark.parametrize("update", ["separate", "joint"])
@pytest.mark.parametrize("kind", ["none", "r1", "r2", "r1+r2"])
def test_a_half_of_the_callers_has_its_penalty(make_trainer, kind, update):
    from fastgan.step import TRAIN_DISCRIMINATOR_FAKE, TRAIN_DISCRIMINATOR_REAL

    trainer = make_trainer(gradient_penalty=kind, update=update)
    rows, none = trainer.dataset.array[:16], np.zeros(0, np.int64)
    actions = (TRAIN_DISCRIMINATOR_REAL, TRAIN_DISCRIMINATOR_FAKE)
    for action, penalised in zip(actions, HALVES[kind], strict=True):
        for given in (rows, rows[:5]):
            statistics = dict(zip(STATISTICS, trainer.perform(action, given, none), strict=True))
            assert (statistics["d_penalty"] > 0) == penalised


def test_each_kind_is_on_its_own_rows(make_trainer):
    """D is a saddle around zero, where fake rows are: its slope there is none, but on real rows it has one."""
    found = {}
    for kind in ("r1", "r2", "r1+r2"):
        trainer = make_trainer(gradient_penalty=kind, discriminator=[2], discriminator_activation="tanh")
        gan = trainer.gan
        gan.generator.params[:], gan.discriminator.params[:] = 0, 0
        w1, b1 = weights(gan.discriminator, gan.discriminator.params, 0)
        w2, _ = weights(gan.discriminator, gan.discriminator.params, 1)
        w1[0] = [1, 1]
        w2[:, 0] = [1, -1]
        b1[:] = [0.5, -0.5]
        trainer.train(1)
        found[kind] = float(trainer.history["d_slope"][0])
    assert found["r1"] > 0.01 and found["r2"] == pytest.approx(0, abs=2e-3)
    assert found["r1+r2"] == pytest.approx((found["r1"] + found["r2"]) / 2, rel=0.1)


def test_a_half_alone_cannot_be_mixed(make_trainer):
    gan = GAN(generator=[4], discriminator=[4], batch_size=8, gradient_penalty="wgan-gp", backend="numpy")
    x = np.random.default_rng(0).normal(size=(8, 2))
    gan.train_on_batch(x)
    with pytest.raises(UserError, match=r"mixes real and fake rows.*train_discriminator_step"):
        gan.train_discriminator_real(x)


def test_one_side_belongs_to_wgan_gp():
    with pytest.raises(
        UserError,
        match="penalty_one_sided is True but gradient_penalty is 'r1', so that it has no effect; "
        "set gradient_penalty to wgan-gp, or",
    ):
        replace(Settings(gradient_penalty="r1"), penalty_one_sided=True).check()
