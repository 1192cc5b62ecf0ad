"""The arithmetic of each elementwise operation, on scalars or vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xdsl.dialects import arith, cf, math, vector
from xdsl.dialects.builtin import (
    AnyFloat,
    DenseIntOrFPElementsAttr,
    FloatAttr,
    IntegerAttr,
    IntegerType,
    VectorType,
)
from xdsl.ir import Attribute, Block, Operation, SSAValue

from canao.dialects import canao, canao_vector
from canao.dialects.canao.source import dense_elements
from canao.dialects.canao.types import range_of

Emit = Callable[[Block, Operation, Sequence[SSAValue]], SSAValue]


def element_type(type_: Attribute) -> Attribute:
    """The element type of a vector type; any other type itself."""
    return type_.element_type if isinstance(type_, VectorType) else type_


def add(block: Block, op: Operation) -> SSAValue:
    """Appends an operation and returns its only result."""
    block.add_op(op)
    return op.results[0]


def number(block: Block, value: float, type_: Attribute) -> SSAValue:
    """A constant of a scalar type, or a splat of a vector type."""
    element = element_type(type_)
    attribute: Attribute
    if isinstance(type_, VectorType) and _reads_back_as_integer(value, element):
        return add(block, vector.BroadcastOp(number(block, value, element), type_))
    if isinstance(type_, VectorType):
        attribute = dense_elements(type_, [value])
    elif isinstance(element, AnyFloat):
        attribute = FloatAttr(float(value), element)
    else:
        assert isinstance(element, IntegerType)
        attribute = IntegerAttr(int(value), element)
    return add(
        block, arith.ConstantOp.create(properties={"value": attribute}, result_types=[type_])
    )


def _reads_back_as_integer(value: float, element: Attribute) -> bool:
    """Whether MLIR writes a number in hexadecimal, which xDSL misreads in dense attributes."""
    return isinstance(element, AnyFloat) and str(FloatAttr(float(value), element))[:2] == "0x"


def _binary(floats: Callable[..., Operation], integers: Callable[..., Operation]) -> Emit:
    def emit(block: Block, _: Operation, args: Sequence[SSAValue]) -> SSAValue:
        kind = floats if isinstance(element_type(args[0].type), AnyFloat) else integers
        return add(block, kind(*args))

    return emit


def _unary(kind: Callable[..., Operation]) -> Emit:
    return lambda block, _, args: add(block, kind(args[0]))


def _call(kind: Callable[..., Operation]) -> Emit:
    return lambda block, _, args: add(block, kind(*args))


# Numbers of the predicates in arith: ordered comparisons, but "ne" holds for NaN; truth
# values are compared as unsigned numbers, so that false is less than true.
_FLOAT_PREDICATES = {"eq": 1, "gt": 2, "ge": 3, "lt": 4, "le": 5, "ne": 13}
_INTEGER_PREDICATES = {"eq": 0, "ne": 1, "lt": 2, "le": 3, "gt": 4, "ge": 5}
_TRUTH_PREDICATES = {"eq": 0, "ne": 1, "lt": 6, "le": 7, "gt": 8, "ge": 9}


def compare(block: Block, predicate: str, lhs: SSAValue, rhs: SSAValue) -> SSAValue:
    """A comparison by a predicate of `canao.cmp`."""
    if isinstance(lhs.type, VectorType):
        return add(block, canao_vector.CompareOp(predicate, lhs, rhs))
    if isinstance(lhs.type, AnyFloat):
        return add(block, arith.CmpfOp(lhs, rhs, _FLOAT_PREDICATES[predicate]))
    numbers = _TRUTH_PREDICATES if lhs.type == IntegerType(1) else _INTEGER_PREDICATES
    return add(block, arith.CmpiOp(lhs, rhs, numbers[predicate]))


def _compare(block: Block, op: Operation, args: Sequence[SSAValue]) -> SSAValue:
    assert isinstance(op, canao.CompareOp)
    return compare(block, op.predicate.data, *args)


def _negate(block: Block, _: Operation, args: Sequence[SSAValue]) -> SSAValue:
    if isinstance(element_type(args[0].type), AnyFloat):
        return add(block, arith.NegfOp(args[0]))
    return add(block, arith.SubiOp(number(block, 0, args[0].type), args[0]))


def _absolute(block: Block, op: Operation, args: Sequence[SSAValue]) -> SSAValue:
    if isinstance(element_type(args[0].type), AnyFloat):
        return add(block, math.AbsFOp(args[0]))
    return add(block, arith.MaxSIOp(args[0], _negate(block, op, args)))


def _complement(block: Block, _: Operation, args: Sequence[SSAValue]) -> SSAValue:
    return add(block, arith.XOrIOp(args[0], number(block, -1, args[0].type)))


def _whole_constant(value: SSAValue) -> int | None:
    """The integer that a constant is, in every lane; None for other values."""
    owner = value.owner
    if isinstance(owner, vector.BroadcastOp):
        return _whole_constant(owner.source)
    if not isinstance(owner, arith.ConstantOp):
        return None
    given = owner.value
    if isinstance(given, IntegerAttr):
        return given.value.data
    if not isinstance(given, DenseIntOrFPElementsAttr) or not given.is_splat():
        return None
    first = given.get_values()[0]
    return first if isinstance(first, int) else None


def _check(block: Block, condition: SSAValue, message: str) -> None:
    """An assertion, of vectors for all lanes."""
    if isinstance(condition.type, VectorType):
        kind = vector.CombiningKindAttr(vector.CombiningKindFlag.AND)
        whole = vector.ReductionOp.create(
            operands=[condition],
            properties={"kind": kind},
            result_types=[element_type(condition.type)],
        )
        condition = add(block, whole)
    block.add_op(cf.AssertOp(condition, message))


def _divide(block: Block, op: Operation, args: Sequence[SSAValue]) -> SSAValue:
    """A quotient; where processors trap on integers, a check or a negation stands instead."""
    value, divisor = args
    if isinstance(element_type(value.type), AnyFloat):
        return add(block, arith.DivfOp(value, divisor))
    constant = _whole_constant(divisor)
    if constant == -1:
        return _negate(block, op, args)
    if constant:
        return add(block, arith.DivSIOp(value, divisor))
    zero, one = (number(block, n, divisor.type) for n in (0, 1))
    _check(block, compare(block, "ne", divisor, zero), "integer division by zero")
    # the least integer has no quotient by -1, but a negative that wraps around
    negates = compare(block, "eq", divisor, number(block, -1, divisor.type))
    traps = add(block, arith.OrIOp(negates, compare(block, "eq", divisor, zero)))
    safe = _select(block, op, [traps, one, divisor])
    quotient = add(block, arith.DivSIOp(value, safe))
    return _select(block, op, [negates, _negate(block, op, args), quotient])


def _reciprocal(block: Block, _: Operation, args: Sequence[SSAValue]) -> SSAValue:
    return add(block, arith.DivfOp(number(block, 1, args[0].type), args[0]))


def _rsqrt(block: Block, _: Operation, args: Sequence[SSAValue]) -> SSAValue:
    root = add(block, math.SqrtOp(args[0]))
    return add(block, arith.DivfOp(number(block, 1, root.type), root))


def _sigmoid(block: Block, _: Operation, args: Sequence[SSAValue]) -> SSAValue:
    power = add(block, math.ExpOp(add(block, arith.NegfOp(args[0]))))
    one = number(block, 1, power.type)
    return add(block, arith.DivfOp(one, add(block, arith.AddfOp(one, power))))


def _wrap(block: Block, op: Operation, args: Sequence[SSAValue]) -> SSAValue:
    """The low bits, counted from the least number: three operations that every processor has."""
    assert isinstance(op, canao.WrapOp)
    least, greatest = range_of(op.to)
    type_ = args[0].type
    mask = number(block, greatest - least, type_)
    if not least:
        return add(block, arith.AndIOp(args[0], mask))
    low = number(block, least, type_)
    bits = add(block, arith.AndIOp(add(block, arith.SubiOp(args[0], low)), mask))
    return add(block, arith.AddiOp(bits, low))


def _select(block: Block, _: Operation, args: Sequence[SSAValue]) -> SSAValue:
    kind = canao_vector.SelectOp if isinstance(args[0].type, VectorType) else arith.SelectOp
    return add(block, kind(*args))


def _cast(block: Block, op: Operation, args: Sequence[SSAValue]) -> SSAValue:
    assert isinstance(op, canao.CastOp)
    return cast_to(block, args[0], op.result.type.element_type)


def cast_to(block: Block, value: SSAValue, element: Attribute) -> SSAValue:
    """A conversion by the rules of `canao.cast`."""
    source = element_type(value.type)
    if source == element:
        return value
    if element == IntegerType(1):
        return compare(block, "ne", value, number(block, 0, value.type))
    if isinstance(value.type, VectorType):
        return add(block, canao_vector.ConvertOp(value, element))
    wider = source == IntegerType(1)
    kind: type[Operation]
    if isinstance(source, AnyFloat) and isinstance(element, AnyFloat):
        kind = arith.ExtFOp if element.bitwidth > source.bitwidth else arith.TruncFOp
    elif isinstance(element, AnyFloat):
        kind = arith.UIToFPOp if wider else arith.SIToFPOp
    elif isinstance(source, AnyFloat):
        kind = arith.FPToSIOp
    elif wider:
        kind = arith.ExtUIOp
    else:
        assert isinstance(source, IntegerType)
        assert isinstance(element, IntegerType)
        grows = source.width.data < element.width.data
        kind = arith.ExtSIOp if grows else arith.TruncIOp
    return add(block, kind.create(operands=[value], result_types=[element]))


ARITHMETIC: dict[type[Operation], Emit] = {
    canao.AddOp: _binary(arith.AddfOp, arith.AddiOp),
    canao.SubOp: _binary(arith.SubfOp, arith.SubiOp),
    canao.MulOp: _binary(arith.MulfOp, arith.MuliOp),
    canao.DivOp: _divide,
    canao.PowOp: _binary(math.PowFOp, math.IPowIOp),
    canao.MaximumOp: _binary(arith.MaximumfOp, arith.MaxSIOp),
    canao.MinimumOp: _binary(arith.MinimumfOp, arith.MinSIOp),
    canao.AndOp: _binary(arith.AndIOp, arith.AndIOp),
    canao.OrOp: _binary(arith.OrIOp, arith.OrIOp),
    canao.FmodOp: _binary(canao_vector.FmodOp, canao_vector.FmodOp),
    canao.CompareOp: _compare,
    canao.NegOp: _negate,
    canao.AbsOp: _absolute,
    canao.ExpOp: _unary(math.ExpOp),
    canao.LogOp: _unary(math.LogOp),
    canao.TanhOp: _unary(math.TanhOp),
    canao.ErfOp: _unary(math.ErfOp),
    canao.SigmoidOp: _sigmoid,
    canao.SqrtOp: _unary(math.SqrtOp),
    canao.RsqrtOp: _rsqrt,
    canao.ReciprocalOp: _reciprocal,
    canao.SinOp: _unary(math.SinOp),
    canao.CosOp: _unary(math.CosOp),
    canao.FloorOp: _unary(math.FloorOp),
    canao.CeilOp: _unary(math.CeilOp),
    canao.TruncOp: _unary(math.TruncOp),
    canao.RoundOp: _unary(math.RoundEvenOp),
    canao.KeepRoundingOp: _unary(canao_vector.KeepRoundingOp),
    canao.NotOp: _complement,
    canao.AcosOp: _unary(math.AcosOp),
    canao.AcoshOp: _unary(math.AcoshOp),
    canao.AsinOp: _unary(math.AsinOp),
    canao.AsinhOp: _unary(math.AsinhOp),
    canao.AtanOp: _unary(math.AtanOp),
    canao.AtanhOp: _unary(math.AtanhOp),
    canao.CoshOp: _unary(math.CoshOp),
    canao.Exp2Op: _unary(math.Exp2Op),
    canao.Expm1Op: _unary(math.ExpM1Op),
    canao.Log10Op: _unary(math.Log10Op),
    canao.Log1pOp: _unary(math.Log1pOp),
    canao.Log2Op: _unary(math.Log2Op),
    canao.SinhOp: _unary(math.SinhOp),
    canao.TanOp: _unary(math.TanOp),
    canao.Atan2Op: _call(math.Atan2Op),
    canao.CopysignOp: _call(math.CopySignOp),
    canao.CastOp: _cast,
    canao.SelectOp: _select,
    canao.WrapOp: _wrap,
}
"""How to emit the result of an elementwise operation from its operands' values."""
