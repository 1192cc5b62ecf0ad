"""Conversions of reductions."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, nan, prod

from xdsl.dialects.builtin import f64
from xdsl.ir import SSAValue

from canao.dialects.canao import (
    AbsOp,
    AddOp,
    CompareOp,
    DivOp,
    ExpOp,
    LogOp,
    MulOp,
    OrOp,
    ReduceMaxOp,
    ReduceMinOp,
    ReduceSumOp,
    SelectOp,
    SqrtOp,
    SubOp,
)
from canao.dialects.canao.types import element_of, i1, i64, is_float, normalise_axis, shape_of
from canao.extent import is_symbolic
from canao.transforms.convert_torch_to_canao.emitter import Converter, Emitter
from canao.transforms.convert_torch_to_canao.torch_call import TorchCall

ReduceClass = type[ReduceSumOp] | type[ReduceMaxOp] | type[ReduceMinOp]


def axes_of(call: TorchCall, number: int, value: SSAValue) -> list[int]:
    """Argument `number` as axes of `value`; None or an empty list means all."""
    rank = len(shape_of(value))
    if not rank:
        return []  # PyTorch takes axes 0 and -1 of a number, too
    given = call.integers(number) if call.argument(number) is not None else []
    return sorted(normalise_axis(axis, rank) for axis in given) if given else list(range(rank))


def reduced(e: Emitter, kind: ReduceClass, value: SSAValue, axes: Sequence[int]) -> SSAValue:
    """A reduction whose axes stay with length 1; none of them leaves `value` as it is."""
    return e.emit(kind(value, axes)) if axes else value


def _numbers(e: Emitter, value: SSAValue) -> SSAValue:
    """What reductions can fold: truth counts as 0 or 1."""
    return e.cast(value, i64) if element_of(value) == i1 else value


def _folded(
    e: Emitter, call: TorchCall, kind: ReduceClass, value: SSAValue, axes: Sequence[int]
) -> SSAValue:
    """As `reduced`; an error for the largest or least of no elements."""
    shape = shape_of(value)
    if kind is not ReduceSumOp and 0 in shape and 0 not in call.shape:
        raise call.unsupported(
            f"a tensor of shape {shape} has no largest or least element; give it elements"
        )
    return reduced(e, kind, value, axes)


def mean_of(e: Emitter, value: SSAValue, axes: Sequence[int]) -> SSAValue:
    """The mean over axes, which stay with length 1; NaN where there is nothing to average."""
    total = reduced(e, ReduceSumOp, value, axes)
    count = prod(shape_of(value)[axis] for axis in axes)
    if is_symbolic(count):
        return e.emit(DivOp(total, e.size(count, element_of(value))))
    share = 1.0 / count if count else nan
    return e.emit(MulOp(total, e.scalar(share, element_of(value))))


def folding(kind: ReduceClass) -> Converter:
    """A reduction over the axes in argument 1."""

    def convert(e: Emitter, call: TorchCall) -> SSAValue:
        value = _numbers(e, e.cast(call.tensor(0), call.element))
        axes = axes_of(call, 1, value)
        return e.cast(e.reshape(_folded(e, call, kind, value, axes), call.shape), call.element)

    return convert


def folding_all(kind: ReduceClass) -> Converter:
    """A reduction over every axis."""

    def convert(e: Emitter, call: TorchCall) -> SSAValue:
        value = _numbers(e, e.cast(call.tensor(0), call.element))
        axes = range(len(shape_of(value)))
        return e.cast(e.reshape(_folded(e, call, kind, value, axes), call.shape), call.element)

    return convert


def truth(kind: ReduceClass, whole: bool) -> Converter:
    """Whether any (the maximum) or all (the minimum) elements are true."""

    def convert(e: Emitter, call: TorchCall) -> SSAValue:
        value = _numbers(e, e.cast(call.tensor(0), i1))
        axes = list(range(len(shape_of(value)))) if whole else axes_of(call, 1, value)
        if 0 in shape_of(value):
            return e.filled(kind is ReduceMinOp, call.element, call.shape)
        found = e.cast(reduced(e, kind, value, axes), i1)
        return e.cast(e.reshape(found, call.shape), call.element)

    return convert


def mean(e: Emitter, call: TorchCall) -> SSAValue:
    """The mean over every axis."""
    value = e.cast(call.tensor(0), call.element)
    return e.reshape(mean_of(e, value, range(len(shape_of(value)))), call.shape)


def mean_over(e: Emitter, call: TorchCall) -> SSAValue:
    """The mean over the axes in argument 1."""
    value = e.cast(call.tensor(0), call.element)
    return e.reshape(mean_of(e, value, axes_of(call, 1, value)), call.shape)


def _position(e: Emitter, value: SSAValue, extreme: SSAValue, axis: int) -> SSAValue:
    """The first index along `axis` at which `value` equals `extreme`, or is NaN as that is."""
    shape = shape_of(value)
    here = e.emit(CompareOp("eq", value, extreme))
    if is_float(value):
        # Where one element is NaN, so is the extreme, and equals none.
        here = e.emit(OrOp(here, e.emit(CompareOp("ne", value, value))))
    numbers = e.iota(shape[axis], axis, len(shape))
    beyond = e.size(shape[axis], i64)
    return e.emit(ReduceMinOp(e.emit(SelectOp(here, numbers, beyond)), [axis]))


def extreme_with_index(kind: ReduceClass) -> Converter:
    """The extreme value along an axis, and its index where one is asked for."""

    def convert(e: Emitter, call: TorchCall) -> list[SSAValue | None]:
        value = _numbers(e, call.tensor(0))
        axes = axes_of(call, 1, value)[:1] if shape_of(value) else []
        extreme = _folded(e, call, kind, value, axes)
        index = None
        if call.used[1]:
            index = _position(e, value, extreme, axes[0]) if axes else e.scalar(0, i64)
            index = e.reshape(index, call.shape)
        return [e.cast(e.reshape(extreme, call.shape), call.element), index]

    return convert


def index_of_extreme(kind: ReduceClass) -> Converter:
    """The index of the extreme value, along an axis or in the flattened operand."""

    def convert(e: Emitter, call: TorchCall) -> SSAValue:
        value = _numbers(e, call.tensor(0))
        if call.argument(1) is None:
            value = e.reshape(value, [prod(shape_of(value))])
        axis = normalise_axis(call.integer(1, 0), len(shape_of(value)))
        extreme = _folded(e, call, kind, value, [axis])
        return e.reshape(_position(e, value, extreme, axis), call.shape)

    return convert


def _spread(e: Emitter, call: TorchCall, correction: float) -> tuple[SSAValue, SSAValue]:
    """The variance with a correction and the mean, as float64 of the result's shape.

    PyTorch adds up in float64 too: a mean far from 0 costs no digits, and the
    root of a variance beyond float32 is a number.
    """
    value = e.cast(call.tensor(0), f64)
    axes = axes_of(call, 1, value)
    mean = mean_of(e, value, axes)
    centred = e.emit(SubOp(value, mean))
    total = reduced(e, ReduceSumOp, e.emit(MulOp(centred, centred)), axes)
    count = prod(shape_of(value)[axis] for axis in axes)
    share = 1.0 / (count - correction) if count > correction else inf
    variance = e.emit(MulOp(total, e.scalar(share, f64)))
    return e.reshape(variance, call.shape), e.reshape(mean, call.shape)


def variance(e: Emitter, call: TorchCall) -> SSAValue:
    """The variance with a correction (`var.correction`), 1 unless given."""
    return e.cast(_spread(e, call, call.number(2, 1))[0], call.element)


def variance_unbiased(e: Emitter, call: TorchCall) -> SSAValue:
    """The variance with a flag for a correction of 1 (`var.dim`)."""
    return e.cast(_spread(e, call, float(call.flag(2, True)))[0], call.element)


def variance_and_mean(e: Emitter, call: TorchCall) -> list[SSAValue | None]:
    """The variance and the mean over axes."""
    return [e.cast(part, call.element) for part in _spread(e, call, call.number(2, 1))]


def deviation(e: Emitter, call: TorchCall) -> SSAValue:
    """The standard deviation with a correction."""
    return e.cast(e.emit(SqrtOp(_spread(e, call, call.number(2, 1))[0])), call.element)


def _finite_or_zero(e: Emitter, value: SSAValue) -> SSAValue:
    """`value`, with 0 in place of infinities."""
    infinite = e.emit(CompareOp("eq", e.emit(AbsOp(value)), e.scalar(inf, element_of(value))))
    return e.emit(SelectOp(infinite, e.scalar(0, element_of(value)), value))


def log_of_sum(e: Emitter, value: SSAValue, axes: Sequence[int]) -> SSAValue:
    """`log(sum(e ** value))` over axes that stay with length 1.

    Shifted by the maximum against overflow where that is finite.
    """
    largest = _finite_or_zero(e, reduced(e, ReduceMaxOp, value, axes))
    power = e.emit(ExpOp(e.emit(SubOp(value, largest))))
    total = e.emit(LogOp(reduced(e, ReduceSumOp, power, axes)))
    return e.emit(AddOp(total, largest))


def log_sum_exp(e: Emitter, call: TorchCall) -> SSAValue:
    """The logarithm of the sum of powers of e, over the axes in argument 1."""
    value = e.cast(call.tensor(0), call.element)
    return e.reshape(log_of_sum(e, value, axes_of(call, 1, value)), call.shape)


CONVERSIONS: dict[str, Converter] = {
    "sum": folding_all(ReduceSumOp),
    "sum.dim_IntList": folding(ReduceSumOp),
    "max": folding_all(ReduceMaxOp),
    "min": folding_all(ReduceMinOp),
    "amax": folding(ReduceMaxOp),
    "amin": folding(ReduceMinOp),
    "max.dim": extreme_with_index(ReduceMaxOp),
    "min.dim": extreme_with_index(ReduceMinOp),
    "argmax": index_of_extreme(ReduceMaxOp),
    "argmin": index_of_extreme(ReduceMinOp),
    "any": truth(ReduceMaxOp, whole=True),
    "any.dim": truth(ReduceMaxOp, whole=False),
    "any.dims": truth(ReduceMaxOp, whole=False),
    "all": truth(ReduceMinOp, whole=True),
    "all.dim": truth(ReduceMinOp, whole=False),
    "all.dims": truth(ReduceMinOp, whole=False),
    "mean": mean,
    "mean.dim": mean_over,
    "var.correction": variance,
    "var.dim": variance_unbiased,
    "var_mean.correction": variance_and_mean,
    "std.correction": deviation,
    "logsumexp": log_sum_exp,
}
