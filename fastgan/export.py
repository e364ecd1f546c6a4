"""Samples as files: .npy, .csv with a header, or a .png picture."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

from fastgan.atomic import write_atomically
from fastgan.data.dataset import DataSpec
from fastgan.data.labels import labels_to_classes
from fastgan.data.tables import LABEL_COLUMNS
from fastgan.errors import UserError
from fastgan.generator import Generator


def write_samples(generator: Generator, n: int, label: str | None, seed: int, path: Path) -> None:
    """Draw n samples, of class `label` or of any, and write them to `path` in the form that its ending names.

    `label` is the name of a class, or else its number. Images go into .npy in their own shape, (n, height, width[, 3]);
    a .csv has the samples' classes in its last column, if there are any.

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
    spec, n_classes = generator.spec, generator.n_classes
    if label is not None and not n_classes:
        raise UserError(f"--label is {label!r}; this GAN has no classes")
    wanted = None
    if label is not None:
        wanted = int(labels_to_classes(np.array(label), n_classes, spec.class_names, "--label is"))
    samples = generator.sample_classes(n, None if wanted is None else np.array(wanted), seed)
    labels = generator.labels_of(n, seed) if wanted is None else np.full(n, wanted)
    if path.suffix == ".png":
        from fastgan.pictures import draw_samples

        draw_samples(samples, labels, spec, samples, path)
    else:
        write_atomically(path, _npy(samples, spec) if path.suffix == ".npy" else _csv(samples, labels, spec))


def _npy(samples: np.ndarray, spec: DataSpec) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, samples.reshape(len(samples), *(spec.image_shape or (spec.width,))), allow_pickle=False)
    return buffer.getvalue()


def _csv(samples: np.ndarray, labels: np.ndarray, spec: DataSpec) -> bytes:
    header = list(spec.columns) or [f"x{i}" for i in range(spec.width)]
    form = "%d" if samples.dtype.kind in "iu" else "%.9g"
    rows = [[form % value for value in row] for row in samples.tolist()]
    if len(labels):
        header.append(next((name for name in LABEL_COLUMNS if name not in header), LABEL_COLUMNS[0]))
        names = dict(enumerate(spec.class_names))
        for row, label in zip(rows, labels.tolist(), strict=True):
            row.append(names.get(label, str(label)))
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue().encode()
