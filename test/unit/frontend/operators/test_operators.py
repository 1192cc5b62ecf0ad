"""Every conversion gives what PyTorch computes, from high-level and decomposed graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from unit.frontend.operators.operator_support import (
    Case,
    check_group,
    integers,
    normal,
    positive,
    truths,
)


def _unary() -> list[Case]:
    names = ("abs", "neg", "exp", "tanh", "erf", "sigmoid", "sin", "cos", "square", "sign")
    names += ("floor", "ceil", "trunc", "relu", "isnan", "logical_not")
    near = [Case(name, getattr(torch, name), (normal(3, 4),)) for name in names]
    roots = ("log", "sqrt", "rsqrt", "reciprocal")
    far = [Case(name, getattr(torch, name), (positive(3, 4),)) for name in roots]
    acts = {
        "silu": F.silu,
        "gelu": F.gelu,
        "gelu_tanh": lambda a: F.gelu(a, approximate="tanh"),
        "leaky_relu": lambda a: F.leaky_relu(a, 0.2),
        "hardtanh": F.hardtanh,
        "clamp": lambda a: a.clamp(-0.5, 0.25),
        "clamp_min": lambda a: a.clamp(min=0.1),
        "clamp_max": lambda a: a.clamp(max=0.1),
    }
    smooth = [Case(name, function, (normal(3, 4),)) for name, function in acts.items()]
    whole = [
        Case("abs_int", torch.abs, (integers(5),)),
        Case("sqrt_int", torch.sqrt, (integers(5, low=0),)),
        Case("sign_int", torch.sign, (integers(5),)),
        Case("bitwise_not", torch.bitwise_not, (integers(5),)),
        Case("bitwise_not_bool", torch.bitwise_not, (truths(5),)),
    ]
    return near + far + smooth + whole


def _binary() -> list[Case]:
    pair = (normal(3, 4), positive(4))
    whole = (integers(3, 4), integers(4, low=1))
    floats: dict[str, Callable[..., Any]] = {
        "add": lambda a, b: a + b,
        "add_alpha": lambda a, b: torch.add(a, b, alpha=2),
        "add_scalar": lambda a, b: a + 2 + b,
        "sub": lambda a, b: a - b,
        "sub_alpha": lambda a, b: torch.sub(a, b, alpha=0.5),
        "rsub": lambda a, b: 1.0 - a * b,
        "mul": lambda a, b: a * b * 0.5,
        "div": lambda a, b: a / b / 2,
        "div_floor": lambda a, b: torch.div(a, b, rounding_mode="floor"),
        "div_trunc": lambda a, b: torch.div(a, b, rounding_mode="trunc"),
        "floor_divide": lambda a, b: a // b,
        "remainder": lambda a, b: a % b,
        "pow": lambda a, b: b**a,
        "pow_scalar": lambda a, b: 2.0**a,
        "pow_half": lambda a, b: b**0.5 + b**-0.5,
        "pow_small": lambda a, b: a**2 + a**3 + a**1 + b**-1.0 + b**1.7,
        "maximum": lambda a, b: torch.maximum(a, b) + torch.max(a, b),
        "minimum": lambda a, b: torch.minimum(a, b) + torch.min(a, b),
        "compare": lambda a, b: (a < b, a <= b, a > b, a >= b, a == b, a != b),
        "compare_scalar": lambda a, b: (a < 0.5, a <= 0, a > 0, b >= 1, a == 0, a != 0),
        "where": lambda a, b: torch.where(a > b, a, b),
        "where_scalars": lambda a, b: (torch.where(a > b, a, 0.5), torch.where(a > b, 2.0, b)),
        "masked_fill": lambda a, b: a.masked_fill(a > b, -1.0),
        "type_promotion": lambda a, b: (a + torch.arange(4), a * True, a > torch.arange(4)),
    }
    ints: dict[str, Callable[..., Any]] = {
        "add_int": lambda a, b: a + b * 3,
        "div_int": lambda a, b: a / b,
        "floor_int": lambda a, b: (a // b, a % b, a // -b, torch.div(a, 2, rounding_mode="trunc")),
        "bitwise": lambda a, b: (a & b, a | b),
        "compare_float": lambda a, b: (a > 0.5, a * 1.5, a + b.to(torch.float64)),
        "logical": lambda a, b: (
            torch.logical_and(a, b > 2),
            torch.logical_or(a, b > 2),
            torch.logical_xor(a > 0, b > 2),
            (a > 0) ^ (b > 2),
            (a > 0) & (b > 2),
        ),
        "masked_fill_int": lambda a, b: a.masked_fill(a > b, 9),
    }
    return [Case(name, function, pair) for name, function in floats.items()] + [
        Case(name, function, whole) for name, function in ints.items()
    ]


def _shapes() -> list[Case]:
    a = normal(2, 3, 4)
    functions: dict[str, Callable[..., Any]] = {
        "view": lambda a: a.view(6, -1),
        "reshape": lambda a: a.reshape(-1),
        "flatten": lambda a: (a.flatten(1), a.unflatten(2, (2, 2))),
        "squeeze": lambda a: a[:, :1].squeeze(1).unsqueeze(0).squeeze(),
        "permute": lambda a: a.permute(2, 0, 1),
        "transpose": lambda a: a.transpose(-1, 0) + a[0].t().unsqueeze(2)[:, :, :2],
        "expand": lambda a: a[:, :1].expand(-1, 5, 4) + a[0, 0].expand(2, 5, 4),
        "expand_as": lambda a: a[:1].expand_as(a),
        "repeat": lambda a: a.repeat(2, 1, 3, 2),
        "repeat_interleave": lambda a: a.repeat_interleave(3, dim=1),
        "cat": lambda a: torch.cat([a, 2 * a, a.to(torch.float64)], dim=1),
        "stack": lambda a: torch.stack([a, a + 1], dim=-1),
        "split": lambda a: a.split(3, dim=2),
        "split_sizes": lambda a: a.split([1, 3], dim=-1),
        "chunk": lambda a: a.chunk(2, dim=1),
        "unbind": lambda a: a.unbind(1),
        "select": lambda a: a[:, -1] + a.select(1, 0),
        "slice": lambda a: (a[:, 1:, ::2], a[:, :-1, 1:100], a[..., -2:]),
        "narrow": lambda a: a.narrow(1, 1, 2),
        "pad": lambda a: F.pad(a, (1, 2, 0, 3)),
        "pad_value": lambda a: F.pad(a, (-1, 1), value=2.5),
        "tril": lambda a: a.tril() + a.triu(1),
        "copies": lambda a: a.contiguous().clone().detach().to(torch.float64).type_as(a),
        "casts": lambda a: (a.to(torch.int64), a.bool(), (a > 0).float(), a.double(), a.int()),
    }
    return [Case(name, function, (a,)) for name, function in functions.items()]


def _reductions() -> list[Case]:
    a = normal(2, 3, 4)
    functions: dict[str, Callable[..., Any]] = {
        "sum": lambda a: (a.sum(), a.sum(1), a.sum((0, 2), keepdim=True), (a > 0).sum(-1)),
        "mean": lambda a: (a.mean(), a.mean(-1, keepdim=True), a.mean((0, 1))),
        "max": lambda a: (a.max(), a.amax(1), a.max(-1).values),
        "max_index": lambda a: tuple(a.max(1, keepdim=True)),
        "min": lambda a: (a.min(), a.amin((0, 1)), *a.min(2)),
        "argmax": lambda a: (a.argmax(), a.argmax(1), a.argmin(-1, keepdim=True)),
        "any": lambda a: ((a > 1).any(), (a > 1).any(1), (a > -2).all(), (a > -1).all(2)),
        "var": lambda a: (a.var(-1), a.var(1, correction=0, keepdim=True), a.std(2)),
        "var_mean": lambda a: torch.var_mean(a, 1),
        "norm": lambda a: F.normalize(a, dim=-1) + a.norm(dim=1, keepdim=True),
        "logsumexp": lambda a: a.logsumexp(1),
        "cumsum": lambda a: (a.cumsum(1), (a > 0).cumsum(-1)),
        "softmax": lambda a: (a.softmax(1), a.log_softmax(-1), (a > 0).softmax(1, torch.float32)),
        "layer_norm": lambda a: (F.layer_norm(a, (4,)), F.layer_norm(a, (3, 4))),
        "affine_norm": lambda a: F.layer_norm(a, (4,), a[0, 0], a[0, 1], 1e-12),
        "rms_norm": lambda a: (F.rms_norm(a, (4,)), F.rms_norm(a, (4,), a[0, 0], 1e-6)),
    }
    return [Case(name, function, (a,)) for name, function in functions.items()]


def _products() -> list[Case]:
    return [
        Case("mm", torch.mm, (normal(3, 4), normal(4, 5))),
        Case("bmm", torch.bmm, (normal(2, 3, 4), normal(2, 4, 5))),
        Case("matmul", torch.matmul, (normal(2, 1, 3, 4), normal(5, 4, 2))),
        Case("matvec", torch.matmul, (normal(2, 3, 4), normal(4))),
        Case("vecmat", torch.matmul, (normal(3), normal(2, 3, 4))),
        Case("dot", torch.matmul, (normal(4), positive(4))),
        Case("mv", torch.mv, (normal(3, 4), normal(4))),
        Case("linear", F.linear, (normal(2, 3, 4), normal(5, 4), normal(5))),
        Case("linear_vector", F.linear, (normal(4), normal(5, 4))),
        Case("addmm", torch.addmm, (normal(5), normal(3, 4), normal(4, 5))),
        Case(
            "addmm_scaled",
            lambda a, b, c: torch.addmm(a, b, c, beta=0.5, alpha=2),
            (normal(5), normal(3, 4), normal(4, 5)),
        ),
        Case("baddbmm", torch.baddbmm, (normal(2, 3, 5), normal(2, 3, 4), normal(2, 4, 5))),
        Case("einsum", lambda a, b: torch.einsum("bhd,bkd->bhk", a, b), (normal(2, 3, 4),) * 2),
        Case("conv1d", F.conv1d, (normal(2, 4, 7), normal(6, 4, 1), normal(6))),
        Case(
            "conv1d_groups",
            lambda a, w: F.conv1d(a, w, groups=2),
            (normal(2, 4, 7), normal(6, 2, 1)),
        ),
    ]


def _attention() -> list[Case]:
    heads = (normal(2, 4, 5, 8), normal(2, 4, 6, 8), positive(2, 4, 6, 8))
    square = (normal(2, 4, 5, 8), positive(2, 4, 5, 8), normal(2, 4, 5, 8))
    mask = torch.ones(2, 1, 5, 6, dtype=torch.bool)
    mask[0, :, :, 4:] = False
    mask[1, 0, 2] = False
    sdpa = F.scaled_dot_product_attention
    return [
        Case("sdpa", sdpa, heads),
        Case("sdpa_scale", lambda q, k, v: sdpa(q, k, v, scale=0.3), heads),
        Case("sdpa_causal", lambda q, k, v: sdpa(q, k, v, is_causal=True), square),
        Case("sdpa_mask", sdpa, (*heads, mask)),
        Case("sdpa_float_mask", sdpa, (*heads, normal(2, 1, 5, 6))),
        Case(
            "sdpa_groups",
            lambda q, k, v: sdpa(q, k, v, enable_gqa=True),
            (normal(2, 4, 5, 8), normal(2, 2, 6, 8), positive(2, 2, 6, 8)),
        ),
    ]


def _creation() -> list[Case]:
    a = normal(3, 4)
    functions: dict[str, Callable[..., Any]] = {
        "arange": lambda a: (torch.arange(4) + a, torch.arange(2, 6), torch.arange(0, 2, 0.5)),
        "zeros": lambda a: (torch.zeros(3, 4) + a, torch.zeros_like(a), a.new_zeros(2)),
        "ones": lambda a: (torch.ones(4) + a, torch.ones_like(a), a.new_ones(2).bool()),
        "full": lambda a: (torch.full((4,), 2.5) + a, torch.full_like(a, -1), a.new_full((2,), 3)),
        "eye": lambda a: (a @ torch.eye(4), torch.eye(2, 3)),
        "constant": lambda a: a + torch.tensor([1.0, 2.0, 3.0, 4.0]) * torch.tensor(2),
        "large_constant": lambda a: a[0, 0] + torch.linspace(0, 1, 100),
    }
    return [Case(name, function, (a,)) for name, function in functions.items()]


def _indexing() -> list[Case]:
    table, places = normal(5, 3, 4), integers(2, 2, low=0, high=3)
    return [
        Case(
            "embedding",
            lambda w, n: F.embedding(n, w),
            (normal(5, 3), integers(2, 6, low=0, high=5)),
        ),
        Case("gather", lambda a, n: a.gather(1, n), (normal(4, 5), integers(4, 2, low=0, high=5))),
        Case(
            "gather_part",
            lambda a, n: a.gather(0, n),
            (normal(4, 5), integers(2, 3, low=0, high=4)),
        ),
        Case(
            "index_select", lambda a, n: a.index_select(1, n), (table, integers(4, low=0, high=3))
        ),
        Case("index_first", lambda a, n: a[n], (table, places)),
        Case("index_middle", lambda a, n: a[:, n], (table, places)),
        Case("index_pair", lambda a, n: a[n, n - 3], (table, places)),
        Case("index_apart", lambda a, n: a[n, :, n], (table, places)),
        Case("index_last", lambda a, n: a[..., n], (table, places)),
    ]


GROUPS: dict[str, list[Case]] = {
    "unary": _unary(),
    "binary": _binary(),
    "shapes": _shapes(),
    "reductions": _reductions(),
    "products": _products(),
    "attention": _attention(),
    "creation": _creation(),
    "indexing": _indexing(),
}


@pytest.mark.parametrize("group", GROUPS)
def test_high_level(group: str) -> None:
    check_group(GROUPS[group], decomposed=False)


@pytest.mark.parametrize("group", GROUPS)
def test_decomposed(group: str) -> None:
    check_group(GROUPS[group], decomposed=True)
