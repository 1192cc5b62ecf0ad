"""Integer division: by zero it is an error, and the least integer has a quotient by -1."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from unit.frontend.operators.oracle import run
from unit.lowering.opencl_support import model_of
from unit.lowering.road import lower_in_levels

import canao
from canao.errors import ExecutionError, FailedCheckError
from canao.frontend.imported import parse_mlir
from canao.frontend.torch_import import import_model
from canao.interpreters.canao import evaluate

LEAST = -(2**63)
QUOTIENT = """
func.func @main(%a: tensor<19xi64>, %b: tensor<19xi64>) -> tensor<19xi64> {
  %q = canao.div %a, %b : (tensor<19xi64>, tensor<19xi64>) -> tensor<19xi64>
  func.return %q : tensor<19xi64>
}"""
CONSTANT = """
func.func @main(%a: tensor<19xi64>) -> tensor<19xi64> {
  %b = canao.constant dense<-3> : tensor<i64>
  %q = canao.div %a, %b : (tensor<19xi64>, tensor<i64>) -> tensor<19xi64>
  func.return %q : tensor<19xi64>
}"""
BY_ZERO = "integer division by zero"


class Called(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.function(a, b)


DIVISIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "floor": lambda a, b: a // b,
    "trunc": lambda a, b: torch.div(a, b, rounding_mode="trunc"),
    "remainder": lambda a, b: a % b,
    "remainder of a sum": lambda a, b: a % (b + 1),
}


@pytest.mark.parametrize("target", ["c", "opencl"])
def test_division_by_zero_is_an_error(tmp_path: Path, target: str) -> None:
    a, b = torch.arange(-9, 10), torch.arange(1, 20)
    for name, function in DIVISIONS.items():
        module = Called(function)
        threads = 1 if target == "c" else None
        model = canao.compile(
            module, (a, b), target=target, threads=threads, tune="off", cache_dir=tmp_path
        )
        assert torch.equal(model(a, b), function(a, b))
        bad = b.clone()
        bad[17] = -1 if name == "remainder of a sum" else 0
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            function(a, bad)
        with pytest.raises(FailedCheckError, match=BY_ZERO):
            model(a, bad)
        with pytest.raises(ExecutionError, match=BY_ZERO):
            run(import_model(module, (a, b)), a, bad)
        assert torch.equal(model(a, b), function(a, b))


@pytest.mark.parametrize("target", ["c", "opencl"])
def test_the_least_integer_by_minus_one(target: str) -> None:
    a = np.array([LEAST, LEAST, LEAST + 1, 7, -7] + [1] * 14)
    b = np.array([-1, 2, -1, -1, 2] + [1] * 14)
    expected = np.array([LEAST, LEAST // 2, 2**63 - 1, -7, -3] + [1] * 14)
    module = parse_mlir(QUOTIENT)
    np.testing.assert_array_equal(evaluate(module, [a, b], {})[0], expected)
    road = lower_in_levels(module, fusion=True, threads=1, unit="avx2", device=model_of(target))
    for level in road.levels:
        np.testing.assert_array_equal(level.evaluate([a, b], {})[0], expected)
        with pytest.raises(ExecutionError, match=BY_ZERO):
            level.evaluate([a, 0 * b], {})


@pytest.mark.parametrize("target", ["c", "opencl"])
def test_the_least_integer_by_minus_one_runs(tmp_path: Path, target: str) -> None:
    a, b = torch.tensor([LEAST, LEAST, 5]), torch.tensor([-1, 2, -1])
    for name in ("floor", "remainder"):
        function = DIVISIONS[name]
        threads = 1 if target == "c" else None
        model = canao.compile(
            Called(function), (a, b), target=target, threads=threads, tune="off", cache_dir=tmp_path
        )
        assert torch.equal(model(a, b), function(a, b))


def test_a_known_divisor_is_not_checked(tmp_path: Path) -> None:
    """What is known not to be zero costs nothing."""
    for text, checked in ((QUOTIENT, True), (CONSTANT, False)):
        model = canao.compile(text, None, threads=1, tune="off", cache_dir=tmp_path)
        assert (BY_ZERO in model.source) == checked


def test_examples_are_what_the_first_run_sees(tmp_path: Path) -> None:
    """Zeros would divide by zero, and the rows that they count from would be out of range."""
    table = nn.Embedding(5, 4)
    modules = (Called(lambda a, n: a % n), Called(lambda a, n: table(n - 1000) + a[0]))
    for module in modules:
        given = (torch.arange(3), torch.tensor([1001, 1000, 1004]))
        model = canao.compile(module, given, threads=1, tune="off", cache_dir=tmp_path)
        assert torch.equal(model(*given), module(*given))


def test_a_failed_check_refuses_no_model(tmp_path: Path) -> None:
    """Not even where the examples fail it: other inputs need not."""
    text = QUOTIENT.replace("19", "3")
    a, zeros = torch.arange(3), torch.zeros(3, dtype=torch.int64)
    model = canao.compile(text, (a, zeros), threads=1, tune="off", cache_dir=tmp_path)
    assert torch.equal(model(a, torch.ones_like(a)), a)
    tuned = canao.compile(text, (a, zeros + 1), threads=1, tune="default", cache_dir=tmp_path)
    assert torch.equal(tuned(a, torch.ones_like(a)), a)
    with pytest.raises(FailedCheckError, match=BY_ZERO):
        tuned(a, zeros)
