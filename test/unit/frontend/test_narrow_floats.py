"""float16 and bfloat16 are computed as float32 and come back in their dtype."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

import canao
from canao.errors import ShapeMismatchError

NARROW = (torch.float16, torch.bfloat16)
X, SOME = torch.randn(2, 7, 16, generator=torch.Generator().manual_seed(3)), 5


class Attention(nn.Module):
    """A block with an embedding, norms, and attention under a mask that is added."""

    positions: Tensor

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.projection = nn.Linear(16, 48)
        self.norm = nn.LayerNorm(16)
        self.scale = nn.RMSNorm(16)
        self.register_buffer("positions", torch.randn(7, 16) * 0.1)

    def forward(self, x: Tensor, mask: Tensor) -> dict[str, Tensor]:
        hidden = self.norm(x + self.positions)
        query, key, value = self.projection(hidden).chunk(3, -1)
        bias = (1 - mask)[:, None] * torch.finfo(x.dtype).min
        manual = torch.softmax(query @ key.transpose(-1, -2) / 4 + bias, -1) @ value
        fused = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        return {"manual": self.scale(manual), "fused": F.gelu(fused)}


def _mask(dtype: torch.dtype) -> Tensor:
    mask = torch.ones(2, 7, dtype=dtype)
    mask[1, SOME:] = 0
    return mask


def compiled_of(
    model: nn.Module, arguments: tuple[Any, ...], target: str = "c"
) -> canao.CompiledModel:
    options: dict[str, Any] = {"threads": 1} if target == "c" else {"target": target}
    return canao.compile(model.eval(), arguments, tune="off", **options)


@torch.no_grad()
def check_close(compiled: canao.CompiledModel, model: nn.Module, *arguments: Tensor) -> None:
    """Within a rounding of float32's result, and within some of the narrow one's."""
    found, narrow = tree_leaves(compiled(*arguments)), tree_leaves(model(*arguments))
    wide = copy.deepcopy(model).float()(*(a.float() for a in arguments))
    for got, same, exact in zip(found, narrow, tree_leaves(wide), strict=True):
        assert (got.dtype, got.shape) == (same.dtype, same.shape)
        epsilon = torch.finfo(got.dtype).eps
        size = exact.abs().max().item()
        assert (got.float() - exact).abs().max().item() <= epsilon * size
        assert (got.float() - same.float()).abs().max().item() <= 8 * epsilon * size


@pytest.mark.parametrize(
    ("dtype", "target"), [*((dtype, "c") for dtype in NARROW), (torch.bfloat16, "opencl")]
)
def test_models_of_narrow_floats(dtype: torch.dtype, target: str, tmp_path: Path) -> None:
    model, arguments = Attention().to(dtype), (X.to(dtype), _mask(dtype))
    compiled = compiled_of(model, arguments, target)
    check_close(compiled, model, *arguments)
    name = str(dtype).removeprefix("torch.")
    widened = compiled.report.widened
    assert {tensor.dtype for tensor in widened} == {name}
    assert [t.name for t in widened if t.kind == "input"] == ["x", "mask"]
    assert {t.name for t in widened if t.kind == "weight"} == set(model.state_dict())
    assert f"of {name} (x, mask)" in " ".join(str(compiled.report).split())
    compiled.save(tmp_path / "saved")
    loaded = canao.load(tmp_path / "saved")
    assert loaded.report.widened == widened
    check_close(loaded, model, *arguments)
    with torch.no_grad():
        model.positions.mul_(2)
    compiled.update_weights(model)
    check_close(compiled, model, *arguments)
    with pytest.raises(ShapeMismatchError, match=f"'mask' must have dtype {name}, got float32"):
        compiled(arguments[0], _mask(torch.float32))


class Mixed(nn.Module):
    """Casts to narrow floats and back, regions under autocast, and constants of each dtype."""

    table: Tensor

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.linear = nn.Linear(16, 16)
        self.register_buffer("table", torch.arange(160.0).reshape(10, 16).half())
        self.factor = torch.full((16,), 3.0).bfloat16()

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        scores = self.linear(x).half() + (1 - mask)[..., None] * torch.finfo(torch.float16).min
        weights = torch.softmax(scores, 1).float()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            low = self.linear(x)
            attended = F.scaled_dot_product_attention(low, low, low)
        small = torch.tensor([1.5, 2.5]).half() * x[0, 0, :2].half()
        large = (x.half() * 40000).float() * 1e-4
        return weights, low, attended, x.bfloat16() * self.factor, self.table[:2] + 1, small, large


@pytest.mark.parametrize("target", ["c", "opencl"])
def test_mixtures(target: str) -> None:
    model, arguments = Mixed().eval(), (X, _mask(torch.float16))
    compiled = compiled_of(model, arguments, target)
    found = compiled(*arguments)
    with torch.no_grad():
        expected = model(*arguments)
    for number, (got, want) in enumerate(zip(found, expected, strict=True)):
        assert (got.dtype, got.shape) == (want.dtype, want.shape), number
        # Halves overflow to infinity; what is computed as float32 stays finite.
        known = want.isfinite()
        assert got.isfinite().all(), number
        epsilon = 2.0**-6 if number in (1, 2, 3) else 2.0**-9
        error = (got.float() - want.float())[known].abs().max().item()
        assert error <= epsilon * want[known].abs().max().item(), number
    wide = {(tensor.kind, tensor.name) for tensor in compiled.report.widened}
    assert {("input", "mask"), ("weight", "table"), ("result", "output.1")} <= wide
    assert ("input", "x") not in wide
    assert any(kind == "value" for kind, _ in wide)


def test_numpy_halves_are_inputs() -> None:
    model, arguments = Attention().half(), (X.half(), _mask(torch.float16))
    compiled = compiled_of(model, arguments)
    got = compiled(*(a.numpy() for a in arguments))
    assert torch.equal(got["fused"], compiled(*arguments)["fused"])


def test_torch_compile_of_bfloat16() -> None:
    model, arguments = Attention().bfloat16().eval(), (X.bfloat16(), _mask(torch.bfloat16))
    options: dict[str, Any] = {"threads": 1, "tune": "off"}
    with torch.no_grad():
        got = torch.compile(model, backend="canao", options=options)(*arguments)
        want = model(*arguments)
    assert got["fused"].dtype == torch.bfloat16
    torch.testing.assert_close(got["fused"], want["fused"], rtol=0.03, atol=0.03)


def test_models_of_float32_say_nothing() -> None:
    compiled = compiled_of(nn.Linear(16, 4), (X,))
    assert compiled.report.widened == ()
    assert "widened" not in str(compiled.report)


@pytest.mark.parametrize("dtype", [*NARROW, torch.float32, torch.float64])
def test_default_epsilon_of_rms_norm(dtype: torch.dtype) -> None:
    """That of the type computed in: float32's for narrow floats, float64's own."""
    x = torch.full((1, 8), 2.0**-20 if dtype == torch.float64 else 2.0**-11, dtype=dtype)
    model = nn.RMSNorm(8, dtype=dtype)
    got, want = compiled_of(model, (x,))(x), model(x)
    torch.testing.assert_close(got, want.detach(), rtol=2 * torch.finfo(dtype).eps, atol=0)
