"""Data sources by name; each gives a `Dataset`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fastgan.data.build import Raw, build, from_arrays, rows_like
from fastgan.data.dataset import Dataset, DataSpec, require
from fastgan.data.digits import load_digits
from fastgan.data.fashion_mnist import load_fashion_mnist
from fastgan.data.files import load_file
from fastgan.data.labels import same_classes
from fastgan.data.synthetic import make_grid, make_ring, make_sequences, make_tokens
from fastgan.errors import nearest

__all__ = [
    "SOURCES",
    "DataSpec",
    "Dataset",
    "from_arrays",
    "load_dataset",
    "load_more",
    "load_test_split",
    "rows_like",
]

SOURCES: dict[str, Callable[..., Raw]] = {
    "digits": load_digits,
    "fashion-mnist": load_fashion_mnist,
    "ring": make_ring,
    "grid": make_grid,
    "sequences": make_sequences,
    "tokens": make_tokens,
    "file": load_file,
}
"""Loaders: each names what it uses of path, labels, rows and seed; its keyword-only arguments are options."""


def load_dataset(
    source: str,
    path: str = "",
    *,
    rows: int = 0,
    labels: str = "auto",
    n_classes: int = 0,
    scaling: str = "auto",
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
) -> Dataset:
    """Load the data set that `source` names.

    Parameters
    ----------
    source : a name in `SOURCES`
    path : file or folder, for "file" and "fashion-mnist"
    rows : how many of the first rows to keep, or how many to make; 0 for all, or the source's own number
    labels : "auto" (use them if there are), "none", or for "file" their place: see `load_file`
    n_classes : number of labels; 0 counts them
    scaling : "auto", "minmax" (to [-1, 1]), "standard" (zero mean, unit variance) or "none"
    seed : of made data
    options : the loader's keyword-only arguments

    Raises
    ------
    UserError
        If the data cannot be found, read or learned from, or an argument has no meaning for this source.
    """
    known = ", ".join(SOURCES)
    require(source in SOURCES, f"no data source {source!r}{nearest(source, SOURCES)}; there are {known}")
    require(rows >= 0, f"rows = {rows}: give 0 for all rows, or how many to keep")
    require(seed >= 0, f"data seed {seed}: give 0 or more")
    parameters = inspect.signature(SOURCES[source]).parameters.values()
    uses = {each.name for each in parameters if each.kind is not each.KEYWORD_ONLY}
    defaults = {each.name: each.default for each in parameters if each.kind is each.KEYWORD_ONLY}
    wanted = "path" in uses or not path
    require(wanted, f"data source {source!r} reads no file; for {path!r} use the source 'file'")
    wanted = "labels" in uses or labels in ("auto", "none")
    require(wanted, f"labels {labels!r}: data source {source!r} knows only 'auto' and 'none'")
    given = {"path": path, "labels": labels, "rows": rows, "seed": seed}
    checked = {name: _check_option(source, name, value, defaults) for name, value in (options or {}).items()}
    raw = SOURCES[source](**{name: given[name] for name in uses}, **checked)
    if labels == "none":
        raw = raw.without_labels()
    return build(raw, rows=rows, n_classes=n_classes, scaling=scaling, name=Path(path).name or source)


def load_test_split(source: str, path: str = "") -> Dataset | None:
    """Load the rows that `load_dataset(source, path)` holds back for a test; None where a source has none."""
    if source not in ("digits", "fashion-mnist"):
        return None
    return load_dataset(source, path, options={"split": "test"})


def load_more(path: str, dataset: Dataset, labels: str = "auto") -> Dataset:
    """Load more rows of what `dataset` was read from: of the same columns and classes, scaled as it is.

    Parameters
    ----------
    path : file or folder, as for the source "file"
    dataset : has been learnt from; says what the rows must be
    labels : their place, for "file"

    Raises
    ------
    UserError
        If the file cannot be read, or its rows are others than those of `dataset`.
    """
    spec, name = dataset.spec, Path(path).name
    raw = load_file(path, labels if spec.n_classes else "none")
    given = rows_like(spec, raw.array, name)
    rows = given.astype(dataset.array.dtype)
    whole = f"{name}: values that are no {rows.dtype}, as those learnt from are; give rows in their units"
    require(rows.dtype.kind == "f" or bool((rows == given).all()), whole)
    size, learnt = raw.array.shape[1:3], spec.image_shape[:2]
    pictures = f"{name}: pictures of {size} pixels; expected {learnt or 'flat rows'}"
    require(raw.array.ndim == 2 or size == learnt, pictures)
    here, there = (", ".join(columns) or "without names" for columns in (raw.columns, spec.columns))
    require(raw.columns == spec.columns, f"{name}: columns {here}; expected {there}, in this order")
    if not spec.n_classes:
        return Dataset(rows, dataset.labels[:0], spec, name)
    unlabelled = f"{name}: no labels, which the data learnt from have; give rows with labels, such as .npz with x and y"
    require(raw.labels is not None, unlabelled)
    found = np.asarray(raw.labels)
    require(found.shape == (len(rows),), f"{name}: labels of shape {found.shape}, expected ({len(rows)},)")
    names = np.array(raw.class_names)[found] if raw.class_names else found
    classes = same_classes(names, spec.n_classes, spec.class_names, f"{name} holds the label")
    return Dataset(rows, classes, spec, name)


def _check_option(source: str, name: str, value: Any, defaults: Mapping[str, Any]) -> Any:
    near = nearest(name, defaults)
    known = ", ".join(defaults)
    require(name in defaults, f"data source {source!r} has no option {name!r}{near}; it has {known}")
    kind = type(defaults[name])
    accepted = {float: (int, float), tuple: (list, tuple)}.get(kind, (kind,))
    expected = f"expected {kind.__name__} such as {defaults[name]!r}"
    require(type(value) in accepted, f"option {name} = {value!r} of data source {source!r}: {expected}")
    return kind(value)
