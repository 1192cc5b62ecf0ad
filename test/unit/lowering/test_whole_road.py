"""Random graphs mean the same at every level, down to compiled C."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from math import prod
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from unit.lowering.c_support import Array, parse
from unit.lowering.opencl_support import model_of
from unit.lowering.road import LOOPS, UNITS, build, lower_in_levels
from unit.strategies import Graph, graphs

from canao.dialects.canao import LayerOp
from canao.dialects.canao.types import shape_of
from canao.dialects.interfaces import AccessPattern, CanaoOp, Indexed
from canao.interpreters.canao import evaluate

TOLERANCE = 2e-4
POINTS_TO_INTERPRET = 20_000
"""The loops of larger graphs take the interpreter seconds."""

GRAPHS = 2000
PARTS = 20
"""Each part begins with the same simplest graph, so each has one more than its share."""

SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)


def compare(level: str, found: Sequence[Array], expected: Sequence[Array]) -> None:
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype, level
        np.testing.assert_allclose(
            a.reshape(b.shape), b, rtol=TOLERANCE, atol=TOLERANCE, err_msg=level
        )


def points(graph: Graph) -> int:
    """How many points the loops of a graph run over, roughly."""
    total = 0
    for op in graph.module.walk():
        if isinstance(op, Indexed) and not isinstance(op, LayerOp):
            total += op.iteration_space().points
        elif isinstance(op, CanaoOp) and op.access_pattern() is AccessPattern.COMPOSITE:
            total += 10 * sum(prod(shape_of(r)) for r in op.results)
    return total


def check(graph: Graph, *, fusion: bool, threads: int, unit: str, target: str = "c") -> None:
    inputs, weights = graph.inputs, graph.weights
    road = lower_in_levels(
        graph.module,
        fusion=fusion,
        threads=threads,
        unit=unit,
        loops=points(graph) <= POINTS_TO_INTERPRET,
        device=model_of(target),
    )
    with tempfile.TemporaryDirectory() as directory:
        built = build(Path(directory), road.program)
        expected = evaluate(graph.module, inputs, weights)
        for level in road.levels:
            compare(level.name, level.evaluate(inputs, weights), expected)
        compare(target, built.run(inputs, weights), expected)


GATHERED_GATHER = """
func.func @main(%x: tensor<5xf32>, %i: tensor<5xi64>) -> tensor<5xf32> {
  %a = canao.gather %x at %i : (tensor<5xf32>, tensor<5xi64>) -> tensor<5xf32>
  %b = canao.gather %a at %i : (tensor<5xf32>, tensor<5xi64>) -> tensor<5xf32>
  func.return %b : tensor<5xf32>
}"""


def test_table_that_is_computed() -> None:
    inputs = [np.arange(5, dtype=np.float32), np.array([1, 4, 4, 0, 2])]
    for fusion in (True, False):
        check(Graph(parse(GATHERED_GATHER), inputs), fusion=fusion, threads=2, unit="sse")


ROWS_OF_A_BATCH = """
func.func @main(%x: tensor<8x48x15xf32>) -> tensor<8x48x2xf32> {
  %w = canao.weight "w" : tensor<15x2xf32>
  %y = canao.matmul %x, %w : (tensor<8x48x15xf32>, tensor<15x2xf32>) -> tensor<8x48x2xf32>
  func.return %y : tensor<8x48x2xf32>
}"""


def test_product_whose_tasks_begin_between_the_rows_of_a_batch() -> None:
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(s).astype(np.float32) for s in ((8, 48, 15), (15, 2)))
    graph = Graph(parse(ROWS_OF_A_BATCH), [x], {"w": w})
    for unit in UNITS:
        check(graph, fusion=True, threads=1, unit=unit)


def test_levels_are_the_passes_of_the_pipeline() -> None:
    module = parse(GATHERED_GATHER)
    road = lower_in_levels(module, fusion=True, threads=1, unit="sse")
    assert [level.name for level in road.levels] == [
        "widen-integers",
        "canao-simplify",
        "keep-roundings",
        "lp-fusion",
        "outline-weights",
        "name-layers",
        "expand-composites",
        "collapse-rows",
        *LOOPS,
    ]


CASES = {
    "graph": graphs(),
    "fusion": st.booleans(),
    "threads": st.sampled_from((1, 2)),
    "unit": st.sampled_from(sorted(UNITS)),
}


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=SLOW)
@given(**CASES)
def test_random_graphs(graph: Graph, fusion: bool, threads: int, unit: str) -> None:
    check(graph, fusion=fusion, threads=threads, unit=unit)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("part", range(PARTS))
def test_many_random_graphs(part: int) -> None:
    @seed(part)
    @settings(max_examples=GRAPHS // PARTS + 1, deadline=None, suppress_health_check=SLOW)
    @given(**CASES)
    def each(graph: Graph, fusion: bool, threads: int, unit: str) -> None:
        check(graph, fusion=fusion, threads=threads, unit=unit)

    each()


ON_DEVICE = {"graph": graphs(), "fusion": st.booleans(), "unit": st.sampled_from(("avx2", "sse"))}


@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=SLOW)
@given(**ON_DEVICE)
def test_random_graphs_on_a_device(graph: Graph, fusion: bool, unit: str) -> None:
    check(graph, fusion=fusion, threads=2, unit=unit, target="opencl")


@pytest.mark.slow
@pytest.mark.timeout(7200)
@settings(max_examples=300, deadline=None, suppress_health_check=SLOW)
@given(**ON_DEVICE)
def test_many_random_graphs_on_a_device(graph: Graph, fusion: bool, unit: str) -> None:
    check(graph, fusion=fusion, threads=2, unit=unit, target="opencl")
