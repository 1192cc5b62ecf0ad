"""Arithmetic, comparisons and selections, on scalars and on vectors."""

from __future__ import annotations

from collections.abc import Callable
from math import isnan
from typing import TypeAlias

from xdsl.dialects import arith
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, FloatAttr, IndexType, IntegerAttr
from xdsl.ir import Operation, SSAValue

from canao.dialects import canao_vector
from canao.lowering.c.context import FunctionPrinter, OpPrinter, UnitPrinter
from canao.lowering.c.errors import Unprintable
from canao.lowering.c.expressions import helpers
from canao.lowering.c.language.types import CType, lane_literal, literal

Binary: TypeAlias = Callable[[UnitPrinter, CType, str, str], str]
"""Prints an operation on two values of one type."""


def _plain(symbol: str) -> Binary:
    def binary(_unit: UnitPrinter, _ctype: CType, a: str, b: str) -> str:
        return f"{a} {symbol} {b}"

    return binary


def _as_unsigned(unit: UnitPrinter, ctype: CType, text: str) -> str:
    """An integer, or a vector of some, read as unsigned."""
    unsigned = ctype.of(ctype.element.unsigned)
    unit.declare(unsigned)
    return unit.dialect.cast(unsigned, text)


def _not_bool(ctype: CType) -> None:
    if ctype.element.is_bool:
        raise Unprintable("arithmetic on i1; use andi, ori and xori")


def _wrapping(symbol: str) -> Binary:
    """Integer operations that wrap around, which in C only unsigned ones do."""

    def binary(unit: UnitPrinter, ctype: CType, a: str, b: str) -> str:
        _not_bool(ctype)
        if ctype.element.key == "index":
            return f"{a} {symbol} {b}"
        # narrow unsigned scalars would become int, which does not wrap
        if not ctype.is_vector and ctype.element.bytes < 4:
            return f"({ctype.c})((uint32_t){a} {symbol} (uint32_t){b})"
        return _of_unsigned(unit, ctype, symbol, a, b)

    return binary


def _signed(symbol: str) -> Binary:
    def binary(_unit: UnitPrinter, ctype: CType, a: str, b: str) -> str:
        _not_bool(ctype)
        return f"{a} {symbol} {b}"

    return binary


def _unsigned(symbol: str) -> Binary:
    def binary(unit: UnitPrinter, ctype: CType, a: str, b: str) -> str:
        _not_bool(ctype)
        return _of_unsigned(unit, ctype, symbol, a, b)

    return binary


def _of_unsigned(unit: UnitPrinter, ctype: CType, symbol: str, a: str, b: str) -> str:
    a, b = (_as_unsigned(unit, ctype, text) for text in (a, b))
    return unit.dialect.cast(ctype, f"({a} {symbol} {b})")


def _pick(symbol: str, *, unsigned: bool = False) -> Binary:
    """The larger or smaller of two integers."""

    def binary(unit: UnitPrinter, ctype: CType, a: str, b: str) -> str:
        _not_bool(ctype)
        left, right = (_as_unsigned(unit, ctype, text) if unsigned else text for text in (a, b))
        return helpers.choose(unit, ctype, f"{left} {symbol} {right}", a, b)

    return binary


def _extremum(kind: str) -> Binary:
    def binary(unit: UnitPrinter, ctype: CType, a: str, b: str) -> str:
        return helpers.extremum(unit, ctype, kind, a, b)

    return binary


def _extremum_number(kind: str) -> Binary:
    def binary(unit: UnitPrinter, ctype: CType, a: str, b: str) -> str:
        return helpers.extremum_number(unit, ctype, kind, a, b)

    return binary


BINARY: dict[type[Operation], Binary] = {
    arith.AddfOp: _plain("+"),
    arith.SubfOp: _plain("-"),
    arith.MulfOp: _plain("*"),
    arith.DivfOp: _plain("/"),
    arith.MaximumfOp: _extremum("maximum"),
    arith.MinimumfOp: _extremum("minimum"),
    arith.MaxnumfOp: _extremum_number("maximum"),
    arith.MinnumfOp: _extremum_number("minimum"),
    arith.AddiOp: _wrapping("+"),
    arith.SubiOp: _wrapping("-"),
    arith.MuliOp: _wrapping("*"),
    arith.ShLIOp: _wrapping("<<"),
    arith.DivSIOp: _signed("/"),
    arith.RemSIOp: _signed("%"),
    arith.ShRSIOp: _signed(">>"),
    arith.FloorDivSIOp: helpers.floordiv,
    arith.DivUIOp: _unsigned("/"),
    arith.RemUIOp: _unsigned("%"),
    arith.ShRUIOp: _unsigned(">>"),
    arith.AndIOp: _plain("&"),
    arith.OrIOp: _plain("|"),
    arith.XOrIOp: _plain("^"),
    arith.MaxSIOp: _pick(">"),
    arith.MinSIOp: _pick("<"),
    arith.MaxUIOp: _pick(">", unsigned=True),
    arith.MinUIOp: _pick("<", unsigned=True),
}


def _print_binary(fn: FunctionPrinter, op: Operation) -> None:
    result = op.results[0]
    left, right = op.operands
    ctype = fn.ctype(result)
    kind = _ORDERED.get(type(op))
    if kind is not None and _is_number(left):
        text = helpers.extremum(fn.unit, ctype, kind, fn.name(left), fn.name(right), ordered=True)
    else:
        text = BINARY[type(op)](fn.unit, ctype, fn.name(left), fn.name(right))
    fn.define(result, text)


_ORDERED: dict[type[Operation], str] = {
    arith.MaximumfOp: "maximum",
    arith.MinimumfOp: "minimum",
}
"""Operations that are one instruction where the left operand is known not to be NaN."""


def _is_number(value: SSAValue) -> bool:
    """Whether a value is a constant without NaN."""
    owner = value.owner
    if not isinstance(owner, arith.ConstantOp):
        return False
    if isinstance(owner.value, FloatAttr):
        return not isnan(owner.value.value.data)
    return isinstance(owner.value, DenseIntOrFPElementsAttr) and not any(
        isnan(number) for number in _numbers(owner.value)
    )


def _print_negf(fn: FunctionPrinter, op: arith.NegfOp) -> None:
    fn.define(op.result, f"-{fn.name(op.operand)}")


# Predicates by their number; {no} negates a comparison: "!" for scalars, "~" for masks.
_FLOAT_PREDICATES = (
    "",
    "{a} == {b}",
    "{a} > {b}",
    "{a} >= {b}",
    "{a} < {b}",
    "{a} <= {b}",
    "({a} < {b}) | ({a} > {b})",
    "({a} == {a}) & ({b} == {b})",
    "{no}(({a} < {b}) | ({a} > {b}))",
    "{no}({a} <= {b})",
    "{no}({a} < {b})",
    "{no}({a} >= {b})",
    "{no}({a} > {b})",
    "{a} != {b}",
    "({a} != {a}) | ({b} != {b})",
    "",
)
_INTEGER_PREDICATES = ("==", "!=", "<", "<=", ">", ">=", "<", "<=", ">", ">=")
_SYMBOLS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_EQUALITIES = 2
_FIRST_UNSIGNED = 6


def _define_comparison(
    fn: FunctionPrinter,
    op: arith.CmpfOp | arith.CmpiOp | canao_vector.CompareOp,
    ctype: CType,
    text: str,
) -> None:
    result = fn.ctype(op.result)
    if result.lanes != ctype.lanes:
        raise Unprintable(f"it compares {ctype.lanes} lanes and gives {op.result.type}")
    if ctype.is_vector and ctype.native_mask.c != result.of("i32").c:
        text = fn.unit.dialect.convert(fn.unit, result.of("i32"), text)
    fn.define(op.result, text)


def _print_cmpf(fn: FunctionPrinter, op: arith.CmpfOp) -> None:
    ctype = fn.ctype(op.lhs)
    template = _FLOAT_PREDICATES[op.predicate.value.data]
    if not template:
        raise Unprintable("a comparison that is always true or false; use a constant")
    no = "~" if ctype.is_vector else "!"
    text = template.format(a=fn.name(op.lhs), b=fn.name(op.rhs), no=no)
    _define_comparison(fn, op, ctype, text)


def _print_cmpi(fn: FunctionPrinter, op: arith.CmpiOp) -> None:
    ctype = fn.ctype(op.lhs)
    predicate = op.predicate.value.data
    unsigned = predicate >= _FIRST_UNSIGNED
    if ctype.element.is_bool and predicate >= _EQUALITIES and not unsigned:
        raise Unprintable("a signed order between values of type i1; compare them unsigned")
    names = [fn.name(op.lhs), fn.name(op.rhs)]
    a, b = (_as_unsigned(fn.unit, ctype, name) if unsigned else name for name in names)
    text = f"{a} {_INTEGER_PREDICATES[predicate]} {b}"
    _define_comparison(fn, op, ctype, text)


def _print_mask(fn: FunctionPrinter, op: canao_vector.CompareOp) -> None:
    ctype = fn.ctype(op.lhs)
    a, b = fn.name(op.lhs), fn.name(op.rhs)
    if ctype.element.is_bool and ctype.is_vector:
        a, b = b, a  # true is -1 in a lane, and yet greater than false
    _define_comparison(fn, op, ctype, f"{a} {_SYMBOLS[op.predicate.data]} {b}")


def _print_select(fn: FunctionPrinter, op: arith.SelectOp | canao_vector.SelectOp) -> None:
    ctype = fn.ctype(op.result)
    condition = fn.ctype(op.operands[0])
    mask, a, b = (fn.name(operand) for operand in op.operands)
    if not condition.is_vector:
        fn.define(op.result, f"{mask} ? {a} : {b}")
        return
    native = ctype.native_mask
    if native.c != ctype.of("i32").c:
        mask = fn.unit.dialect.convert(fn.unit, native, mask)
    fn.define(op.result, helpers.blend(fn.unit, ctype, mask, a, b))


def _print_constant(fn: FunctionPrinter, op: arith.ConstantOp) -> None:
    ctype = fn.ctype(op.result)
    value = op.value
    if isinstance(value, DenseIntOrFPElementsAttr):
        _define_dense(fn, op, ctype, value)
        return
    if not isinstance(value, IntegerAttr | FloatAttr):
        raise Unprintable(f"a constant of type {op.result.type}")
    if isinstance(op.result.type, IndexType):
        number = int(value.value.data)
        fn.constants[op.result] = number
    text = literal(ctype.element, value.value.data)
    if op.result in fn.assigned:
        fn.define(op.result, text)
    else:
        fn.names[op.result] = text


def _define_dense(
    fn: FunctionPrinter, op: arith.ConstantOp, ctype: CType, value: DenseIntOrFPElementsAttr
) -> None:
    numbers = [float(n) if ctype.element.is_float else int(n) for n in _numbers(value)]
    if not ctype.is_vector:
        fn.define(op.result, literal(ctype.element, numbers[0]))
        return
    texts = [lane_literal(ctype.element, number) for number in numbers]
    if len(set(texts)) == 1:
        fn.define(op.result, helpers.splat(fn.unit, ctype, texts[0]))
        return
    fn.define(op.result, fn.unit.dialect.vector(ctype, texts))


def _numbers(value: DenseIntOrFPElementsAttr) -> list[int | float]:
    numbers: list[int | float] = []
    for number in value.get_values():
        if isinstance(number, tuple):
            raise Unprintable("a constant of complex numbers")
        numbers.append(number)
    return numbers


def combine(kind: type[Operation]) -> Binary:
    """How two values are combined by an operation of this class."""
    return BINARY[kind]


def mask_to_bit(ctype: CType, name: str) -> str:
    """A truth value as 0 or 1, alone or in each lane."""
    return f"(-{name})" if ctype.is_vector and ctype.element.is_bool else name


def lane_scalar(ctype: CType, name: str) -> str:
    """A scalar as a lane of `ctype` holds it: true is -1."""
    return f"(-{name})" if ctype.element.is_bool else name


PRINTERS: dict[type[Operation], OpPrinter] = {
    **dict.fromkeys(BINARY, _print_binary),
    arith.NegfOp: _print_negf,
    arith.CmpfOp: _print_cmpf,
    arith.CmpiOp: _print_cmpi,
    arith.SelectOp: _print_select,
    canao_vector.CompareOp: _print_mask,
    canao_vector.SelectOp: _print_select,
    arith.ConstantOp: _print_constant,
}
