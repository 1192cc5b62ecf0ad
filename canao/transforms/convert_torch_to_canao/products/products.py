"""Conversions of matrix products."""

from __future__ import annotations

from xdsl.ir import SSAValue

from canao.dialects.canao import AddOp, MatmulOp, MulOp, ReduceSumOp
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
    return _sum_of(e, call, product(e, call.tensor(1), call.tensor(2)))


def _sum_of(e: Emitter, call: TorchCall, out: SSAValue) -> SSAValue:
    """`beta * a + alpha * out`, the factors in arguments 3 and 4."""
    addend = call.tensor(0)
    beta, alpha = call.number(3, 1), call.number(4, 1)
    if alpha != 1:
        out = e.emit(MulOp(out, e.scalar(alpha, element_of(out))))
    if beta == 0:
        return out
    if beta != 1:
        addend = e.emit(MulOp(addend, e.scalar(beta, element_of(addend))))
    return e.emit(AddOp(out, addend))


def add_products(e: Emitter, call: TorchCall) -> SSAValue:
    """`beta * a + alpha * sum over n of b[n] @ c[n]`: one product with the batch beside k."""
    lhs, rhs = call.tensor(1), call.tensor(2)
    batch, rows, depth = shape_of(lhs)
    wide = e.reshape(e.transpose(lhs, [1, 0, 2]), [rows, batch * depth])
    tall = e.reshape(rhs, [batch * depth, shape_of(rhs)[2]])
    return _sum_of(e, call, e.emit(MatmulOp(wide, tall)))


def bilinear(e: Emitter, call: TorchCall) -> SSAValue:
    """`out[n, o] = sum over i, j of a[n, i] * weight[o, i, j] * b[n, j]`, plus a bias."""
    lhs, weight, rhs = call.tensor(0), call.tensor(2), call.tensor(1)
    outputs, width, depth = shape_of(weight)
    front = shape_of(lhs)[:-1]
    table = e.reshape(e.transpose(weight, [1, 0, 2]), [width, outputs * depth])
    parts = e.reshape(product(e, lhs, table), [*front, outputs, depth])
    out = e.emit(MatmulOp(parts, e.reshape(rhs, [*front, depth, 1])))
    out = e.reshape(out, [*front, outputs])
    bias = call.optional_tensor(3)
    return out if bias is None else e.emit(AddOp(out, bias))


def _with_axes(e: Emitter, value: SSAValue, axes: list[int]) -> SSAValue:
    """`value` with axes of length 1, as they are numbered in the result."""
    shape = list(shape_of(value))
    rank = len(shape) + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        shape.insert(axis, 1)
    return e.reshape(value, shape)


def trilinear(e: Emitter, call: TorchCall) -> SSAValue:
    """`_trilinear(a, b, c, axes of a, of b, of c, summed)`: a product with new axes, summed."""
    parts = [_with_axes(e, call.tensor(n), call.integers(n + 3)) for n in range(3)]
    out = e.emit(MulOp(e.emit(MulOp(parts[0], parts[1])), parts[2]))
    summed = call.integers(6)
    return e.reshape(e.emit(ReduceSumOp(out, summed)) if summed else out, call.shape)


CONVERSIONS: dict[str, Converter] = {
    "matmul": matmul,
    "mm": matmul,
    "bmm": matmul,
    "mv": matmul,
    "dot": matmul,
    "linear": linear,
    "addbmm": add_products,
    "addmm": add_product,
    "addmv": add_product,
    "baddbmm": add_product,
    "bilinear": bilinear,
    "_trilinear": trilinear,
}
