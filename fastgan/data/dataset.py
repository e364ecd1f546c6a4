"""What every data source returns: rows, their labels, and how to turn them into network units and back."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeGuard, get_args

import numpy as np

from fastgan.errors import UserError
from fastgan.outside import is_unicode

DIGESTED, BLOCK = 2**26, 2**16
"""Bytes of a data set's rows that its digest reads at most, and of a block of neighbouring ones."""

Kind = Literal["image", "points", "sequence", "tokens", "table"]

DTYPES = (
    *("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
    *("float16", "float32", "float64"),
)
"""Names of a data set's own dtype."""


@dataclass(frozen=True)
class DataSpec:
    """What a generator must know of its data to give samples in the data's own units.

    A row ``x`` in data units and its network units ``u`` are tied by ``u = x * scale + shift``. For tokens
    the network sees ``vocabulary`` columns a position (one-hot rows, or a softmax's probabilities) and scale
    and shift are not used.

    Parameters
    ----------
    kind : what the rows are, which decides pictures and measures
    width : values in a row, in data units (pixels, columns, or token positions)
    dtype : NumPy name of the data's own dtype; integer dtypes make samples rounded integers
    scale, shift : (width,) float32
    low, high : range of the data in data units, used to clip samples of integer data; None where unbounded
    bounded : network units lie in [-1, 1], so that tanh is the natural output; otherwise linear
    image_shape : (height, width) of an image, grey; or (height, width, 3)
    vocabulary : number of different tokens; 0 where rows are not tokens
    n_classes : number of labels; 0 without labels
    class_names : one name a label, or empty
    columns : one name a column of a table, or empty
    label_column : name of a table's column of labels, or empty
    """

    kind: Kind
    width: int
    dtype: str
    scale: np.ndarray
    shift: np.ndarray
    low: float | None = None
    high: float | None = None
    bounded: bool = True
    image_shape: tuple[int, ...] = ()
    vocabulary: int = 0
    n_classes: int = 0
    class_names: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    label_column: str = ""

    @property
    def network_width(self) -> int:
        """Columns the networks see in one row."""
        return self.width * self.vocabulary if self.vocabulary else self.width

    def to_data_units(self, rows: np.ndarray) -> np.ndarray:
        """Turn network rows (n, network_width) float32 into rows (n, width) of the data's own dtype."""
        if self.vocabulary:
            tokens = rows.reshape(len(rows), self.width, self.vocabulary).argmax(axis=2)
            return tokens.astype(self.dtype)
        values = (rows.astype(np.float64) - self.shift) / self.scale
        if "int" in self.dtype:
            low = -np.inf if self.low is None else self.low
            high = np.inf if self.high is None else self.high
            values = np.clip(np.rint(values), low, high)
        return _as_dtype(values, self.dtype)

    def to_network_units(self, rows: np.ndarray) -> np.ndarray:
        """Turn rows (n, width) in data units into network rows (n, network_width) float32."""
        if self.vocabulary:
            one_hot = np.zeros((*rows.shape, self.vocabulary), np.float32)
            np.put_along_axis(one_hot, rows[..., None].astype(np.int64), 1, axis=-1)
            return one_hot.reshape(len(rows), self.network_width)
        return (rows * self.scale + self.shift).astype(np.float32)

    def to_metadata(self) -> dict[str, Any]:
        """Everything but scale and shift, as values JSON can hold; those two are stored as tensors."""
        skip = {"scale", "shift"}
        return {name: value for name, value in self.__dict__.items() if name not in skip}

    @classmethod
    def from_metadata(cls, metadata: dict[str, Any], scale: np.ndarray, shift: np.ndarray) -> DataSpec:
        """The inverse of `to_metadata`."""
        lists = {name: tuple(value) for name, value in metadata.items() if isinstance(value, list)}
        spec = cls(**{**metadata, **lists, "scale": scale, "shift": shift})
        spec.check()
        return spec

    def check(self) -> None:
        """Raise ValueError for what no data set has: a file may say anything."""
        if self.dtype not in DTYPES:
            raise ValueError(f"the data's dtype cannot be {self.dtype!r}")
        limits: Any = np.iinfo(self.dtype) if "int" in self.dtype else np.finfo(np.float64)
        least, most = float(limits.min), float(limits.max)
        low, high = (least, most) if self.low is self.high is None else (self.low, self.high)
        conditions = {
            "kind": self.kind in get_args(Kind),
            "width": _is_count(self.width) and self.width > 0,
            "scale": self.scale.shape == (self.width,) and np.isfinite(self.scale).all() and self.scale.all(),
            "shift": self.shift.shape == (self.width,) and np.isfinite(self.shift).all(),
            "range": _is_real(low) and _is_real(high) and least <= low <= high <= most,
            "bounded": isinstance(self.bounded, bool),
            "image_shape": all(map(_is_count, self.image_shape))
            and (not self.image_shape or math.prod(self.image_shape) == self.width),
            "vocabulary": _is_count(self.vocabulary) and self.vocabulary != 1,
            "n_classes": _is_count(self.n_classes),
            "class_names": _are_names(self.class_names, self.n_classes),
            "columns": _are_names(self.columns, self.width),
            "label_column": _are_names((self.label_column,), 1),
        }
        for name, holds in conditions.items():
            if not holds:
                raise ValueError(f"the data's {name} cannot be")


@dataclass(frozen=True)
class Dataset:
    """Rows to learn from.

    Parameters
    ----------
    array : (rows, spec.width) uint8, float32 or a token dtype, C-contiguous; a large memory map keeps any
        real dtype that Numba reads
    labels : (rows,) int64 in [0, spec.n_classes), or (0,) without labels
    spec : how to read the rows
    name : for titles and error messages
    truth : what a synthetic source knows of its own distribution (centres, transition matrix ...)
    """

    array: np.ndarray
    labels: np.ndarray
    spec: DataSpec
    name: str = "data"
    truth: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.array)

    def thinned(self, most: int) -> np.ndarray:
        """At most `most` rows in data units, spread over all of them, for files are often sorted."""
        places = np.linspace(0, len(self) - 1, min(most, len(self))).astype(np.int64)
        return _as_dtype(np.asarray(self.array[places]), self.spec.dtype)

    def shape_in_words(self) -> str:
        """Rows, columns and dtype: ``60,000 rows of 784 uint8, 10 classes``."""
        classes = f", {self.spec.n_classes} classes" if self.spec.n_classes else ""
        return f"{len(self):,} rows of {self.array.shape[1]} {self.array.dtype}{classes}"

    def digest(self) -> str:
        """SHA-256 of the shape, dtype, rows, labels and scaling; made once.

        Of data that are larger, some `DIGESTED` bytes are read, in blocks of rows spread over all of them; the first
        and the last rows are among these.
        """
        return self._digest

    @cached_property
    def _digest(self) -> str:
        digest = hashlib.sha256(f"{self.array.shape}{self.array.dtype.str}".encode())
        for part in (self.spec.scale, self.spec.shift, self.labels):
            digest.update(np.ascontiguousarray(part).tobytes())
        row = max(1, self.array[:1].nbytes)
        rows = max(1, BLOCK // row)
        starts = np.arange(0, len(self), rows)
        if self.array.nbytes > DIGESTED:
            starts = np.linspace(0, len(self) - rows, max(2, DIGESTED // (rows * row))).astype(np.int64)
        for start in starts:
            digest.update(np.ascontiguousarray(self.array[start : start + rows]).tobytes())
        return digest.hexdigest()


def check_like(spec: DataSpec, dataset: Dataset) -> None:
    """Raise `UserError` unless rows of `dataset` are of the form that a generator learnt, classes included."""
    names = ("width", "image_shape", "vocabulary", "n_classes", "class_names", "columns")
    for name in names:
        learnt, found = getattr(spec, name), getattr(dataset.spec, name)
        require(
            learnt == found,
            f"{dataset.name}: {name} is {found!r} but the generator learnt {learnt!r}; give the data it learnt from",
        )


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_real(value: Any) -> TypeGuard[float]:
    return type(value) in (int, float)


def _are_names(names: tuple[str, ...], count: int) -> bool:
    return len(names) in (0, count) and all(isinstance(name, str) and is_unicode(name) for name in names)


def _as_dtype(values: np.ndarray, dtype: str) -> np.ndarray:
    """Values in another dtype; a float that rounding took beyond whole numbers' limits becomes the next one within."""
    if values.dtype.kind == "f" and "int" in dtype:
        limits, kind = np.iinfo(dtype), values.dtype.type
        high = kind(limits.max)
        high = np.nextafter(high, kind(0)) if int(high) > limits.max else high
        values = np.clip(values, kind(limits.min), high)
    return values.astype(dtype)


def require(condition: bool, message: str) -> None:
    """Raise `UserError` with `message` unless `condition`."""
    if not condition:
        raise UserError(message)
