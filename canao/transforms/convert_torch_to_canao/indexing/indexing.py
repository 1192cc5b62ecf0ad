"""Conversions of lookups whose positions are tensors."""

from __future__ import annotations

from xdsl.ir import SSAValue

from canao.dialects.canao import AddOp, CompareOp, ConstantOp, GatherOp, SelectOp
from canao.dialects.canao.reorganise import MovingOp
from canao.dialects.canao.types import (
    broadcast_shapes,
    element_of,
    i1,
    i64,
    normalise_axis,
    shape_of,
)
from canao.transforms.convert_torch_to_canao.emitter import Converter, Emitter
from canao.transforms.convert_torch_to_canao.torch_call import TorchCall


def embedding(e: Emitter, call: TorchCall) -> SSAValue:
    """Rows of a table; the padding row is one like any other in inference."""
    return e.emit(GatherOp(call.tensor(0), [e.cast(call.tensor(1), i64)]))


def gather(e: Emitter, call: TorchCall) -> SSAValue:
    """`out[i, j] = a[n[i, j], j]` for axis 0: the other dimensions index themselves."""
    table, index = call.tensor(0), e.cast(call.tensor(2), i64)
    shape = shape_of(index)
    if not shape:
        return e.reshape(table, ())
    axis = normalise_axis(call.integer(1), len(shape))
    rank = len(shape)
    places = [index if n == axis else e.iota(shape[n], n, rank) for n in range(rank)]
    return e.emit(GatherOp(table, places))


def index_select(e: Emitter, call: TorchCall) -> SSAValue:
    """Elements along an axis at the positions of a vector; a number is a vector of one."""
    table, index = call.tensor(0), e.cast(call.tensor(2), i64)
    index = e.reshape(index, shape_of(index) or [1])
    rank = len(shape_of(table))
    if not rank:
        return e.reshape(e.emit(GatherOp(e.reshape(table, [1]), [index])), call.shape)
    axis = normalise_axis(call.integer(1), rank)
    rest = [n for n in range(rank) if n != axis]
    picked = e.emit(GatherOp(e.transpose(table, [axis, *rest]), [index]))
    order = [axis, *rest]
    return e.transpose(picked, [order.index(n) for n in range(rank)])


def _never_negative(place: SSAValue) -> bool:
    """Whether positions are constants of 0 or more, moved about."""
    while isinstance(place.owner, MovingOp):
        place = place.owner.operand
    return isinstance(place.owner, ConstantOp) and int(place.owner.array().min(initial=0)) >= 0


def from_front(e: Emitter, place: SSAValue, extent: int) -> SSAValue:
    """Positions in a dimension of length `extent`, where negative ones count from its end."""
    if _never_negative(place):
        return place
    negative = e.emit(CompareOp("lt", place, e.scalar(0, i64)))
    counted = e.emit(AddOp(place, e.size(extent, i64)))
    return e.emit(SelectOp(negative, counted, place))


def index_tensor(e: Emitter, call: TorchCall) -> SSAValue:
    """Advanced indexing, where None stands for a whole dimension.

    Here alone negative positions count from the end, as in `x[i]` of Python.
    The indexed dimensions move to the front for the lookup. They stay there
    where a None lies between them; else the result moves back to their place.
    """
    table = call.tensor(0)
    found: list[tuple[int, SSAValue]] = []
    for axis, place in enumerate(call.items(1)):
        if place is None:
            continue
        if not isinstance(place, SSAValue) or element_of(place) == i1:
            raise call.unsupported("indices must be integer tensors: masks give dynamic shapes")
        extent = shape_of(table)[axis]
        found.append((axis, from_front(e, e.cast(place, i64), extent)))
    axes = [axis for axis, _ in found]
    rest = [n for n in range(len(shape_of(table))) if n not in axes]
    picked = e.emit(GatherOp(e.transpose(table, [*axes, *rest]), [place for _, place in found]))
    together = axes == list(range(axes[0], axes[0] + len(axes)))
    if not together or axes[0] == 0:
        return picked
    new = len(broadcast_shapes([shape_of(place) for _, place in found]))
    before = list(range(new, new + axes[0]))
    after = list(range(new + axes[0], len(shape_of(picked))))
    return e.transpose(picked, [*before, *range(new), *after])


CONVERSIONS: dict[str, Converter] = {
    "embedding": embedding,
    "gather": gather,
    "index_select": index_select,
    "index.Tensor": index_tensor,
    "index.Tensor_hacked_twin": index_tensor,
}
