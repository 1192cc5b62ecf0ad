"""PyTorch's rules for the element type that operands of several types are computed in."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from xdsl.dialects.builtin import AnyFloat, IntegerType, Signedness, f32
from xdsl.ir import Attribute, SSAValue

from canao.dialects.canao.types import element_of, i1, i16, i64, is_integer, shape_of
from canao.transforms.convert_torch_to_canao.torch_call import Argument


def promoted(arguments: Sequence[Argument]) -> Attribute:
    """The element type PyTorch computes with, given tensors and Python numbers.

    Tensors with dimensions decide, then rank-0 tensors, then numbers: a later
    group counts only where its category (bool, integer, float) is higher.
    """
    tensors = [a for a in arguments if isinstance(a, SSAValue)]
    groups: list[list[Attribute]] = [
        [element_of(a) for a in tensors if shape_of(a)],
        [element_of(a) for a in tensors if not shape_of(a)],
        [_of_number(a) for a in arguments if isinstance(a, bool | int | float)],
    ]
    found = [reduce(_common, group) for group in groups if group]
    return reduce(lambda a, b: b if _category(b) > _category(a) else a, found) if found else f32


def _of_number(number: float) -> Attribute:
    return i1 if isinstance(number, bool) else i64 if isinstance(number, int) else f32


def _category(element: Attribute) -> int:
    return 2 if isinstance(element, AnyFloat) else 1 if is_integer(element) else 0


def _common(a: Attribute, b: Attribute) -> Attribute:
    """The type of a result of two tensors that both have dimensions."""
    if _category(a) != _category(b):
        return max(a, b, key=_category)
    if isinstance(a, AnyFloat) and isinstance(b, AnyFloat):
        return max(a, b, key=lambda element: element.bitwidth)
    assert isinstance(a, IntegerType)
    assert isinstance(b, IntegerType)
    if a.width == b.width and a != b:
        return i16  # of int8 and uint8: the first that holds both
    return max(a, b, key=lambda element: (element.width.data, _is_signed(element)))


def _is_signed(element: IntegerType) -> bool:
    return element.signedness.data is not Signedness.UNSIGNED
