from __future__ import annotations

import gzip
import hashlib
import struct

import numpy as np
import pytest

from fastgan.data import fashion_mnist, load_dataset, load_test_split
from fastgan.errors import UserError

RNG = np.random.default_rng(0)


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


FILES = {
    "train-images-idx3-ubyte": idx(RNG.integers(0, 256, (30, 28, 28), np.uint8)),
    "train-labels-idx1-ubyte": idx(np.arange(30, dtype=np.uint8) % 10),
    "t10k-images-idx3-ubyte": idx(RNG.integers(0, 256, (12, 28, 28), np.uint8)),
    "t10k-labels-idx1-ubyte": idx(np.arange(12, dtype=np.uint8) % 10),
}


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """No system's folder, an empty cache."""
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path / "share"))
    monkeypatch.setenv("FASTGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def mirror(server, nowhere, monkeypatch):
    """A server of the small files above, known by their digests."""
    server.files = {f"/{name}.gz": gzip.compress(body) for name, body in FILES.items()}
    monkeypatch.setattr(fashion_mnist, "SHA256", {n: hashlib.sha256(b).hexdigest() for n, b in FILES.items()})
    monkeypatch.setenv("FASTGAN_FASHION_MNIST_URL", f"{server.url}/")
    return server


def write(folder, packed):
    folder.mkdir(parents=True)
    for name, body in FILES.items():
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(body))
        else:
            (folder / name).write_bytes(body)
    return folder


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_of_the_users_own(tmp_path, packed):
    data = load_dataset("fashion-mnist", str(write(tmp_path / "own", packed)))
    assert data.array.dtype == np.uint8 and data.array.shape == (30, 784) and data.array.flags.writeable
    assert data.array.tobytes() == FILES["train-images-idx3-ubyte"][16:]
    assert data.labels.tolist() == [k % 10 for k in range(30)]
    assert (data.spec.kind, data.spec.image_shape, data.spec.low, data.spec.high) == (
        "image",
        (28, 28),
        0,
        255,
    )
    assert data.spec.n_classes == 10 and data.spec.class_names[9] == "Ankle boot"
    np.testing.assert_allclose(
        data.spec.to_network_units(data.array), (data.array - 127.5) / 127.5, atol=1e-6
    )


def test_splits(tmp_path):
    folder = str(write(tmp_path / "own", True))
    assert len(load_test_split("fashion-mnist", folder)) == 12
    assert len(load_dataset("fashion-mnist", folder, options={"split": "all"})) == 42


def test_the_systems_folder_comes_before_a_download(nowhere):
    write(nowhere / "share" / "datasets" / "fashion-mnist", True)
    assert len(load_dataset("fashion-mnist")) == 30
    assert not (nowhere / "cache").exists()


def test_download_once(mirror):
    assert len(load_dataset("fashion-mnist")) == 30
    assert len(mirror.requests) == 4
    assert len(load_test_split("fashion-mnist")) == 12
    assert len(mirror.requests) == 4


def test_a_download_that_breaks_off_goes_on_with_what_is_missing(mirror):
    broken = "/t10k-images-idx3-ubyte.gz"
    whole, mirror.files[broken] = mirror.files[broken], mirror.files[broken][:500]
    with pytest.raises(UserError, match="--data DIR"):
        load_dataset("fashion-mnist")
    mirror.files[broken] = whole
    assert len(load_dataset("fashion-mnist")) == 30
    assert mirror.requests.count("/train-images-idx3-ubyte.gz") == 1


def test_other_bytes_than_the_published_are_refused(server, nowhere, monkeypatch):
    server.files = {f"/{name}.gz": gzip.compress(body) for name, body in FILES.items()}
    monkeypatch.setenv("FASTGAN_FASHION_MNIST_URL", server.url)
    with pytest.raises(UserError, match="SHA-256"):
        load_dataset("fashion-mnist")


def test_folder_with_a_file_missing(tmp_path):
    folder = write(tmp_path / "own", False)
    (folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(UserError, match=r"t10k-labels-idx1-ubyte .* missing"):
        load_dataset("fashion-mnist", str(folder))
    with pytest.raises(UserError, match="no such folder"):
        load_dataset("fashion-mnist", str(tmp_path / "other"))


def test_unknown_split(tmp_path):
    with pytest.raises(UserError, match="split 'tset'"):
        load_dataset("fashion-mnist", str(tmp_path), options={"split": "tset"})


def test_the_real_files():
    folder = fashion_mnist.system_folder()
    if folder is None:
        pytest.skip("the system has no package dataset-fashion-mnist")
    for name, digest in fashion_mnist.SHA256.items():
        with gzip.open(folder / f"{name}.gz") as file:
            assert hashlib.sha256(file.read()).hexdigest() == digest
    data = load_dataset("fashion-mnist", str(folder), rows=1000)
    assert data.array.shape == (1000, 784) and data.spec.high == 255 and data.spec.n_classes == 10


@pytest.mark.parametrize(
    "wrong", [np.zeros((12, 8, 8), np.uint8), np.zeros((12, 784), np.uint8)], ids=["8x8", "flat"]
)
def test_pictures_of_another_size(tmp_path, wrong):
    folder = write(tmp_path / "own", False)
    (folder / "t10k-images-idx3-ubyte").write_bytes(idx(wrong))
    for split in ("test", "all"):
        with pytest.raises(UserError, match=r"pictures of shape .* uint8, expected \(28, 28\) uint8$"):
            load_dataset("fashion-mnist", str(folder), options={"split": split})
