"""Identities and absorbing numbers keep the sign of a zero, NaN and infinity, as PyTorch does."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from unit.expressions import build
from unit.frontend.operators.oracle import run
from xdsl.context import Context

import canao
from canao.frontend.torch_import import import_model
from canao.transforms.canao_simplify import CanaoSimplifyPass

Function = Callable[[Tensor, Tensor], Tensor]

NUMBERS = torch.tensor([0.0, -0.0, 1.0, -1.0, inf, -inf, nan, 2.5, -0.3, 1e30, -1e-30])
ALL = NUMBERS.repeat_interleave(len(NUMBERS)), NUMBERS.repeat(len(NUMBERS))
"""Each number beside each."""

FUNCTIONS: dict[str, Function] = {
    "a + 0": lambda a, b: a + 0.0,
    "0 + a": lambda a, b: 0.0 + a,
    "a + whole 0": lambda a, b: a + 0,
    "a + -0": lambda a, b: a + -0.0,
    "a - 0": lambda a, b: a - 0.0,
    "a - -0": lambda a, b: a - -0.0,
    "0 - a": lambda a, b: 0.0 - a,
    "-0 - a": lambda a, b: -0.0 - a,
    "1 / (a + 0)": lambda a, b: 1 / (a + 0.0),
    "(a + 0) * b": lambda a, b: (a + 0.0) * b,
    "a - b + 0": lambda a, b: (a - b) + 0.0,
    "a * -1 + 0": lambda a, b: a * -1.0 + 0.0,
    "a + 0 + b + 0": lambda a, b: a + 0.0 + b + 0.0,
    "-a": lambda a, b: -a,
    "-(-a)": lambda a, b: a.neg().neg(),
    "-a + b": lambda a, b: (-a) + b,
    "-a - b": lambda a, b: (-a) - b,
    "a - -b": lambda a, b: a - (-b),
    "-(a + b)": lambda a, b: -(a + b),
    "-(a - b)": lambda a, b: -(a - b),
    "0 - (a - b)": lambda a, b: 0.0 - (a - b),
    "-a * b": lambda a, b: (-a) * b,
    "-(a * b)": lambda a, b: -(a * b),
    "0 - a * b": lambda a, b: 0.0 - a * b,
    "-a / b": lambda a, b: (-a) / b,
    "a / -b": lambda a, b: a / (-b),
    "a * 0": lambda a, b: a * 0.0,
    "a * -0": lambda a, b: a * -0.0,
    "a * 1": lambda a, b: a * 1.0,
    "a * -1": lambda a, b: a * -1.0,
    "a * 2 * -0.5": lambda a, b: a * 2.0 * -0.5,
    "a / 1": lambda a, b: a / 1.0,
    "a / 2": lambda a, b: a / 2.0,
    "a / 0": lambda a, b: a / 0.0,
    "a / -inf": lambda a, b: a / -inf,
    "0 / a": lambda a, b: 0.0 / a,
    "1 / a": lambda a, b: 1.0 / a,
    "a - a": lambda a, b: a - a,
    "a / a": lambda a, b: a / a,
    "a ** 0": lambda a, b: a**0.0,
    "a ** 1": lambda a, b: a**1.0,
    "a ** 3": lambda a, b: a**3.0,
    "a ** -1": lambda a, b: a**-1.0,
    "a ** 0.5": lambda a, b: a**0.5,
    "1 ** a": lambda a, b: torch.pow(1.0, a),
    "abs": lambda a, b: (-a).abs(),
    "sqrt": lambda a, b: a.sqrt(),
    "rsqrt": lambda a, b: a.rsqrt(),
    "sign": lambda a, b: a.sign(),
    "signbit": lambda a, b: a.signbit(),
    "copysign": torch.copysign,
    "relu": lambda a, b: a.relu(),
    "relu6": lambda a, b: F.relu6(a),
    "clamp low": lambda a, b: a.clamp(min=0.0),
    "clamp low -0": lambda a, b: a.clamp(min=-0.0),
    "clamp high": lambda a, b: a.clamp(max=0.0),
    "clamp high -0": lambda a, b: a.clamp(max=-0.0),
    "hardtanh": lambda a, b: F.hardtanh(a),
    "fmax": torch.fmax,
    "fmin": torch.fmin,
    "floor": lambda a, b: a.floor(),
    "ceil": lambda a, b: a.ceil(),
    "trunc": lambda a, b: a.trunc(),
    "round": lambda a, b: a.round(),
    "tanh": lambda a, b: a.tanh(),
    "erf": lambda a, b: a.erf(),
    "sin": lambda a, b: a.sin(),
    "where": lambda a, b: torch.where(a == b, a, b),
    "not less": lambda a, b: ~(a < b),
    "sum": lambda a, b: torch.stack([a, b], 1).sum(1),
    "mean": lambda a, b: torch.stack([a, b], 1).mean(1),
}


class Table(nn.Module):
    """All functions of the table, by their names."""

    def forward(self, a: Tensor, b: Tensor) -> dict[str, Tensor]:
        return {name: function(a, b) for name, function in FUNCTIONS.items()}


def _check(name: str, got: Tensor, want: Tensor) -> None:
    if not want.is_floating_point():
        assert torch.equal(got, want), name
        return
    torch.testing.assert_close(got, want, rtol=2e-6, atol=1e-37, equal_nan=True, msg=name)
    differ = (got.signbit() != want.signbit()) & ~want.isnan()
    places = [(a[differ].tolist()) for a in (*ALL, got, want)]
    assert not differ.any(), (name, *places)


@pytest.mark.parametrize("fusion", [True, "exact", False])
def test_zeros_keep_their_signs(fusion: Any, tmp_path: Path) -> None:
    model = Table()
    compiled = canao.compile(model, ALL, threads=1, tune="off", fusion=fusion, cache_dir=tmp_path)
    got, want = compiled(*ALL), model(*ALL)
    for name in FUNCTIONS:
        _check(name, got[name], want[name])


def test_zeros_keep_their_signs_in_the_oracle() -> None:
    model = Table()
    got, want = run(import_model(model, ALL), *ALL), model(*ALL)
    for name in FUNCTIONS:
        _check(name, got[name], want[name])


@pytest.mark.parametrize(
    ("expression", "left"),
    [
        (lambda a, b: a + 0.0, 1),
        (lambda a, b: a - 0.0, 0),
        (lambda a, b: (a + 0.0) * b, 2),
        (lambda a, b: b / (a + 0.0), 2),
        (lambda a, b: (a + 0.0).sum(0), 1),
        (lambda a, b: ((a + 0.0) * b).sum(0), 2),
        (lambda a, b: (a + 0.0) @ b.T, 2),
    ],
)
def test_adding_zero_goes_where_its_sign_is_lost(expression: Any, left: int) -> None:
    graph = build(expression, ((4, 8), (4, 8)))
    CanaoSimplifyPass().apply(Context(), graph.module)
    arithmetic = ("canao.add", "canao.sub", "canao.mul", "canao.div", "canao.matmul")
    kept = [op.name for op in graph.module.walk() if op.name in (*arithmetic, "canao.reduce_sum")]
    kept += [op.name for op in graph.module.walk() if op.name == "canao.transpose"]
    assert len(kept) == left, kept
