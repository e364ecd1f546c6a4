"""Labels of any kind as class numbers."""

from __future__ import annotations

import numpy as np

from fastgan.data.dataset import require
from fastgan.errors import UserError


def encode_labels(
    labels: np.ndarray | None, rows: int, n_classes: int, class_names: tuple[str, ...], name: str
) -> tuple[np.ndarray, int, tuple[str, ...]]:
    """Return labels as int64 in [0, n_classes), n_classes and the classes' names.

    Parameters
    ----------
    labels : (rows,) whole numbers, or strings, which become classes in sorted order; None gives (0,) labels
    rows : how many labels there must be
    n_classes : number of classes; 0 counts them
    class_names : one name a class, or empty
    name : of the data, for error messages
    """
    if labels is None:
        require(
            n_classes == 0, f"{name}: n_classes = {n_classes} but no labels; give labels, or n_classes = 0"
        )
        return np.empty(0, np.int64), 0, ()
    require(labels.shape == (rows,), f"{name}: labels of shape {labels.shape}, expected one a row, ({rows},)")
    if labels.dtype == object and all(isinstance(label, str) for label in labels):
        labels = labels.astype(str)
    if labels.dtype.kind == "U":
        names, labels = np.unique(labels, return_inverse=True)
        class_names = tuple(str(label) for label in names)
    numbers = _whole_numbers(labels, name)
    if not n_classes:
        top = int(numbers.max())
        n_classes = len(class_names) or max(top, 0) + 1
        require(bool(class_names) or top < rows, f"{name}: label {top} in {rows} rows; number classes from 0")
    outside = (numbers < 0) | (numbers >= n_classes)
    place = f"row {np.argmax(outside)} (counted from 0)"
    found = f"label {numbers[np.argmax(outside)]} in {place}"
    require(not outside.any(), f"{name}: {found}, expected 0 to {n_classes - 1}")
    return numbers, n_classes, class_names if len(class_names) == n_classes else ()


def _whole_numbers(labels: np.ndarray, name: str) -> np.ndarray:
    if labels.dtype.kind in "biu":
        return labels.astype(np.int64)
    if labels.dtype.kind != "f":
        raise UserError(f"{name}: labels of dtype {labels.dtype}, expected whole numbers or strings")
    broken = ~(labels == np.rint(labels)) | ~np.isfinite(labels)
    first = np.argmax(broken)
    require(
        not broken.any(),
        f"{name}: label {labels[first]} in row {first} (counted from 0), expected whole numbers or strings",
    )
    return labels.astype(np.int64)
