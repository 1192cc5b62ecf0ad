"""Conversions of matrix products."""

from __future__ import annotations

from xdsl.ir import SSAValue

from canao.dialects.canao import AddOp, MatmulOp, MulOp
from canao.dialects.canao.types import element_of, shape_of
from canao.transforms.convert_torch_to_canao.emitter import Converter, Emitter
from canao.transforms.convert_torch_to_canao.torch_call import TorchCall


def product(e: Emitter, lhs: SSAValue, rhs: SSAValue) -> SSAValue:
    """`lhs @ rhs`, where either may have rank 1 as in PyTorch."""
    shapes = shape_of(lhs), shape_of(rhs)
    if len(shapes[0]) == 1:
        lhs = e.reshape(lhs, [1, *shapes[0]])
    if len(shapes[1]) == 1:
        rhs = e.reshape(rhs, [*shapes[1], 1])
    out = e.emit(MatmulOp(lhs, rhs))
    shape = list(shape_of(out))
    if len(shapes[1]) == 1:
        del shape[-1]
    if len(shapes[0]) == 1:
        del shape[-1 if len(shapes[1]) == 1 else -2]
    return e.reshape(out, shape)


def matmul(e: Emitter, call: TorchCall) -> SSAValue:
    """A product of vectors, matrices or batches of matrices."""
    return product(e, call.tensor(0), call.tensor(1))


def linear(e: Emitter, call: TorchCall) -> SSAValue:
    """`a @ transpose(weight) + bias`."""
    weight = e.swap(call.tensor(1), -1, -2) if len(shape_of(call.tensor(1))) > 1 else call.tensor(1)
    out = product(e, call.tensor(0), weight)
    bias = call.optional_tensor(2)
    return out if bias is None else e.emit(AddOp(out, bias))


def add_product(e: Emitter, call: TorchCall) -> SSAValue:
    """`beta * a + alpha * (b @ c)`."""
    out = product(e, call.tensor(1), call.tensor(2))
    addend = call.tensor(0)
    beta, alpha = call.number(3, 1), call.number(4, 1)
    if alpha != 1:
        out = e.emit(MulOp(out, e.scalar(alpha, element_of(out))))
    if beta == 0:
        return out
    if beta != 1:
        addend = e.emit(MulOp(addend, e.scalar(beta, element_of(addend))))
    return e.emit(AddOp(out, addend))


def _pointwise(e: Emitter, call: TorchCall, groups: int) -> SSAValue:
    """A 1-D convolution whose kernel has length 1: a product over the channels."""
    value, weight = call.tensor(0), call.tensor(1)
    batch, channels, length = shape_of(value)
    outputs = shape_of(weight)[0]
    if groups == 1:
        out = e.emit(MatmulOp(e.reshape(weight, [outputs, channels]), value))
    else:
        parts = e.reshape(value, [batch, groups, channels // groups, length])
        filters = e.reshape(weight, [groups, outputs // groups, channels // groups])
        out = e.reshape(e.emit(MatmulOp(filters, parts)), [batch, outputs, length])
    bias = call.optional_tensor(2)
    return out if bias is None else e.emit(AddOp(out, e.reshape(bias, [outputs, 1])))


def _check_pointwise(call: TorchCall, stride: list[int], padding: list[int]) -> None:
    weight = shape_of(call.tensor(1))
    if len(weight) != 3 or len(shape_of(call.tensor(0))) != 3 or weight[2] != 1:
        raise call.unsupported("only batched 1-D convolutions with a kernel of length 1 are")
    if any(s != 1 for s in stride) or any(p != 0 for p in padding):
        raise call.unsupported("only stride 1 and padding 0 are")


def conv1d(e: Emitter, call: TorchCall) -> SSAValue:
    """`conv1d(a, weight, bias, stride, padding, dilation, groups)`."""
    _check_pointwise(call, call.integers(3), call.integers(4))
    return _pointwise(e, call, call.integer(6, 1))


def convolution(e: Emitter, call: TorchCall) -> SSAValue:
    """`convolution(a, weight, bias, stride, padding, dilation, transposed, padding, groups)`."""
    if call.flag(6):
        raise call.unsupported("transposed convolutions are not")
    _check_pointwise(call, call.integers(3), call.integers(4))
    return _pointwise(e, call, call.integer(8, 1))


CONVERSIONS: dict[str, Converter] = {
    "matmul": matmul,
    "mm": matmul,
    "bmm": matmul,
    "mv": matmul,
    "dot": matmul,
    "linear": linear,
    "addmm": add_product,
    "addmv": add_product,
    "baddbmm": add_product,
    "conv1d": conv1d,
    "convolution": convolution,
}
