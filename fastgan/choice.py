"""Parts of a step that depend on whether a named tuple has something: what it has not is not compiled either.

A field that is None has another type than one that is not, so each kind of GAN has machine code of its own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from numba.core import types
from numba.extending import overload

from fastgan.by_reference import Reference
from fastgan.compiled import part

Function = TypeVar("Function", bound=Callable[..., Any])


def only_with(field: str) -> Callable[[Function], Function]:
    """Decorate a part that does nothing where `field` of its first argument is None."""
    return lambda function: _either(field, function, _nothing)  # type: ignore[return-value]


def where(field: str, without: Callable[..., Any]) -> Callable[[Function], Function]:
    """Decorate a part in whose place another stands where `field` of its first argument is None."""
    return lambda function: _either(field, function, without)  # type: ignore[return-value]


def _nothing(values: Any, *others: Any) -> None:
    return None


def _either(field: str, function: Callable[..., Any], without: Callable[..., Any]) -> Callable[..., Any]:
    for each in (function, without):
        if not hasattr(each, "chosen"):
            part(each)

    @functools.wraps(function)
    def choose(values: Any, *others: Any) -> Any:
        return (without if getattr(values, field) is None else function)(values, *others)

    @overload(choose, strict=False, jit_options={"no_cfunc_wrapper": True})
    def _choose(values: Any, *others: Any) -> Any:
        return chosen(values)

    def chosen(values: Any) -> Any:
        one = without if _type_of(values, field) == types.none else function
        return one.chosen(values) if hasattr(one, "chosen") else one

    choose.chosen = chosen  # type: ignore[attr-defined]  # what stands in another's place may be a choice itself
    return choose


def _type_of(values: Any, field: str) -> Any:
    """Numba's type of a field of a named tuple, or of a reference to one."""
    target = values.target if isinstance(values, Reference) else values
    return target.types[target.fields.index(field)]
