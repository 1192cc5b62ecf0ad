"""What shape functions of torch-mlir are made of: integers, lists of them, and conditions.

Tensors stand here for their shapes, lists of extents. Comparisons of extents whose answer depends
on sizes raise `UndecidedError`, with two exceptions. Expressions are equal if they are the same for
all sizes. And where `a < b` has one answer but for sizes at the end of their ranges, where both are
equal, that answer is given: `min(a, b)` is the same by either. Whoever evaluates must do so at the
ends of the ranges, too, and compare.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch_mlir import ir as torch_mlir_ir

from canao.errors import UndecidedError
from canao.extent import bounds_of, is_symbolic

# The bindings come without types.
ir: Any = torch_mlir_ir


class ShapeError(Exception):
    """A shape function refuses the shapes that it is given."""


def _on_values(function: Callable[..., Any]) -> Callable[[Any, Sequence[Any]], Any]:
    """An operation that only its operands decide."""
    return lambda op, operands: function(*operands)


def _constant(kind: Callable[[Any], Any]) -> Callable[[Any, Sequence[Any]], Any]:
    """An operation with a Python value as its attribute."""
    return lambda op, operands: kind(op.attributes["value"].value)


def _asserted(op: Any, operands: Sequence[Any]) -> Sequence[Any]:
    if not operands[0]:
        raise ShapeError(op.attributes["message"].value)
    return ()


def _raised(message: str, *_: Any) -> None:
    raise ShapeError(message.removeprefix("AssertionError: ") or "its operands do not fit")


def _less(a: int, b: int) -> bool:
    """`a < b`, also where it is so but for `a == b` at the end of a range."""
    try:
        return a < b
    except UndecidedError:
        if bounds_of(a - b)[1] == 0:
            return True
        raise


def _at_most(a: int, b: int) -> bool:
    """`a <= b`; where both may be equal at the end of a range only, whether `a < b`."""
    try:
        return a <= b
    except UndecidedError:
        if bounds_of(a - b)[0] == 0:
            return False
        raise


def _quotient(a: float, b: float) -> float:
    """`a / b`, which of extents is one where it is always whole."""
    if isinstance(b, int) and (is_symbolic(a) or is_symbolic(b) or a % b == 0):
        return a // b
    return a / b


def _ceiling(a: float) -> int:
    return math.ceil(a) if isinstance(a, float) else a


def _of_numbers(op: Any, operands: Sequence[Any]) -> Any:
    """An operation of numbers that may be integers or floats."""
    return _NUMBERS[op.attributes["name"].value](*operands)


def _append(items: list[Any], item: Any) -> list[Any]:
    items.append(item)
    return items


def _insert(items: list[Any], place: int, item: Any) -> list[Any]:
    items.insert(place, item)
    return items


def _set_item(items: list[Any], place: int, item: Any) -> list[Any]:
    items[_place(items, place)] = item
    return items


def _item(items: Sequence[Any], place: int) -> Any:
    return items[_place(items, place)]


def _place(items: Sequence[Any], place: int) -> int:
    if not -len(items) <= place < len(items):
        raise ShapeError(f"there is no dimension {place} of {len(items)}")
    return place


def _sliced(items: Sequence[Any], start: int | None, end: int | None, step: int) -> list[Any]:
    return list(items[start:end:step])


def _range_length(low: int, high: int, step: int) -> int:
    return len(range(low, high, step))


def _list(*items: Any) -> list[Any]:
    return list(items)


def _same(value: Any, *_: Any) -> Any:
    return value


def _largest(*items: Any) -> Any:
    return max(*items)


def _smallest(*items: Any) -> Any:
    return min(*items)


def _formatted(text: str, *items: Any) -> str:
    return text.format(*items)


_NUMBERS: Mapping[str, Callable[..., Any]] = {
    "aten.eq": operator.eq,
    "aten.ne": operator.ne,
    "aten.lt": _less,
    "aten.le": _at_most,
    "aten.gt": lambda a, b: not _at_most(a, b),
    "aten.ge": lambda a, b: not _less(a, b),
}

_VALUES: Mapping[str, Callable[..., Any]] = {
    "torch.prim.ListConstruct": _list,
    "torch.prim.TupleConstruct": _list,
    "torch.prim.ListUnpack": list,
    "torch.prim.TupleUnpack": list,
    "torch.prim.TupleIndex": _item,
    "torch.prim.Uninitialized": lambda: None,
    "torch.prim.unchecked_cast": _same,
    "torch.derefine": _same,
    "torch.prim.RaiseException": _raised,
    "torch.prim.max.int": _largest,
    "torch.prim.max.self_int": _largest,
    "torch.prim.min.int": _smallest,
    "torch.prim.min.self_int": _smallest,
    "torch.aten.size": list,
    "torch.aten.size.int": _item,
    "torch.aten.dim": len,
    "torch.aten.len.t": len,
    "torch.aten.numel": math.prod,
    "torch.aten.__getitem__.t": _item,
    "torch.aten._set_item.t": _set_item,
    "torch.aten.append.t": _append,
    "torch.aten.insert.t": _insert,
    "torch.aten.slice.t": _sliced,
    "torch.aten.add.t": operator.add,
    "torch.aten.mul.left_t": operator.mul,
    "torch.aten.__contains__.int_list": operator.contains,
    "torch.aten.ne.int_list": operator.ne,
    "torch.aten.eq.int_list": operator.eq,
    "torch.aten.add.int": operator.add,
    "torch.aten.sub.int": operator.sub,
    "torch.aten.mul.int": operator.mul,
    "torch.aten.mul.int_float": operator.mul,
    "torch.aten.mul.float_int": operator.mul,
    "torch.aten.neg.int": operator.neg,
    "torch.aten.floordiv.int": operator.floordiv,
    "torch.aten.remainder.int": operator.mod,
    "torch.aten.sub": operator.sub,
    "torch.aten.div": _quotient,
    "torch.aten.ceil.Scalar": _ceiling,
    "torch.aten.ceil.float": _ceiling,
    "torch.aten.Int.float": int,
    "torch.aten.Int.Scalar": _same,
    "torch.aten.Int.bool": int,
    "torch.aten.Float.Scalar": _same,
    "torch.aten.Bool.int": bool,
    "torch.aten.any.bool": any,
    "torch.aten.eq.int": operator.eq,
    "torch.aten.ne.int": operator.ne,
    "torch.aten.lt.int": _less,
    "torch.aten.le.int": _at_most,
    "torch.aten.gt.int": lambda a, b: not _at_most(a, b),
    "torch.aten.ge.int": lambda a, b: not _less(a, b),
    "torch.aten.eq.str": operator.eq,
    "torch.aten.eq.bool": operator.eq,
    "torch.aten.ne.bool": operator.ne,
    "torch.aten.__not__": operator.not_,
    "torch.aten.__is__": operator.is_,
    "torch.aten.__isnot__": operator.is_not,
    "torch.aten.__range_length": _range_length,
    "torch.aten.__derive_index": lambda number, start, step: start + number * step,
    "torch.aten.format": _formatted,
    "torch.aten.add.str": operator.add,
}

OPERATIONS: Mapping[str, Callable[[Any, Sequence[Any]], Any]] = {
    "torch.constant.int": _constant(int),
    "torch.constant.float": _constant(float),
    "torch.constant.bool": _constant(bool),
    "torch.constant.str": _constant(str),
    "torch.constant.none": lambda op, operands: None,
    "torch.operator": _of_numbers,
    "torch.runtime.assert": _asserted,
    **{name: _on_values(function) for name, function in _VALUES.items()},
}
"""What an operation, of some operands, gives: its result, or a list where it has several."""
