"""Tensors without elements: every size of 0, 1, 2 and 3 in every place, as in PyTorch."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import canao
from canao.errors import UnsupportedModelError, UnsupportedOpError, VerificationError

Values = tuple[Any, ...]


class Function(nn.Module):
    """A function of tensors, perhaps with modules before them."""

    def __init__(self, function: Callable[..., Any], *parts: nn.Module) -> None:
        super().__init__()
        self.function = function
        self.parts = nn.ModuleList(parts)

    def forward(self, *given: Tensor) -> Any:
        return self.function(*self.parts, *given)


def compiled(model: nn.Module, given: Values, **options: Any) -> canao.CompiledModel:
    options = {"threads": 1, **options} if "target" not in options else options
    return canao.compile(model.eval(), given, tune="off", **options)


def check(model: nn.Module, given: Values, **options: Any) -> None:
    with torch.no_grad():
        expected = model.eval()(*given)
    found = compiled(model, given, **options)(*given)
    torch.testing.assert_close(found, expected, equal_nan=True)


def reductions(x: Tensor) -> Values:
    one = (x.sum(0), x.mean(1), x.var(2), x.std(0, unbiased=False), x.norm(dim=1), x.any(2))
    return (*one, x.all(0), x.sum(), x.mean(), x.mean((0, 2)), x.logsumexp(1), x.cumsum(0))


def normalisations(x: Tensor) -> Values:
    return (x.softmax(0), x.softmax(-1), x.log_softmax(1), F.layer_norm(x, x.shape[1:]), F.gelu(x))


def moves(x: Tensor) -> Values:
    parts = (*x.split(2, 0), *x.chunk(2, 1), *x.unbind(2), x[1:], x[:, :0], x.narrow(0, 0, 0))
    padded = F.pad(x, (0, 1, 1, 0)), x.repeat(2, 0, 1), x.expand(2, *x.shape), x.flatten(1)
    joined = torch.cat([x, x, x[:, :0]], 1), torch.stack([x, x], 1), torch.cat([x[:0], x]).sum(0)
    return (*parts, *padded, *joined, x.transpose(0, 2), x.permute(1, 2, 0).reshape(-1))


def elementwise(x: Tensor) -> Values:
    row = x.sum(0, keepdim=True)
    return (x + row, (x * row).sum(0), x > 0, torch.where(x > 0, x, row), x.to(torch.int64), -x)


def products(x: Tensor) -> Values:
    y = x.transpose(1, 2)
    attention = F.scaled_dot_product_attention(x, x, x)
    # Of a head without width PyTorch makes NaN or the mean of the values, as its kernels go.
    return (x @ y, y @ x + 1, (x @ y).relu() @ x, attention if x.shape[2] else x)


def lookups(x: Tensor) -> Values:
    none = torch.zeros(0, dtype=torch.int64)
    return (x[none], x.index_select(1, none), x[:, none, none], x.gather(0, none.reshape(0, 1, 1)))


GROUPS = (reductions, normalisations, moves, elementwise, products, lookups)


def check_sizes(sizes: tuple[int, int, int], groups: Values = GROUPS) -> None:
    """All operations of some groups at once: one compilation is quicker than many."""
    x = torch.linspace(-1, 2, int(np.prod(sizes))).reshape(sizes)
    check(Function(lambda x: [group(x) for group in groups]), (x,))


EXTENTS = st.sampled_from((0, 1, 2, 3))


@settings(max_examples=5, deadline=None)
@given(sizes=st.tuples(EXTENTS, EXTENTS, EXTENTS))
def test_sizes(sizes: tuple[int, int, int]) -> None:
    check_sizes(sizes)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("sizes", product(range(4), repeat=3), ids=str)
def test_all_sizes(sizes: tuple[int, int, int]) -> None:
    check_sizes(sizes)


@pytest.mark.parametrize(("rows", "ins", "outs"), [(0, 3, 2), (2, 0, 3), (3, 2, 0), (0, 0, 0)])
def test_layers(rows: int, ins: int, outs: int) -> None:
    """A linear layer, a table and a norm of those widths, fused and not."""
    linear, table, norm = nn.Linear(ins, outs), nn.Embedding(4, outs), nn.LayerNorm(outs)

    def function(linear: nn.Module, table: nn.Module, norm: nn.Module, *given: Tensor) -> Values:
        x, ids = given
        return linear(x), norm(linear(x) + table(ids)), linear(x).sum(0)

    given = torch.ones(rows, ins), torch.zeros(rows, dtype=torch.int64)
    for fusion in (True, False):
        check(Function(function, linear, table, norm), given, fusion=fusion)


class Encoder(nn.Module):
    """A block of BERT whose shapes are written out: Hugging Face's refuses an empty batch."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.places = nn.Embedding(30, 8), nn.Embedding(6, 8)
        self.query, self.key, self.value = (nn.Linear(8, 8) for _ in range(3))
        self.up, self.down, self.norm = nn.Linear(8, 16), nn.Linear(16, 8), nn.LayerNorm(8)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        batch, length = ids.shape
        x = self.norm(self.table(ids) + self.places(torch.arange(length)))
        heads = [
            part(x).reshape(batch, length, 2, 4).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        ]
        seen = F.scaled_dot_product_attention(*heads, attn_mask=mask[:, None, None, :] > 0)
        x = self.norm(x + seen.transpose(1, 2).reshape(batch, length, 8))
        return self.norm(x + self.down(F.gelu(self.up(x))))[:, 0]


@pytest.mark.parametrize("batch", [0, 2])
def test_encoder(batch: int) -> None:
    ids = torch.zeros(batch, 5, dtype=torch.int64)
    check(Encoder(), (ids, torch.ones_like(ids)))


@pytest.mark.parametrize(
    "function",
    [lambda x: x.max(), lambda x: x.argmin(), lambda x: x.amax(0), lambda x: x.max(0)[0]],
    ids=["max", "argmin", "amax", "max-along"],
)
def test_no_largest_of_nothing(function: Callable[[Tensor], Any]) -> None:
    with pytest.raises((UnsupportedOpError, UnsupportedModelError)) as caught:
        compiled(Function(function), (torch.zeros(0, 3),))
    # torch.export may refuse it before canao does.
    told = ("no largest or least element", "zero-size", "input.numel() == 0")
    assert any(part in str(caught.value) for part in told)


@pytest.mark.parametrize(
    "function", [lambda x, n: F.embedding(n, x), lambda x, n: x[n]], ids=["embedding", "index"]
)
def test_table_without_rows(function: Callable[..., Any]) -> None:
    given = torch.zeros(0, 3), torch.zeros(2, dtype=torch.int64)
    with pytest.raises(VerificationError, match=r"\(0, 3\) has nothing to look up"):
        compiled(Function(function), given)


def nothing_and_more(x: Tensor, y: Tensor) -> Values:
    return (x * 2, y + x.sum(0), x.mean(0))


GIVEN = torch.zeros(0, 3), torch.ones(2, 3)


def test_saved_measured_and_exported(tmp_path: Path) -> None:
    model = Function(nothing_and_more)
    found = compiled(model, GIVEN)
    found.save(tmp_path / "saved")
    loaded = canao.load(tmp_path / "saved")
    torch.testing.assert_close(loaded(*GIVEN), model(*GIVEN), equal_nan=True)
    assert found.report.fallbacks == 0
    assert found.measure(runs=2, warmup=1).median >= 0
    out = found.export(tmp_path / "exported")
    subprocess.run(["make", "-s"], cwd=out, check=True)
    for name, array in zip("xy", GIVEN, strict=True):
        array.numpy().tofile(out / name)
    outputs = ["a", "b", "c"]
    subprocess.run(["./model", "x", "y", *outputs], cwd=out, check=True)
    shapes = [spec["shape"] for spec in json.loads((out / "metadata.json").read_text())["outputs"]]
    for name, shape, expected in zip(outputs, shapes, model(*GIVEN), strict=True):
        array = np.fromfile(out / name, np.float32).reshape(shape)
        np.testing.assert_array_equal(array, expected.numpy())


@pytest.mark.parametrize("threads", [1, 2])
def test_nothing_to_compute_at_all(threads: int) -> None:
    found = compiled(Function(lambda x: x + 1), (GIVEN[0],), threads=threads)
    assert found(GIVEN[0]).shape == (0, 3)
    assert found.report.layers_after == 0
    assert "0 layers" in repr(found)


def test_opencl() -> None:
    target = canao.Target.opencl("cpu")
    check(Function(nothing_and_more), GIVEN, target=target)
    check(Function(lambda x: x + 1), (GIVEN[0],), target=target)
    for sizes in ((2, 0, 3), (3, 2, 0)):
        x = torch.linspace(-1, 2, int(np.prod(sizes))).reshape(sizes)
        every = Function(lambda x: [group(x) for group in GROUPS])
        check(every, (x,), target=target)
    ids = torch.zeros(0, 5, dtype=torch.int64)
    check(Encoder(), (ids, torch.ones_like(ids)), target=target)
