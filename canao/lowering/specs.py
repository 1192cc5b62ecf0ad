"""Tensor types as the specifications at a program's boundary."""

from __future__ import annotations

from collections.abc import Iterable

from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute

from canao.dialects.canao.source import dtype_of_element
from canao.program import TensorSpec


def tensor_specs(prefix: str, types: Iterable[Attribute]) -> tuple[TensorSpec, ...]:
    """A specification for every tensor type, named `prefix` and its number."""
    specs: list[TensorSpec] = []
    for n, kind in enumerate(types):
        assert isinstance(kind, TensorType)
        dtype = dtype_of_element(kind.element_type).name
        specs.append(TensorSpec(f"{prefix}{n}", dtype, kind.get_shape()))
    return tuple(specs)
