"""Layers that do more than an activation: steps against PyTorch, threads, resume, and samples as they should be."""

import numpy as np
import pytest

from fastgan import GAN, load
from fastgan.errors import UserError
from fastgan.forms import fed_rows, running_moments
from fastgan.monitor import outputs
from fastgan.norms import columns_of
from fastgan.settings import Settings
from fastgan.step import TRAIN

from .parity import STATISTICS, WEIGHTS, assert_gradients_equal, run
from .test_crew import WAYS, only
from .test_crew import run as run_crew

FORMS = {
    "dropout": dict(generator_dropout=0.3, discriminator_dropout=0.5),
    "dropout, smooth": dict(
        generator_dropout=0.3,
        discriminator_dropout=0.5,
        generator_activation="sigmoid",
        discriminator_activation="tanh",
    ),
}
FORMS["maxout"] = dict(generator_activation="maxout", discriminator_activation="maxout", maxout_pieces=3)
FORMS["maxout and dropout"] = dict(FORMS["maxout"], maxout_pieces=2, **FORMS["dropout"])
FORMS["concat"] = dict(generator_concat=True, discriminator_concat=True)
FORMS["concat, smooth"] = dict(
    FORMS["concat"], generator_activation="tanh", discriminator_activation="sigmoid"
)
# With layers so wide that hardly a row has nothing left to normalise, where rounding is blown up.
WIDE = dict(generator=[17, 12], discriminator=[16, 12])
NORMED = {
    "batch norm": dict(generator_norm="batch", discriminator_norm="batch"),
    "layer norm": dict(generator_norm="layer", discriminator_norm="layer"),
    "batch norm and concat": dict(FORMS["concat"], generator_norm="batch", discriminator_norm="batch"),
    "layer norm and dropout": dict(
        generator_dropout=0.1, discriminator_dropout=0.2, generator_norm="layer", discriminator_norm="layer"
    ),
}
NORMED = {name: WIDE | form for name, form in NORMED.items()}
TRAININGS = {
    "separate, r1": dict(gradient_penalty="r1", penalty_weight=1.0, n_critic=2),
    "joint, r1+r2": dict(gradient_penalty="r1+r2", penalty_weight=1.0, update="joint", n_generator=2),
    "packed, wgan-gp": dict(gradient_penalty="wgan-gp", penalty_weight=1.0, packing=2, loss="wasserstein"),
}
SMALL = dict(generator=[7, 6, 5], discriminator=[9, 6, 5])
UNPENALISED = {
    "separate": dict(n_critic=2),
    "joint": dict(update="joint", n_generator=2),
    "packed pairs": dict(update="joint", loss="relativistic", packing=2),
}
EVERY_FORM = pytest.mark.parametrize("form", (FORMS | NORMED).values(), ids=FORMS | NORMED)
PAIRS = [
    (form, way)
    for forms, ways in ((FORMS, TRAININGS), (NORMED, UNPENALISED))
    for form in forms
    for way in ways
]
EVERY_PAIR = pytest.mark.parametrize(
    ("form", "training"),
    [((FORMS | NORMED)[form], (TRAININGS | UNPENALISED)[way]) for form, way in PAIRS],
    ids=map(" | ".join, PAIRS),
)


def assert_a_step_is_pytorchs(trainer):
    from .twin import Twin, torch

    twin = Twin(trainer)
    d_gradients = twin.step()
    statistics = run(trainer)
    g, d = trainer.gan.generator, trainer.gan.discriminator
    assert_gradients_equal(d.grads, d_gradients)
    assert_gradients_equal(g.grads, twin.g.flat(gradients=True))
    for ours, theirs in ((g, twin.g), (d, twin.d)):
        for layer, expected in enumerate(theirs.running[:-1]):
            found = [each[slice(*columns_of(ours, layer))] for each in running_moments(ours)]
            np.testing.assert_allclose(found, torch.stack(expected).numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(statistics, twin.statistics, rtol=1e-5, atol=2 * STATISTICS)
    for ours, theirs in ((g, twin.g), (d, twin.d)):
        np.testing.assert_allclose(ours.params, theirs.flat(), rtol=0, atol=4 * WEIGHTS)


# Of a seed by which no unit comes so near to its kink that float32 sees it on the other side.
SGD = dict(seed=1, optimiser="sgd", discriminator_lr=0.1, generator_lr=0.1)


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
@EVERY_PAIR
def test_a_whole_step_against_pytorch(make_trainer, form, training, backend):
    """Second order too, by double backward."""
    assert_a_step_is_pytorchs(make_trainer(backend=backend, **(SMALL | SGD | form | training)))


@pytest.mark.parametrize(
    "training",
    [
        dict(update="joint", loss="relativistic"),
        dict(update="joint", gradient_penalty="r2", penalty_weight=1.0, classes=3, instance_noise=0.1),
        dict(generator_dropout=0.0),
        dict(discriminator_dropout=0.0),
        dict(
            generator=[], discriminator=[], generator_norm="batch", gradient_penalty="r1", penalty_weight=1.0
        ),
        dict(
            FORMS["maxout"], classes=3, gradient_penalty="r1", penalty_weight=1.0, discriminator_dropout=0.0
        ),
        dict(
            FORMS["concat"],
            classes=3,
            gradient_penalty="r1",
            penalty_weight=1.0,
            generator_dropout=0,
            discriminator_dropout=0,
        ),
    ],
)
def test_other_ways_to_train_against_pytorch(make_trainer, training):
    assert_a_step_is_pytorchs(make_trainer(**(SMALL | SGD | FORMS["dropout"] | training)))


PUBLISHED = {
    "pacgan": dict(generator_norm="batch", discriminator_activation="maxout", packing=4),
    "ctgan": dict(
        **dict(generator_norm="batch", generator_concat=True, discriminator_dropout=0.5, packing=2),
        **dict(loss="wasserstein", gradient_penalty="wgan-gp", penalty_weight=1.0),
    ),
}


@pytest.mark.parametrize("training", PUBLISHED.values(), ids=PUBLISHED)
def test_published_networks_against_pytorch(make_trainer, training):
    """Of Lin et al. 2018, arXiv 1712.04086, and Xu et al. 2019, arXiv 1907.00503, made small."""
    wide = dict(generator=[17, 12, 12, 12], discriminator=[16, 12, 12])
    assert_a_step_is_pytorchs(make_trainer(**(wide | SGD | training)))


@EVERY_PAIR
def test_the_same_bytes_with_any_number_of_threads(make_trainer, state_of, form, training):
    ends = set()
    for way in WAYS:
        trainer = make_trainer(backend="cpu", batch_size=64, **(SMALL | form | training))
        crew = only(trainer, way)
        seen = [run_crew(trainer, crew, TRAIN, steps) for steps in (1, 4)]
        running = [running_moments(net) for net in (trainer.gan.generator, trainer.gan.discriminator)]
        ends.add((state_of(trainer), *seen, *(each.tobytes() for each in running if each is not None)))
    assert len(ends) == 1


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
@EVERY_FORM
def test_a_resumed_training_gives_the_same_bytes(tmp_path, form, backend):
    x = np.random.default_rng(0).normal(size=(96, 3)).astype(np.float32)

    def fresh():
        settings = SMALL | form | dict(n_critic=2)
        return GAN(latent_dim=4, batch_size=16, backend=backend, threads=1, ema=0.9, **settings)

    whole = fresh().fit(x, steps=7)
    fresh().fit(x, steps=4).save_checkpoint(tmp_path / "c.safetensors")
    resumed = fresh().resume(tmp_path / "c.safetensors", x).fit(x, steps=3)
    for name, each in (("whole", whole), ("resumed", resumed)):
        each.save_checkpoint(tmp_path / name)
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "resumed").read_bytes()
    whole.save(tmp_path / "g.safetensors")
    loaded = load(tmp_path / "g.safetensors")
    np.testing.assert_array_equal(loaded.sample(50, seed=1), resumed.sample(50, seed=1))


@EVERY_FORM
def test_samples_and_looks_are_pytorchs_in_evaluation(make_trainer, form):
    from .twin import Twin, torch

    trainer = make_trainer(**(SMALL | form))
    trainer.train(3)
    twin = Twin(trainer)
    random = np.random.default_rng(0)
    latent = random.normal(size=(20, 4)).astype(np.float32)
    expected = twin.g(torch.tensor(latent.astype(float)), torch.zeros(20)).detach().numpy()
    found = trainer.generator.network_rows(latent, np.zeros(0, np.int64))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    x = random.normal(size=(40, 3)).astype(np.float32)
    scores = twin.d(torch.tensor(x.astype(float))).detach().numpy()[:, 0]
    np.testing.assert_allclose(outputs(trainer.gan.discriminator, x), scores, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            dict(generator_concat=True, generator_dropout=0.5),
            "generator_concat is true but generator_dropout is 0.5",
        ),
        (
            dict(generator_norm="batch", generator_activation="maxout"),
            "generator_norm is 'batch' but generator_activation is 'maxout'",
        ),
        (
            dict(discriminator_norm="layer", gradient_penalty="r1", penalty_weight=1.0),
            "gradient_penalty is 'r1' but discriminator_norm is 'layer'",
        ),
        (
            dict(discriminator_norm="batch", spectral_norm=True),
            "spectral_norm is True but discriminator_norm is 'batch'",
        ),
        (
            dict(discriminator_concat=True, discriminator_activation="maxout"),
            "discriminator_concat is true but discriminator_activation is 'maxout'",
        ),
    ],
)
def test_forms_that_do_not_go_together(settings, message):
    with pytest.raises(UserError, match=f"^{message}[^\n]*set one of them back$"):
        Settings(**settings).check()


def test_what_is_dropped_differs_by_row_layer_half_step_and_player(make_trainer):
    trainer = make_trainer(
        generator=[50, 50],
        discriminator=[50, 50],
        generator_activation="sigmoid",  # nothing else is zero
        discriminator_activation="sigmoid",
        update="joint",
        batch_size=64,
        **FORMS["dropout"],
    )
    masks = []
    for _ in range(2):
        trainer.train(1)
        for net, rate in ((trainer.gan.generator, 0.3), (trainer.gan.discriminator, 0.5)):
            for layer in range(2):
                dropped = fed_rows(net, net.form.fed, layer, net.max_rows, 0) == 0
                assert abs(dropped.mean() - rate) < 4 * np.sqrt(rate * (1 - rate) / dropped.size)
                masks += np.split(dropped, len(dropped) // 64)
    rows = np.concatenate(masks)
    assert len(np.unique(rows, axis=0)) == len(rows) == 64 * 12
