"""Samples as files: .npy, .csv with a header, or a .png picture."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from fastgan.atomic import write_atomically
from fastgan.errors import UserError
from fastgan.generator import Generator


def write_samples(samples: np.ndarray, generator: Generator, label: int | None, path: Path) -> None:
    """Write samples (n, width) to `path` in the form its ending names.

    Images go into .npy in their own shape, (n, height, width[, 3]).

    Raises
    ------
    UserError
        If the ending is none of .npy, .csv, .png, or the file cannot be written.
    """
    spec = generator.spec
    if path.suffix == ".npy":
        buffer = io.BytesIO()
        np.save(
            buffer, samples.reshape(len(samples), *(spec.image_shape or (spec.width,))), allow_pickle=False
        )
        write_atomically(path, buffer.getvalue())
    elif path.suffix == ".csv":
        header = ",".join(spec.columns or [f"x{column}" for column in range(spec.width)])
        text = io.StringIO()
        whole = samples.dtype.kind in "iu"
        np.savetxt(text, samples, delimiter=",", header=header, comments="", fmt="%d" if whole else "%.9g")
        write_atomically(path, text.getvalue().encode())
    elif path.suffix == ".png":
        from fastgan.pictures import draw_samples

        if not path.parent.is_dir():
            raise UserError(f"{path.parent} is no folder; make it first, or give another -o")
        labels = None if label is None else np.full(len(samples), label)
        draw_samples(samples, labels, spec, samples, path)
    else:
        raise UserError(f"-o {path} ends in {path.suffix or 'nothing'!r}; it must end in .npy, .csv or .png")
