"""Conversions of elementwise arithmetic, comparisons and logic."""

from __future__ import annotations

from xdsl.ir import Operation, SSAValue

from canao.dialects.canao import (
    AbsOp,
    AddOp,
    AndOp,
    CompareOp,
    ConstantOp,
    CosOp,
    ErfOp,
    ExpOp,
    GeluOp,
    LogOp,
    MaximumOp,
    MinimumOp,
    MulOp,
    NegOp,
    NotOp,
    OrOp,
    PowOp,
    ReciprocalOp,
    RsqrtOp,
    SelectOp,
    SigmoidOp,
    SinOp,
    SqrtOp,
    SubOp,
    TanhOp,
)
from canao.dialects.canao.types import element_of, i1, is_float
from canao.extent import Extent
from canao.transforms.convert_torch_to_canao.emitter import Converter, Emitter, promoted
from canao.transforms.convert_torch_to_canao.torch_call import TorchCall


def unary(operation: type[Operation]) -> Converter:
    """One operation on the operand cast to the result's element type."""

    def convert(e: Emitter, call: TorchCall) -> SSAValue:
        return e.emit(operation(e.cast(call.tensor(0), call.element)))  # pyright: ignore[reportCallIssue]

    return convert


_OF_TRUTH: dict[type[Operation], type[Operation]] = {
    AddOp: OrOp,
    AndOp: AndOp,
    MaximumOp: OrOp,
    MinimumOp: AndOp,
    MulOp: AndOp,
    OrOp: OrOp,
}
"""What operations on two numbers are on two truth values."""


def _combined(
    e: Emitter, call: TorchCall, operation: type[Operation], lhs: SSAValue, rhs: SSAValue
) -> SSAValue:
    if element_of(lhs) == i1:
        if operation not in _OF_TRUTH:
            raise call.unsupported("truth values have no such arithmetic: convert them by .int()")
        operation = _OF_TRUTH[operation]
    return e.emit(operation(lhs, rhs))  # pyright: ignore[reportCallIssue]


def binary(operation: type[Operation], swapped: bool = False, alpha: bool = False) -> Converter:
    """One operation on both operands, cast to the result's element type.

    `swapped` exchanges the operands; with `alpha`, argument 2 scales argument 1.
    """

    def convert(e: Emitter, call: TorchCall) -> SSAValue:
        lhs = e.as_tensor(call.argument(0), call.element)
        rhs = e.as_tensor(call.argument(1), call.element)
        size = alpha and isinstance(call.argument(2), Extent)
        scale = call.extent(2) if size else call.number(2, 1) if alpha else 1
        if swapped:
            lhs, rhs = rhs, lhs
        if scale != 1:
            rhs = _combined(e, call, MulOp, rhs, e.as_tensor(scale, call.element))
        return _combined(e, call, operation, lhs, rhs)

    return convert


def reversed_sub(e: Emitter, call: TorchCall) -> SSAValue:
    """`rsub(a, b, alpha)` is `b - alpha * a`."""
    scale = call.number(2, 1)
    lhs = e.as_tensor(call.argument(0), call.element)
    if scale != 1:
        lhs = e.emit(MulOp(lhs, e.scalar(scale, call.element)))
    return e.emit(SubOp(e.as_tensor(call.argument(1), call.element), lhs))


def compare(predicate: str) -> Converter:
    """A comparison in the element type that both operands promote to."""

    def convert(e: Emitter, call: TorchCall) -> SSAValue:
        element = promoted(call.arguments[:2])
        lhs, rhs = (e.as_tensor(a, element) for a in call.arguments[:2])
        return e.emit(CompareOp(predicate, lhs, rhs))

    return convert


def logical(operation: type[Operation]) -> Converter:
    """A binary operation on the truth of both operands."""

    def convert(e: Emitter, call: TorchCall) -> SSAValue:
        lhs, rhs = (e.as_tensor(a, i1) for a in call.arguments[:2])
        return e.emit(operation(lhs, rhs))  # pyright: ignore[reportCallIssue]

    return convert


def truths_differ(e: Emitter, call: TorchCall) -> SSAValue:
    """Whether exactly one of the operands is true."""
    lhs, rhs = (e.as_tensor(a, i1) for a in call.arguments[:2])
    return e.emit(CompareOp("ne", lhs, rhs))


def logical_not(e: Emitter, call: TorchCall) -> SSAValue:
    """The complement of the operand's truth."""
    return e.emit(NotOp(e.cast(call.tensor(0), i1)))


def is_nan(e: Emitter, call: TorchCall) -> SSAValue:
    """Only NaN differs from itself."""
    return e.emit(CompareOp("ne", call.tensor(0), call.tensor(0)))


def _constant_number(value: object) -> float | None:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, SSAValue) and isinstance(value.owner, ConstantOp):
        array = value.owner.array()
        return array.item() if array.ndim == 0 else None
    return None


def power(e: Emitter, call: TorchCall) -> SSAValue:
    """`pow`; small constant exponents become products and roots."""
    base = e.as_tensor(call.argument(0), call.element)
    exponent = _constant_number(call.argument(1))
    if exponent is not None and exponent < 0 and not is_float(base):
        raise call.unsupported("integers have no negative powers: convert the base by .float()")
    if exponent == 1:
        return base
    if exponent == 2:
        return e.emit(MulOp(base, base))
    if exponent == 3:
        return e.emit(MulOp(e.emit(MulOp(base, base)), base))
    roots = {0.5: SqrtOp, -0.5: RsqrtOp, -1.0: ReciprocalOp}
    if exponent in roots and is_float(base):
        return e.emit(roots[exponent](base))
    return e.emit(PowOp(base, e.as_tensor(call.argument(1), call.element)))


def square(e: Emitter, call: TorchCall) -> SSAValue:
    """`a * a`."""
    value = e.cast(call.tensor(0), call.element)
    return e.emit(MulOp(value, value))


def sign(e: Emitter, call: TorchCall) -> SSAValue:
    """`(a > 0) - (a < 0)`."""
    value = call.tensor(0)
    if element_of(value) == i1:
        return value
    zero = e.scalar(0, element_of(value))
    above, below = (
        e.cast(e.emit(CompareOp(order, value, zero)), call.element) for order in ("gt", "lt")
    )
    return e.emit(SubOp(above, below))


def relu(e: Emitter, call: TorchCall) -> SSAValue:
    """`maximum(0, a)`: of equal numbers the second, so that -0.0 stays what it is."""
    return e.emit(MaximumOp(e.scalar(0, call.element), call.tensor(0)))


def leaky_relu(e: Emitter, call: TorchCall) -> SSAValue:
    """`a` where positive, `slope * a` elsewhere."""
    value = call.tensor(0)
    scaled = e.emit(MulOp(value, e.scalar(call.number(1, 0.01), call.element)))
    positive = e.emit(CompareOp("gt", value, e.scalar(0, call.element)))
    return e.emit(SelectOp(positive, value, scaled))


def silu(e: Emitter, call: TorchCall) -> SSAValue:
    """`a * sigmoid(a)`."""
    value = call.tensor(0)
    return e.emit(MulOp(value, e.emit(SigmoidOp(value))))


def gelu(e: Emitter, call: TorchCall) -> SSAValue:
    """GELU by erf, or by tanh where the model asks for it."""
    return e.emit(GeluOp(call.tensor(0), call.text(1, "none")))


def clamp(e: Emitter, call: TorchCall) -> SSAValue:
    """`minimum(high, maximum(low, a))`, of equal numbers the second; either bound may be None."""
    value = e.as_tensor(call.argument(0), call.element)
    if call.argument(1) is not None:
        low = e.as_tensor(call.argument(1), call.element)
        value = _combined(e, call, MaximumOp, low, value)
    if call.argument(2) is not None:
        high = e.as_tensor(call.argument(2), call.element)
        value = _combined(e, call, MinimumOp, high, value)
    return value


def where(e: Emitter, call: TorchCall) -> SSAValue:
    """`a` where the condition holds, `b` elsewhere."""
    lhs, rhs = (e.as_tensor(a, call.element) for a in call.arguments[1:3])
    return e.emit(SelectOp(e.cast(call.tensor(0), i1), lhs, rhs))


def masked_fill(e: Emitter, call: TorchCall) -> SSAValue:
    """The filling where the mask holds, the operand elsewhere."""
    filling = e.as_tensor(call.argument(2), call.element)
    return e.emit(SelectOp(e.cast(call.tensor(1), i1), filling, call.tensor(0)))


_UNARY: dict[str, type[Operation]] = {
    "abs": AbsOp,
    "neg": NegOp,
    "exp": ExpOp,
    "log": LogOp,
    "tanh": TanhOp,
    "erf": ErfOp,
    "sigmoid": SigmoidOp,
    "sqrt": SqrtOp,
    "rsqrt": RsqrtOp,
    "reciprocal": ReciprocalOp,
    "sin": SinOp,
    "cos": CosOp,
    "bitwise_not": NotOp,
}

_PREDICATES = {"eq": "eq", "ne": "ne", "lt": "lt", "le": "le", "gt": "gt", "ge": "ge"}

_BINARY: dict[str, Converter] = {
    "add": binary(AddOp, alpha=True),
    "sub": binary(SubOp, alpha=True),
    "rsub": reversed_sub,
    "mul": binary(MulOp),
    "bitwise_and": binary(AndOp),
    "bitwise_or": binary(OrOp),
    "__and__": binary(AndOp),
    "__or__": binary(OrOp),
    **{name: compare(predicate) for name, predicate in _PREDICATES.items()},
}

_OTHERS: dict[str, Converter] = {
    "maximum": binary(MaximumOp),
    "minimum": binary(MinimumOp),
    "max.other": binary(MaximumOp),
    "min.other": binary(MinimumOp),
    "pow.Tensor_Scalar": power,
    "pow.Tensor_Tensor": power,
    "pow.Scalar": power,
    "square": square,
    "sign": sign,
    "isnan": is_nan,
    "logical_and": logical(AndOp),
    "logical_or": logical(OrOp),
    "logical_xor": truths_differ,
    "logical_not": logical_not,
    "relu": relu,
    "leaky_relu": leaky_relu,
    "silu": silu,
    "gelu": gelu,
    "clamp": clamp,
    "clamp.Tensor": clamp,
    "clamp_min": clamp,
    "hardtanh": clamp,
    "where.self": where,
    "where.Scalar": where,
    "where.ScalarOther": where,
    "where.ScalarSelf": where,
    "masked_fill.Scalar": masked_fill,
    "masked_fill.Tensor": masked_fill,
}

CONVERSIONS: dict[str, Converter] = {
    **{name: unary(operation) for name, operation in _UNARY.items()},
    **{
        f"{name}.{overload}": convert
        for name, convert in _BINARY.items()
        for overload in ("Tensor", "Scalar")
    },
    **_OTHERS,
}
