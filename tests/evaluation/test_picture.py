"""The picture of an evaluation, read back from disk."""

import numpy as np
import pytest
from PIL import Image

from fastgan.data import load_dataset
from fastgan.evaluation import draw_evaluation
from fastgan.evaluation.picture import ngram_shares

from .helpers import giving, table


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def orange(picture):
    return float((picture[:, :, 0] - picture[:, :, 2] > 60).mean())


def images(n_classes=0):
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 17, (60, 16)).astype(np.uint8)
    labels = np.arange(60) % n_classes if n_classes else None
    return table(rows, "image", labels, low=0, high=16, image_shape=(4, 4), n_classes=n_classes)


RNG = np.random.default_rng(0)
EVERY = {
    "modes": load_dataset("ring", rows=300),
    "sequences": load_dataset("sequences", rows=100),
    "one number a row": load_dataset("sequences", rows=100, options={"length": 1, "bits": 10}),
    "tokens": load_dataset("tokens", rows=300),
    "short tokens": table(RNG.integers(0, 5, (60, 2)).astype(np.uint8), "tokens", vocabulary=5),
    "points": table(RNG.standard_normal((60, 2)), "points"),
    "three columns": table(RNG.standard_normal((60, 3)), "points"),
    "table": table(RNG.integers(0, 3, (60, 22)).astype(np.float64)),
    "images": images(),
    "images of classes": images(3),
}


@pytest.mark.parametrize("kind", EVERY)
def test_every_kind_is_drawn_and_the_same_seed_gives_the_same_bytes(tmp_path, kind):
    data = EVERY[kind]
    for name in ("a.png", "b.png"):
        draw_evaluation(giving(data.array), data, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    picture = pixels(tmp_path / "a.png")
    assert min(picture.shape[:2]) > 250
    assert orange(picture) > 0.0005


def test_a_collapsed_generator_shows(tmp_path):
    data = EVERY["modes"]
    draw_evaluation(giving(data.array), data, tmp_path / "good.png")
    draw_evaluation(giving(data.array[:1]), data, tmp_path / "collapsed.png")
    good, collapsed = pixels(tmp_path / "good.png"), pixels(tmp_path / "collapsed.png")
    top_right = slice(0, len(good) // 2), slice(good.shape[1] // 2, None)
    assert orange(collapsed[top_right]) < orange(good[top_right])  # one point, not eight


def test_beside_an_image_stands_the_nearest_of_the_data(tmp_path):
    data = images()
    samples = np.clip(data.array[[7]].astype(int) + 1, 0, 16).astype(np.uint8)
    draw_evaluation(giving(samples), data, tmp_path / "a.png")
    picture = pixels(tmp_path / "a.png")
    gap = zoom = 15  # an image of 4 x 4 is drawn in 60 pixels
    left, right = (
        picture[22 + gap + 7 :, x + 7 :: zoom][: 4 * zoom : zoom, :4, 0] for x in (gap, 2 * gap + 60)
    )
    by_hand = [np.rint(255 * (1 - row.reshape(4, 4) / 16)) for row in (samples[0], data.array[7])]
    np.testing.assert_allclose(left, by_hand[0], atol=1)
    np.testing.assert_allclose(right, by_hand[1], atol=1)


def test_bars_hold_the_shares_of_the_most_frequent_ngrams():
    real = np.array([[0, 1, 0, 1]] * 3 + [[2, 2, 2, 2]])
    panels = ngram_shares(np.array([[0, 1, 2, 2]]), real)
    names, of_real, of_generated = panels["2-grams"]
    assert dict(zip(names, of_real, strict=True)) == pytest.approx(
        {"0 1": 6 / 12, "2 2": 3 / 12, "1 0": 3 / 12, "1 2": 0}
    )
    assert dict(zip(names, of_generated, strict=True)) == pytest.approx(
        {"0 1": 1 / 3, "2 2": 1 / 3, "1 0": 0, "1 2": 1 / 3}
    )
    assert list(panels) == ["1-grams", "2-grams", "3-grams"]
