"""Products along an axis and sums of all up to each, for conversions that fold elements."""

from __future__ import annotations

from xdsl.ir import SSAValue

from canao.dialects.canao import CompareOp, MulOp, ReduceSumOp, SelectOp
from canao.dialects.canao.types import element_of, shape_of
from canao.transforms.convert_torch_to_canao.emitter import Emitter


def product_along(e: Emitter, value: SSAValue, axis: int) -> SSAValue:
    """The product along an axis, which stays with length 1: halves times halves."""
    shape = list(shape_of(value))
    shape[axis] = 1
    total = None
    while (extent := shape_of(value)[axis]) > 1:
        half = extent // 2
        if extent % 2:
            last = e.slice(value, axis, extent - 1, 1)
            total = last if total is None else e.emit(MulOp(total, last))
        value = e.emit(MulOp(e.slice(value, axis, 0, half), e.slice(value, axis, half, half)))
    if shape_of(value)[axis] == 0:
        return e.filled(1, element_of(value), shape)
    return value if total is None else e.emit(MulOp(value, total))


def sums_along(e: Emitter, value: SSAValue, axis: int) -> SSAValue:
    """Sums of all elements up to each: a masked sum over a second copy of the axis."""
    shape = shape_of(value)
    last = [n for n in range(len(shape)) if n != axis] + [axis]
    moved = e.transpose(value, last)
    front = shape_of(moved)[:-1]
    extent = shape[axis]
    zero = e.scalar(0, element_of(value))
    rows = e.reshape(moved, [*front, 1, extent])
    earlier = e.emit(CompareOp("le", e.iota(extent, 1, 2), e.iota(extent, 0, 2)))
    parts = e.emit(SelectOp(earlier, rows, zero))
    total = e.reshape(e.emit(ReduceSumOp(parts, [len(shape)])), [*front, extent])
    return e.transpose(total, [last.index(n) for n in range(len(shape))])
