"""What is known about a value before the model runs."""

from __future__ import annotations

from collections.abc import Iterable, Set
from math import isclose, prod
from typing import Any

import numpy as np
import numpy.typing as npt
from xdsl.builder import Builder
from xdsl.ir import Block, Operation, OpResult, SSAValue

from canao.dialects.canao import BroadcastOp, ConstantOp, SliceOp
from canao.dialects.canao.source import dtype_of_element
from canao.dialects.canao.types import element_of, is_float, shape_of
from canao.dialects.interfaces import AccessPattern, CanaoOp, Reorganising
from canao.extent import most, symbols_in

LARGEST = 1e30
"""A constant of a larger size counts as infinite: masks are made of such constants."""


def is_constant_expression(value: SSAValue) -> bool:
    """Whether a value depends on weights and constants only, so not on the inputs.

    Nor on their sizes: what depends on symbols is none.
    """
    pending, seen = [value], {value}
    while pending:
        current = pending.pop()
        owner = current.owner
        if not isinstance(owner, CanaoOp) or symbols_in(shape_of(current)):
            return False
        fresh = [v for v in owner.operands if v not in seen]
        seen.update(fresh)
        pending.extend(fresh)
    return True


def constant_expressions(block: Block) -> set[SSAValue]:
    """The values of a block for which `is_constant_expression` holds, found in one pass."""
    found: set[SSAValue] = set()
    for op in block.ops:
        if not isinstance(op, CanaoOp) or not all(v in found for v in op.operands):
            continue
        if not any(symbols_in(shape_of(result)) for result in op.results):
            found.update(op.results)
    return found


def depends_on(values: Iterable[SSAValue], sources: Set[SSAValue]) -> bool:
    """Whether one of the values is among the sources, or is computed from one of them."""
    pending, seen = [*values], set[SSAValue]()
    while pending:
        value = pending.pop()
        if value in sources:
            return True
        if value not in seen and isinstance(value, OpResult):
            pending += value.op.operands
        seen.add(value)
    return False


def constant_array(value: SSAValue) -> npt.NDArray[Any] | None:
    """The elements of a constant, or of a broadcast one; None for other values."""
    owner = value.owner
    if isinstance(owner, ConstantOp):
        return owner.array()
    if isinstance(owner, BroadcastOp) and isinstance(owner.operand.owner, ConstantOp):
        if symbols_in(shape_of(value)):
            return None
        return np.broadcast_to(owner.operand.owner.array(), shape_of(value))
    return None


def prefix_array(value: SSAValue) -> npt.NDArray[Any] | None:
    """The elements of a constant at the largest sizes of a value that is the front part of it.

    At smaller sizes the value holds the first ones along each dimension. None for other values.
    """
    owner = value.owner
    if not isinstance(owner, SliceOp):
        return constant_array(value) if not symbols_in(shape_of(value)) else None
    whole = constant_array(owner.operand) if not symbols_in(shape_of(owner.operand)) else None
    if whole is None or any(owner.starts.get_values()) or set(owner.steps.get_values()) != {1}:
        return None
    return whole[tuple(slice(most(extent)) for extent in shape_of(value))]


def splat_value(value: SSAValue) -> float | None:
    """The one number that every element of a constant holds; None for other values."""
    owner = value.owner
    if isinstance(owner, BroadcastOp):
        owner = owner.operand.owner
    if not isinstance(owner, ConstantOp) or not prod(shape_of(owner.result)):
        return None
    if not owner.value.is_splat():
        return None
    return owner.array().reshape(-1)[0].item()


def is_splat_of(value: SSAValue, number: float, rel_tol: float = 0.0) -> bool:
    """Whether every element of a constant is `number`, to within a relative error."""
    found = splat_value(value)
    return found is not None and isclose(found, number, rel_tol=rel_tol, abs_tol=0.0)


def has_normal_product(c: float, d: float, like: SSAValue) -> bool:
    """Whether `c * d` is a normal float of the element type of `like`, or 0 as a factor is.

    Else `(a * c) * d` is not `a * (c * d)`: an infinity made of `c` and `d` makes 0 a
    NaN, and a 0 an infinity.
    """
    limits = np.finfo(dtype_of_element(element_of(like)).name)
    smallest = 0.0 if c == 0 or d == 0 else float(limits.tiny)
    return smallest <= abs(c * d) <= float(limits.max)


def build_splat(
    builder: Builder, number: float, like: SSAValue, shape: tuple[int, ...] = ()
) -> SSAValue:
    """Builds a constant of one number, of the element type of `like`."""
    scalar = np.array(number, dtype=dtype_of_element(element_of(like)))
    value = builder.insert(ConstantOp.from_array(scalar)).result
    return builder.insert(BroadcastOp(value, shape)).result if shape else value


def hoist_before(value: SSAValue, anchor: Operation) -> None:
    """Moves what computes a constant expression before `anchor`, of the same block."""
    block = anchor.parent
    if block is None or not isinstance(value, OpResult):
        return
    owner = value.op
    if owner.parent is not block or owner is anchor or owner.is_before_in_block(anchor):
        return
    for operand in owner.operands:
        hoist_before(operand, anchor)
    owner.detach()
    block.insert_op_before(owner, anchor)


def may_be_infinite(value: SSAValue, depth: int = 8) -> bool:
    """Whether a constant that is infinite, NaN or huge goes into a value, as in masks.

    Operations that make each element from others, and moves of data, are
    looked through; other operations are taken to give finite numbers.
    """
    owner = value.owner
    if isinstance(owner, ConstantOp):
        return _has_infinity(owner)
    if depth == 0 or not isinstance(owner, CanaoOp):
        return False
    elementwise = (AccessPattern.ONE_TO_ONE, AccessPattern.BROADCAST)
    if not isinstance(owner, Reorganising) and owner.access_pattern() not in elementwise:
        return False
    return any(may_be_infinite(v, depth - 1) for v in owner.operands)


def _has_infinity(op: ConstantOp) -> bool:
    if not is_float(op.result) or not prod(shape_of(op.result)):
        return False
    number = splat_value(op.result)
    if number is not None:
        return not abs(number) <= LARGEST
    return not bool((np.abs(op.array().astype(np.float64)) <= LARGEST).all())
