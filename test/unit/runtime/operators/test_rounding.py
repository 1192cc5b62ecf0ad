"""Laws and contraction change no decision; rounding and GELU are right for every float32."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import canao

WHOLE = torch.arange(4096.0)
INF, NAN = float("inf"), float("nan")
FAR = (2.0**63, -(2.0**63), 2.0**64, 1e30, -1e30)
SPECIAL = torch.tensor(
    [
        0.0,
        -0.0,
        INF,
        -INF,
        NAN,
        0.5,
        -0.5,
        1.5,
        2.5,
        -2.5,
        0.1,
        1.0,
        -3.0,
        8388607.5,
        4194303.5,
        *FAR,
    ]
)


class Apply(nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *arguments: Tensor) -> Any:
        return self.function(*arguments)


def compiled(
    path: Path,
    function: Callable[..., Any],
    *inputs: Tensor,
    fusion: Any = True,
    target: str = "c",
) -> Any:
    options: dict[str, Any] = {"threads": 1} if target == "c" else {"target": target}
    return canao.compile(
        Apply(function), inputs, tune="off", fusion=fusion, cache_dir=path, **options
    )


TARGETS = pytest.mark.parametrize("target", ["c", "opencl"])


DECIDING: dict[str, Callable[[Tensor], Tensor]] = {
    "floor": lambda x: (x / 41).floor(),
    "to integers": lambda x: (x / 41).to(torch.int64),
    "compare": lambda x: x / 41 >= torch.floor_divide(x, 41) + 1,
    "true division": lambda x: (x.to(torch.int64) / 41).floor(),
    "moved": lambda x: (x / 41).reshape(64, 64).t().amax(0).floor(),
    "two factors": lambda x: (x * 0.1 * 0.3).floor(),
    "distributed": lambda x: (x * 0.1 + x * 0.3).floor(),
    "contracted": lambda x: (x * 0.1 + 0.5).floor(),
    "contracted after a move": lambda x: ((x * 0.7).reshape(-1, 8) - torch.arange(8) * 0.1).floor(),
    "buckets": lambda x: (torch.log(x.clamp(min=1) / 16) / 2.0794415 * 16).to(torch.int64),
}


@TARGETS
@pytest.mark.parametrize("fusion", [True, False, "exact"])
def test_decisions_stay(tmp_path: Path, fusion: Any, target: str) -> None:
    def every(x: Tensor) -> list[Tensor]:
        return [function(x) for function in DECIDING.values()]

    model = compiled(tmp_path, every, WHOLE, fusion=fusion, target=target)
    for name, found, expected in zip(DECIDING, model(WHOLE), every(WHOLE), strict=True):
        assert torch.equal(found, expected), name
    assert not any(rewrite.changes_rounding for rewrite in model.report.rewrites)


EDGES: dict[str, Callable[[Tensor], Tensor]] = {
    "root": lambda d: d.sqrt(),
    "inverse root": lambda d: d.rsqrt(),
    "power": lambda d: d**0.25,
    "logarithms": lambda d: d.log() + d.log2() + d.log10() + (d - 1).log1p(),
    "angles": lambda d: (d + 1).acos() + (1 - d).asin() + (d + 1).acosh(),
    "pole of atanh": lambda d: (d - 1).atanh(),
    "turn": lambda d: torch.atan2(d, d - 1),
    "sign": lambda d: torch.copysign(d + 1, d),
    "pole": lambda d: 1 / d,
    "inverse": lambda d: d.reciprocal(),
}


@TARGETS
@pytest.mark.parametrize("fusion", [True, "exact"])
def test_differences_of_equal_products_are_zero(tmp_path: Path, fusion: Any, target: str) -> None:
    """A multiply-add leaves the rounding of one product: roots were NaN, signs negative."""

    def every(*pairs: Tensor) -> list[Tensor]:
        numbers = zip(pairs[::2], pairs[1::2], strict=True)
        return [edge(x * x - y * y) for edge, (x, y) in zip(EDGES.values(), numbers, strict=True)]

    x = torch.rand(64, generator=torch.Generator().manual_seed(1)) + 0.5
    pairs = [x.clone() for _ in range(2 * len(EDGES))]
    model = compiled(tmp_path, every, *pairs, fusion=fusion, target=target)
    for name, found, expected in zip(EDGES, model(*pairs), every(*pairs), strict=True):
        torch.testing.assert_close(found, expected, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize(
    "function", [lambda x: x / 41, lambda x: (x / 41).reshape(64, 64).sum(1).floor()]
)
def test_laws_are_used_where_nothing_decides(
    tmp_path: Path, function: Callable[[Tensor], Tensor]
) -> None:
    model = compiled(tmp_path, function, WHOLE)
    assert any(rewrite.changes_rounding for rewrite in model.report.rewrites)


@TARGETS
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rounding_and_quotients_are_those_of_pytorch(
    tmp_path: Path, dtype: torch.dtype, target: str
) -> None:
    a = SPECIAL.to(dtype).repeat_interleave(len(SPECIAL))
    b = SPECIAL.to(dtype).repeat(len(SPECIAL))

    def every(a: Tensor, b: Tensor) -> list[Tensor]:
        unary = [a.floor(), a.ceil(), a.trunc(), a.round(), a.round(decimals=-2)]
        modes = [torch.div(a, b, rounding_mode=mode) for mode in ("floor", "trunc")]
        return [*unary, *modes, a // b, a // 0.1, a // 1]

    model = compiled(tmp_path, every, a, b, target=target)
    for n, (found, expected) in enumerate(zip(model(a, b), every(a, b), strict=True)):
        torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True, msg=str(n))
        known = ~expected.isnan()
        assert torch.equal(found.signbit()[known], expected.signbit()[known]), n


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_digits_after_rounding_are_those_of_pytorch(tmp_path: Path, dtype: torch.dtype) -> None:
    """A number rounded to decimals is the one nearest to what they say: 2.1, no neighbour."""
    generator = torch.Generator().manual_seed(5)
    sizes = torch.tensor([1e-3, 1, 100, 1e6, 1e36], dtype=dtype)
    spread = torch.randn(5, 800, generator=generator, dtype=dtype) * sizes[:, None]
    x = torch.cat([spread.reshape(-1), SPECIAL.to(dtype)])

    def every(x: Tensor) -> list[Tensor]:
        decimals = (1, 2, 3, 7, 20, 38, 39, 400, -1, -2, -5, -39, -400)
        return [*(torch.round(x, decimals=n) for n in decimals), x.floor() / 10]

    model = compiled(tmp_path, every, x)
    for n, (found, expected) in enumerate(zip(model(x), every(x), strict=True)):
        torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True, msg=str(n))


@TARGETS
def test_remainders_are_exact(tmp_path: Path, target: str) -> None:
    """In float32 PyTorch's vectors give NaN where the quotient overflows: float64 is compared."""
    a, b = SPECIAL.repeat_interleave(len(SPECIAL)), SPECIAL.repeat(len(SPECIAL))
    found = compiled(tmp_path, torch.fmod, a, b, target=target)(a, b)
    expected = torch.fmod(a.double(), b.double()).float()
    torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)


@TARGETS
@pytest.mark.parametrize("fusion", [True, "exact"])
def test_gelu_vanishes_for_large_negative_numbers(tmp_path: Path, fusion: Any, target: str) -> None:
    def both(x: Tensor) -> list[Tensor]:
        return [F.gelu(x, approximate=kind) for kind in ("none", "tanh")]

    x = -torch.logspace(0.76, 38, 1001)
    for found in compiled(tmp_path, both, x, fusion=fusion, target=target)(x):
        assert found.abs().max() < 1e-6
        assert (found[x < -6] == 0).all()
