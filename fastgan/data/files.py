"""A file or a folder of the user's own, read by what its name ends in."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np

from fastgan.data.build import Raw
from fastgan.data.dataset import Kind, require
from fastgan.data.idx import IDX_NAME, read_idx
from fastgan.data.images import read_image_folder
from fastgan.data.npy import MAGIC, read_member, read_npy
from fastgan.data.reading import given_path, reading
from fastgan.data.tables import read_csv, read_parquet
from fastgan.errors import nearest

KNOWN = ".npy, .npz, .csv, .parquet, IDX (.idx or -idx3-ubyte, .gz or not), or a folder of pictures"
ROW_NAMES = ("x", "X", "data")
LABEL_NAMES = ("y", "Y", "label", "labels", "target")


def load_file(
    path: str, labels: str, *, kind: str = "", vocabulary: int = 0, image_shape: tuple[int, ...] = ()
) -> Raw:
    """Read the file or folder at `path`.

    Parameters
    ----------
    path : .npy, .npz, .csv, .parquet, IDX, or a folder of pictures
    labels : "auto", "none", the name of a table's column or of an array in .npz, or for .npy and IDX the
        path of a second such file
    kind : what the rows are, where their shape does not tell
    vocabulary : number of different tokens, for rows of tokens
    image_shape : (height, width) or (height, width, 3), for images in flat rows
    """
    require(path != "", f"no data file given; give --data PATH ({KNOWN})")
    place = given_path(path)
    whole = all(type(size) is int and size > 0 for size in image_shape)
    shaped = not image_shape or (whole and len(image_shape) > 1 and image_shape[2:] in ((), (3,)))
    require(shaped, f"image_shape = {list(image_shape)}, expected [height, width] or [height, width, 3]")
    told = cast("Kind", kind) if kind else None
    return replace(_read(place, labels), kind=told, vocabulary=vocabulary, image_shape=image_shape)


def _read(path: Path, labels: str) -> Raw:
    suffix = path.suffix.lower()
    if path.is_dir():
        plain = labels in ("auto", "none")
        require(plain, f"{path}: labels {labels!r}: a folder's labels are its sub-folders")
        return read_image_folder(path)
    if suffix == ".npz":
        return read_npz(path, labels)
    if suffix == ".csv":
        return read_csv(path, labels)
    if suffix == ".parquet":
        return read_parquet(path, labels)
    return Raw(read_array(path), _read_labels(path, labels))


def read_array(path: Path) -> np.ndarray:
    """Read the array of a .npy or IDX file; mapped copy on write where it is not compressed."""
    if IDX_NAME.search(path.name):
        return read_idx(path)
    require(path.suffix.lower() == ".npy", f"{path}: unknown kind of file, expected {KNOWN}")
    return read_npy(path)


def _read_labels(path: Path, labels: str) -> np.ndarray | None:
    if labels == "none":
        return None
    if labels != "auto":
        place = Path(os.path.expanduser(labels))
        require(
            os.path.isfile(place),
            f"labels {labels!r}: no such file; give 'auto', 'none' or a .npy or IDX file",
        )
        return read_array(place)
    twin = path.with_name(path.name.replace("images-idx3", "labels-idx1"))
    return read_array(twin) if twin != path and twin.is_file() else None


def read_npz(path: Path, labels: str) -> Raw:
    """Read rows (x, X, data, or the only array) and labels (y, labels ...) of an archive, never pickled."""
    from zipfile import ZipFile

    with reading(path, "an .npz archive"), open(path, "rb") as file:
        require(file.read(6) != MAGIC, f"{path}: one array, not an archive; rename it to .npy")
        with ZipFile(file) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
            found = f"it has {', '.join(names) or 'none'}"
            known_labels = LABEL_NAMES if labels in ("auto", "none") else (labels,)
            label_name = next((name for name in known_labels if name in names), None)
            others = [name for name in names if name != label_name]
            only = others[0] if len(others) == 1 else None
            rows = next((name for name in ROW_NAMES if name in others), only)
            require(rows is not None, f"{path}: no array named {', '.join(ROW_NAMES)}; {found}")
            require(
                label_name is not None or labels in ("auto", "none"),
                f"{path}: no array {labels!r} for labels{nearest(labels, names)}; {found}",
            )
            use_labels = label_name is not None and labels != "none"
            x = read_member(archive, str(rows), path)
            return Raw(x, read_member(archive, str(label_name), path) if use_labels else None)
