"""Tensor types as the specifications at a program's boundary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute

from canao.dialects.canao.source import dtype_of_element
from canao.dialects.canao.symbolic import shape_of_type
from canao.extent import Symbol, stored_extent, symbols_in
from canao.program import TensorSpec


def tensor_specs(prefix: str, types: Iterable[Attribute]) -> tuple[TensorSpec, ...]:
    """A specification for every tensor type, named `prefix` and its number."""
    specs: list[TensorSpec] = []
    for n, kind in enumerate(types):
        assert isinstance(kind, TensorType)
        dtype = dtype_of_element(kind.element_type).name
        shape = shape_of_type(kind)
        lengths = shape if symbols_in(shape) else ()
        specs.append(TensorSpec(f"{prefix}{n}", dtype, tuple(map(stored_extent, shape)), lengths))
    return tuple(specs)


def sizes_spec(symbols: Sequence[Symbol]) -> tuple[TensorSpec, ...]:
    """The input that has the values of symbols; none where there are no symbols."""
    return (TensorSpec("sizes", "int64", (len(symbols),)),) if symbols else ()
