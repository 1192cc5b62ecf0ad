"""Conversions of pooling: reductions over windows of the last axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from xdsl.ir import SSAValue

from canao.dialects.canao import (
    AndOp,
    CompareOp,
    MulOp,
    OrOp,
    ReduceMaxOp,
    ReduceMinOp,
    ReduceSumOp,
    SelectOp,
)
from canao.dialects.canao.types import element_of, i64, is_float, shape_of
from canao.transforms.convert_torch_to_canao.arithmetic.functions import not_a_number
from canao.transforms.convert_torch_to_canao.emitter import Converter, Emitter
from canao.transforms.convert_torch_to_canao.indexing.scattering import furthest
from canao.transforms.convert_torch_to_canao.movement.rearrange import Places, take, window_places
from canao.transforms.convert_torch_to_canao.movement.shapes import surrounded
from canao.transforms.convert_torch_to_canao.torch_call import TorchCall


@dataclass(frozen=True)
class _Pool:
    """The windows of a pooling of the last axes, whose lengths are `extents`.

    `places[n]` has the padded place of each element of each window along
    axis n; a place is `low[n]` more than that in the operand, which `high[n]`
    fillings follow.
    """

    extents: tuple[int, ...]
    low: list[int]
    high: list[int]
    places: list[Places]

    def spread(self, e: Emitter, value: SSAValue, filling: float) -> SSAValue:
        """The elements of the windows, [..., windows, size] for each axis in turn."""
        amounts = [n for pair in zip(self.low, self.high, strict=True) for n in pair]
        pairs = [amounts[n : n + 2] for n in range(0, len(amounts), 2)]
        value = surrounded(e, value, [n for pair in reversed(pairs) for n in pair], filling)
        first = len(shape_of(value)) - len(self.places)
        for n, places in enumerate(self.places):
            value = _windows(e, value, first + 2 * n, places)
        return value

    def axes(self, value: SSAValue) -> list[int]:
        """The axes of `spread` that run over a window's elements."""
        rank, count = len(shape_of(value)), len(self.places)
        return [rank - 2 * count + 2 * n + 1 for n in range(count)]

    def counts(self, with_padding: bool) -> list[Places]:
        """How many elements of each window count, along each axis."""
        found: list[Places] = []
        for low, extent, places in zip(self.low, self.extents, self.places, strict=True):
            start, end = (0, extent + 2 * low) if with_padding else (low, low + extent)
            found.append(((places >= start) & (places < end)).sum(1))
        return found


def _rank(call: TorchCall) -> int:
    """How many axes windows run over, as the name of the operation tells."""
    return next(rank for rank in (1, 2, 3) if f"pool{rank}d" in call.name)


def _sliding(call: TorchCall, rank: int, dilation: Sequence[int], ceil: bool) -> _Pool:
    """Windows by size, stride and padding, arguments 1 to 3."""
    extents = shape_of(call.tensor(0))[-rank:]
    size = _each(call, call.integers(1))
    steps = call.integers(2) if call.argument(2) is not None else []
    stride = _each(call, steps) if steps else size
    low = _each(call, call.integers(3)) if call.argument(3) is not None else [0] * rank
    pool = _Pool(extents, low, [], [])
    reaches = _each(call, dilation)
    for n, extent in enumerate(extents):
        reach = reaches[n] * (size[n] - 1) + 1
        padded = extent + 2 * low[n]
        count = (padded - reach) // stride[n] + 1
        # A last window that is partly outside must start before the padding that follows.
        if ceil and (padded - reach) % stride[n] and count * stride[n] < extent + low[n]:
            count += 1
        whole = max((count - 1) * stride[n] + reach, padded)
        pool.high.append(whole - extent - low[n])
        pool.places.append(window_places(whole, size[n], stride[n], reaches[n])[:count])
    return pool


def _adaptive(extents: tuple[int, ...], counts: Sequence[int]) -> tuple[_Pool, list[Places]]:
    """Windows that cover each axis evenly, and how many elements each has.

    Shorter windows repeat their last element.
    """
    places: list[Places] = []
    sizes: list[Places] = []
    for extent, count in zip(extents, counts, strict=True):
        numbers = np.arange(count, dtype=np.int64)
        start, end = numbers * extent // count, -(-(numbers + 1) * extent // count)
        sizes.append(end - start)
        within = np.arange((end - start).max(initial=0), dtype=np.int64)
        places.append(np.minimum(start[:, None] + within, end[:, None] - 1))
    none = [0] * len(extents)
    return _Pool(extents, none, none, places), sizes


def _each(call: TorchCall, numbers: Sequence[int]) -> list[int]:
    """One number for each axis; an exporter of ONNX may give one for each end of it."""
    rank = _rank(call)
    if len(numbers) not in (1, rank):
        raise call.unsupported("paddings that differ from end to end are not; pad before it")
    return list(numbers) * rank if len(numbers) == 1 else list(numbers)


def _windows(e: Emitter, value: SSAValue, axis: int, places: Places) -> SSAValue:
    """The windows of an axis; those that lie one after another are a reshape."""
    count, size = places.shape
    apart = np.arange(count * size, dtype=np.int64).reshape(count, size)
    if not np.array_equal(places, apart):
        return take(e, value, axis, places)
    value = e.slice(value, axis, 0, count * size)
    shape = shape_of(value)
    return e.reshape(value, [*shape[:axis], count, size, *shape[axis + 1 :]])


def average(e: Emitter, call: TorchCall) -> SSAValue:
    """`avg_pool(a, size, stride, padding, ceil, with_padding, divisor)`."""
    if not is_float(call.tensor(0)):
        raise call.unsupported("averages of integers are not; convert them by .float() first")
    pool = _sliding(call, _rank(call), [1], call.flag(4))
    parts = pool.spread(e, call.tensor(0), 0)
    total = e.reshape(e.emit(ReduceSumOp(parts, pool.axes(parts))), call.shape)
    if call.argument(6) is not None:
        return e.emit(MulOp(total, e.scalar(1 / call.integer(6), call.element)))
    return e.emit(MulOp(total, _shares(e, call, pool.counts(call.flag(5, True)))))


def _shares(e: Emitter, call: TorchCall, counts: Sequence[Places]) -> SSAValue:
    """One over the number of elements of each window."""
    share = np.ones(())
    for numbers in counts:
        share = share[..., None] / numbers
    return e.cast(e.array(share), call.element)


def largest(e: Emitter, call: TorchCall) -> list[SSAValue | None]:
    """`max_pool2d_with_indices(a, size, stride, padding, dilation, ceil)`; 3-D too."""
    dilation = call.integers(4) if call.argument(4) is not None else [1]
    return _largest(e, call, _sliding(call, _rank(call), dilation, call.flag(5)))


def _largest(e: Emitter, call: TorchCall, pool: _Pool) -> list[SSAValue | None]:
    value = call.tensor(0)
    parts = pool.spread(e, value, furthest(element_of(value), -1))
    axes = pool.axes(parts)
    extreme = e.emit(ReduceMaxOp(parts, axes))
    index = _index_of(e, pool, parts, extreme) if len(call.used) > 1 and call.used[1] else None
    found = e.reshape(extreme, call.shape)
    return [found, None if index is None else e.reshape(index, call.shape)]


def _index_of(e: Emitter, pool: _Pool, parts: SSAValue, extreme: SSAValue) -> SSAValue:
    """The first place of the extreme in each window, as rows times columns of the operand."""
    rank, axes = len(shape_of(parts)), pool.axes(parts)
    place = np.zeros((1,) * rank, dtype=np.int64)
    for axis, low, extent, places in zip(axes, pool.low, pool.extents, pool.places, strict=True):
        shape = [1] * rank
        shape[axis - 1], shape[axis] = places.shape
        inside = (places - low).clip(0, extent - 1)
        place = place * extent + inside.reshape(shape)
    here = e.emit(CompareOp("eq", parts, extreme))
    if is_float(parts):
        both = e.emit(AndOp(not_a_number(e, parts), not_a_number(e, extreme)))
        here = e.emit(OrOp(here, both))
    beyond = e.scalar(prod(pool.extents) - 1, i64)
    return e.emit(ReduceMinOp(e.emit(SelectOp(here, e.array(place), beyond)), axes))


def _counts_of(call: TorchCall) -> tuple[_Pool, list[Places]]:
    """The windows of an adaptive pooling, which gives as many as the result has elements."""
    rank = _rank(call)
    return _adaptive(shape_of(call.tensor(0))[-rank:], call.shape[-rank:])


def adaptive_average(e: Emitter, call: TorchCall) -> SSAValue:
    """The mean of as many windows as asked for."""
    pool, sizes = _counts_of(call)
    parts = pool.spread(e, call.tensor(0), 0)
    axes, rank = pool.axes(parts), len(shape_of(parts))
    for axis, numbers in zip(axes, sizes, strict=True):
        within = np.arange(shape_of(parts)[axis])
        counted = within < numbers[:, None]
        if not counted.all():
            shape = [1] * rank
            shape[axis - 1], shape[axis] = counted.shape
            kept = e.array(counted.reshape(shape))
            parts = e.emit(SelectOp(kept, parts, e.scalar(0, call.element)))
    total = e.reshape(e.emit(ReduceSumOp(parts, axes)), call.shape)
    return e.emit(MulOp(total, _shares(e, call, sizes)))


def adaptive_largest(e: Emitter, call: TorchCall) -> list[SSAValue | None]:
    """The largest of as many windows as asked for, and where it is."""
    return _largest(e, call, _counts_of(call)[0])


CONVERSIONS: dict[str, Converter] = {
    "adaptive_avg_pool1d": adaptive_average,
    "adaptive_max_pool1d": adaptive_largest,
    "adaptive_max_pool2d": adaptive_largest,
    "adaptive_max_pool3d": adaptive_largest,
    "adaptive_avg_pool2d": adaptive_average,
    "adaptive_avg_pool3d": adaptive_average,
    "_adaptive_avg_pool2d": adaptive_average,
    "_adaptive_avg_pool3d": adaptive_average,
    "avg_pool1d": average,
    "avg_pool2d": average,
    "avg_pool3d": average,
    "max_pool2d_with_indices": largest,
    "max_pool3d_with_indices": largest,
}
