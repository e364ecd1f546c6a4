"""Whole steps against PyTorch: the same weights, rows and noise give the same gradients and the same updates."""

import numpy as np
import pytest

from fastgan import step
from fastgan.settings import OPTIMISERS, PENALTIES
from fastgan_kernels import ROLES

from .parity import STATISTICS, UPDATES, WEIGHTS, assert_gradients_equal, run
from .twin import HIDDEN, Twin, torch


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
@pytest.mark.parametrize(("kind", "classes"), [("numbers", 0), ("bytes", 3), ("tokens", 0), ("tokens", 3)])
@pytest.mark.parametrize("update", ["separate", "joint"])
@pytest.mark.parametrize("loss", ROLES)
def test_gradients_of_a_whole_step(make_trainer, loss, update, kind, classes, backend):
    smoothing = 0.1 if loss in ("bce", "mse") and update == "joint" else 0.0
    trainer = make_trainer(
        kind,
        classes=classes,
        loss=loss,
        update=update,
        label_smoothing=smoothing,
        optimiser="sgd",
        discriminator_lr=0.1,
        generator_lr=0.1,
        backend=backend,
    )
    twin = Twin(trainer)
    d_gradients = twin.step()
    statistics = run(trainer)
    g, d = trainer.gan.generator, trainer.gan.discriminator
    # Separate updates: these are the gradients of the fake half, at the weights that the real half has moved.
    assert_gradients_equal(d.grads, d_gradients)
    assert_gradients_equal(g.grads, twin.g.flat(gradients=True))
    np.testing.assert_allclose(statistics, twin.statistics, rtol=STATISTICS, atol=STATISTICS)
    for ours, theirs in ((g, twin.g), (d, twin.d)):
        np.testing.assert_allclose(ours.params, theirs.flat(), rtol=0, atol=WEIGHTS)


WAYS = {
    "pairs": dict(loss="relativistic", update="joint"),
    "pairs with penalties": dict(loss="relativistic", update="joint", gradient_penalty="r1+r2"),
    "pairs with noise": dict(loss="relativistic", update="joint", instance_noise=0.3),
    "noise": dict(instance_noise=0.3),
    "noise on a joint update": dict(instance_noise=0.3, update="joint", n_critic=2),
    "two updates of the generator": dict(n_generator=2),
    "two updates of both": dict(n_generator=2, n_critic=2, update="joint"),
}
PACKED = {
    "packed": dict(packing=2),
    "packed in a joint update": dict(packing=4, update="joint", n_critic=2),
    "packed with a penalty": dict(packing=2, gradient_penalty="wgan-gp", loss="wasserstein"),
    "packed with noise": dict(packing=2, instance_noise=0.3, n_generator=2),
    "packed pairs": dict(packing=2, loss="relativistic", update="joint"),
}


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
@pytest.mark.parametrize(
    ("way", "classes"),
    [*((way, classes) for way in WAYS for classes in (0, 3)), *((way, 0) for way in PACKED)],
)
def test_other_ways_to_train(make_trainer, way, classes, backend):
    sgd = dict(optimiser="sgd", discriminator_lr=0.1, generator_lr=0.1)
    trainer = make_trainer("bytes", classes=classes, backend=backend, **sgd, **(WAYS | PACKED)[way])
    twin = Twin(trainer)
    d_gradients = twin.step()
    statistics = run(trainer)
    g, d = trainer.gan.generator, trainer.gan.discriminator
    assert_gradients_equal(d.grads, d_gradients)
    assert_gradients_equal(g.grads, twin.g.flat(gradients=True))
    np.testing.assert_allclose(statistics, twin.statistics, rtol=1e-5, atol=2 * STATISTICS)
    for ours, theirs in ((g, twin.g), (d, twin.d)):
        np.testing.assert_allclose(ours.params, theirs.flat(), rtol=0, atol=2 * WEIGHTS)


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
@pytest.mark.parametrize("activation", HIDDEN)
@pytest.mark.parametrize("update", ["separate", "joint"])
@pytest.mark.parametrize("penalty", [each for each in PENALTIES if each != "none"])
def test_gradients_of_a_penalised_step(make_trainer, penalty, update, activation, backend):
    """Second order, against double backward; the losses' own gradients are in the sum."""
    kind, classes = ("tokens", 3) if penalty == "wgan-gp" else ("numbers", 0)
    trainer = make_trainer(
        kind,
        classes=classes,
        update=update,
        loss="wasserstein" if penalty == "wgan-gp" else "bce",
        gradient_penalty=penalty,
        penalty_weight=3.0,
        discriminator_activation=activation,
        discriminator=[9, 5, 6],
        n_critic=2,
        optimiser="sgd",
        discriminator_lr=0.1,
        generator_lr=0.1,
        backend=backend,
    )
    twin = Twin(trainer)
    d_gradients = twin.step()
    statistics = run(trainer)
    d = trainer.gan.discriminator
    assert_gradients_equal(d.grads, d_gradients)
    np.testing.assert_allclose(statistics, twin.statistics, rtol=1e-5, atol=STATISTICS)
    np.testing.assert_allclose(d.params, twin.d.flat(), rtol=0, atol=2 * WEIGHTS)


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
@pytest.mark.parametrize(
    "settings",
    [
        dict(loss="wasserstein", gradient_penalty="wgan-gp", penalty_one_sided=True),
        dict(loss="wasserstein", gradient_penalty="wgan-gp", penalty_every=2),
        dict(gradient_penalty="r1", penalty_every=2),
        dict(gradient_penalty="r1+r2", penalty_every=2, update="joint"),
    ],
    ids=str,
)
def test_steps_with_one_sided_and_lazy_penalties(make_trainer, settings, backend):
    sgd = dict(optimiser="sgd", discriminator_lr=0.1, generator_lr=0.1)
    settings = settings | sgd | dict(penalty_weight=3.0)
    usual = make_trainer(**settings | dict(penalty_one_sided=False, penalty_every=1))
    run(usual)
    trainer = make_trainer(backend=backend, **settings)
    twin = Twin(trainer)
    for count in range(3):
        d_gradients = twin.step()
        statistics = run(trainer)
        d = trainer.gan.discriminator
        if count == 0:
            assert np.abs(d.grads - usual.gan.discriminator.grads).max() > 0.01
        assert_gradients_equal(d.grads, d_gradients)
        np.testing.assert_allclose(statistics, twin.statistics, rtol=1e-5, atol=STATISTICS)
        np.testing.assert_allclose(d.params, twin.d.flat(), rtol=0, atol=4 * WEIGHTS)


@pytest.mark.parametrize("loss", ROLES)
@pytest.mark.parametrize("role", ["real", "fake"])
def test_gradients_of_one_half(make_trainer, loss, role):
    trainer = make_trainer("bytes", classes=3, loss=loss)
    twin = Twin(trainer)
    twin.statistics, twin.slopes = [], []
    rows = trainer.dataset.array[10:18]
    x = torch.tensor(trainer.dataset.spec.to_network_units(rows).astype(float))
    labels = trainer.dataset.labels[10:18]
    twin.d_update(twin.loss(role, x, torch.tensor(labels)))
    action = step.TRAIN_DISCRIMINATOR_REAL if role == "real" else step.TRAIN_DISCRIMINATOR_FAKE
    trainer.perform(action, rows, labels)
    assert_gradients_equal(trainer.gan.discriminator.grads, twin.d.flat(gradients=True))


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
@pytest.mark.parametrize("update", ["separate", "joint"])
@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_five_steps_with_each_optimiser(make_trainer, optimiser, update, backend):
    """With an epsilon large enough that updates do not blow up the rounding of gradients near zero."""
    rate = 0.01
    trainer = make_trainer(
        "bytes",
        classes=3,
        optimiser=optimiser,
        **(dict(momentum=0.7) if optimiser == "sgd" else dict(epsilon=1e-3)),
        update=update,
        n_critic=2,
        generator_lr=rate,
        discriminator_lr=rate / 2,
        backend=backend,
    )
    twin = Twin(trainer)
    for _ in range(5):
        twin.step()
        run(trainer)
    g, d = trainer.gan.generator, trainer.gan.discriminator
    np.testing.assert_allclose(g.params, twin.g.flat(), rtol=0, atol=rate * UPDATES)
    np.testing.assert_allclose(d.params, twin.d.flat(), rtol=0, atol=rate * UPDATES)
