"""Products as seven of half the size, from graphs down to compiled C."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from unit.expressions import Shape, Tensor, build
from unit.lowering.c_support import Array
from unit.lowering.road import UNITS, interpret, run_compiled
from unit.strategies import Graph
from xdsl.context import Context

from canao.dialects import canao
from canao.dialects.canao.types import shape_of
from canao.interpreters.canao import evaluate
from canao.lowering.choose.layer_task import LayerTask, choose_by_model
from canao.lowering.choose.variants import variants
from canao.lowering.lower_canao_to_affine import ModuleLowering
from canao.lowering.pipeline import Fusion, lower
from canao.lowering.schedules.schedule import Schedule
from canao.machine.processors import vector_unit
from canao.program import Program
from canao.report.product_errors import measure_errors
from canao.transforms.expand_composites import ExpandCompositesPass
from canao.transforms.lp_fusion import LPFusionPass, fast_products
from canao.transforms.outline_weights import OutlineWeightsPass

CASES: list[tuple[Shape, int, int, str, int]] = [
    ((2, 3), 4, 6, "sse", 2),
    ((34,), 18, 96, "avx512", 1),
    ((1, 16), 30, 34, "avx2", 2),
    ((2, 3, 5), 2, 130, "avx512", 2),
    ((40,), 600, 32, "avx2", 1),
]
"""Leading extents, inner terms and columns; vector unit and threads."""


@pytest.fixture(autouse=True)
def always_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast_products, "LEAST_GAIN", 0.0)


def dense(leading: Shape, inner: int, columns: int) -> Graph:
    def function(x: Tensor, w: Tensor, b: Tensor, r: Tensor) -> Tensor:
        return (x @ w + b).apply(canao.GeluOp) + r

    shapes = ((*leading, inner), (inner, columns), (columns,), (*leading, columns))
    return build(function, shapes, constants=(1, 2))


def close(found: Array, expected: Array) -> None:
    np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("leading", "inner", "columns", "unit", "threads"), CASES)
def test_whole_road(
    leading: Shape, inner: int, columns: int, unit: str, threads: int, tmp_path: Path
):
    graph = dense(leading, inner, columns)
    (expected,) = evaluate(graph.module, graph.inputs, graph.weights)
    program = lower(
        graph.module.clone(), target_unit=vector_unit(UNITS[unit]), threads=threads, fusion="fast"
    )
    assert len(program.fast_products) == 1
    (found,) = run_compiled(tmp_path, program, graph.inputs, graph.weights)
    close(found, expected)


def test_loops_mean_the_same():
    graph = dense((6,), 4, 34)
    (expected,) = evaluate(graph.module, graph.inputs, graph.weights)
    LPFusionPass(fast=True).apply(Context(), graph.module)
    for found in interpret(graph.module, graph.inputs, graph.weights, UNITS["sse"], 2):
        close(found[0], expected)


def test_quarters_are_stored_where_they_belong():
    """One stage for each value that is stored, and tasks of one panel of columns."""
    graph = dense((32,), 64, 192)
    for step in (LPFusionPass(fast=True), OutlineWeightsPass(), ExpandCompositesPass()):
        step.apply(Context(), graph.module)
    seen: list[LayerTask] = []
    others: list[Schedule] = []

    def chooser(task: LayerTask) -> tuple[Schedule, tuple[str, ...]]:
        if len(task.stages) == 8:
            seen.append(task)
            others.extend(variants(task, most=12))
        return choose_by_model(task)

    ModuleLowering(vector_unit(UNITS["avx512"]), 1, chooser).run(graph.module)
    (task,) = seen
    assert len({stage.target for stage in task.stages}) == 5
    assert sum(stage.anchor is not None for stage in task.stages) == 7
    assert len(others) == 12
    assert others[0].band == (16, others[0].packed[0].width)
    for schedule in others:
        (packed,) = schedule.packed
        assert shape_of(task.layer.body.block.args[packed.input]) == (7 * 32, 96)


@pytest.mark.parametrize("fusion", [True, False, "exact"])
def test_other_fusion_has_no_fast_products(fusion: Fusion):
    graph = dense((32,), 64, 192)
    unit = vector_unit(UNITS["avx512"])
    program = lower(graph.module, target_unit=unit, threads=1, fusion=fusion)
    assert program.fast_products == ()
    assert "multiply-by-strassen-winograd" not in {r.law for r in program.rewrites}


def test_errors_are_measured_and_kept():
    graph = dense((32,), 64, 192)
    program = lower(
        graph.module, target_unit=vector_unit(UNITS["avx512"]), threads=1, fusion="fast"
    )
    (product,) = measure_errors(program.fast_products, graph.weights)
    assert product.weights == ("w1",)
    assert product.error is not None
    assert product.plain_error is not None
    assert 0 < product.plain_error.relative < product.error.relative < 1e-5
    assert 0 < product.error.largest < 1e-5
    assert Program.from_json(program.to_json()) == program


def test_a_weight_of_zeros_has_no_error():
    graph = dense((4,), 4, 4)
    program = lower(
        graph.module, target_unit=vector_unit(UNITS["avx512"]), threads=1, fusion="fast"
    )
    zeros = {name: np.zeros_like(array) for name, array in graph.weights.items()}
    (product,) = measure_errors(program.fast_products, zeros)
    assert product.error is not None
    assert product.error.relative == product.error.largest == 0.0
