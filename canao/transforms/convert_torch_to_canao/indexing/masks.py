"""Conversions that replace elements where a mask holds, by values given in order."""

from __future__ import annotations

from math import prod

from xdsl.ir import SSAValue

from canao.dialects.canao import AddOp, GatherOp, ReduceSumOp, SelectOp, SubOp
from canao.dialects.canao.types import broadcast_shapes, element_of, i1, i64, shape_of
from canao.transforms.convert_torch_to_canao.emitter import Converter, Emitter
from canao.transforms.convert_torch_to_canao.indexing.folds import sums_along
from canao.transforms.convert_torch_to_canao.indexing.pairs import check_pairs
from canao.transforms.convert_torch_to_canao.torch_call import TorchCall


def _numbers(e: Emitter, call: TorchCall, mask: SSAValue) -> SSAValue:
    """How many places before each have the mask hold, in row-major order, [places]; 0 where not.

    Counted along the last axis, then along the rest: the square of neither is large.
    """
    *front, extent = shape_of(mask) or (1,)
    rows = prod(front)
    check_pairs(call, rows * rows + rows * extent * extent)
    count = e.cast(e.reshape(mask, [rows, extent]), i64)
    total = e.emit(ReduceSumOp(count, [1]))
    before = e.emit(SubOp(sums_along(e, total, 0), total))
    number = e.emit(AddOp(e.emit(SubOp(sums_along(e, count, 1), count)), before))
    flat = e.reshape(mask, [rows * extent])
    return e.emit(SelectOp(flat, e.reshape(number, [rows * extent]), e.scalar(0, i64)))


def put_where(e: Emitter, call: TorchCall, mask: SSAValue, axis: int) -> SSAValue:
    """`out = a; out[:, mask] = b`, or `+= b`, for a mask over some axes from `axis` on.

    Values are one for all places or one a place, in row-major order.
    """
    value, new = call.tensor(0), e.cast(call.tensor(2), call.element)
    shape, covered = shape_of(value), len(shape_of(mask))
    before, rest = shape[:axis], shape[axis + covered :]
    places = prod(shape[axis : axis + covered])
    given = len(shape_of(new)) - len(rest)
    count = shape_of(new)[given - 1] if given > 0 else 1
    # Values that lack the axis of places are one for all.
    aligned = shape_of(new) if given > 0 else (1, *(1,) * -given, *shape_of(new))
    chosen = e.broadcast(e.reshape(new, aligned), [*before, count, *rest])
    if count != 1:
        first = [axis, *(n for n in range(len(before) + 1 + len(rest)) if n != axis)]
        table = e.transpose(chosen, first)
        picked = e.emit(GatherOp(table, [_numbers(e, call, mask)]))
        chosen = e.transpose(picked, [first.index(n) for n in range(len(first))])
    flat = e.reshape(value, [*before, places, *rest])
    if call.flag(3):
        chosen = e.emit(AddOp(flat, chosen))
    here = e.reshape(mask, [places, *(1 for _ in rest)])
    return e.reshape(e.emit(SelectOp(here, chosen, flat)), shape)


def masked_scatter(e: Emitter, call: TorchCall) -> SSAValue:
    """The n-th place where the mask holds takes element n of the source."""
    source = e.cast(call.tensor(2), call.element)
    shape = broadcast_shapes([shape_of(call.tensor(n)) for n in range(2)])
    value = e.broadcast(call.tensor(0), shape)
    mask = e.broadcast(e.cast(call.tensor(1), i1), shape)
    if not prod(shape_of(source)):
        return value
    table = e.reshape(source, [prod(shape_of(source))])
    taken = e.emit(GatherOp(table, [_numbers(e, call, mask)]))
    assert element_of(taken) == element_of(value)
    return e.emit(SelectOp(mask, e.reshape(taken, shape), value))


CONVERSIONS: dict[str, Converter] = {"masked_scatter": masked_scatter}
