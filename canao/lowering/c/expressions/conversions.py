"""Conversions between types."""

from __future__ import annotations

from xdsl.dialects import arith
from xdsl.ir import Operation

from canao.dialects import canao_vector
from canao.lowering.c.context import FunctionPrinter, OpPrinter
from canao.lowering.c.errors import Unprintable
from canao.lowering.c.expressions import helpers
from canao.lowering.c.expressions.arithmetic import mask_to_bit
from canao.lowering.c.expressions.memory import print_stored
from canao.lowering.c.language.types import CType


def _converted(fn: FunctionPrinter, target: CType, text: str) -> str:
    """A C conversion by value."""
    dialect = fn.unit.dialect
    if target.is_vector:
        return dialect.convert(fn.unit, target, text)
    return dialect.cast(target, text)


def _same_lanes(source: CType, target: CType) -> None:
    if source.lanes != target.lanes:
        raise Unprintable(f"it converts {source.lanes} lanes to {target.lanes}")


def _signed_value(source: CType, name: str) -> str:
    """An operand whose type i1 counts as -1 or 0."""
    return f"(-{name})" if source.element.is_bool and not source.is_vector else name


def _unsigned_value(fn: FunctionPrinter, source: CType, name: str) -> str:
    """An operand read as an unsigned number."""
    if source.element.is_bool:
        return mask_to_bit(source, name)
    unsigned = source.of(source.element.unsigned)
    fn.unit.declare(unsigned)
    return fn.unit.dialect.cast(unsigned, name)


def _print_signed(fn: FunctionPrinter, op: Operation) -> None:
    source, target = fn.ctype(op.operands[0]), fn.ctype(op.results[0])
    _same_lanes(source, target)
    if source.element.is_only_stored or target.element.is_only_stored:
        print_stored(fn, op)
        return
    text = _signed_value(source, fn.name(op.operands[0]))
    if target.is_vector and (source.element.key, target.element.key) == ("f32", "f64"):
        fn.define(op.results[0], helpers.widen(fn.unit, source, target, text))
        return
    fn.define(op.results[0], _converted(fn, target, text))


def _print_unsigned(fn: FunctionPrinter, op: Operation) -> None:
    source, target = fn.ctype(op.operands[0]), fn.ctype(op.results[0])
    _same_lanes(source, target)
    text = _unsigned_value(fn, source, fn.name(op.operands[0]))
    fn.define(op.results[0], _converted(fn, target, text))


def _print_trunci(fn: FunctionPrinter, op: arith.TruncIOp) -> None:
    source, target = fn.ctype(op.input), fn.ctype(op.result)
    _same_lanes(source, target)
    name = fn.name(op.input)
    if not target.element.is_bool:
        fn.define(op.result, _converted(fn, target, name))
    elif target.is_vector:
        fn.define(op.result, _converted(fn, target, f"-({name} & 1)"))
    else:
        fn.define(op.result, f"(int)({name} & 1)")


def _print_to_integer(fn: FunctionPrinter, op: Operation) -> None:
    source, target = fn.ctype(op.operands[0]), fn.ctype(op.results[0])
    _same_lanes(source, target)
    if target.element.is_bool:
        raise Unprintable("a conversion to i1; compare with 0")
    fn.define(op.results[0], _converted(fn, target, fn.name(op.operands[0])))


def _print_to_unsigned(fn: FunctionPrinter, op: arith.FPToUIOp) -> None:
    source, target = fn.ctype(op.input), fn.ctype(op.result)
    _same_lanes(source, target)
    if target.element.is_bool:
        raise Unprintable("a conversion to i1; compare with 0")
    unsigned = target.of(target.element.unsigned)
    text = _converted(fn, unsigned, fn.name(op.input))
    fn.define(op.result, fn.unit.dialect.cast(target, text))


def _print_convert(fn: FunctionPrinter, op: canao_vector.ConvertOp) -> None:
    printer = _print_unsigned if fn.ctype(op.operand).element.is_bool else _print_signed
    printer(fn, op)


def print_bits(fn: FunctionPrinter, op: Operation) -> None:
    """Prints `arith.bitcast` and `vector.bitcast`."""
    source, target = fn.ctype(op.operands[0]), fn.ctype(op.results[0])
    name = fn.name(op.operands[0])
    text = name if source == target else helpers.bits(fn.unit, source, target, name)
    fn.define(op.results[0], text)


PRINTERS: dict[type[Operation], OpPrinter] = {
    arith.ExtSIOp: _print_signed,
    arith.SIToFPOp: _print_signed,
    arith.ExtFOp: _print_signed,
    arith.TruncFOp: _print_signed,
    arith.IndexCastOp: _print_signed,
    arith.ExtUIOp: _print_unsigned,
    arith.UIToFPOp: _print_unsigned,
    arith.TruncIOp: _print_trunci,
    arith.FPToSIOp: _print_to_integer,
    arith.FPToUIOp: _print_to_unsigned,
    arith.BitcastOp: print_bits,
    canao_vector.ConvertOp: _print_convert,
}
