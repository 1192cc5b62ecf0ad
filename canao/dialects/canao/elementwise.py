"""Elementwise operations; operands broadcast as in numpy."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar

from xdsl.dialects.builtin import StringAttr, TensorType
from xdsl.ir import Attribute, SSAValue
from xdsl.ir.affine import AffineMap
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.traits import Commutative, Pure
from xdsl.utils.exceptions import VerifyException

from canao.dialects.canao.symbolic import tensor_type
from canao.dialects.canao.types import (
    broadcast_map,
    broadcast_shapes,
    element_of,
    i1,
    shape_of,
)
from canao.dialects.interfaces import AccessPattern, Indexed, IterationSpace, Laws, SignOfZero


class ElementwiseOp(IRDLOperation, Indexed, ABC):
    """`out[i] = f(a[i], b[i], ...)`, operands broadcast to the result's shape."""

    TAKES_TRUTH: ClassVar[bool] = False
    """Whether operands may be truth values, which have no arithmetic."""

    result = result_def(TensorType)
    traits = traits_def(Pure())

    @classmethod
    def result_element(cls, operands: Sequence[SSAValue]) -> Attribute:
        """The element type that the operands give the result."""
        return element_of(operands[-1])

    def access_pattern(self) -> AccessPattern:
        shape = shape_of(self.result)
        same = all(shape_of(o) == shape for o in self.operands)
        return AccessPattern.ONE_TO_ONE if same else AccessPattern.BROADCAST

    def iteration_space(self) -> IterationSpace:
        shape = shape_of(self.result)
        return IterationSpace(
            shape,
            len(shape),
            tuple(broadcast_map(shape_of(o), shape) for o in self.operands),
            AffineMap.identity(len(shape)),
        )

    def verify_(self) -> None:
        if not self.TAKES_TRUTH and any(element_of(o) == i1 for o in self.operands):
            raise VerifyException(
                "truth values have no arithmetic: use canao.and, canao.or, canao.not or canao.cast"
            )
        shape = broadcast_shapes([shape_of(o) for o in self.operands])
        if shape != shape_of(self.result):
            raise VerifyException(f"result must have the broadcast shape {shape}")
        if element_of(self.result) != self.result_element(self.operands):
            raise VerifyException(
                f"result elements must be {self.result_element(self.operands)}, "
                f"not {element_of(self.result)}"
            )


class TranscendentalOp(ElementwiseOp, ABC):
    """An elementwise operation that takes many instructions."""

    def cost(self) -> int:
        return 10


class UnaryOp(ElementwiseOp, ABC):
    """An elementwise operation of one operand."""

    operand = operand_def(TensorType)
    assembly_format = "$operand attr-dict `:` functional-type(operands, results)"

    def __init__(self, operand: SSAValue) -> None:
        element = self.result_element([operand])
        super().__init__(operands=[operand], result_types=[tensor_type(element, shape_of(operand))])


class PartialOp(UnaryOp, ABC):
    """A function with an edge or a pole: past it the result is NaN, there it is infinite or 0."""

    def decides_by(self, operand: int) -> bool:
        return True


class BinaryOp(ElementwiseOp, ABC):
    """An elementwise operation of two operands of one element type."""

    lhs = operand_def(TensorType)
    rhs = operand_def(TensorType)
    assembly_format = "$lhs `,` $rhs attr-dict `:` functional-type(operands, results)"

    def __init__(self, lhs: SSAValue, rhs: SSAValue) -> None:
        shape = broadcast_shapes([shape_of(lhs), shape_of(rhs)])
        element = self.result_element([lhs, rhs])
        super().__init__(operands=[lhs, rhs], result_types=[tensor_type(element, shape)])

    def verify_(self) -> None:
        if element_of(self.lhs) != element_of(self.rhs):
            raise VerifyException(
                f"operands must have one element type, "
                f"got {element_of(self.lhs)} and {element_of(self.rhs)}"
            )
        super().verify_()


# ------------------------------------------------------------------ binary


@irdl_op_definition
class AddOp(BinaryOp):
    """`a + b`."""

    name = "canao.add"
    SIGN_OF_ZERO: ClassVar[SignOfZero] = SignOfZero.KEPT
    LAWS: ClassVar[Laws] = Laws(commutative=True, associative=True, identity=-0.0)
    traits = traits_def(Pure(), Commutative())


@irdl_op_definition
class SubOp(BinaryOp):
    """`a - b`."""

    name = "canao.sub"
    SIGN_OF_ZERO: ClassVar[SignOfZero] = SignOfZero.KEPT
    LAWS: ClassVar[Laws] = Laws(identity=0.0, inverts=AddOp)


@irdl_op_definition
class MulOp(BinaryOp):
    """`a * b`."""

    name = "canao.mul"
    SIGN_OF_ZERO: ClassVar[SignOfZero] = SignOfZero.KEPT
    LAWS: ClassVar[Laws] = Laws(
        commutative=True,
        associative=True,
        distributes_over=(AddOp, SubOp),
        linear_in=(0, 1),
        identity=1.0,
    )
    traits = traits_def(Pure(), Commutative())


@irdl_op_definition
class DivOp(BinaryOp):
    """`a / b`; integers divide towards zero."""

    name = "canao.div"
    LAWS: ClassVar[Laws] = Laws(linear_in=(0,), identity=1.0, inverts=MulOp)

    def decides_by(self, operand: int) -> bool:
        return operand == 1  # 1 / 0 is infinite, with the sign of the zero


@irdl_op_definition
class PowOp(BinaryOp, TranscendentalOp):
    """`a ** b`."""

    name = "canao.pow"
    LAWS: ClassVar[Laws] = Laws(identity=1.0)

    def decides_by(self, operand: int) -> bool:
        return True  # a base below 0 is a pole or needs a whole exponent, whose parity is the sign


@irdl_op_definition
class MaximumOp(BinaryOp):
    """The larger of `a` and `b`; NaN if either is."""

    name = "canao.maximum"
    SIGN_OF_ZERO: ClassVar[SignOfZero] = SignOfZero.KEPT
    LAWS: ClassVar[Laws] = Laws(commutative=True, associative=True)
    traits = traits_def(Pure(), Commutative())


@irdl_op_definition
class MinimumOp(BinaryOp):
    """The smaller of `a` and `b`; NaN if either is."""

    name = "canao.minimum"
    SIGN_OF_ZERO: ClassVar[SignOfZero] = SignOfZero.KEPT
    LAWS: ClassVar[Laws] = Laws(commutative=True, associative=True)
    traits = traits_def(Pure(), Commutative())


@irdl_op_definition
class OrOp(BinaryOp):
    """Bitwise (for i1: logical) or."""

    name = "canao.or"
    TAKES_TRUTH: ClassVar[bool] = True
    LAWS: ClassVar[Laws] = Laws(commutative=True, associative=True)
    traits = traits_def(Pure(), Commutative())


@irdl_op_definition
class AndOp(BinaryOp):
    """Bitwise (for i1: logical) and."""

    name = "canao.and"
    TAKES_TRUTH: ClassVar[bool] = True
    LAWS: ClassVar[Laws] = Laws(commutative=True, associative=True, distributes_over=(OrOp,))
    traits = traits_def(Pure(), Commutative())


class Predicate(StrEnum):
    """The comparisons of `canao.cmp`."""

    EQ = "eq"
    NE = "ne"
    LT = "lt"
    LE = "le"
    GT = "gt"
    GE = "ge"


@irdl_op_definition
class CompareOp(BinaryOp):
    """`a <predicate> b` as i1: `canao.cmp "lt" %a, %b`; false where NaN, but for "ne"."""

    name = "canao.cmp"
    SIGN_OF_ZERO: ClassVar[SignOfZero] = SignOfZero.LOST
    TAKES_TRUTH: ClassVar[bool] = True
    predicate = prop_def(StringAttr)
    assembly_format = "$predicate $lhs `,` $rhs attr-dict `:` functional-type(operands, results)"

    def __init__(self, predicate: Predicate | str, lhs: SSAValue, rhs: SSAValue) -> None:
        shape = broadcast_shapes([shape_of(lhs), shape_of(rhs)])
        super(BinaryOp, self).__init__(
            operands=[lhs, rhs],
            properties={"predicate": StringAttr(str(predicate))},
            result_types=[tensor_type(i1, shape)],
        )

    @classmethod
    def result_element(cls, operands: Sequence[SSAValue]) -> Attribute:
        return i1

    def decides_by(self, operand: int) -> bool:
        return True

    def verify_(self) -> None:
        known = [p.value for p in Predicate]
        if self.predicate.data not in known:
            raise VerifyException(f"predicate must be one of {', '.join(known)}")
        super().verify_()


# ------------------------------------------------------------------- unary


@irdl_op_definition
class NegOp(UnaryOp):
    """`-a`."""

    name = "canao.neg"
    SIGN_OF_ZERO: ClassVar[SignOfZero] = SignOfZero.KEPT
    LAWS: ClassVar[Laws] = Laws(linear_in=(0,), inverts=AddOp)


@irdl_op_definition
class AbsOp(UnaryOp):
    """`|a|`."""

    name = "canao.abs"
    SIGN_OF_ZERO: ClassVar[SignOfZero] = SignOfZero.LOST


@irdl_op_definition
class ExpOp(UnaryOp, TranscendentalOp):
    """`e ** a`."""

    name = "canao.exp"
    SIGN_OF_ZERO: ClassVar[SignOfZero] = SignOfZero.LOST


@irdl_op_definition
class LogOp(PartialOp, TranscendentalOp):
    """The natural logarithm."""

    name = "canao.log"


@irdl_op_definition
class TanhOp(UnaryOp, TranscendentalOp):
    """The hyperbolic tangent."""

    name = "canao.tanh"
    SIGN_OF_ZERO: ClassVar[SignOfZero] = SignOfZero.KEPT


@irdl_op_definition
class ErfOp(UnaryOp, TranscendentalOp):
    """The error function."""

    name = "canao.erf"
    SIGN_OF_ZERO: ClassVar[SignOfZero] = SignOfZero.KEPT


@irdl_op_definition
class SigmoidOp(UnaryOp, TranscendentalOp):
    """`1 / (1 + e ** -a)`."""

    name = "canao.sigmoid"
    SIGN_OF_ZERO: ClassVar[SignOfZero] = SignOfZero.LOST


@irdl_op_definition
class SqrtOp(PartialOp):
    """The square root."""

    name = "canao.sqrt"


@irdl_op_definition
class RsqrtOp(PartialOp):
    """`1 / sqrt(a)`."""

    name = "canao.rsqrt"


@irdl_op_definition
class ReciprocalOp(PartialOp):
    """`1 / a`."""

    name = "canao.reciprocal"


@irdl_op_definition
class SinOp(UnaryOp, TranscendentalOp):
    """The sine."""

    name = "canao.sin"


@irdl_op_definition
class CosOp(UnaryOp, TranscendentalOp):
    """The cosine."""

    name = "canao.cos"
    SIGN_OF_ZERO: ClassVar[SignOfZero] = SignOfZero.LOST


@irdl_op_definition
class NotOp(UnaryOp):
    """Bitwise (for i1: logical) complement."""

    name = "canao.not"
    TAKES_TRUTH: ClassVar[bool] = True


@irdl_op_definition
class SelectOp(ElementwiseOp):
    """`a if condition else b`, element by element."""

    name = "canao.select"
    SIGN_OF_ZERO: ClassVar[SignOfZero] = SignOfZero.KEPT
    TAKES_TRUTH: ClassVar[bool] = True
    condition = operand_def(TensorType)
    lhs = operand_def(TensorType)
    rhs = operand_def(TensorType)
    assembly_format = (
        "$condition `,` $lhs `,` $rhs attr-dict `:` functional-type(operands, results)"
    )
    LAWS: ClassVar[Laws] = Laws()

    def __init__(self, condition: SSAValue, lhs: SSAValue, rhs: SSAValue) -> None:
        shape = broadcast_shapes([shape_of(condition), shape_of(lhs), shape_of(rhs)])
        super().__init__(
            operands=[condition, lhs, rhs],
            result_types=[tensor_type(element_of(lhs), shape)],
        )

    def decides_by(self, operand: int) -> bool:
        return operand == 0

    def verify_(self) -> None:
        if element_of(self.condition) != i1:
            raise VerifyException("the condition must hold i1 elements")
        if element_of(self.lhs) != element_of(self.rhs):
            raise VerifyException("both branches must have one element type")
        super().verify_()
