"""From what a source found to a `Dataset`: shapes, dtypes, labels and scaling, checked once."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike

from fastgan.data.dataset import Dataset, DataSpec, Kind, require
from fastgan.data.labels import encode_labels
from fastgan.data.scaling import SCALINGS, choose_scaling
from fastgan.data.scan import check_range, column_ranges
from fastgan.errors import UserError, nearest

LEAST_SPREAD = 1e-4
"""Of a column's distance from zero: with less, float32 leaves fewer than some 1,600 different values."""

WIDEST = 1 << 20
"""Values in a row. Some ten numbers are made of each column, which would be far more than few rows of a packed file."""

READ_BELOW = 64 << 20
"""Bytes. Memory maps under this are read and converted, so that the compiled step meets few dtypes."""


@dataclass(frozen=True)
class Raw:
    """What a source found, before checks and scaling.

    Parameters
    ----------
    array : (rows, width) or (rows, height, width[, 3]), any real dtype; may be a memory map
    labels : (rows,) whole numbers or strings, or None
    kind : what the rows are; told from the shape where None
    image_shape : for an image in flat rows
    low, high : known range of the data, which is then not looked for
    vocabulary : number of different tokens; 0 where rows are not tokens
    class_names, columns, label_column, truth : as in `DataSpec` and `Dataset`
    """

    array: np.ndarray
    labels: np.ndarray | None = None
    kind: Kind | None = None
    image_shape: tuple[int, ...] = ()
    low: float | None = None
    high: float | None = None
    vocabulary: int = 0
    class_names: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    label_column: str = ""
    truth: dict[str, Any] = field(default_factory=dict)

    def without_labels(self) -> Raw:
        """The same rows, unlabelled."""
        return replace(self, labels=None, class_names=(), label_column="")


def from_arrays(
    x: ArrayLike,
    y: ArrayLike | None = None,
    *,
    n_classes: int = 0,
    scaling: str = "auto",
    name: str = "data",
    vocabulary: int = 0,
) -> Dataset:
    """Make a `Dataset` of rows that are already in memory, or mapped into it.

    Parameters
    ----------
    x : (rows, width), or images (rows, height, width[, 3]); uint8 and float32 are not copied
    y : (rows,) whole numbers or strings
    n_classes : number of labels, which are then numbers in [0, n_classes) or strings; 0 counts them
    scaling : "auto", "minmax" (to [-1, 1]), "standard" (zero mean, unit variance) or "none"
    name : for error messages
    vocabulary : number of different tokens, where `x` holds tokens

    Raises
    ------
    UserError
        If the rows or labels cannot be learned from.
    """
    raw = Raw(as_array(x, name), None if y is None else as_array(y, f"{name}: labels"), vocabulary=vocabulary)
    return build(raw, n_classes=n_classes, scaling=scaling, name=name)


def build(
    raw: Raw, *, rows: int = 0, n_classes: int = 0, scaling: str = "auto", name: str = "data"
) -> Dataset:
    """Check what a source found, keep its first `rows` (0: all), and decide how to scale it."""
    known = ", ".join(SCALINGS)
    require(scaling in SCALINGS, f"scaling {scaling!r} is none of {known}{nearest(scaling, SCALINGS)}")
    require(rows >= 0, f"rows = {rows}: give 0 for all rows, or how many to keep")
    array, image_shape = flatten(raw.array, raw.image_shape, name)
    labels, n_classes, class_names = encode_labels(raw.labels, len(array), n_classes, raw.class_names, name)
    if rows:
        array, labels = array[:rows], labels[:rows]
    require(len(array) > 1, f"{name}: one row is not a distribution to learn; give at least 2 rows")

    kind = _kind_of(raw, array, image_shape, name)
    if raw.low is None or raw.high is None:
        low, high = column_ranges(array, name, raw.columns)
        if image_shape and array.dtype.kind in "iu":
            low = np.minimum(low, 0)  # black is 0, also where no picture has it
    else:
        low, high = np.full(array.shape[1], raw.low), np.full(array.shape[1], raw.high)
    _check_precision(low, high, name, raw.columns)
    if kind == "tokens":
        _check_tokens(array, raw.vocabulary, name)
        meant = scaling in ("auto", "none")
        require(meant, f"{name}: scaling {scaling!r} has no meaning for tokens; use 'auto'")
    scale, shift, bounded = choose_scaling(scaling, kind, array, low, high)
    limited = bounded or array.dtype.kind in "iu"
    spec = DataSpec(
        kind=kind,
        width=array.shape[1],
        dtype=array.dtype.name if array.dtype.itemsize <= 8 else "float64",
        scale=scale,
        shift=shift,
        low=float(low.min()) if limited else None,
        high=float(high.max()) if limited else None,
        bounded=bounded,
        image_shape=image_shape,
        vocabulary=raw.vocabulary,
        n_classes=n_classes,
        class_names=class_names,
        columns=raw.columns,
        label_column=raw.label_column,
    )
    return Dataset(to_storage(array, raw.vocabulary), labels, spec, name, raw.truth)


def rows_like(spec: DataSpec, x: ArrayLike, name: str = "data") -> np.ndarray:
    """Check that `x` can join data described by `spec`, and return it as (n, spec.width), n >= 1.

    For rows that arrive one batch at a time, in the data's own units. Images may come flat or not.
    """
    array = as_array(x, name)
    require(array.ndim > 1, f"{name}: shape {array.shape}, expected (rows, {spec.width})")
    rows, _ = flatten(array, (), name)
    require(rows.shape[1] == spec.width, f"{name}: rows of {rows.shape[1]} values, expected {spec.width}")
    column_ranges(rows, name, spec.columns)
    if spec.vocabulary:
        _check_tokens(rows, spec.vocabulary, name)
    return to_storage(rows, spec.vocabulary)


def as_array(x: ArrayLike, name: str) -> np.ndarray:
    """`x` as an array; memory maps stay mapped."""
    masked = isinstance(x, np.ma.MaskedArray) and np.ma.is_masked(x)
    require(not masked, f"{name}: some values are masked; remove such rows, or fill them")
    try:
        return x if isinstance(x, np.memmap) else np.asarray(x)
    except (ValueError, TypeError, RuntimeError):
        raise UserError(f"{name}: not an array; expected rows of equal width, all of them numbers") from None


def flatten(array: np.ndarray, image_shape: tuple[int, ...], name: str) -> tuple[np.ndarray, tuple[int, ...]]:
    """Return (rows, width), a view where there can be one, and the shape of an image, or ()."""
    real = array.dtype.kind in "biuf"
    require(real, f"{name}: dtype {array.dtype} cannot be learned; give real numbers (float32, uint8)")
    shape = array.shape
    expected = "(rows, width), (rows, height, width) or (rows, height, width, 3)"
    colours = array.ndim == 4 and shape[3] in (1, 3)
    require(array.ndim in (2, 3) or colours, f"{name}: shape {shape}, expected {expected}")
    require(array.size > 0, f"{name}: shape {shape} holds no values; give at least 2 rows")
    if array.ndim > 2:
        image_shape = shape[1:3] if shape[3:] == (1,) else shape[1:]
    rows = array.reshape(len(array), -1)
    wide = f"{name}: rows of {rows.shape[1]:,} values, more than {WIDEST:,}"
    require(rows.shape[1] <= WIDEST, f"{wide}; give fewer columns, or smaller pictures")
    size = " x ".join(map(str, image_shape))
    fits = not image_shape or math.prod(image_shape) == rows.shape[1]
    require(fits, f"{name}: rows of {rows.shape[1]} values, expected {size} for image_shape")
    return rows.view(np.uint8) if rows.dtype == bool else rows, tuple(image_shape)


def to_storage(rows: np.ndarray, vocabulary: int = 0) -> np.ndarray:
    """Return plain C-contiguous rows: uint8, float32 and large memory maps as they are, others as float32.

    Tokens become the smallest unsigned integers that hold the vocabulary. Read-only rows are copied, but
    not large maps.
    """
    native = rows.dtype.isnative and rows.dtype.char in "bBhHiIlLqQfd"
    if isinstance(rows, np.memmap) and rows.nbytes >= READ_BELOW and native and rows.flags.c_contiguous:
        return np.asarray(rows)
    if vocabulary:
        dtype = np.min_scalar_type(vocabulary - 1)
    else:
        dtype = rows.dtype if rows.dtype == np.uint8 else np.dtype(np.float32)
    return np.require(np.asarray(rows), dtype, ["C", "W"])


def _check_tokens(rows: np.ndarray, vocabulary: int, name: str) -> None:
    require(rows.dtype.kind in "iu", f"{name}: tokens of dtype {rows.dtype}, expected whole numbers")
    check_range(
        rows, 0, vocabulary - 1, f"{name}: token", f"tokens are 0 to vocabulary - 1 = {vocabulary - 1}"
    )


def _kind_of(raw: Raw, array: np.ndarray, image_shape: tuple[int, ...], name: str) -> Kind:
    kinds = get_args(Kind)
    near = nearest(str(raw.kind), kinds)
    require(raw.kind in (None, *kinds), f"kind {raw.kind!r} is none of {', '.join(kinds)}{near}")
    if raw.vocabulary or raw.kind == "tokens":
        require(raw.kind in (None, "tokens"), f"{name}: kind {raw.kind!r} has no vocabulary; leave it out")
        require(raw.vocabulary > 1, f"{name}: vocabulary = {raw.vocabulary}, expected at least 2")
        return "tokens"
    shaped = raw.kind != "image" or bool(image_shape)
    require(shaped, f"{name}: flat rows, give image_shape = [height, width] too")
    if raw.kind:
        return raw.kind
    if image_shape:
        return "image"
    return "points" if array.shape[1] == 2 and array.dtype.kind == "f" and not raw.columns else "table"


def _check_precision(low: np.ndarray, high: np.ndarray, name: str, columns: tuple[str, ...]) -> None:
    """Refuse a column that varies, but too little for its distance from zero: float32 would round that away."""
    spread, centre = (high - low) / 2, np.abs(high + low) / 2
    lost = (spread > centre * 2.0**-48) & (spread < centre * LEAST_SPREAD)
    if lost.any():
        column = int(np.argmax(lost))
        raise UserError(
            f"{name}: column {columns[column] if columns else column} reaches from {low[column]:.10g} to "
            f"{high[column]:.10g}, too narrow a range so far from zero for float32; subtract its least value first"
        )
