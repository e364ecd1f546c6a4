"""Knobs: fields of a dataclass that say which values are possible, and the checks of these."""

from __future__ import annotations

import math
import numbers
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import Field, field, fields
from typing import Any

from fastgan.errors import UserError, nearest, shown
from fastgan.outside import is_unicode

# How a value is refused, and how one of several in a list is.
IS = "{name} is {value}; it must be {expected}"
HOLDS = "{name} holds {value}; each must be {expected}"


def knob(
    section: str,
    default: Any,
    help: str,
    *,
    choices: Sequence[str] = (),
    least: float | None = None,
    above: float | None = None,
    below: float | None = None,
    most: float | None = None,
) -> Any:
    """Declare a field: its section in a recipe, what it means, and which values are possible."""
    metadata = dict(
        section=section, help=help, choices=choices, least=least, above=above, below=below, most=most
    )
    if isinstance(default, tuple):
        return field(default_factory=lambda: default, metadata=metadata)
    return field(default=default, metadata=metadata)


def check_fields(values: Any) -> None:
    """Check every knob of a dataclass of knobs; numbers of a narrower type become the declared one."""
    hints = typing.get_type_hints(type(values))
    for knob_field in fields(values):
        name = knob_field.name
        setattr(values, name, checked(name, getattr(values, name), hints[name], knob_field))


def checked(name: str, value: Any, hint: Any, knob_field: Field[Any]) -> Any:
    """Return `value` as the type `hint`, or raise `UserError` with what was expected of knob `name`."""
    limits = knob_field.metadata
    if hint is bool:
        _expect(isinstance(value, bool), name, value, "true or false")
    elif hint is str:
        _expect(isinstance(value, str) and is_unicode(value), name, value, "text")
        if limits["choices"] and value not in limits["choices"]:
            known = ", ".join(limits["choices"])
            raise UserError(
                f"{name} is {value!r}{nearest(value, limits['choices'])}; it must be one of {known}"
            )
    elif hint is int:
        value = _integer(name, value)
        _check_limits(name, value, limits)
    elif hint is float:
        value = _number(name, value)
        _check_limits(name, value, limits)
    else:
        is_list = isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping))
        _expect(is_list, name, value, "a list of whole numbers, such as [64, 64]")
        value = tuple(_integer(name, item, HOLDS) for item in value)
        for item in value:
            _check_limits(name, item, limits, HOLDS)
    return value


def is_integer(value: Any) -> bool:
    """Whether `value` is a whole number, of Python or NumPy; true and false are none."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _integer(name: str, value: Any, refusal: str = IS) -> int:
    _expect(is_integer(value), name, value, "a whole number", refusal)
    return int(value)


def _number(name: str, value: Any) -> float:
    _expect(isinstance(value, numbers.Real) and not isinstance(value, bool), name, value, "a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    _expect(math.isfinite(number), name, value, "a finite number")
    return number


def _expect(condition: bool, name: str, value: Any, expected: str, refusal: str = IS) -> None:
    if not condition:
        raise UserError(refusal.format(name=name, value=shown(value), expected=expected))


def _check_limits(name: str, value: float, limits: Mapping[str, Any], refusal: str = IS) -> None:
    bounds = (
        ("least", "at least", lambda bound: value >= bound),
        ("above", "above", lambda bound: value > bound),
        ("below", "below", lambda bound: value < bound),
        ("most", "at most", lambda bound: value <= bound),
    )
    for key, words, holds in bounds:
        bound = limits[key]
        _expect(bound is None or holds(bound), name, value, f"{words} {bound}", refusal)
