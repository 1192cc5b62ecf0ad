"""Compiled functions are as accurate as documented, over the whole range of their arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from unit.operations.errors_of_functions import IMPORTANT, OTHERS, Bound

import canao
from canao.errors import ToolchainError
from canao.machine.target import Target

BINADES = 15
"""How many are computed at once: a divisor of those of float32, which are 255 of either sign."""

_PAGE = Path(__file__).resolve().parents[3] / "docs" / "math.md"


class Functions(nn.Module):
    """Several functions of one number."""

    def __init__(self, functions: Mapping[str, Callable[[Tensor], Tensor]]) -> None:
        super().__init__()
        self.functions = functions

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {name: function(x) for name, function in self.functions.items()}


def _arguments(points: int) -> Iterator[Tensor]:
    """Random numbers of every binade of both signs, subnormal ones too, and its first and last."""
    random = np.random.default_rng(0)
    for first in range(0, 2 * 255, BINADES):
        # From sign and exponent: the numbers 0 to 254, and 256 to 510.
        heads = np.arange(first, first + BINADES, dtype=np.uint32)
        heads = (heads + heads // 255) << np.uint32(23)
        fractions = random.integers(0, 2**23, (BINADES, points), dtype=np.uint32)
        fractions[:, 0], fractions[:, -1] = 0, 2**23 - 1
        yield torch.from_numpy((heads[:, None] | fractions).view(np.float32))


def _check(bounds: Mapping[str, Bound], points: int, target: Target, cache: Path) -> None:
    model = Functions({name: bound.function for name, bound in bounds.items()})
    example = (torch.ones(BINADES, points),)
    compiled = canao.compile(model, example, target=target, threads=1, tune="off", cache_dir=cache)
    for x in _arguments(points):
        found = compiled(x)
        for name, bound in bounds.items():
            bound.check(name, x, found[name])


def test_arguments_are_of_every_binade() -> None:
    x = torch.cat([*_arguments(4)])
    assert x.isfinite().all()
    assert len(np.unique(x.numpy().view(np.uint32) >> 23)) == 2 * 255


def test_errors_of_important_functions(tmp_path: Path) -> None:
    _check(IMPORTANT, 300, Target.host(), tmp_path)


def _targets() -> list[Target]:
    """This machine, and it with each kind of narrower vectors that it has."""
    targets = [Target.host()]
    for vectors in ("sse", "avx2", "avx512"):
        with suppress(ToolchainError):
            targets.append(Target.host(vectors))
    return targets


@pytest.mark.slow
@pytest.mark.parametrize("target", _targets(), ids=lambda target: target.vector_unit.name)
def test_errors_of_all_functions(target: Target, tmp_path: Path) -> None:
    _check({**IMPORTANT, **OTHERS}, 10_000, target, tmp_path)


@pytest.mark.parametrize("name", ["exp", "gelu", "rsqrt"])
def test_an_error_beyond_its_bound_is_found(name: str) -> None:
    bound = IMPORTANT[name]
    x = torch.linspace(0.5, 2, 1000)
    exact = bound.exact(x.double()).float()
    bound.check(name, x, exact)
    with pytest.raises(AssertionError):
        bound.check(name, x, exact * (1 + 4 * bound.relative))
    with pytest.raises(AssertionError):
        bound.check(name, x, exact.index_fill(0, torch.tensor([3]), float("nan")))


def test_bounds_are_documented() -> None:
    rows: dict[str, list[str]] = {}
    for line in _PAGE.read_text().splitlines():
        cells = [cell.strip(" `") for cell in line.strip("|").split("|")]
        if len(cells) == 6:
            rows[cells[0]] = cells[1:4]
    for name, bound in {**IMPORTANT, **OTHERS}.items():
        relative, ulp, tail = rows[name]
        assert (float(relative), float(ulp)) == (bound.relative, bound.ulp), name
        stated = re.fullmatch(r"(\S+) of x below (\S+)", tail)
        tails = (float(stated[1]), float(stated[2])) if stated else (0.0, -inf)
        assert tails == (bound.tail, bound.low), name


@dataclass(frozen=True)
class Double:
    """A function of float64, its exact result, and the arguments whose results are normal."""

    function: Callable[[Tensor], Tensor]
    exact: Callable[[Any], Any]
    low: float = -inf
    high: float = inf


def _double(name: str, low: float = -inf, high: float = inf) -> Double:
    return Double(getattr(torch, name), getattr(mpmath, name), low, high)


DOUBLES: dict[str, Double] = {
    "exp": _double("exp", -708, 709),
    "erf": _double("erf"),
    "tanh": _double("tanh"),
    "log": _double("log", 0),
    "sigmoid": Double(torch.sigmoid, lambda x: 1 / (1 + mpmath.exp(-x)), -708, 709),
    "rsqrt": Double(torch.rsqrt, lambda x: 1 / mpmath.sqrt(x), 0),
    "sqrt": _double("sqrt", 0),
    "log1p": _double("log1p", -1),
    "expm1": _double("expm1", -708, 709),
    "exp2": Double(torch.exp2, lambda x: mpmath.power(2, x), -1022, 1023),
    "log2": Double(torch.log2, lambda x: mpmath.log(x, 2), 0),
    "log10": _double("log10", 0),
    "sin": _double("sin"),
    "cos": _double("cos"),
    "tan": _double("tan"),
    "asin": _double("asin", -1, 1),
    "acos": _double("acos", -1, 1),
    "atan": _double("atan"),
    "sinh": _double("sinh", -709, 709),
    "cosh": _double("cosh", -709, 709),
    "asinh": _double("asinh"),
    "acosh": _double("acosh", 1),
    "atanh": _double("atanh", -1, 1),
}

_DOUBLE_ULP = 2.0


def _doubles(step: int) -> Tensor:
    """Normal numbers of both signs, of some binades and of all near 1."""
    random = np.random.default_rng(0)
    binades = np.unique([*range(1, 2047, step), *range(1000, 1036)]).astype(np.uint64)
    fractions = random.integers(0, 2**52, (2, len(binades), 4), dtype=np.uint64)
    signs = np.array([0, 1], np.uint64)[:, None, None] << np.uint64(63)
    bits = signs | (binades[None, :, None] << np.uint64(52)) | fractions
    return torch.from_numpy(bits.view(np.float64).reshape(-1))


@pytest.mark.parametrize("step", [64, pytest.param(2, marks=pytest.mark.slow)])
def test_errors_of_float64(step: int, tmp_path: Path) -> None:
    x = _doubles(step)
    model = Functions({name: double.function for name, double in DOUBLES.items()})
    found = canao.compile(model, (x,), threads=1, tune="off", cache_dir=tmp_path)(x)
    with mpmath.workprec(160):
        for name, double in DOUBLES.items():
            inside = (x > double.low) & (x < double.high)
            for argument, got in zip(x[inside].tolist(), found[name][inside].tolist(), strict=True):
                exact = double.exact(mpmath.mpf(argument))
                error = float(abs(mpmath.mpf(got) - exact)) / np.spacing(abs(float(exact)))
                assert error <= _DOUBLE_ULP, (name, argument, got, error)
