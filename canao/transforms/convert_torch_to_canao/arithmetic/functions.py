"""Conversions of functions of numbers, of their special values and of their bits."""

from __future__ import annotations

from math import inf

from xdsl.ir import Operation, SSAValue

from canao.dialects.canao import (
    AbsOp,
    AcoshOp,
    AcosOp,
    AndOp,
    AsinhOp,
    AsinOp,
    Atan2Op,
    AtanhOp,
    AtanOp,
    CompareOp,
    CopysignOp,
    CoshOp,
    Exp2Op,
    Expm1Op,
    Log1pOp,
    Log2Op,
    Log10Op,
    MaximumOp,
    MinimumOp,
    MulOp,
    OrOp,
    PowOp,
    SelectOp,
    SinhOp,
    SubOp,
    TanOp,
)
from canao.dialects.canao.types import element_of, i1, i64, is_float, shape_of
from canao.transforms.convert_torch_to_canao.arithmetic.elementwise import binary, unary
from canao.transforms.convert_torch_to_canao.arithmetic.quotients import floor_quotient
from canao.transforms.convert_torch_to_canao.emitter import Converter, Emitter
from canao.transforms.convert_torch_to_canao.torch_call import TorchCall

_WIDTH = 64
"""Bits of an integer."""


def not_a_number(e: Emitter, value: SSAValue) -> SSAValue:
    """Whether each element is NaN: only NaN differs from itself."""
    return e.emit(CompareOp("ne", value, value))


def skipping_nan(operation: type[Operation]) -> Converter:
    """The extremum of two numbers, the first of equal ones; of NaN and a number, the number."""

    def convert(e: Emitter, call: TorchCall) -> SSAValue:
        lhs, rhs = (e.as_tensor(a, call.element) for a in call.arguments[:2])
        both = e.emit(operation(rhs, lhs))  # pyright: ignore[reportCallIssue]
        if not is_float(both):
            return both
        rest = e.emit(SelectOp(not_a_number(e, lhs), rhs, both))
        return e.emit(SelectOp(not_a_number(e, rhs), lhs, rest))

    return convert


def magnitude_is(predicate: str) -> Converter:
    """How `|a|` compares with infinity; integers compare as finite numbers."""

    def convert(e: Emitter, call: TorchCall) -> SSAValue:
        value = call.tensor(0)
        if not is_float(value):
            return e.filled(predicate == "lt", i1, shape_of(value))
        size = e.emit(AbsOp(value))
        return e.emit(CompareOp(predicate, size, e.scalar(inf, element_of(value))))

    return convert


def equals(number: float) -> Converter:
    """Whether each element is one number."""

    def convert(e: Emitter, call: TorchCall) -> SSAValue:
        value = call.tensor(0)
        if not is_float(value):
            return e.filled(0, i1, shape_of(value))
        return e.emit(CompareOp("eq", value, e.scalar(number, element_of(value))))

    return convert


def sign_bit(e: Emitter, call: TorchCall) -> SSAValue:
    """Whether the sign is minus, that of -0.0 and of NaN too."""
    value = call.tensor(0)
    element = element_of(value)
    if element == i1:
        return e.filled(0, i1, shape_of(value))
    if is_float(value):
        value = e.emit(CopysignOp(e.scalar(1, element), value))
    return e.emit(CompareOp("lt", value, e.scalar(0, element)))


def times_power_of_two(e: Emitter, call: TorchCall) -> SSAValue:
    """`a * 2 ** b`, as PyTorch computes `ldexp`."""
    value, exponent = (e.as_tensor(a, call.element) for a in call.arguments[:2])
    return e.emit(MulOp(value, e.emit(Exp2Op(exponent))))


def exclusive_or(e: Emitter, call: TorchCall) -> SSAValue:
    """Of truth values: whether they differ. Of integers: `(a | b) - (a & b)`."""
    lhs, rhs = (e.as_tensor(a, call.element) for a in call.arguments[:2])
    if call.element == i1:
        return e.emit(CompareOp("ne", lhs, rhs))
    return differing_bits(e, lhs, rhs)


def differing_bits(e: Emitter, lhs: SSAValue, rhs: SSAValue) -> SSAValue:
    """The bits that only one of two integers has: those of either less those of both."""
    return e.emit(SubOp(e.emit(OrOp(lhs, rhs)), e.emit(AndOp(lhs, rhs))))


def _wide_operands(e: Emitter, call: TorchCall) -> list[SSAValue]:
    return [e.cast(e.as_tensor(a, call.element), i64) for a in call.arguments[:2]]


def shift_left(e: Emitter, call: TorchCall) -> SSAValue:
    """`a * 2 ** b`, which is 0 where `b` is negative or all bits."""
    value, places = _wide_operands(e, call)
    shifted = e.emit(MulOp(value, e.emit(PowOp(e.scalar(2, i64), places))))
    return e.cast(shifted, call.element)


def shift_right(e: Emitter, call: TorchCall) -> SSAValue:
    """`a / 2 ** b` rounded down; the sign alone where `b` is negative or all bits."""
    value, places = _wide_operands(e, call)
    zero, last = e.scalar(0, i64), e.scalar(_WIDTH - 2, i64)
    inside = e.emit(MinimumOp(e.emit(MaximumOp(places, zero)), last))
    divisor = e.emit(PowOp(e.scalar(2, i64), inside))
    sign = e.emit(SelectOp(e.emit(CompareOp("lt", value, zero)), e.scalar(-1, i64), zero))
    shifted = floor_quotient(e, value, divisor)
    same = e.emit(CompareOp("eq", inside, places))
    return e.cast(e.emit(SelectOp(same, shifted, sign)), call.element)


def elu(e: Emitter, call: TorchCall) -> SSAValue:
    """`scale * (a if a > 0 else alpha * (e ** (a * inner) - 1))`."""
    value, element = call.tensor(0), call.element
    alpha, scale, inner = (call.number(n, 1) for n in (1, 2, 3))
    power = e.emit(Expm1Op(e.emit(MulOp(value, e.scalar(inner, element)))))
    below = e.emit(MulOp(power, e.scalar(alpha * scale, element)))
    above = e.emit(MulOp(value, e.scalar(scale, element))) if scale != 1 else value
    positive = e.emit(CompareOp("gt", value, e.scalar(0, element)))
    return e.emit(SelectOp(positive, above, below))


_FUNCTIONS: dict[str, type[Operation]] = {
    "acos": AcosOp,
    "acosh": AcoshOp,
    "asin": AsinOp,
    "asinh": AsinhOp,
    "atan": AtanOp,
    "atanh": AtanhOp,
    "cosh": CoshOp,
    "exp2": Exp2Op,
    "special_exp2": Exp2Op,
    "expm1": Expm1Op,
    "special_expm1": Expm1Op,
    "log10": Log10Op,
    "log1p": Log1pOp,
    "log2": Log2Op,
    "sinh": SinhOp,
    "tan": TanOp,
}

CONVERSIONS: dict[str, Converter] = {
    **{name: unary(operation) for name, operation in _FUNCTIONS.items()},
    "atan2": binary(Atan2Op),
    "copysign.Tensor": binary(CopysignOp),
    "copysign.Scalar": binary(CopysignOp),
    "elu": elu,
    "fmax": skipping_nan(MaximumOp),
    "fmin": skipping_nan(MinimumOp),
    "isinf": magnitude_is("eq"),
    "isfinite": magnitude_is("lt"),
    "isposinf": equals(inf),
    "isneginf": equals(-inf),
    "signbit": sign_bit,
    "ldexp.Tensor": times_power_of_two,
    "bitwise_xor.Tensor": exclusive_or,
    "bitwise_xor.Scalar": exclusive_or,
    "__xor__.Tensor": exclusive_or,
    "__xor__.Scalar": exclusive_or,
    "__lshift__.Tensor": shift_left,
    "__lshift__.Scalar": shift_left,
    "bitwise_left_shift.Tensor": shift_left,
    "bitwise_left_shift.Tensor_Scalar": shift_left,
    "__rshift__.Tensor": shift_right,
    "__rshift__.Scalar": shift_right,
    "bitwise_right_shift.Tensor": shift_right,
    "bitwise_right_shift.Tensor_Scalar": shift_right,
}
