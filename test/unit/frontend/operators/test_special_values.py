"""NaN, infinities, signed zeros, subnormal and huge numbers mean what they mean in PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from unit.frontend.operators.oracle import run

import canao
from canao.frontend.torch_import import import_model

INF, NAN = float("inf"), float("nan")
HUGE = torch.finfo(torch.float32).max
SPECIAL = (NAN, INF, -INF, 0.0, -0.0, 1e-45, -1e-39, HUGE, -HUGE, 1.0, -2.5, 88.9, -104.0)
ROWS, COLUMNS = 6, 19
"""Rows longer than a vector of any processor, and no multiple of one."""

ELEMENTWISE: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "abs": lambda a, b: a.abs(),
    "neg": lambda a, b: -a,
    "sign": lambda a, b: a.sign(),
    "relu": lambda a, b: a.relu(),
    "leaky_relu": lambda a, b: F.leaky_relu(a),
    "hardtanh": lambda a, b: F.hardtanh(a),
    "exp": lambda a, b: a.exp(),
    "log": lambda a, b: a.log(),
    "sqrt": lambda a, b: a.sqrt(),
    "reciprocal": lambda a, b: a.reciprocal(),
    "tanh": lambda a, b: a.tanh(),
    "erf": lambda a, b: a.erf(),
    "sigmoid": lambda a, b: a.sigmoid(),
    "silu": lambda a, b: F.silu(a),
    "sin": lambda a, b: a.sin(),
    "isnan": lambda a, b: a.isnan(),
    "nan_to_num": lambda a, b: a.nan_to_num(0.5, 7.0, -7.0),
    "clamp": lambda a, b: a.clamp(-1, 2),
    "clamp_low": lambda a, b: a.clamp(min=-1),
    "clamp_to_other": lambda a, b: a.clamp(max=b),
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "sub_self": lambda a, b: a - a,
    "mul": lambda a, b: a * b,
    "mul_zero": lambda a, b: a * 0.0,
    "div": lambda a, b: a / b,
    "square": lambda a, b: a**2,
    "power": lambda a, b: a**0,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "not_lt": lambda a, b: (a < b).logical_not(),
    "same": lambda a, b: a == a,
    "where": lambda a, b: torch.where(a > b, a, b),
    "masked_fill": lambda a, b: a.masked_fill(b > 0, -INF),
    "to_bool": lambda a, b: a.bool(),
}

REDUCTIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "amax": lambda a, b: a.amax(-1),
    "amin": lambda a, b: a.amin(-1),
    "amax_columns": lambda a, b: a.amax(0),
    "max": lambda a, b: a.max(),
    "min": lambda a, b: a.min(),
    "max_values": lambda a, b: a.max(-1).values,
    "max_indices": lambda a, b: a.max(-1).indices,
    "min_values": lambda a, b: a.min(0).values,
    "min_indices": lambda a, b: a.min(0).indices,
    "argmax": lambda a, b: a.argmax(-1),
    "argmin": lambda a, b: a.argmin(-1),
    "argmax_columns": lambda a, b: a.argmax(0),
    "argmax_all": lambda a, b: a.argmax(),
    "argmin_all": lambda a, b: a.argmin(),
    "any": lambda a, b: a.any(-1),
    "all": lambda a, b: a.all(-1),
    "softmax": lambda a, b: a.softmax(-1),
    "softmax_columns": lambda a, b: a.softmax(0),
    "log_softmax": lambda a, b: a.log_softmax(-1),
    "logsumexp": lambda a, b: a.logsumexp(-1),
    "logsumexp_columns": lambda a, b: a.logsumexp(0, keepdim=True),
    "logsumexp_all": lambda a, b: a.logsumexp((0, 1)),
    "masked_softmax": lambda a, b: (a + torch.where(b > 0, 0.0, -INF)).softmax(-1),
    "forbidden": lambda a, b: (a.logsumexp(-1, keepdim=True) + b).logsumexp(-1),
}


class Table(nn.Module):
    """All functions of a table, by their names."""

    def __init__(self, functions: Mapping[str, Callable[[Tensor, Tensor], Tensor]]) -> None:
        super().__init__()
        self.functions = functions

    def forward(self, a: Tensor, b: Tensor) -> dict[str, Tensor]:
        return {name: function(a, b) for name, function in self.functions.items()}


def _filled(value: float) -> Tensor:
    return torch.full((COLUMNS,), value)


@st.composite
def matrices(draw: st.DrawFn) -> Tensor:
    """Rows of special numbers among others, some of one number throughout."""
    rows: list[Tensor] = []
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    for _ in range(ROWS):
        row = torch.randn(COLUMNS, generator=generator).mul(3).round(decimals=1)
        if draw(st.integers(0, 3)) == 0:
            row = _filled(draw(st.sampled_from(SPECIAL)))
        places = st.integers(0, COLUMNS - 1)
        for place, value in draw(st.lists(st.tuples(places, st.sampled_from(SPECIAL)), max_size=5)):
            row[place] = value
        rows.append(row)
    return torch.stack(rows)


def check_same(name: str, got: Tensor, want: Tensor) -> None:
    """Equal but for rounding, and for subnormal results, which may be zero."""
    assert (got.dtype, got.shape) == (want.dtype, want.shape), name
    if not want.dtype.is_floating_point:
        assert torch.equal(got, want), f"{name}: {got} is not {want}"
        return
    torch.testing.assert_close(
        got, want, rtol=2e-5, atol=2e-6, equal_nan=True, msg=lambda text: f"{name}: {text}"
    )


@pytest.mark.parametrize("functions", [ELEMENTWISE, REDUCTIONS], ids=["elementwise", "reductions"])
@pytest.mark.parametrize(
    ("fusion", "target"), [(True, "c"), (False, "c"), (True, "opencl"), (False, "opencl")]
)
def test_special_values(
    functions: Mapping[str, Callable[[Tensor, Tensor], Tensor]],
    fusion: bool,
    target: str,
) -> None:
    model, shape = Table(functions), (ROWS, COLUMNS)
    example = torch.ones(shape), torch.ones(shape)
    options: dict[str, Any] = {"threads": 1} if target == "c" else {"target": target}
    compiled = canao.compile(model, example, tune="off", fusion=fusion, **options)

    @settings(max_examples=60, deadline=None, database=None, derandomize=True)
    @given(matrices(), matrices())
    def check(a: Tensor, b: Tensor) -> None:
        got, want = compiled(a, b), model(a, b)
        for name in functions:
            check_same(name, got[name], want[name])

    check()


@pytest.mark.parametrize("name", ["logsumexp", "log_softmax", "argmax", "argmin", "max_indices"])
def test_oracle_of_special_rows(name: str) -> None:
    """The interpreter agrees too, on rows of each special number and with one among others."""
    rows = [_filled(value) for value in SPECIAL]
    for value in SPECIAL:
        row = torch.arange(float(COLUMNS)) % 5
        row[7] = value
        rows.append(row)
    a = torch.stack(rows)
    want = REDUCTIONS[name](a, a)
    got = run(import_model(Table({name: REDUCTIONS[name]}), (a, a)), a, a)
    check_same(name, got[name], want)


def test_first_of_equals_and_first_nan_win() -> None:
    a = torch.tensor([[1.0, 3.0, 3.0, 1.0], [2.0, NAN, INF, NAN], [-INF, -INF, -INF, -INF]])
    model = Table({"argmax": lambda a, b: a.argmax(-1), "argmin": lambda a, b: a.argmin(-1)})
    got = canao.compile(model, (a, a), threads=1, tune="off")(a, a)
    assert got["argmax"].tolist() == [1, 1, 0]
    assert got["argmin"].tolist() == [0, 1, 0]
