"""Conversions of sorting and of what picks by order.

An element's rank is the number of those before it: all pairs along the axis are
compared. Equal elements keep their order and NaN is larger than any number, as
in PyTorch.
"""

from __future__ import annotations

from math import prod

import numpy as np
import numpy.typing as npt
from xdsl.ir import SSAValue

from canao.dialects.canao import (
    AndOp,
    CompareOp,
    GatherOp,
    NotOp,
    OrOp,
    ReduceMaxOp,
    ReduceMinOp,
    ReduceSumOp,
    SelectOp,
)
from canao.dialects.canao.types import element_of, i1, i64, is_float, normalise_axis, shape_of
from canao.transforms.convert_torch_to_canao.arithmetic.functions import not_a_number
from canao.transforms.convert_torch_to_canao.emitter import Converter, Emitter
from canao.transforms.convert_torch_to_canao.indexing.pairs import check_pairs
from canao.transforms.convert_torch_to_canao.indexing.scattering import furthest
from canao.transforms.convert_torch_to_canao.movement.shapes import joined
from canao.transforms.convert_torch_to_canao.torch_call import TorchCall

MOST_SORTED = 2048
"""The longest axis that is sorted: the time grows with its square."""

MOST_TAKEN = 64
"""The most elements that `topk` takes from a longer axis, one after another."""


class _Row:
    """The operand of a call with the sorted axis last, [..., extent]."""

    def __init__(self, e: Emitter, value: SSAValue, axis: int) -> None:
        value = e.reshape(value, shape_of(value) or [1])
        rank = len(shape_of(value))
        axis = normalise_axis(axis, rank)
        self._back = list(range(rank - 1))
        self._back.insert(axis, rank - 1)
        self.value = e.transpose(value, [*(n for n in range(rank) if n != axis), axis])
        self.shape = shape_of(self.value)
        self.extent = self.shape[-1]
        # Truth values are ordered as numbers.
        self.keys = e.cast(self.value, i64) if element_of(value) == i1 else self.value

    def pick(self, e: Emitter, index: SSAValue) -> SSAValue:
        """The elements at places along the last axis, [..., count]."""
        rank = len(self.shape)
        rest = [e.iota(extent, n, rank) for n, extent in enumerate(self.shape[:-1])]
        return e.emit(GatherOp(self.value, [*rest, index]))

    def moved_back(self, e: Emitter, value: SSAValue) -> SSAValue:
        """[..., count] with the last axis where the sorted one was."""
        axes = self._back
        return e.transpose(value, axes)


def _less(e: Emitter, lhs: SSAValue, rhs: SSAValue) -> SSAValue:
    """Whether a key is below another, NaN being the largest."""
    less = e.emit(CompareOp("lt", lhs, rhs))
    if not is_float(lhs):
        return less
    number = e.emit(NotOp(not_a_number(e, lhs)))
    return e.emit(OrOp(less, e.emit(AndOp(not_a_number(e, rhs), number))))


def _equal(e: Emitter, lhs: SSAValue, rhs: SSAValue) -> SSAValue:
    """Whether two keys are equal, NaN being equal to itself."""
    equal = e.emit(CompareOp("eq", lhs, rhs))
    if not is_float(lhs):
        return equal
    both = e.emit(AndOp(not_a_number(e, lhs), not_a_number(e, rhs)))
    return e.emit(OrOp(equal, both))


def _ranks(e: Emitter, call: TorchCall, row: _Row, descending: bool) -> SSAValue:
    """How many elements come before each, [..., extent]."""
    *front, extent = row.shape
    if extent > MOST_SORTED:
        raise call.unsupported(
            f"it sorts {extent} elements, and at most {MOST_SORTED} are; take the largest "
            f"{MOST_TAKEN} or fewer by topk, or sort outside the compiled model"
        )
    check_pairs(call, prod(row.shape) * extent)
    own = e.reshape(row.keys, [*front, extent, 1])
    other = e.reshape(row.keys, [*front, 1, extent])
    earlier = e.emit(CompareOp("lt", e.iota(extent, 1, 2), e.iota(extent, 0, 2)))
    beyond = _less(e, own, other) if descending else _less(e, other, own)
    tie = e.emit(AndOp(_equal(e, own, other), earlier))
    before = e.cast(e.emit(OrOp(beyond, tie)), i64)
    return e.reshape(e.emit(ReduceSumOp(before, [len(front) + 1])), row.shape)


def _places(e: Emitter, ranks: SSAValue, count: int) -> SSAValue:
    """The place of the element of each rank below `count`, [..., count]."""
    *front, extent = shape_of(ranks)
    wide = e.reshape(ranks, [*front, 1, extent])
    here = e.emit(CompareOp("eq", wide, e.iota(count, 0, 2)))
    chosen = e.emit(SelectOp(here, e.iota(extent), e.scalar(0, i64)))
    return e.reshape(e.emit(ReduceSumOp(chosen, [len(front) + 1])), [*front, count])


def _answer(e: Emitter, call: TorchCall, row: _Row, index: SSAValue) -> list[SSAValue | None]:
    values = e.reshape(row.moved_back(e, row.pick(e, index)), call.shape)
    return [values, e.reshape(row.moved_back(e, index), call.shape)]


def sort(e: Emitter, call: TorchCall, axis: int, descending: bool) -> list[SSAValue | None]:
    """All elements in order, and where they were."""
    row = _Row(e, call.tensor(0), axis)
    ranks = _ranks(e, call, row, descending)
    return _answer(e, call, row, _places(e, ranks, row.extent))


def sort_any(e: Emitter, call: TorchCall) -> list[SSAValue | None]:
    """`sort(a, dim, descending)`."""
    return sort(e, call, call.integer(1, -1), call.flag(2))


def sort_stable(e: Emitter, call: TorchCall) -> list[SSAValue | None]:
    """`sort(a, stable, dim, descending)`."""
    return sort(e, call, call.integer(2, -1), call.flag(3))


def argsort(e: Emitter, call: TorchCall) -> list[SSAValue | None]:
    """`argsort(a, dim, descending)`."""
    row = _Row(e, call.tensor(0), call.integer(1, -1))
    index = _places(e, _ranks(e, call, row, call.flag(2)), row.extent)
    return [e.reshape(row.moved_back(e, index), call.shape)]


def _first_of_largest(e: Emitter, row: _Row, left: SSAValue | None) -> SSAValue:
    """The first place of the largest element among those `left`; [..., 1]."""
    axis, keys = len(row.shape) - 1, row.keys
    if left is not None:
        lowest = e.scalar(furthest(element_of(keys), -1), element_of(keys))
        keys = e.emit(SelectOp(left, keys, lowest))
    here = _equal(e, keys, e.emit(ReduceMaxOp(keys, [axis])))
    if left is not None:
        here = e.emit(AndOp(here, left))
    found = e.emit(SelectOp(here, e.iota(row.extent), e.scalar(row.extent - 1, i64)))
    return e.emit(ReduceMinOp(found, [axis]))


def _largest(e: Emitter, row: _Row, count: int) -> SSAValue:
    """The places of the largest elements, one after another; [..., count]."""
    parts: list[SSAValue] = []
    left = None
    for _ in range(count):
        place = _first_of_largest(e, row, left)
        parts.append(place)
        key = e.cast(row.pick(e, place), element_of(row.keys))
        later = e.emit(CompareOp("gt", e.iota(row.extent), place))
        tie = e.emit(AndOp(_equal(e, row.keys, key), later))
        left = e.emit(OrOp(_less(e, row.keys, key), tie))
    return joined(e, parts, len(row.shape) - 1)


def topk(e: Emitter, call: TorchCall) -> list[SSAValue | None]:
    """`topk(a, k, dim, largest, sorted)`: the first of all in order."""
    row = _Row(e, call.tensor(0), call.integer(2, -1))
    count, largest = call.integer(1), call.flag(3, True)
    if row.extent > MOST_SORTED and largest and 0 < count <= MOST_TAKEN:
        return _answer(e, call, row, _largest(e, row, count))
    ranks = _ranks(e, call, row, descending=largest)
    return _answer(e, call, row, _places(e, ranks, count))


def kth_value(e: Emitter, call: TorchCall) -> list[SSAValue | None]:
    """`kthvalue(a, k, dim, keepdim)`: the element of rank `k - 1`."""
    row = _Row(e, call.tensor(0), call.integer(2, -1))
    rank = e.scalar(call.integer(1) - 1, i64)
    return _answer(e, call, row, _place_of(e, _ranks(e, call, row, False), rank))


def _place_of(e: Emitter, ranks: SSAValue, rank: SSAValue) -> SSAValue:
    """The place of the element of one rank, [..., 1]."""
    shape = shape_of(ranks)
    here = e.emit(CompareOp("eq", ranks, rank))
    chosen = e.emit(SelectOp(here, e.iota(shape[-1]), e.scalar(0, i64)))
    return e.emit(ReduceSumOp(chosen, [len(shape) - 1]))


def _median_place(e: Emitter, call: TorchCall, row: _Row, skip: bool) -> SSAValue:
    """The place of the lower median; of NaN if there is one, unless they are skipped."""
    ranks = _ranks(e, call, row, False)
    axis, extent = len(row.shape) - 1, row.extent
    if not is_float(row.keys):
        return _place_of(e, ranks, e.scalar((extent - 1) // 2, i64))
    nan = not_a_number(e, row.keys)
    count = e.emit(ReduceSumOp(e.cast(e.emit(NotOp(nan)), i64), [axis]))
    middle = e.array(_halves(extent))
    lower = e.emit(GatherOp(middle, [count]))
    if skip:
        return _place_of(e, ranks, lower)
    # Those that are no numbers have the ranks from `count` on.
    whole = e.emit(CompareOp("eq", count, e.scalar(extent, i64)))
    return _place_of(e, ranks, e.emit(SelectOp(whole, lower, count)))


def _halves(extent: int) -> npt.NDArray[np.int64]:
    """The rank of the lower median of 0, 1, ... elements; 0 of none."""
    return np.maximum((np.arange(extent + 1, dtype=np.int64) - 1) // 2, 0)


def median(e: Emitter, call: TorchCall) -> SSAValue:
    """The lower median of all elements."""
    value = e.reshape(call.tensor(0), [prod(shape_of(call.tensor(0)))])
    row = _Row(e, value, 0)
    place = _median_place(e, call, row, skip="nanmedian" in call.name)
    return e.reshape(row.pick(e, place), call.shape)


def median_along(e: Emitter, call: TorchCall) -> list[SSAValue | None]:
    """The lower median along an axis, and where it is."""
    row = _Row(e, call.tensor(0), call.integer(1))
    place = _median_place(e, call, row, skip="nanmedian" in call.name)
    return _answer(e, call, row, place)


CONVERSIONS: dict[str, Converter] = {
    "sort": sort_any,
    "sort.stable": sort_stable,
    "argsort": argsort,
    "topk": topk,
    "kthvalue": kth_value,
    "median": median,
    "nanmedian": median,
    "median.dim": median_along,
    "nanmedian.dim": median_along,
}
