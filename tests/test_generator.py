"""Samples from a generator: units, labels, seeds; and the file it lives in."""

import re
from dataclasses import replace

import numpy as np
import pytest

import fastgan
from fastgan import generator as module
from fastgan.errors import UserError
from fastgan.generator import Generator

from .small_gan import small

KINDS = pytest.mark.parametrize("kind", ["numbers", "bytes", "tokens"])


@pytest.fixture
def trained(make_trainer):
    def train(kind="numbers", **settings):
        trainer = make_trainer(kind, **settings)
        trainer.train(20)
        return trainer.generator

    return train


@KINDS
def test_samples_are_in_the_datas_own_units(trained, make_data, kind):
    samples, data = trained(kind).sample(300), make_data(kind)
    assert samples.shape == (300, data.spec.width)
    assert samples.dtype == data.array.dtype
    assert np.isfinite(samples).all()
    low, high = data.array.min(axis=0), data.array.max(axis=0)
    if kind == "numbers":  # tanh, turned back: within the range of the data, up to rounding
        assert np.all(samples >= low - 1e-5) and np.all(samples <= high + 1e-5)
    assert samples.max() <= {"numbers": 20, "bytes": 255, "tokens": 4}[kind]
    assert len(np.unique(samples, axis=0)) > 30


@KINDS
@pytest.mark.parametrize("latent", ["normal", "uniform", "bits", "categorical"])
def test_a_shorter_draw_is_the_beginning_of_a_longer_one(trained, monkeypatch, kind, latent):
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 8)
    categories = dict(latent_dim=6, latent_categories=3) if latent == "categorical" else {}
    generator = trained(kind, classes=3, latent=latent, generator=[130, 70], **categories)
    long = generator.sample(50, seed=4)
    for n in (0, 1, 7, 8, 9, 33):
        # BLAS adds up a product in an order that depends on how many rows there are.
        np.testing.assert_allclose(generator.sample(n, seed=4), long[:n], rtol=1e-5, atol=1e-5)


def test_seeds(trained):
    generator = trained()
    one = generator.sample(20, seed=1)
    np.testing.assert_array_equal(one, generator.sample(20, seed=1))
    np.testing.assert_array_equal(one, generator.sample(20, seed=np.int64(1)))
    others = [generator.sample(20, seed=seed) for seed in (0, 2, 2**32 + 1, 2**64 - 1)]
    assert all(not np.array_equal(one, other) for other in others)
    assert not np.array_equal(generator.sample(20), generator.sample(20))
    first, second, third = np.split(generator.sample(3 * module.ROWS_AT_ONCE, seed=1), 3)
    assert not np.allclose(first, second) and not np.allclose(second, third)  # each block draws its own


def test_draws_without_a_seed_can_be_had_again_from_the_file(trained, tmp_path):
    generator = trained()
    generator.save(tmp_path / "g.safetensors")
    draws = [fastgan.load(tmp_path / "g.safetensors").sample(5) for _ in range(2)]
    np.testing.assert_array_equal(*draws)


def test_labels(trained):
    generator = trained(classes=3)
    np.testing.assert_array_equal(generator.sample(4, 2, seed=0), generator.sample(4, [2, 2, 2, 2], seed=0))
    mixed = generator.sample(4, np.array([0, 1, 2, 0], np.uint8), seed=0)
    for label in range(3):
        same = [0, 1, 2, 0][label]
        np.testing.assert_allclose(mixed[label], generator.sample(4, same, seed=0)[label], rtol=1e-5)
    assert not np.allclose(generator.sample(4, 0, seed=0), generator.sample(4, 1, seed=0))
    assert generator.sample(0, 1).shape == (0, 3)


def test_labels_by_name(trained):
    generator = trained(classes=3)
    generator.spec = replace(generator.spec, class_names=("setosa", "versicolor", "virginica"))
    by_name = generator.sample(3, ["virginica", "setosa", "virginica"], seed=0)
    np.testing.assert_array_equal(by_name, generator.sample(3, [2, 0, 2], seed=0))
    np.testing.assert_array_equal(generator.sample(3, "1", seed=0), generator.sample(3, "versicolor", seed=0))
    with pytest.raises(
        UserError, match=r"'virginca' \(did you mean 'virginica'\?\); the classes are setosa, v"
    ):
        generator.sample(3, "virginca")
    with pytest.raises(UserError, match="the classes are 0 to 2, or by name setosa, versicolor, virginica"):
        generator.sample(3, 3)


def test_the_labels_that_a_draw_without_labels_shows(trained, make_trainer):
    generator, n = trained(classes=3), module.ROWS_AT_ONCE + 5
    labels = generator.labels_of(n, 7)
    assert labels.shape == (n,) and set(labels) == {0, 1, 2}
    np.testing.assert_array_equal(generator.sample(n, seed=7), generator.sample(n, labels, seed=7))
    assert generator.labels_of(0, 7).shape == make_trainer().generator.labels_of(5, 7).shape == (0,)


def test_without_labels_every_class_is_drawn(make_trainer):
    """A generator that shows nothing but its label: the first column is the label's weight."""
    generator = make_trainer(classes=3, generator=[], output="linear").generator
    generator.net.params[...] = 0
    generator.net.params[4 * 3 :: 3][:3] = [
        1,
        2,
        3,
    ]  # rows 4, 5 and 6 of the (4 + 3, 3) weights, first column
    shown = generator.spec.to_network_units(generator.sample(600, seed=0))[:, 0]
    values, counts = np.unique(np.rint(shown), return_counts=True)
    np.testing.assert_array_equal(values, [1, 2, 3])
    assert counts.min() > 150


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(n=-1), "n is -1; give the number of samples to draw"),
        (dict(n=2.5), "n is 2.5; give the number of samples to draw"),
        (dict(n=True), "n is True; give the number of samples to draw"),
        (dict(n=3, seed=-1), "seed is -1; it must be a whole number"),
        (dict(n=3, seed=2**64), "seed is 18446744073709551616; it must"),
        (dict(n=3, seed=0.5), "seed is 0.5; it must be a whole number"),
        (dict(n=3, labels=3), "labels reach from 3 to 3; the classes are 0 to 2"),
        (dict(n=3, labels=[0, -1, 1]), "labels reach from -1 to 1; the classes are 0 to 2"),
        (dict(n=3, labels=[0, 1]), "labels have shape (2,); 3 samples need (3,)"),
        (dict(n=3, labels=[0.0, 1.0, 2.0]), "labels are float64; they must be whole numbers"),
        (dict(n=3, labels=["a", "b", "c"]), "labels hold 'a'; the classes are 0 to 2"),
        (dict(n=3, labels=[0, None, 1]), "labels are object; they must be whole numbers or names"),
        (dict(n=3, labels=["0", "1"]), "labels have shape (2,); 3 samples need (3,)"),
    ],
)
def test_what_cannot_be_drawn(make_trainer, arguments, message):
    with pytest.raises(UserError, match="^" + re.escape(message) + r"[^\n]*$"):
        make_trainer(classes=3).generator.sample(**arguments)


def test_labels_for_a_generator_without(make_trainer):
    with pytest.raises(UserError, match=r"^labels were given but the generator was trained without"):
        make_trainer().generator.sample(3, 0)


@KINDS
@pytest.mark.parametrize("classes", [0, 3])
def test_a_file_gives_the_same_samples(trained, tmp_path, kind, classes):
    generator = trained(kind, classes=classes)
    path = tmp_path / "g.safetensors"
    generator.save(path)
    loaded = fastgan.load(path)
    np.testing.assert_array_equal(loaded.sample(40, seed=9), generator.sample(40, seed=9))
    assert loaded.settings == generator.settings
    assert loaded.n_classes == classes
    assert loaded.spec.to_metadata() == generator.spec.to_metadata()
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_a_copy_is_left_alone_by_further_training(make_trainer):
    trainer = make_trainer()
    copy, before = trainer.generator.copy(), trainer.generator.sample(5, seed=0)
    trainer.train(5)
    np.testing.assert_array_equal(copy.sample(5, seed=0), before)
    assert not np.array_equal(trainer.generator.sample(5, seed=0), before)


@KINDS
def test_parameters_too_large_to_draw_with(trained, kind):
    generator = trained(kind)
    params = generator.net.params
    params[:] = np.random.default_rng(0).uniform(-3e38, 3e38, params.size)
    for draw in (lambda: generator.sample(99, seed=0), lambda: generator.generate(np.full((2, 4), 1e9))):
        with pytest.raises(UserError, match=r"^the generator gives NaN or infinity: its training diverged"):
            draw()


def test_a_scale_that_leads_beyond_float32(trained):
    generator = trained()
    generator.spec.scale[:] = 1e-45
    with pytest.raises(UserError, match=r"^the generator gives NaN or infinity"):
        generator.sample(3, seed=0)


def test_parameters_that_do_not_fit(make_trainer):
    trainer = make_trainer()
    with pytest.raises(UserError, match=r"^the generator has 3 parameters but its settings make \d+"):
        Generator(trainer.settings, trainer.dataset.spec, 0, np.zeros(3, np.float32))


def test_labels_are_those_of_the_data_whatever_number_they_begin_with():
    x = np.random.default_rng(0).normal(size=(60, 2))
    gan = small().fit(x, np.repeat([1, 2, 3], 20), steps=2)
    by_number, by_class = gan.sample(9, labels=1, seed=0), gan._trainer.generator.sample_classes
    np.testing.assert_array_equal(by_number, by_class(9, np.array(0), 0))
    np.testing.assert_array_equal(by_number, gan.sample(9, labels="1", seed=0))
    with pytest.raises(UserError, match=r"^labels hold '0'; the classes are 1, 2, 3$"):
        gan.sample(9, labels=0)


def test_more_samples_than_memory_holds():
    gan = small().fit(np.random.default_rng(0).normal(size=(60, 2)), steps=1)
    for n in (10**15, 10**19):
        with pytest.raises(UserError, match=rf"^n is {n}, too many to hold in memory; draw fewer at a time$"):
            gan.sample(n)


@KINDS
@pytest.mark.parametrize("classes", [0, 3])
def test_rows_of_given_latent_vectors_are_those_that_are_drawn(trained, monkeypatch, kind, classes):
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 8)
    generator = trained(kind, classes=classes)
    z, labels = generator.latent_vectors(20, 3), generator.labels_of(20, 3) if classes else None
    assert z.shape == (20, 4) and z.dtype == np.float32
    np.testing.assert_array_equal(generator.generate(z, labels), generator.sample(20, labels, seed=3))
    np.testing.assert_array_equal(generator.generate(z.T.copy().T, labels), generator.generate(z, labels))
    np.testing.assert_array_equal(generator.generate(z), generator.generate(z.tolist()))
    np.testing.assert_array_equal(
        generator.latent_vectors(20, 3, truncation=0.5), fastgan.latent.truncate(z, 0.5)
    )
    assert generator.generate(np.zeros((0, 4))).shape == (0, generator.spec.width)


def test_truncated_samples_are_more_alike(trained):
    generator = trained(classes=3)
    spreads = [generator.sample(500, 1, seed=0, truncation=t).std(axis=0).sum() for t in (0.1, 1.0, None)]
    assert spreads[0] < 0.5 * spreads[1] < spreads[1] < spreads[2]
    z = generator.latent_vectors(9, 2, truncation=0.7)
    np.testing.assert_array_equal(generator.generate(z, 2), generator.sample(9, 2, seed=2, truncation=0.7))


def test_latent_vectors_that_do_not_fit(make_trainer):
    generator = make_trainer(classes=3).generator
    for z, message in (
        (np.zeros(4), "z has shape (4,); it must be (n, 4), a latent vector a row"),
        (np.zeros((2, 5)), "z has shape (2, 5); it must be (n, 4)"),
        (np.full((2, 4), np.inf), "z holds NaN or infinity"),
        ([[1], [2, 3]], "z cannot be read as numbers"),
    ):
        with pytest.raises(UserError, match="^" + re.escape(message) + r"[^\n]*$"):
            generator.generate(z)
    with pytest.raises(UserError, match=r"^labels have shape \(3,\); 2 samples need \(2,\) or one label$"):
        generator.generate(np.zeros((2, 4)), [0, 1, 2])
    with pytest.raises(UserError, match=r"^truncation is 0; it must be a number above 0"):
        generator.sample(3, truncation=0)
    uniform = make_trainer(latent="uniform").generator
    with pytest.raises(
        UserError, match=r"latent numbers are uniform, which have no tails to cut; leave it out$"
    ):
        uniform.sample(3, truncation=1.0)
