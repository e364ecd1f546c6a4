"""Named tuples that compiled functions pass on as one pointer instead of by value.

Numba passes a tuple as all the values in it, and counts the references to each array at every call. For a `Gan` these
are hundreds, and most of what there is to compile. A reference is read like the tuple: ``gan.generator.params``.
"""

from __future__ import annotations

from typing import Any

from numba.core import cgutils
from numba.core.imputils import impl_ret_borrowed
from numba.core.types import NamedTuple, Type  # type: ignore[attr-defined]
from numba.core.typing.templates import AttributeTemplate
from numba.extending import infer_getattr, intrinsic, lower_getattr_generic, models, register_model


class Reference(Type):
    """Type of a pointer to a named tuple, which lives as long as the call that made the reference."""

    def __init__(self, target: Any):
        self.target = target
        super().__init__(name=f"Reference({target})")


@register_model(Reference)
class _Model(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Reference):
        super().__init__(dmm, fe_type, dmm.lookup(fe_type.target).get_value_type().as_pointer())


@infer_getattr
class _Attributes(AttributeTemplate):
    key = Reference

    def generic_resolve(self, reference: Reference, name: str) -> Any:
        if name not in reference.target.fields:
            return None
        field = reference.target.types[reference.target.fields.index(name)]
        return Reference(field) if isinstance(field, NamedTuple) else field


@lower_getattr_generic(Reference)
def _attribute(context: Any, builder: Any, reference: Reference, value: Any, name: str) -> Any:
    place = reference.target.fields.index(name)
    field = reference.target.types[place]
    pointer = cgutils.gep_inbounds(builder, value, 0, place)
    if isinstance(field, NamedTuple):
        return pointer
    return impl_ret_borrowed(context, builder, field, builder.load(pointer))


@intrinsic
def by_reference(typing_context: Any, target: Any) -> Any:
    """Return a reference to a named tuple of the caller's."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return cgutils.alloca_once_value(builder, arguments[0])

    return Reference(target)(target), generate
