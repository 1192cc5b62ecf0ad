"""Profiles: kernels by their time inside the running model, at the size of the inputs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

import canao
from canao.errors import CanaoError, ShapeMismatchError


class Scores(nn.Module):
    """Two kernels, whose work grows as the rows and as their square."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.dense(x)
        return torch.softmax(y @ y.transpose(-1, -2), -1)


@pytest.fixture(scope="module")
def model() -> canao.CompiledModel:
    rows = torch.export.Dim("sequence", min=2, max=64)
    return canao.compile(
        Scores().eval(),
        (torch.ones(1, 16, 8),),
        dynamic_shapes=({1: rows},),
        threads=1,
        tune="off",
    )


def test_kernels_are_those_of_the_report(model: canao.CompiledModel) -> None:
    profile, report = model.profile(runs=5), model.report
    by_name = {row.name: row for row in report.kernels}
    assert {row.name for row in profile.kernels} == set(by_name)
    for row in profile.kernels:
        kept = by_name[row.name]
        same = ("ops", "variant", "calls", "flops", "bytes")
        assert [getattr(row, key) for key in same] == [getattr(kept, key) for key in same]
    times = [row.ms for row in profile.kernels]
    assert times == sorted(times, reverse=True)
    assert sum(row.share for row in profile.kernels) == pytest.approx(1)
    assert [call.kernel for call in profile.calls] == [
        model.program.kernels[number].name for number in model.program.calls
    ]


def test_times_sum_to_about_the_whole(model: canao.CompiledModel) -> None:
    profile = model.profile(runs=51)
    assert all(call.ms > 0 for call in profile.calls)
    # Medians of parts are not parts of a median; a machine in use by others makes them far apart.
    assert sum(row.ms for row in profile.kernels) == pytest.approx(profile.kernels_ms, rel=0.8)
    assert profile.latency_ms > 0


def test_rates_are_work_over_time(model: canao.CompiledModel) -> None:
    for row in model.profile(runs=3).kernels:
        assert row.gflops == pytest.approx(row.flops * row.calls / row.ms / 1e6)
        assert row.gb_per_s == pytest.approx(row.bytes * row.calls / row.ms / 1e6)


def test_sizes_are_those_of_the_inputs(model: canao.CompiledModel) -> None:
    example = model.profile(runs=2)
    given = model.profile((torch.ones(1, 32, 8),), runs=2)
    named = model.profile(sizes={"sequence": 32}, runs=2)
    assert [p.sizes["sequence"] for p in (example, given, named)] == [16, 32, 32]
    work = [{row.name: row.flops for row in p.kernels} for p in (example, given, named)]
    assert work[1] == work[2]
    ratios = sorted(work[1][name] / work[0][name] for name in work[0])
    assert ratios == pytest.approx([2, 4], rel=0.1)


def test_inputs_at_other_sizes_are_repeated(model: canao.CompiledModel) -> None:
    from canao.runtime.example_sizes import resized

    shapes = [leaf.shape for leaf in model.convention.inputs]
    x = torch.arange(3 * 8, dtype=torch.float32).reshape(1, 3, 8).numpy()
    placed = resized(model.program.symbols, shapes, model.examples, {"sequence": 3})
    placed[0][:, :3] = x
    longer = resized(model.program.symbols, shapes, placed, {"sequence": 7})
    assert longer[-1].tolist() == [7]
    assert (longer[0][:, :7] == x[:, [0, 1, 2, 0, 1, 2, 0]]).all()
    shorter = resized(model.program.symbols, shapes, placed, {"sequence": 2})
    assert (shorter[0][:, :2] == x[:, :2]).all()


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"sequence": 65}, "sequence is 65, and must be from 2 to 64"),
        ({"batch": 2}, "'batch' is no dimension that varies .there are: sequence."),
    ],
)
def test_sizes_that_cannot_be(
    model: canao.CompiledModel, sizes: dict[str, int], message: str
) -> None:
    with pytest.raises(ShapeMismatchError, match=message):
        model.profile(sizes=sizes)


def test_no_runs(model: canao.CompiledModel) -> None:
    with pytest.raises(CanaoError, match="at least one run"):
        model.profile(runs=0)


def test_printed_and_as_json(model: canao.CompiledModel, tmp_path: Path) -> None:
    profile = canao.load(model.save(tmp_path / "model")).profile(runs=2)
    text, data = str(profile), json.loads(profile.to_json())
    assert "sequence 16" in text
    for row, found in zip(profile.kernels, data["kernels"], strict=True):
        assert row.name in text
        assert found["share"] == row.share
    assert len(data["calls"]) == len(model.program.calls)
