from __future__ import annotations

import sys

import numpy as np
import pytest
from PIL import Image

from fastgan.data import load_dataset
from fastgan.errors import UserError

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 200, (4, 6, 5), np.uint8)
COLOUR = RNG.integers(0, 200, (4, 6, 5, 3), np.uint8)


def save(folder, pictures, suffix="png"):
    folder.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{number}.{suffix}")
    return folder


def refused(match, folder, **kwargs):
    with pytest.raises(UserError, match=match) as caught:
        load_dataset("file", str(folder), **kwargs)
    assert "\n" not in str(caught.value)


def test_grey(tmp_path):
    data = load_dataset("file", str(save(tmp_path, GREY)))
    assert data.spec.image_shape == (6, 5) and (data.spec.low, data.spec.high) == (0, 255)
    assert data.array.dtype == np.uint8 and data.array.tobytes() == GREY.tobytes()
    assert len(data.labels) == 0


def test_colour(tmp_path):
    data = load_dataset("file", str(save(tmp_path, COLOUR)))
    assert data.spec.image_shape == (6, 5, 3) and data.array.tobytes() == COLOUR.tobytes()


def test_one_picture_in_colour_makes_all_so(tmp_path):
    data = load_dataset("file", str(save(tmp_path, [*GREY[:3], COLOUR[3]])))
    assert data.spec.image_shape == (6, 5, 3)
    np.testing.assert_array_equal(data.array.reshape(4, 6, 5, 3)[0, ..., 1], GREY[0])


def test_sub_folders_are_classes(tmp_path):
    save(tmp_path / "dog", GREY[:1])
    save(tmp_path / "cat", GREY[1:])
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "README.txt").write_text("")
    data = load_dataset("file", str(tmp_path))
    assert data.spec.class_names == ("cat", "dog") and data.labels.tolist() == [0, 0, 0, 1]
    np.testing.assert_array_equal(data.array[3], GREY[0].ravel())
    data = load_dataset("file", str(tmp_path), labels="none")
    assert data.spec.n_classes == 0 and data.spec.class_names == ()


def test_mixed_sizes(tmp_path):
    save(tmp_path, [*GREY, GREY[0, :5]])
    refused(r"4.png: \(5, 5\) pixels, expected \(5, 6\)", tmp_path)


def test_none(tmp_path):
    refused("no pictures there", tmp_path)


def test_pictures_beside_classes(tmp_path):
    save(tmp_path, GREY)
    save(tmp_path / "cat", GREY)
    refused("beside class folders", tmp_path)


@pytest.mark.parametrize("body", [b"", b"no picture", "half"])
def test_broken_picture(tmp_path, body):
    save(tmp_path, RNG.integers(0, 256, (4, 60, 50), np.uint8))
    path = tmp_path / "2.png"
    path.write_bytes(path.read_bytes()[:900] if body == "half" else body)
    refused("2.png: .*damaged", tmp_path)


def test_sixteen_bits(tmp_path):
    save(tmp_path, GREY.astype(np.uint16) * 256)
    refused("mode I;16, expected 8-bit", tmp_path)


def test_a_name_for_labels(tmp_path):
    save(tmp_path, GREY)
    refused("labels are its sub-folders", tmp_path, labels="kind")


def test_without_pillow(tmp_path, monkeypatch):
    save(tmp_path, GREY)
    monkeypatch.setitem(sys.modules, "PIL", None)
    refused("pip install pillow", tmp_path)
