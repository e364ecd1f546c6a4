"""Samples as files."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import fastgan
from fastgan.data import from_arrays, load_dataset
from fastgan.errors import UserError
from fastgan.export import ways, write_samples
from fastgan.generator import Generator
from fastgan.latent import interpolate

SMALL = dict(generator=[4], discriminator=[4], latent_dim=2, batch_size=8, backend="numpy")


def trained(rows: Any, **settings: Any) -> Generator:
    return fastgan.GAN(**{**SMALL, **settings}).fit(rows, steps=1)._fitted().generator


@pytest.fixture(scope="module")
def random() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def numbers(random: np.random.Generator) -> Generator:
    return trained(random.normal(size=(16, 3)).astype(np.float32))


@pytest.fixture(scope="module")
def images(random: np.random.Generator) -> Generator:
    x = random.integers(0, 256, (16, 5, 4), dtype=np.uint8)
    return trained(from_arrays(x, np.arange(16) % 2, name="images"))


def test_npy_holds_the_samples_themselves(numbers: Generator, tmp_path: Path) -> None:
    write_samples(numbers, 7, None, 3, tmp_path / "x.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy", allow_pickle=False), numbers.sample(7, seed=3))


def test_images_keep_their_shape_in_npy(images: Generator, tmp_path: Path) -> None:
    write_samples(images, 7, "1", 3, tmp_path / "x.npy")
    rows = np.load(tmp_path / "x.npy")
    assert rows.dtype == np.uint8
    np.testing.assert_array_equal(rows, images.sample(7, 1, seed=3).reshape(7, 5, 4))


def test_csv_reads_back_to_the_same_float32(numbers: Generator, tmp_path: Path) -> None:
    write_samples(numbers, 50, None, 0, tmp_path / "x.csv")
    with open(tmp_path / "x.csv", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["x0", "x1", "x2"]
    np.testing.assert_array_equal(np.array(rows, float).astype(np.float32), numbers.sample(50, seed=0))


def test_csv_of_whole_numbers_has_no_fractions(images: Generator, tmp_path: Path) -> None:
    write_samples(images, 4, None, 0, tmp_path / "x.csv")
    header, *lines = (tmp_path / "x.csv").read_text().splitlines()
    rows = np.array([[int(v) for v in line.split(",")] for line in lines])
    assert header.split(",")[-1] == "label"
    np.testing.assert_array_equal(rows[:, :-1], images.sample(4, seed=0))
    np.testing.assert_array_equal(rows[:, -1], images.labels_of(4, 0))


@pytest.mark.parametrize("label", [None, "dog"])
def test_csv_ends_with_the_names_of_classes_and_reads_back(
    label: str | None, tmp_path: Path, random: np.random.Generator
) -> None:
    names = np.array(["cat, big", "dog"])
    generator = trained(from_arrays(random.normal(size=(16, 2)), names[np.arange(16) % 2]))
    write_samples(generator, 40, label, 5, tmp_path / "x.csv")
    back = load_dataset("file", str(tmp_path / "x.csv"))
    classes = generator.labels_of(40, 5) if label is None else np.ones(40, int)
    kept = np.array(back.spec.class_names)[back.labels]
    np.testing.assert_array_equal(kept, names[classes])
    np.testing.assert_allclose(back.array, generator.sample(40, classes, seed=5), rtol=1e-6)


def test_csv_names_the_labels_apart_from_a_column_called_label(tmp_path: Path) -> None:
    lines = [f"{i},{i % 3},{i % 2}" for i in range(16)]
    (tmp_path / "data.csv").write_text("\n".join(["a,label,kind", *lines]))
    generator = trained(load_dataset("file", str(tmp_path / "data.csv"), labels="kind"))
    write_samples(generator, 2, None, 0, tmp_path / "x.csv")
    assert (tmp_path / "x.csv").read_text().splitlines()[0] == "a,label,kind"
    spec = replace(generator.spec, label_column="")  # of rows and labels that were given as arrays
    nameless = Generator(generator.settings, spec, 2, generator.net.params)
    write_samples(nameless, 2, None, 0, tmp_path / "x.csv")
    assert (tmp_path / "x.csv").read_text().splitlines()[0] == "a,label,labels"


def test_csv_quotes_the_names_of_columns(tmp_path: Path, random: np.random.Generator) -> None:
    names = ["plain", "with, comma", 'with "quotes"']
    with open(tmp_path / "data.csv", "w", newline="") as file:
        csv.writer(file).writerows([names, *random.normal(size=(16, 3)).tolist()])
    generator = trained(load_dataset("file", str(tmp_path / "data.csv")))
    write_samples(generator, 2, None, 0, tmp_path / "x.csv")
    with open(tmp_path / "x.csv", newline="") as file:
        assert next(csv.reader(file)) == names


@pytest.mark.parametrize("n", [1, 7, 300])
@pytest.mark.parametrize("kind", ["numbers", "images"])
def test_png_is_a_picture_of_something(
    kind: str, n: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    write_samples(request.getfixturevalue(kind), n, None, 0, tmp_path / "x.png")
    assert np.ptp(np.asarray(Image.open(tmp_path / "x.png").convert("L"))) > 50


@pytest.mark.parametrize(
    ("n", "label", "name", "expected"),
    [
        (5, None, "x.txt", r"ends in '\.txt'"),
        (5, None, "x", "ends in 'nothing'"),
        (5, None, "missing/x.npy", "missing is no folder"),
        (5, None, "x.csv/y.csv", "is no folder"),
        (0, None, "x.npy", "-n is 0"),
        (5, "2", "x.npy", "--label is '2'; the classes are 0 to 1"),
        (5, "-1", "x.npy", "--label is '-1'"),
    ],
)
def test_mistakes_write_nothing(
    n: int, label: str | None, name: str, expected: str, images: Generator, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=expected):
        write_samples(images, n, label, 0, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_folder_in_the_way_is_a_mistake(images: Generator, tmp_path: Path) -> None:
    (tmp_path / "x.npy").mkdir()
    with pytest.raises(UserError, match="cannot be written"):
        write_samples(images, 1, None, 0, tmp_path / "x.npy")
    assert [path.name for path in tmp_path.iterdir()] == ["x.npy"]


def test_the_kinds_of_files_differ_only_in_form(
    images: Generator, tmp_path: Path, make_file: Callable[[str], Path]
) -> None:
    rows = np.load(make_file("npy")).reshape(6, -1)
    np.testing.assert_array_equal(np.loadtxt(make_file("csv"), delimiter=",", skiprows=1)[:, :-1], rows)


@pytest.fixture
def make_file(images: Generator, tmp_path: Path) -> Callable[[str], Path]:
    def make(form: str) -> Path:
        write_samples(images, 6, None, 9, tmp_path / f"x.{form}")
        return tmp_path / f"x.{form}"

    return make


def test_ways_from_sample_to_sample(numbers: Generator, tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    assert write_samples(numbers, 1, None, 4, path, steps=5) == "1 way of 6 samples"
    assert write_samples(numbers, 1, None, 4, path) == "1 sample"
    assert write_samples(numbers, 3, None, 4, path, steps=5) == "3 ways of 6 samples"
    rows, ends = np.load(path), numbers.latent_vectors(6, 4)
    assert rows.shape == (18, 3)
    np.testing.assert_allclose(rows[::6], numbers.generate(ends[::2]), rtol=1e-5)
    np.testing.assert_allclose(rows[5::6], numbers.generate(ends[1::2]), rtol=1e-5)
    np.testing.assert_allclose(rows[6:12], numbers.generate(interpolate(ends[2], ends[3], 5)), rtol=1e-5)


def test_ways_between_uniform_vectors_are_straight(random: np.random.Generator) -> None:
    generator = trained(random.normal(size=(16, 3)), latent="uniform")
    latent = ways(generator, 4, 10, 0, None).reshape(4, 11, 2)
    np.testing.assert_allclose(latent[:, 5], (latent[:, 0] + latent[:, 10]) / 2, atol=1e-6)


def test_each_class_goes_a_way_of_its_own(images: Generator, tmp_path: Path) -> None:
    assert write_samples(images, None, None, 0, tmp_path / "x.csv", steps=3) == "2 ways of 4 samples"
    lines = (tmp_path / "x.csv").read_text().splitlines()[1:]
    assert [line.split(",")[-1] for line in lines] == ["0"] * 4 + ["1"] * 4
    assert write_samples(images, None, "1", 0, tmp_path / "x.csv", steps=3) == "10 ways of 4 samples"
    assert {line.split(",")[-1] for line in (tmp_path / "x.csv").read_text().splitlines()[1:]} == {"1"}


@pytest.mark.parametrize(("n", "label"), [(None, None), (3, None), (2, "1")])
def test_a_way_is_a_row_of_a_picture(
    n: int | None, label: str | None, images: Generator, tmp_path: Path
) -> None:
    sizes = []
    for steps in (3, 7):
        write_samples(images, n, label, 0, tmp_path / "x.png", steps=steps)
        with Image.open(tmp_path / "x.png") as picture:
            sizes.append(picture.size)
    (narrow, height), (wide, same) = sizes
    assert same == height and 1.4 < wide / narrow < 2.1


def test_truncation_reaches_the_samples(images: Generator, tmp_path: Path) -> None:
    write_samples(images, 9, None, 1, tmp_path / "x.npy", truncation=0.2)
    expected = images.sample(9, seed=1, truncation=0.2)
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy").reshape(9, 20), expected)
    write_samples(images, 2, "0", 1, tmp_path / "x.npy", truncation=0.2, steps=1)
    z = images.latent_vectors(4, 1, truncation=0.2)
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy").reshape(4, 20), images.generate(z, 0))
