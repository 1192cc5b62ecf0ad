"""Operators written with others, where PyTorch and torch-mlir have no decomposition to use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log, pi, prod
from typing import Any

import torch
from torch import Tensor

from canao.frontend.tracing.strided import STRIDED

aten: Any = torch.ops.aten
prims: Any = torch.ops.prims

_LANCZOS = (
    0.99999999999980993,
    676.5203681218851,
    -1259.1392167224028,
    771.32342877765313,
    -176.61502916214059,
    12.507343278686905,
    -0.13857109526572012,
    9.9843695780195716e-6,
    1.5056327351493116e-7,
)
"""Lanczos' series of the gamma function for g = 7: about 15 digits."""


def _collapse(value: Tensor, start: int, end: int) -> Tensor:
    shape = list(value.shape)
    return value.reshape([*shape[:start], prod(shape[start : end + 1]), *shape[end + 1 :]])


def _iota(
    length: int, *, start: int, step: int, dtype: torch.dtype, device: Any, requires_grad: bool
) -> Tensor:
    return (torch.arange(length) * step + start).to(dtype)


def _sum(value: Tensor, axes: Sequence[int] | None, *, output_dtype: Any = None) -> Tensor:
    """Of no axes, PyTorch makes all or none: that stays as it is, and is refused."""
    if axes is not None and not len(axes):
        return NotImplemented
    every = list(range(value.dim())) if axes is None else list(axes)
    return torch.sum(value, every, dtype=output_dtype or value.dtype)


def _prod(value: Tensor, axes: Sequence[int] | None, *, output_dtype: Any = None) -> Tensor:
    every = range(value.dim()) if axes is None else axes
    value = value.to(output_dtype or value.dtype)
    for axis in sorted(every, reverse=True):
        value = torch.prod(value, axis, dtype=value.dtype)
    return value


def _convolution(
    value: Tensor, weight: Tensor, bias: Tensor | None, *geometry: Any, **_: Any
) -> Tensor:
    """The last arguments, by `benchmark`, tell a library how to compute."""
    return aten.convolution.default(value, weight, bias, *geometry[:6])


def _conv_tbc(value: Tensor, weight: Tensor, bias: Tensor, pad: int = 0) -> Tensor:
    turned = value.permute(1, 2, 0), weight.permute(2, 1, 0)
    return torch.conv1d(*turned, bias, padding=pad).permute(2, 0, 1)


def _int_mm(lhs: Tensor, rhs: Tensor) -> Tensor:
    return torch.mm(lhs.to(torch.int32), rhs.to(torch.int32))


def _rrelu(
    value: Tensor,
    noise: Tensor,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
    generator: Any = None,
) -> Any:
    """In inference the slope is the mean of the bounds; in training it is drawn."""
    if training:
        return NotImplemented
    return torch.nn.functional.leaky_relu(value, (lower + upper) / 2), noise


def _fake_quantize(
    value: Tensor, scale: float, zero: int, low: int, high: int
) -> tuple[Tensor, Tensor]:
    """NaN counts as less than all."""
    place = torch.round(value * (1 / scale)) + zero
    inside = (place >= low) & (place <= high)
    place = torch.where(place.isnan(), low, place)
    return (place.clamp(low, high) - zero) * scale, inside


def _put(value: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    given = index.reshape(-1), source.reshape(-1)
    return value.reshape(-1).index_put((given[0],), given[1], accumulate).reshape(value.shape)


def _index_put(
    value: Tensor,
    places: Sequence[Tensor | None],
    new: Tensor,
    accumulate: bool = False,
    unsafe: bool = False,
) -> Tensor:
    """Places are checked whether or not the model says that they need not be."""
    return aten.index_put.default(value, places, new, accumulate)


_KINDS = {"add": "sum", "multiply": "prod"}


def _scatter(value: Tensor, axis: int, index: Tensor, source: Tensor, *, reduce: str) -> Tensor:
    return torch.scatter_reduce(value, axis, index, source, _KINDS[reduce])


def _scatter_number(
    value: Tensor, axis: int, index: Tensor, number: float, *, reduce: str
) -> Tensor:
    source = torch.full(index.shape, number, dtype=value.dtype)
    return torch.scatter_reduce(value, axis, index, source, _KINDS[reduce])


def _index_reduce(
    value: Tensor,
    axis: int,
    index: Tensor,
    source: Tensor,
    reduce: str,
    *,
    include_self: bool = True,
) -> Tensor:
    shape = [-1 if n == axis % value.dim() else 1 for n in range(value.dim())]
    spread = index.reshape(shape).expand(source.shape)
    return torch.scatter_reduce(value, axis, spread, source, reduce, include_self=include_self)


def _hypot(lhs: Tensor, rhs: Tensor) -> Tensor:
    """`sqrt(a * a + b * b)` without squares that leave the range of numbers."""
    lhs, rhs = lhs.abs(), rhs.abs()
    large, small = torch.maximum(lhs, rhs), torch.minimum(lhs, rhs)
    share = small / torch.where(large == 0, 1.0, large)
    found = large * torch.sqrt(1 + share * share)
    infinite = (lhs == torch.inf) | (rhs == torch.inf)
    return torch.where(infinite, torch.inf, found).to(lhs.dtype)


def _lgamma_from_half(value: Tensor) -> Tensor:
    """`log(gamma(a))` of float64 from 0.5 on."""
    below = value - 1
    series = torch.full_like(value, _LANCZOS[0])
    for number, factor in enumerate(_LANCZOS[1:], start=1):
        series = series + factor / (below + number)
    base = below + 7.5
    return 0.5 * log(2 * pi) + (below + 0.5) * torch.log(base) - base + torch.log(series)


def _lgamma(value: Tensor) -> Tensor:
    """By Lanczos' series in float64, below 0.5 by reflection; infinite at 0, -1, -2, ..."""
    dtype = value.dtype if value.is_floating_point() else torch.get_default_dtype()
    wide = value.double()
    reflects = wide < 0.5
    direct = _lgamma_from_half(torch.where(reflects, 1 - wide, wide))
    from_whole = (wide - torch.round(wide)).abs()
    reflected = log(pi) - torch.log(torch.sin(pi * from_whole)) - direct
    found = torch.where(reflects, reflected, direct)
    return torch.where(wide.abs() == torch.inf, torch.inf, found).to(dtype)


DECOMPOSITIONS: dict[Any, Callable[..., Any]] = {
    **STRIDED,
    prims.collapse.default: _collapse,
    prims.iota.default: _iota,
    prims.sum.default: _sum,
    prims.prod.default: _prod,
    prims.convert_element_type.default: lambda value, dtype: value.to(dtype),
    aten._convolution.default: _convolution,
    aten._convolution.deprecated: _convolution,
    aten.conv_tbc.default: _conv_tbc,
    aten._int_mm.default: _int_mm,
    aten.rrelu_with_noise_functional.default: _rrelu,
    aten.fake_quantize_per_tensor_affine_cachemask.default: _fake_quantize,
    aten.put.default: _put,
    aten._index_put_impl.default: _index_put,
    aten._unsafe_index_put.default: _index_put,
    aten.scatter.reduce: _scatter,
    aten.scatter.value_reduce: _scatter_number,
    aten.index_reduce.default: _index_reduce,
    aten.hypot.default: _hypot,
    aten.lgamma.default: _lgamma,
}
"""By operator, for `ExportedProgram.run_decompositions`."""
