"""Pass `halve-storage`: weights and what lies between layers are kept in memory as halves.

Each layer is told which of its inputs and results lie in memory as float16; it
computes in float32 all the same. Inputs and results of `@main` keep their type,
as do integers, truth values and float64.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import DenseArrayBase, ModuleOp, f32, i64
from xdsl.ir import SSAValue
from xdsl.passes import ModulePass

from canao.dialects.canao import LayerOp, WeightOp
from canao.dialects.canao.source import dtype_of_element
from canao.dialects.canao.types import element_of
from canao.errors import VerificationError

_HALF = "canao.half"
"""Attribute of a layer: the numbers of those of its inputs, then results, that lie as halves."""

LARGEST_HALF = 65504.0
"""The largest finite float16: numbers beyond it, infinities too, are stored as it."""


@dataclass(frozen=True)
class HalveStoragePass(ModulePass):
    """Tells the layers of `@main` which of their values lie in memory as halves."""

    name = "halve-storage"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for function in op.ops:
            if isinstance(function, func.FuncOp) and function.sym_name.data == "main":
                _halve(function)


def _halve(main: func.FuncOp) -> None:
    block = main.body.block
    assert block.last_op is not None
    returned = set(block.last_op.operands)
    for layer in block.ops:
        if isinstance(layer, LayerOp):
            values = (*layer.inputs, *layer.outs)
            set_halves(layer, [_is_inner(value, returned) for value in values])


def _is_inner(value: SSAValue, returned: Collection[SSAValue]) -> bool:
    """Whether a value is a float32 weight, or made by one layer for others only."""
    if element_of(value) != f32 or value in returned:
        return False
    return isinstance(value.owner, WeightOp | LayerOp)


def set_halves(layer: LayerOp, halves: Sequence[bool]) -> None:
    """Notes in a layer which of its inputs, then results, lie in memory as halves."""
    numbers = [n for n, half in enumerate(halves) if half]
    if numbers:
        layer.attributes[_HALF] = DenseArrayBase.from_list(i64, numbers)


def halves_of(layer: LayerOp) -> tuple[bool, ...]:
    """Whether each of a layer's inputs, then results, lies in memory as halves."""
    count = len(layer.inputs) + len(layer.outs)
    noted = layer.attributes.get(_HALF)
    if noted is None:
        return (False,) * count
    numbers = noted.get_values() if isinstance(noted, DenseArrayBase) else (-1,)
    if not all(0 <= number < count for number in numbers):
        raise VerificationError(
            f"'{_HALF}' of a canao.layer must have numbers of its {count} inputs and results; "
            "leave it to halve-storage"
        )
    chosen = set(numbers)
    values = (*layer.inputs, *layer.outs)
    if any(element_of(values[int(number)]) != f32 for number in chosen):
        raise VerificationError(f"'{_HALF}' of a canao.layer names a value that is not f32")
    return tuple(n in chosen for n in range(count))


def bytes_in_memory(value: SSAValue, half: bool) -> int:
    """Bytes of one element of a value around a layer."""
    return 2 if half else dtype_of_element(element_of(value)).itemsize


def half_values(layers: Sequence[LayerOp]) -> frozenset[SSAValue]:
    """The values around some layers that lie in memory as halves; all must agree on each."""
    found: dict[SSAValue, bool] = {}
    for layer in layers:
        for value, half in zip((*layer.inputs, *layer.outs), halves_of(layer), strict=True):
            if found.setdefault(value, half) != half:
                raise VerificationError(
                    f"a value of type {value.type} lies in memory as halves for one canao.layer "
                    "and not for another; leave it to halve-storage"
                )
    return frozenset(value for value, half in found.items() if half)
