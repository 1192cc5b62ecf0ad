"""Elementwise operations that round floating-point numbers, and what they round by."""

from __future__ import annotations

from abc import ABC

from xdsl.irdl import irdl_op_definition
from xdsl.utils.exceptions import VerifyException

from canao.dialects.canao.elementwise import BinaryOp, ElementwiseOp, UnaryOp
from canao.dialects.canao.types import element_of, is_float


class _OfFloats(ElementwiseOp, ABC):
    """An operation whose elements are floating-point numbers."""

    def verify_(self) -> None:
        super().verify_()
        if not is_float(self.result):
            raise VerifyException(
                f"elements must be floating-point numbers, not {element_of(self.result)}"
            )


class RoundingOp(_OfFloats, UnaryOp, ABC):
    """The operand as a whole number; infinities, NaN and the sign of zero stay."""

    def decides_by(self, operand: int) -> bool:
        return True


@irdl_op_definition
class FloorOp(RoundingOp):
    """The largest whole number that is not above `a`."""

    name = "canao.floor"


@irdl_op_definition
class CeilOp(RoundingOp):
    """The smallest whole number that is not below `a`."""

    name = "canao.ceil"


@irdl_op_definition
class TruncOp(RoundingOp):
    """`a` without its fraction."""

    name = "canao.trunc"


@irdl_op_definition
class RoundOp(RoundingOp):
    """The whole number nearest to `a`; halves go to the even one."""

    name = "canao.round"


@irdl_op_definition
class FmodOp(_OfFloats, BinaryOp):
    """`a - trunc(a / b) * b`, exactly: what is left of `a`, with its sign; NaN if `b` is 0."""

    name = "canao.fmod"

    def cost(self) -> int:
        return 10

    def decides_by(self, operand: int) -> bool:
        return True


@irdl_op_definition
class KeepRoundingOp(_OfFloats, UnaryOp):
    """`a` as it was rounded: C makes no multiply-add of the product `a` and a sum after it."""

    name = "canao.keep_rounding"

    def computations(self) -> int:
        return 0
