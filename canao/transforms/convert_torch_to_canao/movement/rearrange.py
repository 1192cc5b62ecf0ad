"""Conversions that move elements to places known when compiling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from xdsl.ir import SSAValue

from canao.dialects.canao import GatherOp
from canao.dialects.canao.types import normalise_axis, shape_of
from canao.transforms.convert_torch_to_canao.emitter import Converter, Emitter
from canao.transforms.convert_torch_to_canao.movement.shapes import axis_of, joined, surrounded
from canao.transforms.convert_torch_to_canao.torch_call import TorchCall

Places = npt.NDArray[np.int64]


def take(e: Emitter, value: SSAValue, axis: int, places: Places) -> SSAValue:
    """The elements of `value` at `places` along `axis`, which `places`'s dimensions replace."""
    rank = len(shape_of(value))
    rest = [n for n in range(rank) if n != axis]
    picked = e.emit(GatherOp(e.transpose(value, [axis, *rest]), [e.array(places)]))
    new = places.ndim
    before = list(range(new, new + axis))
    after = list(range(new + axis, new + rank - 1))
    return e.transpose(picked, [*before, *range(new), *after])


def flip(e: Emitter, call: TorchCall) -> SSAValue:
    """The elements along each axis given, last first."""
    value = call.tensor(0)
    shape = shape_of(value)
    for axis in call.integers(1):
        axis = normalise_axis(axis, len(shape))
        if shape[axis] > 1:
            value = take(e, value, axis, np.arange(shape[axis], dtype=np.int64)[::-1].copy())
    return value


def _rolled(e: Emitter, value: SSAValue, shift: int, axis: int) -> SSAValue:
    extent = shape_of(value)[axis]
    cut = -shift % extent if extent else 0
    if not cut:
        return value
    parts = [e.slice(value, axis, cut, extent - cut), e.slice(value, axis, 0, cut)]
    return joined(e, parts, axis)


def roll(e: Emitter, call: TorchCall) -> SSAValue:
    """The elements moved along axes, those past the end to the front."""
    value = call.tensor(0)
    shifts = call.integers(1)
    axes = [] if call.argument(2) is None else call.integers(2)
    if not axes:
        flat = e.reshape(value, [int(np.prod(shape_of(value)))])
        return e.reshape(_rolled(e, flat, shifts[0], 0), shape_of(value))
    for shift, axis in zip(shifts, axes, strict=True):
        value = _rolled(e, value, shift, normalise_axis(axis, len(shape_of(value))))
    return value


def diagonal_of(e: Emitter, value: SSAValue, offset: int, first: int, second: int) -> SSAValue:
    """The elements at `[i, i + offset]` of two axes, as a new last axis.

    In row-major order they are `columns + 1` apart.
    """
    shape = shape_of(value)
    rest = [n for n in range(len(shape)) if n not in (first, second)]
    rows, columns = shape[first], shape[second]
    count = max(min(rows + min(offset, 0), columns - max(offset, 0)), 0)
    front = [shape[n] for n in rest]
    flat = e.reshape(e.transpose(value, [*rest, first, second]), [*front, rows * columns])
    start = offset if offset >= 0 else -offset * columns
    return e.slice(flat, len(rest), start if count else 0, count, columns + 1)


def diagonal(e: Emitter, call: TorchCall) -> SSAValue:
    """`diagonal(a, offset, dim1, dim2)`."""
    value = call.tensor(0)
    axes = axis_of(call, 2, value, 0), axis_of(call, 3, value, 1)
    return diagonal_of(e, value, call.integer(1, 0), *axes)


def window_places(extent: int, size: int, step: int, dilation: int = 1) -> Places:
    """Row n has the places of window n: `n * step + m * dilation` for m below `size`."""
    count = max((extent - dilation * (size - 1) - 1) // step + 1, 0)
    starts = step * np.arange(count, dtype=np.int64)[:, None]
    return starts + dilation * np.arange(size, dtype=np.int64)


def unfold(e: Emitter, call: TorchCall) -> SSAValue:
    """Windows of a size along an axis, a step apart; their elements are the last axis."""
    value = call.tensor(0)
    if not shape_of(value):
        return e.reshape(value, call.shape)
    axis = axis_of(call, 1, value)
    places = window_places(shape_of(value)[axis], call.integer(2), call.integer(3))
    windows = take(e, value, axis, places)
    rank = len(shape_of(windows))
    return e.transpose(windows, [*(n for n in range(rank) if n != axis + 1), axis + 1])


def _padded_places(mode: str, extent: int, low: int, high: int) -> Places:
    """Which element each place of a padded axis has; low and high may be negative."""
    index = np.arange(-low, extent + high, dtype=np.int64)
    if mode == "replicate":
        return index.clip(0, extent - 1)
    if mode == "circular":
        return index % extent
    period = max(2 * (extent - 1), 1)
    return (extent - 1) - np.abs(index % period - (extent - 1))


def padded(e: Emitter, value: SSAValue, amounts: Sequence[int], mode: str) -> SSAValue:
    """`value` with elements of its own around it: "reflect", "replicate" or "circular".

    `amounts` are those before and after the last axis, then the one before it, and so on.
    """
    rank = len(shape_of(value))
    for number in range(len(amounts) // 2):
        axis = rank - 1 - number
        low, high = amounts[2 * number : 2 * number + 2]
        if low or high:
            places = _padded_places(mode, shape_of(value)[axis], low, high)
            value = take(e, value, axis, places)
    return value


def padding(mode: str) -> Converter:
    """Padding by one mode, with amounts in argument 1."""

    def convert(e: Emitter, call: TorchCall) -> SSAValue:
        return padded(e, call.tensor(0), call.integers(1), mode)

    return convert


def pad(e: Emitter, call: TorchCall) -> SSAValue:
    """`pad(a, amounts, mode, filling)`."""
    mode = call.text(2, "constant")
    if mode == "constant":
        return surrounded(e, call.tensor(0), call.integers(1), call.number(3, 0))
    return padded(e, call.tensor(0), call.integers(1), mode)


def triangle_indices(lower: bool) -> Converter:
    """Rows and columns of the elements on one side of a diagonal: `(rows, columns, offset)`."""

    def convert(e: Emitter, call: TorchCall) -> SSAValue:
        rows, columns, offset = call.integer(0), call.integer(1), call.integer(2, 0)
        whole = np.ones((rows, columns), dtype=np.bool_)
        kept = np.tril(whole, offset) if lower else np.triu(whole, offset)
        return e.array(np.stack(np.nonzero(kept)).astype(np.int64))

    return convert


_PADDINGS = {"reflection": "reflect", "replication": "replicate"}


def nearest(e: Emitter, call: TorchCall) -> SSAValue:
    """`upsample_nearest2d(a, extents, scales)`: `out[i] = a[floor(i * scale)]`; 1-D and 3-D too.

    The scale is one over the number given, else the ratio of the extents, in float32.
    """
    value = call.tensor(0)
    shape = shape_of(value)
    for number, extent in enumerate(call.shape[2:]):
        given = call.number(number + 2, 0)
        ratio = 1 / given if given > 0 else shape[number + 2] / extent
        place = np.floor(np.arange(extent, dtype=np.float32) * np.float32(ratio))
        inside = np.minimum(place.astype(np.int64), shape[number + 2] - 1)
        value = take(e, value, number + 2, inside)
    return value


CONVERSIONS: dict[str, Converter] = {
    "flip": flip,
    "roll": roll,
    "diagonal": diagonal,
    "diagonal_copy": diagonal,
    "unfold": unfold,
    "unfold_copy": unfold,
    "pad": pad,
    "tril_indices": triangle_indices(lower=True),
    "triu_indices": triangle_indices(lower=False),
    **{
        f"{name}_pad{rank}d": padding(mode)
        for name, mode in _PADDINGS.items()
        for rank in (1, 2, 3)
    },
    **{f"upsample_nearest{rank}d": nearest for rank in (1, 2, 3)},
}
