"""Random settings, drawn from what each knob declares to be possible, and data that most of them go with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from fastgan.recipe import KNOBS, Knob

MOST_CHANGED = 12
"""Knobs that are not at their defaults: of many at once, some nearly always contradict each other."""


class Case(NamedTuple):
    """Settings by name; rows; labels, or None."""

    settings: dict[str, Any]
    x: np.ndarray
    y: np.ndarray | None


def values(knob: Knob) -> st.SearchStrategy[Any]:
    """Values of a knob: its default, its limits and what is between or near, small where large ones cost time."""
    limits, default = knob.field.metadata, knob.field.default
    low, high = limits["least"], limits["most"]
    if limits["choices"]:
        return st.sampled_from(limits["choices"])
    if knob.hint is bool:
        return st.booleans()
    if knob.hint is int:
        return st.just(default) | st.integers(low, low + 8 if high is None else high)
    if knob.hint is not float:
        return st.lists(st.integers(low, low + 8), max_size=4)
    if high is not None or limits["below"] is not None:
        ends = dict(exclude_min=low is None, exclude_max=high is None)
        start, stop = limits["above"] if low is None else low, limits["below"] if high is None else high
        return st.just(default) | st.floats(start, stop, allow_subnormal=False, **ends)
    near = st.floats(-1, 1).map(lambda power: (default or 0.1) * 10**power)
    return near if low is None else near | st.just(float(low))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Some knobs of a GAN with values of theirs, each possible by itself; and rows."""
    known = {name: knob for name, knob in KNOBS.items() if knob.part == "gan" and name != "backend"}
    names = draw(st.lists(st.sampled_from(sorted(known)), max_size=MOST_CHANGED, unique=True))
    settings = {name: draw(values(known[name])) for name in names}
    return Case(settings, *draw(data(settings)))


@st.composite
def data(draw: st.DrawFn, settings: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray | None]:
    """Float32 or uint8 rows, the two types that a compiled step meets, and labels or None."""
    kind = "tokens" if settings.get("vocabulary") else draw(st.sampled_from(["points", "numbers", "bytes"]))
    rows, width = draw(st.just(96) | st.integers(2, 96)), draw(st.integers(1, 4))
    random = np.random.default_rng(draw(st.integers(0, 3)))
    if kind in ("points", "numbers"):
        x = random.normal(3, 2, (rows, 2 if kind == "points" else width)).astype(np.float32)
    else:
        x = random.integers(0, 2 if kind == "tokens" else 256, (rows, width)).astype(np.uint8)
    classes = draw(st.integers(0, settings.get("n_classes") or 3))
    return x, np.arange(rows) % classes if classes else None
