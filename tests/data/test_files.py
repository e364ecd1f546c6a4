from __future__ import annotations

import pickle

import numpy as np
import pytest

from fastgan.data import load_dataset
from fastgan.errors import UserError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 3)).astype(np.float32)
Y = np.arange(20) % 4


def load(path, **kwargs):
    return load_dataset("file", str(path), **kwargs)


def refused(match, path, **kwargs):
    with pytest.raises(UserError, match=match) as caught:
        load(path, **kwargs)
    assert "\n" not in str(caught.value)


def test_npy(tmp_path):
    np.save(tmp_path / "x.npy", X)
    data = load(tmp_path / "x.npy")
    np.testing.assert_array_equal(data.array, X)
    assert data.name == "x.npy" and data.array.flags.writeable and len(data.labels) == 0
    assert len(load(tmp_path / "x.npy", rows=5)) == 5


def test_npy_with_labels_beside(tmp_path):
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y)
    data = load(tmp_path / "x.npy", labels=str(tmp_path / "y.npy"))
    assert data.labels.tolist() == Y.tolist() and data.spec.n_classes == 4
    assert load(tmp_path / "x.npy", labels=str(tmp_path / "y.npy"), rows=2).spec.n_classes == 4
    refused("labels 'z.npy': no such file", tmp_path / "x.npy", labels="z.npy")


def test_fortran_order(tmp_path):
    np.save(tmp_path / "x.npy", np.asfortranarray(X))
    data = load(tmp_path / "x.npy")
    assert data.array.flags.c_contiguous
    np.testing.assert_array_equal(data.array, X)


@pytest.mark.parametrize(("x", "y"), [("x", "y"), ("X", "labels"), ("data", "label"), ("only", None)])
def test_npz(tmp_path, x, y):
    np.savez(tmp_path / "d.npz", **{x: X, **({y: Y} if y else {})})
    data = load(tmp_path / "d.npz")
    np.testing.assert_array_equal(data.array, X)
    assert data.labels.tolist() == (Y.tolist() if y else [])
    assert len(load(tmp_path / "d.npz", labels="none").labels) == 0


def test_npz_with_labels_of_another_name(tmp_path):
    np.savez(tmp_path / "d.npz", x=X, colour=Y)
    assert load(tmp_path / "d.npz", labels="colour").spec.n_classes == 4
    refused(r"no array 'color' for labels \(did you mean 'colour'\?\)", tmp_path / "d.npz", labels="color")


@pytest.mark.parametrize("arrays", [{"a": X, "b": X}, {"y": Y}, {}])
def test_npz_without_rows(tmp_path, arrays):
    np.savez(tmp_path / "d.npz", **arrays)
    refused("no array named x, X, data", tmp_path / "d.npz")


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_a_pickle_renamed_is_never_loaded(tmp_path, suffix):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "loaded"), "w"))

    (tmp_path / f"p{suffix}").write_bytes(pickle.dumps(Bomb()))
    refused("damaged", tmp_path / f"p{suffix}")
    assert not (tmp_path / "loaded").exists()


def test_object_arrays_are_never_loaded(tmp_path):
    objects = np.array([[1, None], [2, "x"]], dtype=object)
    np.save(tmp_path / "o.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "o.npz", x=objects)
    refused("pickled Python objects", tmp_path / "o.npy")
    refused("pickled Python objects", tmp_path / "o.npz")


@pytest.mark.parametrize("name", ["e.npy", "e.npz", "e.csv", "e.parquet", "e.idx", "e.idx.gz"])
def test_empty_file(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    refused("empty|missing", tmp_path / name)


def test_truncated(tmp_path):
    np.save(tmp_path / "x.npy", X)
    np.savez(tmp_path / "d.npz", x=X)
    for name in ("x.npy", "d.npz"):
        whole = (tmp_path / name).read_bytes()
        for length in (3, 100, len(whole) - 1):
            (tmp_path / name).write_bytes(whole[:length])
            refused("damaged|bytes of data, expected 240", tmp_path / name)


def test_damaged_npz(tmp_path):
    np.savez(tmp_path / "d.npz", x=X)
    whole = bytearray((tmp_path / "d.npz").read_bytes())
    whole[250] ^= 1
    (tmp_path / "d.npz").write_bytes(whole)
    refused("damaged", tmp_path / "d.npz")


def test_no_rows_in_npy(tmp_path):
    np.save(tmp_path / "x.npy", X[:0])
    refused("no values|empty", tmp_path / "x.npy")


def test_an_array_renamed_npz(tmp_path):
    np.save(tmp_path / "x.npy", X)
    (tmp_path / "x.npy").rename(tmp_path / "x.npz")
    refused("rename it to .npy", tmp_path / "x.npz")


def test_paths(tmp_path):
    refused("no data file given; give --data PATH", "")
    refused("no such file", tmp_path / "none.npy")
    (tmp_path / "x.txt").write_text("1")
    refused("unknown kind of file, expected .npy", tmp_path / "x.txt")
    (tmp_path / "x.npy").mkdir()
    refused("no pictures", tmp_path / "x.npy")


def test_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    np.save(tmp_path / "x.npy", X)
    assert len(load("~/x.npy")) == 20


def test_what_the_shape_does_not_tell(tmp_path):
    np.save(tmp_path / "x.npy", RNG.integers(0, 8, (20, 12)))
    path = tmp_path / "x.npy"
    assert load(path, options={"vocabulary": 8}).spec.kind == "tokens"
    image = load(path, options={"image_shape": [3, 4]}).spec
    assert image.kind == "image" and image.image_shape == (3, 4)
    assert load(path, options={"image_shape": [2, 2, 3]}).spec.image_shape == (2, 2, 3)
    assert load(path, options={"kind": "sequence"}).spec.kind == "sequence"
    refused("rows of 12 values, expected 3 x 5", path, options={"image_shape": [3, 5]})
    for shape in ([12], [-3, -4], [3.0, 4], [3, 2, 2]):
        refused("expected .height, width. or", path, options={"image_shape": shape})
    refused(r"kind 'token' .*did you mean 'tokens'\?", path, options={"kind": "token"})
    refused("give image_shape", path, options={"kind": "image"})
    refused("vocabulary = 0", path, options={"kind": "tokens"})
    refused("token 7 in row", path, options={"vocabulary": 7})
