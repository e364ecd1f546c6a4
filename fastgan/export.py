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
from fastgan.latent import interpolate


def write_samples(
    generator: Generator,
    n: int | None,
    label: str | None,
    seed: int,
    path: Path,
    *,
    truncation: float | None = None,
    steps: int | None = None,
) -> str:
    """Draw samples and write them to `path` in the form that its ending names; return what was written, in words.

    Images go into .npy in their own shape, (n, height, width[, 3]); a .csv has the samples' classes, if there are any,
    in its last column, which is called as in the table that was learnt.

    Parameters
    ----------
    n : samples, 100 unless told; or ways, with `steps`
    label : the name of a class, or else its number; None: any
    seed, truncation : see `Generator.sample`
    steps : samples lie on ways of so many steps from one latent vector to another, a row of a picture each; unless
        told 10, or one for each class

    Raises
    ------
    UserError
        If the ending is none of .npy, .csv, .png, if the file cannot be written, or there is no such class.
    """
    if path.suffix not in (".npy", ".csv", ".png"):
        raise UserError(f"{path} ends in {path.suffix or 'nothing'!r}; give a name in .npy, .csv or .png")
    if not path.parent.is_dir():
        raise UserError(f"{path.parent} is no folder; make it first, or give another -o")
    if n is not None and n < 1:
        raise UserError(f"-n is {n}; it must be at least 1")
    if steps is not None and steps < 1:
        raise UserError(f"--interpolate is {steps}; it must be at least 1")
    spec, n_classes = generator.spec, generator.n_classes
    if label is not None and not n_classes:
        raise UserError(f"--label is {label!r}; this GAN has no classes")
    wanted = None
    if label is not None:
        wanted = labels_to_classes(np.array(label), n_classes, spec.class_names, "--label is").astype(
            np.int64
        )
    if steps is None:
        n = 100 if n is None else n
        samples = generator.sample_classes(n, wanted, seed, truncation)
        labels = generator.labels_of(n, seed) if wanted is None else np.full(n, wanted)
        written = f"{n:,} sample{'s' * (n > 1)}"
    else:
        n = n or (n_classes if n_classes and wanted is None else 10)
        latent = ways(generator, n, steps, seed, truncation)
        of_way = (
            np.arange(n if n_classes else 0) % max(1, n_classes) if wanted is None else np.full(n, wanted)
        )
        labels = np.repeat(of_way, steps + 1)
        samples = generator.generate_classes(latent, labels if n_classes else None)
        written = f"{n:,} way{'s' * (n > 1)} of {steps + 1:,} samples"
    if path.suffix == ".png":
        _draw(samples, labels, spec, path, columns=0 if steps is None else steps + 1)
    else:
        write_atomically(path, _npy(samples, spec) if path.suffix == ".npy" else _csv(samples, labels, spec))
    return written


def ways(generator: Generator, n: int, steps: int, seed: int, truncation: float | None) -> np.ndarray:
    """Latent vectors (n (steps + 1), latent_dim) on n ways, one after the other, between vectors drawn by `seed`.

    Normal vectors are joined by arcs, others by straight lines.
    """
    ends = generator.latent_vectors(2 * n, seed, truncation)
    arcs = generator.settings.latent == "normal"
    pairs = zip(ends[::2], ends[1::2], strict=True)
    return np.concatenate([interpolate(a, b, steps, spherical=arcs) for a, b in pairs])


def _draw(samples: np.ndarray, labels: np.ndarray, spec: DataSpec, path: Path, columns: int) -> None:
    """Draw samples as suits them; images of `columns` a way, each way a row, which has a name if it is its class's."""
    from fastgan.pictures import draw_samples, sample_grid

    if spec.kind != "image" or not columns:
        draw_samples(samples, labels, spec, samples, path)
    else:
        named = len(labels) == spec.n_classes * columns and len(np.unique(labels)) == spec.n_classes
        sample_grid(samples, spec, path, labels if named else None, columns)


def _npy(samples: np.ndarray, spec: DataSpec) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, samples.reshape(len(samples), *(spec.image_shape or (spec.width,))), allow_pickle=False)
    return buffer.getvalue()


def _csv(samples: np.ndarray, labels: np.ndarray, spec: DataSpec) -> bytes:
    header = list(spec.columns) or [f"x{i}" for i in range(spec.width)]
    form = "%d" if samples.dtype.kind in "iu" else "%.9g"
    rows = [[form % value for value in row] for row in samples.tolist()]
    if len(labels):
        names_of_labels = (spec.label_column or LABEL_COLUMNS[0], *LABEL_COLUMNS)
        header.append(next((name for name in names_of_labels if name not in header), LABEL_COLUMNS[0]))
        names = dict(enumerate(spec.class_names))
        for row, label in zip(rows, labels.tolist(), strict=True):
            row.append(names.get(label, str(label)))
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue().encode()
