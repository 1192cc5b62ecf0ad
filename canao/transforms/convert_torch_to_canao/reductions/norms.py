"""Conversions of norms of vectors, distances, and normalisation by channels."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, prod

from xdsl.ir import SSAValue

from canao.dialects.canao import (
    AbsOp,
    AddOp,
    CompareOp,
    LayerNormOp,
    MulOp,
    PowOp,
    ReduceMaxOp,
    ReduceMinOp,
    ReduceSumOp,
    RsqrtOp,
    SqrtOp,
    SubOp,
)
from canao.dialects.canao.types import element_of, shape_of
from canao.transforms.convert_torch_to_canao.emitter import Converter, Emitter
from canao.transforms.convert_torch_to_canao.reductions.reductions import axes_of, mean_of, reduced
from canao.transforms.convert_torch_to_canao.torch_call import TorchCall


def norm_of(e: Emitter, value: SSAValue, order: float, axes: Sequence[int]) -> SSAValue:
    """The norm over axes, which stay with length 1: of any order, 0 and infinities included."""
    element = element_of(value)
    if order == 2:
        return e.emit(SqrtOp(reduced(e, ReduceSumOp, e.emit(MulOp(value, value)), axes)))
    if order == 0:
        there = e.emit(CompareOp("ne", value, e.scalar(0, element)))
        return reduced(e, ReduceSumOp, e.cast(there, element), axes)
    size = e.emit(AbsOp(value))
    if order == inf:
        return reduced(e, ReduceMaxOp, size, axes)
    if order == -inf:
        return reduced(e, ReduceMinOp, size, axes)
    if order == 1:
        return reduced(e, ReduceSumOp, size, axes)
    total = reduced(e, ReduceSumOp, e.emit(PowOp(size, e.scalar(order, element))), axes)
    return e.emit(PowOp(total, e.scalar(1 / order, element)))


def norm(e: Emitter, call: TorchCall) -> SSAValue:
    """The norm of the order in argument 1 over the axes in argument 2."""
    value = e.cast(call.tensor(0), call.element)
    return e.reshape(norm_of(e, value, call.number(1, 2), axes_of(call, 2, value)), call.shape)


def distances(e: Emitter, call: TorchCall) -> SSAValue:
    """`cdist(a, b, p)`: the norm of the difference of each row of `a` and each of `b`."""
    lhs, rhs = call.tensor(0), call.tensor(1)
    *front, rows, width = shape_of(lhs)
    first = e.reshape(lhs, [*front, rows, 1, width])
    *others, columns, _ = shape_of(rhs)
    second = e.reshape(rhs, [*others, 1, columns, width])
    apart = e.emit(SubOp(first, second))
    axis = len(shape_of(apart)) - 1
    return e.reshape(norm_of(e, apart, call.number(2, 2), [axis]), call.shape)


def distance(e: Emitter, call: TorchCall) -> SSAValue:
    """`dist(a, b, p)`: the norm of the whole difference."""
    apart = e.emit(SubOp(call.tensor(0), call.tensor(1)))
    axes = range(len(shape_of(apart)))
    return e.reshape(norm_of(e, apart, call.number(2, 2), axes), call.shape)


def _of_channels(e: Emitter, vector: SSAValue, rank: int) -> SSAValue:
    """A vector with a number a channel, along axis 1 of `rank` axes."""
    return e.reshape(vector, [1, shape_of(vector)[0], *(1 for _ in range(rank - 2))])


def _scaled(
    e: Emitter, value: SSAValue, scale: SSAValue | None, shift: SSAValue | None
) -> SSAValue:
    """`value * scale + shift` by channels, where either may be left out."""
    rank = len(shape_of(value))
    if scale is not None:
        value = e.emit(MulOp(value, _of_channels(e, scale, rank)))
    return value if shift is None else e.emit(AddOp(value, _of_channels(e, shift, rank)))


def _inverse_deviation(e: Emitter, variance: SSAValue, epsilon: float) -> SSAValue:
    return e.emit(RsqrtOp(e.emit(AddOp(variance, e.scalar(epsilon, element_of(variance))))))


def _by_statistics(e: Emitter, call: TorchCall, first: int, epsilon: float) -> SSAValue:
    """Normalisation by the mean and variance in arguments `first` and after."""
    value, rank = call.tensor(0), len(shape_of(call.tensor(0)))
    mean = _of_channels(e, call.tensor(first), rank)
    inverse = _inverse_deviation(e, call.tensor(first + 1), epsilon)
    normal = e.emit(MulOp(e.emit(SubOp(value, mean)), _of_channels(e, inverse, rank)))
    return _scaled(e, normal, call.optional_tensor(1), call.optional_tensor(2))


def batch_norm(e: Emitter, call: TorchCall) -> SSAValue:
    """`batch_norm(a, weight, bias, mean, variance, training, momentum, eps)` in inference."""
    if call.flag(5):
        raise call.unsupported("it takes statistics of the batch: call model.eval() first")
    return _by_statistics(e, call, 3, call.number(7))


def native_batch_norm(e: Emitter, call: TorchCall) -> list[SSAValue | None]:
    """As `batch_norm`, without the flag; in inference the other results have no elements."""
    nothing = e.filled(0, call.element, [0])
    return [_by_statistics(e, call, 3, call.number(6)), nothing, nothing]


def _in_groups(e: Emitter, value: SSAValue, groups: int) -> SSAValue:
    """`value` as rows, one for each group of channels of each element of the batch."""
    shape = shape_of(value)
    return e.reshape(value, [shape[0], groups, prod(shape[1:]) // groups])


def _by_groups(e: Emitter, value: SSAValue, groups: int, epsilon: float) -> SSAValue:
    """Each group of channels less its mean, over its deviation."""
    rows = _in_groups(e, value, groups)
    width, element = shape_of(rows)[2], element_of(rows)
    one, zero = (e.filled(number, element, [width]) for number in (1, 0))
    return e.reshape(e.emit(LayerNormOp(rows, one, zero, epsilon)), shape_of(value))


def group_norm(e: Emitter, call: TorchCall) -> SSAValue:
    """`group_norm(a, groups, weight, bias, eps)`."""
    normal = _by_groups(e, call.tensor(0), call.integer(1), call.number(4, 1e-5))
    return _scaled(e, normal, call.optional_tensor(2), call.optional_tensor(3))


def native_group_norm(e: Emitter, call: TorchCall) -> list[SSAValue | None]:
    """`native_group_norm(a, weight, bias, N, C, length, groups, eps)`, the first result only."""
    if any(call.used[1:]):
        raise call.unsupported("its mean and deviation are not; compute them from the input")
    normal = _by_groups(e, call.tensor(0), call.integer(6), call.number(7))
    return [_scaled(e, normal, call.optional_tensor(1), call.optional_tensor(2)), None, None]


def instance_norm(e: Emitter, call: TorchCall) -> SSAValue:
    """`instance_norm(a, weight, bias, mean, variance, from_input, momentum, eps)`.

    Unlike `group_norm`, PyTorch's gives zeros where the variance is beyond the type.
    """
    if not call.flag(5):
        return _by_statistics(e, call, 3, call.number(7))
    value, epsilon = call.tensor(0), call.number(7)
    rows = _in_groups(e, value, shape_of(value)[1])
    centred = e.emit(SubOp(rows, mean_of(e, rows, [2])))
    variance = mean_of(e, e.emit(MulOp(centred, centred)), [2])
    normal = e.emit(MulOp(centred, _inverse_deviation(e, variance, epsilon)))
    normal = e.reshape(normal, shape_of(value))
    return _scaled(e, normal, call.optional_tensor(1), call.optional_tensor(2))


CONVERSIONS: dict[str, Converter] = {
    "linalg_vector_norm": norm,
    "norm.ScalarOpt_dim": norm,
    "cdist": distances,
    "_cdist_forward": distances,
    "dist": distance,
    "batch_norm": batch_norm,
    "_native_batch_norm_legit_no_training": native_batch_norm,
    "group_norm": group_norm,
    "native_group_norm": native_group_norm,
    "instance_norm": instance_norm,
}
