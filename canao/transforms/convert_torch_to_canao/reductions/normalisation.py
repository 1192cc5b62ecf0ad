"""Conversions of softmax, normalisation and attention."""

from __future__ import annotations

from math import inf, prod, sqrt

from xdsl.dialects.builtin import f64
from xdsl.ir import SSAValue

from canao.dialects.canao import (
    AddOp,
    CompareOp,
    ExpOp,
    LayerNormOp,
    LogOp,
    MatmulOp,
    MulOp,
    ReduceMaxOp,
    ReduceSumOp,
    RsqrtOp,
    SelectOp,
    SoftmaxOp,
    SubOp,
)
from canao.dialects.canao.types import element_of, i1, normalise_axis, shape_of
from canao.transforms.convert_torch_to_canao.emitter import Converter, Emitter
from canao.transforms.convert_torch_to_canao.reductions.reductions import mean_of
from canao.transforms.convert_torch_to_canao.torch_call import TorchCall


def softmax(e: Emitter, call: TorchCall) -> SSAValue:
    """Softmax along the axis in argument 1."""
    value = e.cast(call.tensor(0), call.element)
    return e.emit(SoftmaxOp(value, call.integer(1)))


def safe_softmax(e: Emitter, call: TorchCall) -> SSAValue:
    """Softmax along an axis, with zeros where all is -inf."""
    value = e.cast(call.tensor(0), call.element)
    return e.emit(SoftmaxOp(value, call.integer(1), masked_rows_to_zero=True))


def log_softmax(e: Emitter, call: TorchCall) -> SSAValue:
    """`a - max - log(sum(e ** (a - max)))`."""
    value = e.cast(call.tensor(0), call.element)
    axes = [normalise_axis(call.integer(1), len(shape_of(value)))]
    shifted = e.emit(SubOp(value, e.emit(ReduceMaxOp(value, axes))))
    total = e.emit(ReduceSumOp(e.emit(ExpOp(shifted)), axes))
    return e.emit(SubOp(shifted, e.emit(LogOp(total))))


def _normalised(e: Emitter, call: TorchCall, epsilon: float) -> SSAValue:
    """Layer normalisation over the dimensions of argument 1, flattened to one."""
    value = call.tensor(0)
    rank = len(call.integers(1))
    width = prod(shape_of(value)[-rank:])
    flat = e.reshape(value, [*shape_of(value)[:-rank], width])
    scale, shift = call.optional_tensor(2), call.optional_tensor(3)
    element = element_of(value)
    scale = e.filled(1, element, [width]) if scale is None else e.reshape(scale, [width])
    shift = e.filled(0, element, [width]) if shift is None else e.reshape(shift, [width])
    return e.reshape(e.emit(LayerNormOp(flat, scale, shift, epsilon)), shape_of(value))


def layer_norm(e: Emitter, call: TorchCall) -> SSAValue:
    """`layer_norm(a, shape, weight, bias, eps)`."""
    return _normalised(e, call, call.number(4, 1e-5))


def native_layer_norm(e: Emitter, call: TorchCall) -> list[SSAValue | None]:
    """As `layer_norm`, with the mean and the reciprocal deviation where asked for."""
    value, epsilon = call.tensor(0), call.number(4, 1e-5)
    out = _normalised(e, call, epsilon)
    if not any(call.used[1:]):
        return [out, None, None]
    rank = len(shape_of(value))
    axes = list(range(rank - len(call.integers(1)), rank))
    mean = mean_of(e, value, axes)
    centred = e.emit(SubOp(value, mean))
    variance = mean_of(e, e.emit(MulOp(centred, centred)), axes)
    shifted = e.emit(AddOp(variance, e.scalar(epsilon, element_of(value))))
    return [out, mean, e.emit(RsqrtOp(shifted))]


def rms_norm(e: Emitter, call: TorchCall) -> SSAValue:
    """`a / sqrt(mean(a * a) + eps) * weight`."""
    value = call.tensor(0)
    rank = len(shape_of(value))
    axes = list(range(rank - len(call.integers(1)), rank))
    square = mean_of(e, e.emit(MulOp(value, value)), axes)
    # PyTorch's default is the machine epsilon of the type that it computes in.
    epsilon = call.number(3, 2.0**-52 if call.element == f64 else 2.0**-23)
    inverse = e.emit(RsqrtOp(e.emit(AddOp(square, e.scalar(epsilon, call.element)))))
    normal = e.emit(MulOp(value, inverse))
    weight = call.optional_tensor(2)
    return normal if weight is None else e.emit(MulOp(normal, weight))


def _additive(e: Emitter, keep: SSAValue, like: SSAValue) -> SSAValue:
    """A bool mask as something to add: 0 where true, -inf where false."""
    zero, lowest = (e.scalar(number, element_of(like)) for number in (0, -inf))
    return e.emit(SelectOp(keep, zero, lowest))


def _repeat_heads(e: Emitter, value: SSAValue, heads: int) -> SSAValue:
    """Each key or value head once for every query head of its group."""
    *batch, given, length, width = shape_of(value)
    if given == heads:
        return value
    apart = e.reshape(value, [*batch, given, 1, length, width])
    spread = e.broadcast(apart, [*batch, given, heads // given, length, width])
    return e.reshape(spread, [*batch, heads, length, width])


def _attention(
    e: Emitter, call: TorchCall, mask: SSAValue | None, causal: bool, scale: float | None
) -> SSAValue:
    query, key, value = (call.tensor(n) for n in range(3))
    rank = len(shape_of(query))
    if rank >= 3:
        heads = shape_of(query)[-3]
        key, value = (_repeat_heads(e, v, heads) for v in (key, value))
    width = shape_of(query)[-1]
    factor = scale if scale is not None else 1 / sqrt(width) if width else 1
    scores = e.emit(MatmulOp(query, e.swap(key, -1, -2)))
    scores = e.emit(MulOp(scores, e.scalar(factor, call.element)))
    if causal:
        rows, columns = shape_of(scores)[-2:]
        keep = e.emit(CompareOp("le", e.iota(columns, 1, 2), e.iota(rows, 0, 2)))
        scores = e.emit(AddOp(scores, _additive(e, keep, scores)))
    if mask is not None:
        boolean = element_of(mask) == i1
        bias = _additive(e, mask, scores) if boolean else e.cast(mask, call.element)
        scores = e.emit(AddOp(scores, bias))
    weights = e.emit(SoftmaxOp(scores, rank - 1, masked_rows_to_zero=mask is not None))
    return e.emit(MatmulOp(weights, value))


def _check_dropout(call: TorchCall, number: int) -> None:
    if call.number(number, 0) != 0:
        raise call.unsupported("its dropout is active: call model.eval() before exporting")


def attention(e: Emitter, call: TorchCall) -> SSAValue:
    """`scaled_dot_product_attention(q, k, v, mask, dropout, causal, scale, gqa)`."""
    _check_dropout(call, 4)
    scale = None if call.argument(6) is None else call.number(6)
    return _attention(e, call, call.optional_tensor(3), call.flag(5), scale)


def flash_attention(e: Emitter, call: TorchCall) -> list[SSAValue | None]:
    """The CPU kernel behind `attention`: `(q, k, v, dropout, causal, mask, scale)`."""
    _check_dropout(call, 3)
    if any(call.used[1:]):
        raise call.unsupported("its log-sum-exp is not")
    scale = None if call.argument(6) is None else call.number(6)
    return [_attention(e, call, call.optional_tensor(5), call.flag(4), scale), None]


CONVERSIONS: dict[str, Converter] = {
    "softmax.int": softmax,
    "_softmax": softmax,
    "_safe_softmax": safe_softmax,
    "log_softmax.int": log_softmax,
    "_log_softmax": log_softmax,
    "layer_norm": layer_norm,
    "native_layer_norm": native_layer_norm,
    "rms_norm": rms_norm,
    "scaled_dot_product_attention": attention,
    "_scaled_dot_product_flash_attention_for_cpu": flash_attention,
}
