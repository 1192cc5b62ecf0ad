"""Pass `narrow-storage`: weights and what lies between layers take fewer bits in memory.

Each layer is told as which type its inputs and results lie in memory; it computes in float32
all the same. Inputs and results of `@main` keep their type, as do integers, truth values and
float64. `narrow-storage{dtype="float16"}` stores halves.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from xdsl.builder import Builder
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, f32
from xdsl.ir import Attribute, SSAValue
from xdsl.passes import ModulePass

from canao.dialects.canao import CastOp, ConstantOp, LayerOp, MaximumOp, MinimumOp, WeightOp
from canao.dialects.canao.source import element_of_dtype, storage_type
from canao.dialects.canao.types import element_of
from canao.errors import CanaoError, VerificationError
from canao.storage_types import BY_ELEMENT, STORAGE_TYPES

_STORAGE = "canao.storage"
"""Attribute of a layer: the element type in memory of each of its inputs, then results."""


@dataclass(frozen=True)
class NarrowStoragePass(ModulePass):
    """Tells the layers of `@main` as what their values lie in memory."""

    name = "narrow-storage"

    dtype: str

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        if self.dtype not in STORAGE_TYPES:
            known = ", ".join(STORAGE_TYPES)
            raise CanaoError(f"'{self.dtype}' is no type of memory; choose one of {known}")
        for function in op.ops:
            if isinstance(function, func.FuncOp) and function.sym_name.data == "main":
                _narrow(function, element_of_dtype(STORAGE_TYPES[self.dtype].dtype))


def _narrow(main: func.FuncOp, stored: Attribute) -> None:
    block = main.body.block
    assert block.last_op is not None
    returned = set(block.last_op.operands)
    for layer in block.ops:
        if isinstance(layer, LayerOp):
            values = (*layer.inputs, *layer.outs)
            store_as(layer, [stored if _is_inner(v, returned) else element_of(v) for v in values])


def _is_inner(value: SSAValue, returned: Collection[SSAValue]) -> bool:
    """Whether a value is a float32 weight, or made by one layer for others only."""
    if element_of(value) != f32 or value in returned:
        return False
    return isinstance(value.owner, WeightOp | LayerOp)


def store_as(layer: LayerOp, elements: Sequence[Attribute]) -> None:
    """Notes as which types a layer's inputs, then results, lie in memory."""
    if list(elements) != [element_of(v) for v in (*layer.inputs, *layer.outs)]:
        layer.attributes[_STORAGE] = ArrayAttr(elements)


def storage_of(layer: LayerOp) -> tuple[Attribute, ...]:
    """The element type in memory of each of a layer's inputs, then results."""
    own = tuple(element_of(value) for value in (*layer.inputs, *layer.outs))
    noted = layer.attributes.get(_STORAGE)
    if noted is None:
        return own
    stored = noted.data if isinstance(noted, ArrayAttr) else ()
    if len(stored) != len(own):
        raise VerificationError(
            f"'{_STORAGE}' of a canao.layer must have a type for each of its {len(own)} inputs and "
            "results; leave it to narrow-storage"
        )
    for computed, kept in zip(own, stored, strict=True):
        if kept != computed and not (computed == f32 and storage_type(kept)):
            raise VerificationError(
                f"'{_STORAGE}' of a canao.layer has {kept} for a value of {computed}; only f32 may "
                f"lie in memory as another type: {', '.join(BY_ELEMENT)}"
            )
    return stored


def stored_values(layers: Sequence[LayerOp]) -> dict[SSAValue, Attribute]:
    """As what the values around some layers lie in memory; all must agree on each."""
    found: dict[SSAValue, Attribute] = {}
    for layer in layers:
        for value, kept in zip((*layer.inputs, *layer.outs), storage_of(layer), strict=True):
            if found.setdefault(value, kept) != kept:
                raise VerificationError(
                    f"a value of type {value.type} lies in memory as {kept} for one canao.layer "
                    f"and as {found[value]} for another; leave it to narrow-storage"
                )
    return found


def as_stored(builder: Builder, value: SSAValue, stored: Attribute) -> SSAValue:
    """A tensor in the type that it lies in memory as: the nearest numbers, none infinite."""
    kind = storage_type(stored)
    if kind is None:
        return value
    limits = [ConstantOp.from_array(np.array(x, np.float32)) for x in (-kind.largest, kind.largest)]
    low, high = (builder.insert(limit).result for limit in limits)
    above = builder.insert(MaximumOp(value, low)).result
    return builder.insert(CastOp(builder.insert(MinimumOp(above, high)).result, stored)).result
