"""Samples as files: .npy, .csv with a header, or a .png picture."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

from fastgan.atomic import write_atomically
from fastgan.data.dataset import DataSpec
from fastgan.errors import UserError
from fastgan.generator import Generator


def write_samples(generator: Generator, n: int, label: int | None, seed: int, path: Path) -> None:
    """Draw n samples, of class `label` or of any, and write them to `path` in the form that its ending names.

    Images go into .npy in their own shape, (n, height, width[, 3]).

    Raises
    ------
    UserError
        If the ending is none of .npy, .csv, .png, if the file cannot be written, or there is no such class.
    """
    if path.suffix not in (".npy", ".csv", ".png"):
        raise UserError(f"{path} ends in {path.suffix or 'nothing'!r}; give a name in .npy, .csv or .png")
    if not path.parent.is_dir():
        raise UserError(f"{path.parent} is no folder; make it first, or give another -o")
    if n < 1:
        raise UserError(f"-n is {n}; it must be at least 1")
    if label is not None and not 0 <= label < generator.n_classes:
        known = f"the classes are 0 to {generator.n_classes - 1}"
        raise UserError(f"--label is {label}; {known if generator.n_classes else 'this GAN has no classes'}")
    samples = generator.sample(n, label, seed)
    if path.suffix == ".png":
        from fastgan.pictures import draw_samples

        labels = None if label is None else np.full(n, label)
        draw_samples(samples, labels, generator.spec, samples, path)
    else:
        write_atomically(path, (_npy if path.suffix == ".npy" else _csv)(samples, generator.spec))


def _npy(samples: np.ndarray, spec: DataSpec) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, samples.reshape(len(samples), *(spec.image_shape or (spec.width,))), allow_pickle=False)
    return buffer.getvalue()


def _csv(samples: np.ndarray, spec: DataSpec) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(spec.columns or [f"x{i}" for i in range(spec.width)])
    np.savetxt(text, samples, delimiter=",", fmt="%d" if samples.dtype.kind in "iu" else "%.9g")
    return text.getvalue().encode()
