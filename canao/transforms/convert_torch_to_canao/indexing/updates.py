"""Conversions that replace elements of a tensor at places known when compiling."""

from __future__ import annotations

import numpy as np
from xdsl.ir import SSAValue

from canao.dialects.canao import SelectOp
from canao.dialects.canao.types import normalise_axis, shape_of
from canao.transforms.convert_torch_to_canao.emitter import Converter, Emitter
from canao.transforms.convert_torch_to_canao.movement.rearrange import take
from canao.transforms.convert_torch_to_canao.movement.shapes import axis_of, joined
from canao.transforms.convert_torch_to_canao.torch_call import TorchCall


def copy(e: Emitter, call: TorchCall) -> SSAValue:
    """The elements of argument 1 in the shape and element type of argument 0."""
    return e.broadcast(e.cast(call.tensor(1), call.element), call.shape)


def put_slice(e: Emitter, value: SSAValue, new: SSAValue, axis: int, places: range) -> SSAValue:
    """`value` with `new` at `places` along an axis."""
    extent = shape_of(value)[axis]
    if not places:
        return value
    if places.step == 1:
        before = [e.slice(value, axis, 0, places.start)] if places.start else []
        left = extent - places.stop
        after = [e.slice(value, axis, places.stop, left)] if left else []
        return joined(e, [*before, new, *after], axis)
    at = np.arange(extent, dtype=np.int64)
    source = ((at - places.start) // places.step).clip(0, len(places) - 1)
    spread = take(e, new, axis, source)
    replaced = np.isin(at, np.array(places))
    shape = [extent if n == axis else 1 for n in range(len(shape_of(value)))]
    return e.emit(SelectOp(e.array(replaced.reshape(shape)), spread, value))


def slice_scatter(e: Emitter, call: TorchCall) -> SSAValue:
    """`out = a; out[start:end:step] = b` along an axis; bounds clip as in Python."""
    value = call.tensor(0)
    axis = axis_of(call, 2, value, 0)
    extent = shape_of(value)[axis]
    start, end = (None if call.argument(n) is None else call.integer(n) for n in (3, 4))
    places = range(*slice(start, end, call.integer(5, 1)).indices(extent))
    shape = list(shape_of(value))
    shape[axis] = len(places)
    new = e.broadcast(e.cast(call.tensor(1), call.element), shape)
    return put_slice(e, value, new, axis, places)


def select_scatter(e: Emitter, call: TorchCall) -> SSAValue:
    """`out = a; out[index] = b` along an axis."""
    value = call.tensor(0)
    axis = axis_of(call, 2, value)
    shape = list(shape_of(value))
    index = call.integer(3) % shape[axis]
    shape[axis] = 1
    new = e.reshape(e.cast(call.tensor(1), call.element), shape)
    return put_slice(e, value, new, axis, range(index, index + 1))


def diagonal_scatter(e: Emitter, call: TorchCall) -> SSAValue:
    """`out = a; out.diagonal(offset, dim1, dim2) = b`.

    In row-major order the diagonal is a slice whose step is `columns + 1`.
    """
    value = call.tensor(0)
    shape = shape_of(value)
    rank = len(shape)
    offset = call.integer(2, 0)
    axes = [normalise_axis(call.integer(n, default), rank) for n, default in ((3, 0), (4, 1))]
    order = [*(n for n in range(rank) if n not in axes), *axes]
    rows, columns = (shape[axis] for axis in axes)
    new = e.cast(call.tensor(1), call.element)
    count = shape_of(new)[-1]
    start = offset if offset >= 0 else -offset * columns
    front = [shape[n] for n in order[:-2]]
    flat = e.reshape(e.transpose(value, order), [*front, rows * columns])
    places = range(start, start + count * (columns + 1), columns + 1)
    put = put_slice(e, flat, new, rank - 2, places)
    whole = e.reshape(put, [*front, rows, columns])
    return e.transpose(whole, [order.index(n) for n in range(rank)])


CONVERSIONS: dict[str, Converter] = {
    "copy": copy,
    "slice_scatter": slice_scatter,
    "select_scatter": select_scatter,
    "diagonal_scatter": diagonal_scatter,
}
