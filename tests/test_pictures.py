"""The pictures, read back from disk: ink where it should be, and the same data gives the same bytes."""

import numpy as np
import pytest
from PIL import Image

from fastgan.data.dataset import DataSpec
from fastgan.errors import UserError
from fastgan.pictures import curves, draw_samples, marginals, sample_grid, scatter, tokens
from fastgan.state import STATISTICS


def spec(kind, width, dtype="float32", **fields):
    return DataSpec(kind, width, dtype, np.ones(width, np.float32), np.zeros(width, np.float32), **fields)


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def history(steps, classes=False, seed=0):
    rng = np.random.default_rng(seed)
    values = {name: rng.uniform(0.2, 0.8, steps).astype(np.float32) for name in STATISTICS}
    if not classes:
        values |= {name: np.zeros(steps, np.float32) for name in STATISTICS if "class" in name}
    return values


DIGITS = spec("image", 64, "uint8", low=0, high=16, image_shape=(8, 8), n_classes=3)


def test_ink_is_dark_on_white_and_pixels_are_squares(tmp_path):
    image = np.zeros((1, 64), np.uint8)
    image[0, 0], image[0, 9] = 16, 8
    sample_grid(image, DIGITS, tmp_path / "a.png", columns=1)
    grid = pixels(tmp_path / "a.png")
    assert grid.shape == (80, 80, 3)  # 8 pixels of 8, and a gap of 8 all around
    assert (grid[8:16, 8:16] == 0).all()
    assert (abs(grid[16:24, 16:24].astype(int) - 127) <= 1).all()
    grid = grid.copy()
    grid[8:16, 8:16] = grid[16:24, 16:24] = 255
    assert (grid == 255).all()


def test_rows_are_classes_and_a_missing_one_stays_empty(tmp_path):
    images = np.zeros((4, 64), np.uint8)
    images[:] = [[16], [4], [4], [16]]
    sample_grid(images, DIGITS, tmp_path / "a.png", labels=np.array([2, 0, 0, 2]), columns=2)
    grid = pixels(tmp_path / "a.png")
    margin = grid.shape[1] - (2 * 72 + 8)
    centres = [
        grid[8 + 72 * row + 32, margin + 8 + 72 * column + 32, 0] for row in range(3) for column in (0, 1)
    ]
    assert centres == [191, 191, 255, 255, 0, 0]
    assert all((grid[8 + 72 * row : 72 * row + 72, :margin] < 128).any() for row in range(3))  # the names


def test_more_of_a_class_than_columns_are_left_out(tmp_path):
    images = np.full((5, 64), 16, np.uint8)
    sample_grid(images, DIGITS, tmp_path / "a.png", labels=np.zeros(5, np.int64), columns=2)
    assert pixels(tmp_path / "a.png").shape[0] == 3 * 72 + 8


def test_long_class_names_keep_clear_of_the_images(tmp_path):
    names = spec(
        "image", 64, "uint8", low=0, high=16, image_shape=(8, 8), n_classes=1, class_names=("Ankle boot W",)
    )
    sample_grid(
        np.zeros((1, 64), np.uint8), names, tmp_path / "a.png", labels=np.zeros(1, np.int64), columns=1
    )
    grid = pixels(tmp_path / "a.png")
    margin = grid.shape[1] - 80
    written = np.flatnonzero((grid < 200).any(axis=(0, 2)))
    assert written.min() >= 2
    assert written.max() < margin


def test_colour_images_keep_their_colours(tmp_path):
    red = np.tile(np.array([255, 0, 0], np.uint8), 16)[None]
    coloured = spec("image", 48, "uint8", low=0, high=255, image_shape=(4, 4, 3))
    sample_grid(red, coloured, tmp_path / "a.png", columns=1)
    grid = pixels(tmp_path / "a.png")
    assert (grid[grid.shape[0] // 2, grid.shape[1] // 2] == [255, 0, 0]).all()


def test_large_images_are_not_blown_up(tmp_path):
    large = spec("image", 128 * 128, "uint8", low=0, high=255, image_shape=(128, 128))
    sample_grid(np.zeros((4, 128 * 128), np.uint8), large, tmp_path / "a.png", columns=2)
    assert pixels(tmp_path / "a.png").shape == (268, 268, 3)


def test_float_images_without_a_range_and_nan_can_be_drawn(tmp_path):
    image = np.linspace(-3, 3, 64, dtype=np.float32)[None].copy()
    image[0, 5] = np.nan
    sample_grid(image, spec("image", 64, image_shape=(8, 8)), tmp_path / "a.png", columns=1)
    grid = pixels(tmp_path / "a.png")
    assert grid[10, 10, 0] == 255
    assert grid[70, 70, 0] == 0


def colour_share(path, channel):
    """Share of pixels that are clearly blue (2) or orange (0)."""
    image = pixels(path).astype(int)
    return float((image[:, :, channel] - image[:, :, 2 - channel] > 60).mean())


@pytest.mark.parametrize("real", [np.full((9, 2), 2**62), [[-3e38, 3e38]] * 4 + [[3e38, -3e38]] * 5])
def test_scatter_of_numbers_as_large_as_can_be(real, tmp_path):
    real = np.asarray(real, None if isinstance(real, np.ndarray) else np.float32)
    scatter(real, real, tmp_path / "large.png")
    assert pixels(tmp_path / "large.png").ndim == 3


def test_scatter_shows_both_and_keeps_the_frame_of_the_real(tmp_path):
    rng = np.random.default_rng(0)
    real = rng.standard_normal((500, 2))
    scatter(rng.standard_normal((500, 2)), real, tmp_path / "near.png")
    scatter(rng.standard_normal((500, 2)) + 1000, real, tmp_path / "far.png")
    assert colour_share(tmp_path / "near.png", 0) > 0.002
    assert colour_share(tmp_path / "near.png", 2) > 0.008
    assert colour_share(tmp_path / "far.png", 0) < 0.0005  # only the legend
    assert colour_share(tmp_path / "far.png", 2) > 0.008


def test_marginals_count_values_beyond_the_frame(tmp_path):
    rng = np.random.default_rng(0)
    real = rng.standard_normal((400, 2))
    marginals(real * 0 + 50, real, spec("points", 2), tmp_path / "a.png")
    assert colour_share(tmp_path / "a.png", 0) > 0.003


def test_many_columns_and_constant_ones_can_be_drawn(tmp_path):
    rng = np.random.default_rng(0)
    rows = np.column_stack([np.full(300, 7.0), rng.integers(0, 3, 300), rng.standard_normal((300, 20))])
    marginals(rows, rows, spec("table", 22), tmp_path / "a.png")
    first_sixteen = pixels(tmp_path / "a.png").shape
    marginals(rows[:, :16], rows[:, :16], spec("table", 16), tmp_path / "b.png")
    assert pixels(tmp_path / "b.png").shape == first_sixteen


def test_tokens_of_a_collapsed_generator_leave_its_map_nearly_empty(tmp_path):
    rng = np.random.default_rng(0)
    real = rng.integers(0, 12, (300, 10)).astype(np.uint8)
    words = spec("tokens", 10, "uint8", vocabulary=12)
    tokens(real, real, words, tmp_path / "good.png")
    tokens(real * 0, real, words, tmp_path / "collapsed.png")
    good, collapsed = pixels(tmp_path / "good.png"), pixels(tmp_path / "collapsed.png")
    middle = (
        slice(good.shape[0] // 8, good.shape[0] // 2),
        slice(good.shape[1] * 5 // 8, good.shape[1] * 7 // 8),
    )
    assert good[middle][:, :, 2].mean() < collapsed[middle][:, :, 2].mean() - 10


@pytest.mark.parametrize("steps", [1, 2, 300, 20_000])
@pytest.mark.parametrize("loss", ["bce", "wasserstein"])
def test_curves_of_any_length(tmp_path, steps, loss):
    curves(history(steps), tmp_path / "a.png", loss)
    assert pixels(tmp_path / "a.png").shape[1] == 1260


def test_curves_have_a_panel_for_classes_only_where_there_are_some(tmp_path):
    curves(history(100), tmp_path / "plain.png")
    curves({**history(100), "step": np.arange(1, 101)}, tmp_path / "counted.png")
    curves({**history(100), "step": np.arange(1, 101) * 50}, tmp_path / "means.png")
    assert (tmp_path / "counted.png").read_bytes() == (tmp_path / "plain.png").read_bytes()
    assert (tmp_path / "means.png").read_bytes() != (tmp_path / "plain.png").read_bytes()
    curves(history(100, classes=True), tmp_path / "classes.png")
    assert pixels(tmp_path / "classes.png").shape[0] > 1.3 * pixels(tmp_path / "plain.png").shape[0]


def test_curves_survive_a_training_that_diverged(tmp_path):
    broken = {name: np.where(np.arange(500) < 250, values, np.nan) for name, values in history(500).items()}
    curves(broken, tmp_path / "a.png")
    curves({name: values * np.nan for name, values in broken.items()}, tmp_path / "b.png")
    assert colour_share(tmp_path / "a.png", 0) > colour_share(tmp_path / "b.png", 0)


@pytest.mark.parametrize(
    ("of", "width"),
    [
        (spec("image", 4, "uint8", low=0, high=3, image_shape=(2, 2)), 4),
        (spec("points", 2), 2),
        (spec("points", 3), 3),
        (spec("sequence", 3, "uint16", low=0, high=3), 3),
        (spec("table", 2, columns=("age", "height")), 2),
        (spec("tokens", 3, "uint8", vocabulary=4), 3),
    ],
    ids=lambda value: value.kind if isinstance(value, DataSpec) else str(value),
)
def test_every_kind_is_drawn_and_the_same_data_gives_the_same_bytes(tmp_path, of, width):
    rows = np.random.default_rng(0).integers(0, 4, (50, width)).astype(of.dtype)
    for name in ("a.png", "b.png"):
        draw_samples(rows, None, of, rows[::-1], tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]


def test_a_picture_that_cannot_be_written_leaves_the_old_one_alone(tmp_path):
    target = tmp_path / "taken.png"
    target.mkdir()
    with pytest.raises(UserError, match=r"taken\.png cannot be written"):
        scatter(np.zeros((3, 2)), np.zeros((3, 2)), target)
    assert [path.name for path in tmp_path.iterdir()] == ["taken.png"]
