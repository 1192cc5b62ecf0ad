"""Operations that move data and compute nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from math import ceil, prod
from operator import mul
from typing import ClassVar

from xdsl.dialects.builtin import DenseArrayBase, IntegerAttr, TensorType, i64
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineConstantExpr, AffineDimExpr, AffineExpr, AffineMap
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    prop_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from canao.dialects.canao.symbolic import tensor_type
from canao.dialects.canao.types import (
    broadcast_map,
    broadcast_shapes,
    element_of,
    normalise_axis,
    shape_of,
)
from canao.dialects.interfaces import (
    AccessPattern,
    CanaoOp,
    Indexed,
    IterationSpace,
    Reorganising,
    SignOfZero,
)
from canao.errors import UndecidedError
from canao.extent import is_symbolic


def _ints(values: Sequence[int]) -> DenseArrayBase:
    return DenseArrayBase.from_list(i64, list(values))


def reindex(source: Sequence[int], target: Sequence[int]) -> AffineMap:
    """Maps an index of shape `target` to the index of `source` at the same
    place in row-major order. Both shapes hold as many elements.

    Runs of dimensions that hold as many elements are mapped apart: only cutting and joining
    divides. `UndecidedError` where that would be by what depends on symbols.
    """
    try:
        return _reindexed(source, target)
    except UndecidedError as error:
        shapes = " to ".join(f"({', '.join(map(str, shape))})" for shape in (source, target))
        raise UndecidedError(f"a reshape of {shapes} joins dimensions that vary") from error


def _reindexed(source: Sequence[int], target: Sequence[int]) -> AffineMap:
    results: list[AffineExpr] = []
    for own, others in _runs(source, target):
        position: AffineExpr = AffineConstantExpr(0)
        for number, d in enumerate(d for d in others if target[d] != 1):
            outer = position * int(target[d]) if number else position
            position = outer + AffineDimExpr(d)
        for number, extent in enumerate(own):
            stride = prod(map(int, own[number + 1 :]))
            place = position // stride if stride > 1 else position
            results.append(place % max(int(extent), 1) if number else place)
    return AffineMap(len(target), 0, tuple(results))


def _runs(
    source: Sequence[int], target: Sequence[int]
) -> Iterator[tuple[Sequence[int], Sequence[int]]]:
    """The shortest runs of dimensions of two shapes that hold as many elements.

    Each has the extents of the source and the numbers of the dimensions of the target.
    """
    reached = list(accumulate(target, mul, initial=1))
    first = second = 0
    for end, size in enumerate(accumulate(source, mul), start=1):
        if size in reached[second:]:
            other = reached.index(size, second)
            yield source[first:end], range(second, other)
            first, second = end, other


class MovingOp(IRDLOperation, Reorganising):
    """A reorganising operation of one operand."""

    SIGN_OF_ZERO: ClassVar[SignOfZero] = SignOfZero.KEPT
    operand = operand_def(TensorType)
    result = result_def(TensorType)
    traits = traits_def(Pure())

    def _space(self, access: AffineMap) -> IterationSpace:
        shape = shape_of(self.result)
        return IterationSpace(shape, len(shape), (access,), AffineMap.identity(len(shape)))

    def verify_(self) -> None:
        if element_of(self.operand) != element_of(self.result):
            raise VerifyException("the element type must not change")


@irdl_op_definition
class TransposeOp(MovingOp):
    """Permuted dimensions: result dimension `d` is operand dimension `permutation[d]`."""

    name = "canao.transpose"
    permutation = prop_def(DenseArrayBase.constr(i64))
    assembly_format = "$operand $permutation attr-dict `:` functional-type(operands, results)"

    def __init__(self, operand: SSAValue, permutation: Sequence[int]) -> None:
        shape = shape_of(operand)
        axes = [normalise_axis(a, len(shape)) for a in permutation]
        super().__init__(
            operands=[operand],
            properties={"permutation": _ints(axes)},
            result_types=[tensor_type(element_of(operand), [shape[a] for a in axes])],
        )

    def axes(self) -> tuple[int, ...]:
        """The permutation."""
        return tuple(int(a) for a in self.permutation.get_values())

    def iteration_space(self) -> IterationSpace:
        axes = self.axes()
        index: list[AffineExpr] = [AffineDimExpr(axes.index(n)) for n in range(len(axes))]
        return self._space(AffineMap(len(axes), 0, tuple(index)))

    def forward_map(self) -> AffineMap:
        axes = self.axes()
        return AffineMap(len(axes), 0, tuple(AffineDimExpr(a) for a in axes))

    def verify_(self) -> None:
        super().verify_()
        shape = shape_of(self.operand)
        axes = self.axes()
        if sorted(axes) != list(range(len(shape))):
            raise VerifyException(f"{list(axes)} is no permutation of rank {len(shape)}")
        if shape_of(self.result) != tuple(shape[a] for a in axes):
            raise VerifyException(f"result must have shape {[shape[a] for a in axes]}")


@irdl_op_definition
class ReshapeOp(MovingOp):
    """The same elements in the same row-major order under another shape."""

    name = "canao.reshape"
    assembly_format = "$operand attr-dict `:` functional-type(operands, results)"

    def __init__(self, operand: SSAValue, shape: Sequence[int]) -> None:
        super().__init__(operands=[operand], result_types=[tensor_type(element_of(operand), shape)])

    def iteration_space(self) -> IterationSpace:
        return self._space(reindex(shape_of(self.operand), shape_of(self.result)))

    def forward_map(self) -> AffineMap:
        return reindex(shape_of(self.result), shape_of(self.operand))

    def verify_(self) -> None:
        super().verify_()
        if prod(shape_of(self.operand)) != prod(shape_of(self.result)):
            raise VerifyException(
                f"{shape_of(self.operand)} and {shape_of(self.result)} hold different "
                "numbers of elements"
            )


@irdl_op_definition
class SliceOp(MovingOp):
    """`out[i] = a[starts + i * steps]` for `i` below the result's extents."""

    name = "canao.slice"
    starts = prop_def(DenseArrayBase.constr(i64))
    steps = prop_def(DenseArrayBase.constr(i64))
    assembly_format = (
        "$operand `starts` $starts `steps` $steps attr-dict `:` functional-type(operands, results)"
    )

    def __init__(
        self,
        operand: SSAValue,
        starts: Sequence[int],
        sizes: Sequence[int],
        steps: Sequence[int] | None = None,
    ) -> None:
        super().__init__(
            operands=[operand],
            properties={"starts": _ints(starts), "steps": _ints(steps or [1] * len(starts))},
            result_types=[tensor_type(element_of(operand), sizes)],
        )

    def iteration_space(self) -> IterationSpace:
        index: list[AffineExpr] = [
            AffineDimExpr(d) * int(step) + int(start)
            for d, (start, step) in enumerate(
                zip(self.starts.get_values(), self.steps.get_values(), strict=True)
            )
        ]
        return self._space(AffineMap(len(index), 0, tuple(index)))

    def forward_map(self) -> AffineMap | None:
        return None

    def verify_(self) -> None:
        super().verify_()
        shape, out = shape_of(self.operand), shape_of(self.result)
        starts, steps = self.starts.get_values(), self.steps.get_values()
        if not len(shape) == len(out) == len(starts) == len(steps):
            raise VerifyException("starts, steps, operand and result must have one rank")
        for start, step, size, extent in zip(starts, steps, out, shape, strict=True):
            some = is_symbolic(size) or size
            if step < 1 or start < 0 or (some and start + (size - 1) * step >= extent):
                raise VerifyException(
                    f"slice from {start} by {step} of {size} leaves an extent of {extent}"
                )


@irdl_op_definition
class BroadcastOp(MovingOp):
    """The operand repeated to the result's shape, as numpy broadcasts."""

    name = "canao.broadcast"
    assembly_format = "$operand attr-dict `:` functional-type(operands, results)"

    def __init__(self, operand: SSAValue, shape: Sequence[int]) -> None:
        super().__init__(operands=[operand], result_types=[tensor_type(element_of(operand), shape)])

    def access_pattern(self) -> AccessPattern:
        return AccessPattern.BROADCAST

    def iteration_space(self) -> IterationSpace:
        return self._space(broadcast_map(shape_of(self.operand), shape_of(self.result)))

    def forward_map(self) -> AffineMap | None:
        return None

    def verify_(self) -> None:
        super().verify_()
        out = shape_of(self.result)
        if broadcast_shapes([shape_of(self.operand), out]) != out:
            raise VerifyException(f"{shape_of(self.operand)} does not broadcast to {out}")


@irdl_op_definition
class ConcatOp(IRDLOperation, CanaoOp):
    """The operands one after another along an axis."""

    name = "canao.concat"
    SIGN_OF_ZERO: ClassVar[SignOfZero] = SignOfZero.KEPT
    inputs = var_operand_def(TensorType)
    axis = prop_def(IntegerAttr.constr(i64))
    result = result_def(TensorType)
    traits = traits_def(Pure())
    assembly_format = "$inputs `axis` $axis attr-dict `:` functional-type(operands, results)"

    def __init__(self, inputs: Sequence[SSAValue], axis: int) -> None:
        shape = list(shape_of(inputs[0]))
        axis = normalise_axis(axis, len(shape))
        shape[axis] = sum(shape_of(v)[axis] for v in inputs)
        super().__init__(
            operands=[inputs],
            properties={"axis": IntegerAttr(axis, i64)},
            result_types=[tensor_type(element_of(inputs[0]), shape)],
        )

    def access_pattern(self) -> AccessPattern:
        return AccessPattern.REORGANISE

    def computations(self) -> int:
        return 0

    def offsets(self) -> tuple[int, ...]:
        """Where each operand starts along the axis."""
        axis = self.axis.value.data
        lengths = [shape_of(v)[axis] for v in self.inputs]
        return tuple(sum(lengths[:n]) for n in range(len(lengths)))

    def verify_(self) -> None:
        if not self.inputs:
            raise VerifyException("needs an operand or more")
        axis = self.axis.value.data
        shapes = [list(shape_of(v)) for v in self.inputs]
        if not 0 <= axis < len(shapes[0]):
            raise VerifyException(f"axis {axis} is out of range for rank {len(shapes[0])}")
        total = sum(s[axis] for s in shapes)
        rest = {(*s[:axis], *s[axis + 1 :]) for s in shapes}
        out = [*shapes[0][:axis], total, *shapes[0][axis + 1 :]]
        if len(rest) != 1 or list(shape_of(self.result)) != out:
            raise VerifyException(f"operands must agree but for axis {axis}, result be {out}")


@irdl_op_definition
class GatherOp(IRDLOperation, CanaoOp):
    """`out[i..., j...] = table[n0[i], n1[i], ..., j...]`.

    The indices broadcast together and select along the first dimensions of
    the table; the rest of its dimensions come along whole. One index is an
    embedding lookup. Each must be at least 0 and less than the extent it
    selects along; this is checked where it is looked up.
    """

    name = "canao.gather"
    SIGN_OF_ZERO: ClassVar[SignOfZero] = SignOfZero.KEPT
    table = operand_def(TensorType)
    indices = var_operand_def(TensorType)
    result = result_def(TensorType)
    traits = traits_def(Pure())
    assembly_format = "$table `at` $indices attr-dict `:` functional-type(operands, results)"

    def __init__(self, table: SSAValue, indices: Sequence[SSAValue]) -> None:
        picked = broadcast_shapes([shape_of(v) for v in indices])
        rest = shape_of(table)[len(indices) :]
        super().__init__(
            operands=[table, indices],
            result_types=[tensor_type(element_of(table), (*picked, *rest))],
        )
        self._check_rows()

    def access_pattern(self) -> AccessPattern:
        return AccessPattern.GATHER

    def computations(self) -> int:
        return 0

    def verify_(self) -> None:
        if not 1 <= len(self.indices) <= len(shape_of(self.table)):
            raise VerifyException("needs from one index to one a dimension of the table")
        if any(element_of(v) != i64 for v in self.indices):
            raise VerifyException("indices must hold i64 elements")
        picked = broadcast_shapes([shape_of(v) for v in self.indices])
        out = (*picked, *shape_of(self.table)[len(self.indices) :])
        if shape_of(self.result) != out:
            raise VerifyException(f"result must have shape {out}")
        self._check_rows()

    def _check_rows(self) -> None:
        """What is looked up must be there, whatever the indices."""
        shape = shape_of(self.table)
        if 0 in shape[: len(self.indices)] and 0 not in shape_of(self.result):
            raise VerifyException(f"a table of shape {shape} has nothing to look up")


@irdl_op_definition
class PackOp(IRDLOperation, CanaoOp):
    """A matrix cut into panels of columns: `out[p, k, c] = a[k, p * panel + c]`.

    Columns past the end are zero. Done once, when weights are prepared.
    """

    name = "canao.pack"
    SIGN_OF_ZERO: ClassVar[SignOfZero] = SignOfZero.KEPT
    operand = operand_def(TensorType)
    panel = prop_def(IntegerAttr.constr(i64))
    result = result_def(TensorType)
    traits = traits_def(Pure())
    assembly_format = "$operand `panel` $panel attr-dict `:` functional-type(operands, results)"

    def __init__(self, operand: SSAValue, panel: int) -> None:
        k, n = shape_of(operand)
        super().__init__(
            operands=[operand],
            properties={"panel": IntegerAttr(panel, i64)},
            result_types=[tensor_type(element_of(operand), (ceil(n / panel), k, panel))],
        )

    def access_pattern(self) -> AccessPattern:
        return AccessPattern.REORGANISE

    def computations(self) -> int:
        return 0

    def verify_(self) -> None:
        shape, panel = shape_of(self.operand), self.panel.value.data
        if len(shape) != 2 or panel < 1:
            raise VerifyException("packs a matrix into panels of one column or more")
        out = (ceil(shape[1] / panel), shape[0], panel)
        if shape_of(self.result) != out:
            raise VerifyException(f"result must have shape {out}")


__all__ = [
    "BroadcastOp",
    "ConcatOp",
    "GatherOp",
    "Indexed",
    "MovingOp",
    "PackOp",
    "ReshapeOp",
    "SliceOp",
    "TransposeOp",
    "reindex",
]
