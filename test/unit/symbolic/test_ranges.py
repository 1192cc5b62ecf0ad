"""Layers that run under one schedule where they have few points, and under another else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit.symbolic.symbolic_graphs import SymbolicGraph, symbolic_graphs
from unit.symbolic.test_symbolic_graphs import check_code, check_device

import canao
from canao.extent import is_symbolic
from canao.inspecting.inspection import inspect_model
from canao.lowering.choose import layer_task
from canao.lowering.choose.layer_task import LayerTask
from canao.lowering.choose.lengths import varying_variants
from canao.lowering.schedules.schedule import Fewer, Schedule
from canao.lowering.stages.reads import varying_points

Chosen = tuple[Schedule, tuple[str, ...]]
_USUAL = layer_task.choose_by_model


def _in_ranges(task: LayerTask, limits: tuple[int, ...]) -> Chosen:
    """Other schedules up to each limit."""
    usual, names = _USUAL(task)
    if not is_symbolic(varying_points(task.stages, len(usual.band))):
        return usual, names
    others = varying_variants(task)
    fewer = tuple(Fewer(n, others[k % len(others)]) for k, n in enumerate(limits, start=1))
    return replace(usual, fewer=fewer), names


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    symbolic_graphs(),
    st.integers(0, 50),
    st.sampled_from([1, 2]),
    st.sampled_from(["c", "opencl", "groups"]),
    st.sets(st.integers(1, 60), min_size=1, max_size=2),
)
def test_code(
    tmp_path: Path,
    graph: SymbolicGraph,
    inner: int,
    threads: int,
    target: str,
    limits: set[int],
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layer_task, "choose_by_model", lambda t: _in_ranges(t, tuple(sorted(limits))))
        if target == "c":
            check_code(graph, inner, tmp_path / str(sorted(limits)), threads, None)
        else:
            chooser = layer_task.choose_by_model
            check_device(graph, inner, target, chooser)


def test_the_report_has_what_ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer_task, "choose_by_model", lambda task: _in_ranges(task, (8,)))
    torch.manual_seed(0)
    model = torch.nn.Linear(16, 48)
    rows = torch.export.Dim("rows", min=1, max=40)
    compiled = canao.compile(
        model,
        (torch.randn(3, 16),),
        tune="off",
        threads=1,
        dynamic_shapes=({0: rows},),
        cache_dir=tmp_path,
    )
    assert [kernel.most for kernel in compiled.program.kernels] == [8, None]
    assert "at most 8; else it has no tasks" in compiled.source
    for count in (1, 8, 9, 40):
        x = torch.randn(count, 16)
        np.testing.assert_allclose(compiled(x).numpy(), model(x).detach().numpy(), atol=1e-5)
    report = compiled.report
    assert [row.name for row in report.kernels] == ["linear_16x48_to_8"]
    assert (report.fused_layers, report.layers_after) == (1, 1)
    assert 3 * 2 * 16 * 48 <= report.flops < 4 * 2 * 16 * 48
    found = inspect_model(compiled, "ranges")
    (layer,) = found.graphs.layers
    assert layer.calls == (0, 1)
    assert [row.name for row in found.kernels(layer)] == list(found.texts) == ["linear_16x48_to_8"]
    larger = compiled.profile(sizes={"rows": 9}, runs=1)
    assert [row.name for row in larger.kernels] == ["linear_16x48"]
    again = canao.load(compiled.save(tmp_path / "model"))
    assert torch.equal(again(x), compiled(x))
