"""What compilers of this field are known to get wrong, each case compiled and compared.

Aliased updates, overflow that a rewrite hides, layer norms that are none, integers that wrap,
results that saturate, masks that leave nothing, ties and orders.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from unit.frontend.operators.operator_support import Case, Group, normal
from unit.frontend.operators.oracle import check_equal

import canao

HUGE, INF, NAN = torch.finfo(torch.float32).max, float("inf"), float("nan")
BYTES = torch.int8


def _numbers(*values: float, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.tensor(values, dtype=dtype)


# ------------------------------------------------------------------ updates in place


def _add_at(ids: Tensor, table: Tensor) -> Tensor:
    """Reads and writes the same rows."""
    table, ids = table.clone(), ids + 10
    table[ids] += table[ids]
    return table


def _add_column(y: Tensor, x: Tensor) -> Tensor:
    y = y.clone()
    y[:, 0] += x[:, 2].abs()
    return y


def _roll_a_row(x: Tensor) -> Tensor:
    x = x.clone()
    x[0] = torch.roll(x[0], 5, -1)
    return x


def _add_to_an_expanded(x: Tensor) -> Tensor:
    return x.expand(3, 4).clone().add_(1)


UPDATES = [
    Case("add_at", _add_at, (torch.tensor([[-10, -10]]), normal(2, 32))),
    Case("add_column", _add_column, (normal(2, 3), normal(3, 3)[:2])),
    Case("roll_a_row", _roll_a_row, (normal(2, 100),)),
    Case("add_to_an_expanded", _add_to_an_expanded, (normal(1, 4),)),
    Case("flip_and_slice", lambda x: x.flip(0, 1)[::2, 1:], (normal(5, 4),)),
    Case(
        "add_at_twice",
        lambda x, i: torch.zeros(3, 4).index_add(0, i, x, alpha=2),
        (normal(5, 4), torch.tensor([0, 2, 2, 1, 0])),
    ),
]

# ----------------------------------------------------------------- identities of reals


IDENTITIES = [
    Case("root_of_square", lambda x: (x * x).sqrt(), (_numbers(HUGE, 1e-3, -3),)),
    Case("root_of_abs_of_square", lambda x: x.square().abs().sqrt(), (_numbers(HUGE, -3),)),
    Case("half_of_square", lambda x: (x**2) ** 0.5, (_numbers(HUGE, -3),)),
    Case("log2_of_exp2", lambda x: x.exp2().log2(), (_numbers(126, 128.5, -160, 0),)),
    Case("log_of_exp", lambda x: x.exp().log(), (_numbers(100, -110, 0, 5),)),
    Case("exp_of_log", lambda x: x.log().exp(), (_numbers(-1, 0, 3),)),
    Case(
        "difference_of_sum", lambda x, y: x - (x + y) + y, (_numbers(1e30, 2**24), _numbers(1, 1))
    ),
    Case("sum_and_difference", lambda x, y: x + y - x, (_numbers(1e30, 2**24), _numbers(1, 1))),
    Case("quotient_times", lambda x, y: x / y * y, (_numbers(1, 0, 5), _numbers(0, 0, 3))),
    Case("product_over", lambda x, y: x * y / y, (_numbers(1e30, 0, 5), _numbers(1e30, 0, 3))),
    Case("absorbed", lambda x: x + 1e8 - 1e8, (_numbers(1, 3.3, 0),)),
    Case("where_not_taken", lambda x: torch.where(x > 0, x.log(), 0.0), (_numbers(-1, 0, 2),)),
    Case("times_a_mask", lambda x, m: x * m, (_numbers(INF, NAN, 2), _numbers(0, 0, 1))),
    Case(
        "scale_of_sum",
        lambda a, b, c: 0.1 * (a @ b + c[:, None]),
        (normal(8, 15), normal(15, 4), 100 * normal(8)),
    ),
]

# ------------------------------------------------------------- norms that look like others


def _norm(x: Tensor, dims: list[int], epsilon: float, outside: float = 0.0) -> Tensor:
    d = x - x.mean(dims, keepdim=True)
    return d / ((d * d).mean(dims, keepdim=True) + epsilon).sqrt().add(outside)


NORMS = [
    Case("over_more_axes", lambda x, w: _norm(x, [1, 2], 1e-5) * w, (normal(2, 3, 4), normal(4))),
    Case("epsilon_outside", lambda x: _norm(x, [-1], 0.0, 1e-2), (normal(3, 8),)),
    Case(
        "unbiased",
        lambda x: (x - x.mean(-1, True)) / (x.var(-1, keepdim=True) + 1e-5).sqrt(),
        (normal(3, 8),),
    ),
    Case(
        "no_variance",
        lambda x: (x - x.mean(-1, True)) / ((x * x).mean(-1, True) + 1e-5).sqrt(),
        (normal(3, 8),),
    ),
    Case("constant_rows", lambda x: F.layer_norm(x, (64,)), (torch.full((3, 64), 1e4),)),
    Case("norm_of_huge", lambda x: F.normalize(x, dim=-1), (_numbers(1e25, 1e25)[None],)),
]

# --------------------------------------------------------------------------- integers


INTEGERS = [
    Case(
        "distributed",
        lambda x, y: (6 * x + 6 * y, 6 * (x + y)),
        (_numbers(5, 100, -90, dtype=BYTES), _numbers(4, 120, -90, dtype=BYTES)),
    ),
    Case(
        "least_of_and",
        lambda x, y: torch.minimum(x & y, y),
        (_numbers(1, 7, -5, dtype=BYTES), _numbers(1, 3, 7, dtype=BYTES)),
    ),
    Case(
        "beyond_32_bits",
        lambda x: torch.arange(9) * torch.tensor([1_500_000_000]) + x,
        (torch.tensor([0]),),
    ),
    Case(
        "sums",
        lambda x: (x.sum(), x.sum(dtype=torch.int32), x.prod()),
        (torch.tensor([2**31 - 1] * 3, dtype=torch.int32),),
    ),
    Case("running", lambda x: x.cumsum(0), (_numbers(1, 2, 3, dtype=torch.int32),)),
    Case("running_truths", lambda x: x.cumprod(0), (torch.tensor([True, False, True]),)),
    Case("quotients", lambda x: (x // 2 * 2) % 4 + (x % 20) // 2 * 2 % 4, (torch.arange(-30, 30),)),
    Case(
        "two_casts", lambda x: (x.to(torch.int32).bool(), x.to(torch.int32)), (_numbers(3.6, 0.5),)
    ),
    Case(
        "saturated", lambda x: (x.sigmoid(), x.sigmoid().long().clip(-1, 1)), (_numbers(60, -60),)
    ),
    Case("kept_and_indexed", lambda x: (x - x, (x - x).argmax(-1)), (normal(4, 9),)),
    Case("argmax_transposed", lambda x: x.sin().t().argmax(), (5 * normal(4, 9),)),
    Case(
        "copied_sign",
        lambda x: (torch.copysign(x, -0.0), torch.copysign(torch.ones(4), x)),
        (_numbers(0, -0.0, 1, NAN),),
    ),
]

# ---------------------------------------------------------------------------- masks


MASKS = [
    Case(
        "nothing_left",
        lambda x, m: x.masked_fill(m, -INF).softmax(-1),
        (normal(2, 4), torch.tensor([[True] * 4, [True, False, True, False]])),
    ),
    Case(
        "masked_twice",
        lambda x, m: (x + m + m).softmax(-1),
        (normal(2, 4), torch.tensor([[-HUGE] * 4, [0, -HUGE, 0, 0]])),
    ),
    Case(
        "causal_oblong",
        lambda q, k: F.scaled_dot_product_attention(q, k, k, is_causal=True),
        (normal(1, 2, 3, 8), normal(1, 2, 5, 8)),
    ),
    Case(
        "attention_to_nothing",
        lambda q, k, m: F.scaled_dot_product_attention(q, k, k, attn_mask=m),
        (normal(1, 2, 3, 8), normal(1, 2, 5, 8), normal(3, 5) > torch.tensor([[9.0], [-9], [0]])),
    ),
    Case(
        "padded_average",
        lambda x: F.avg_pool2d(F.pad(x, (1, 1, 1, 1)), 3, 2, padding=1, count_include_pad=False),
        (normal(1, 2, 7, 7),),
    ),
    Case(
        "padded_largest",
        lambda x: F.max_pool2d(F.pad(x, (1, 1, 1, 1)), 3, 2, padding=1),
        (-normal(1, 2, 7, 7).abs(),),
    ),
    Case(
        "no_beta",
        lambda m, a, b: torch.addmm(m, a, b, beta=0),
        (torch.full((3, 5), NAN), normal(3, 4), normal(4, 5)),
    ),
    Case(
        "stable_order", lambda x: torch.sort(x, stable=True), (_numbers(3, 1, 3, 1, NAN, -0.0, 0),)
    ),
]

GROUPS = {
    "updates": UPDATES,
    "identities": IDENTITIES,
    "norms": NORMS,
    "integers": INTEGERS,
    "masks": MASKS,
}


@torch.no_grad()
@pytest.mark.parametrize("group", GROUPS)
def test_pitfalls(group: str, tmp_path: Path) -> None:
    cases = GROUPS[group]
    arguments = ({case.name: case.arguments for case in cases},)
    compiled = canao.compile(Group(cases), arguments, threads=1, tune="off", cache_dir=tmp_path)
    found = compiled(*arguments)
    for case in cases:
        check_equal(found[case.name], case.function(*case.arguments), case.name)
