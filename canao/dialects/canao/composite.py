"""Shorthands: operations that stand for several simpler ones."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi, prod, sqrt
from typing import ClassVar

import numpy as np
from xdsl.builder import Builder
from xdsl.dialects.builtin import FloatAttr, IntegerAttr, StringAttr, TensorType, UnitAttr, f64, i64
from xdsl.ir import SSAValue
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from canao.dialects.canao.elementwise import (
    AddOp,
    DivOp,
    ErfOp,
    ExpOp,
    MaximumOp,
    MulOp,
    RsqrtOp,
    SqrtOp,
    SubOp,
    TanhOp,
)
from canao.dialects.canao.reduce import ReduceMaxOp, ReduceSumOp
from canao.dialects.canao.source import dtype_of_element, scalar
from canao.dialects.canao.types import element_of, normalise_axis, shape_of
from canao.dialects.interfaces import Decomposable, SignOfZero


class CompositeOp(IRDLOperation, Decomposable):
    """A composite operation of one result shaped like its first operand."""

    operand = operand_def(TensorType)
    result = result_def(TensorType)
    traits = traits_def(Pure())

    def verify_(self) -> None:
        if self.result.type != self.operand.type:
            raise VerifyException(f"result must be {self.operand.type}")


@irdl_op_definition
class SoftmaxOp(CompositeOp):
    """`e ** (a - max a) / sum of the same` along an axis.

    With `masked_rows_to_zero`, a row that is -inf throughout gives zeros, as
    in PyTorch's scaled_dot_product_attention; without, NaN.
    """

    name = "canao.softmax"
    SIGN_OF_ZERO: ClassVar[SignOfZero] = SignOfZero.LOST
    axis = prop_def(IntegerAttr.constr(i64))
    masked_rows_to_zero = opt_prop_def(UnitAttr)
    assembly_format = (
        "$operand `axis` $axis (`masked_rows_to_zero` $masked_rows_to_zero^)? attr-dict `:` "
        "functional-type(operands, results)"
    )

    def __init__(self, operand: SSAValue, axis: int, masked_rows_to_zero: bool = False) -> None:
        number = normalise_axis(axis, len(shape_of(operand)))
        super().__init__(
            operands=[operand],
            properties={
                "axis": IntegerAttr(number, i64),
                "masked_rows_to_zero": UnitAttr() if masked_rows_to_zero else None,
            },
            result_types=[operand.type],
        )

    def computations(self) -> int:
        return 5

    def flops(self) -> int:
        return 5 * prod(shape_of(self.operand))

    def mixed_axes(self) -> tuple[int, ...]:
        return (self.axis.value.data,)

    def decompose(self, builder: Builder) -> Sequence[SSAValue]:
        axes = [self.axis.value.data]
        largest = builder.insert(ReduceMaxOp(self.operand, axes)).result
        tiny = None
        if self.masked_rows_to_zero is not None:
            info = np.finfo(dtype_of_element(element_of(self.operand)).name)
            lowest = scalar(builder, float(info.min), self.operand)
            tiny = scalar(builder, float(info.tiny), self.operand)
            largest = builder.insert(MaximumOp(largest, lowest)).result
        power = builder.insert(ExpOp(builder.insert(SubOp(self.operand, largest)).result)).result
        total = builder.insert(ReduceSumOp(power, axes)).result
        if tiny is not None:
            total = builder.insert(MaximumOp(total, tiny)).result
        return [builder.insert(DivOp(power, total)).result]

    def verify_(self) -> None:
        super().verify_()
        normalise_axis(self.axis.value.data, len(shape_of(self.operand)))


@irdl_op_definition
class LayerNormOp(CompositeOp):
    """`(a - mean) / sqrt(variance + epsilon) * scale + shift` over the last dimension.

    A row whose variance is beyond the type is NaN, as in PyTorch's layer_norm; with
    `overflow_to_zero`, its quotients by infinity are zeros, as in the formula written out.
    """

    name = "canao.layer_norm"
    SIGN_OF_ZERO: ClassVar[SignOfZero] = SignOfZero.KEPT
    # Declared again: xDSL puts inherited operands last.
    operand = operand_def(TensorType)
    scale = operand_def(TensorType)
    shift = operand_def(TensorType)
    epsilon = prop_def(FloatAttr)
    overflow_to_zero = opt_prop_def(UnitAttr)
    assembly_format = (
        "$operand `,` $scale `,` $shift `epsilon` $epsilon "
        "(`overflow_to_zero` $overflow_to_zero^)? attr-dict `:` "
        "functional-type(operands, results)"
    )

    def __init__(
        self,
        operand: SSAValue,
        scale: SSAValue,
        shift: SSAValue,
        epsilon: float,
        overflow_to_zero: bool = False,
    ) -> None:
        super().__init__(
            operands=[operand, scale, shift],
            properties={
                "epsilon": FloatAttr(epsilon, f64),
                "overflow_to_zero": UnitAttr() if overflow_to_zero else None,
            },
            result_types=[operand.type],
        )

    def computations(self) -> int:
        return 9

    def flops(self) -> int:
        return 8 * prod(shape_of(self.operand))

    def mixed_axes(self) -> tuple[int, ...]:
        return (len(shape_of(self.operand)) - 1,)

    def decompose(self, builder: Builder) -> Sequence[SSAValue]:
        axes = [len(shape_of(self.operand)) - 1]
        share = scalar(builder, 1.0 / shape_of(self.operand)[-1], self.operand)
        epsilon = scalar(builder, self.epsilon.value.data, self.operand)
        total = builder.insert(ReduceSumOp(self.operand, axes)).result
        mean = builder.insert(MulOp(total, share)).result
        centred = builder.insert(SubOp(self.operand, mean)).result
        square = builder.insert(MulOp(centred, centred)).result
        squares = builder.insert(ReduceSumOp(square, axes)).result
        variance = builder.insert(MulOp(squares, share)).result
        shifted = builder.insert(AddOp(variance, epsilon)).result
        if self.overflow_to_zero is not None:
            inverse = builder.insert(RsqrtOp(shifted)).result
        else:  # NaN of infinity
            inverse = builder.insert(DivOp(builder.insert(SqrtOp(shifted)).result, shifted)).result
        normal = builder.insert(MulOp(centred, inverse)).result
        scaled = builder.insert(MulOp(normal, self.scale)).result
        return [builder.insert(AddOp(scaled, self.shift)).result]

    def verify_(self) -> None:
        super().verify_()
        width = shape_of(self.operand)[-1:]
        if shape_of(self.scale) != width or shape_of(self.shift) != width:
            raise VerifyException(f"scale and shift must have shape {width}")


@irdl_op_definition
class GeluOp(CompositeOp):
    """`a * P(X < a)` for a normal X: `approximate` is "none" (by erf) or "tanh"."""

    name = "canao.gelu"
    SIGN_OF_ZERO: ClassVar[SignOfZero] = SignOfZero.KEPT
    approximate = prop_def(StringAttr)
    assembly_format = (
        "$operand `approximate` $approximate attr-dict `:` functional-type(operands, results)"
    )

    def __init__(self, operand: SSAValue, approximate: str = "none") -> None:
        super().__init__(
            operands=[operand],
            properties={"approximate": StringAttr(approximate)},
            result_types=[operand.type],
        )

    def computations(self) -> int:
        return 5 if self.approximate.data == "none" else 9

    def flops(self) -> int:
        return self.computations() * prod(shape_of(self.operand))

    def mixed_axes(self) -> tuple[int, ...]:
        return ()

    def decompose(self, builder: Builder) -> Sequence[SSAValue]:
        a = self.operand
        half, one = scalar(builder, 0.5, a), scalar(builder, 1.0, a)
        if self.approximate.data == "none":
            argument = builder.insert(MulOp(a, scalar(builder, sqrt(0.5), a))).result
            curve = builder.insert(ErfOp(argument)).result
        else:
            cube = builder.insert(MulOp(builder.insert(MulOp(a, a)).result, a)).result
            bend = builder.insert(MulOp(cube, scalar(builder, 0.044715, a))).result
            inner = builder.insert(AddOp(a, bend)).result
            argument = builder.insert(MulOp(inner, scalar(builder, sqrt(2 / pi), a))).result
            curve = builder.insert(TanhOp(argument)).result
        share = builder.insert(AddOp(curve, one)).result
        halved = builder.insert(MulOp(a, half)).result
        return [builder.insert(MulOp(halved, share)).result]

    def verify_(self) -> None:
        super().verify_()
        if self.approximate.data not in ("none", "tanh"):
            raise VerifyException('approximate must be "none" or "tanh"')
