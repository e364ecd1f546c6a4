"""Labels of any kind as class numbers, and class names where a label is asked for."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from fastgan.data.dataset import require
from fastgan.errors import UserError, nearest
from fastgan.outside import is_unicode

FEW = 10
"""So many classes may be in any number of rows; more of them only where there are two rows for each."""


def encode_labels(
    labels: np.ndarray | None, rows: int, n_classes: int, class_names: tuple[str, ...], name: str
) -> tuple[np.ndarray, int, tuple[str, ...]]:
    """Return labels as int64 in [0, n_classes), n_classes and the classes' names.

    Parameters
    ----------
    labels : (rows,) whole numbers or strings; strings become classes in sorted order, and so do numbers that are
        not 0, 1, 2 ... where neither `n_classes` nor `class_names` says what they mean; None gives (0,) labels
    rows : how many labels there must be
    n_classes : number of classes; 0 counts them
    class_names : one name a class, or empty
    name : of the data, for error messages
    """
    if labels is None:
        advice = "give labels, or set n_classes to 0"
        require(n_classes == 0, f"n_classes is {n_classes} but {name} has no labels; {advice}")
        return np.empty(0, np.int64), 0, ()
    require(labels.shape == (rows,), f"{name}: labels of shape {labels.shape}, expected one a row, ({rows},)")
    text = _is_text(labels)
    if not text:
        _check_whole(labels, name)
    if text or not (n_classes or class_names):
        class_names, labels = _sort_out(labels, name)
        count = len(class_names)
        if not n_classes:
            found = f"{count} different labels in {rows} rows"
            advice = "give labels that more rows share, or none: --set data.labels=none, from Python no y"
            require(count <= max(FEW, rows // 2), f"{name}: {found}; {advice}")
        if not text and class_names == _numbered(count):
            n_classes, class_names = count, ()
    n_classes = n_classes or len(class_names)
    numbers = labels.astype(np.int64)
    outside = (numbers < 0) | (numbers >= n_classes)
    place = f"row {np.argmax(outside)} (counted from 0)"
    found = f"label {numbers[np.argmax(outside)]} in {place}"
    require(not outside.any(), f"{name}: {found}, expected 0 to {n_classes - 1}")
    require(is_unicode("".join(class_names)), f"{name}: a class has a name that is no text; rename it")
    return numbers, n_classes, class_names if len(class_names) == n_classes else ()


def labels_to_classes(
    labels: np.ndarray, n_classes: int, class_names: tuple[str, ...], what: str
) -> np.ndarray:
    """Replace the labels a user gave by class numbers: labels of the data, or text.

    A text is a class's name, or else its number; but where the names are numbers of their own, such as 1, 2 and 3,
    numbers are names too. Other numbers stay as they are, unchecked.

    Parameters
    ----------
    labels : numbers or strings, of any shape
    n_classes, class_names : of what was learnt; the names may be empty
    what : how to begin an error message, such as "y holds the label"

    Raises
    ------
    UserError
        For a text that is no class, with the nearest name and the list of them.
    """
    labels = labels.astype(str) if _is_text(labels) else labels
    named_by_number = len(class_names) == n_classes and all(map(_is_whole, class_names))
    if labels.dtype.kind != "U":
        if not named_by_number or class_names == _numbered(n_classes) or labels.dtype.kind not in "biuf":
            return labels
        _check_whole(labels.ravel(), what)
    values, places = np.unique(labels, return_inverse=True)
    known = {class_name: number for number, class_name in enumerate(class_names)}
    if not named_by_number:
        known = {str(number): number for number in range(n_classes)} | known
    texts = [str(value) if labels.dtype.kind == "U" else str(int(value)) for value in values]
    for text in texts:
        if text not in known:
            near = "" if _is_whole(text) else nearest(text, class_names)
            raise UserError(f"{what} {text!r}{near}; {describe(n_classes, class_names)}")
    return np.array([known[text] for text in texts], np.int64)[places].reshape(labels.shape)


def same_classes(labels: np.ndarray, n_classes: int, class_names: tuple[str, ...], what: str) -> np.ndarray:
    """Class numbers (n,) int64 of the labels of more rows, which must be called as those that were learnt were.

    Parameters
    ----------
    labels : (n,) whole numbers or strings
    n_classes, class_names : of what was learnt; the names may be empty, then classes are 0 to n_classes - 1
    what : how to begin an error message, such as "y holds the label"

    Raises
    ------
    UserError
        For a label that is none of the classes.
    """
    if not _is_text(labels):
        _check_whole(labels, what)
    place = {text: number for number, text in enumerate(class_names or _numbered(n_classes))}
    texts = [label if isinstance(label, str) else str(int(label)) for label in _as_list(labels, what)]
    for text in texts:
        if text not in place:
            raise UserError(f"{what} {text!r}; {describe(n_classes, class_names)}")
    return np.array([place[text] for text in texts], np.int64)


def describe(n_classes: int, class_names: tuple[str, ...]) -> str:
    """Return "the classes are ..." for an error message."""
    plain = not class_names or class_names == _numbered(n_classes)
    return f"the classes are {f'0 to {n_classes - 1}' if plain else list_names(class_names)}"


def list_names(class_names: tuple[str, ...]) -> str:
    """Class names, in quotes where one of them is no plain word, so that it can be seen where each ends."""
    words = all(re.fullmatch(r"[\w.-]+", name) for name in class_names)
    return ", ".join(class_names if words else map(repr, class_names))


def _is_text(labels: np.ndarray) -> bool:
    return labels.dtype.kind == "U" or (
        labels.dtype == object and all(isinstance(label, str) for label in labels.flat)
    )


def _sort_out(labels: np.ndarray, name: str) -> tuple[tuple[str, ...], np.ndarray]:
    """The names of the different labels (rows,), sorted, and each row's place among them."""
    if labels.dtype.kind not in "UO":
        values, places = np.unique(labels, return_inverse=True)
        return tuple(str(int(value)) for value in values), places
    texts = _as_list(labels, name)  # an array of text would be as wide as the longest one
    names = sorted(set(texts))
    place = {text: number for number, text in enumerate(names)}
    return tuple(names), np.array([place[text] for text in texts], np.int64)


def _as_list(labels: np.ndarray, name: str) -> list[Any]:
    try:
        return list(labels.tolist())
    except (SystemError, ValueError):  # NumPy's, for a letter beyond Unicode
        raise UserError(f"{name}: a label is no text; give whole numbers or strings") from None


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(map(str, range(count)))


def _is_whole(text: str) -> bool:
    try:
        return str(int(text)) == text
    except ValueError:
        return False


def _check_whole(labels: np.ndarray, name: str) -> None:
    if labels.dtype.kind in "biu":
        return
    if labels.dtype.kind != "f":
        raise UserError(f"{name}: labels of dtype {labels.dtype}, expected whole numbers or strings")
    values = labels.astype(np.float64)  # float16 does not reach so far
    broken = ~(values == np.rint(values)) | ~(np.abs(values) < 2.0**53)
    first = np.argmax(broken)
    require(
        not broken.any(),
        f"{name}: label {labels[first]} in row {first} (counted from 0), expected whole numbers or strings",
    )
