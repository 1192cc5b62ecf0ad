"""Conversions of operations that make tensors known when compiling."""

from __future__ import annotations

import numpy as np
from xdsl.ir import SSAValue

from canao.dialects.canao import AddOp, CompareOp, ConcatOp, SelectOp
from canao.dialects.canao.source import dtype_of_element
from canao.dialects.canao.types import i64, shape_of
from canao.extent import Extent, most
from canao.transforms.convert_torch_to_canao.emitter import Converter, Emitter
from canao.transforms.convert_torch_to_canao.torch_call import TorchCall


def filled_with(value: float) -> Converter:
    """A constant of one fixed value."""

    def convert(e: Emitter, call: TorchCall) -> SSAValue:
        return e.filled(value, call.element, call.shape)

    return convert


def filled_by(argument: int) -> Converter:
    """A tensor of the value that an argument holds, a number or a size."""

    def convert(e: Emitter, call: TorchCall) -> SSAValue:
        value = call.argument(argument)
        if isinstance(value, Extent):
            return e.broadcast(e.size(value, call.element), call.shape)
        return e.filled(call.number(argument), call.element, call.shape)

    return convert


def sizes(e: Emitter, call: TorchCall) -> SSAValue:
    """The shape of a tensor, as one of integers."""
    extents = shape_of(call.tensor(0))
    parts = [e.reshape(e.size(extent, call.element), [1]) for extent in extents]
    return e.emit(ConcatOp(parts, 0))


def _range(e: Emitter, call: TorchCall, start: float, step: float) -> SSAValue:
    dtype, extent = dtype_of_element(call.element), call.shape[0]
    numbers = e.array((start + step * np.arange(most(extent))).astype(dtype))
    return e.slice(numbers, 0, 0, extent)


def arange(e: Emitter, call: TorchCall) -> SSAValue:
    """`arange(end)`."""
    return _range(e, call, 0, 1)


def arange_start(e: Emitter, call: TorchCall) -> SSAValue:
    """`arange(start, end)`."""
    return _range(e, call, call.number(0), 1)


def arange_step(e: Emitter, call: TorchCall) -> SSAValue:
    """`arange(start, end, step)`."""
    return _range(e, call, call.number(0), call.number(2, 1))


def _triangle(e: Emitter, shape: tuple[int, ...], order: str, diagonal: int) -> SSAValue:
    """Whether `column - row <order> diagonal`, over the last two dimensions."""
    rows, columns = shape[-2:]
    row = e.iota(rows, 0, 2)
    row = e.emit(AddOp(row, e.scalar(diagonal, i64))) if diagonal else row
    return e.emit(CompareOp(order, e.iota(columns, 1, 2), row))


def triangular(order: str) -> Converter:
    """The part of a matrix on one side of a diagonal, zeros elsewhere."""

    def convert(e: Emitter, call: TorchCall) -> SSAValue:
        value = call.tensor(0)
        keep = _triangle(e, shape_of(value), order, call.integer(1, 0))
        return e.emit(SelectOp(keep, value, e.scalar(0, call.element)))

    return convert


def eye(e: Emitter, call: TorchCall) -> SSAValue:
    """The identity matrix."""
    return e.cast(_triangle(e, call.shape, "eq", 0), call.element)


_ZEROS = ("zeros", "zeros_like", "new_zeros", "zero")
_ONES = ("ones", "ones_like", "new_ones")
# Nothing may rely on what memory held before: zeros are as good as anything.
_EMPTY = (
    "empty.memory_format",
    "empty_like",
    "new_empty",
    "empty_permuted",
    "empty_strided",
    "new_empty_strided",
)

CONVERSIONS: dict[str, Converter] = {
    **dict.fromkeys((*_ZEROS, *_EMPTY), filled_with(0)),
    **dict.fromkeys(_ONES, filled_with(1)),
    "full": filled_by(1),
    "full_like": filled_by(1),
    "fill.Scalar": filled_by(1),
    "new_full": filled_by(2),
    "scalar_tensor": filled_by(0),
    "_shape_as_tensor": sizes,
    "arange": arange,
    "arange.start": arange_start,
    "arange.start_step": arange_step,
    "eye": eye,
    "eye.m": eye,
    "tril": triangular("le"),
    "triu": triangular("ge"),
}
