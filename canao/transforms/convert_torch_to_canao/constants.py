"""Operations of the torch dialect that hold or pass on Python values."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xdsl.dialects.builtin import (
    DenseIntOrFPElementsAttr,
    FloatAttr,
    IntegerAttr,
    StringAttr,
)
from xdsl.ir import Attribute

from canao.transforms.convert_torch_to_canao.torch_call import Argument

CONSTANTS = frozenset(
    f"torch.constant.{kind}" for kind in ("int", "float", "bool", "str", "device", "none")
)
"""Operations with a Python value as their attribute `value`."""

LOCATION = "canao.loc"
"""The attribute with the source line that an operation comes from."""

LISTS = frozenset({"torch.prim.ListConstruct", "torch.prim.TupleConstruct"})
"""Operations that collect their operands."""

UNPACKS = frozenset({"torch.prim.ListUnpack", "torch.prim.TupleUnpack"})
"""Operations that spread a list over their results."""

PASSING = frozenset({"torch_c.from_builtin_tensor", "torch_c.to_builtin_tensor"})
"""Operations between tensor types that mean the same here."""

LITERALS = frozenset({"torch.vtensor.literal", "torch.tensor.literal"})
"""Operations with a tensor as their attribute `value`."""


NUMBERS: dict[str, Callable[[float], bool | int | float]] = {
    "torch.aten.Int.bool": int,
    "torch.aten.Int.Scalar": int,
    "torch.aten.Float.Scalar": float,
    "torch.aten.Bool.int": bool,
    "torch.aten.Bool.float": bool,
}
"""Operations from a Python number to another, by the function that they stand for."""


def python_value(name: str, attribute: Attribute | None) -> Argument:
    """The Python value that a `torch.constant` operation holds."""
    if isinstance(attribute, IntegerAttr):
        number = attribute.value.data
        return bool(number) if name.endswith(".bool") else number
    if isinstance(attribute, FloatAttr):
        return attribute.value.data
    if isinstance(attribute, StringAttr):
        return attribute.data
    return None


def literal_numbers(attribute: Attribute | None) -> Sequence[int | float] | None:
    """The elements of a tensor literal, one for a splat; None where they were left out."""
    if not isinstance(attribute, DenseIntOrFPElementsAttr):
        return None
    values = attribute.get_values()
    return values[:1] if attribute.is_splat() else values
