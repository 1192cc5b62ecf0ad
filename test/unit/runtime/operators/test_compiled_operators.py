"""Compiled C and OpenCL compute what PyTorch does, for operators of every kind."""

from __future__ import annotations

import pytest
import torch
from torch.utils._pytree import tree_leaves
from unit.frontend.operators.more_operators import GROUPS, TINY
from unit.frontend.operators.operator_support import Case, Group
from unit.frontend.operators.oracle import check_equal

import canao


def _check(cases: list[Case], target: str) -> None:
    arguments = ({case.name: case.arguments for case in cases},)
    threads = 1 if target == "c" else None
    model = canao.compile(Group(cases), arguments, target=target, threads=threads, tune="off")
    found = model(*arguments)
    with torch.no_grad():
        for case in cases:
            check_equal(found[case.name], case.function(*case.arguments), case.name)


@pytest.mark.parametrize("group", GROUPS)
def test_in_c(group: str) -> None:
    _check(GROUPS[group], "c")


def test_functions_on_an_opencl_device() -> None:
    _check(GROUPS["functions"], "opencl")


def test_functions_of_tiny_numbers_keep_their_digits() -> None:
    class Tiny(torch.nn.Module):
        def forward(self, a: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return a.log1p(), a.expm1(), a.asinh(), a.sinh(), a.atan()

    wide = TINY.repeat(5)
    found = canao.compile(Tiny(), (wide,), threads=1, tune="off")(wide)
    for got, exact in zip(found, tree_leaves(Tiny()(wide.double())), strict=True):
        torch.testing.assert_close(got.double(), exact, rtol=5e-7, atol=0)
