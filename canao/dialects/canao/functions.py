"""Elementwise functions of the C library that no law of the compiler touches."""

from __future__ import annotations

from xdsl.irdl import irdl_op_definition

from canao.dialects.canao.elementwise import BinaryOp, PartialOp, TranscendentalOp, UnaryOp


class FunctionOp(UnaryOp, TranscendentalOp):
    """A function of one floating-point number, as accurate as the C library's."""


@irdl_op_definition
class AcosOp(PartialOp, FunctionOp):
    """The angle in [0, pi] whose cosine is `a`."""

    name = "canao.acos"


@irdl_op_definition
class AcoshOp(PartialOp, FunctionOp):
    """The number from 0 on whose hyperbolic cosine is `a`."""

    name = "canao.acosh"


@irdl_op_definition
class AsinOp(PartialOp, FunctionOp):
    """The angle in [-pi/2, pi/2] whose sine is `a`."""

    name = "canao.asin"


@irdl_op_definition
class AsinhOp(FunctionOp):
    """The number whose hyperbolic sine is `a`."""

    name = "canao.asinh"


@irdl_op_definition
class AtanOp(FunctionOp):
    """The angle in [-pi/2, pi/2] whose tangent is `a`."""

    name = "canao.atan"


@irdl_op_definition
class AtanhOp(PartialOp, FunctionOp):
    """The number whose hyperbolic tangent is `a`."""

    name = "canao.atanh"


@irdl_op_definition
class CoshOp(FunctionOp):
    """The hyperbolic cosine."""

    name = "canao.cosh"


@irdl_op_definition
class Exp2Op(FunctionOp):
    """`2 ** a`."""

    name = "canao.exp2"


@irdl_op_definition
class Expm1Op(FunctionOp):
    """`e ** a - 1`, accurate near 0."""

    name = "canao.expm1"


@irdl_op_definition
class Log10Op(PartialOp, FunctionOp):
    """The logarithm to base 10."""

    name = "canao.log10"


@irdl_op_definition
class Log1pOp(PartialOp, FunctionOp):
    """`log(1 + a)`, accurate near 0."""

    name = "canao.log1p"


@irdl_op_definition
class Log2Op(PartialOp, FunctionOp):
    """The logarithm to base 2."""

    name = "canao.log2"


@irdl_op_definition
class SinhOp(FunctionOp):
    """The hyperbolic sine."""

    name = "canao.sinh"


@irdl_op_definition
class TanOp(FunctionOp):
    """The tangent."""

    name = "canao.tan"


@irdl_op_definition
class Atan2Op(BinaryOp, TranscendentalOp):
    """The angle in [-pi, pi] of the point with ordinate `a` and abscissa `b`."""

    name = "canao.atan2"

    def decides_by(self, operand: int) -> bool:
        return True  # across the negative half of the axis the angle jumps from pi to -pi


@irdl_op_definition
class CopysignOp(BinaryOp):
    """`|a|` with the sign of `b`, that of a zero too."""

    name = "canao.copysign"

    def decides_by(self, operand: int) -> bool:
        return operand == 1
