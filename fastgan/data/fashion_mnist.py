"""Fashion-MNIST: 60,000 + 10,000 grey pictures of clothes, 28x28 (Xiao et al. 2017, arXiv 1708.07747)."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from fastgan.data.build import Raw
from fastgan.data.dataset import require
from fastgan.data.idx import read_idx

URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"

SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
"""Of the unpacked files, since mirrors compress them differently."""

CLASS_NAMES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
SPLITS = {"train": ("train",), "test": ("t10k",), "all": ("train", "t10k")}


def load_fashion_mnist(path: str, *, split: str = "train") -> Raw:
    """Return pictures (rows, 28, 28) uint8 and their classes.

    Parameters
    ----------
    path : folder of the four IDX files, compressed or not; "" looks in the system's datasets folder, then
        in the cache, then downloads
    split : "train" (60,000), "test" (10,000) or "all"
    """
    require(split in SPLITS, f"split {split!r} is none of {', '.join(SPLITS)}")
    folder = _check_folder(Path(path).expanduser()) if path else system_folder() or _cached_folder()
    images = [read_idx(_find(folder, f"{part}-images-idx3-ubyte")) for part in SPLITS[split]]
    for each in images:
        found = f"pictures of shape {each.shape[1:]} {each.dtype}"
        require(
            each.dtype == np.uint8 and each.shape[1:] == (28, 28),
            f"{folder}: {found}, expected (28, 28) uint8",
        )
    labels = [read_idx(_find(folder, f"{part}-labels-idx1-ubyte")) for part in SPLITS[split]]
    if len(images) > 1:
        return Raw(np.concatenate(images), np.concatenate(labels), low=0, high=255, class_names=CLASS_NAMES)
    return Raw(images[0], labels[0], low=0, high=255, class_names=CLASS_NAMES)


def _find(folder: Path, name: str) -> Path:
    """Return the file's path, compressed or not; where neither is there, the path of the latter."""
    packed = folder / f"{name}.gz"
    return packed if packed.is_file() else folder / name


def _missing(folder: Path) -> list[str]:
    return [name for name in SHA256 if not _find(folder, name).is_file()]


def _check_folder(folder: Path) -> Path:
    require(
        folder.is_dir(), f"{folder}: no such folder; give the one that holds {', '.join(SHA256)} (.gz or not)"
    )
    missing = _missing(folder)
    require(
        not missing, f"{folder}: {', '.join(missing)} (.gz or not) missing; give the folder of all four files"
    )
    return folder


def system_folder() -> Path | None:
    """The system's datasets folder that holds the files, such as that of Debian's package; None without one."""
    shared = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    folders = [Path(place, "datasets", "fashion-mnist") for place in shared.split(":") if place]
    return next((folder for folder in folders if not _missing(folder)), None)


def _cached_folder() -> Path:
    from fastgan.data.download import cache_folder, download  # imports all that HTTP needs

    folder = cache_folder() / "fashion-mnist"
    base = (os.environ.get("FASTGAN_FASHION_MNIST_URL") or URL).rstrip("/")
    advice = "download the four files from github.com/zalandoresearch/fashion-mnist and give --data DIR"
    for name in _missing(folder):
        download(f"{base}/{name}.gz", folder / name, SHA256[name], advice)
    return folder
