"""Statistics of rows that are huge, tiny or far from zero: as PyTorch's, or as float64's."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from unit.frontend.operators.oracle import run

import canao
from canao.frontend.torch_import import import_model

CHANNELS, COLUMNS = 4, 8
WIDTH = CHANNELS * COLUMNS


def written_out(x: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return centred / ((centred * centred).mean(-1, keepdim=True) + 1e-5).sqrt()


def shifted_twice(x: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    rest = centred - centred.mean(-1, keepdim=True)
    return (rest * rest).sum(-1)


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "layer_norm": lambda x: F.layer_norm(x, (WIDTH,)),
    "group_norm": lambda x: F.group_norm(x.reshape(-1, CHANNELS, COLUMNS), 1),
    "instance_norm": lambda x: F.instance_norm(x.reshape(-1, CHANNELS, COLUMNS)),
    "written_out": written_out,
    "rms_norm": lambda x: F.rms_norm(x, (WIDTH,)),
    "var": lambda x: x.var(-1),
    "var_of_all": lambda x: x.var(correction=0),
    "var_mean": lambda x: torch.var_mean(x, -1)[0],
    "std": lambda x: x.std(-1),
    "shifted_twice": shifted_twice,
    "softmax": lambda x: x.softmax(-1),
    "log_softmax": lambda x: x.log_softmax(-1),
    "logsumexp": lambda x: x.logsumexp(-1),
    "norm": lambda x: torch.linalg.vector_norm(x, dim=-1),
    "norm_3": lambda x: torch.linalg.vector_norm(x, 3, dim=-1),
    "mean": lambda x: x.mean(-1),
    "normalize": lambda x: F.normalize(x),
}


class Statistics(nn.Module):
    """All functions of the table, by their names."""

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {name: function(x) for name, function in FUNCTIONS.items()}


def _rows() -> dict[str, Tensor]:
    """Rows of each kind that statistics have trouble with."""
    near = torch.randn(3, WIDTH, generator=torch.Generator().manual_seed(0))
    # Signs in turn: the mean of a row, and of any few numbers of it, is far below its numbers.
    turns = torch.tensor([1.0, -1.0]).repeat(3, WIDTH // 2) * near.abs().clamp(0.5, 2)
    return {
        "usual": near,
        "1e20": near.abs() * 1e20,
        "1e37": near.abs().clamp(0.1, 1) * 1e37,
        "1e20 in turns": turns * 1e20,
        "1e-20": near * 1e-20,
        "1e-30": near * 1e-30,
        "at 1e4": near + 1e4,
        "at 1e6": near + 1e6,
        "inf": torch.where(near > 1.5, inf, near),
        "-inf": torch.where(near > 1.5, -inf, near),
        "nan": torch.where(near > 1.5, nan, near),
    }


ROWS = _rows()
_ALL_NAN = {("layer_norm", "1e20 in turns"), ("group_norm", "1e20 in turns")}
"""Where PyTorch gives zeros or NaN for an overflow, as its vectors fall on a row."""

_CENTRED = {"layer_norm", "group_norm", "instance_norm", "written_out"}
"""Less their mean in float32, which may be off by a last digit."""


def _check(name: str, kind: str, got: Tensor) -> None:
    """NaN and infinite where PyTorch is; else as PyTorch, or no further from float64 than it."""
    x, function = ROWS[kind], FUNCTIONS[name]
    if (name, kind) in _ALL_NAN:
        assert got.isnan().all()
        return
    want, exact = function(x), function(x.double())
    finite = want.isfinite()
    torch.testing.assert_close(got[~finite], want[~finite], rtol=0, atol=0, equal_nan=True)
    got, want, exact = got[finite].double(), want[finite].double(), exact[finite]
    theirs = (want - exact).abs().nan_to_num(0, 0, 0).amax() if want.numel() else 0
    same = (got - want).abs() <= 2e-5 * want.abs() + 1e-43
    digit = 2.0**-22 * float(x.nan_to_num(0, 0, 0).abs().max()) if name in _CENTRED else 0
    near = (got - exact).abs() <= 3 * theirs + 1e-6 * exact.abs() + digit
    assert (same | near).all(), (name, kind, got, want, exact)


@pytest.mark.parametrize("fusion", [True, "exact", False])
def test_compiled_statistics(fusion: Any, tmp_path: Path) -> None:
    model = Statistics()
    compiled = canao.compile(
        model, (ROWS["usual"],), threads=1, tune="off", fusion=fusion, cache_dir=tmp_path
    )
    for kind, x in ROWS.items():
        for name, got in compiled(x).items():
            _check(name, kind, got)


@pytest.mark.parametrize("kind", ROWS)
def test_statistics_by_the_oracle(kind: str) -> None:
    got = run(import_model(Statistics(), (ROWS[kind],)), ROWS[kind])
    for name in FUNCTIONS:
        _check(name, kind, got[name])


def test_a_mean_far_from_zero_costs_the_variance_no_digits(tmp_path: Path) -> None:
    x = ROWS["at 1e6"]
    compiled = canao.compile(Statistics(), (x,), threads=1, tune="off", cache_dir=tmp_path)
    got = compiled(x)
    for name in ("var", "std", "shifted_twice"):
        torch.testing.assert_close(
            got[name], FUNCTIONS[name](x.double()).float(), rtol=5e-7, atol=0
        )
