"""What the buffers of a layer are for, as its operations tell by their patterns and laws."""

from __future__ import annotations

from collections.abc import Collection
from math import prod

from xdsl.ir import SSAValue

from canao.dialects.canao.types import element_of, i1, shape_of
from canao.dialects.interfaces import AccessPattern, CanaoOp, Indexed
from canao.lowering.emit.reduction import Reduction
from canao.lowering.stages.words import (
    BIAS,
    HIDDEN,
    INDICES,
    INPUT,
    MASK,
    RESIDUAL,
    SCALE,
    SHIFT,
    TABLE,
    WEIGHT,
)

_ELEMENTWISE = (AccessPattern.ONE_TO_ONE, AccessPattern.BROADCAST)


def role_of(value: SSAValue, constants: Collection[SSAValue]) -> str:
    """What an input of a layer is called, by the first operation that computes with it."""
    fixed = value in constants
    if element_of(value) == i1:
        return MASK
    use = _first_use(value)
    if use is None:
        return INPUT
    op, number = use
    match op.access_pattern():
        case AccessPattern.GATHER:
            return TABLE if number == 0 else INDICES
        case AccessPattern.CONTRACT:
            return WEIGHT if fixed else INPUT
        case pattern if pattern in _ELEMENTWISE:
            return _part_of_sum(op, value, fixed=fixed)
        case _:
            return INPUT


def stage_role(anchor: Indexed | None) -> str:
    """What the buffer of a value inside a layer is called: by the reduction that fills it."""
    if anchor is None or anchor.access_pattern() is not AccessPattern.REDUCE:
        return HIDDEN
    return f"row_{Reduction(anchor, element_of(anchor.results[0])).word}"


def _first_use(value: SSAValue) -> tuple[CanaoOp, int] | None:
    """The first operation that computes with a value, seen through moves, and which operand."""
    for use in value.uses:
        op = use.operation
        if not isinstance(op, CanaoOp):
            continue
        if op.access_pattern() is not AccessPattern.REORGANISE:
            return op, use.index
        found = _first_use(op.results[0])
        if found is not None:
            return found
    return None


def _part_of_sum(op: CanaoOp, value: SSAValue, *, fixed: bool) -> str:
    """The role of an operand of an elementwise operation, by the operation's neutral number."""
    laws = op.LAWS
    if laws.identity is None or not laws.commutative or not laws.associative:
        return INPUT
    shape = shape_of(value)
    if fixed and prod(shape[:-1]) == 1:
        return {0.0: BIAS, 1.0: SCALE}.get(laws.identity, INPUT)
    if laws.identity != 0 or not any(_is_computed(other) for other in op.operands):
        return INPUT
    return RESIDUAL if shape == shape_of(op.results[0]) else SHIFT


def _is_computed(value: SSAValue) -> bool:
    return isinstance(value.owner, CanaoOp) and value.owner.access_pattern() in (
        *_ELEMENTWISE,
        AccessPattern.CONTRACT,
    )
