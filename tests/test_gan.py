"""The public GAN: scikit-learn's habits, fit, files, and every mistake in one line."""

import copy
import inspect
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr
from sklearn.utils.validation import check_is_fitted

import fastgan
from fastgan import GAN, UserError
from fastgan.callbacks import Every
from fastgan.settings import Settings
from fastgan.state import STATISTICS

from .small_gan import PIXELS, X, Y, refused, small

# scikit-learn's habits


def test_the_constructor_only_stores():
    widths = [3, 4]
    gan = GAN(generator=widths, loss="nonsense", batch_size="many", latent_dim=-1)
    assert gan.generator is widths and gan.loss == "nonsense" and gan.batch_size == "many"
    assert gan.get_params()["generator"] is widths


def test_parameters_are_the_settings():
    assert (
        set(GAN().get_params())
        == set(inspect.signature(GAN).parameters)
        == set(inspect.signature(Settings).parameters)
    )
    gan = GAN()
    assert gan.set_params(loss="mse", latent_dim=3) is gan
    assert (gan.loss, gan.latent_dim) == ("mse", 3)
    with refused("GAN has no parameter 'latent_dims' (did you mean 'latent_dim'?)"):
        gan.set_params(latent_dims=3)


def test_a_clone_has_the_settings_and_not_the_training():
    gan = small(seed=4).fit(X, steps=2)
    copy = clone(gan)
    assert copy.get_params() == gan.get_params()
    with refused("this GAN has not been trained; call fit first"):
        copy.sample(1)
    assert "latent_dim=4" in repr(copy)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda gan: pickle.loads(pickle.dumps(gan))])
@pytest.mark.parametrize("backend", ["numpy", "cpu"])
def test_a_copy_trains_on_by_itself(backend, copied):
    gan = small(backend=backend).fit(X, Y, steps=5)
    twin = copied(gan)
    before = gan.sample(4, seed=1)
    twin.fit(X, Y, steps=5)
    np.testing.assert_array_equal(gan.sample(4, seed=1), before)
    gan.fit(X, Y, steps=5)
    np.testing.assert_array_equal(gan.sample(4, seed=1), twin.sample(4, seed=1))


def test_scikit_learn_asks_whether_it_is_fitted():
    gan = small()
    with pytest.raises(NotFittedError):
        check_is_fitted(gan)
    check_is_fitted(gan.fit(X, steps=1))


def test_scikit_learn_draws_it_alone_and_in_a_pipeline():
    steps = [("scale", StandardScaler()), ("gan", small())]
    for estimator in (small(), Pipeline(steps)):
        assert "GAN" in estimator_html_repr(estimator)
    pipeline = Pipeline(steps).fit(X, gan__steps=2)
    assert pipeline.named_steps["gan"].stats.steps == 2
    assert "GAN" in pipeline._repr_html_()


def test_it_is_itself_alone():
    gan, other = small(), small()
    assert len({gan, other, gan}) == 2
    assert gan == gan and gan != other


def test_before_fit(tmp_path):
    gan = small()
    for attribute in ("history", "stats", "n_classes_", "spec_"):
        assert not hasattr(gan, attribute)
        with refused("this GAN has not been trained; call fit first"):
            getattr(gan, attribute)
    for call in (
        lambda: gan.sample(3),
        lambda: gan.save(tmp_path / "g"),
        lambda: gan.save_checkpoint(tmp_path / "c"),
        gan.train_generator_step,
        gan.train_discriminator_fake,
        lambda: gan.generate_batch(3),
    ):
        with refused("this GAN has not been trained; call fit first"):
            call()
    assert not list(tmp_path.iterdir())


def test_fit_returns_self_and_leaves_the_arguments_alone():
    x, widths = X.copy(), [7]
    gan = small(generator=widths)
    assert gan.fit(x, epochs=2) is gan
    assert np.array_equal(x, X) and gan.generator is widths == [7]
    assert len(gan.history["g_loss"]) == 2 * (96 // 16)
    assert tuple(gan.history) == STATISTICS
    assert gan.n_classes_ == 0 and gan.spec_.width == 3


def test_fit_again_continues(tmp_path):
    whole, parts = small().fit(X, steps=9), small().fit(X, steps=5).fit(X, steps=4)
    for name in STATISTICS:
        np.testing.assert_array_equal(whole.history[name], parts.history[name])
    np.testing.assert_array_equal(whole.sample(5, seed=1), parts.sample(5, seed=1))


def test_fit_again_with_changed_settings_is_refused():
    gan = small().fit(X, steps=2)
    with refused(
        "this GAN was trained with other settings (generator_lr: 0.0002 -> 0.1); train on with the same ones"
    ):
        gan.set_params(generator_lr=0.1).fit(X, steps=1)
    gan.set_params(generator_lr=2e-4, threads=2).fit(X, steps=1)
    assert gan.stats.steps == 3


def test_epochs_and_steps():
    assert small().fit(X).stats.steps == 10 * 6
    assert small().fit(X, epochs=0.5).stats.steps == 3
    assert small().fit(X, epochs=1e-9).stats.steps == 1
    assert small().fit(X, steps=np.int64(4)).stats.steps == 4
    with refused("both epochs and steps were given; give one of them"):
        small().fit(X, epochs=1, steps=1)
    for epochs in (0, -1, float("nan"), float("inf"), "3", True):
        with refused(f"epochs is {epochs!r}; it must be a number above 0"):
            small().fit(X, epochs=epochs)
    for steps in (0, -1, 2.5, "3", True):
        with refused(f"steps is {steps!r}; it must be a whole number of at least 1"):
            small().fit(X, steps=steps)


def test_callbacks():
    seen = []
    small().fit(X, steps=6, callbacks=[Every(3, lambda trainer: seen.append(trainer.step))])
    assert seen == [3, 6]
    with refused("callbacks holds a function; each must be a fastgan.callbacks.Callback, such as Every"):
        small().fit(X, steps=1, callbacks=[lambda trainer: None])
    with refused("callbacks is Every; it must be a list of fastgan.callbacks.Callback"):
        small().fit(X, steps=1, callbacks=Every(3, print))


# Data


@pytest.mark.parametrize(
    "kind", ["float32", "float64", "float16", "int16", "list", "fortran", "every second", "read-only"]
)
def test_what_holds_the_rows_does_not_matter(kind):
    rows = np.round(X * 4).astype(np.float32)
    read_only = rows.copy()
    read_only.flags.writeable = False
    forms = {
        "list": rows.tolist(),
        "fortran": np.asfortranarray(rows),
        "every second": np.repeat(rows, 2, axis=0)[::2],
        "read-only": read_only,
    }
    form = forms[kind] if kind in forms else rows.astype(kind)
    expected = small().fit(rows, steps=3)
    gan = small().fit(form, steps=3)
    np.testing.assert_array_equal(gan.history["d_loss_real"], expected.history["d_loss_real"])
    samples = gan.sample(5, seed=0)
    assert samples.dtype == np.asarray(form).dtype
    np.testing.assert_allclose(samples, expected.sample(5, seed=0), atol=0.5 if kind == "int16" else 0.02)


def test_bytes_stay_bytes():
    gan = small().fit(PIXELS, steps=3)
    assert gan._trainer.dataset.array.dtype == np.uint8
    assert np.shares_memory(gan._trainer.dataset.array, PIXELS)
    assert gan.spec_.image_shape == (2, 3)
    samples = gan.sample(4)
    assert samples.shape == (4, 6) and samples.dtype == np.uint8
    assert np.shares_memory(small().fit(X, steps=1)._trainer.dataset.array, X)


def test_a_memory_map_is_trained_on(tmp_path):
    np.save(tmp_path / "x.npy", PIXELS)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    one, other = small().fit(mapped, steps=3), small().fit(PIXELS, steps=3)
    np.testing.assert_array_equal(one.sample(5, seed=0), other.sample(5, seed=0))


def test_labels_of_any_kind():
    names = np.array(["red", "green", "blue"])
    number = {"blue": 0, "green": 1, "red": 2}
    words = small().fit(X, names[Y], steps=3)
    numbers = small().fit(X, [number[names[y]] for y in Y], steps=3)
    assert words.n_classes_ == numbers.n_classes_ == 3
    assert words.spec_.class_names == ("blue", "green", "red")
    np.testing.assert_array_equal(words.history["d_class_real"], numbers.history["d_class_real"])
    for dtype in (str, object):
        batch = words.train_on_batch(X[:4], np.array(["red", "blue", "red", "red"], dtype))
        np.testing.assert_array_equal(batch, numbers.train_on_batch(X[:4], [2, 0, 2, 2]))


def test_labels_that_do_not_count_from_0():
    gan, counted = (small().fit(X, y, steps=3) for y in (Y + 1, Y))
    assert gan.n_classes_ == 3 and gan.spec_.class_names == ("1", "2", "3")
    np.testing.assert_array_equal(
        gan.train_on_batch(X[:4], [3, 1, 2, 3]), counted.train_on_batch(X[:4], [2, 0, 1, 2])
    )
    np.testing.assert_array_equal(gan.sample(4, "3", seed=0), counted.sample(4, 2, seed=0))
    with refused("y holds the label '0'"):
        gan.train_on_batch(X[:2], [0, 1])
    gan.fit(X, Y + 1, steps=1)
    np.testing.assert_array_equal(gan._trainer.dataset.labels, Y)
    gan.fit(fastgan.data.from_arrays(X, Y + 1), steps=1)
    with refused("the classes are numbers but this GAN learnt 1, 2, 3"):
        gan.fit(fastgan.data.from_arrays(X, Y), steps=1)


def test_later_rows_are_read_in_the_first_ones_units_and_classes():
    gan, other = (small().fit(X, Y, steps=2) for _ in range(2))
    some = Y < 2  # neither the highest class nor the whole range
    gan.fit(X[some], Y[some], steps=3)
    assert gan.n_classes_ == 3 and gan.spec_.scale is not None
    np.testing.assert_array_equal(gan.spec_.scale, other.spec_.scale)
    words = small().fit(X, np.array(["cat", "dog", "emu"])[Y], steps=2)
    words.fit(X[some], np.array(["dog", "emu"])[Y[some]], steps=1)
    np.testing.assert_array_equal(np.unique(words._trainer.dataset.labels), [1, 2])
    with refused("y holds the label 'fox'; the classes are cat, dog, emu"):
        words.fit(X, np.array(["cat", "dog", "fox"])[Y], steps=1)


BAD = {
    "nan": (np.where(np.arange(288).reshape(96, 3) == 7, np.nan, X), Y, "X: nan in row 2, column 1"),
    "infinity": (np.where(np.arange(288).reshape(96, 3) == 0, np.inf, X), Y, "X: inf in row 0, column 0"),
    "one row": (X[:1], Y[:1], "X: one row is not a distribution to learn"),
    "few rows": (X[:9], Y[:9], "batch_size is 16 but X has 9 rows"),
    "no rows": (X[:0], Y[:0], "X: shape (0, 3) holds no values"),
    "one number a row": (X[:, 0], Y, "X: shape (96,), expected"),
    "objects": (X.astype(object), Y, "X: dtype object cannot be learned"),
    "words": (X.astype(str), Y, "X: dtype <U32 cannot be learned"),
    "complex": (X.astype(complex), Y, "X: dtype complex128 cannot be learned"),
    "ragged": ([[1, 2], [3]], None, "X: not an array; expected rows of equal width"),
    "too many labels": (X, np.arange(96), "X: 96 different labels in 96 rows"),
    "label between": (X, Y + 0.5, "X: label 0.5 in row 0"),
    "few labels": (X, Y[:5], "X: labels of shape (5,), expected one a row, (96,)"),
    "matrix of labels": (X, Y[:, None], "X: labels of shape (96, 1), expected one a row"),
}


@pytest.mark.parametrize("bad", BAD)
def test_data_that_cannot_be_learned(bad):
    x, y, message = BAD[bad]
    gan = small()
    with refused(message):
        gan.fit(x, y, steps=1)
    with refused("this GAN has not been trained; call fit first"):
        gan.sample(1)


def test_labels_out_of_the_range_asked_for():
    with refused("X: label 2 in row 2 (counted from 0), expected 0 to 1"):
        small(n_classes=2).fit(X, Y, steps=1)
    with refused("n_classes is 3 but X has no labels"):
        small(n_classes=3).fit(X, steps=1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(generator_lr=-1e-3), "generator_lr is -0.001; it must be above 0.0"),
        (dict(batch_size=15), "batch_size is 15, which has no half; give an even number or update = 'joint'"),
        (dict(batch_size=200), "batch_size is 200 but X has 96 rows; give a smaller batch_size or more rows"),
        (dict(batch_size=1), "batch_size is 1, which has no half; give an even number or update = 'joint'"),
        (dict(batch_size=0), "batch_size is 0; it must be at least 1"),
        (
            dict(batch_size=2, discriminator_norm="batch"),
            "discriminator_norm is 'batch' but the discriminator learns",
        ),
        (dict(loss="wgan"), "loss is 'wgan'; it must be one of bce, minimax, mse, wasserstein, hinge"),
        (dict(generator=64), "generator is 64; it must be a list of whole numbers"),
        (dict(generator=[64, 0]), "generator holds 0; each must be at least 1"),
        (dict(backend="cuda"), "backend is 'cuda' but"),
        (dict(latent_dim=2**62), "32281802128991715359 float32 numbers do not fit"),
        (dict(n_classes=-1), "n_classes is -1; it must be at least 0"),
        (dict(scaling="max"), "scaling is 'max'"),
    ],
    ids=str,
)
def test_settings_that_cannot_be_used(settings, message):
    with refused(message):
        small(**settings).fit(X, steps=1)


def test_a_divergence_is_one_line():
    gan = small(loss="mse", output="linear", generator_lr=1e30, discriminator_lr=1e30)
    with refused("training diverged at step "):
        gan.fit(X, steps=50)


# Files


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
def test_save_and_load(tmp_path, backend):
    gan = small(backend=backend).fit(PIXELS, Y, steps=3)
    gan.save(tmp_path / "g.safetensors")
    loaded = fastgan.load(str(tmp_path / "g.safetensors"))
    np.testing.assert_array_equal(loaded.sample(7, 2, seed=3), gan.sample(7, 2, seed=3))


def test_resume_gives_the_same_bytes(tmp_path):
    whole = small(n_critic=2).fit(X, Y, steps=9)
    small(n_critic=2).fit(X, Y, steps=5).save_checkpoint(tmp_path / "c")
    resumed = small(n_critic=2)
    assert resumed.resume(tmp_path / "c", X, Y) is resumed
    resumed.fit(X, Y, steps=4)
    np.testing.assert_array_equal(resumed.sample(5, seed=1), whole.sample(5, seed=1))
    np.testing.assert_array_equal(resumed.history["g_loss"], whole.history["g_loss"][5:])


def test_a_resume_that_cannot_be_leaves_the_gan_as_it_was(tmp_path):
    small().fit(X, steps=5).save_checkpoint(tmp_path / "c")
    gan = small().fit(X, steps=1)
    for other, x, y, message in (
        (
            gan,
            X * 2,
            None,
            r"was trained on other data \(96 rows of 3 float32, of other values\); resume with",
        ),
        (gan, X[:, :2], None, r"was trained on other data \(96 rows of 3 float32 -> 96 rows of 2 float32\)"),
        (gan, X[:4], None, "batch_size is 16 but X has 4 rows"),
        (gan, X, Y, "was trained with 0 classes but these data have 3"),
    ):
        with pytest.raises(UserError, match=f"^[^\n]*{message}"):
            other.resume(tmp_path / "c", x, y)
    with pytest.raises(UserError, match=r"was trained with other settings \(latent_dim: 4 -> 6\)"):
        small(latent_dim=6).resume(tmp_path / "c", X)
    assert gan.stats.steps == 1


@pytest.mark.parametrize("path", [None, 3, ""], ids=repr)
def test_what_is_no_path(path):
    for call in (fastgan.load, lambda given: small().resume(given, X)):
        with refused(f"path is {path!r}; it must be the path of a file that fastgan wrote"):
            call(path)


def test_a_file_that_cannot_be_written(tmp_path):
    gan = small().fit(X, steps=1)
    for call in (gan.save, gan.save_checkpoint):
        with pytest.raises(
            UserError, match=r"cannot be written: No such file or directory; give a folder that can be$"
        ):
            call(tmp_path / "missing" / "g")
        with refused("'' is no name for a file; give one"):
            call("")
