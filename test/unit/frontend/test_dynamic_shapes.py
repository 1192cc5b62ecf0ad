"""Dimensions that vary from call to call: what callers say, what is checked, what is kept."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from torch.export import Dim

import canao
from canao import AutoShapes, CanaoError, ShapeMismatchError, UnsupportedModelError
from canao.frontend.tracing.dynamic_shapes import asked_shapes


class Pool(nn.Module):
    """Means over a dimension that varies, beside what does not."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.dense = nn.Linear(6, 10)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and largest of the rows, and the rows that the mask keeps."""
        rows = torch.tanh(self.dense(x))
        kept = rows * mask.unsqueeze(-1).float()
        return kept.mean(dim=1), kept


def _example(batch: int = 2, rows: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(batch * 100 + rows)
    mask = torch.randint(0, 2, (batch, rows), generator=generator)
    return torch.randn(batch, rows, 6, generator=generator), mask


def _dims(low: int = 1, high: int = 40) -> tuple[dict[int, Any], dict[int, Any]]:
    batch, rows = Dim("batch", min=1, max=4), Dim("rows", min=low, max=high)
    return {0: batch, 1: rows}, {0: batch, 1: rows}


@pytest.fixture(scope="module", params=["c", "opencl"])
def pooled(request: pytest.FixtureRequest) -> canao.CompiledModel:
    """`Pool` for 1 to 4 batches of 1 to 40 rows."""
    threads = 2 if request.param == "c" else None
    return canao.compile(
        Pool(),
        _example(1, 5),
        target=request.param,
        tune="off",
        dynamic_shapes=_dims(),
        threads=threads,
    )


def test_threads_call_with_sizes_of_their_own(pooled: canao.CompiledModel) -> None:
    """Each call has rooms to itself, and results stay when others follow."""
    sizes = [(1 + n % 4, 1 + 7 * n % 40) for n in range(24)]
    inputs = [_example(*each) for each in sizes]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda each: pooled(*each), inputs))
    for mine, given in zip(found, inputs, strict=True):
        for result, wanted in zip(mine, Pool()(*given), strict=True):
            torch.testing.assert_close(result, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("batch", "rows"), [(1, 1), (1, 5), (2, 16), (3, 17), (4, 39), (4, 40)])
def test_every_size(pooled: canao.CompiledModel, batch: int, rows: int) -> None:
    inputs = _example(batch, rows)
    for found, wanted in zip(pooled(*inputs), Pool()(*inputs), strict=True):
        assert found.shape == wanted.shape
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((5, 3, 6), (5, 3)), "dimension 0 of 'x' is 5, and must be from 1 to 4"),
        (((1, 41, 6), (1, 41)), "dimension 1 of 'x' is 41, and must be from 1 to 40"),
        (((1, 0, 6), (1, 0)), "dimension 1 of 'x' is 0, and must be from 1 to 40"),
        (((2, 3, 6), (2, 4)), "dimension 1 of 'mask' is 4, but dimension 1 of 'x' makes 'rows' 3"),
        (((2, 3, 7), (2, 3)), r"input 'x' must have shape \(batch, rows, 6\), got \(2, 3, 7\)"),
        (((2, 3), (2, 3)), r"input 'x' must have shape \(batch, rows, 6\), got \(2, 3\)"),
    ],
)
def test_sizes_that_do_not_fit(
    pooled: canao.CompiledModel, shapes: tuple[tuple[int, ...], ...], message: str
) -> None:
    x, mask = torch.zeros(shapes[0]), torch.zeros(shapes[1], dtype=torch.int64)
    with pytest.raises(ShapeMismatchError, match=message):
        pooled(x, mask)


def test_saved_and_copied(pooled: canao.CompiledModel, tmp_path: Path) -> None:
    inputs = _example(3, 11)
    wanted = pooled(*inputs)
    for other in (canao.load(pooled.save(tmp_path / "model")), copy.deepcopy(pooled)):
        for found, expected in zip(other(*inputs), wanted, strict=True):
            assert torch.equal(found, expected)
        other.close()


def test_rates_are_those_of_the_example(pooled: canao.CompiledModel) -> None:
    flops = pooled.report.flops
    assert 2 * 5 * 6 * 10 <= flops < 4 * 5 * 6 * 10
    assert all(0 <= kernel.peak_fraction < 2 for kernel in pooled.report.kernels)


def test_fixed_models_say_how_to_vary() -> None:
    compiled = canao.compile(nn.Linear(3, 2), (torch.zeros(2, 3),), tune="off")
    with pytest.raises(ShapeMismatchError, match=r"got \(4, 3\).*dynamic_shapes='auto'"):
        compiled(torch.zeros(4, 3))


def test_automatic() -> None:
    compiled = canao.compile(
        Pool(), _example(1, 5), tune="off", dynamic_shapes=AutoShapes(batch=3, sequence=20)
    )
    ranges = [(s.name, s.low, s.high) for s in compiled.program.symbols]
    assert ranges == [("batch", 1, 3), ("sequence", 1, 20)]
    inputs = _example(3, 20)
    torch.testing.assert_close(compiled(*inputs), Pool()(*inputs), rtol=1e-5, atol=1e-6)


class Long(Pool):
    """With a limit of positions, as models of transformers have it."""

    def __init__(self) -> None:
        super().__init__()
        self.config: Any = SimpleNamespace(max_position_embeddings=4096)


class Pick(nn.Module):
    """A row of what varies."""

    def forward(self, x: torch.Tensor, number: torch.Tensor) -> torch.Tensor:
        """The row of that number, doubled."""
        return x.index_select(0, number) * 2


class Scaled(nn.Module):
    """Sums over two dimensions that vary."""

    def forward(self, x: torch.Tensor, factor: int, y: torch.Tensor) -> torch.Tensor:
        """Both sums; the first one a number of times."""
        return x.sum(dim=1) * factor + y.sum(dim=1)


@pytest.mark.parametrize("target", ["c", "opencl"])
def test_one_row_is_looked_up_in_what_varies(target: str) -> None:
    pick, example = Pick().eval(), (torch.randn(5, 6), torch.tensor([0]))
    shapes = ({0: Dim("rows", min=1, max=40)}, None)
    compiled = canao.compile(pick, example, target=target, tune="off", dynamic_shapes=shapes)
    for rows in (1, 7, 40):
        x = torch.randn(rows, 6)
        for number in (0, rows - 1):
            index = torch.tensor([number])
            torch.testing.assert_close(compiled(x, index), pick(x, index))
        with pytest.raises(canao.FailedCheckError, match="out of range"):
            compiled(x, torch.tensor([rows]))


def test_constants_among_the_arguments_name_no_dimension() -> None:
    scaled, example = Scaled().eval(), {"x": torch.randn(2, 5), "factor": 3, "y": torch.randn(2, 4)}
    left, right = Dim("left", min=1, max=9), Dim("right", min=1, max=9)
    shapes = {"x": {1: left}, "factor": None, "y": {1: right}}
    compiled = canao.compile(scaled, example, tune="off", threads=1, dynamic_shapes=shapes)
    assert [str(leaf.shape[1]) for leaf in compiled.convention.inputs] == ["left", "right"]


def test_calls_in_place(pooled: canao.CompiledModel) -> None:
    call = pooled.sized_call()
    for batch, rows in ((1, 1), (3, 17), (4, 40), (2, 5)):
        x, mask = _example(batch, rows)
        call.inputs["x"][:batch, :rows] = x.numpy()
        call.inputs["mask"][:batch, :rows] = mask.numpy()
        sizes = {"batch": batch, "rows": rows}
        call.run(sizes)
        shapes = call.shapes(sizes)
        found = [r[tuple(map(slice, s))] for r, s in zip(call.results, shapes, strict=True)]
        for one, other in zip(found, pooled(x, mask), strict=True):
            assert (one == other.numpy()).all()


def test_fixed_models_are_not_called_in_place() -> None:
    compiled = canao.compile(torch.nn.Linear(2, 2).eval(), (torch.ones(1, 2),), tune="off")
    with pytest.raises(UnsupportedModelError, match="do not vary"):
        compiled.sized_call()


def test_long_sequences_come_in_small_batches() -> None:
    model = Long()
    found = asked_shapes(model, _example(1, 5), {}, "auto")
    assert found["x"][0].max == 4
    assert found["x"][1].max == 4096


def test_a_batch_of_one_does_not_vary() -> None:
    compiled = canao.compile(
        Pool(), _example(1, 5), tune="off", dynamic_shapes=AutoShapes(batch=1, sequence=20)
    )
    assert [s.name for s in compiled.program.symbols] == ["sequence"]
    inputs = _example(1, 13)
    torch.testing.assert_close(compiled(*inputs), Pool()(*inputs), rtol=1e-5, atol=1e-6)


def test_exported_programs_bring_their_own() -> None:
    program = torch.export.export(Pool(), _example(), dynamic_shapes=_dims())
    compiled = canao.compile(program, None, tune="off")
    inputs = _example(4, 9)
    torch.testing.assert_close(compiled(*inputs), Pool()(*inputs), rtol=1e-5, atol=1e-6)
    with pytest.raises(UnsupportedModelError, match="leave dynamic_shapes out"):
        canao.compile(program, None, tune="off", dynamic_shapes="auto")


class Derived(nn.Module):
    """Two inputs, one of which is one longer than the other."""

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """The sum of what both have."""
        return x[:, 1:] + y


def test_the_first_row_of_what_varies_is_tuned_around(tmp_path: Path) -> None:
    """A pooler's layer has fixed lengths, and an input whose length is not known."""

    class First(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.rows, self.pooler = nn.Linear(64, 256), nn.Linear(256, 256)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            rows = torch.tanh(self.rows(x))
            return rows, torch.tanh(self.pooler(rows[:, 0]))

    model = First().eval()
    x = torch.randn(1, 9, 64)
    dims = ({1: Dim("rows", min=1, max=64)},)
    compiled = canao.compile(model, (x,), threads=1, dynamic_shapes=dims, cache_dir=tmp_path)
    for rows in (1, 9, 64):
        x = torch.randn(1, rows, 64)
        for found, wanted in zip(compiled(x), model(x), strict=True):
            torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def test_derived_dimensions() -> None:
    rows = Dim("rows", min=1, max=30)
    compiled = canao.compile(
        Derived(),
        (torch.randn(2, 6), torch.randn(2, 5)),
        tune="off",
        dynamic_shapes=({1: rows + 1}, {1: rows}),
    )
    x, y = torch.randn(2, 18), torch.randn(2, 17)
    torch.testing.assert_close(compiled(x, y), Derived()(x, y))
    with pytest.raises(ShapeMismatchError, match="give inputs of one size"):
        compiled(x, torch.randn(2, 18))


class Last(nn.Module):
    """What ends where only the run knows."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Each row beside the next one, zeros behind the last."""
        return torch.cat([x, nn.functional.pad(x[:, 1:], (0, 0, 0, 1))], dim=2)


@pytest.mark.parametrize("rows", [1, 2, 7, 16])
def test_padding_behind(rows: int) -> None:
    compiled = canao.compile(
        Last(),
        (torch.randn(2, 5, 3),),
        tune="off",
        dynamic_shapes=({1: Dim("rows", min=1, max=16)},),
    )
    x = torch.randn(2, rows, 3)
    torch.testing.assert_close(compiled(x), Last()(x))


class Squeezed(nn.Module):
    """What drops a dimension of 1, whatever it was meant to be."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Without dimensions of 1."""
        return (x + 1).squeeze()


class Flipped(nn.Module):
    """What begins where only the run knows."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Rows, last first."""
        return x.flip(1)


class Flat(nn.Module):
    """What makes one dimension of two that vary."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """All rows of all batches."""
        return torch.tanh(x).reshape(-1, 6)


@pytest.mark.parametrize(
    ("model", "shapes", "message"),
    [
        (Squeezed(), "auto", "smallest sizes|dynamic shapes"),
        (Flipped(), "auto", "aten.flip.*compile it for fixed shapes"),
        (Flat(), "auto", "joins dimensions that vary"),
        (Pool(), "always", "dynamic_shapes='always' is not known"),
        (Last(), ({1: Dim("rows")},), "has no limit; give one"),
    ],
)
def test_what_cannot_vary(model: nn.Module, shapes: Any, message: str) -> None:
    example = _example() if isinstance(model, Pool) else (torch.randn(2, 5, 6),)
    with pytest.raises(CanaoError, match=message):
        canao.compile(model, example, tune="off", dynamic_shapes=shapes)


def test_modules_in_mlir_say_what_varies(tmp_path: Path) -> None:
    kind = "tensor<?x4xf32, #canao.extents<[rows, 4], rows in 1 to 9>>"
    text = f"""
    func.func @main(%x: {kind}) -> {kind} {{
      %y = canao.exp %x : ({kind}) -> {kind}
      func.return %y : {kind}
    }}
    """
    path = tmp_path / "model.mlir"
    path.write_text(text, encoding="utf-8")
    compiled = canao.compile(path, None, tune="off")
    for rows in (1, 4, 9):
        x = torch.randn(rows, 4)
        torch.testing.assert_close(compiled(x), x.exp(), rtol=1e-5, atol=1e-6)
    with pytest.raises(CanaoError, match="leave dynamic_shapes out"):
        canao.compile(path, None, tune="off", dynamic_shapes="auto")
