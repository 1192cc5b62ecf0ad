"""Emits canao operations: the vocabulary that the converters share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from xdsl.builder import Builder
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, TensorType
from xdsl.ir import Attribute, Operation, SSAValue

from canao.dialects.canao import (
    BroadcastOp,
    CastOp,
    ConstantOp,
    ReduceSumOp,
    ReshapeOp,
    SliceOp,
    TransposeOp,
)
from canao.dialects.canao.source import dtype_of_element
from canao.dialects.canao.types import element_of, i1, is_float, shape_of
from canao.extent import Extent, is_symbolic, most, symbols_in
from canao.transforms.convert_torch_to_canao.promotion import promoted
from canao.transforms.convert_torch_to_canao.torch_call import Argument, TorchCall


class Emitter:
    """Appends canao operations to a block.

    The helpers leave out operations that would do nothing, so that converters
    may ask for a cast, a reshape or a broadcast without looking first.
    """

    def __init__(self, builder: Builder) -> None:
        self._builder = builder

    def insert(self, op: Operation) -> None:
        """Appends an operation."""
        self._builder.insert(op)

    def emit(self, op: Operation) -> SSAValue:
        """Appends an operation and returns its only result."""
        return self._builder.insert(op).results[0]

    def array(self, value: npt.NDArray[np.generic]) -> SSAValue:
        """A constant holding `value`."""
        return self.emit(ConstantOp.from_array(value))

    def filled(self, value: float, element: Attribute, shape: Sequence[int]) -> SSAValue:
        """A constant of one value throughout, stored once."""
        if symbols_in(shape):
            return self.broadcast(self.scalar(value, element), shape)
        scalar = np.array(value).astype(dtype_of_element(element)).item()
        stored: list[Any] = [int(scalar) if element == i1 else scalar]
        tensor: TensorType[Any] = TensorType(element, shape)
        return self.emit(ConstantOp(DenseIntOrFPElementsAttr.from_list(tensor, stored)))

    def scalar(self, value: float, element: Attribute) -> SSAValue:
        """A rank-0 constant."""
        return self.filled(value, element, ())

    def iota(self, extent: int, axis: int = 0, rank: int = 1) -> SSAValue:
        """The numbers 0 to `extent - 1` along `axis`, of length 1 along the others."""
        whole = most(extent)
        shape = [whole if n == axis else 1 for n in range(rank)]
        numbers = self.array(np.arange(whole, dtype=np.int64).reshape(shape))
        return self.slice(numbers, axis, 0, extent)

    def size(self, extent: int, element: Attribute) -> SSAValue:
        """An extent as a number of rank 0: how many ones there are along it."""
        if not is_symbolic(extent):
            return self.scalar(extent, element)
        ones = self.filled(1, element, [extent])
        return self.reshape(self.emit(ReduceSumOp(ones, [0])), [])

    def cast(self, value: SSAValue, element: Attribute) -> SSAValue:
        """`value` with elements of type `element`."""
        return value if element_of(value) == element else self.emit(CastOp(value, element))

    def reshape(self, value: SSAValue, shape: Sequence[int]) -> SSAValue:
        """`value` under another shape."""
        same = shape_of(value) == tuple(shape)
        return value if same else self.emit(ReshapeOp(value, shape))

    def broadcast(self, value: SSAValue, shape: Sequence[int]) -> SSAValue:
        """`value` repeated to `shape`."""
        same = shape_of(value) == tuple(shape)
        return value if same else self.emit(BroadcastOp(value, shape))

    def transpose(self, value: SSAValue, permutation: Sequence[int]) -> SSAValue:
        """`value` with permuted dimensions."""
        rank = len(shape_of(value))
        axes = [axis % rank for axis in permutation]
        return value if axes == list(range(rank)) else self.emit(TransposeOp(value, axes))

    def swap(self, value: SSAValue, first: int, second: int) -> SSAValue:
        """`value` with two dimensions exchanged."""
        axes = list(range(len(shape_of(value))))
        if axes:
            axes[first], axes[second] = axes[second], axes[first]
        return self.transpose(value, axes)

    def slice(self, value: SSAValue, axis: int, start: int, size: int, step: int = 1) -> SSAValue:
        """`size` elements of `value` along `axis`, from `start` by `step`."""
        shape = list(shape_of(value))
        if (start, size, step) == (0, shape[axis], 1):
            return value
        starts = [start if n == axis else 0 for n in range(len(shape))]
        steps = [step if n == axis else 1 for n in range(len(shape))]
        shape[axis] = size
        return self.emit(SliceOp(value, starts, shape, steps))

    def as_tensor(self, argument: Argument, element: Attribute) -> SSAValue:
        """A tensor argument cast to `element`, or a number, or a size, of rank 0."""
        if isinstance(argument, SSAValue):
            return self.cast(argument, element)
        if isinstance(argument, Extent):
            return self.size(argument, element)
        if not isinstance(argument, bool | int | float):
            raise TypeError(f"expected a tensor or a number, got {argument!r}")
        return self.scalar(argument, element)


Converted: TypeAlias = "SSAValue | Sequence[SSAValue | None]"
"""The results of a converted operation; None where nothing uses a result."""

Converter: TypeAlias = Callable[[Emitter, TorchCall], Converted]
"""Emits the canao operations for one torch operation."""

__all__ = ["Converted", "Converter", "Emitter", "is_float", "promoted"]
