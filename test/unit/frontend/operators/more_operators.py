"""Functions, order, places, windows and norms: tables for the interpreter and for compiled code."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from unit.frontend.operators.operator_support import Case, integers, normal, positive

A, B, T = normal(3, 5), positive(3, 5), normal(2, 3, 4)
WHOLE, CLASSES = integers(3, 5, low=-9, high=9), integers(3, 5, low=0, high=6)
PLACES = torch.tensor([[0, 2, 1], [1, 0, 2]])
SPECIAL = torch.tensor([[0.0, -0.0, nan, inf, -inf], [1, 2, -1, nan, 3], [2, 2, 1, 1, nan]])
TINY = torch.tensor([1e-12, -1e-9, 3e-7, 1e-4, -0.0, 0.3, -0.7])

Table = dict[str, Callable[..., Any]]


def cases(table: Table, *arguments: Tensor) -> list[Case]:
    """A case for each function, on the same arguments."""
    return [Case(name, function, arguments) for name, function in table.items()]


def _functions() -> list[Case]:
    near = ("expm1", "exp2", "cosh", "sinh", "atan", "tan", "asinh")
    far = ("log1p", "log2", "log10")
    inside = ("asin", "acos", "atanh")
    pairs = ("atan2", "copysign", "logaddexp", "fmax", "fmin", "xlogy")
    acts: Table = {
        "elu": lambda a: (F.elu(a), F.elu(a, 0.5), F.selu(a), F.celu(a, 0.7)),
        "softplus": lambda a: (F.softplus(a), F.softplus(a, 2.0, 3.0), F.mish(a), F.logsigmoid(a)),
        "hard": lambda a: (F.hardswish(a), F.hardsigmoid(a), F.hardshrink(a), F.relu6(a)),
        "soft": lambda a: (F.softsign(a), F.softshrink(a), F.tanhshrink(a), F.softmin(a, 1)),
        "threshold": lambda a: (F.threshold(a, 0.1, 9.0), F.glu(a[:, :4]), F.prelu(a, B[0])),
    }
    tiny: Table = {"log1p_tiny": lambda a: a.log1p() * 1e6, "expm1_tiny": lambda a: a.expm1() * 1e6}
    return [
        *cases({name: getattr(torch, name) for name in near}, A),
        *cases({name: getattr(torch, name) for name in far}, B),
        *cases({name: getattr(torch, name) for name in inside}, A.sin()),
        *cases({"acosh": torch.acosh}, B + 1),
        *cases({name: getattr(torch, name) for name in pairs}, A, B),
        *cases(acts, A),
        *cases(tiny, TINY),
    ]


def _bits() -> list[Case]:
    names = ("signbit", "isinf", "isfinite", "isposinf", "isneginf", "nan_to_num")
    special = {name: getattr(torch, name) for name in names}
    extrema: Table = {"skip": lambda a, b: (torch.fmax(a, b), torch.fmin(a, b))}
    whole: Table = {
        "xor": lambda a, b: (a ^ b, a ^ 3),
        "shift_left": lambda a, b: (a << b, a << 2, a << (b * 20), a << (b - 3)),
        "shift_right": lambda a, b: (a >> b, a >> 1, a >> (b * 20), a >> (b - 3)),
        "ldexp": lambda a, b: torch.ldexp(a.float(), b),
        "narrow": lambda a, b: (
            a.int() << (b * 9),
            a.to(torch.int8) >> b,
            a.to(torch.int16) ^ 77,
            a.int() >> (b * 20),
        ),
        "of_whole": lambda a, b: (a.exp2(), b.log1p(), a.isinf(), a.isfinite(), a.signbit()),
    }
    return [
        *cases(special, SPECIAL),
        *cases(extrema, SPECIAL, SPECIAL.flip(0)),
        *cases(whole, WHOLE, CLASSES),
    ]


def _order() -> list[Case]:
    floats: Table = {
        "sort": lambda a: (*a.sort(1), *a.sort(0, descending=True)),
        "stable": lambda a: tuple(torch.sort(a, stable=True, dim=1)),
        "argsort": lambda a: (a.argsort(1), a.argsort(0, True)),
        "topk": lambda a: (*a.topk(2, 1), *a.topk(2, 0, largest=False)),
        "median": lambda a: (a.median(), *a.median(1), a.nanmedian(), *a.nanmedian(0)),
        "kthvalue": lambda a: (*a.kthvalue(2, 1), *a.kthvalue(1, 0, keepdim=True)),
    }
    ties: Table = {
        "sort_ties": lambda a: (
            *torch.sort(a, stable=True, dim=1),
            *torch.sort(a, stable=True, dim=1, descending=True),
        ),
        "sort_narrow": lambda a: (*torch.sort(a.int(), stable=True, dim=1), a.int().median()),
        "sort_truths": lambda a: tuple(torch.sort(a > 2, stable=True, dim=1)),
    }
    nans: Table = {
        "sort_nan": lambda a: (
            *torch.sort(a, stable=True, dim=1),
            *torch.sort(a, stable=True, dim=1, descending=True),
        ),
        "median_nan": lambda a: (a.median(), a.median(1).values, a.nanmedian(), a.nanmedian(1)[0]),
        "topk_nan": lambda a: (a.topk(4, 1).values, a.topk(4, 1, largest=False).values),
        "one": lambda a: (*a[:, :1].sort(1), *a[0, 0].sort(), *a[:1].topk(1, 0)),
    }
    return [*cases(floats, A), *cases(ties, CLASSES), *cases(nans, SPECIAL)]


def _scans() -> list[Case]:
    floats: Table = {
        "prod": lambda a: (a.prod(), a.prod(1), a.prod(0, keepdim=True), a[:, :1].prod(1)),
        "cumprod": lambda a: (a.cumprod(1), a.cumprod(0)),
        "cummax": lambda a: (*a.cummax(1), *a.cummin(0)),
        "logcumsumexp": lambda a: a.logcumsumexp(1),
    }
    whole: Table = {
        "whole": lambda a: (a.prod(1), a.cumprod(1), *a.cummax(1), *a.cummin(1)),
        "narrow": lambda a: (*a.int().cummax(1), *a.to(torch.int8).cummin(0), a.int().prod(0)),
    }
    nans: Table = {"nan": lambda a: (*a.cummax(1), *a.cummin(1), a.logcumsumexp(1))}
    return [*cases(floats, A), *cases(whole, WHOLE), *cases(nans, SPECIAL)]


def _norms() -> list[Case]:
    orders = (0, 1, 2, 3, 2.5, inf, -inf)
    batch = nn.BatchNorm1d(3).eval()
    instance = nn.InstanceNorm1d(3, affine=True, track_running_stats=True).eval()
    instance.running_mean, instance.running_var = normal(3), positive(3)
    batch.running_mean, batch.running_var = normal(3), positive(3)
    channels = nn.GroupNorm(2, 4)
    for module in (batch, instance, channels):
        module.requires_grad_(False)
    table: Table = {
        "orders": lambda a: [torch.linalg.vector_norm(a, n, dim=1) for n in orders],
        "whole": lambda a: (a.norm(), a.norm(1), a.norm(3, dim=0), torch.norm(a, "fro")),
        "normalize": lambda a: (F.normalize(a), F.normalize(a, 1.0), F.normalize(a, inf)),
        "distances": lambda a: (torch.cdist(a, B), torch.cdist(a, B, 1.0), torch.dist(a, B)),
        "similar": lambda a: (F.cosine_similarity(a, B), F.pairwise_distance(a, B)),
        "std": lambda a: (a.std(), a.std(1, correction=0), a.var(correction=2), a.std(1)),
    }
    normal_forms: Table = {
        "batch_norm": batch,
        "group_norm": lambda a: channels(a.transpose(1, 2)),
        "instance_norm": lambda a: (instance(a), F.instance_norm(a)),
    }
    return [*cases(table, A), *cases(normal_forms, T)]


def _moves() -> list[Case]:
    table: Table = {
        "flip": lambda a: (a.flip(1), a.flip(0, 2), a[:, :1].flip(1)),
        "roll": lambda a: (a.roll(1, 1), a.roll((1, -2), (0, 2)), a.roll(5)),
        "diagonal": lambda a: (a.diagonal(0, 1, 2), torch.diagonal(a, 1), a[0].diagonal(-2)),
        "diagonals": lambda a: (torch.diag_embed(a), torch.diag(a[0, 0]), a[0].trace()),
        "unfold": lambda a: (a.unfold(2, 2, 1), a.unfold(1, 3, 2)),
        "axes": lambda a: (a.movedim(0, -1), a.swapdims(0, 1), a.mT, a.adjoint(), a.ravel()),
        "pad": lambda a: (
            F.pad(a, (2, 1), "reflect"),
            F.pad(a, (1, 2), "replicate"),
            F.pad(a, (1, 1), "circular"),
            F.pad(a[None], (1, 1, 1, 1), "reflect"),
        ),
        "strided": lambda a: (a.as_strided((2, 3), (1, 5)), a.as_strided((4, 3), (1, 2), 3)),
        "overlap": lambda a: a.mT.contiguous().as_strided((2, 3, 2), (12, 2, 1)),
        "splits": lambda a: (a.tensor_split(2, 1), a.tensor_split((1, 3), 2), a.hsplit((1, 2))),
        "einsum": lambda a: (
            torch.einsum("bij,bij,bij->bi", a, a, a),
            torch.einsum("bii->bi", a[:, :, :3]),
            torch.einsum("bij,ckj->bcik", a, a),
        ),
        "triangles": lambda a: (torch.tril_indices(3, 4), torch.triu_indices(3, 3, 1)),
        "repeats": lambda a: (a.repeat_interleave(2, 1), a.tile(2), torch.rot90(a, 1, (1, 2))),
        "meshgrid": lambda a: torch.meshgrid(a[0, 0], a[0, :, 0], indexing="ij"),
    }
    return cases(table, T)


def _set_columns(a: Tensor, b: Tensor) -> Tensor:
    out = a.clone()
    out[:, 0] = b[:, 0]
    out[1, 2:4] = 7.0
    out[:, ::2] = 0
    out[..., -1] += b[:, 0]
    out[0].mul_(2)
    return out


def _set_places(a: Tensor, b: Tensor) -> Tensor:
    out = a.clone()
    out[b > 1] = 0.5
    out[torch.tensor([0, -1])] = 3.0
    out[torch.tensor([0, 1]), torch.tensor([1, 2])] = b[0, :2]
    return out


def _set_middle(a: Tensor, b: Tensor) -> Tensor:
    out = a.repeat(2, 1, 1)
    out[:, torch.tensor([2, 0])] = b[:2]
    out[:, torch.tensor([1, 1]), torch.tensor([3, 4])] = b[0, 2:4]
    out[torch.tensor([1]), :, torch.tensor([2])] = b[:1, :3]
    return out


def _updates() -> list[Case]:
    table: Table = {
        "columns": _set_columns,
        "places": _set_places,
        "slices": lambda a, b: (
            torch.slice_scatter(a, b[:, :2], 1, 1, 3),
            torch.slice_scatter(a, b[:, :2], 1, 0, 4, 2),
            torch.select_scatter(a, b[0], 0, -1),
            torch.diagonal_scatter(a, b[0, :3], 1),
        ),
        "copy": lambda a, b: torch.empty_like(a).copy_(b[0]),
        "rows": lambda a, b: a.index_put((torch.tensor([0, 0, 1]),), b),
        "masked": lambda a, b: (a.masked_fill(b > 1, 2.0), a.index_put((b > 1,), torch.ones(()))),
        "middle": _set_middle,
    }
    return cases(table, A, B)


def _scatters() -> list[Case]:
    table: Table = {
        "scatter": lambda a, n, b: (a.scatter(1, n, b[:2]), a.scatter(0, n, 2.0)),
        "scatter_add": lambda a, n, b: (a.scatter_add(1, n * 0, b[:2]), a.scatter_add(0, n, b)),
        "scatter_reduce": lambda a, n, b: [
            a.scatter_reduce(0, n * 0 + 1, b[:2], kind, include_self=own)
            for kind in ("sum", "mean", "prod", "amax", "amin")
            for own in (True, False)
        ],
        "index_put": lambda a, n, b: (
            a.index_put((n[0], n[1]), b[0, :3]),
            a.index_put((n[0] * 0, n[1] - 3), b[0, :3], accumulate=True),
            a.index_put((n[0],), b),
        ),
        "index_add": lambda a, n, b: (a.index_add(0, n[0], b), a.index_copy(0, n[0], b)),
        "narrow": lambda a, n, b: [
            (a * 3).int().scatter_reduce(0, n * 0 + 1, b[:2].int(), kind, include_self=False)
            for kind in ("sum", "mean", "prod", "amax", "amin")
        ],
        "index_fill": lambda a, n, b: a.index_fill(1, n[0], 3.0),
        "index_reduce": lambda a, n, b: [
            torch.index_reduce(a, 0, n[0] * 0 + 1, b, kind, include_self=own)
            for kind in ("prod", "mean", "amax", "amin")
            for own in (True, False)
        ],
        "reduce_by_name": lambda a, n, b: (
            a.scatter(0, n * 0 + 1, b[:2], reduce="multiply"),
            a.scatter(0, n * 0 + 1, 3.0, reduce="add"),
        ),
        "put": lambda a, n, b: (a.put(n, b[:2, :3]), a.put(n * 0 - 1, b[:2, :3], True)),
        "one_place": lambda a, n, b: (
            a.index_select(0, n[0, 1]),
            a.index_select(1, n[0, 1]),
            a[0, 0].index_select(0, n[0, :1]),
        ),
    }
    return cases(table, A, PLACES, B)


def _windows() -> list[Case]:
    torch.manual_seed(4)
    wide, deep = torch.randn(6, 3, 3), torch.randn(3, 1, 3)
    square, bias = torch.randn(2, 3, 2, 2), torch.randn(6)
    table: Table = {
        "average": lambda a: (
            F.avg_pool1d(a, 2),
            F.avg_pool1d(a, 3, 1, 1),
            F.avg_pool1d(a, 3, 2, 1, count_include_pad=False),
            F.avg_pool1d(a, 3, 2, 1, True),
            F.avg_pool2d(a[None], 2),
        ),
        "largest": lambda a: (
            F.max_pool1d(a, 2),
            F.max_pool1d(a, 3, 1, 1),
            F.max_pool2d(a[None], 2),
        ),
        "largest_places": lambda a: F.max_pool1d(a, 2, 1, 0, 2, return_indices=True),
        "adaptive": lambda a: [F.adaptive_avg_pool1d(a, n) for n in (1, 2, 3)],
        "adaptive_max": lambda a: (F.adaptive_max_pool1d(a, 1), F.adaptive_max_pool1d(a, 3)),
        "conv": lambda a: (F.conv1d(a, wide), F.conv1d(a, wide, bias, 1, 1)),
        "conv_steps": lambda a: (F.conv1d(a, wide, None, 2, 2, 2), F.conv1d(a, deep, groups=3)),
        "conv_same": lambda a: (F.conv1d(a, wide, padding="same"), F.conv1d(a[0], wide)),
        "conv_2d": lambda a: F.conv2d(a[None].movedim(1, 2), square, padding=1),
    }
    return cases(table, T)


def _lookups() -> list[Case]:
    torch.manual_seed(5)
    bags = {mode: nn.EmbeddingBag(7, 4, mode=mode) for mode in ("mean", "sum", "max")}
    padded = nn.EmbeddingBag(7, 4, padding_idx=0)
    edges = torch.tensor([-1.0, 0.0, 0.5, 2.0])
    mixed = nn.Bilinear(5, 5, 4)
    for module in (*bags.values(), padded, mixed):
        module.requires_grad_(False)
    ids: Table = {
        **{f"bag_{mode}": bag for mode, bag in bags.items()},
        "bag_padded": padded,
        "bag_offsets": lambda n: bags["mean"](n.reshape(-1), torch.tensor([0, 4, 4, 9])),
        "bag_weights": lambda n: F.embedding_bag(
            n, bags["sum"].weight, per_sample_weights=B, mode="sum"
        ),
        "one_hot": lambda n: F.one_hot(n, 7),
        "bag_narrow": lambda n: bags["sum"](n.int()),
        "bucketize_narrow": lambda n: torch.bucketize(n.int(), torch.arange(4), out_int32=True),
        "bucketize_whole": lambda n: torch.bucketize(n, torch.tensor([0, 2, 2, 5])),
    }
    floats: Table = {
        "bucketize": lambda a: (torch.bucketize(a, edges), torch.bucketize(a, edges, right=True)),
        "searchsorted": lambda a: (
            torch.searchsorted(edges, a),
            torch.searchsorted(B.cumsum(1), a, side="right"),
        ),
        "bilinear": lambda a: mixed(a, B),
        "addbmm": lambda a: torch.addbmm(a[:, :3], T[:, :, :3], T[:, :, 1:].mT, beta=0.5, alpha=2),
        "sums": lambda a: (
            torch.addcmul(a, a, B, value=0.5),
            torch.addcdiv(a, a, B),
            a.lerp(B, 0.3),
        ),
    }
    return [*cases(ids, CLASSES), *cases(floats, A)]


GROUPS: dict[str, list[Case]] = {
    "functions": _functions(),
    "bits": _bits(),
    "order": _order(),
    "scans": _scans(),
    "norms": _norms(),
    "moves": _moves(),
    "updates": _updates(),
    "scatters": _scatters(),
    "windows": _windows(),
    "lookups": _lookups(),
}
