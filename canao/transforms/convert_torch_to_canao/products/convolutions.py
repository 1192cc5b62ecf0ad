"""Conversions of convolutions: a product over the channels for each place of the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product as places_of
from math import prod

from xdsl.ir import SSAValue

from canao.dialects.canao import AddOp, MatmulOp
from canao.dialects.canao.types import shape_of
from canao.transforms.convert_torch_to_canao.emitter import Converter, Emitter
from canao.transforms.convert_torch_to_canao.movement.shapes import surrounded
from canao.transforms.convert_torch_to_canao.torch_call import TorchCall

MOST_PLACES = 256
"""The largest kernel, in places: each is a product of its own."""


def _product(e: Emitter, value: SSAValue, weight: SSAValue, groups: int) -> SSAValue:
    """A kernel of one place, [outputs, channels / groups], on [batch, channels, length]."""
    batch, channels, length = shape_of(value)
    outputs = shape_of(weight)[0]
    if groups == 1:
        return e.emit(MatmulOp(weight, value))
    parts = e.reshape(value, [batch, groups, channels // groups, length])
    filters = e.reshape(weight, [groups, outputs // groups, channels // groups])
    return e.reshape(e.emit(MatmulOp(filters, parts)), [batch, outputs, length])


def _window(
    e: Emitter, value: SSAValue, starts: Sequence[int], sizes: Sequence[int], steps: Sequence[int]
) -> SSAValue:
    """What one place of the kernel meets: [batch, channels, length]."""
    for axis, (start, size, step) in enumerate(zip(starts, sizes, steps, strict=True)):
        value = e.slice(value, axis + 2, start, size, step)
    return e.reshape(value, [*shape_of(value)[:2], prod(sizes)])


def convolved(
    e: Emitter,
    call: TorchCall,
    value: SSAValue,
    stride: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    weight: SSAValue,
    mirrored: bool = False,
) -> SSAValue:
    """The convolution of a padded [batch, channels, ...] by a weight, with bias argument 2.

    A mirrored kernel is read from its last place to its first.
    """
    outputs, depth, *kernel = shape_of(weight)
    if prod(kernel) > MOST_PLACES:
        raise call.unsupported(f"a kernel of more than {MOST_PLACES} places is not")
    sizes = [
        (extent - reach * (width - 1) - 1) // step + 1
        for extent, width, step, reach in zip(
            shape_of(value)[2:], kernel, stride, dilation, strict=True
        )
    ]
    total = None
    for place in places_of(*map(range, kernel)):
        filters = weight
        for axis, at in enumerate(place):
            filters = e.slice(filters, axis + 2, at, 1)
        if mirrored:
            place = [width - 1 - at for width, at in zip(kernel, place, strict=True)]
        starts = [at * reach for at, reach in zip(place, dilation, strict=True)]
        window = _window(e, value, starts, sizes, stride)
        part = _product(e, window, e.reshape(filters, [outputs, depth]), groups)
        total = part if total is None else e.emit(AddOp(total, part))
    assert total is not None
    bias = call.optional_tensor(2)
    if bias is not None:
        total = e.emit(AddOp(total, e.reshape(bias, [outputs, 1])))
    return e.reshape(total, [shape_of(value)[0], outputs, *sizes])


def _each(numbers: Sequence[int], rank: int) -> list[int]:
    """One number for all spatial axes, or one an axis."""
    return list(numbers) * rank if len(numbers) == 1 else list(numbers)


def _convolution(
    e: Emitter, call: TorchCall, amounts: Sequence[int], dilation: list[int], groups: int
) -> SSAValue:
    """`amounts` are the zeros before and after each spatial axis, the last axis first."""
    value, rank = call.tensor(0), len(shape_of(call.tensor(1))) - 2
    single = len(shape_of(value)) == rank + 1
    if single:
        value = e.reshape(value, [1, *shape_of(value)])
    value = surrounded(e, value, amounts, 0)
    stride = _each(call.integers(3), rank)
    out = convolved(e, call, value, stride, _each(dilation, rank), groups, call.tensor(1))
    return e.reshape(out, call.shape) if single else out


def _same(call: TorchCall, dilation: Sequence[int]) -> list[int]:
    """The zeros that keep the extents, the odd one after."""
    kernel = shape_of(call.tensor(1))[2:]
    amounts: list[int] = []
    reaches = _each(dilation, len(kernel))
    for width, reach in reversed(list(zip(kernel, reaches, strict=True))):
        whole = reach * (width - 1)
        amounts += [whole // 2, whole - whole // 2]
    return amounts


def _both_sides(padding: Sequence[int], rank: int) -> list[int]:
    return [amount for amount in reversed(_each(padding, rank)) for _ in range(2)]


def convolution_nd(e: Emitter, call: TorchCall) -> SSAValue:
    """`conv1d(a, weight, bias, stride, padding, dilation, groups)`; 2-D and 3-D too."""
    dilation, rank = call.integers(5), len(shape_of(call.tensor(1))) - 2
    mode = call.argument(4)
    if isinstance(mode, str):
        amounts = _same(call, dilation) if mode == "same" else [0] * (2 * rank)
    else:
        amounts = _both_sides(call.integers(4), rank)
    return _convolution(e, call, amounts, dilation, call.integer(6, 1))


def _spread(e: Emitter, value: SSAValue, axis: int, step: int) -> SSAValue:
    """`value` with `step - 1` zeros between neighbours along an axis."""
    shape = list(shape_of(value))
    extent = shape[axis]
    wide = e.reshape(value, [*shape[: axis + 1], 1, *shape[axis + 1 :]])
    zeros = [0] * (2 * (len(shape) - axis - 1)) + [0, step - 1]
    wide = surrounded(e, wide, zeros, 0)
    shape[axis] = extent * step
    return e.slice(e.reshape(wide, shape), axis, 0, (extent - 1) * step + 1)


def _transposed(e: Emitter, call: TorchCall) -> SSAValue:
    """Inputs apart by the stride, convolved by the mirrored kernel of the transposed weight."""
    value, weight, groups = call.tensor(0), call.tensor(1), call.integer(8, 1)
    inputs, share, *kernel = shape_of(weight)
    rank = len(kernel)
    value = e.reshape(
        value, [*shape_of(value)] if len(shape_of(value)) > rank + 1 else [1, *shape_of(value)]
    )
    stride, padding, dilation, more = (_each(call.integers(n), rank) for n in (3, 4, 5, 7))
    for axis, step in enumerate(stride):
        value = _spread(e, value, axis + 2, step)
    amounts: list[int] = []
    for axis in reversed(range(rank)):
        reach = dilation[axis] * (kernel[axis] - 1) - padding[axis]
        amounts += [reach, reach + more[axis]]
    value = surrounded(e, value, amounts, 0)
    parts = e.reshape(weight, [groups, inputs // groups, share, *kernel])
    turned = e.reshape(e.swap(parts, 1, 2), [groups * share, inputs // groups, *kernel])
    ones = [1] * rank
    out = convolved(e, call, value, ones, dilation, groups, turned, mirrored=True)
    return e.reshape(out, call.shape)


def convolution(e: Emitter, call: TorchCall) -> SSAValue:
    """`convolution(a, weight, bias, stride, padding, dilation, transposed, padding, groups)`."""
    if call.flag(6):
        return _transposed(e, call)
    rank = len(shape_of(call.tensor(1))) - 2
    amounts = _both_sides(call.integers(4), rank)
    return _convolution(e, call, amounts, call.integers(5), call.integer(8, 1))


CONVERSIONS: dict[str, Converter] = {
    **{f"conv{rank}d{mode}": convolution_nd for rank in (1, 2, 3) for mode in ("", ".padding")},
    "convolution": convolution,
}
