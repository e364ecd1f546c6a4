"""Labels and tokens as learnt vectors, and noise on the choice of tokens: steps against PyTorch, threads, resume."""

import numpy as np
import pytest

from fastgan import GAN, load
from fastgan.embedding import table_of
from fastgan.errors import UserError
from fastgan.looks import MOST_NUMBERS
from fastgan.monitor import outputs
from fastgan_kernels import bigrams

from .test_crew import WAYS, only
from .test_crew import run as run_crew
from .test_forms import SGD, SMALL, assert_a_step_is_pytorchs

PENALTY = dict(penalty_weight=1.0, update="joint")
WAYS_TO_TRAIN = {
    "labels": dict(classes=4, label_embedding=3),
    "labels, joint": dict(classes=4, label_embedding=1, update="joint", n_generator=2),
    "labels, concat": dict(classes=4, label_embedding=3, generator_concat=True, generator_norm="batch"),
    "labels and tokens": dict(kind="tokens", classes=4, label_embedding=3, token_embedding=2),
    "tokens": dict(kind="tokens", token_embedding=3),
    "tokens, no hidden layer": dict(
        kind="tokens", token_embedding=3, discriminator=[], gradient_penalty="r1", penalty_weight=1.0
    ),
    "tokens, wgan-gp, packed": dict(
        kind="tokens",
        token_embedding=3,
        packing=2,
        gradient_penalty="wgan-gp",
        loss="wasserstein",
        n_critic=2,
    ),
    "tokens, smooth": dict(
        kind="tokens", token_embedding=7, gradient_penalty="r1+r2", discriminator_activation="tanh", **PENALTY
    ),
    "tokens, concat, smooth": dict(
        **dict(kind="tokens", token_embedding=3, gradient_penalty="wgan-gp", update="joint"),
        **dict(discriminator_concat=True, discriminator_activation="sigmoid"),
    ),
    "tokens, concat": dict(
        kind="tokens", token_embedding=3, gradient_penalty="r2", discriminator_concat=True, **PENALTY
    ),
    "bigrams": dict(kind="tokens", discriminator_bigrams=True, classes=3),
    "bigrams, no hidden layer": dict(
        kind="tokens", discriminator_bigrams=True, discriminator=[], gradient_penalty="r1", penalty_weight=1.0
    ),
    "bigrams, wgan-gp, packed": dict(
        **dict(kind="tokens", discriminator_bigrams=True, packing=2, n_critic=2),
        **dict(gradient_penalty="wgan-gp", loss="wasserstein", penalty_weight=1.0),
    ),
    "bigrams, smooth": dict(
        **dict(kind="tokens", discriminator_bigrams=True, discriminator_activation="tanh"),
        **dict(gradient_penalty="r1+r2", **PENALTY),
    ),
    "bigrams, wgan-gp, smooth, concat": dict(
        **dict(kind="tokens", discriminator_bigrams=True, discriminator_activation="sigmoid"),
        **dict(gradient_penalty="wgan-gp", update="joint", discriminator_concat=True),
    ),
    "bigrams, layer norm": dict(kind="tokens", discriminator_bigrams=True, discriminator_norm="layer"),
    "bigrams, maxout": dict(
        **dict(kind="tokens", discriminator_bigrams=True, discriminator_activation="maxout"),
        **dict(loss="relativistic", gradient_penalty="r2", **PENALTY),
    ),
    "tokens, noise on logits": dict(kind="tokens", token_noise=3.0, classes=3, n_generator=2),
    "tokens, pairs": dict(
        kind="tokens", token_embedding=3, loss="relativistic", gradient_penalty="r1", **PENALTY
    ),
}
EVERY_WAY = pytest.mark.parametrize("training", WAYS_TO_TRAIN.values(), ids=WAYS_TO_TRAIN)


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
@EVERY_WAY
def test_a_whole_step_against_pytorch(make_trainer, training, backend):
    assert_a_step_is_pytorchs(make_trainer(backend=backend, **(SMALL | SGD | training)))


def test_bigrams_beside_spectral_norm_and_dropout(make_trainer):
    way = dict(kind="tokens", discriminator_bigrams=True, spectral_norm=True, gradient_penalty="r1")
    assert_a_step_is_pytorchs(make_trainer(discriminator_dropout=0.3, **(SMALL | SGD | PENALTY | way)))


def test_beside_spectral_norm_the_table_stays_as_it_is(make_trainer):
    way = dict(kind="tokens", token_embedding=3, spectral_norm=True, gradient_penalty="r1")
    assert_a_step_is_pytorchs(make_trainer(discriminator_dropout=0.3, **(SMALL | SGD | PENALTY | way)))


@EVERY_WAY
def test_the_same_bytes_with_any_number_of_threads(make_trainer, state_of, training):
    ends = set()
    for way in WAYS:
        trainer = make_trainer(backend="cpu", batch_size=64, **(SMALL | training))
        crew = only(trainer, way)
        run_crew(trainer, crew, 0, 4)
        ends.add(state_of(trainer))
    assert len(ends) == 1


@pytest.mark.parametrize("reading", [dict(token_embedding=3), dict(discriminator_bigrams=True)], ids=str)
def test_training_goes_on_from_a_checkpoint_and_samples_from_a_file(tmp_path, reading):
    random = np.random.default_rng(0)
    x, y = random.integers(0, 5, (96, 4)), random.integers(0, 3, 96)

    def fresh():
        return GAN(
            latent_dim=4,
            batch_size=16,
            backend="numpy",
            vocabulary=5,
            label_embedding=2,
            ema=0.9,
            **reading,
        )

    whole = fresh().fit(x, y, steps=7)
    fresh().fit(x, y, steps=4).save_checkpoint(tmp_path / "c.safetensors")
    resumed = fresh().resume(tmp_path / "c.safetensors", x, y).fit(x, y, steps=3)
    for name, each in (("whole", whole), ("resumed", resumed)):
        each.save_checkpoint(tmp_path / name)
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "resumed").read_bytes()
    whole.save(tmp_path / "g.safetensors")
    np.testing.assert_array_equal(
        load(tmp_path / "g.safetensors").sample(50, labels=1, seed=1), resumed.sample(50, labels=1, seed=1)
    )


def test_tables_are_drawn_from_the_seed_and_averaged_from_the_start(make_trainer):
    gan = make_trainer(rows=200, classes=50, label_embedding=40, ema=0.9).gan
    table = table_of(gan.generator, gan.generator.params)
    assert abs(table.mean()) < 0.1 and abs(table.std() - 1) < 0.1
    np.testing.assert_array_equal(gan.generator.average, gan.generator.params)
    again = make_trainer(rows=200, classes=50, label_embedding=40).gan
    np.testing.assert_array_equal(table_of(again.generator, again.generator.params), table)


def test_looks_at_the_discriminator_are_the_products_of_its_table(make_trainer):
    trainer = make_trainer("tokens", token_embedding=3, packing=2, discriminator=[])
    net = trainer.gan.discriminator
    rows = np.eye(5, dtype=np.float32)[np.random.default_rng(0).integers(0, 5, (10, 4))]
    w, bias = net.params[15 : 15 + 24], net.params[-1]
    expected = (rows @ table_of(net, net.params)).reshape(5, 24) @ w + bias
    np.testing.assert_allclose(outputs(net, rows.reshape(10, 20)), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("most", [MOST_NUMBERS, 1])
def test_looks_at_a_discriminator_of_bigrams_take_few_rows_at_once(make_trainer, monkeypatch, most):
    monkeypatch.setattr("fastgan.monitor.MOST_NUMBERS", most)
    trainer = make_trainer("tokens", discriminator_bigrams=True, packing=2, discriminator=[])
    net = trainer.gan.discriminator
    rows = np.eye(5, dtype=np.float32)[np.random.default_rng(0).integers(0, 5, (11, 4))].reshape(11, 20)
    read = np.empty((5, 40 + 7 * 25), np.float32)
    bigrams(rows[:10].reshape(5, 40), 5, read)
    expected = read @ net.params[:215] + net.params[215]
    np.testing.assert_allclose(outputs(net, rows), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            dict(label_embedding=3),
            "label_embedding is 3 but there are no labels; give labels or leave it at 0",
        ),
        (dict(token_embedding=3), "token_embedding is 3 but the data are not tokens; leave it at 0"),
        (dict(token_noise=0.5), "token_noise is 0.5 but the data are not tokens; leave it at 0"),
        (
            dict(discriminator_bigrams=True),
            "discriminator_bigrams is true but the data are not tokens; leave it at false",
        ),
        (
            dict(discriminator_bigrams=True, token_embedding=3),
            "discriminator_bigrams is true but token_embedding is 3, and bigrams are of one-hot tokens; "
            "set one of them back",
        ),
        (dict(token_embedding=-1), "token_embedding is -1; it must be at least 0"),
    ],
)
def test_vectors_of_nothing(settings, message):
    x = np.random.default_rng(0).normal(size=(96, 3))
    with pytest.raises(UserError, match=f"^{message}$"):
        GAN(batch_size=16, backend="numpy", **settings).fit(x, steps=1)


@pytest.mark.parametrize(
    ("tokens", "vocabulary", "packing", "found"),
    [
        (1, 5, 1, "discriminator_bigrams is true but rows have a single token; leave it at false"),
        (1, 5, 2, "discriminator_bigrams is true but rows have a single token; leave it at false"),
        (
            64,
            256,
            1,
            "discriminator_bigrams is true, but 64 tokens of 256 and their bigrams are 4,145,152 columns, more than "
            "1,048,576; leave it at false",
        ),
    ],
)
def test_bigrams_of_too_few_tokens_or_too_many(tokens, vocabulary, packing, found):
    x = np.random.default_rng(0).integers(0, vocabulary, (96, tokens))
    packed = dict(packing=packing, discriminator_bigrams=True)
    gan = GAN(batch_size=16, backend="numpy", vocabulary=vocabulary, **packed)
    with pytest.raises(UserError, match=f"^{found}$"):
        gan.fit(x, steps=1)


def test_noise_on_logits_makes_the_generator_choose():
    x = np.random.default_rng(0).integers(0, 2, (500, 1)) * np.full((1, 4), 2)  # 0000 or 2222
    unsure = []
    for noise in (0.0, 3.0):
        small = dict(generator=[16], discriminator=[16], latent_dim=3, batch_size=32, backend="numpy")
        gan = GAN(vocabulary=3, token_noise=noise, generator_lr=3e-3, discriminator_lr=3e-3, **small)
        gan.fit(x, steps=600)
        tokens = gan.sample(500, seed=1)
        assert 0.4 < (tokens == 0).mean() < 0.6
        latent = gan.latent_vectors(500, seed=1)
        chances = gan._trainer.generator.network_rows(latent, np.zeros(0, np.int64)).reshape(-1, 3)
        unsure.append(1 - chances.max(axis=1).mean())
    assert unsure[1] < unsure[0] / 2
