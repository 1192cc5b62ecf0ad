"""Elementwise conversions between element types."""

from __future__ import annotations

from typing import ClassVar

from xdsl.dialects.builtin import IntegerType, TensorType
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, prop_def
from xdsl.utils.exceptions import VerifyException

from canao.dialects.canao.elementwise import ElementwiseOp
from canao.dialects.canao.symbolic import tensor_type
from canao.dialects.canao.types import NARROW_INTEGERS, element_of, i64, is_float, shape_of
from canao.dialects.interfaces import SignOfZero


@irdl_op_definition
class CastOp(ElementwiseOp):
    """Conversion to another element type; to i1: `a != 0`; to integers: towards zero."""

    name = "canao.cast"
    SIGN_OF_ZERO: ClassVar[SignOfZero] = SignOfZero.KEPT
    TAKES_TRUTH: ClassVar[bool] = True
    operand = operand_def(TensorType)
    assembly_format = "$operand attr-dict `:` functional-type(operands, results)"

    def __init__(self, operand: SSAValue, element: Attribute) -> None:
        super().__init__(operands=[operand], result_types=[tensor_type(element, shape_of(operand))])

    def computations(self) -> int:
        return 0

    def decides_by(self, operand: int) -> bool:
        return is_float(self.operand) and not is_float(self.result)

    def verify_(self) -> None:
        if shape_of(self.operand) != shape_of(self.result):
            raise VerifyException("a cast keeps the shape")


@irdl_op_definition
class WrapOp(ElementwiseOp):
    """The number of a narrower integer type that has the low bits of `a`.

    `canao.wrap %a to ui8`: what a register of 8 bits would hold, as an i64.
    """

    name = "canao.wrap"
    operand = operand_def(TensorType)
    to = prop_def(IntegerType)
    assembly_format = "$operand `to` $to attr-dict `:` functional-type(operands, results)"

    def __init__(self, operand: SSAValue, to: IntegerType) -> None:
        super().__init__(
            operands=[operand],
            properties={"to": to},
            result_types=[tensor_type(i64, shape_of(operand))],
        )

    def computations(self) -> int:
        return 0

    def verify_(self) -> None:
        if element_of(self.operand) != i64:
            raise VerifyException("only i64 elements wrap")
        if self.to not in NARROW_INTEGERS:
            known = ", ".join(str(element) for element in NARROW_INTEGERS)
            raise VerifyException(f"elements wrap to one of {known}, not {self.to}")
        super().verify_()
