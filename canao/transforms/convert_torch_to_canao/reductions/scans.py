"""Conversions of products and of running sums, products and extrema along an axis."""

from __future__ import annotations

from math import inf, prod

from xdsl.ir import SSAValue

from canao.dialects.canao import (
    AndOp,
    CompareOp,
    MulOp,
    OrOp,
    ReduceMaxOp,
    ReduceMinOp,
    SelectOp,
)
from canao.dialects.canao.types import element_of, i64, is_float, normalise_axis, shape_of
from canao.transforms.convert_torch_to_canao.arithmetic.functions import not_a_number
from canao.transforms.convert_torch_to_canao.emitter import Converter, Emitter
from canao.transforms.convert_torch_to_canao.indexing.folds import product_along, sums_along
from canao.transforms.convert_torch_to_canao.indexing.pairs import check_pairs
from canao.transforms.convert_torch_to_canao.indexing.scattering import furthest
from canao.transforms.convert_torch_to_canao.movement.shapes import joined
from canao.transforms.convert_torch_to_canao.reductions.reductions import ReduceClass, log_of_sum
from canao.transforms.convert_torch_to_canao.torch_call import TorchCall


def product(e: Emitter, call: TorchCall) -> SSAValue:
    """The product of all elements."""
    value = e.cast(call.tensor(0), call.element)
    flat = e.reshape(value, [prod(shape_of(value))])
    return e.reshape(product_along(e, flat, 0), call.shape)


def product_of_axis(e: Emitter, call: TorchCall) -> SSAValue:
    """The product along the axis in argument 1."""
    value = e.cast(call.tensor(0), call.element)
    if not shape_of(value):
        return value
    axis = normalise_axis(call.integer(1), len(shape_of(value)))
    return e.reshape(product_along(e, value, axis), call.shape)


def running_sum(e: Emitter, call: TorchCall) -> SSAValue:
    """Sums of all elements up to each."""
    value = e.cast(call.tensor(0), call.element)
    shape = shape_of(value)
    return sums_along(e, value, normalise_axis(call.integer(1), len(shape))) if shape else value


def running_product(e: Emitter, call: TorchCall) -> SSAValue:
    """Products of all elements up to each: of the last 2, 4, 8, ... of them in turn."""
    value = e.cast(call.tensor(0), call.element)
    shape = list(shape_of(value))
    if not shape:
        return value
    axis = normalise_axis(call.integer(1), len(shape))
    extent, distance = shape[axis], 1
    while distance < extent:
        shape[axis] = distance
        ones = e.filled(1, call.element, shape)
        earlier = e.slice(value, axis, 0, extent - distance)
        value = e.emit(MulOp(joined(e, [ones, earlier], axis), value))
        distance *= 2
    return value


class _Triangle:
    """An axis spread over two: place [..., n, m] is element m, seen from element n."""

    def __init__(self, e: Emitter, call: TorchCall) -> None:
        value = call.tensor(0)
        self._given = shape_of(value)
        value = e.reshape(value, self._given or [1])
        rank = len(shape_of(value))
        axis = normalise_axis(call.integer(1), rank)
        self._back = list(range(rank - 1))
        self._back.insert(axis, rank - 1)
        self.value = e.transpose(value, [*(n for n in range(rank) if n != axis), axis])
        self.shape = shape_of(self.value)
        *front, extent = self.shape
        check_pairs(call, prod(self.shape) * extent)
        self.axis = len(front) + 1
        self.numbers = e.iota(extent, 1, 2)
        self.earlier = e.emit(CompareOp("le", self.numbers, e.iota(extent, 0, 2)))
        self.wide = e.reshape(self.value, [*front, 1, extent])

    def fold(self, e: Emitter, kind: ReduceClass, parts: SSAValue) -> SSAValue:
        """A reduction over m, [..., n, 1]."""
        return e.emit(kind(parts, [self.axis]))

    def result(self, e: Emitter, value: SSAValue) -> SSAValue:
        """[..., n, 1] in the order of the operand."""
        return e.reshape(e.transpose(e.reshape(value, self.shape), self._back), self._given)


def running_extreme(kind: ReduceClass, sign: int) -> Converter:
    """The extreme of all elements up to each, and where it was last; NaN once there was one.

    `sign` is that of the number which no other is further from.
    """

    def convert(e: Emitter, call: TorchCall) -> list[SSAValue | None]:
        view = _Triangle(e, call)
        element = element_of(view.value)
        filling = e.scalar(furthest(element, sign), element)
        extreme = view.fold(e, kind, e.emit(SelectOp(view.earlier, view.wide, filling)))
        here = e.emit(CompareOp("eq", view.wide, extreme))
        if is_float(view.value):
            here = e.emit(OrOp(here, not_a_number(e, view.wide)))
        here = e.emit(AndOp(here, view.earlier))
        last = e.emit(SelectOp(here, view.numbers, e.scalar(0, i64)))
        return [view.result(e, extreme), view.result(e, view.fold(e, ReduceMaxOp, last))]

    return convert


def running_log_sum_exp(e: Emitter, call: TorchCall) -> SSAValue:
    """`log(sum(e ** a))` of all elements up to each."""
    view = _Triangle(e, call)
    lowest = e.scalar(-inf, call.element)
    parts = e.emit(SelectOp(view.earlier, view.wide, lowest))
    return view.result(e, log_of_sum(e, parts, [view.axis]))


CONVERSIONS: dict[str, Converter] = {
    "prod": product,
    "prod.dim_int": product_of_axis,
    "cumsum": running_sum,
    "cumprod": running_product,
    "cummax": running_extreme(ReduceMaxOp, -1),
    "cummin": running_extreme(ReduceMinOp, 1),
    "logcumsumexp": running_log_sum_exp,
}
