"""Conversions of operations that move elements and compute nothing."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from xdsl.ir import SSAValue

from canao.dialects.canao import AddOp, CompareOp, ConcatOp, GatherOp, SelectOp
from canao.dialects.canao.types import element_of, i64, normalise_axis, shape_of
from canao.extent import is_symbolic
from canao.transforms.convert_torch_to_canao.emitter import Converter, Emitter
from canao.transforms.convert_torch_to_canao.torch_call import TorchCall


def axis_of(call: TorchCall, number: int, value: SSAValue, default: int | None = None) -> int:
    """Argument `number` as an axis of `value`, counted from the front."""
    return normalise_axis(call.integer(number, default), len(shape_of(value)))


def reshape(e: Emitter, call: TorchCall) -> SSAValue:
    """The operand under the result's shape: views, squeezes and their kin."""
    return e.reshape(call.tensor(0), call.shape)


def permute(e: Emitter, call: TorchCall) -> SSAValue:
    """The dimensions in the order of argument 1."""
    return e.transpose(call.tensor(0), call.integers(1))


def transpose(e: Emitter, call: TorchCall) -> SSAValue:
    """Two dimensions exchanged."""
    value = call.tensor(0)
    if not shape_of(value):
        return value
    return e.swap(value, axis_of(call, 1, value), axis_of(call, 2, value))


def matrix_transpose(e: Emitter, call: TorchCall) -> SSAValue:
    """All dimensions reversed, as `t` and `T` do."""
    value = call.tensor(0)
    return e.transpose(value, list(reversed(range(len(shape_of(value))))))


def expand(e: Emitter, call: TorchCall) -> SSAValue:
    """The operand repeated to the result's shape."""
    return e.broadcast(call.tensor(0), call.shape)


def repeat(e: Emitter, call: TorchCall) -> SSAValue:
    """Each dimension repeated whole: through a new dimension before it."""
    times = call.integers(1)
    shape = shape_of(call.tensor(0))
    shape = (1,) * (len(times) - len(shape)) + shape
    before: list[int] = []
    after: list[int] = []
    for count, extent in zip(times, shape, strict=True):
        if count != 1:
            before.append(1)
            after.append(count)
        before.append(extent)
        after.append(extent)
    spread = e.broadcast(e.reshape(call.tensor(0), before), after)
    return e.reshape(spread, call.shape)


def repeat_interleave(e: Emitter, call: TorchCall) -> SSAValue:
    """Each element repeated in place: through a new dimension after its own."""
    value = call.tensor(0)
    if call.argument(2) is None:
        value = e.reshape(value, [prod(shape_of(value))])
    axis = axis_of(call, 2, value, 0)
    shape = shape_of(value)
    new = e.reshape(value, [*shape[: axis + 1], 1, *shape[axis + 1 :]])
    spread = e.broadcast(new, [*shape[: axis + 1], call.integer(1), *shape[axis + 1 :]])
    return e.reshape(spread, call.shape)


def joined(e: Emitter, parts: Sequence[SSAValue], axis: int) -> SSAValue:
    """The parts one after another; one part is itself."""
    return parts[0] if len(parts) == 1 else e.emit(ConcatOp(parts, axis))


def cat(e: Emitter, call: TorchCall) -> SSAValue:
    """The tensors one after another; PyTorch leaves out empty ones of rank 1."""
    parts = [e.cast(t, call.element) for t in call.tensors(0) if shape_of(t) != (0,)]
    if not parts:
        return e.filled(0, call.element, call.shape)
    return joined(e, parts, axis_of(call, 1, parts[0], 0))


def stack(e: Emitter, call: TorchCall) -> SSAValue:
    """The tensors along a new dimension."""
    axis = normalise_axis(call.integer(1, 0), len(call.shape))
    shape = [1 if n == axis else extent for n, extent in enumerate(call.shape)]
    parts = [e.reshape(e.cast(t, call.element), shape) for t in call.tensors(0)]
    return joined(e, parts, axis)


def _cut(e: Emitter, value: SSAValue, axis: int, sizes: Sequence[int]) -> list[SSAValue | None]:
    starts = [sum(sizes[:n]) for n in range(len(sizes))]
    return [e.slice(value, axis, start, size) for start, size in zip(starts, sizes, strict=True)]


def _pieces(extent: int, size: int) -> list[int]:
    return [min(size, extent - start) for start in range(0, extent, max(size, 1))] or [0]


def split(e: Emitter, call: TorchCall) -> list[SSAValue | None]:
    """Pieces of one size, the last perhaps smaller."""
    value = call.tensor(0)
    axis = axis_of(call, 2, value, 0)
    return _cut(e, value, axis, _pieces(shape_of(value)[axis], call.integer(1)))


def split_with_sizes(e: Emitter, call: TorchCall) -> list[SSAValue | None]:
    """Pieces of the sizes given."""
    value = call.tensor(0)
    return _cut(e, value, axis_of(call, 2, value, 0), call.integers(1))


def chunk(e: Emitter, call: TorchCall) -> list[SSAValue | None]:
    """A number of pieces of one size, the last perhaps smaller."""
    value = call.tensor(0)
    axis = axis_of(call, 2, value, 0)
    extent = shape_of(value)[axis]
    count = call.integer(1)
    sizes = _pieces(extent, -(-extent // count)) if extent else [0] * count
    return _cut(e, value, axis, sizes)


def _pick(e: Emitter, value: SSAValue, axis: int, index: int) -> SSAValue:
    shape = shape_of(value)
    part = e.slice(value, axis, index % shape[axis], 1)
    return e.reshape(part, [*shape[:axis], *shape[axis + 1 :]])


def unbind(e: Emitter, call: TorchCall) -> list[SSAValue | None]:
    """Every element along a dimension."""
    value = call.tensor(0)
    axis = axis_of(call, 1, value, 0)
    return [_pick(e, value, axis, index) for index in range(shape_of(value)[axis])]


def select(e: Emitter, call: TorchCall) -> SSAValue:
    """One element along a dimension."""
    value = call.tensor(0)
    return _pick(e, value, axis_of(call, 1, value), call.integer(2))


def slice_tensor(e: Emitter, call: TorchCall) -> SSAValue:
    """`a[start:end:step]` along a dimension; bounds clip as in Python."""
    value = call.tensor(0)
    axis = axis_of(call, 1, value, 0)
    extent, step = shape_of(value)[axis], call.integer(4, 1)
    if step < 1:
        raise call.unsupported(f"its step is {step}; use steps of 1 or more, and flip the result")
    start = _clipped(call.extent(2, 0), extent)
    end = extent if call.argument(3) is None else _clipped(call.extent(3), extent)
    return e.slice(value, axis, start, max(-((start - end) // step), 0), step)


def _clipped(place: int, extent: int) -> int:
    """A bound of a slice as Python reads it: from the end if negative, and within the extent."""
    return min(max(place + extent if place < 0 else place, 0), extent)


def narrow(e: Emitter, call: TorchCall) -> SSAValue:
    """`length` elements from `start` along a dimension."""
    value = call.tensor(0)
    axis = axis_of(call, 1, value)
    start = call.integer(2)
    return e.slice(
        value, axis, start + shape_of(value)[axis] if start < 0 else start, call.extent(3)
    )


def _block(e: Emitter, like: SSAValue, axis: int, amount: int, filling: float) -> list[SSAValue]:
    """A constant as large as `like` but for `axis`; none if the amount is not positive."""
    shape = list(shape_of(like))
    shape[axis] = amount
    return [e.filled(filling, element_of(like), shape)] if amount > 0 else []


def surrounded(e: Emitter, value: SSAValue, amounts: Sequence[int], filling: float) -> SSAValue:
    """`value` with a constant around it; negative amounts cut it.

    `amounts` are those before and after the last axis, then the one before it, and so on.
    """
    rank = len(shape_of(value))
    for number in range(len(amounts) // 2):
        axis = rank - 1 - number
        low, high = amounts[2 * number : 2 * number + 2]
        extent = shape_of(value)[axis]
        value = e.slice(value, axis, max(-low, 0), extent - max(-low, 0) - max(-high, 0))
        if high > 0 and is_symbolic(shape_of(value)[axis]):
            value, high = _lengthened(e, value, axis, high, filling), 0
        before = _block(e, value, axis, low, filling)
        after = _block(e, value, axis, high, filling)
        value = joined(e, [*before, value, *after], axis)
    return value


def _lengthened(e: Emitter, value: SSAValue, axis: int, amount: int, filling: float) -> SSAValue:
    """A constant behind what ends where only the run knows: looked up, from before the value."""
    extent = shape_of(value)[axis]
    table = joined(e, [*_block(e, value, axis, 1, filling), value], axis)
    numbers = e.iota(extent + amount)
    inside = e.emit(CompareOp("lt", numbers, e.size(extent, i64)))
    following = e.emit(AddOp(numbers, e.scalar(1, i64)))
    places = e.emit(SelectOp(inside, following, e.scalar(0, i64)))
    rest = [n for n in range(len(shape_of(value))) if n != axis]
    order = [axis, *rest]
    rows = e.emit(GatherOp(e.transpose(table, order), [places]))
    return e.transpose(rows, [order.index(n) for n in range(len(order))])


def constant_pad(e: Emitter, call: TorchCall) -> SSAValue:
    """Constants around the operand: `constant_pad_nd(a, amounts, filling)`."""
    return surrounded(e, call.tensor(0), call.integers(1), call.number(2, 0))


_VIEWS = (
    "view",
    "view_copy",
    "_unsafe_view",
    "reshape",
    "_reshape_alias",
    "_reshape_copy",
    "flatten.using_ints",
    "unflatten.int",
    "view_as",
    "reshape_as",
    "squeeze",
    "squeeze.dim",
    "squeeze.dims",
    "squeeze_copy.dim",
    "unsqueeze",
    "unsqueeze_copy",
)

CONVERSIONS: dict[str, Converter] = {
    **dict.fromkeys(_VIEWS, reshape),
    "permute": permute,
    "permute_copy": permute,
    "transpose.int": transpose,
    "transpose_copy.int": transpose,
    "swapaxes": transpose,
    "t": matrix_transpose,
    "numpy_T": matrix_transpose,
    "expand": expand,
    "expand_copy": expand,
    "expand_as": expand,
    "broadcast_to": expand,
    "repeat": repeat,
    "repeat_interleave.self_int": repeat_interleave,
    "cat": cat,
    "concat": cat,
    "stack": stack,
    "split.Tensor": split,
    "split_copy.Tensor": split,
    "split_with_sizes": split_with_sizes,
    "split_with_sizes_copy": split_with_sizes,
    "chunk": chunk,
    "unbind.int": unbind,
    "unbind_copy.int": unbind,
    "select.int": select,
    "select_copy.int": select,
    "slice.Tensor": slice_tensor,
    "slice_copy.Tensor": slice_tensor,
    "narrow": narrow,
    "narrow_copy": narrow,
    "constant_pad_nd": constant_pad,
}
