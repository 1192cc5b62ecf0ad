"""The conversions of functions, order, places, windows and norms give what PyTorch computes."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from unit.frontend.operators.more_operators import GROUPS
from unit.frontend.operators.operator_support import check_group
from unit.frontend.operators.oracle import check_equal, run

from canao.errors import ExecutionError, UnsupportedOpError
from canao.frontend.torch_import import import_model


@pytest.mark.parametrize("group", GROUPS)
def test_high_level(group: str) -> None:
    check_group(GROUPS[group], decomposed=False)


@pytest.mark.parametrize("group", GROUPS)
def test_decomposed(group: str) -> None:
    # PyTorch writes a roll with remainders of floating-point division.
    check_group([case for case in GROUPS[group] if case.name != "roll"], decomposed=True)


class _Function(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: Any) -> Any:
        return self.function(*args)


def _run(function: Any, *arguments: Tensor) -> Any:
    return run(import_model(_Function(function), arguments), *arguments)


def test_topk_of_a_long_axis_takes_one_after_another() -> None:
    values = torch.randn(2, 3001, generator=torch.Generator().manual_seed(2))
    values[0, 7] = values[0, 9] = 5.0
    values[1, 3] = torch.nan
    values[1, 5] = torch.inf
    found = _run(lambda a: tuple(a.topk(5, 1)), values)
    expected = torch.sort(values, dim=1, descending=True, stable=True)
    check_equal(found, tuple(part[:, :5] for part in expected))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda a: a.sort(0).values, r"'aten.sort' .*sorts 3000 elements, and at most 2048 are"),
        (lambda a: a.topk(3, largest=False).values, r"'aten.topk' .*at most 2048 are; take"),
        (lambda a: a.cummax(0).values.repeat(9).cummax(0).values, r"'aten.cummax' .* pairs"),
        (lambda a: a[1:].as_strided((2, 2), (1, 2)), r"'aten.as_strided' .*call .contiguous\(\)"),
        (lambda a: torch.nonzero(a), r"'aten.nonzero' .*test_more_operators.* torch.where"),
        (lambda a: a[a > 0], r"its shape depends on values.* torch.where"),
        (lambda a: a + torch.rand(3000), r"'aten.rand' .*random.* pass it as an input"),
    ],
)
def test_what_is_refused_says_why(function: Any, message: str) -> None:
    with pytest.raises(UnsupportedOpError, match=message) as caught:
        _run(function, torch.ones(3000))
    assert re.search(r"test_more_operators.py:\d+ in <lambda>", str(caught.value))


@pytest.mark.parametrize(
    "function",
    [
        lambda n: torch.zeros(3).scatter(0, n, 1.0),
        lambda n: torch.zeros(3).index_put((n,), torch.ones(())),
        lambda n: torch.nn.functional.one_hot(n, 3),
    ],
)
@pytest.mark.parametrize("place", [3, -4])
def test_places_out_of_range_end_the_run(function: Any, place: int) -> None:
    with pytest.raises(ExecutionError, match="out of range"):
        _run(function, torch.tensor([place]))
