"""The math dialect, and kin of it: functions of the C library, on scalars or lane by lane."""

from __future__ import annotations

from xdsl.dialects import math
from xdsl.ir import Operation

from canao.dialects import canao_vector
from canao.lowering.c.context import FunctionPrinter, OpPrinter
from canao.lowering.c.errors import Unprintable
from canao.lowering.c.expressions import helpers
from canao.lowering.c.language.types import literal

# Names for double; those for float end in "f".
_LIBRARY: dict[type[Operation], str] = {
    math.AbsFOp: "fabs",
    math.AcosOp: "acos",
    math.AcoshOp: "acosh",
    math.AsinOp: "asin",
    math.AsinhOp: "asinh",
    math.Atan2Op: "atan2",
    math.AtanOp: "atan",
    math.AtanhOp: "atanh",
    math.CeilOp: "ceil",
    math.CopySignOp: "copysign",
    math.CosOp: "cos",
    math.CoshOp: "cosh",
    math.ErfOp: "erf",
    math.Exp2Op: "exp2",
    math.ExpM1Op: "expm1",
    math.ExpOp: "exp",
    canao_vector.FmodOp: "fmod",
    math.FloorOp: "floor",
    math.Log10Op: "log10",
    math.Log1pOp: "log1p",
    math.Log2Op: "log2",
    math.LogOp: "log",
    math.PowFOp: "pow",
    # rounds half to even in the default rounding mode
    math.RoundEvenOp: "rint",
    math.RoundOp: "round",
    math.SinOp: "sin",
    math.SinhOp: "sinh",
    math.SqrtOp: "sqrt",
    math.TanOp: "tan",
    math.TanhOp: "tanh",
    math.TruncOp: "trunc",
}


def _call(fn: FunctionPrinter, op: Operation, function: str) -> str:
    ctype = fn.ctype(op.results[0])
    function, whole = fn.unit.dialect.library(ctype, function)
    operands = [fn.name(operand) for operand in op.operands]
    if ctype.is_vector and not whole:
        return helpers.by_lane(fn.unit, ctype, function, operands)
    return f"{function}({', '.join(operands)})"


def _print_library(fn: FunctionPrinter, op: Operation) -> None:
    fn.define(op.results[0], _call(fn, op, _LIBRARY[type(op)]))


_ROUNDING = (math.CeilOp, math.FloorOp, math.RoundEvenOp, math.TruncOp)


def _print_rounding(fn: FunctionPrinter, op: Operation) -> None:
    ctype, name = fn.ctype(op.results[0]), _LIBRARY[type(op)]
    function, whole = fn.unit.dialect.library(ctype, name)
    if not ctype.is_vector or whole:
        _print_library(fn, op)
        return
    text = helpers.rounding(fn.unit, ctype, name, function, fn.name(op.operands[0]))
    fn.define(op.results[0], text)


def _print_keep_rounding(fn: FunctionPrinter, op: canao_vector.KeepRoundingOp) -> None:
    ctype, text = fn.ctype(op.operand), fn.name(op.operand)
    fn.keeps_roundings = True
    body = fn.unit.dialect.keep_rounding(ctype)
    fn.define(op.result, helpers.hint(fn.unit, ctype, "keep_rounding", body, text))


def _print_rsqrt(fn: FunctionPrinter, op: math.RsqrtOp) -> None:
    one = literal(fn.ctype(op.result).element, 1)
    fn.define(op.result, f"{one} / {_call(fn, op, 'sqrt')}")


def print_fma(fn: FunctionPrinter, op: Operation) -> None:
    """Prints a multiplication and an addition, which compilers contract where they can."""
    a, b, c = (fn.name(operand) for operand in op.operands)
    fn.define(op.results[0], f"{a} * {b} + {c}")


def _print_absi(fn: FunctionPrinter, op: math.AbsIOp) -> None:
    ctype, a = fn.ctype(op.result), fn.name(op.operand)
    fn.define(op.result, helpers.choose(fn.unit, ctype, f"{a} < 0", f"-{a}", a))


def _print_ipowi(fn: FunctionPrinter, op: math.IPowIOp) -> None:
    ctype = fn.ctype(op.result)
    if ctype.element.is_float or ctype.element.is_bool:
        raise Unprintable("an integer power of something that is no integer")
    function = helpers.integer_power(fn.unit, ctype.with_lanes(1))
    a, b = fn.name(op.lhs), fn.name(op.rhs)
    if ctype.is_vector:
        fn.define(op.result, helpers.by_lane(fn.unit, ctype, function, [a, b]))
    else:
        fn.define(op.result, f"{function}({a}, {b})")


PRINTERS: dict[type[Operation], OpPrinter] = {
    **dict.fromkeys(_LIBRARY, _print_library),
    **dict.fromkeys(_ROUNDING, _print_rounding),
    canao_vector.KeepRoundingOp: _print_keep_rounding,
    math.RsqrtOp: _print_rsqrt,
    math.FmaOp: print_fma,
    math.AbsIOp: _print_absi,
    math.IPowIOp: _print_ipowi,
}
