"""Conversions that replace elements at places known when running only.

Each element of the result looks for the updates that name its place, so that
nothing is written twice, whatever the places are. The work is elements times
updates along the axis that places run over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, prod

import numpy as np
from xdsl.ir import Attribute, SSAValue

from canao.dialects.canao import (
    AddOp,
    CompareOp,
    DivOp,
    GatherOp,
    MaximumOp,
    MinimumOp,
    MulOp,
    ReduceMaxOp,
    ReduceMinOp,
    ReduceSumOp,
    SelectOp,
)
from canao.dialects.canao.source import dtype_of_element
from canao.dialects.canao.types import (
    broadcast_shapes,
    element_of,
    i1,
    i64,
    is_float,
    normalise_axis,
    shape_of,
)
from canao.transforms.convert_torch_to_canao.arithmetic.quotients import floor_quotient
from canao.transforms.convert_torch_to_canao.emitter import Converter, Emitter
from canao.transforms.convert_torch_to_canao.indexing.folds import product_along
from canao.transforms.convert_torch_to_canao.indexing.indexing import from_front
from canao.transforms.convert_torch_to_canao.indexing.masks import put_where
from canao.transforms.convert_torch_to_canao.indexing.pairs import check_pairs
from canao.transforms.convert_torch_to_canao.indexing.updates import put_slice
from canao.transforms.convert_torch_to_canao.torch_call import TorchCall


def within(e: Emitter, place: SSAValue, extent: int) -> SSAValue:
    """Places as they are, looked up among 0 to `extent - 1`: others end the run with an error."""
    return e.emit(GatherOp(e.iota(extent), [place]))


def furthest(element: Attribute, sign: int) -> float:
    """The number beyond all others of an element type: the largest for a sign of 1, or -1."""
    dtype = dtype_of_element(element)
    if dtype.kind == "f":
        return sign * inf
    limits = np.iinfo(dtype.name)
    return limits.max if sign > 0 else limits.min


@dataclass(frozen=True)
class Named:
    """Which updates name which places.

    `pairs` is i1 of shape [places, updates, ...]; `updates` is their number.
    """

    pairs: SSAValue
    updates: int

    @staticmethod
    def of(e: Emitter, index: SSAValue, places: int) -> Named:
        """From the place that each update names, [updates, ...]."""
        shape = shape_of(index)
        wide = e.reshape(index, [1, *shape])
        numbers = e.iota(places, 0, len(shape) + 1)
        return Named(e.emit(CompareOp("eq", wide, numbers)), shape[0])

    def _folded(self, e: Emitter, kind: type, parts: SSAValue) -> SSAValue:
        total = e.emit(kind(parts, [1]))
        shape = shape_of(total)
        return e.reshape(total, [shape[0], *shape[2:]])

    def last(self, e: Emitter) -> SSAValue:
        """The number of the last update that names each place; -1 where none does."""
        numbers = e.iota(self.updates, 1, len(shape_of(self.pairs)))
        chosen = e.emit(SelectOp(self.pairs, numbers, e.scalar(-1, i64)))
        return self._folded(e, ReduceMaxOp, chosen)

    def fold(self, e: Emitter, kind: type, new: SSAValue, neutral: float) -> SSAValue:
        """A reduction of the updates, [updates, ...], of each place; `neutral` without any."""
        wide = e.reshape(new, [1, *shape_of(new)])
        filling = e.scalar(neutral, element_of(new))
        return self._folded(e, kind, e.emit(SelectOp(self.pairs, wide, filling)))

    def product(self, e: Emitter, new: SSAValue) -> SSAValue:
        """The product of the updates, [updates, ...], of each place."""
        wide = e.reshape(new, [1, *shape_of(new)])
        parts = e.emit(SelectOp(self.pairs, wide, e.scalar(1, element_of(new))))
        total = product_along(e, parts, 1)
        shape = shape_of(total)
        return e.reshape(total, [shape[0], *shape[2:]])

    def count(self, e: Emitter, element: Attribute) -> SSAValue:
        """How many updates name each place."""
        return self._folded(e, ReduceSumOp, e.cast(self.pairs, element))


def pick(e: Emitter, table: SSAValue, index: SSAValue) -> SSAValue:
    """`out[i, j] = table[index[i, j], j]`, where an axis of length 1 of `index` stands for all."""
    shape, rank = shape_of(index), len(shape_of(index))
    if all(extent == 1 for extent in shape[1:]):
        return e.emit(GatherOp(table, [e.reshape(index, shape[:1])]))
    rest = [e.iota(extent, n, rank) for n, extent in enumerate(shape) if n]
    return e.emit(GatherOp(table, [index, *rest]))


def replaced(e: Emitter, value: SSAValue, named: Named, new: SSAValue) -> SSAValue:
    """`value` where no update names the place, else the last update that does."""
    last = named.last(e)
    zero = e.scalar(0, i64)
    found = e.emit(CompareOp("ge", last, zero))
    return e.emit(SelectOp(found, pick(e, new, e.emit(MaximumOp(last, zero))), value))


def _increased(e: Emitter, value: SSAValue, named: Named, new: SSAValue) -> SSAValue:
    return e.emit(AddOp(value, named.fold(e, ReduceSumOp, new, 0)))


def _with_part(e: Emitter, value: SSAValue, part: SSAValue) -> SSAValue:
    """`value` with `part` in the corner at 0."""
    for axis, (whole, extent) in enumerate(zip(shape_of(value), shape_of(part), strict=True)):
        if whole != extent:
            inner = _with_part(e, e.slice(value, axis, 0, extent), part)
            return put_slice(e, value, inner, axis, range(extent))
    return part


def _corner(e: Emitter, value: SSAValue, shape: Sequence[int]) -> SSAValue:
    for axis, extent in enumerate(shape):
        value = e.slice(value, axis, 0, extent)
    return value


class _Along:
    """The operands of a scatter along an axis, with that axis first and equal shapes but for it."""

    def __init__(self, e: Emitter, call: TorchCall) -> None:
        whole, index = call.tensor(0), call.tensor(2)
        rank = max(len(shape_of(whole)), 1)
        self._whole = e.reshape(whole, shape_of(whole) or [1])
        index = e.reshape(e.cast(index, i64), shape_of(index) or [1])
        self._axis = normalise_axis(call.integer(1), rank)
        self._order = [self._axis, *(n for n in range(rank) if n != self._axis)]
        self._shape = shape_of(index)
        corner = list(self._shape)
        corner[self._axis] = shape_of(self._whole)[self._axis]
        self.value = e.transpose(_corner(e, self._whole, corner), self._order)
        places = shape_of(self.value)[0]
        self.index = within(e, e.transpose(index, self._order), places)
        check_pairs(call, places * prod(self._shape))
        self.named = Named.of(e, self.index, places)

    def updates(self, e: Emitter, call: TorchCall, number: int) -> SSAValue:
        """Argument `number`, a tensor or a number, as one update for each index."""
        given = call.argument(number)
        new = e.as_tensor(given, call.element)
        shape = [self._shape[n] for n in self._order]
        if not isinstance(given, SSAValue) or not shape_of(new):
            return e.broadcast(new, shape)
        return e.transpose(_corner(e, new, self._shape), self._order)

    def result(self, e: Emitter, call: TorchCall, value: SSAValue) -> SSAValue:
        """The whole tensor with what the updates made of `value`."""
        back = e.transpose(value, [self._order.index(n) for n in range(len(self._order))])
        return e.reshape(_with_part(e, self._whole, back), call.shape)


def scatter(e: Emitter, call: TorchCall) -> SSAValue:
    """`out[n[i, j], j] = b[i, j]` for axis 0; of equal places the last counts."""
    along = _Along(e, call)
    new = along.updates(e, call, 3)
    return along.result(e, call, replaced(e, along.value, along.named, new))


def scatter_add(e: Emitter, call: TorchCall) -> SSAValue:
    """`out[n[i, j], j] += b[i, j]` for axis 0."""
    along = _Along(e, call)
    new = along.updates(e, call, 3)
    return along.result(e, call, _increased(e, along.value, along.named, new))


def scatter_reduce(e: Emitter, call: TorchCall) -> SSAValue:
    """As `scatter_add`, by sum, mean, prod, amax or amin; with or without what was there."""
    kind, own = call.text(4), call.flag(5, True)
    along = _Along(e, call)
    new = along.updates(e, call, 3)
    count = along.named.count(e, i64)
    found = _folded_updates(e, kind, along, new)
    if own:
        found = e.emit(_COMBINE[kind](along.value, found))
    if kind == "mean":
        least = e.scalar(1, i64)
        share = e.emit(AddOp(count, least)) if own else e.emit(MaximumOp(count, least))
        found = _mean(e, found, e.cast(share, call.element))
    touched = e.emit(CompareOp("gt", count, e.scalar(0, i64)))
    return along.result(e, call, e.emit(SelectOp(touched, found, along.value)))


def _mean(e: Emitter, total: SSAValue, count: SSAValue) -> SSAValue:
    """The share of each; of integers rounded down."""
    return e.emit(DivOp(total, count)) if is_float(total) else floor_quotient(e, total, count)


_COMBINE = {"sum": AddOp, "mean": AddOp, "prod": MulOp, "amax": MaximumOp, "amin": MinimumOp}


def _folded_updates(e: Emitter, kind: str, along: _Along, new: SSAValue) -> SSAValue:
    if kind in ("sum", "mean"):
        return along.named.fold(e, ReduceSumOp, new, 0)
    if kind == "prod":
        return along.named.product(e, new)
    kind_of, sign = (ReduceMaxOp, -1) if kind == "amax" else (ReduceMinOp, 1)
    return along.named.fold(e, kind_of, new, furthest(element_of(new), sign))


def index_put(e: Emitter, call: TorchCall) -> SSAValue:
    """`out = a; out[n, :, m] = b`, or `+= b`; of equal places the last counts.

    The indexed dimensions become one, in front of the rest.
    """
    value = call.tensor(0)
    given = [(n, place) for n, place in enumerate(call.items(1)) if place is not None]
    places = [place for _, place in given if isinstance(place, SSAValue)]
    masks = [place for place in places if element_of(place) == i1]
    if len(masks) == 1 and len(places) == 1:
        return put_where(e, call, masks[0], given[0][0])
    if masks or len(places) != len(given):
        raise call.unsupported("indices must be integer tensors, or one mask alone")
    shape, axes = shape_of(value), [axis for axis, _ in given]
    rest = [n for n in range(len(shape)) if n not in axes]
    picked = broadcast_shapes([shape_of(place) for place in places])
    updates, count = prod(picked), prod(shape[axis] for axis in axes)
    check_pairs(call, updates * count)
    index = e.scalar(0, i64)
    for axis, place in zip(axes, places, strict=True):
        scaled = e.emit(MulOp(index, e.scalar(shape[axis], i64)))
        place = from_front(e, e.cast(place, i64), shape[axis])
        index = e.emit(AddOp(scaled, within(e, place, shape[axis])))
    index = e.reshape(e.broadcast(index, picked), [updates, *(1 for _ in rest)])
    front = e.transpose(value, [*axes, *rest])
    flat = e.reshape(front, [count, *(shape[n] for n in rest)])
    new = e.reshape(_values_in_front(e, call, axes, picked), [updates, *(shape[n] for n in rest)])
    put = _increased if call.flag(3) else replaced
    out = e.reshape(put(e, flat, Named.of(e, index, count), new), shape_of(front))
    order = [*axes, *rest]
    return e.transpose(out, [order.index(n) for n in range(len(shape))])


def _values_in_front(
    e: Emitter, call: TorchCall, axes: Sequence[int], picked: Sequence[int]
) -> SSAValue:
    """The values of `index_put` as they come, with the picked dimensions before the rest."""
    shape, first, new = call.shape, axes[0], len(picked)
    new_values = e.cast(call.tensor(2), call.element)
    rest = [extent for n, extent in enumerate(shape) if n not in axes]
    if list(axes) != list(range(first, first + len(axes))):
        return e.broadcast(new_values, [*picked, *rest])
    whole = e.broadcast(new_values, [*rest[:first], *picked, *rest[first:]])
    after = range(first + new, new + len(rest))
    return e.transpose(whole, [*range(first, first + new), *range(first), *after])


CONVERSIONS: dict[str, Converter] = {
    "scatter.src": scatter,
    "scatter.value": scatter,
    "scatter_add": scatter_add,
    "scatter_reduce.two": scatter_reduce,
    "index_put": index_put,
    "index_put.hacked_twin": index_put,
    "_unsafe_index_put.hacked_twin": index_put,
}
