"""The dialect `canao_vector`: masks, which the arith dialect of xDSL has for scalars only,
exact remainders, and what is to stay in a register or as it was rounded.

A mask is a vector of i1. Comparisons make masks, selections use them, and
conversions change the elements of a vector and keep its lanes. All else is
arithmetic of the dialects arith, math and vector.
"""

from __future__ import annotations

from abc import ABC
from typing import ClassVar

from xdsl.dialects.builtin import (
    AnyFloatConstr,
    IntegerType,
    StringAttr,
    VectorType,
    i1,
)
from xdsl.ir import Attribute, Dialect, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    VarConstraint,
    base,
    irdl_op_definition,
    operand_def,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from canao.dialects.canao.elementwise import Predicate

_VECTOR = VectorType.constr(AnyFloatConstr | base(IntegerType))
_FLOATS = AnyFloatConstr | VectorType.constr(AnyFloatConstr)
_MASK = VectorType.constr(i1)


def mask_of(vector: SSAValue) -> VectorType[Attribute]:
    """The type of a mask with the lanes of a vector."""
    assert isinstance(vector.type, VectorType)
    return VectorType(i1, vector.type.shape, vector.type.scalable_dims)


def _verify_lanes(first: SSAValue, second: SSAValue) -> None:
    """The rule of every operation here: as many lanes in as out."""
    if mask_of(first) != mask_of(second):
        raise VerifyException(f"{first.type} and {second.type} must have equal lanes")


@irdl_op_definition
class CompareOp(IRDLOperation):
    """A mask of the lanes in which a comparison holds.

    `canao_vector.cmp "lt" %a, %b : vector<8xf32> -> vector<8xi1>`; the
    predicates are those of `canao.cmp`: integers are signed, and false counts
    as less than true. Nothing holds where a lane is NaN, but for "ne".
    """

    name = "canao_vector.cmp"
    T: ClassVar = VarConstraint("T", _VECTOR)
    predicate = prop_def(StringAttr)
    lhs = operand_def(T)
    rhs = operand_def(T)
    result = result_def(_MASK)
    traits = traits_def(Pure())
    assembly_format = "$predicate $lhs `,` $rhs attr-dict `:` type($lhs) `->` type($result)"

    def __init__(self, predicate: Predicate | str, lhs: SSAValue, rhs: SSAValue) -> None:
        super().__init__(
            operands=[lhs, rhs],
            properties={"predicate": StringAttr(str(predicate))},
            result_types=[mask_of(lhs)],
        )

    def verify_(self) -> None:
        known = [p.value for p in Predicate]
        if self.predicate.data not in known:
            raise VerifyException(f"predicate must be one of {', '.join(known)}")
        _verify_lanes(self.lhs, self.result)


@irdl_op_definition
class SelectOp(IRDLOperation):
    """Lanes of the second operand where the mask is true, of the third elsewhere.

    `canao_vector.select %mask, %a, %b : vector<8xi1>, vector<8xf32>`
    """

    name = "canao_vector.select"
    T: ClassVar = VarConstraint("T", _VECTOR)
    condition = operand_def(_MASK)
    lhs = operand_def(T)
    rhs = operand_def(T)
    result = result_def(T)
    traits = traits_def(Pure())
    assembly_format = (
        "$condition `,` $lhs `,` $rhs attr-dict `:` type($condition) `,` type($result)"
    )

    def __init__(self, condition: SSAValue, lhs: SSAValue, rhs: SSAValue) -> None:
        super().__init__(operands=[condition, lhs, rhs], result_types=[lhs.type])

    def verify_(self) -> None:
        _verify_lanes(self.condition, self.result)


@irdl_op_definition
class ConvertOp(IRDLOperation):
    """Lanes converted to another element type by the rules of `canao.cast`.

    `canao_vector.convert %a : vector<8xi1> to vector<8xf32>`: true is 1, integers
    are signed, floats become integers towards zero. To make a mask, compare.
    """

    name = "canao_vector.convert"
    operand = operand_def(_VECTOR)
    result = result_def(_VECTOR)
    traits = traits_def(Pure())
    assembly_format = "$operand attr-dict `:` type($operand) `to` type($result)"

    def __init__(self, operand: SSAValue, element: Attribute) -> None:
        assert isinstance(operand.type, VectorType)
        kind = VectorType(element, operand.type.shape, operand.type.scalable_dims)
        super().__init__(operands=[operand], result_types=[kind])

    def verify_(self) -> None:
        _verify_lanes(self.operand, self.result)
        assert isinstance(self.result.type, VectorType)
        if self.result.type.element_type == i1:
            raise VerifyException('a mask is made by canao_vector.cmp "ne" with 0')


@irdl_op_definition
class FmodOp(IRDLOperation):
    """`a - trunc(a / b) * b` of scalars or lanes, exactly: `canao_vector.fmod %a, %b : f32`."""

    name = "canao_vector.fmod"
    T: ClassVar = VarConstraint("T", _FLOATS)
    lhs = operand_def(T)
    rhs = operand_def(T)
    result = result_def(T)
    traits = traits_def(Pure())
    assembly_format = "$lhs `,` $rhs attr-dict `:` type($result)"

    def __init__(self, lhs: SSAValue, rhs: SSAValue) -> None:
        super().__init__(operands=[lhs, rhs], result_types=[lhs.type])


@irdl_op_definition
class KeepRoundingOp(IRDLOperation):
    """Its operand as it was rounded, a scalar or a vector: `canao_vector.keep_rounding %a : f32`.

    Compilers join no operation before it with one after it.
    """

    name = "canao_vector.keep_rounding"
    T: ClassVar = VarConstraint("T", _FLOATS)
    operand = operand_def(T)
    result = result_def(T)
    traits = traits_def(Pure())
    assembly_format = "$operand attr-dict `:` type($result)"

    def __init__(self, operand: SSAValue) -> None:
        super().__init__(operands=[operand], result_types=[operand.type])


class HintOp(IRDLOperation, ABC):
    """Changes no value: it is for the compiler of the printed text."""

    T: ClassVar = VarConstraint("T", _VECTOR)
    operand = operand_def(T)
    result = result_def(T)
    traits = traits_def(Pure())
    assembly_format = "$operand attr-dict `:` type($result)"

    def __init__(self, operand: SSAValue) -> None:
        super().__init__(operands=[operand], result_types=[operand.type])


@irdl_op_definition
class KeepOp(HintOp):
    """Its operand, in a register from here on: `canao_vector.keep %a : vector<8xf32>`.

    What the compiler knows of the operand, it does not know of the result: it cannot
    load that again, and must hold it until its last use.
    """

    name = "canao_vector.keep"


@irdl_op_definition
class InOrderOp(HintOp):
    """Its operand, computed before what follows: `canao_vector.in_order %a : vector<8xf32>`.

    It is for compilers that put operations in another order before they choose
    registers, and then lack some.
    """

    name = "canao_vector.in_order"


CanaoVector = Dialect(
    "canao_vector",
    [CompareOp, SelectOp, ConvertOp, FmodOp, KeepRoundingOp, KeepOp, InOrderOp],
    [],
)

__all__ = [
    "CanaoVector",
    "CompareOp",
    "ConvertOp",
    "FmodOp",
    "HintOp",
    "InOrderOp",
    "KeepOp",
    "KeepRoundingOp",
    "SelectOp",
    "mask_of",
]
