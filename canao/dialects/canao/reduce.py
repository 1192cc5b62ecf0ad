"""Reductions over axes; reduced axes stay, with length 1."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from math import inf, isinf, prod
from typing import ClassVar

from xdsl.dialects.builtin import DenseArrayBase, IntegerType, TensorType, i64
from xdsl.ir import Attribute, SSAValue
from xdsl.ir.affine import AffineConstantExpr, AffineDimExpr, AffineExpr, AffineMap
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from canao.dialects.canao.elementwise import AddOp, MaximumOp, MinimumOp
from canao.dialects.canao.symbolic import tensor_type
from canao.dialects.canao.types import element_of, normalise_axis, shape_of
from canao.dialects.interfaces import (
    AccessPattern,
    Indexed,
    IterationSpace,
    Laws,
    ReductionKind,
    SignOfZero,
)


def neutral_number(kind: ReductionKind, element: Attribute) -> float:
    """What a reduction starts from: the neutral element among the numbers of an element type."""
    value = kind.neutral
    if not isinstance(element, IntegerType) or not isinf(value):
        return value
    width = element.width.data
    if width == 1:
        return int(value > 0)
    return -(2 ** (width - 1)) if value < 0 else 2 ** (width - 1) - 1


class ReduceOp(IRDLOperation, Indexed, ABC):
    """`out[i] = reduction over j of a[i, j]`: `canao.reduce_sum %a axes [1] : ... -> ...`."""

    KIND: ClassVar[ReductionKind]

    operand = operand_def(TensorType)
    axes = prop_def(DenseArrayBase.constr(i64))
    result = result_def(TensorType)
    traits = traits_def(Pure())
    assembly_format = "$operand `axes` $axes attr-dict `:` functional-type(operands, results)"

    def __init__(self, operand: SSAValue, axes: Sequence[int]) -> None:
        shape = shape_of(operand)
        kept = sorted({normalise_axis(a, len(shape)) for a in axes})
        out = [1 if n in kept else extent for n, extent in enumerate(shape)]
        super().__init__(
            operands=[operand],
            properties={"axes": DenseArrayBase.from_list(i64, kept)},
            result_types=[tensor_type(element_of(operand), out)],
        )

    def axis_numbers(self) -> tuple[int, ...]:
        """The reduced axes, ascending."""
        return tuple(int(a) for a in self.axes.get_values())

    def access_pattern(self) -> AccessPattern:
        return AccessPattern.REDUCE

    def iteration_space(self) -> IterationSpace:
        shape = shape_of(self.operand)
        axes = self.axis_numbers()
        rank = len(shape)
        extents = tuple(1 if n in axes else e for n, e in enumerate(shape))
        extents += tuple(shape[a] for a in axes)
        index: list[AffineExpr] = [
            AffineDimExpr(rank + axes.index(n)) if n in axes else AffineDimExpr(n)
            for n in range(rank)
        ]
        result: list[AffineExpr] = [
            AffineConstantExpr(0) if n in axes else AffineDimExpr(n) for n in range(rank)
        ]
        dims = len(extents)
        return IterationSpace(
            extents, rank, (AffineMap(dims, 0, tuple(index)),), AffineMap(dims, 0, tuple(result))
        )

    def flops(self) -> int:
        return prod(shape_of(self.operand))

    def verify_(self) -> None:
        shape = shape_of(self.operand)
        axes = self.axis_numbers()
        if list(axes) != sorted(set(axes)) or any(not 0 <= a < len(shape) for a in axes):
            raise VerifyException(f"axes {list(axes)} must ascend within rank {len(shape)}")
        out = tuple(1 if n in axes else e for n, e in enumerate(shape))
        if shape_of(self.result) != out:
            raise VerifyException(f"result must have shape {out}: reduced axes keep length 1")
        if element_of(self.result) != element_of(self.operand):
            raise VerifyException("a reduction keeps the element type")


@irdl_op_definition
class ReduceSumOp(ReduceOp):
    """The sum over axes."""

    name = "canao.reduce_sum"
    SIGN_OF_ZERO: ClassVar[SignOfZero] = SignOfZero.LOST
    KIND: ClassVar[ReductionKind] = ReductionKind("sum", 0.0, AddOp)
    LAWS: ClassVar[Laws] = Laws(linear_in=(0,))

    def sums_up(self) -> bool:
        return True


@irdl_op_definition
class ReduceMaxOp(ReduceOp):
    """The maximum over axes."""

    name = "canao.reduce_max"
    SIGN_OF_ZERO: ClassVar[SignOfZero] = SignOfZero.KEPT
    KIND: ClassVar[ReductionKind] = ReductionKind("max", -inf, MaximumOp)


@irdl_op_definition
class ReduceMinOp(ReduceOp):
    """The minimum over axes."""

    name = "canao.reduce_min"
    SIGN_OF_ZERO: ClassVar[SignOfZero] = SignOfZero.KEPT
    KIND: ClassVar[ReductionKind] = ReductionKind("min", inf, MinimumOp)
