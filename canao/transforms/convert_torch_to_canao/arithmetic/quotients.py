"""Conversions of rounding, quotients and remainders, by PyTorch's algorithms."""

from __future__ import annotations

from math import inf, log10

import numpy as np
from xdsl.ir import Operation, SSAValue

from canao.dialects.canao import (
    AddOp,
    AndOp,
    CeilOp,
    CompareOp,
    DivOp,
    FloorOp,
    FmodOp,
    MulOp,
    RoundOp,
    SelectOp,
    SubOp,
    TruncOp,
)
from canao.dialects.canao.source import dtype_of_element
from canao.dialects.canao.types import element_of, is_float
from canao.transforms.convert_torch_to_canao.emitter import Converter, Emitter
from canao.transforms.convert_torch_to_canao.torch_call import TorchCall


def _rounded(e: Emitter, value: SSAValue, operation: type[Operation]) -> SSAValue:
    """`value` as a whole number, which an integer is."""
    return e.emit(operation(value)) if is_float(value) else value  # pyright: ignore[reportCallIssue]


def rounding(operation: type[Operation]) -> Converter:
    """The operand rounded to a whole number."""
    return lambda e, call: _rounded(e, call.tensor(0), operation)


def round_decimals(e: Emitter, call: TorchCall) -> SSAValue:
    """The nearest multiple of `10 ** -decimals`, halves to even; argument 1 is `decimals`."""
    value, decimals = call.tensor(0), int(call.number(1, 0))
    if decimals == 0 or not is_float(value):
        return _rounded(e, value, RoundOp)
    largest = float(np.finfo(dtype_of_element(element_of(value)).name).max)
    digits = abs(decimals)
    power = e.scalar(10.0**digits if digits <= log10(largest) else inf, element_of(value))
    there, back = (MulOp, DivOp) if decimals > 0 else (DivOp, MulOp)
    whole = e.emit(RoundOp(e.emit(there(value, power))))
    return e.emit(back(whole, power))


def _signs_differ(e: Emitter, rest: SSAValue, divisor: SSAValue) -> SSAValue:
    """Whether a remainder is not 0 and has another sign than the divisor."""
    zero = e.scalar(0, element_of(divisor))
    below = [e.emit(CompareOp("lt", value, zero)) for value in (rest, divisor)]
    return e.emit(AndOp(e.emit(CompareOp("ne", rest, zero)), e.emit(CompareOp("ne", *below))))


def floor_quotient(e: Emitter, lhs: SSAValue, rhs: SSAValue) -> SSAValue:
    """`lhs / rhs` rounded down."""
    if is_float(lhs):
        return _floor_quotient_of_floats(e, lhs, rhs)
    # Integers divide towards zero: one less where a remainder of another sign than rhs is left.
    quotient = e.emit(DivOp(lhs, rhs))
    rest = e.emit(SubOp(lhs, e.emit(MulOp(quotient, rhs))))
    step = e.cast(_signs_differ(e, rest, rhs), element_of(quotient))
    return e.emit(SubOp(quotient, step))


def _floor_quotient_of_floats(e: Emitter, lhs: SSAValue, rhs: SSAValue) -> SSAValue:
    """`lhs // rhs` as in Python: without the exact remainder, the division leaves no fraction.

    A quotient of 0 has the sign of `lhs / rhs`; division by 0 is as by `/`.
    """
    element = element_of(lhs)
    zero, one, half = (e.scalar(number, element) for number in (0, 1, 0.5))
    plain = e.emit(DivOp(lhs, rhs))
    rest = e.emit(FmodOp(lhs, rhs))
    whole = e.emit(DivOp(e.emit(SubOp(lhs, rest)), rhs))
    step = e.emit(SubOp(whole, one))
    whole = e.emit(SelectOp(_signs_differ(e, rest, rhs), step, whole))
    floor = e.emit(FloorOp(whole))
    above = e.emit(CompareOp("gt", e.emit(SubOp(whole, floor)), half))
    nearest = e.emit(SelectOp(above, e.emit(AddOp(floor, one)), floor))
    none = e.emit(CompareOp("eq", whole, zero))
    quotient = e.emit(SelectOp(none, e.emit(MulOp(plain, zero)), nearest))
    return e.emit(SelectOp(e.emit(CompareOp("eq", rhs, zero)), plain, quotient))


def _operands(e: Emitter, call: TorchCall) -> tuple[SSAValue, SSAValue]:
    return e.as_tensor(call.argument(0), call.element), e.as_tensor(call.argument(1), call.element)


def divide(e: Emitter, call: TorchCall) -> SSAValue:
    """`div`, with the rounding mode as argument 2 where there is one."""
    lhs, rhs = _operands(e, call)
    mode = call.text(2, "none")
    if mode == "floor":
        return floor_quotient(e, lhs, rhs)
    quotient = e.emit(DivOp(lhs, rhs))
    return _rounded(e, quotient, TruncOp) if mode == "trunc" else quotient


def floor_divide(e: Emitter, call: TorchCall) -> SSAValue:
    """The quotient rounded down."""
    return floor_quotient(e, *_operands(e, call))


def remainder(e: Emitter, call: TorchCall) -> SSAValue:
    """What `floor_divide` leaves; it has the sign of the divisor."""
    lhs, rhs = _operands(e, call)
    if not is_float(lhs):
        return e.emit(SubOp(lhs, e.emit(MulOp(floor_quotient(e, lhs, rhs), rhs))))
    rest = e.emit(FmodOp(lhs, rhs))
    other = e.emit(AddOp(rest, rhs))
    return e.emit(SelectOp(_signs_differ(e, rest, rhs), other, rest))


def fmod(e: Emitter, call: TorchCall) -> SSAValue:
    """What a division towards zero leaves; it has the sign of the dividend."""
    lhs, rhs = _operands(e, call)
    if is_float(lhs):
        return e.emit(FmodOp(lhs, rhs))
    return e.emit(SubOp(lhs, e.emit(MulOp(e.emit(DivOp(lhs, rhs)), rhs))))


_BINARY: dict[str, Converter] = {"div": divide, "remainder": remainder, "fmod": fmod}

CONVERSIONS: dict[str, Converter] = {
    **{f"{name}.{of}": convert for name, convert in _BINARY.items() for of in ("Tensor", "Scalar")},
    "div.Tensor_mode": divide,
    "div.Scalar_mode": divide,
    "remainder.Scalar_Tensor": remainder,
    "floor_divide": floor_divide,
    "floor_divide.Scalar": floor_divide,
    "floor": rounding(FloorOp),
    "ceil": rounding(CeilOp),
    "trunc": rounding(TruncOp),
    "round": rounding(RoundOp),
    "round.decimals": round_decimals,
}
