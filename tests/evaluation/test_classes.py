import numpy as np
import pytest
from scipy.linalg import sqrtm
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from fastgan.classifier import NO_LABELS, build_classifier, train_classifier, train_steps
from fastgan.data import load_dataset, load_test_split
from fastgan.data.dataset import Dataset, DataSpec
from fastgan.evaluation import evaluate, evaluate_classes
from fastgan.evaluation.classes import frechet_distance


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits"), load_test_split("digits")


def test_frechet_distance_of_a_shift_and_of_a_scale_by_hand():
    rows = np.random.default_rng(0).standard_normal((500, 4))
    std = rows.std(axis=0, ddof=1)
    assert frechet_distance(rows + np.array([3, 0, 4, 0]), rows) == pytest.approx(25)
    assert frechet_distance(3 * (rows - rows.mean(axis=0)), rows - rows.mean(axis=0)) == pytest.approx(
        (4 * std**2).sum()
    )
    assert frechet_distance(rows, rows[::-1]) == pytest.approx(0, abs=1e-9)
    for bad in (np.where(rows > 3, np.nan, rows), rows[:1], rows[:0]):
        assert np.isnan([frechet_distance(bad, rows), frechet_distance(rows, bad)]).all()
    wide = np.random.default_rng(0).standard_normal((30, 256))
    assert 0 <= frechet_distance(wide, wide) < 1e-3


def test_frechet_distance_is_its_formula_with_scipys_root():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((90, 5)) @ rng.standard_normal((5, 5)), rng.standard_normal((80, 5)) + 1
    first, second = np.cov(a.T), np.cov(b.T)
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(
        first + second - 2 * sqrtm(first @ second).real
    )
    assert frechet_distance(a, b) == pytest.approx(expected)
    assert frechet_distance(a[:3], b[:3]) > 0  # fewer rows than columns


def test_the_classifier_learns_real_digits_and_is_the_same_twice(digits):
    train, test = digits
    first = train_classifier(train.array, train.labels, train.spec, seed=3)
    second = train_classifier(train.array, train.labels, train.spec, seed=3)
    assert first.accuracy(test.array, test.labels) > 0.9
    assert first.accuracy(train.array, train.labels) > 0.99
    assert np.array_equal(first.net.params, second.net.params)


def test_the_classifier_is_as_good_as_scikit_learns(digits):
    train, test = digits
    ours = train_classifier(train.array, train.labels, train.spec)
    theirs = MLPClassifier((256,), random_state=0, max_iter=25, tol=0, n_iter_no_change=100, batch_size=128)
    with pytest.warns(UserWarning, match="Maximum iterations"):
        theirs.fit(train.array / 16, train.labels)
    assert ours.accuracy(test.array, test.labels) > theirs.score(test.array / 16, test.labels) - 0.02


def test_figures_are_the_same_bytes_with_any_number_of_threads(digits):
    train, test = digits
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            judge = train_classifier(train.array, train.labels, train.spec, seed=3)
            rows = np.tile(test.array, (3, 1)) % 15
            features = judge.features(rows)
            found.append((judge.net.params, features, frechet_distance(features[:900], features[-700:])))
    for one, two in zip(*found, strict=True):
        assert np.array_equal(one, two)


def test_features_lead_to_the_logits(digits):
    train, _ = digits
    judge = train_classifier(train.array, train.labels, train.spec)
    rows = train.array[:300]
    features = judge.features(rows)
    assert features.shape == (300, 256) and features.min() == 0 < features.max()
    inputs = train.spec.width
    last = judge.net.params[inputs * 256 + 256 :]
    logits = features @ last[: 256 * 10].reshape(256, 10) + last[256 * 10 :]
    assert (logits.argmax(axis=1) == judge.predict(rows)).all()


def test_compiled_and_interpreted_training_agree():
    rng = np.random.default_rng(0)
    spec = DataSpec("points", 7, "float32", np.ones(7), np.zeros(7), n_classes=3)
    rows, labels = rng.standard_normal((50, 7)).astype(np.float32), rng.integers(0, 3, 50)
    order = rng.integers(0, 50, (20, 5))
    compiled, interpreted = (build_classifier(spec, 5, np.random.default_rng(1)) for _ in range(2))
    start = compiled.params.copy()
    train_steps(compiled, rows, labels, order, NO_LABELS)
    train_steps.py_func(interpreted, rows, labels, order, NO_LABELS)
    np.testing.assert_allclose(compiled.params, interpreted.params, atol=2e-5)
    assert np.abs(compiled.params - start).max() > 0.001


def sampler(dataset, spoil=lambda rows, rng: rows, shift=0):
    """Real rows of the class asked for, or of one `shift` further, spoilt."""
    members = [np.flatnonzero(dataset.labels == k) for k in range(10)]

    def sample(count, labels, seed):
        rng = np.random.default_rng((seed, 1))  # not the numbers that the labels were drawn with
        rows = dataset.array[[rng.choice(members[(k + shift) % 10]) for k in labels]]
        return spoil(rows, rng).astype(np.uint8)

    return sample


def test_real_digits_reach_the_ceiling(digits):
    train, test = digits
    result = evaluate(sampler(test), train, test)
    assert result["samples"] == {"generated": 5000, "real": 360}
    accuracy = result["GAN-test accuracy"]
    assert accuracy["real"] > 0.9
    assert accuracy["generated"] == pytest.approx(accuracy["real"], abs=0.02)
    assert result["GAN-test, 3"]["generated"] == pytest.approx(result["GAN-test, 3"]["real"], abs=0.05)
    assert result["GAN-train accuracy"]["generated"] > 0.9
    assert result["Frechet distance"]["generated"] < 1.3 * result["Frechet distance"]["real"]
    assert result["coverage"]["generated"] > 0.7


@pytest.mark.parametrize("flaw", ["wrong class", "collapsed", "noisy"])
def test_each_flaw_moves_the_measures_it_should(digits, flaw):
    train, test = digits
    first = [np.flatnonzero(train.labels == k)[0] for k in range(10)]
    sample = {
        "wrong class": sampler(test, shift=1),
        "collapsed": lambda count, labels, seed: train.array[np.array(first)[labels]],
        "noisy": sampler(train, lambda rows, rng: np.clip(rows + rng.normal(0, 6, rows.shape), 0, 16)),
    }[flaw]
    labels = np.random.default_rng(0).integers(0, 10, 1000)
    result = evaluate_classes(
        (sample(1000, labels, 0), labels), (train.array, train.labels), (test.array, test.labels), train.spec
    )
    tested, trained, distance = (
        result[name]["generated"] for name in ("GAN-test accuracy", "GAN-train accuracy", "Frechet distance")
    )
    far = distance > 1.5 * result["Frechet distance"]["real"]
    assert (tested < 0.1, trained < 0.1) == ((True, True) if flaw == "wrong class" else (False, False))
    assert far == (flaw != "wrong class")
    if flaw == "collapsed":
        assert tested > 0.99 and trained < 0.85
    if flaw == "noisy":
        assert tested < 0.97


def test_without_a_test_set_a_fifth_is_held_out_and_images_need_no_classes():
    rng = np.random.default_rng(0)
    rows, labels = rng.integers(0, 17, (200, 16)).astype(np.uint8), np.repeat([0, 1], 100)
    rows[:100, :8] = 16
    spec = DataSpec("image", 16, "uint8", np.full(16, 0.125), np.full(16, -1.0), 0, 16, image_shape=(4, 4))
    plain = evaluate(lambda count, asked, seed: rows[np.arange(count) % 200], Dataset(rows, labels[:0], spec))
    assert "GAN-test accuracy" not in plain
    named = DataSpec(**{**spec.__dict__, "n_classes": 2, "class_names": ("full", "speckled")})
    result = evaluate(lambda count, asked, seed: rows[asked * 100], Dataset(rows, labels, named))
    assert result["samples"] == {"generated": 5000, "real": 100}
    assert result["GAN-test, full"]["generated"] == 1


def test_tables_with_classes_are_judged_too():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 400)
    rows = (rng.standard_normal((400, 3)) + 3 * labels[:, None]).astype(np.float32)
    spec = DataSpec("table", 3, "float32", np.ones(3, np.float32), np.zeros(3, np.float32), n_classes=2)
    result = evaluate(
        lambda count, asked, seed: rows[labels == 0][:1].repeat(count, axis=0), Dataset(rows, labels, spec)
    )
    assert result["GAN-test, 0"]["generated"] == 1
    assert result["GAN-test, 1"]["generated"] == 0
    assert result["GAN-train accuracy"]["real"] > 0.95 > 0.8 > result["GAN-train accuracy"]["generated"]
